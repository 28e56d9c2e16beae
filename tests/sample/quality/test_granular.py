"""A gate of the lymphocytes that holds granulocytes is named: its percents are not of lymphocytes."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from cytocar import load_template, quantify
from cytocar.errors.findings import Finding
from cytocar.fcs.events import EventTable
from cytocar.fcs.reader import open_fcs
from cytocar.simulate import Preparation, SimulatedTube, blood_tube


@pytest.fixture(scope="module")
def tube() -> SimulatedTube:
    """Lysed blood: five granulocytes for each lymphocyte."""
    return blood_tube(car_per_ul=100, preparation=Preparation(sample_volume_ul=50, drawn_share=0.1), seed=1)


def _grain(events: EventTable, template: str) -> Finding:
    findings = quantify(events, load_template(template), count_method="none").findings
    (finding,) = (finding for finding in findings if finding.check == "lymphocyte_grain")
    return finding


def test_a_gate_on_scatter_alone_that_holds_granulocytes_is_a_note(tube: SimulatedTube) -> None:
    finding = _grain(tube.events, "tcell")
    assert (finding.code, str(finding.outcome)) == ("W318", "note")
    granulocytes = tube.is_kind(*(kind for kind in tube.kinds if "neutrophil" in kind or "granulocyte" in kind))
    lymphocytes = quantify(tube.events, load_template("tcell"), count_method="none").row()["lymphocyte_events"]
    assert isinstance(lymphocytes, int)
    assert granulocytes.sum() > lymphocytes / 2


def test_lymphocytes_by_cd45_are_as_granular_as_t_cells(tube: SimulatedTube) -> None:
    finding = _grain(tube.events, "cart-cd19fc")
    assert finding.code == ""
    assert finding.value == pytest.approx(1.1, abs=0.2)


def test_no_percent_of_lymphocytes_is_given_where_the_gate_holds_granulocytes(tube: SimulatedTube) -> None:
    by_scatter, by_cd45 = (
        quantify(tube.events, load_template(name), count_method="none") for name in ("tcell", "cart-cd19fc")
    )
    assert by_scatter.row()["t_cell_percent_of_lymphocytes"] is None
    assert by_scatter.row()["t_cell_events"] == pytest.approx(by_cd45.row()["t_cell_events"], rel=0.1)
    percent = by_cd45.row()["t_cell_percent_of_lymphocytes"]
    assert isinstance(percent, float)
    assert 50 < percent < 100


def test_an_analysers_lymphocytes_do_not_stand_for_granulocytes_in_silence(tube: SimulatedTube) -> None:
    template = load_template("tcell")
    counting = replace(template.counting, dual_platform_reference="lymphocytes")
    by_analyser = replace(template, counting=counting)
    findings = quantify(tube.events, by_analyser, count_method="dual_platform", lymphocytes_per_ul=1500).findings
    (finding,) = (finding for finding in findings if finding.code == "W318")
    assert str(finding.outcome) == "review"
    assert "cells/µL are too low" in finding.message


@pytest.mark.parametrize(
    ("file", "template", "code"),
    [
        ("more/canto_tbnk.fcs", "tcell", "W318"),
        ("more/canto_tbnk.fcs", "tbnk", ""),
        ("cytopipeline_omip021/Donor1.fcs", "tcell", ""),
        ("100715.fcs", "tcell-basic", ""),
    ],
)
def test_real_tubes(file: str, template: str, code: str, shared_data: Path) -> None:
    assert _grain(open_fcs(shared_data / "tcell_human" / file), template).code == code
