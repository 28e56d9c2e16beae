"""CAR-T cells where there can be none: in a baseline, in a healthy donor, in blood drawn before the infusion.

A baseline that was exchanged with a later tube shows in its subject's other tubes, whose gate it moves; here it shows
in the tube itself, and where no other tube hangs on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cytocar.counting.limits import CarResult
from cytocar.errors.findings import Finding, Severity
from cytocar.gates.adaptive.reference import LARGEST_FAR_SHARE
from cytocar.sheet.rows import SampleRow, SampleType
from cytocar.sheet.tube import Specimen

if TYPE_CHECKING:
    from cytocar.counting.car_t import CarCount

CHECK = "negative_tube"
MOST_PERCENT = 100 * LARGEST_FAR_SHARE
"""Percent of T cells: the share from which `HIGH_BACKGROUND` says of a control that it holds positives."""


def car_in_negative_tube(sample: SampleRow, car: CarCount | None) -> Iterator[Finding]:
    """Yield a finding where CAR+ cells are quantified in a tube that is CAR-negative by what its row says.

    The lower limit of their share has to be above ``MOST_PERCENT``. Products and aphereses are drawn on other terms.
    """
    why = _negative_by(sample)
    if why is None or car is None or car.result is not CarResult.QUANTIFIED or car.percent.low is None:
        return
    if car.percent.low > MOST_PERCENT:
        message = f"{car.percent.value:.3g} % of the T cells are CAR+ in {why}"
        yield Finding(CHECK, "W266", Severity.REVIEW, message, car.percent.value, MOST_PERCENT)


def _negative_by(sample: SampleRow) -> str | None:
    if sample.sample_type is SampleType.BASELINE:
        return "a baseline"
    if sample.sample_type is SampleType.HEALTHY:
        return "a healthy donor"
    drawn = sample.sample_type is SampleType.SAMPLE and sample.specimen not in (Specimen.PRODUCT, Specimen.APHERESIS)
    before = drawn and sample.day is not None and sample.day < 0
    return "a tube drawn before the infusion" if before else None
