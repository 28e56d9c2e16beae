"""Whether populations are what their markers' names say: CD4 and CD8 on monocytes, CAR beside its negatives."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

import numpy as np
from msgspec import Struct

from cytocar.errors.findings import Finding, Severity
from cytocar.gates.adaptive.density import Floats
from cytocar.gates.adaptive.falling import negatives_beyond
from cytocar.gates.adaptive.reference import ASKING_PART, FALLBACK_SPREADS
from cytocar.gates.engine.frame import ALL, Bools
from cytocar.gates.sampled_events import SampledEvents, worked_out_once
from cytocar.regions.boxes import RangeGate
from cytocar.sample.quality.borders import Border
from cytocar.sample.quality.cells import living, side_scatter
from cytocar.sample.quality.relative import in_medians, logs, unit
from cytocar.statistics.intervals import poisson_interval
from cytocar.statistics.order import median, quantile, quantiles

MONOCYTE_SSC = (1.5, 3.2)
"""Side scatter of monocytes, in medians of the T cells': lymphocytes lie below, granulocytes above."""
MONOCYTE_CD45 = 0.4
"""Of the T cells' median: granulocytes stain at a fifth, monocytes at two thirds."""
MOST_CD3 = 0.2
"""Of the T cells' median: pairs of T cells scatter as monocytes do, and carry twice as much."""
FEWEST_MONOCYTES, FEWEST_T_CELLS = 60, 100
"""A median of 60 cells is known to a sixth of their spread."""
CLEAR = 3.0
"""Spreads of the negatives by which monocytes carry a marker."""
EVEN, AS_MUCH_CD3, FEWEST_OF_SUBSET = 0.87, 1.02, 30
"""Of the width of CD8 over that of CD4 (80 % of the cells, on a log scale): 1.3 to 3.4 in ten real files of seven
instruments, 1 where a marker is as even; the CD3 of CD4 over that of CD8 T cells: 1.01 to 1.7 in these."""
FAR_MORE_EVEN = 0.6
"""Half of what the most even CD8 of these files shows: then CD3 need not say the same."""
WIDTH_ERROR, SURE = 0.87, 2.0
"""Error of the logarithm of a width of 80 % of the cells, times the root of their number (normal: the width is 2.56 SD,
each of its ends known to 1.71 SD over that root, with a correlation of 1/9); and errors that are no chance."""
WIDEST_CD4 = 1.1
"""The width of CD4 in 14 gates of seven real tubes is 0.56 to 1.04, that of CD8 1.19 and more: where the even one is as
wide as this, the other was widened."""
LEAST_OF_T_CELLS = 0.5
"""That both subsets are together: gates that hold fewer lie elsewhere, and cut slices of any width."""
MOST_POSITIVE_PERCENT = 95.0
"""In blood the largest share of CAR+ T cells at the peak of expansion is about 90 %."""
MOST_OF_OTHERS_PERCENT = 75.0
"""Of the T cells beside a subset that is nearly all CAR+: at the peak of expansion both are."""
LEAST_POWER = 0.5
"""By which a subset's CAR signal grows with its own marker: light of that dye is a share of it (1), and how many CARs a
cell carries has little to do with its CD4 or CD8 (0)."""
SUBSET_SPREADS = 3.0
"""Of the negatives of CD4 or CD8 T cells alone, up to a fixed CAR border: one normal in 700 lies above, as many as the
CAR-T cells that a late tube holds."""
TAIL_TIMES = 10.0
"""Times as many negatives as of a normal population may lie above a border: at 3.5 spreads 0.2 %, five times what
clean tubes show (0.01 to 0.05 % of PE background). Where these are few of the CAR+ cells, no count hangs on them."""
LARGEST_FALLING_PERCENT = 0.2
"""Of the T cells, that may be negatives beyond a fixed border: four times the background that the shipped templates
suppose, as a ``reference`` gate without a control lets pass."""
LARGEST_CAR_BORDER_PERCENT, FEWEST_AT_BORDER = 3.0, 15
"""At a stain index of 12 a fixed border loses 5 % of the positives and 10 % of gain move 2 %; at 6, 20 % and 4 %."""


