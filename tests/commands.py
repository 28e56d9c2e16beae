"""Commands in processes of their own that need not import anything: forks of one that has imported the whole package.

Seven parts in eight of a short command's time go into importing. A test that wants a folder, an environment, streams
and an exit code of its own gets them all by a small client, which hands them to a server, which forks. A test that is
about starting, about signals to the very process, or about what must not hang on the seed of hashes starts an
interpreter anew, and so does every command where there is no Linux.
"""

from __future__ import annotations

import atexit
import gc
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from tempfile import TemporaryDirectory

import cytocar

ROOT = Path(__file__).resolve().parents[1]
FRESH = (sys.executable, "-m", "cytocar")
"""The beginning of a command line that starts an interpreter anew."""
STREAMS = 3
HEAD = 8
CLIENT = """
import os, socket, sys
texts = [os.getcwd(), str(len(sys.argv) - 2), *sys.argv[2:], *(f"{name}={value}" for name, value in os.environ.items())]
request = b"\\0".join(map(os.fsencode, texts))
with socket.socket(socket.AF_UNIX) as server:
    server.connect(sys.argv[1])
    socket.send_fds(server, [len(request).to_bytes(8, "big")], [0, 1, 2])
    server.sendall(request)
    code = int.from_bytes(server.recv(8), "big", signed=True)
if code < 0:
    os.kill(os.getpid(), -code)
sys.exit(code)
"""
"""Hand folder, words, environment and the three streams to the server, and end as the command ends."""
LOADED_LATE = (
    "scipy.special", "scipy.stats", "sklearn.mixture", "sklearn.cluster", "flowio",
    "matplotlib.figure", "matplotlib.backends.backend_svg", "PIL.PngImagePlugin",
)  # fmt: skip


@cache
def forked() -> tuple[str, ...]:
    """Return the beginning of a command line that runs ``cytocar`` as a fork, starting the server that it needs."""
    if not hasattr(os, "pidfd_open"):
        return FRESH
    folder = TemporaryDirectory(prefix="commands-")
    address = str(Path(folder.name) / "address")
    command = [sys.executable, "-W", "error", "-m", "tests.commands", address]
    one_thread = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # a process of several is not to be forked
    server = subprocess.Popen(command, cwd=ROOT, env=one_thread, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdin is not None
    assert server.stdout is not None
    assert server.stdout.readline() == b"ready\n"

    @atexit.register
    def end() -> None:
        server.communicate()  # closes its stdin
        folder.cleanup()

    return (sys.executable, "-I", "-S", "-c", CLIENT, address)  # isolated: a client needs no packages


def serve(address: str) -> None:
    """Answer every request by a fork; return only in a process that is to be the command."""
    everything = (module.name for module in walk_packages(cytocar.__path__, "cytocar."))
    for name in [*LOADED_LATE, *(name for name in everything if not name.endswith("__main__"))]:
        with suppress(ImportError, Warning):  # of an extra that is not installed, or older than what it needs itself
            import_module(name)
    templates = import_module("cytocar.report.run.templating").page_environment()
    for name in templates.list_templates(extensions=["html"]):
        templates.get_template(name)
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print("ready", flush=True)
        ending = sys.stdin.fileno()  # it closes when whoever started this ends
        while ending not in select.select([listener, ending], [], [])[0]:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                return _answer(connection)
            connection.close()
            _reap(os.WNOHANG)
    _reap(0)
    os._exit(0)


def _reap(options: int) -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, options)[0]:
            pass


def _answer(connection: socket.socket) -> None:
    """Fork the command, wait, and send its exit code; return only as the command."""
    head, streams, _, _ = socket.recv_fds(connection, HEAD, STREAMS)
    request = b""
    while len(request) < int.from_bytes(head, "big"):
        request += connection.recv(1 << 20)
    child = os.fork()
    if child:
        ended = os.pidfd_open(child)
        if ended not in select.select([ended, connection.fileno()], [], [])[0]:  # whoever wanted it is gone
            os.kill(child, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        with suppress(BrokenPipeError):
            connection.sendall(code.to_bytes(HEAD, "big", signed=True))
        os._exit(0)
    connection.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    # the objects remember what their streams were before
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    folder, count, *texts = map(os.fsdecode, request.split(b"\0"))
    os.chdir(folder)
    os.environ.clear()
    for text in texts[int(count) :]:
        name, _, value = text.partition("=")
        os.environ[name] = value
    sys.argv = ["cytocar", *texts[: int(count)]]


def _end(code: int) -> None:
    """End as an interpreter does, but leave to the system what it would take apart piece by piece."""
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    serve(sys.argv[1])
    from cytocar.__main__ import main

    try:
        main()
    except SystemExit as left:
        _end(left.code if isinstance(left.code, int) else 0)
    _end(0)
