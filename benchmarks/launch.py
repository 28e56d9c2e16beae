"""Run a command and write what it took: python launch.py REPORT.json COMMAND...

A process of its own, and a small one: on Linux the largest memory of a child counts from before it became another
program, so it is never less than that of the process that started it.
"""

import json
import os
import sys
import time

report, command = sys.argv[1], sys.argv[2:]
start = time.perf_counter()
child = os.fork()
if child == 0:
    os.execvp(command[0], command)
_, status, usage = os.wait4(child, 0)
seconds = time.perf_counter() - start
taken = {
    "seconds": seconds,
    "processor_s": usage.ru_utime + usage.ru_stime,
    # Kilobytes on Linux, bytes on macOS.
    "peak_bytes": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    "returncode": os.waitstatus_to_exitcode(status),
}
with open(report, "w", encoding="utf-8") as handle:  # noqa: PTH123 -- pathlib would make this process larger
    json.dump(taken, handle)
