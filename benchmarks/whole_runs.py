"""Whole runs: with and without their report, a cohort and its course, many subjects, ten thousand files on a cluster.

``python -m benchmarks.whole_runs [--write docs/performance.md]``, some twelve minutes on two quiet cores; ``--quick``
takes a twentieth of the files, to see that everything runs. Nothing is measured beside another program here: each
figure is a ratio of two commands that take turns, or has the load of the machine beside it.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import adaptive, report
from benchmarks.data import write_blood
from benchmarks.measure import Measurement, joined, measure
from benchmarks.report_of_a_plate import write_plate

LARGE_TUBE, SMALL_FILE = 340_000, 2_000
"""Events of a tube of a cohort (19 MB), and of a file of many."""
SUBJECTS, TUBES_EACH = 14, 9
MANY_SUBJECTS = 210
SCALE = (100, 1_000, 10_000)
Line = tuple[str, str, str, str]
Words = Sequence[str | Path]


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    repeats: int
    share: float

    def of(self, number: int, *, least: int = 8) -> int:
        """A number of files or subjects, or the share of it that a quick look takes."""
        return max(least, round(number * self.share))


def main() -> int:
    """Measure, print the table, write it into a document if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(".venv-benchmarks/whole-runs"), help="data and runs")
    parser.add_argument("--repeats", type=int, default=3, help="the median of so many runs counts")
    parser.add_argument("--quick", action="store_true", help="a twentieth of the files, once")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--write", type=Path, help="document whose part on whole runs is replaced")
    options = parser.parse_args()
    size = Size(1, 0.05) if options.quick else Size(options.repeats, 1.0)
    folder: Path = options.folder.resolve() / ("quick" if options.quick else "full")  # sheets name files from their own
    folder.mkdir(parents=True, exist_ok=True)
    lines: list[Line] = []
    for name in options.only:
        for line in PARTS[name](folder, size):
            print(" | ".join(line), file=sys.stderr, flush=True)
            lines.append(line)
    table = report.as_table(("what", "measured", "asked for", "load"), lines)
    text = f"Measured {report.machine()}.\n\n{table}"
    print(text)
    if options.write is not None:
        report.write_between_marks(options.write, text, part="whole runs")
    return 0


# ---------------------------------------------------------------- plates and a cohort, with and without their report


def plates(folder: Path, size: Size) -> Iterator[Line]:
    """Measure plates of 96 and of 384 wells of 50,000 events."""
    for wells in (96, 384):
        sheet = folder / f"plate-{wells}" / "sheet.csv"
        if not sheet.exists():
            write_plate(sheet.parent, size.of(wells))
        asked = "1.5 times; 5 s" if wells == 96 else "1.5 times"
        yield _with_report(f"{size.of(wells)} wells", ["gate", sheet, "-j", "2"], folder / "run", size, asked)


def cohort(folder: Path, size: Size) -> Iterator[Line]:
    """Measure fourteen subjects with nine tubes each, and their course."""
    sheet = folder / "cohort" / "sheet.csv"
    if not sheet.exists():
        _cohort(sheet, size.of(SUBJECTS * TUBES_EACH))
    run = folder / "cohort-run"
    tubes = f"{size.of(SUBJECTS * TUBES_EACH)} tubes of {LARGE_TUBE:,} events"
    yield _with_report(tubes, ["gate", sheet, "-j", "2"], run, size, "1.5 times; 16 s")
    yield _course(f"`series` on these {tubes}", ["series", run], folder / "course", size, "6 s")


