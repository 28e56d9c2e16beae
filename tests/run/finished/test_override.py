"""One sample's gate moved by a person: counted again, kept beside the original, reversible."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from cytocar.files.bundled import sample_data_folder
from cytocar.run.finished.checks import Verdict
from cytocar.run.finished.verify import verify
from cytocar.run.trail.audit import read_trail
from tests.runs import cytocar_command, small_run

WHO = ("--reason", "CAR dim on day 9", "--by", "A. Muster")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_run(tmp_path_factory.mktemp("override"))


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def row(run: Path, sample_id: str) -> dict[str, str]:
    with (run / "counts.csv").open(encoding="utf-8") as file:
        return next(row for row in csv.DictReader(file) if row["sample_id"] == sample_id)


def tables(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.glob("*.csv")}


def unchanged(run: Path) -> bool:
    return all(check.verdict is not Verdict.CHANGED for check in verify(run))


def test_a_moved_gate_changes_its_sample_and_no_other(run: Path) -> None:
    before = {name: row(run, name) for name in ("d0", "d9", "broken")}
    answer = cytocar_command("override", run, "d9", "car_t", "--value", "20000", *WHO)
    assert answer.code == 0, answer.stderr
    assert "CAR min 500 -> CAR min 20000" in answer.stdout
    after = row(run, "d9")
    assert int(after["car_events"]) < int(before["d9"]["car_events"])
    assert after["total_events"] == before["d9"]["total_events"]
    assert "OVERRIDDEN" in after["status_codes"].split()
    assert {name: row(run, name) for name in ("d0", "broken")} == {name: before[name] for name in ("d0", "broken")}
    assert unchanged(run)


def test_gates_csv_says_that_a_person_put_the_gate_there(run: Path) -> None:
    cytocar_command("override", run, "d9", "car_t", "--value", "CAR min=20000", *WHO)
    with (run / "gates.csv").open(encoding="utf-8") as file:
        (moved,) = [line for line in csv.DictReader(file) if line["source"] == "override"]
    assert (moved["sample_id"], moved["parameter"], moved["value"]) == ("d9", "CAR min", "20000")
    assert moved["flags"] == "OVERRIDDEN"


def test_the_trail_says_who_moved_what_and_why(run: Path) -> None:
    cytocar_command("override", run, "d9", "car_t", "--value", "20000", *WHO)
    last = read_trail(run).last
    assert last is not None
    assert (last.action, last.what, last.operator, last.why) == (
        "override",
        "d9 / car_t",
        "A. Muster",
        "CAR dim on day 9",
    )
    assert last.before.startswith("CAR min 500 (overrides/0001-d9")
    assert last.after == "CAR min 20000"


def test_the_result_before_is_kept(run: Path) -> None:
    original = next((run / "parts").glob("d9*")).read_bytes()
    cytocar_command("override", run, "d9", "car_t", "--value", "20000", *WHO)
    cytocar_command("override", run, "d9", "car_t", "--value", "30000", *WHO)
    kept = sorted((run / "overrides").iterdir())
    assert [path.name[:5] for path in kept] == ["0001-", "0002-"]
    assert kept[0].read_bytes() == original


def test_an_override_is_taken_back_to_the_same_bytes(run: Path) -> None:
    before = tables(run)
    cytocar_command("override", run, "d9", "car_t", "--value", "20000", *WHO)
    cytocar_command("override", run, "d9", "t_cells", "--value", "CD3 min=1500", *WHO)
    assert tables(run) != before
    assert cytocar_command("override", run, "d9", "car_t", "--undo", *WHO).code == 0
    assert cytocar_command("override", run, "d9", "t_cells", "--undo", *WHO).code == 0
    assert tables(run) == before
    assert unchanged(run)
    assert cytocar_command("override", run, "d9", "t_cells", "--undo", *WHO).code == 2


def test_inputs_may_have_moved(run: Path, finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished.parent / "inputs", tmp_path / "archive")
    answer = cytocar_command("override", run, "d9", "car_t", "--value", "20000", "--inputs", tmp_path / "archive", *WHO)
    assert answer.code == 0, answer.stderr
    assert unchanged(run)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("d99", "car_t", "--value", "1"), "no sample 'd99'"),
        (("d9", "car_tt", "--value", "1"), "no gate 'car_tt'\n  fix: there is car_t"),
        (("d9", "CAR T", "--value", "1"), "no gate 'CAR T'\n  fix: there is car_t"),
        (("d9", "lymphocytes", "--value", "1"), "the gate follows from others and has no number\n  fix: move one of"),
        (("broken", "car_t", "--value", "1"), "was not counted"),
        (("d9", "car_t", "--value", "CD3 min=1"), "no number 'CD3 min'"),
        (("d9", "car_t", "--value", "many"), "not a number"),
        (("d9", "car_t", "--value", "nan"), "not a finite number"),
        (("d9", "car_t"), "either --value or --undo"),
        (("d9", "car_t", "--value", "1", "--undo"), "either --value or --undo"),
        (("d9", "cd4", "--value", "1"), "several numbers"),
    ],
)
def test_what_cannot_be_moved_is_refused_and_nothing_changes(run: Path, words: tuple[str, ...], said: str) -> None:
    before = tables(run)
    answer = cytocar_command("override", run, *words, *WHO)
    assert answer.code == 2
    assert said in answer.stderr
    assert tables(run) == before


def test_a_name_and_a_reason_are_needed(run: Path) -> None:
    assert cytocar_command("override", run, "d9", "car_t", "--value", "1", "--reason", "because").code == 2
    assert cytocar_command("override", run, "d9", "car_t", "--value", "1", "--by", "A. Muster").code == 2


def test_a_file_that_is_not_the_one_counted_is_refused(run: Path, finished: Path, tmp_path: Path) -> None:
    inputs = tmp_path / "archive"
    shutil.copytree(finished.parent / "inputs", inputs)
    shutil.copy(inputs / "day0.fcs", inputs / "day9.fcs")
    before = tables(run)
    answer = cytocar_command("override", run, "d9", "car_t", "--value", "1000", "--inputs", inputs, *WHO)
    assert answer.code == 4
    assert "E126" in answer.stderr
    assert tables(run) == before


# ---------------------------------------------------------------- a CAR gate that controls have placed


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small sample course, whose baseline places the CAR gate of day 9."""
    folder = tmp_path_factory.mktemp("car")
    shutil.copytree(sample_data_folder() / "small", folder / "inputs")
    answer = cytocar_command(
        "gate", folder / "inputs" / "sheet.csv", "-o", folder / "run", "-j", "1", "-q", "--no-report"
    )
    assert answer.code == 0, answer.stderr
    return folder / "run"


