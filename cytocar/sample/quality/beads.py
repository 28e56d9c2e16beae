"""Whether what is counted as beads is beads: a tight spot, bright in every colour, and all of it in the gate.

Counts per µL are cells over beads: a gate that holds half of the beads doubles every one of them, and one that holds
something else makes them up.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cytocar.errors.findings import Finding, Severity
from cytocar.gates.adaptive.cluster import LARGEST_PAIR_PERCENT, is_scatter
from cytocar.gates.adaptive.parent_events import thin
from cytocar.gates.adaptive.spots import FEWEST_EVENTS, BeadSpot, bead_spot, inside_any, logs_of
from cytocar.gates.decision import PAIRS_PERCENT, Decision, Flag, Source
from cytocar.gates.engine.frame import Bools
from cytocar.gates.sampled_events import SampledEvents
from cytocar.sample.quality.stored_edges import bead_edges
from cytocar.statistics.order import median, quantile

LARGEST_DIFFERENCE_PERCENT, NO_COUNT_PERCENT = 3.0, 10.0
"""Of the beads: what a fixed gate may lose or hold beside them; and from where on it is no denominator."""
FAR_BELOW = 8.0
"""Beads are looked for down to this part of a fixed gate's own brightness."""
CLUMP_BRIGHTNESS, SMALLEST_CLUMP, LARGEST_OF_RANGE = 2.5, 3, 0.9
"""Of the beads' median: pairs shine twice as bright, three beads three times, if the channel's range holds that."""
LARGEST_CLUMPED_PERCENT = 3.0
"""Of the beads, as for pairs: what beads of a tube vary by (CCQM-P102: 3.6 %)."""
DIMMEST, DIMMER, AS_ALIKE, FEWEST_COLOURS = 0.01, 0.8, 0.25, 5
"""Of the beads' medians, where beads of a second kind are looked for; the spread of the logarithm of these shares over
the colours of one event, 0.05 to 0.2 for beads and 0.6 and more for cells; and colours that tell so."""
LARGEST_DIMMER_PERCENT = 3.0
"""Of all beads: what beads of a tube vary by (CCQM-P102: 3.6 %)."""
BRIGHT_SHARE, BRIGHTER_THAN = 0.6, 0.75
"""Beads are brighter than three quarters of the cells in at least six of ten colours."""
BRIGHTNESS_OF = 4000
"""Events whose brightness is compared: three quarters of them are known to 0.7 %."""


def bead_findings(sampled: SampledEvents, beads: str, decisions: Sequence[Decision]) -> tuple[Finding, ...]:
    """Return whether the bead gate of a sample holds its counting beads; ``no_count`` where it does not."""
    own = [decision for decision in decisions if decision.population == beads]
    placed = {decision.source for decision in own}
    if Source.FALLBACK in placed:
        return (_not_found(own[0].flags),)
    findings: tuple[Finding, ...] = ()
    if not any(decision.parameter == PAIRS_PERCENT for decision in own) and Source.CLUSTER not in placed:
        findings = _beside_the_spot(sampled, beads)
    if any(finding.outcome is Severity.NO_COUNT for finding in findings):
        return findings
    axes = _axes(sampled, beads, sampled.frame.mask(beads))
    in_space = () if axes is None else (*bead_edges(sampled, beads, axes), *_clumps(sampled, beads, axes))
    in_space += _dimmer(sampled, beads)
    return (*findings, *in_space, *_brightness(sampled, beads))


def _not_found(flags: Sequence[Flag]) -> Finding:
    if Flag.SEVERAL_CLUSTERS in flags:
        message = "several tight spots are bright in both colours, and nothing tells which of them was counted"
    else:
        message = "no tight spot is bright in both colours: no beads were found"
    return Finding("bead_spot", "W295", Severity.NO_COUNT, message)


def _beside_the_spot(sampled: SampledEvents, beads: str) -> tuple[Finding, ...]:
    """How far a gate that no data placed agrees with the spot that is found in its two colours."""
    mask = sampled.frame.mask(beads)
    axes = _axes(sampled, beads, mask)
    if axes is None or np.count_nonzero(mask) < FEWEST_EVENTS:
        return ()
    floors = [median(sampled.signal(axis, mask)) / FAR_BELOW for axis in axes]
    x, y = (sampled.signal(axis) for axis in axes)
    rows = np.flatnonzero((x > floors[0]) & (y > floors[1]))
    points = logs_of(x[rows], y[rows])
    top = np.log([sampled.range(axis) for axis in axes])
    spot = bead_spot(points, top=top)
    if spot is None or spot.others:
        return (_not_found((Flag.SEVERAL_CLUSTERS,) if spot else ()),)
    inside = inside_any((spot.single, spot.pair), points)
    gated = mask[rows]
    lost = 100 * np.count_nonzero(inside & ~gated) / np.count_nonzero(inside)
    beside = 100 * (np.count_nonzero(mask) - np.count_nonzero(inside & gated)) / np.count_nonzero(inside)
    return (_agreement(float(lost), float(beside)), *_pairs(spot))


def _axes(sampled: SampledEvents, beads: str, mask: Bools) -> tuple[str, str] | None:
    """Return the two colours to look for beads in: the gate's own, else those in which its events shine brightest."""
    region = sampled.region(beads)
    own = [marker for marker in (region.markers if region else ()) if not is_scatter(marker)]
    if len(own) < 2:
        colours = [marker for marker in _colours(sampled) if marker not in own]
        own += sorted(colours, key=lambda marker: -median(sampled.signal(marker, mask)))
    return (own[0], own[1]) if len(own) > 1 and mask.any() else None


