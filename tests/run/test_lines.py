"""Lines of tables travel with finished samples: the tables are those that the kept parts would give, in any order."""

from __future__ import annotations

from pathlib import Path

import pytest

from cytocar.errors.tree import UsageError
from cytocar.run.finished.recorded_plan import recorded_plan
from cytocar.run.folder import table_files
from cytocar.run.lines import OwnColumns, SampleLines, WaitingLines, lines_of
from cytocar.run.parts import PARTS, Parts
from cytocar.run.trail.journal import finished_manifest
from cytocar.sample.result import Status
from tests.runs import cytocar_command, small_inputs


def _lines(text: str) -> SampleLines:
    return SampleLines((text.encode(), b"", b"two\nlines\n", text.encode() * 3), f"hash of {text}", Status.OK)


@pytest.mark.parametrize("jobs", [1, 2])
def test_tables_written_from_lines_are_those_of_the_parts(tmp_path: Path, jobs: int) -> None:
    run = tmp_path / "run"
    words = ("-t", "cart-cd19fc-fixed", "-j", str(jobs), "--no-report", "-q")
    assert cytocar_command("gate", small_inputs(tmp_path), "-o", run, *words).code == 1
    plan = recorded_plan(finished_manifest(run))
    again = table_files(Parts(run / PARTS).in_order(plan.sample_ids), plan.own_columns)
    assert {name: (run / name).read_bytes() for name in again} == again
    assert again["counts.csv"].count(b"\n") == 4


def test_lines_come_back_in_any_order_and_only_where_they_were_added(tmp_path: Path) -> None:
    with WaitingLines(tmp_path) as waiting:
        waiting.add("b", _lines("µ and more\n"))
        waiting.add("a", _lines(""))
        assert waiting.take("a") == _lines("")
        waiting.add("c", _lines("later\n"))
        assert [waiting.take(name) for name in "cba"] == [_lines("later\n"), _lines("µ and more\n"), _lines("")]
        assert waiting.take("d") is None


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device here that is always full")
def test_a_full_disk_names_the_run_and_not_the_folder_that_goes_away(tmp_path: Path) -> None:
    hidden = tmp_path / ".signals-x"
    hidden.mkdir()
    (hidden / "lines").symlink_to("/dev/full")
    with WaitingLines(hidden) as waiting, pytest.raises(UsageError, match=rf"the folder {tmp_path} cannot") as caught:
        for number in range(100):
            waiting.add(str(number), _lines("x" * 10_000))
    assert caught.value.code == "E108"


def test_lines_of_a_sample_hold_no_header_and_say_how_it_did(tmp_path: Path) -> None:
    run = tmp_path / "run"
    sheet = small_inputs(tmp_path)
    cytocar_command("gate", sheet, "-t", "cart-cd19fc-fixed", "-o", run, "-j", "1", "--no-report", "-q")
    broken = Parts(run / PARTS).read("broken")
    assert broken is not None
    lines = lines_of(broken, b"part", OwnColumns(("CD3",)))
    assert lines.by_table[0].startswith(b"broken,P1,14,")
    assert lines.by_table[1:3] == (b"", b"")
    assert (lines.status, lines.error and lines.error.code) == (Status.FAILED, "E013")


def test_words_of_the_sheet_stand_at_the_end_of_counts_and_in_the_report(tmp_path: Path) -> None:
    sheet = small_inputs(tmp_path)
    head, *rows = sheet.read_text("utf-8").splitlines()
    words = [f"{head},x_arm,operator,note", f"{rows[0]},B,AB,clotted", f"{rows[1]},A,,", f"{rows[2]},,,"]
    sheet.write_text("\n".join(words) + "\n", "utf-8")
    run = tmp_path / "run"
    cytocar_command("gate", sheet, "-t", "cart-cd19fc-fixed", "-o", run, "-j", "1", "-q")
    lines = (run / "counts.csv").read_text("utf-8").splitlines()
    assert [line.rsplit(",", 3)[1:] for line in lines] == [
        ["operator", "note", "x_arm"],
        ["AB", "clotted", "B"],
        ["", "", "A"],
        ["", "", ""],
    ]
    assert "clotted" in (run / "report.html").read_text("utf-8")
