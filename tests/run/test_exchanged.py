"""A baseline that holds CAR-T cells, and the tubes of its subject that hold fewer."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from msgspec.structs import replace

from cytocar.run.exchanged import CarShare, exchange_findings
from cytocar.sheet.rows import SampleType
from cytocar.simulate import blood_tube
from tests.runs import cytocar_command

BASELINE = CarShare("base", ("P1", "blood"), SampleType.BASELINE, 8.0, 12.0, doubted=True)
LATER = CarShare("later", ("P1", "blood"), SampleType.SAMPLE, 0.0, 0.2)


@pytest.mark.parametrize(
    ("baseline", "later", "told"),
    [
        (BASELINE, LATER, ["later"]),
        (BASELINE, replace(LATER, high=9.0), []),
        (replace(BASELINE, doubted=False), LATER, []),
        (BASELINE, replace(LATER, drawn_from=("P2", "blood")), []),
        (BASELINE, replace(LATER, drawn_from=("P1", "csf")), []),
        (replace(BASELINE, drawn_from=(None, "blood")), replace(LATER, drawn_from=(None, "blood")), []),
        (BASELINE, replace(LATER, sample_type=SampleType.FMO), []),
    ],
)
def test_only_fewer_cells_than_in_the_own_doubted_baseline_are_told(
    baseline: CarShare, later: CarShare, told: list[str]
) -> None:
    assert [name for name, _ in exchange_findings([later, baseline])] == told


def test_a_peak_that_was_exchanged_with_its_baseline_is_not_ok_in_either_row(tmp_path: Path) -> None:
    for name, car in (("peak", 300), ("before", 0)):
        blood_tube(car_per_ul=car, seed=car + 1).write(tmp_path / f"{name}.fcs")
    rows = ["file,sample_id,subject_id,day,sample_type", "peak.fcs,base,P1,-6,baseline", "before.fcs,d9,P1,9,sample"]
    (tmp_path / "sheet.csv").write_text("\n".join(rows), "utf-8")
    answer = cytocar_command(
        "gate", tmp_path / "sheet.csv", "-t", "cart-cd19fc-fixed", "--beads-added", "50000", "--sample-volume-ul", "50",
        "-j", "1", "-o", tmp_path / "run", "--no-report",
    )  # fmt: skip
    assert answer.code == 0, answer.stderr
    with (tmp_path / "run" / "counts.csv").open(encoding="utf-8") as file:
        codes = {row["sample_id"]: (row["status"], row["status_codes"]) for row in csv.DictReader(file)}
    assert codes == {"base": ("review", "W266"), "d9": ("review", "W266")}
