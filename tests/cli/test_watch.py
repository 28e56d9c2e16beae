"""A folder that is watched while a cytometer writes into it: every file once, when it is whole, whatever happens."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from cytocar.run.finished.checks import Verdict
from cytocar.run.finished.verify import verify
from cytocar.simulate import Preparation, blood_tube
from tests.reference_tube import reference_tube
from tests.runs import cytocar_command

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent as POSIX sends it"),
]
ROOT = Path(__file__).resolve().parents[2]
TABLES = ("counts.csv", "populations.csv", "gates.csv", "quality.csv", "datapackage.json")
FIXED = ("-t", "cart-cd19fc-fixed", "--beads-added", "20000", "--sample-volume-ul", "50")
SECONDS = 90


@pytest.fixture(scope="module")
def tubes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six small tubes, as they look when the instrument has finished them."""
    folder = tmp_path_factory.mktemp("tubes")
    for number in range(6):
        tube = blood_tube(car_per_ul=50 * number, preparation=Preparation(drawn_share=0.03), seed=number)
        tube.write(folder / f"d{number}.fcs")
    return folder


def start(hot: Path, run: Path, *more: str) -> subprocess.Popen[str]:
    """Begin to watch."""
    words = ["gate", str(hot), "--watch", "--every", "0.1", "-o", str(run), "-j", "1", *more]
    return subprocess.Popen(
        [sys.executable, "-m", "cytocar", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@contextmanager
def watching(hot: Path, run: Path, *more: str) -> Iterator[list[str]]:
    """Watch meanwhile, end with Ctrl-C, and hand back what was said on stderr and the exit code as its last line."""
    process = start(hot, run, *more)
    assert process.stderr is not None
    said = [process.stderr.readline().rstrip("\n")]  # it is at work, and Ctrl-C is its own to answer
    try:
        yield said
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=SECONDS)
        said += [*err.splitlines(), str(process.returncode)]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def wait_for(holds: Callable[[], bool]) -> None:
    """Wait until something is so."""
    until = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.05)


def counted(run: Path) -> list[str]:
    """Return the samples that the table holds by now; the tables come into place one after the other."""
    if not (run / "quality.csv").exists():
        return []
    try:
        lines = (run / "counts.csv").read_text("utf-8").splitlines()[1:]
    except FileNotFoundError:
        return []
    return [line.split(",")[0] for line in lines]


def at_once(hot: Path, run: Path, *more: str) -> dict[str, bytes]:
    """Return the tables of one run over the folder as it is now."""
    shutil.rmtree(run, ignore_errors=True)
    answer = cytocar_command("gate", hot, "-o", run, "-j", "1", "-q", "--no-report", *more)
    assert answer.code in (0, 1), answer.stderr
    return tables(run)


def tables(run: Path) -> dict[str, bytes]:
    """Return the tables of a run."""
    return {name: (run / name).read_bytes() for name in TABLES}


def intact(run: Path) -> bool:
    """Return whether a run folder is what it recorded."""
    return all(check.verdict is not Verdict.CHANGED for check in verify(run))


