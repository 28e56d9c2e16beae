"""Kill a command before each of its steps on disk: ``python -m benchmarks.kills_between_steps``.

A step is a file opened for writing, renamed, linked or removed, or a folder made, anywhere below the run. The first
trial kills the command by SIGKILL before its first step, the next before its second, until one comes through. After
each kill the command is given again. It must end well, leave the tables of a command that nothing disturbed and no
temporary file, and the run must verify and take a signature.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.kills import tables
from cytocar.__main__ import main as cytocar
from cytocar.run.finished.checks import Verdict
from cytocar.run.finished.sign import sign
from cytocar.run.finished.verify import verify
from cytocar.run.trail.audit import Author, Meaning
from cytocar.simulate import Preparation, blood_tube

STEPS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.truncate", "os.symlink"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
COMMANDS = {
    "gate": ["gate", "{0}/sheet.csv", "-t", "cart-cd19fc-fixed", "-j", "1", "-q", "-o", "{0}/run"],
    "gate --force": ["gate", "{0}/sheet.csv", "-t", "cart-cd19fc-fixed", "-j", "1", "-q", "--force", "-o", "{0}/run"],
    "merge": ["merge", "{0}/s1", "{0}/s2", "-o", "{0}/run"],
    "merge --force": ["merge", "{0}/s1", "{0}/s2", "-o", "{0}/run", "--force"],
    "override": ["override", "{0}/run", "d0", "t_cells", "--value", "CD3 min=1500", "--reason", "CD3 dim", "--by", "k"],
    "override --undo": ["override", "{0}/run", "d0", "t_cells", "--undo", "--reason", "as before", "--by", "k"],
    "report": ["report", "{0}/run"],
}
BEGUN_BY = {
    "gate": [],
    "gate --force": ["gate"],
    "merge": ["shards"],
    "merge --force": ["shards", "merge"],
    "override": ["gate"],
    "override --undo": ["gate", "override"],
    "report": ["gate"],
}


def call(words: Sequence[str], *, below: Path, kill_before: int | None = None) -> tuple[int, int]:
    """Run a command in a child; its exit code (-9 when killed) and how many steps it came to."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        steps = 0

        def step(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal steps
            if event not in STEPS or (
                event == "open" and not (isinstance(arguments[2], int) and arguments[2] & WRITES)
            ):
                return
            if isinstance(arguments[0], str | bytes) and os.fsdecode(arguments[0]).startswith(str(below)):
                steps += 1
                os.write(writer, b".")
                if steps == kill_before:
                    os.kill(os.getpid(), signal.SIGKILL)

        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(os.open(below.parent / "errors.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        sys.addaudithook(step)
        sys.argv = ["cytocar", *words]
        code = 0
        try:
            cytocar()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        os._exit(code)
    os.close(writer)
    steps = 0
    while block := os.read(reader, 65536):
        steps += len(block)
    os.close(reader)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), steps


def words_of(command: str, folder: Path) -> list[list[str]]:
    """The words of a command, or of the two that make the shards."""
    if command == "shards":
        gate = COMMANDS["gate"][:-5]
        return [
            [
                word.format(folder)
                for word in [*gate, "-o", f"{{0}}/s{n}", "-j", "1", "-q", "--shard", f"{n}/2", "--no-report"]
            ]
            for n in (1, 2)
        ]
    return [[word.format(folder) for word in COMMANDS[command]]]


def trial(
    make: Callable[[Path], None], command: str, kill_before: int | None, folder: Path
) -> tuple[list[str], dict[str, bytes], bool]:
    """Faults of one killed and repeated command, its tables, and whether the kill came in time."""
    make(folder)
    [words] = words_of(command, folder)
    code, _ = call(words, below=folder, kill_before=kill_before)
    killed = code == -signal.SIGKILL
    faults = []
    if killed:
        code, _ = call(words, below=folder)
    errors = (folder.parent / "errors.txt").read_text("utf-8")
    done_before = killed and "no override of d0 / t_cells to undo" in errors  # the kill came after it was carried out
    if code not in (0, 1) and not done_before:
        faults.append(f"exit {code}: {errors[-300:]}")
    if "Traceback" in errors or "E199" in errors:
        faults.append(errors[-300:])
    run = folder / "run"
    faults += [f"left behind: {path.relative_to(folder)}" for path in folder.rglob("*.tmp*")]
    changed = [check.message for check in verify(run) if check.verdict is Verdict.CHANGED]
    faults += [f"does not verify: {message}" for message in changed[:3]]
    if not changed:
        sign(run, Meaning.REVIEWED, author=Author("k", "k"), clock=lambda: datetime.now(UTC))
    return faults, tables(run), killed


def main() -> int:
    """Try each command, count kills and faults."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--only", choices=sorted(COMMANDS), action="append")
    given = parser.parse_args()
    everything: list[str] = []
    kills = 0
    with tempfile.TemporaryDirectory() as scratch:
        files = Path(scratch) / "files"
        files.mkdir()
        lines = ["file,sample_id,beads_added,sample_volume_ul"]
        for number in range(3):
            tube = blood_tube(car_per_ul=100, preparation=Preparation(drawn_share=0.02), seed=number)
            tube.write(files / f"d{number}.fcs")
            lines.append(f"{files}/d{number}.fcs,d{number},20000,50")
        for command in given.only or COMMANDS:
            begun = Path(scratch) / "begun"
            work = Path(scratch) / "work"
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            (work / "sheet.csv").write_text("\n".join(lines) + "\n", "utf-8")
            for before in BEGUN_BY[command]:
                for words in words_of(before, work):
                    code, _ = call(words, below=work)
                    if code not in (0, 1):
                        raise SystemExit(f"{' '.join(words)}: {(work.parent / 'errors.txt').read_text('utf-8')}")
            shutil.rmtree(begun, ignore_errors=True)
            shutil.copytree(work, begun, symlinks=True)

            def make(folder: Path, begun: Path = begun) -> None:
                shutil.rmtree(folder, ignore_errors=True)
                shutil.copytree(begun, folder, symlinks=True)

            faults, expected, _ = trial(make, command, None, work)
            faults = [f"{command}, undisturbed: {fault}" for fault in faults]
            step = 0
            while True:
                step += 1
                new, now, killed = trial(make, command, step, work)
                if not killed:
                    break
                kills += 1
                faults += [f"{command}, step {step}: {fault}" for fault in new]
                if now != expected:
                    other = [name for name in expected if now.get(name) != expected[name]]
                    faults.append(f"{command}, step {step}: other tables: {', '.join(other)}")
            print(f"{command}: killed before each of {step - 1} steps: {len(faults)} faults", flush=True)
            print("\n".join(faults), end="\n" if faults else "", flush=True)
            everything += faults
    print(f"{kills} kills, {len(everything)} faults")
    return 1 if everything else 0


if __name__ == "__main__":
    sys.exit(main())