def _colours(sampled: SampledEvents) -> list[str]:
    return [marker for marker in sampled.channels if not is_scatter(marker) and marker.casefold() != "time"]


def _agreement(lost: float, beside: float) -> Finding:
    worst = max(lost, beside)
    if worst <= LARGEST_DIFFERENCE_PERCENT:
        return Finding(
            "bead_spot", "", Severity.PASS, "the gate holds the spot of beads", worst, LARGEST_DIFFERENCE_PERCENT
        )
    severity = Severity.NO_COUNT if worst > NO_COUNT_PERCENT else Severity.REVIEW
    message = (
        f"the bead gate loses {lost:.0f} % of the tight spot that is counting beads, and holds {beside:.0f} % beside it"
    )
    return Finding("bead_spot", "W296", severity, message, worst, LARGEST_DIFFERENCE_PERCENT)


def _pairs(spot: BeadSpot) -> tuple[Finding, ...]:
    """Return a finding on pairs: a fixed gate counts each as one bead."""
    percent = 100 * spot.pairs / max(1, spot.singles + spot.pairs)
    if percent < LARGEST_PAIR_PERCENT:
        return ()
    message = f"{percent:.1f} % of the bead events are two beads, and a fixed gate counts them as one"
    return (Finding("bead_pairs", Flag.BEAD_DOUBLETS, Severity.REVIEW, message, percent, LARGEST_PAIR_PERCENT),)


def _clumps(sampled: SampledEvents, beads: str, axes: tuple[str, str]) -> tuple[Finding, ...]:
    """Return whether beads lie in clumps of three and more, brighter than pairs: no gate counts them."""
    mask = sampled.frame.mask(beads)
    n = int(np.count_nonzero(mask))
    clumps = np.ones_like(mask)
    for axis in axes:
        signal = sampled.signal(axis)
        least = CLUMP_BRIGHTNESS * median(signal[mask]) if n else np.inf
        if least > LARGEST_OF_RANGE * sampled.range(axis):  # pairs are off the scale as well
            return ()
        clumps &= signal > least
    lost = SMALLEST_CLUMP * int(np.count_nonzero(clumps & ~mask))
    percent = 100 * lost / max(1, n + lost)
    message = f"{percent:.1f} % of the beads lie in clumps of three or more"
    if percent < LARGEST_CLUMPED_PERCENT:
        return (Finding("bead_clumps", "", Severity.PASS, message, percent, LARGEST_CLUMPED_PERCENT),)
    message += ", which are not counted: cells/µL are at least as much too high"
    return (Finding("bead_clumps", "W315", Severity.REVIEW, message, percent, LARGEST_CLUMPED_PERCENT),)


def _dimmer(sampled: SampledEvents, beads: str) -> tuple[Finding, ...]:
    """Return whether there are beads of a second kind, dimmer than those in the gate by one factor in every colour.

    Cells, debris and what is autofluorescent have colours of their own; these have the beads'.
    """
    mask = sampled.frame.mask(beads)
    if (n := int(np.count_nonzero(mask))) < FEWEST_EVENTS:
        return ()
    medians = {marker: median(sampled.signal(marker, mask)) for marker in _colours(sampled)}
    usual = {marker: value for marker, value in medians.items() if value > DIMMEST * max(0.0, *medians.values())}
    if len(usual) < FEWEST_COLOURS:
        return ()
    left = ~mask
    for marker, of_beads in usual.items():
        left &= (sampled.signal(marker) > DIMMEST * of_beads) & (sampled.signal(marker) < DIMMER * of_beads)
    shares = np.log([sampled.signal(marker, left) / of_beads for marker, of_beads in usual.items()])
    alike = int(np.count_nonzero(shares.std(axis=0) < AS_ALIKE)) if left.any() else 0
    percent = 100 * alike / (n + alike)
    message = f"{percent:.1f} % of the beads are dimmer than the others by one factor in all colours"
    if percent < LARGEST_DIMMER_PERCENT:
        return (Finding("dimmer_beads", "", Severity.PASS, message, percent, LARGEST_DIMMER_PERCENT),)
    message += ": beads of a second kind, which are not counted"
    return (Finding("dimmer_beads", "W296", Severity.REVIEW, message, percent, LARGEST_DIMMER_PERCENT),)


def _brightness(sampled: SampledEvents, beads: str) -> tuple[Finding, ...]:
    """Return whether the events in the gate are bright in most colours, as beads are and cells are not."""
    mask, colours = sampled.frame.mask(beads), _colours(sampled)
    if np.count_nonzero(mask) < FEWEST_EVENTS or not colours or mask.all():
        return ()
    inside, beside = (thin(np.flatnonzero(one), BRIGHTNESS_OF) for one in (mask, ~mask))
    dim = [
        marker
        for marker in colours
        for signal in [sampled.signal(marker)]
        if median(signal[inside]) <= quantile(signal[beside], BRIGHTER_THAN)
    ]
    share = 1 - len(dim) / len(colours)
    if share >= BRIGHT_SHARE:
        message = f"beads are bright in {len(colours) - len(dim)} of {len(colours)} colours"
        return (Finding("bead_brightness", "", Severity.PASS, message, share, BRIGHT_SHARE),)
    message = f"what the bead gate holds is no brighter than cells in {', '.join(dim)}: are these beads?"
    return (Finding("bead_brightness", "W296", Severity.REVIEW, message, share, BRIGHT_SHARE),)