def exchanged_labels(sampled: SampledEvents) -> tuple[Finding, ...]:
    """Return whether monocytes carry the marker called CD8 in place of CD4: then the two names are exchanged.

    Monocytes express CD4 dimly and no CD8 (Collman 1990, J Immunol 144:1384), at any share of CD4 T cells; those of
    mice do not. Where there are too few of them, as in a product, or they tell neither, the T cells themselves do.
    Nothing is returned where the template has no such roles.
    """
    report = sampled.template.report
    roles = (report.cd4, report.cd8)
    if report.t_cells is None or None in roles:
        return ()
    t_cells = sampled.frame.mask(report.t_cells)
    monocytes = _monocytes(sampled, report.t_cells)
    markers = [subset_marker(sampled, role) for role in roles if role is not None]
    if len(markers) < 2 or None in markers:
        return ()
    cd4 = cd8 = None
    if np.count_nonzero(monocytes) >= FEWEST_MONOCYTES:
        cd4, cd8 = (_carried(sampled, marker or "", t_cells, monocytes) for marker in markers)
    passed: tuple[Finding, ...] = ()
    if cd4 is not None and cd8 is not None:
        where = f"monocytes lie {cd4:.1f} spreads above the negatives in {markers[0]}, {cd8:.1f} in {markers[1]}"
        if cd4 < CLEAR and cd8 > 2 * max(cd4, 0.0) + CLEAR:  # bright in both are beads or pairs
            message = f"{where}: they express CD4 and no CD8, so the two names are exchanged"
            return (Finding("cd4_cd8_labels", "W302", Severity.REVIEW, message, cd8, CLEAR),)
        passed = (Finding("cd4_cd8_labels", "", Severity.PASS, where, cd8, CLEAR),)
        if cd4 > 2 * max(cd8, 0.0) + CLEAR:
            return passed
    evenness = _by_uniformity(sampled, t_cells, [role or "" for role in roles], [marker or "" for marker in markers])
    return evenness or passed


def _by_uniformity(
    sampled: SampledEvents, t_cells: Bools, roles: Sequence[str], markers: Sequence[str]
) -> tuple[Finding, ...]:
    """Return what tells CD4 from CD8 without monocytes: which of the two T cells carry evenly, and which have more CD3.

    All CD4 T cells carry about as much CD4, which serves as a calibrator (Hultin 1998, Cytometry 33:123); CD8 varies
    from cell to cell, and CD8 T cells have less CD3, if anything.
    """
    subsets = [sampled.frame.mask(role) for role in roles]
    numbers = [int(np.count_nonzero(subset)) for subset in subsets]
    of_t_cells = np.count_nonzero(t_cells)
    if min(numbers) < FEWEST_OF_SUBSET or sum(numbers) < LEAST_OF_T_CELLS * of_t_cells or not sampled.knows("CD3"):
        return ()
    widths, cd3 = [], []
    for marker, subset in zip(markers, subsets, strict=True):
        low, high = quantiles(logs(sampled, marker, subset), (0.1, 0.9))
        widths.append(max(float(high - low), 1e-9))
        cd3.append(max(median(sampled.signal("CD3", subset & t_cells)), unit(sampled, "CD3")))
    times, of_cd3 = widths[1] / widths[0], cd3[0] / cd3[1]
    where = f"{markers[1]} varies {times:.2f} times as much from cell to cell as {markers[0]}"
    error = WIDTH_ERROR * sum(1 / number for number in numbers) ** 0.5
    at_most = times * np.exp(SURE * error)
    if at_most < EVEN and widths[1] < WIDEST_CD4 and (of_cd3 < AS_MUCH_CD3 or at_most < FAR_MORE_EVEN):
        message = (
            f"{where}, and {markers[0]} T cells carry {of_cd3:.2f} times the CD3 of {markers[1]} T cells: CD4 is the "
            "even one, so the two names seem to be exchanged"
        )
        return (Finding("cd4_cd8_labels", "W302", Severity.REVIEW, message, times, EVEN),)
    return (Finding("cd4_cd8_labels", "", Severity.PASS, where, times, EVEN),)


def _monocytes(sampled: SampledEvents, name: str) -> Bools:
    """Return living cells beside the T cells that scatter like monocytes and are bright in CD45 if it is known."""
    t_cells = sampled.frame.mask(name)
    nothing = np.zeros(len(t_cells), dtype=bool)
    side = side_scatter(sampled)
    if side is None or np.count_nonzero(t_cells) < FEWEST_T_CELLS:
        return nothing
    alive = living(sampled)
    if alive is None and not sampled.knows("CD45"):  # dead cells and granulocytes shine in many colours
        return nothing
    beads = sampled.template.counting.beads
    if alive is None:
        alive = sampled.frame.mask(ALL) if beads is None else ~sampled.frame.mask(beads)
    ratio = in_medians(sampled, side, name)
    chosen = alive & ~t_cells & (ratio > MONOCYTE_SSC[0]) & (ratio < MONOCYTE_SSC[1])
    if sampled.knows("CD45"):
        chosen &= sampled.signal("CD45") > MONOCYTE_CD45 * sampled.median("CD45", name)
    if sampled.knows("CD3"):
        chosen &= sampled.signal("CD3") < MOST_CD3 * sampled.median("CD3", name)
    return chosen