def subjects(folder: Path, size: Size) -> Iterator[Line]:
    """Measure the course of many subjects, the scenario's fourteen under many names."""
    tables = folder / "subjects"
    wanted = size.of(MANY_SUBJECTS, least=SUBJECTS)
    if not tables.exists():
        _cytocar("demo", folder / "scenario", "--scenario", "ruxolitinib-cohort")
        _many_subjects(folder / "scenario", tables, copies=wanted // SUBJECTS)
    words: Words = ["series", tables / "counts.csv", "--clinical", tables / "clinical.csv"]
    words = [*words, "--interventions", tables / "interventions.csv", "--subjects", tables / "subjects.csv"]
    yield _course(f"`series` on {wanted} subjects", words, folder / "courses", Size(1, size.share), "60 s")


def _with_report(what: str, words: Words, run: Path, size: Size, asked: str) -> Line:
    """Measure a run without and with its report, in turn; the one with it stays."""
    taken: dict[str, list[Measurement]] = {"--no-report": [], "--report": []}
    for _ in range(size.repeats):
        for flag, runs in taken.items():
            shutil.rmtree(run, ignore_errors=True)
            runs.append(_measured(*words, "-o", run, "-q", flag))
    without, drawn = (joined(runs) for runs in taken.values())
    ratio = drawn.process_s / without.process_s
    spent = drawn.processor_s / without.processor_s
    measured = f"{drawn.process_s:.1f} s with, {without.process_s:.1f} s without: {ratio:.2f} times"
    return f"`gate` and its report, {what}", f"{measured} (processor {spent:.2f})", asked, f"{without.load:.1f}"


def _course(what: str, words: Words, out: Path, size: Size, asked: str) -> Line:
    runs = []
    for _ in range(size.repeats):
        shutil.rmtree(out, ignore_errors=True)
        runs.append(_measured(*words, "-o", out, "-q"))
    taken = joined(runs)
    return what, f"{taken.process_s:.1f} s (processor {taken.processor_s:.1f} s)", asked, f"{taken.load:.1f}"


def _cohort(sheet: Path, tubes: int) -> None:
    days = (-5, 4, 7, 10, 14, 21, 28, 60, 90)
    sheet.parent.mkdir(parents=True)
    lines = ["file,sample_id,subject_id,day,sample_type,beads_added,sample_volume_ul"]
    for number in range(tubes):
        subject, day = f"S{number // TUBES_EACH + 1:02}", days[number % TUBES_EACH]
        name = f"{subject}_d{day}"
        write_blood(sheet.parent / f"{name}.fcs", LARGE_TUBE, seed=number)
        kind = "baseline" if day < 0 else "sample"
        lines.append(f"{name}.fcs,{name},{subject},{day},{kind},20000,50")
    sheet.write_text("\n".join(lines) + "\n", "utf-8")


def _many_subjects(scenario: Path, tables: Path, *, copies: int) -> None:
    """Write the tables of a scenario with every subject, and every sample, under so many names."""
    tables.mkdir(parents=True)
    for name in ("counts.csv", "clinical.csv", "interventions.csv", "subjects.csv"):
        with (scenario / name).open(encoding="utf-8", newline="") as source:
            reader = csv.DictReader(source)
            rows, columns = list(reader), list(reader.fieldnames or [])
        with (tables / name).open("w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, columns)
            writer.writeheader()
            for copy in range(copies):
                own = {"subject_id", "sample_id"} & set(columns)
                writer.writerows(row | {key: f"{row[key]}-{copy:02}" for key in own if row[key]} for row in rows)


# ---------------------------------------------------------------- gates that adapt


def adapting(folder: Path, size: Size) -> Iterator[Line]:
    """Measure gates that adapt beside fixed ones, in one process."""
    load = os.getloadavg()[0]
    events, seconds = adaptive.measured(folder, blood_ul=480 * size.share, rounds=15 if size.share == 1 else 3)
    fixed = seconds["counts only, fixed gates"]
    for name, best in seconds.items():
        if name.startswith("counts only, gates"):
            measured = f"{1000 * best:.0f} ms for {1000 * fixed:.0f} ms: {best / fixed:.2f} times"
            yield f"{events:,} events, {name}, over fixed ones", measured, "2 times", f"{load:.1f}"


# ---------------------------------------------------------------- many files on a cluster


def cluster(folder: Path, size: Size) -> Iterator[Line]:
    """Measure runs of more and more small files on two Dask workers; of the largest run one is killed half way."""
    files = folder / "files"
    of_files = [size.of(number) for number in SCALE]
    _small_files(files, of_files[-1])
    for number in of_files:
        run, load = folder / "cluster-run", os.getloadavg()[0]
        shutil.rmtree(run, ignore_errors=True)
        taken = _on_cluster(sorted(files.glob("*.fcs"))[:number], run, kill=number == of_files[-1])
        killed = ", one worker killed" if number == of_files[-1] else ""
        what = f"`gate --dask local:2`, {number:,} files of {SMALL_FILE:,} events{killed}"
        ended = f"{taken.rows:,} rows, {1000 * taken.a_file_s:.1f} ms a file, at most {taken.peak_mb:.0f} MB"
        yield what, ended, "cost of a file within 10 %", f"{load:.1f}"


@dataclass(frozen=True, slots=True)
class OnCluster:
    """What a run on a cluster took: ``peak_mb`` is the largest memory of the process that hands out the files.

    ``a_file_s`` is from the first counted files to the end, without the start of the cluster.
    """

    rows: int
    a_file_s: float
    peak_mb: float


def _on_cluster(files: Sequence[Path], run: Path, *, kill: bool) -> OnCluster:
    sheet = run.with_suffix(".csv")
    sheet.write_text("file,sample_id\n" + "".join(f"{path},{path.stem}\n" for path in files), "utf-8")
    words = ["gate", "-s", sheet, "-o", run, "--dask", "local:2", "--no-report", "-q", "--count-method", "none"]
    begun, before, peak, killed = None, 0, 0.0, False
    command = [sys.executable, "-m", "cytocar", *map(str, words)]
    said = run.with_suffix(".txt")
    with said.open("wb") as log, subprocess.Popen(command, env=_environment(), stderr=log) as process:
        while process.poll() is None:
            time.sleep(0.25)
            peak, counted = max(peak, _memory_mb(process.pid)), _entries(run / "parts")
            if begun is None and counted:
                begun, before = time.perf_counter(), counted
            if kill and not killed and counted > len(files) / 2:
                killed = _kill_a_worker(process.pid)
    if begun is None:
        raise RuntimeError(f"no file was counted:\n{said.read_text('utf-8')[-2000:]}")
    a_file = (time.perf_counter() - begun) / max(len(files) - before, 1)
    if process.returncode not in {0, 1}:  # 1: some samples have no count
        raise RuntimeError(f"the run ended with {process.returncode}:\n{said.read_text('utf-8')[-2000:]}")
    if kill and not killed:
        raise RuntimeError("no worker was killed: the run was over before")
    with (run / "counts.csv").open(encoding="utf-8") as table:
        statuses = [row["status"] for row in csv.DictReader(table)]
    if "failed" in statuses:
        raise RuntimeError(
            f"{statuses.count('failed')} of {len(statuses)} files were not counted: this measures nothing"
        )
    return OnCluster(len(statuses), a_file, peak)


def _entries(folder: Path) -> int:
    return len(os.listdir(folder)) if folder.is_dir() else 0  # noqa: PTH208 -- 10,000 names need no paths


def _memory_mb(process: int) -> float:
    try:
        status = Path(f"/proc/{process}/status").read_text("ascii")
    except OSError:
        return 0.0
    sizes = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")]
    return float(sizes[0]) / 1024 if sizes else 0.0


def _kill_a_worker(scheduler: int) -> bool:
    """Kill the youngest child of the command that works, and say whether there was one."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            number, _, rest = stat.read_text("ascii", "replace").partition(" (")
        except OSError:
            continue
        parents[int(number)] = int(rest.rpartition(") ")[2].split()[1])
    workers = [
        child
        for child, parent in parents.items()
        if parent == scheduler and b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]
    if workers:
        os.kill(max(workers), signal.SIGKILL)
    return bool(workers)


def _small_files(folder: Path, number: int) -> None:
    folder.mkdir(exist_ok=True)
    for seed in range(number):
        path = folder / f"{seed:05}.fcs"
        if not path.exists():
            write_blood(path, SMALL_FILE, seed=seed)


# ---------------------------------------------------------------- commands


def _measured(*words: str | Path) -> Measurement:
    return measure([sys.executable, "-m", "cytocar", *words], repeats=1, allowed=(0, 1))


def _cytocar(*words: str | Path) -> None:
    subprocess.run([sys.executable, "-m", "cytocar", *map(str, words)], check=True, env=_environment())


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


PARTS: dict[str, Callable[[Path, Size], Iterator[Line]]] = {
    "plates": plates,
    "cohort": cohort,
    "subjects": subjects,
    "adapting": adapting,
    "cluster": cluster,
}

if __name__ == "__main__":
    sys.exit(main())
