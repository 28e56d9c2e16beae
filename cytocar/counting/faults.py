"""What is wrong with the numbers of a tube, as each count method says it."""

from __future__ import annotations

import math

from cytocar.errors.tree import CountingError


def require_positive(name: str, value: float) -> None:
    """Raise E035 for a number of the sheet that is zero, negative or no number."""
    if not (math.isfinite(value) and value > 0):
        raise CountingError(
            f"{name} is {value:g}, which cannot be",
            code="E035",
            hint="give a number above 0, in the unit that the column's name says",
        )


def require_fits(sample_volume_ul: float, final_volume_ul: float) -> None:
    """Raise E035 where more blood is in the tube than all that is in it."""
    if sample_volume_ul > final_volume_ul:
        raise CountingError(
            f"sample_volume_ul is {sample_volume_ul:g}, more than the final volume of {final_volume_ul:g} µL",
            code="E035",
            hint="correct the sheet's sample_volume_ul or the template's final_volume_ul",
        )


def no_acquired_volume(message: str) -> CountingError:
    """Return E033."""
    return CountingError(
        f"{message}, so no cells/µL",
        code="E033",
        hint="give acquired_volume_ul, or set count_method to beads, dual_platform or none",
    )


def no_sample_volume(message: str) -> CountingError:
    """Return E034."""
    return CountingError(message, code="E034", hint="give sample_volume_ul: the blood pipetted into the tube, µL")