def test_files_that_come_one_by_one_and_in_pieces_make_the_tables_of_one_run(tubes: Path, tmp_path: Path) -> None:
    hot, run = tmp_path / "hot", tmp_path / "run"
    hot.mkdir()
    shutil.copy(tubes / "d3.fcs", hot)
    with watching(hot, run, *FIXED) as said:
        wait_for(lambda: counted(run) == ["d3"])
        whole = (tubes / "d1.fcs").read_bytes()
        with (hot / "d1.fcs").open("wb") as file:
            for part in range(6):
                file.write(whole[part * len(whole) // 6 : (part + 1) * len(whole) // 6])
                file.flush()
                time.sleep(0.25)  # more than two looks: an unchanged size alone does not make it whole
                assert part == 5 or counted(run) == ["d3"]
        wait_for(lambda: counted(run) == ["d1", "d3"])
        (hot / "sub").mkdir()
        for name in ("d0", "d2", "d5"):
            shutil.copy(tubes / f"{name}.fcs", hot / "sub" / f"{name}.fcs.part")
            (hot / "sub" / f"{name}.fcs.part").rename(hot / "sub" / f"{name}.fcs")
        wait_for(lambda: counted(run) == ["d0", "d1", "d2", "d3", "d5"])
        wait_for((run / "report.html").is_file)
    assert said[-1] == "0"
    assert tables(run) == at_once(hot, tmp_path / "other", *FIXED)
    assert intact(run)
    assert 'id="live"' not in (run / "report.html").read_text("utf-8")


def test_a_tube_is_judged_anew_when_others_come(tubes: Path, tmp_path: Path) -> None:
    hot, run = tmp_path / "hot", tmp_path / "run"
    hot.mkdir()
    fixed = ("-t", "cart-cd19fc-fixed", "--beads-added", "20000", "--sample-volume-ul", "50", "--no-report")
    shutil.copy(tubes / "d3.fcs", hot / "d3.fcs")
    with watching(hot, run, *fixed):
        wait_for(lambda: counted(run) == ["d3"])
        assert b"run_beads" not in (run / "quality.csv").read_bytes()
        for name in ("d0", "d1", "d2", "d4", "d5"):
            shutil.copy(tubes / f"{name}.fcs", hot / f"{name}.fcs")
        wait_for(lambda: len(counted(run)) == 6)
    assert (run / "quality.csv").read_bytes().count(b"run_beads") == 6
    assert tables(run) == at_once(hot, tmp_path / "other", *fixed)
    assert intact(run)


def test_a_watch_that_is_killed_goes_on_when_it_is_repeated(tubes: Path, tmp_path: Path) -> None:
    hot, run = tmp_path / "hot", tmp_path / "run"
    hot.mkdir()
    for tries in range(4):
        process = start(hot, run, *FIXED, "--no-report")
        shutil.copy(tubes / f"d{tries}.fcs", hot)
        shutil.copy(tubes / f"d{tries + 2}.fcs", hot)
        seconds = (0.6, 0.9, 1.3, 1.8)[tries]
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    with watching(hot, run, *FIXED) as said:
        wait_for(lambda: len(counted(run)) == 6)
    assert said[-1] == "0"
    assert tables(run) == at_once(hot, tmp_path / "other", *FIXED)
    assert intact(run)


def test_each_file_is_counted_once_under_the_name_that_it_has_and_with_the_bytes_that_it_holds(
    tubes: Path, tmp_path: Path
) -> None:
    hot, run = tmp_path / "hot", tmp_path / "run"
    hot.mkdir()
    for name in ("d1", "d2", "d3"):
        shutil.copy(tubes / f"{name}.fcs", hot)
    with watching(hot, run, *FIXED, "--no-report") as said:
        wait_for(lambda: counted(run) == ["d1", "d2", "d3"])
        shutil.copy(tubes / "d1.fcs", hot / "a copy.fcs")
        (hot / "d2.fcs").rename(hot / "day2.fcs")
        wait_for(lambda: counted(run) == ["d1", "d3", "day2"])
        before = tables(run)
        shutil.copy(tubes / "d4.fcs", hot / "d3.fcs")
        wait_for(lambda: tables(run) != before and counted(run) == ["d1", "d3", "day2"])
        (hot / "d1.fcs").rename(tmp_path / "archive.fcs")
        (hot / "a copy.fcs").unlink()
        shutil.copy(tubes / "d5.fcs", hot)
        wait_for(lambda: counted(run) == ["d1", "d3", "d5", "day2"])
        (tmp_path / "archive.fcs").rename(hot / "d1.fcs")
    assert sum("a copy.fcs holds the same bytes as d1.fcs" in line for line in said) == 1
    assert tables(run) == at_once(hot, tmp_path / "other", *FIXED)
    assert intact(run)
    assert "counted again: d3" in (run / "audit.jsonl").read_text("utf-8")


def test_rows_of_the_sheet_join_as_they_come_and_a_broken_sheet_is_waited_out(tubes: Path, tmp_path: Path) -> None:
    hot, run, sheet = tmp_path / "hot", tmp_path / "run", tmp_path / "sheet.csv"
    hot.mkdir()
    header = "file,sample_id,subject_id,day,sample_type,beads_added,sample_volume_ul\n"
    rows = [f"hot/d{n}.fcs,P1 {n},P1,{7 * n},{'sample' if n else 'baseline'},20000,50\n" for n in range(5)]
    rows.append("hot/d5.fcs,P2 0,P2,-4,baseline,20000,50\n")
    sheet.write_text(header + rows[3], "utf-8")
    for name in ("d1", "d3"):
        shutil.copy(tubes / f"{name}.fcs", hot)
    with watching(hot, run, "-s", str(sheet), "--no-report") as said:
        wait_for(lambda: counted(run) == ["P1 3"])
        sheet.write_text(header.replace("day", "dya") + rows[3] + rows[1], "utf-8")
        time.sleep(0.3)
        assert counted(run) == ["P1 3"]
        sheet.write_text(header + rows[3] + rows[1] + rows[0], "utf-8")
        wait_for(lambda: counted(run) == ["P1 3", "P1 1"])
        shutil.copy(tubes / "d0.fcs", hot)  # the baseline: a control of the others, which are counted again with it
        wait_for(lambda: counted(run) == ["P1 3", "P1 1", "P1 0"])
        sheet.write_text(header + rows[3] + rows[1] + rows[0] + rows[5], "utf-8")
        shutil.copy(tubes / "d5.fcs", hot)  # another subject's: what the run's controls say together
        wait_for(lambda: counted(run) == ["P1 3", "P1 1", "P1 0", "P2 0"])
    assert sum("d1.fcs waits for its row" in line for line in said) == 1
    assert any("dya" in line for line in said)
    assert tables(run) == at_once(hot, tmp_path / "other", "-s", str(sheet))
    assert intact(run)


def test_what_a_files_names_say_stands_once_however_many_files_come_after_it(tmp_path: Path) -> None:
    hot, run = tmp_path / "hot", tmp_path / "run"
    hot.mkdir()
    tube = reference_tube(300)

    def come(number: int) -> None:
        keywords = {**tube.keywords, "TUBE NAME": f"P{10 + (number + 1) % 6} day 7"}
        replace(tube, keywords=keywords).write(hot / f"P{10 + number}.fcs")

    for number in range(5):
        come(number)
    with watching(hot, run, "-t", "cart-cd19fc-fixed", "--no-report"):
        wait_for(lambda: len(counted(run)) == 5)
        come(5)
        wait_for(lambda: len(counted(run)) == 6)
    quality = (run / "quality.csv").read_text("utf-8").splitlines()
    assert [line.split(",")[0] for line in quality if ",W261," in line] == [f"P{10 + number}" for number in range(6)]
    assert intact(run)


def test_a_counted_file_that_is_renamed_beside_its_row_keeps_its_counts(tubes: Path, tmp_path: Path) -> None:
    hot, run, sheet = tmp_path / "hot", tmp_path / "run", tmp_path / "sheet.csv"
    hot.mkdir()
    rows = "".join(f"hot/d{n}.fcs,day {n},20000,50\n" for n in (1, 2, 3))
    sheet.write_text(f"file,sample_id,beads_added,sample_volume_ul\n{rows}", "utf-8")
    for name in ("d1", "d2"):
        shutil.copy(tubes / f"{name}.fcs", hot)
    with watching(hot, run, "-s", str(sheet), "--no-report") as said:
        wait_for(lambda: counted(run) == ["day 1", "day 2"])
        (hot / "d1.fcs").rename(hot / "archived.fcs")
        shutil.copy(tubes / "d3.fcs", hot)
        wait_for(lambda: "day 3" in counted(run))
    assert counted(run) == ["day 1", "day 2", "day 3"]
    assert any("archived.fcs waits for its row" in line for line in said)
    assert intact(run)


def test_a_sheet_whose_rows_name_files_elsewhere_says_so_while_nothing_is_counted(tubes: Path, tmp_path: Path) -> None:
    hot, run, sheet = tmp_path / "hot", tmp_path / "run", tmp_path / "sheet.csv"
    hot.mkdir()
    sheet.write_text("file,sample_id,beads_added,sample_volume_ul\nd1.fcs,day 1,20000,50\n", "utf-8")
    shutil.copy(tubes / "d1.fcs", hot)
    with watching(hot, run, "-s", str(sheet), "--no-report") as said:
        time.sleep(1)
    assert said[-1] == "2"
    assert any(f"d1.fcs waits for its row in {sheet}, which names {tmp_path / 'd1.fcs'}" in line for line in said), said
    assert any(f"none of 1 finished file has a row in {sheet}" in line for line in said), said


def test_a_control_that_lies_elsewhere_serves_every_file_that_comes(tubes: Path, tmp_path: Path) -> None:
    hot, run = tmp_path / "hot", tmp_path / "run"
    hot.mkdir()
    options = (*FIXED[2:], "--controls", str(tubes / "d0.fcs"))
    shutil.copy(tubes / "d1.fcs", hot)
    with watching(hot, run, *options, "--no-report"):
        wait_for(lambda: counted(run) == ["d1", "d0"])
        shutil.copy(tubes / "d2.fcs", hot)
        wait_for(lambda: counted(run) == ["d1", "d2", "d0"])
    assert tables(run) == at_once(hot, tmp_path / "other", *options)
    assert intact(run)


def test_a_file_that_is_left_half_written_is_named_at_the_end_and_is_no_sample(tubes: Path, tmp_path: Path) -> None:
    hot, run = tmp_path / "hot", tmp_path / "run"
    hot.mkdir()
    shutil.copy(tubes / "d1.fcs", hot)
    (hot / "half.fcs").write_bytes((tubes / "d2.fcs").read_bytes()[:20_000])
    with watching(hot, run, *FIXED, "--no-report") as said:
        wait_for(lambda: counted(run) == ["d1"])
        time.sleep(0.3)
    assert counted(run) == ["d1"]
    assert any("half.fcs is not whole" in line for line in said)
    assert said[-1] == "1"


def test_other_options_other_runs_and_signed_runs_are_refused(tubes: Path, tmp_path: Path) -> None:
    hot, run = tmp_path / "hot", tmp_path / "run"
    hot.mkdir()
    shutil.copy(tubes / "d1.fcs", hot)
    with watching(hot, run, *FIXED, "--no-report"):
        wait_for(lambda: counted(run) == ["d1"])
    process = start(hot, run, "--no-report")
    _, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, "error[E107]" in err) == (2, True), err
    assert cytocar_command("sign", run, "--by", "A. Person", "--meaning", "reviewed", "--reason", "seen").code == 0
    answer = cytocar_command("gate", hot, "--watch", "-o", run, *FIXED)
    assert (answer.code, "E106" in answer.stderr) == (2, True), answer.stderr
    at_once(hot, tmp_path / "plain", *FIXED)
    answer = cytocar_command("gate", hot, "--watch", "-o", tmp_path / "plain", *FIXED)
    assert (answer.code, "not watched" in answer.stderr) == (2, True)
    for words in (["nowhere", "-o", str(run)], [str(hot)], [str(hot), "-o", str(run), "--shard", "1/2"]):
        answer = cytocar_command("gate", *words, "--watch")
        assert (answer.code, "E111" in answer.stderr) == (2, True), answer.stderr
