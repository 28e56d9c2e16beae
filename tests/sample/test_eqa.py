"""Proficiency samples: stabilised cells, every one stained by the viability dye."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

import cytocar
from cytocar.sample.result import SampleOutcome, SampleResult, Status
from cytocar.simulate.acquire import SimulatedTube, blood_tube
from cytocar.simulate.instrument import FLOOR, FLUORESCENCE, PHOTON, SPILLOVER, TOP
from cytocar.template.eqa import regardless_of_viability

_DYE = FLUORESCENCE.index("PerCP-Cy5-5-A")


def stabilised(tube: SimulatedTube) -> SimulatedTube:
    """Return a tube whose cells have all taken up the viability dye."""
    rng = np.random.default_rng(1)
    cells = ~tube.is_kind("beads", "bead_doublets", "debris")
    dye = rng.lognormal(np.log(20_000), 0.25, len(cells)) * cells
    columns = dict(tube.columns)
    for detector, share, photon in zip(FLUORESCENCE, SPILLOVER[_DYE], PHOTON, strict=True):
        noise = rng.standard_normal(len(dye)) * np.sqrt(photon * dye * share)
        columns[detector] = np.clip(columns[detector] + dye * share + noise, FLOOR, TOP).astype(np.float32)
    return replace(tube, columns=columns)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SampleOutcome]:
    folder = tmp_path_factory.mktemp("eqa")
    tube = stabilised(blood_tube(car_per_ul=100, seed=3))
    tube.write(folder / "tube.fcs")
    header = "file,sample_id,sample_type,beads_added,sample_volume_ul\n"
    beads = f"{tube.drawn.beads_added:g},50\n"
    sheet = folder / "sheet.csv"
    sheet.write_text(header + f"tube.fcs,proficiency,eqa,{beads}tube.fcs,patient,sample,{beads}")
    return {one.sample.sample_id: one for one in cytocar.run(sheet, "cart-cd19fc", folder / "run", jobs=1)}


def test_a_proficiency_sample_gives_its_car_share_within_the_interval(outcomes: dict[str, SampleOutcome]) -> None:
    found = outcomes["proficiency"]
    assert isinstance(found, SampleResult)
    row = found.row()
    assert found.status is Status.OK
    assert row["viability_percent"] == pytest.approx(0, abs=0.5)
    low, high = row["car_percent_of_t_cells_low"], row["car_percent_of_t_cells_high"]
    assert isinstance(low, float)
    assert isinstance(high, float)
    assert low <= 100 * 100 / 220 <= high  # 100 of 220 T cells in a µL
    assert row["car_per_ul"] == pytest.approx(100, rel=0.08)
    assert "W380" in {finding.code for finding in found.findings}


def test_the_same_tube_as_a_patients_asks_for_a_look(outcomes: dict[str, SampleOutcome]) -> None:
    found = outcomes["patient"]
    assert found.status is Status.REVIEW
    assert {"W285", "W287"} <= {finding.code for finding in found.findings}


def test_the_template_named_in_the_row_is_the_laboratorys(outcomes: dict[str, SampleOutcome]) -> None:
    assert outcomes["proficiency"].template == outcomes["patient"].template


def test_gates_start_from_all_cells_and_the_gate_of_viable_ones_stays() -> None:
    template = cytocar.load_template("cart-cd19fc")
    changed = regardless_of_viability(template)
    assert changed.population("bright_cd45").parent == "leukocytes"
    assert changed.population("viable") == template.population("viable")
    assert changed.report == template.report


def test_what_a_run_recorded_of_a_proficiency_sample_is_drawn_with_the_same_gates(
    outcomes: dict[str, SampleOutcome], tmp_path_factory: pytest.TempPathFactory
) -> None:
    from cytocar.run.finished.recorded_plan import recorded_plan
    from cytocar.run.trail.journal import finished_manifest

    run = next(Path(tmp_path_factory.getbasetemp()).glob("eqa*/run"))
    plan = recorded_plan(finished_manifest(run), run)
    assert plan.protocols["proficiency"].template.population("bright_cd45").parent == "leukocytes"
    assert plan.protocols["patient"].template.population("bright_cd45").parent == "viable"