def test_background_and_controls_stay_known(course: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(course, tmp_path / "run"))
    before = row(run, "day09")
    assert before["control_ids"] == "baseline"
    for threshold in ("600", "6000"):
        assert cytocar_command("override", run, "day09", "car_t", "--value", threshold, *WHO).code == 0
        after = row(run, "day09")
        assert after["control_ids"] == "baseline"
        assert "NO_REFERENCE" not in after["status_codes"]
        assert float(after["car_percent_net"]) > 0
    # Far above the positives' median half of them are missed; the net share knows, the raw one does not.
    raw, net = (float(after[name]) for name in ("car_percent_of_t_cells", "car_percent_net"))
    assert raw < float(before["car_percent_of_t_cells"])
    assert net > raw


def test_a_missing_or_changed_control_is_refused(course: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(course, tmp_path / "run"))
    inputs = Path(shutil.copytree(course.parent / "inputs", tmp_path / "inputs"))
    words = ("override", run, "day09", "car_t", "--value", "600", "--inputs", inputs, *WHO)
    shutil.copy(inputs / "month24.fcs", inputs / "baseline.fcs")
    changed = cytocar_command(*words)
    assert (changed.code, "sample baseline" in changed.stderr) == (4, True)
    (inputs / "baseline.fcs").unlink()
    assert cytocar_command(*words).code == 2