@worked_out_once
def subset_marker(sampled: SampledEvents, role: str) -> str | None:
    """Return the marker that a T-cell subset is positive for: that of the first lower bound on its way."""
    report = sampled.template.report
    wanted = (report.cd4 if role == report.cd4 else report.cd8) or ""
    named = re.compile(rf"{re.escape(wanted[:3])}(?!\d)", re.IGNORECASE)  # CD4, and not CD45
    regions = (sampled.region(name) for name in sampled.behind(role))
    return next((marker for region in regions if region for marker in region.markers if named.match(marker)), None)


def _carried(sampled: SampledEvents, marker: str, t_cells: Bools, monocytes: Bools) -> float | None:
    """Return by how many spreads of a marker's negative T cells the monocytes' median lies above them."""
    signal = sampled.signal(marker, t_cells)
    step = unit(sampled, marker)
    cut = np.sqrt(max(quantile(signal, 0.98), step) * 100 * step)  # between negatives near 0 and the brightest
    negatives = signal.compress(signal < cut)
    if len(negatives) < FEWEST_T_CELLS:
        return None
    low, middle, high = quantiles(negatives, (0.159, 0.5, 0.841))
    return float((median(sampled.signal(marker, monocytes)) - middle) / max((high - low) / 2, 1e-9))


# ---------------------------------------------------------------- CAR


def car_findings(
    sampled: SampledEvents, border: Border | None, *, own_control: bool, product: bool
) -> tuple[Finding, ...]:
    """Return whether a CAR gate without a control of its own can be believed: negatives in their place, and a gap.

    Parameters
    ----------
    border : Border, optional
        Of the CAR gate.
    own_control : bool
        Whether a control of the run showed where the negatives lie.
    product : bool
        Whether the specimen is an infusion product, in which nearly all T cells may carry the CAR.
    """
    report = sampled.template.report
    if report.car is None or report.t_cells is None or not isinstance(sampled.gates[report.car], RangeGate):
        return ()
    inside, of = (int(np.count_nonzero(sampled.frame.mask(name))) for name in (report.car, report.t_cells))
    if of < FEWEST_T_CELLS:
        return ()
    percent = 100 * inside / of
    one_subset = () if product else _one_subset(sampled, report.t_cells, report.car)
    if one_subset or own_control:
        return one_subset
    findings: tuple[Finding, ...] = ()
    if not product:
        findings = _reach(sampled, report.t_cells, report.car) or (_negatives(percent),)
    if border is None or inside < FEWEST_T_CELLS or (findings and findings[0].code):
        return findings
    sharp = border.percent <= LARGEST_CAR_BORDER_PERCENT or border.events < FEWEST_AT_BORDER
    return (*findings, _sensitivity(border.percent, sharp=sharp))


def light_of_subsets(sampled: SampledEvents) -> Iterator[Finding]:
    """Yield a finding where a marker that part of the T cells carry lies on one subset as light of its dye would.

    PD-1, TIM-3 or CD45RA beside a tandem of CD8 that breaks, say. The CAR has a check of its own (``car_findings``).
    """
    report = sampled.template.report
    if report.t_cells is None:
        return
    own = {subset_marker(sampled, role) for role in (report.cd4, report.cd8) if role is not None}
    others = [
        name
        for name, gate in sampled.gates.items()
        if name not in (report.car, report.t_cells) and report.t_cells in sampled.path(name)
        if isinstance(gate, RangeGate) and gate.min is not None and gate.marker not in own
    ]
    findings = [finding for name in others for finding in _one_subset(sampled, report.t_cells, name)]
    yield from findings
    if others and not findings:
        yield Finding(
            "subset_light", "", Severity.PASS, f"no subset's dye shines in the markers of {', '.join(others)}"
        )


