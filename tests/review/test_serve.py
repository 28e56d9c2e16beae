"""The command `cytocar review`: its address on stdout, its end, and what is in the way of its start."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from cytocar.run.finished.checks import Verdict
from cytocar.run.finished.verify import verify
from tests.runs import cytocar_command

SECONDS = 30


def started(run: Path, *words: str) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, "-m", "cytocar", "review", str(run), "--no-browser", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline()


def asked(address: str, form: bytes | None = None) -> str:
    origin = "/".join(address.split("/")[:3])
    request = urllib.request.Request(address, data=form, headers={"Origin": origin})
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        text: str = answer.read().decode()
        return text


@pytest.fixture
def run(fixed_run: Path, tmp_path: Path) -> Path:
    """A copy of the run with fixed gates."""
    return Path(shutil.copytree(fixed_run, tmp_path / "run"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_address_is_one_line_and_an_interruption_ends_it(run: Path, number: signal.Signals, code: int) -> None:
    process, line = started(run)
    assert line.startswith("http://127.0.0.1:")
    assert "d9" in asked(line.strip())
    process.send_signal(number)
    out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, out) == (code, "")
    assert err.splitlines()[-1] == "the page is closed; what was saved is kept"
    assert all(check.verdict is not Verdict.CHANGED for check in verify(run))


def test_the_review_is_ended_by_its_page_with_code_0(run: Path) -> None:
    process, line = started(run, "-q")
    assert "The review has ended" in asked(line.strip() + "close", b"")
    out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, out, err) == (0, "", "")


def test_a_port_in_use_is_said_with_its_code(run: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        answer = cytocar_command("review", run, "--no-browser", "--port", str(other.getsockname()[1]))
    assert (answer.code, answer.stdout) == (2, "")
    assert "error[E181]" in answer.stderr


def test_what_is_no_finished_run_is_refused_before_anything_is_served(tmp_path: Path) -> None:
    answer = cytocar_command("review", tmp_path, "--no-browser")
    assert (answer.code, answer.stdout, "error[E114]" in answer.stderr) == (2, "", True)
