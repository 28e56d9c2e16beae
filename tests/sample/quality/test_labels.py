"""Labels of a file against the markers of a template: other names, no reagent at all, exchanged places."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from cytocar.errors.findings import Severity
from cytocar.fcs.reader import open_fcs
from cytocar.sample.analysis import count_sample
from cytocar.sample.control_signals import save_references
from cytocar.sample.protocol import Protocol, unlocked
from cytocar.sample.result import SampleResult
from cytocar.sheet.rows import SampleRow, SampleType
from cytocar.template.load import load_template
from tests.reference_tube import codes, count, reference_tube

TUBE = reference_tube(8000)


def _counted(
    path: Path, *, kind: SampleType = SampleType.SAMPLE, markers: dict[str, str] | None = None
) -> SampleResult:
    template = load_template("cart-cd19fc-fixed")
    row = SampleRow(file=path, file_as_given=path.name, sample_id="S1", sample_type=kind, count_method=None)
    return count_sample(open_fcs(path), row, Protocol(template, unlocked(template), markers or {}))


@pytest.mark.parametrize("label", ["HLA-DR", "HLA-DR PE", "CD19", "CD45RA", "FMC63"])
def test_another_markers_label_on_the_car_channel_is_for_review(tmp_path: Path, label: str) -> None:
    result = count(TUBE.labelled(PE_A=label).write(tmp_path / "a.fcs"))
    (said,) = (one for one in result.findings if one.code == "W247")
    assert said.outcome is Severity.REVIEW
    assert f"PE-A, called {label!r}" in said.message
    assert result.row()["car_result"] == "not_evaluable"


@pytest.mark.parametrize(
    "label", ["IgG1 isotype", "IgG1", "FMO", "FMO PE", "unstained", "empty", "Dump", "CAR FMO", "isotype"]
)
def test_a_label_that_says_no_reagent_is_no_car_sample(tmp_path: Path, label: str) -> None:
    path = TUBE.labelled(PE_A=label).write(tmp_path / "a.fcs")
    result = _counted(path)
    (said,) = (one for one in result.findings if one.check == "labels")
    assert (said.code, said.outcome) == ("E069", Severity.REVIEW)
    assert "no CAR reagent" in said.message
    assert result.row()["car_result"] == "not_evaluable"
    assert result.row()["t_cell_events"] == count(TUBE.write(tmp_path / "b.fcs")).row()["t_cell_events"]
    assert not codes(_counted(path, kind=SampleType.FMO)) & {"E069", "W247"}


@pytest.mark.parametrize("label", ["", "PE", "PE-A", "CD19-Fc PE", "CAR", "CD19 CAR", "CD19-Fc biotin SA-PE", "585/42"])
def test_labels_of_the_marker_itself_or_of_a_dye_pass(tmp_path: Path, label: str) -> None:
    result = count(TUBE.labelled(PE_A=label).write(tmp_path / "a.fcs"))
    assert not codes(result) & {"E069", "W247", "W248"}
    assert [one.outcome for one in result.findings if one.check == "labels"] == [Severity.PASS]


def test_a_channel_that_a_person_settled_is_not_asked_about(tmp_path: Path) -> None:
    path = TUBE.labelled(PE_A="IgG1 isotype").write(tmp_path / "a.fcs")
    assert not codes(_counted(path, markers={"CAR": "PE-A"})) & {"E069", "W247"}


def test_labels_exchanged_between_two_detectors_are_for_review(tmp_path: Path) -> None:
    result = count(TUBE.labelled(V450_A="CD8", APC_H7_A="CD4").write(tmp_path / "a.fcs"))
    (said,) = (one for one in result.findings if one.code == "W248")
    assert said.outcome is Severity.REVIEW
    assert "CD8 on V450-A (of CD4)" in said.message
    assert "CD4 on APC-H7-A (of CD8)" in said.message


def test_a_marker_of_the_panel_labelled_as_none_is_for_review(tmp_path: Path) -> None:
    result = count(TUBE.labelled(V500_A="empty").write(tmp_path / "a.fcs"))
    assert "W247" in codes(result, Severity.REVIEW)


def test_a_control_without_the_reagent_is_no_control(tmp_path: Path) -> None:
    template = load_template("cart-cd19fc")
    protocol = Protocol(template, unlocked(template))
    path = TUBE.labelled(PE_A="IgG1 isotype").write(tmp_path / "a.fcs")
    row = SampleRow(file=path, file_as_given=path.name, sample_id="S1", sample_type=SampleType.BASELINE)
    assert save_references(row, protocol, tmp_path) is None
    assert save_references(replace(row, sample_type=SampleType.FMO), protocol, tmp_path) is not None