def _goes_with(sampled: SampledEvents, car: str, role: str, subset: Bools) -> float:
    """Return the power by which a subset's dimmest CAR signals grow with its own marker: 1 for light of that dye.

    The lower quarter of the CAR signal, of the quarter of the cells that is brightest in the marker against the dimmest
    one: cells that carry a CAR besides lie above it.
    """
    gate, marker = sampled.gates[car], subset_marker(sampled, role)
    if marker is None or not isinstance(gate, RangeGate):
        return 0.0
    own, light = (logs(sampled, axis, subset) for axis in (marker, gate.marker))
    low, high = quantiles(own, (0.25, 0.75))
    dim, bright = own <= low, own >= high
    grows = median(own[bright]) - median(own[dim])
    return (quantile(light[bright], 0.25) - quantile(light[dim], 0.25)) / max(grows, 0.1)


def _reach(sampled: SampledEvents, t_cells: str, car: str) -> tuple[Finding, ...]:
    """Return a finding where the negatives reach up to a border that the template fixes, seen from their dim side.

    What ``FALLBACK_TOO_LOW`` says of a gate that adapts and has no control. CD4 and CD8 T cells are looked at by
    themselves too: where one of them is brighter by nature, the dim side of both together is the other's.
    """
    gate, report = sampled.gates[car], sampled.template.report
    if not isinstance(gate, RangeGate) or gate.min is None or gate != sampled.template.population(car).gate:
        return ()
    if gate.units != "data":
        return ()
    t_cell, passing = sampled.frame.mask(t_cells), sampled.frame.mask(car)
    subsets = [t_cell & sampled.frame.mask(role) for role in (report.cd4, report.cd8) if role is not None]
    for cells, limit in ((t_cell, FALLBACK_SPREADS), *((subset, SUBSET_SPREADS) for subset in subsets)):
        positive, negative = int(np.count_nonzero(cells & passing)), cells & ~passing
        n = int(np.count_nonzero(negative))
        mostly_positive = cells is not t_cell and n < positive  # what is left of a subset is the positives' dim end
        if n < FEWEST_T_CELLS or mostly_positive:
            continue
        low, middle = quantiles(sampled.signal(gate.marker, negative), (0.159, 0.5))
        spreads = float((gate.min - middle) / max(middle - low, 1e-9))
        percent = 100 * TAIL_TIMES * 0.5 * math.erfc(spreads / math.sqrt(2)) * n / max(1, positive)
        if spreads < limit and percent > LARGEST_CAR_BORDER_PERCENT:
            message = f"the CAR border lies {spreads:.1f} spreads above the negatives: some of them pass it"
            return (Finding("car_negatives", "W304", Severity.REVIEW, message, spreads, limit),)
    return _falls(sampled.signal(gate.marker, t_cell), gate.min)


def _falls(signals: Floats, border: float) -> tuple[Finding, ...]:
    """Return a finding where T cells fall towards a fixed border and go on beyond it, however far it is in spreads."""
    below = signals < border
    inside = int(np.count_nonzero(~below))
    falling = negatives_beyond(
        lambda place: int(np.count_nonzero(signals >= place)), border, median(signals[below]) if below.any() else border
    )
    limit = max(ASKING_PART * inside, LARGEST_FALLING_PERCENT / 100 * len(signals))
    if falling <= limit:
        return ()
    message = (
        f"events fall towards the CAR border and beyond it: of {inside:,} that pass, {falling:,.0f} may be negatives"
    )
    return (Finding("car_negatives", "W304", Severity.REVIEW, message, falling, limit),)


def _negatives(percent: float) -> Finding:
    message = f"{percent:.1f} % of the T cells pass the CAR gate"
    if percent < MOST_POSITIVE_PERCENT:
        return Finding("car_negatives", "", Severity.PASS, message, percent, MOST_POSITIVE_PERCENT)
    message += ": where the negatives lie is empty, and no control shows that it is the right place"
    return Finding("car_negatives", "W303", Severity.REVIEW, message, percent, MOST_POSITIVE_PERCENT)


def _one_subset(sampled: SampledEvents, t_cells: str, car: str) -> tuple[Finding, ...]:
    """Return a finding where nearly all CD4, or all CD8 T cells pass a marker's gate, and the other T cells do not.

    The light of that subset's dye in the marker's detector looks so; cells that carry a CAR leave others that do not.
    """
    is_car = car == sampled.template.report.car
    check, gated, detector = ("car_negatives", "the CAR gate", "CAR") if is_car else ("subset_light", car, "marker")
    report, passes = sampled.template.report, sampled.frame.mask(car)
    for role in filter(None, (report.cd4, report.cd8)):
        subset = sampled.frame.mask(role)
        others = sampled.frame.mask(t_cells) & ~subset
        if min(np.count_nonzero(subset), np.count_nonzero(others)) < FEWEST_T_CELLS:
            continue
        share, beside = (100 * float(np.mean(passes[cells])) for cells in (subset, others))
        one_sided = share >= MOST_POSITIVE_PERCENT and beside < MOST_OF_OTHERS_PERCENT
        if one_sided and _goes_with(sampled, car, role, subset) >= LEAST_POWER:
            message = (
                f"{share:.1f} % of the {role} T cells pass {gated}, and {beside:.1f} % of the other T cells: "
                f"light of that subset's dye in the {detector}'s detector looks so"
            )
            return (Finding(check, "W303", Severity.REVIEW, message, share, MOST_POSITIVE_PERCENT),)
    return ()


