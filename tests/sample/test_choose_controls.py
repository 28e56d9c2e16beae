"""Which controls place a sample's gates: one table of cases, each with what somebody at the bench would take."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from cytocar.sample.choose_controls import choose_references
from cytocar.sheet.rows import SampleRow, SampleType


def tube(sample_id: str, kind: SampleType = SampleType.SAMPLE, **about: object) -> SampleRow:
    return replace(SampleRow(Path(f"{sample_id}.fcs"), f"{sample_id}.fcs", sample_id, sample_type=kind), **about)


DAY_9 = tube("day 9", subject_id="P1", plate_id="A")
OWN = tube("own", SampleType.BASELINE, subject_id="P1")
OTHERS = tube("other's", SampleType.BASELINE, subject_id="P2")
NOBODYS = tube("nobody's", SampleType.BASELINE)
DONOR_A = tube("donor on A", SampleType.HEALTHY, plate_id="A")
DONOR_B = tube("donor on B", SampleType.HEALTHY, plate_id="B")
DONOR = tube("donor", SampleType.HEALTHY)
FMO = tube("fmo", SampleType.FMO, subject_id="P1")
FOR_TUBE = tube("fmo of day 9", SampleType.FMO, control_for=("day 9",))
FOR_SUBJECT = tube("fmo of P1", SampleType.FMO, control_for=("P0", "P1"))
FOR_ANOTHER = tube("fmo of day 14", SampleType.FMO, control_for=("day 14",))


@pytest.mark.parametrize(
    ("sample", "rows", "taken"),
    [
        pytest.param(DAY_9, [], [], id="nothing there"),
        pytest.param(DAY_9, [tube("day 14", subject_id="P1")], [], id="a sample is no control"),
        pytest.param(DAY_9, [OTHERS, NOBODYS, OWN], ["own"], id="the own baseline only"),
        pytest.param(tube("no name"), [NOBODYS, OWN], [], id="two tubes of nobody are not of one subject"),
        pytest.param(DAY_9, [FMO], [], id="an fmo serves what it names and nothing else"),
        pytest.param(DAY_9, [DONOR_B, DONOR, DONOR_A], ["donor on A"], id="beside it on the plate"),
        pytest.param(DAY_9, [DONOR_B, DONOR], ["donor on B", "donor"], id="none on the plate: all donors"),
        pytest.param(
            DAY_9,
            [DONOR_A, replace(DONOR_A, sample_id="own tube", subject_id="P1")],
            ["own tube", "donor on A"],
            id="the donor's own tube before another's",
        ),
        pytest.param(tube("no plate"), [DONOR, DONOR_A], ["donor", "donor on A"], id="no plate is no plate to share"),
        pytest.param(DAY_9, [DONOR_A, OWN, FOR_TUBE], ["fmo of day 9", "own", "donor on A"], id="the named one first"),
        pytest.param(DAY_9, [FOR_SUBJECT], ["fmo of P1"], id="named by its subject, behind another"),
        pytest.param(DAY_9, [FOR_ANOTHER], [], id="named for another tube"),
        pytest.param(
            DAY_9, [replace(OWN, control_for=("day 14",))], [], id="an own baseline that is named for another tube"
        ),
        pytest.param(
            DAY_9, [replace(DONOR_A, control_for=("P2",)), DONOR_B], ["donor on B"], id="a donor for another subject"
        ),
        pytest.param(DAY_9, [replace(OWN, control_for=("P1",))], ["own"], id="named and own is taken once"),
        pytest.param(DAY_9, [replace(OWN, exclude=True), DONOR_A], ["donor on A"], id="left out"),
        pytest.param(OWN, [OWN, DONOR], ["donor"], id="never its own control"),
        pytest.param(replace(FOR_TUBE, sample_id="day 9"), [FOR_TUBE], ["fmo of day 9"], id="a control has controls"),
        pytest.param(
            tube("x"), [tube("y", SampleType.FMO, control_for=("",))], [], id="no subject is named by no name"
        ),
    ],
)
def test_the_controls_of_a_sample_come_in_their_order(
    sample: SampleRow, rows: list[SampleRow], taken: list[str]
) -> None:
    assert list(choose_references(sample, rows)) == taken
