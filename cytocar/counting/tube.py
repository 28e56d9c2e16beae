"""The count basis that follows from what the sample sheet says about a tube.

``METHODS`` is the registry of count methods: a new one is a ``CountBasis`` in ``counting`` and a line there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from msgspec.structs import replace

from cytocar.counting.basis import (
    BeadBasis,
    CountBasis,
    DualPlatformBasis,
    NoBasis,
    VolumetricBasis,
)
from cytocar.counting.faults import no_acquired_volume, no_sample_volume, require_positive
from cytocar.errors.tree import CountingError
from cytocar.sheet.plausible import CHECKED, impossible
from cytocar.sheet.tube import Tube

if TYPE_CHECKING:
    from cytocar.template.model import Counting


def beads_in_tube(tube: Tube) -> float:
    """Return the number of beads in the tube: as given, or for liquid beads ``beads_per_ul * bead_volume_ul``.

    Raises
    ------
    CountingError
        E030 when the sheet gives neither, E039 when it gives both and they differ by more than 1 %.

    Examples
    --------
    >>> beads_in_tube(Tube(beads_per_ul=1040, bead_volume_ul=50))
    52000.0
    """
    liquid = tube.liquid_beads
    if tube.beads_per_ul is not None and tube.bead_volume_ul is not None:
        require_positive("beads_per_ul", tube.beads_per_ul)
        require_positive("bead_volume_ul", tube.bead_volume_ul)
    if tube.beads_added is None:
        if liquid is not None:
            return float(liquid)
        raise CountingError(
            "the number of beads in the tube is missing",
            code="E030",
            hint="give beads_added (from the lot's label), or beads_per_ul and bead_volume_ul for liquid beads",
        )
    require_positive("beads_added", tube.beads_added)
    if liquid is not None and abs(liquid - tube.beads_added) > 0.01 * tube.beads_added:
        raise CountingError(
            f"beads_added is {tube.beads_added:g}, but beads_per_ul times bead_volume_ul is {liquid:g}",
            code="E039",
            hint="leave one of the two empty, or correct it",
        )
    return float(tube.beads_added)


def _by_beads(counting: Counting, tube: Tube, events: Mapping[str, int]) -> CountBasis:
    if counting.beads is None:
        raise _no_population("beads", "beads")
    beads_added = beads_in_tube(tube)
    if tube.sample_volume_ul is None:
        raise no_sample_volume("the volume of blood in the tube is missing")
    return BeadBasis(
        bead_events=events[counting.beads],
        beads_added=beads_added,
        sample_volume_ul=tube.sample_volume_ul,
        dilution_factor=1.0 if tube.dilution_factor is None else tube.dilution_factor,
        cvs={"beads": counting.cv.beads, "pipetting": counting.cv.pipetting},
        minimum_beads=counting.minimum_beads,
    )


def volume_in_tube(counting: Counting, tube: Tube) -> float | None:
    """Return the most that an instrument can have drawn of a tube, µL; None where nothing says it.

    The template's final volume, or the specimen times its dilution.

    Examples
    --------
    >>> from cytocar.template.model import Counting
    >>> volume_in_tube(Counting(final_volume_ul=500.0), Tube(sample_volume_ul=50))
    500.0
    >>> volume_in_tube(Counting(), Tube(sample_volume_ul=20, dilution_factor=25))
    500.0
    """
    if counting.final_volume_ul is not None:
        return counting.final_volume_ul
    if tube.sample_volume_ul is None:
        return None
    return float(tube.sample_volume_ul * (1.0 if tube.dilution_factor is None else tube.dilution_factor))


def _by_volume(counting: Counting, tube: Tube, events: Mapping[str, int]) -> CountBasis:
    if tube.acquired_volume_ul is None:
        raise no_acquired_volume("the volume that the instrument acquired is in neither the file nor the sheet")
    held = volume_in_tube(counting, tube)
    if held is not None and tube.acquired_volume_ul > held:
        raise CountingError(
            f"the instrument cannot have acquired {tube.acquired_volume_ul:g} µL: the tube held {held:g} µL",
            code="E071",
            hint="give the dilution_factor (final volume over specimen) or [counting] final_volume_ul, or correct the "
            "volumes",
        )
    return VolumetricBasis(
        acquired_volume_ul=tube.acquired_volume_ul,
        sample_volume_ul=tube.sample_volume_ul,
        final_volume_ul=counting.final_volume_ul,
        dilution_factor=tube.dilution_factor,
        cvs={"pipetting": counting.cv.pipetting},
    )


def _by_analyser(counting: Counting, tube: Tube, events: Mapping[str, int]) -> CountBasis:
    if counting.dual_platform_reference is None:
        raise _no_population("dual_platform", "dual_platform_reference")
    counts = {"lymphocytes": tube.lymphocytes_per_ul, "wbc": tube.wbc_per_ul}
    counted = counts[counting.dual_platform_count]
    if counted is None:
        other = "wbc" if counting.dual_platform_count == "lymphocytes" else "lymphocytes"
        given = counts[other] is not None
        beside = f": the template counts by it, and not by {other}_per_ul, which is given" if given else ""
        raise CountingError(
            f"the analyser's count {counting.dual_platform_count}_per_ul is missing{beside}",
            code="E036",
            hint=f"give {counting.dual_platform_count}_per_ul of the same blood draw (1e9/L is 1000/µL)",
        )
    return DualPlatformBasis(
        reference_events=events[counting.dual_platform_reference],
        reference_per_ul=counted,
        cvs={"analyser": counting.cv.analyser},
    )


def _not_at_all(counting: Counting, tube: Tube, events: Mapping[str, int]) -> CountBasis:
    return NoBasis()


MOST_PAIRS_PERCENT = 60.0
"""Beyond it the tube is a suspension of clumps, and no factor makes up for it."""

METHODS: dict[str, Callable[[Counting, Tube, Mapping[str, int]], CountBasis]] = {
    BeadBasis.method: _by_beads,
    VolumetricBasis.method: _by_volume,
    DualPlatformBasis.method: _by_analyser,
    NoBasis.method: _not_at_all,
}
"""Each count method, by the name that templates and sheets use for it."""


def count_basis(counting: Counting, tube: Tube, events: Mapping[str, int], *, method: str | None = None) -> CountBasis:
    """How this sample's events become cells/µL.

    Parameters
    ----------
    counting : Counting
        The template's ``[counting]``.
    tube : Tube
        What sheet and file say about the tube.
    events : mapping of str to int
        Events of each population of the sample.
    method : str, optional
        The sheet's ``count_method``, where it differs from the template's.

    Raises
    ------
    CountingError
        E030 to E039, E070 to E072: what the method needs is missing or cannot be.
    """
    basis = METHODS[method or counting.method](counting, tube, events)
    check_plausible(tube)
    return basis


def check_plausible(tube: Tube) -> None:
    """Raise E072 for numbers of a tube that cannot be, as the reader of a sheet does (``sheet.plausible``)."""
    if faults := [
        f"{column} {why}" for column, why in impossible({column: getattr(tube, column) for column in CHECKED})
    ]:
        raise CountingError("; ".join(faults), code="E072", hint="correct the numbers in the sheet, or the options")


def with_pairs(basis: CountBasis, pair_percent: float | None) -> CountBasis:
    """Return a basis that counts the cells in pairs too, of which gates on single events keep none.

    Of all cells ``pair_percent`` are in pairs, so each single one stands for ``1 / (1 - share)``. An analyser's count
    needs no such factor: pairs are missing from the cells and from the reference alike.

    Examples
    --------
    >>> basis = BeadBasis(bead_events=1000, beads_added=1000, sample_volume_ul=50)
    >>> basis.concentration(800).value, with_pairs(basis, 20.0).concentration(800).value
    (16.0, 20.0)
    """
    if pair_percent is None or not isinstance(basis, BeadBasis | VolumetricBasis):
        return basis
    return replace(basis, cells_per_event=1 / (1 - min(pair_percent, MOST_PAIRS_PERCENT) / 100))


def with_gates(basis: CountBasis, cv: float | None) -> CountBasis:
    """Return a basis whose intervals also carry what the place of a population's gates leaves open.

    Examples
    --------
    >>> basis = BeadBasis(bead_events=1000, beads_added=1000, sample_volume_ul=50, cvs={"beads": 0.036})
    >>> with_gates(basis, 0.01).ci_method
    'clopper_pearson + beads 3.6 % + gates 1 %'
    """
    if not cv or not isinstance(basis, BeadBasis | VolumetricBasis | DualPlatformBasis):
        return basis
    return replace(basis, cvs={**basis.cvs, "gates": cv})


def _no_population(method: str, key: str) -> CountingError:
    return CountingError(
        f"count method {method}, but the template names no population under [counting] {key}",
        code="E038",
        hint=f"add {key} to [counting] of the template, or set count_method to another method",
    )
