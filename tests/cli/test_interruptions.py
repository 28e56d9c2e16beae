"""A run that is killed, runs out of disk or meets another: nothing finished is lost, nothing half taken for whole."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cytocar.run.finished.checks import Verdict
from cytocar.run.finished.sign import sign
from cytocar.run.finished.verify import verify
from cytocar.run.trail.audit import Author, Meaning
from cytocar.run.trail.lock import only_writer
from cytocar.simulate import Preparation, blood_tube
from tests.runs import cytocar_command

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="signals and limits are those of POSIX"),
]
ROOT = Path(__file__).resolve().parents[2]
SAMPLES = 6


@pytest.fixture(scope="module")
def sheet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six small tubes."""
    folder = tmp_path_factory.mktemp("interruptions")
    lines = ["file,sample_id,beads_added,sample_volume_ul"]
    for number in range(SAMPLES):
        tube = blood_tube(car_per_ul=100, preparation=Preparation(drawn_share=0.05), seed=number)
        tube.write(folder / f"d{number}.fcs")
        lines.append(f"d{number}.fcs,d{number},20000,50")
    (folder / "sheet.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return folder / "sheet.csv"


def start(
    sheet: Path, run: Path, *more: str, file_size: int | None = None, report: bool = False
) -> subprocess.Popen[str]:
    """Start counting in a process group of its own; ``file_size`` is the largest file it may write, in bytes."""

    def limit() -> None:
        import resource

        if file_size is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))

    words = ["gate", str(sheet), "-t", "cart-cd19fc-fixed", "-o", str(run), "-j", "2", *more]
    words += [] if report else ["--no-report"]
    return subprocess.Popen(
        [sys.executable, "-m", "cytocar", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=limit,  # noqa: PLW1509 -- this process has one thread
    )


def go_on(sheet: Path, run: Path, *more: str) -> str:
    """Count to the end in this process, which nothing disturbs; return what the command wrote for people."""
    words: list[str | Path] = ["gate", sheet, "-t", "cart-cd19fc-fixed", "-o", run, "-j", "1", "--no-report", *more]
    answer = cytocar_command(*words)
    assert answer.code == 0, answer.stderr
    return answer.stderr


@pytest.fixture(scope="module")
def undisturbed(sheet: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The tables of a run that nothing disturbed."""
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    go_on(sheet, run)
    return tables(run)


def tables(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.glob("*.csv")}


def is_whole(run: Path) -> bool:
    return all(check.verdict in (Verdict.OK, Verdict.NOTE) for check in verify(run))


def test_kill_9_at_any_moment_loses_nothing(sheet: Path, undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    run = tmp_path / "run"
    kept: set[str] = set()
    for attempt in range(60):
        process = start(sheet, run, report=True)
        time.sleep(0.25 + 0.12 * attempt)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        _, errors = process.communicate(timeout=100)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, errors
        now = {path.name for path in run.glob("parts/*.json")}
        assert kept <= now, "a finished sample was lost"
        kept = now
        if (run / "manifest.json").exists() and is_whole(run):
            break  # killed after the last step: nothing was left to lose
    assert tables(run) == undisturbed, "a half-written run was taken for whole"
    assert is_whole(run)


def children(process: subprocess.Popen[str]) -> set[int]:
    """Return the processes of the group besides its first, as /proc lists them."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ProcessLookupError):
            state = (entry / "stat").read_text("utf-8").rpartition(") ")[2][:1]
            if os.getpgid(int(entry.name)) == process.pid != int(entry.name) and state != "Z":
                found.add(int(entry.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are listed by /proc")
@pytest.mark.parametrize("more", [(), ("--dask", "local:2")], ids=["pool", "dask"])
def test_kill_9_of_the_main_process_alone_frees_the_lock_and_ends_the_workers(
    sheet: Path, undisturbed: dict[str, bytes], tmp_path: Path, more: tuple[str, ...]
) -> None:
    if more:
        pytest.importorskip("distributed")
    run = tmp_path / "run"
    process = start(sheet, run, *more)
    while not (children(process) and list(run.glob("parts/*.json"))) and process.poll() is None:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=100)
    with only_writer(run):  # at once: no worker holds what was its parent's
        pass
    process.communicate(timeout=60)  # waits for the end of every process that holds the other end of the pipes
    deadline = time.monotonic() + 60  # and these for one that does not
    while children(process) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not children(process)
    go_on(sheet, run)
    assert tables(run) == undisturbed
    assert is_whole(run)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are listed by /proc")
def test_kill_9_of_one_worker_costs_nothing(sheet: Path, undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = start(sheet, run)
    while not (children(process) and list(run.glob("parts/*.json"))) and process.poll() is None:
        time.sleep(0.01)
    for worker in list(children(process))[:1]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
    _, errors = process.communicate(timeout=100)
    assert process.returncode == 0, errors
    assert tables(run) == undisturbed
    assert is_whole(run)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are listed by /proc")
@pytest.mark.parametrize(
    "signals",
    [(signal.SIGTERM,), (signal.SIGINT, signal.SIGINT, signal.SIGINT), (signal.SIGINT, signal.SIGTERM)],
    ids=["batch system", "impatient", "twice, as by timeout"],
)
def test_signals_to_all_processes_and_more_than_one_end_a_run_without_a_traceback(
    sheet: Path, undisturbed: dict[str, bytes], tmp_path: Path, signals: tuple[signal.Signals, ...]
) -> None:
    run = tmp_path / "run"
    process = start(sheet, run)
    while not list(run.glob("parts/*.json")) and process.poll() is None:
        time.sleep(0.01)
    for number in signals:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        time.sleep(0.03)
    _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    assert process.returncode in {128 + number for number in signals}
    assert not children(process)
    go_on(sheet, run)
    assert tables(run) == undisturbed
    assert is_whole(run)


def test_force_after_an_interruption_gives_a_run_that_verifies_and_can_be_signed(
    sheet: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    process = start(sheet, run)
    while not list(run.glob("parts/*.json")) and process.poll() is None:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=100)
    go_on(sheet, run, "--force")
    assert tables(run) == undisturbed
    assert is_whole(run)
    notes = [check.message for check in verify(run) if check.place == "revisions/1/manifest.json"]
    assert "this run was set aside before it was finished" in notes
    author = Author("A. Muster", "muster")
    assert sign(run, Meaning.REVIEWED, author=author, clock=lambda: datetime(2026, 3, 9, tzinfo=UTC)) is not None
    assert is_whole(run)


# too small for: the manifest, a sample, the description of the tables
@pytest.mark.parametrize("file_size", [1_000, 12_000, 15_000])
def test_a_full_disk_stops_with_a_reason_and_the_run_goes_on_later(
    sheet: Path, undisturbed: dict[str, bytes], tmp_path: Path, file_size: int
) -> None:
    run = tmp_path / "run"
    process = start(sheet, run, file_size=file_size)
    _, errors = process.communicate(timeout=100)
    assert process.returncode == 2, errors
    assert "error[E108]" in errors
    assert "Traceback" not in errors
    assert not list(run.rglob("*.tmp"))
    go_on(sheet, run)
    assert tables(run) == undisturbed
    assert is_whole(run)


def test_of_two_commands_at_once_one_counts(sheet: Path, undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    run = tmp_path / "run"
    both = [start(sheet, run), start(sheet, run)]
    said = [process.communicate(timeout=100)[1] for process in both]
    codes = sorted(process.returncode for process in both)
    assert codes == [0, 2], said
    assert any("error[E113]" in errors or "error[E106]" in errors for errors in said)
    assert tables(run) == undisturbed
    assert is_whole(run)


def test_ctrl_c_keeps_finished_samples(sheet: Path, undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = start(sheet, run)
    while not list(run.glob("parts/*.json")) and process.poll() is None:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=100)
    assert process.returncode in (130, 0), errors
    assert list(run.glob("parts/*.json"))
    if process.returncode == 130:
        assert "finished before" in go_on(sheet, run)
    assert tables(run) == undisturbed


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_refused_before_anything_is_counted(sheet: Path, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    process = start(sheet, closed / "run")
    _, errors = process.communicate(timeout=100)
    assert (process.returncode, "error[E108]" in errors) == (2, True)


def test_an_interrupt_while_libraries_are_loaded_ends_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from cytocar import __main__
    from cytocar.cli import app

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(app, "main", interrupted)
    monkeypatch.setattr(gc, "set_threshold", lambda _: None)
    monkeypatch.setattr(gc, "freeze", lambda: None)
    monkeypatch.setenv("PYDANTIC_DISABLE_PLUGINS", "")
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == ""


DROPS_AN_EXCEPTION = """
import os, signal, time
from cytocar.cli import app

class Deleted:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)

def command(args, prog_name):
    Deleted()
    print("dropped", flush=True)
    time.sleep(60)

app.get_command = lambda _: type("Command", (), {"main": staticmethod(command)})
app.main(["gate"])
"""


def test_a_signal_whose_exception_python_dropped_is_obeyed_when_it_comes_again() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", DROPS_AN_EXCEPTION], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"dropped\n"
    time.sleep(1.2)  # a signal that comes sooner is the same wish
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
