"""What a second signal does once a run was asked to stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

SCRIPT = """
import atexit, os, signal, time
from cytocar.cli import app

def stuck():
    time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGTERM)
    print("the same wish", flush=True)
    time.sleep(app.SAME_WISH_S)
    os.kill(os.getpid(), signal.SIGTERM)
    print("still here", flush=True)

atexit.register(stuck)
app._refuse_remote_output = lambda words: os.kill(os.getpid(), signal.SIGINT) or time.sleep(5)
app.main(["explain"])
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_signal_at_once_is_the_same_wish_and_a_later_one_ends_what_is_still_waited_for() -> None:
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.stdout == "the same wish\n"
    assert done.returncode == 128 + signal.SIGTERM
    assert "Traceback" not in done.stderr
    assert time.monotonic() - begun < 30
