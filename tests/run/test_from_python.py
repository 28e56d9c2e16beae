"""`cytocar.run(...)` gives what `cytocar gate` gives, whatever was imported before."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

import cytocar
from cytocar.run.observer import Observer
from cytocar.sheet.rows import SampleRow, read_sheet
from cytocar.tables.columns import COUNTS, csv_text
from tests.runs import cytocar_command, small_run

FIXED = "cart-cd19fc-fixed"
TABLES = ("counts.csv", "populations.csv", "gates.csv", "quality.csv", "datapackage.json")


@pytest.fixture(scope="module")
def by_command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run that the command line made; its inputs lie beside it."""
    return small_run(tmp_path_factory.mktemp("python"))


@pytest.fixture(scope="module")
def sheet(by_command: Path) -> Path:
    return by_command.parent / "inputs" / "sheet.csv"


def test_a_sheet_gives_the_rows_of_the_command(by_command: Path, sheet: Path) -> None:
    outcomes = cytocar.run(sheet, FIXED, jobs=1)
    assert csv_text(COUNTS, (outcome.row() for outcome in outcomes)) == (by_command / "counts.csv").read_text("utf-8")
    assert [outcome.status for outcome in outcomes][-1] == "failed"


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_run_folder_has_the_tables_of_the_command(by_command: Path, sheet: Path, tmp_path: Path, jobs: int) -> None:
    cytocar.run(str(sheet), FIXED, tmp_path / "run", jobs)
    for name in TABLES:
        assert (tmp_path / "run" / name).read_bytes() == (by_command / name).read_bytes(), name
    assert cytocar_command("verify", tmp_path / "run").code == 0
    assert cytocar_command("reproduce", tmp_path / "run", "-j", "1", "-q").code == 0


def test_rows_made_in_python_come_back_in_their_order(by_command: Path, sheet: Path) -> None:
    rows = read_sheet(sheet)[::-1]
    outcomes = cytocar.run(rows, FIXED, jobs=1)
    assert [outcome.sample.sample_id for outcome in outcomes] == [row.sample_id for row in rows]
    lines = csv_text(COUNTS, (outcome.row() for outcome in outcomes)).splitlines()
    assert sorted(lines) == sorted((by_command / "counts.csv").read_text("utf-8").splitlines())


def test_a_folder_and_settings_give_what_the_command_prints(sheet: Path) -> None:
    outcomes = cytocar.run(sheet.parent, FIXED, jobs=1, beads_added=50_000, sample_volume_ul=50)
    said = ("--beads-added", "50000", "--sample-volume-ul", "50", "-t", FIXED, "-j", "1", "--format", "csv")
    printed = cytocar_command("gate", sheet.parent / "day0.fcs", sheet.parent / "day9.fcs", *said).stdout
    rows = {line.split(",")[0]: line for line in csv_text(COUNTS, (one.row() for one in outcomes)).splitlines()}
    for line in printed.splitlines():
        assert rows[line.split(",")[0]] == line


def test_an_observer_hears_of_every_sample(sheet: Path) -> None:
    class Listener(Observer):
        def __init__(self) -> None:
            self.heard: list[str] = []

        def start(self, total: int, done: int = 0) -> None:
            self.heard.append(f"{done} of {total}")

        def step(self) -> None:
            self.heard.append("step")

        def close(self) -> None:
            self.heard.append("end")

    listener = Listener()
    cytocar.run(sheet, FIXED, jobs=1, observer=listener)
    assert listener.heard == ["0 of 3", "step", "step", "step", "end"]


def test_what_cannot_be_run_is_refused(sheet: Path, tmp_path: Path) -> None:
    with pytest.raises(cytocar.UsageError) as refused:
        cytocar.run(tmp_path)
    assert refused.value.code == "E102"
    with pytest.raises(TypeError, match="bead_count"):
        cytocar.run(sheet, bead_count=3)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="not both"):
        cytocar.run([sheet, read_sheet(sheet)[0]])


@pytest.mark.parametrize(
    "imports",
    ["import cytocar", "import cytocar.run.execute", "import cytocar; cytocar.open_fcs; import cytocar.run.plan"],
)
def test_the_folder_can_be_called_whatever_was_imported_before(sheet: Path, imports: str) -> None:
    code = (
        f"{imports}\n"
        f"first = cytocar.run({str(sheet)!r}, {FIXED!r}, jobs=1)\n"
        "import cytocar.run.execute\n"
        "from cytocar import run\n"
        "from cytocar.run.execute import execute\n"
        "assert run is cytocar.run and cytocar.run.execute.execute is execute\n"
        f"print(len(first), len(run({str(sheet)!r}, {FIXED!r}, jobs=1)))"
    )
    top = Path(cytocar.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=top)
    assert done.stdout.split() == ["3", "3"]


def test_help_shows_the_call() -> None:
    assert list(inspect.signature(cytocar.run).parameters)[:4] == ["rows", "template", "out", "jobs"]


def test_what_holds_for_every_row_may_not_contradict_one(tmp_path: Path) -> None:
    row = SampleRow(tmp_path / "a.fcs", "a.fcs", "A", sample_volume_ul=300)
    with pytest.raises(
        cytocar.UsageError, match="A, column sample_volume_ul: the sheet says 300, --sample-volume-ul says 50"
    ):
        cytocar.run([row], "cart-cd19fc-fixed", sample_volume_ul=50)


def test_arrays_generators_and_one_control_are_taken_as_a_list_is(sheet: Path) -> None:
    tubes = [sheet.parent / "day0.fcs", sheet.parent / "day9.fcs"]
    by_list = [one.row() for one in cytocar.run(tubes, FIXED, jobs=1, controls=[tubes[0]])]
    for given in (np.array([str(tube) for tube in tubes]), (tube for tube in tubes), set(tubes)):
        assert [one.row() for one in cytocar.run(given, FIXED, jobs=1, controls=str(tubes[0]))] == by_list


def test_rows_with_numbers_of_numpy_and_paths_as_text_are_those_of_a_sheet(sheet: Path, tmp_path: Path) -> None:
    row = next(row for row in read_sheet(sheet) if row.file.name == "day9.fcs")
    numbers = replace(row, beads_added=np.int64(20_000), sample_volume_ul=np.float32(50), day=np.float64(9))
    (own,) = cytocar.run([replace(row, beads_added=20_000.0, sample_volume_ul=50.0, day=9.0)], FIXED, jobs=1)
    (outcome,) = cytocar.run([replace(numbers, file=str(row.file))], FIXED, tmp_path / "run", jobs=1)
    assert outcome.row() == own.row()


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        ({"rows": None}, "a path or an address is needed, not None"),
        ({"rows": [{"file": "day9.fcs"}]}, "a path or an address is needed"),
        ({"rows": "day9.fcs", "template": cytocar.load_template(FIXED)}, "a path or an address is needed"),
        ({"rows": [SampleRow(Path("a.fcs"), "a.fcs", "a", beads_added="many")]}, "row a: Expected `float"),  # type: ignore[arg-type]  # as told
    ],
)
def test_what_is_of_another_type_is_a_type_error_that_names_it(words: dict[str, Any], wrong: str) -> None:
    with pytest.raises(TypeError, match=re.escape(wrong)):
        cytocar.run(**words, jobs=1)


def test_fewer_than_no_processes_are_refused() -> None:
    with pytest.raises(ValueError, match="-1 processes; 0 stands for all cores"):
        cytocar.run("day9.fcs", jobs=-1)
