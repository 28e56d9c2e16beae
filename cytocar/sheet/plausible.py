"""Numbers of a tube that cannot be: outside what pipettes, kits and blood hold, or in conflict with one another.

A number in another unit (0.05 mL in a column of µL, 5.2 for 5200 cells/µL) gives a count that is wrong by a thousand
and looks like any other; each range ends where no tube of its kind was reported, and a wrong unit leads out of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct


class Range(Struct, frozen=True):
    """The lowest and highest number that can be, and what a number outside may be in."""

    low: float
    high: float
    hint: str


RANGES: Mapping[str, Range] = {
    # The smallest pipette delivers a microlitre; no tube of a cytometer holds 20 mL.
    "sample_volume_ul": Range(1, 20_000, "µL; 0.05 mL is 50"),
    "acquired_volume_ul": Range(1, 20_000, "µL; 0.05 mL is 50"),
    "bead_volume_ul": Range(1, 20_000, "µL; 0.05 mL is 50"),
    # 1000 is the least that templates count; kits hold 20,000 to 100,000 in a tube and about 1000 in a µL.
    "beads_added": Range(1_000, 100_000_000, "beads in the tube, not in a µL or in thousands"),
    "beads_per_ul": Range(10, 1_000_000, "beads in a µL, not in a mL"),
    "dilution_factor": Range(1, 1_000_000, "how many times the specimen was diluted: 1 or more, 10 for 1 in 10"),
}

PRODUCT_RANGES: Mapping[str, Range] = {
    # Vials hold a millilitre, bags of an apheresis product up to half a litre.
    "bag_volume_ml": Range(0.5, 2_000, "mL; 0.05 L is 50"),
    # Infusion products hold 1e6 to 1e8 nucleated cells in a mL.
    "tnc_per_ml": Range(1e4, 1e10, "cells/mL, not cells/µL or millions"),
    "weight_kg": Range(0.3, 500, "kg, not g"),
    "vcn_per_cell": Range(0, 100, "copies per cell; products are released below 5 to 10"),
}
"""Of an infusion product: a dose is their product, and looks like any other."""

CHECKED = (*RANGES, "lymphocytes_per_ul", "wbc_per_ul", "specimen")
"""What ``impossible`` looks at."""

CELLS = Range(10, 1_000_000, "cells/µL; 1e9/L is 1000")
"""Of blood: analysers report 0.01e9/L at the least, which is 10; the highest leukaemias stay below a million."""

MOST_T_CELLS_PER_UL = 50_000.0
"""Of blood. CAR-T peaks reach some thousands; beyond this a unit, a bead gate or a volume is wrong."""

LIQUIDS_LIKE_BLOOD = frozenset({None, "blood", "marrow"})
"""Specimens whose cells/µL have a known range; None is a row that does not say, and most are blood."""


def impossible(values: Mapping[str, float | str | None]) -> Iterator[tuple[str, str]]:
    """Yield the column of each number that cannot be, and why.

    Parameters
    ----------
    values : mapping of str to number or str
        A tube's numbers by the sheet's columns, and its ``specimen``.

    Examples
    --------
    >>> list(impossible({"sample_volume_ul": 0.05, "dilution_factor": 10.0}))
    [('sample_volume_ul', '0.05 cannot be (1 to 20000): µL; 0.05 mL is 50')]
    """
    for column, limits in (*RANGES.items(), *PRODUCT_RANGES.items()):
        yield from _outside(column, values.get(column), limits)
    if values.get("specimen") in LIQUIDS_LIKE_BLOOD:
        for column in ("lymphocytes_per_ul", "wbc_per_ul"):
            if values.get(column) != 0:  # an empty marrow makes none
                yield from _outside(column, values.get(column), CELLS)
    lymphocytes, leukocytes = values.get("lymphocytes_per_ul"), values.get("wbc_per_ul")
    if isinstance(lymphocytes, float) and isinstance(leukocytes, float) and lymphocytes > 1.02 * leukocytes:  # rounded
        yield "lymphocytes_per_ul", f"{lymphocytes:g} is more than all leukocytes, wbc_per_ul {leukocytes:g}"


def _outside(column: str, value: float | str | None, limits: Range) -> Iterator[tuple[str, str]]:
    if isinstance(value, int | float) and not limits.low <= value <= limits.high:
        yield column, f"{value:g} cannot be ({limits.low:g} to {limits.high:g}): {limits.hint}"