def _sensitivity(percent: float, *, sharp: bool) -> Finding:
    message = f"10 % of gain move {percent:.1f} % of the CAR+ events over the border"
    if sharp:
        return Finding("car_border", "", Severity.PASS, message, percent, LARGEST_CAR_BORDER_PERCENT)
    message += ": the border lies in the positives, some of them are lost below it, and no control tells how many"
    return Finding("car_border", "W304", Severity.REVIEW, message, percent, LARGEST_CAR_BORDER_PERCENT)


# ---------------------------------------------------------------- reagent on cells that are no T cells

WITNESS_SSC, WITNESS_SHARE, FEWEST_WITNESSES = 1.3, 1 / 3, 5
"""Lymphocytes by side scatter; a reagent that binds a third as often to B and NK cells as to T cells may bind to these
for the same reason; and events that are no chance."""
FEWEST_IN_DOUBT = 3
"""B and NK cells that pass the CAR gate, with which their rate may, by its interval, be that of the T cells: sticky
cells of a clean tube (0.02 % of 2000) reach three in one of 1000."""


class Witness(Struct, frozen=True):
    """Living lymphocytes beside the T cells, by low side scatter and bright CD45, and those that pass the CAR gate."""

    events: int
    of_events: int


def witness(sampled: SampledEvents) -> Witness | None:
    """How often the CAR reagent lies on B and NK cells; None where they or the CAR gate are not known."""
    report = sampled.template.report
    side = side_scatter(sampled)
    if report.car is None or report.t_cells is None or report.viable is None or side is None:
        return None
    gate, t_cells = sampled.gates[report.car], sampled.frame.mask(report.t_cells)
    if not isinstance(gate, RangeGate) or gate.min is None or gate.units != "data" or not sampled.knows("CD45"):
        return None
    if np.count_nonzero(t_cells) < FEWEST_T_CELLS:
        return None
    low = sampled.signal(side) < WITNESS_SSC * sampled.median(side, report.t_cells)
    bright = sampled.signal("CD45") > MONOCYTE_CD45 * sampled.median("CD45", report.t_cells)
    beside = sampled.frame.mask(report.viable) & ~t_cells & low & bright
    return Witness(
        int(np.count_nonzero(sampled.signal(gate.marker, beside) >= gate.min)), int(np.count_nonzero(beside))
    )


def witness_findings(witness: Witness | None, percent_of_t_cells: float | None) -> tuple[Finding, ...]:
    """Return whether CAR+ T cells that are claimed stand out from what the reagent does on other lymphocytes.

    Nothing is subtracted: where NK cells alone bind the reagent, true CAR-T cells would be hidden.

    Examples
    --------
    >>> [finding.code for finding in witness_findings(Witness(10, 2500), 0.4)]
    ['W305']
    >>> [finding.code for finding in witness_findings(Witness(10, 2500), 4.0)]
    ['']
    >>> [finding.code for finding in witness_findings(Witness(3, 2150), 0.28)]
    ['W305']
    """
    if witness is None or percent_of_t_cells is None or witness.of_events < FEWEST_T_CELLS:
        return ()
    percent = 100 * witness.events / witness.of_events
    limit = WITNESS_SHARE * percent_of_t_cells
    message = f"{percent:.2g} % of the B and NK cells pass the CAR gate, and {percent_of_t_cells:.2g} % of the T cells"
    may_be = 100 * poisson_interval(witness.events)[1] / witness.of_events
    in_doubt = witness.events >= FEWEST_IN_DOUBT and may_be >= percent_of_t_cells
    if not in_doubt and (percent < limit or witness.events < FEWEST_WITNESSES):
        return (Finding("car_on_others", "", Severity.PASS, message, percent, limit),)
    message += ": if T cells bind the reagent as these do, there are few CAR-T cells or none"
    return (Finding("car_on_others", "W305", Severity.REVIEW, message, percent, limit),)
