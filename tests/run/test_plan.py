"""What decides a run's numbers: templates, markers and the matrices that the sheet names."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from cytocar.errors.tree import SheetError, UsageError
from cytocar.fcs.reader import open_fcs
from cytocar.files.bundled import template_folder
from cytocar.run.check_sheet import check_sheet
from cytocar.run.finished.recorded_plan import recorded_plan
from cytocar.run.plan import RunPlan, make_plan
from cytocar.sample.analysis import analyse
from cytocar.sample.result import SampleResult
from cytocar.sheet.inputs import collect
from cytocar.signals.compensation import SpilloverMatrix
from cytocar.simulate import Preparation, blood_tube


def _plan(folder: Path, compensation: str) -> RunPlan:
    (folder / "sheet.csv").write_text(f"file,sample_id,compensation\ntube.fcs,A,{compensation}\n")
    return make_plan(collect([], sheet=folder / "sheet.csv"), template="cart-cd19fc-fixed")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tube and its spillover matrix as a CSV."""
    tube = blood_tube(car_per_ul=300, preparation=Preparation(sample_volume_ul=50, drawn_share=0.05), seed=1)
    tube.write(tmp_path / "tube.fcs")
    matrix = SpilloverMatrix.from_keywords(tube.events.keywords)
    assert matrix is not None
    lines = [",".join(matrix.detectors), *(",".join(f"{value:.9g}" for value in row) for row in matrix.values)]
    (tmp_path / "matrix.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def _events(plan: RunPlan) -> dict[str, int]:
    outcome = analyse(plan.samples[0], plan.protocols["A"])
    assert isinstance(outcome, SampleResult)
    return {population.name: population.events for population in outcome.populations}


def test_a_matrix_of_the_sheet_takes_the_place_of_the_files(folder: Path) -> None:
    by_file = analyse((plan := _plan(folder, "")).samples[0], plan.protocols["A"])
    by_csv = analyse((plan := _plan(folder, "matrix.csv")).samples[0], plan.protocols["A"])
    assert isinstance(by_file, SampleResult)
    assert isinstance(by_csv, SampleResult)
    assert by_file.populations == by_csv.populations
    assert (by_file.compensation, by_csv.compensation) == ("$SPILLOVER", "matrix.csv")
    assert by_file.template == by_csv.template


def test_none_leaves_signals_as_recorded(folder: Path) -> None:
    plain, compensated = _events(_plan(folder, "none")), _events(_plan(folder, "file"))
    assert plain["singlets"] == pytest.approx(compensated["singlets"], rel=0.05)
    assert plain["car_t"] != compensated["car_t"]


def test_a_recorded_plan_counts_alike_when_the_matrix_is_gone(folder: Path) -> None:
    plan = _plan(folder, "matrix.csv")
    before = _events(plan)
    manifest = plan.manifest([])
    (folder / "matrix.csv").unlink()
    assert _events(recorded_plan(manifest)) == before


def test_another_matrix_is_another_plan(folder: Path) -> None:
    first = _plan(folder, "matrix.csv").manifest([])["plan_sha256"]
    text = (folder / "matrix.csv").read_text()
    (folder / "matrix.csv").write_text(text.replace(f"{np.float64(0.1625):.9g}", "0.17", 1))
    assert _plan(folder, "matrix.csv").manifest([])["plan_sha256"] != first


def test_a_matrix_outside_the_folder_stops_the_run(folder: Path) -> None:
    with pytest.raises(SheetError) as caught:
        _plan(folder, "../matrix.csv")
    assert caught.value.code == "E082"


@pytest.mark.parametrize("name", ["nonsense", "missing.csv", "broken.csv"])
def test_a_matrix_that_cannot_be_used_costs_the_rows_that_name_it(folder: Path, name: str) -> None:
    text = (folder / "matrix.csv").read_text()
    (folder / "broken.csv").write_text(text.replace(f"{np.float64(0.1625):.9g}", "639000", 1))
    (folder / "sheet.csv").write_text(f"file,sample_id,compensation\ntube.fcs,A,matrix.csv\ntube.fcs,B,{name}\n")
    plan = make_plan(collect([], sheet=folder / "sheet.csv"), template="cart-cd19fc-fixed")
    for again in (plan, recorded_plan(plan.manifest([]))):
        sound, failed = (analyse(row, again.protocols[row.sample_id]) for row in again.samples)
        assert isinstance(sound, SampleResult)
        assert failed.row()["status_codes"] == "E084"
    with pytest.raises(SheetError) as caught:
        check_sheet(folder / "sheet.csv", template="cart-cd19fc-fixed")
    assert "\n  B, column compensation" in caught.value.message
    assert "[E084]" in caught.value.message


def test_a_file_that_is_still_being_written_is_not_counted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = _plan(folder, "")

    def open_and_grow(path: Path, **named: int | None) -> object:
        events = open_fcs(path, **named)
        with path.open("ab") as file:
            file.write(b"more")
        return events

    monkeypatch.setattr("cytocar.sample.analysis.open_fcs", open_and_grow)
    outcome = analyse(plan.samples[0], plan.protocols["A"])
    assert outcome.row()["status_codes"] == "E009"


def test_samples_of_one_template_and_matrix_share_a_protocol(folder: Path) -> None:
    rows = "tube.fcs,A,none\ntube.fcs,B,none\ntube.fcs,C,matrix.csv\n"
    (folder / "sheet.csv").write_text(f"file,sample_id,compensation\n{rows}")
    protocols = make_plan(collect([], sheet=folder / "sheet.csv"), template="cart-cd19fc-fixed").protocols
    assert protocols["A"] is protocols["B"]
    assert protocols["A"] is not protocols["C"]


def test_the_manifest_names_the_versions_that_are_installed(folder: Path) -> None:
    versions = _plan(folder, "").manifest(["gate"])["versions"]
    assert {name: version(name) for name in versions if name != "python"} == {
        name: said for name, said in versions.items() if name != "python"
    }
    assert set(versions) >= {"python", "numpy", "scipy"}


def test_a_template_that_no_row_is_counted_with_is_refused(folder: Path) -> None:
    sheet = folder / "sheet.csv"
    sheet.write_text("file,sample_id,template\ntube.fcs,A,cart-cd19fc\ntube.fcs,B,cart-cd19fc\n")
    with pytest.raises(
        UsageError, match=r"-t says cart-cd19fc-fixed, column template of the sheet says cart-cd19fc$"
    ) as no:
        make_plan(collect([], sheet=sheet), template="cart-cd19fc-fixed")
    assert no.value.code == "E086"
    make_plan(collect([], sheet=sheet), template="cart-cd19fc")
    sheet.write_text("file,sample_id,template\ntube.fcs,A,cart-cd19fc\ntube.fcs,B,\n")
    plan = make_plan(collect([], sheet=sheet), template="cart-cd19fc-fixed")
    assert {name: one.template.name for name, one in plan.protocols.items()} == {
        "A": "cart-cd19fc",
        "B": "cart-cd19fc-fixed",
    }


def test_two_templates_of_one_name_in_two_folders_are_not_taken_for_one(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path_factory.mktemp("here")
    for place, number in ((folder, "1.0.0"), (here, "2.0.0")):
        text = (template_folder() / "cart-cd19fc-fixed.toml").read_text("utf-8")
        (place / "mine.toml").write_text(re.sub("(?m)^version = .*", f'version = "{number}"', text), "utf-8")
    (folder / "sheet.csv").write_text("file,sample_id,template\ntube.fcs,A,mine.toml\ntube.fcs,B,\n")
    monkeypatch.chdir(here)
    with pytest.raises(UsageError, match=r"mine\.toml beside the sheet, which is another file"):
        make_plan(collect([], sheet=folder / "sheet.csv"), template="mine.toml")
