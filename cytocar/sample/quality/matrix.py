"""Whether the applied matrix fits the stained tube itself: spillover only adds, so that too much taken away shows."""

from __future__ import annotations

import numpy as np

from cytocar.errors.findings import Finding, Severity
from cytocar.gates.adaptive.parent_events import thin
from cytocar.gates.sampled_events import SampledEvents
from cytocar.signals.over_compensation import OVER_COMPENSATED, over_compensated, takes_too_much, without_beads

CHECK = "matrix"
EVENTS_COMPARED = 2500
"""Of a tube, evenly chosen: with 125 bright events a median is known to a tenth of their spread. Of 10 real files with
their matrix none was over the limit and of 12 clean simulated ones none, as with twice and with eight times as many."""
PAIRS_NAMED = 3
"""Of what can be dozens: three show which dye pulls which."""


def matrix_findings(sampled: SampledEvents) -> tuple[Finding, ...]:
    """Return whether the matrix that was applied takes away more than there is; nothing where none was applied.

    Beads are left out, which are bright in all colours. All dyes of the matrix are compared, stained for or not.
    """
    findings = []
    channels = {channel.index: channel for channel in sampled.sample.events.channels}
    for matrix in sampled.sample.plan.axes.matrices:
        if matrix.weights.shape[0] != matrix.weights.shape[1]:
            continue  # spectral: more detectors than dyes
        rows = thin(np.arange(sampled.chosen.n_events), EVENTS_COMPARED)
        measured = sampled.chosen.take(rows).columns(matrix.channels)
        measured = measured[np.isfinite(measured).all(axis=1)]
        cells = measured[without_beads(measured, max(channels[index].top for index in matrix.channels))]
        pairs, over = over_compensated(cells @ matrix.weights)
        if pairs:
            names = [channels[index].detector for index in matrix.channels]
            findings.append(_finding(pairs, [(names[bright], names[low]) for bright, low in over], over))
    return tuple(findings)


def _finding(pairs: int, named: list[tuple[str, str]], over: list[tuple[int, int]]) -> Finding:
    percent, limit = 100 * len(over) / pairs, 100 * OVER_COMPENSATED
    if not takes_too_much(pairs, over):
        message = f"bright signals pull {len(over)} of {pairs} pairs of detectors below their negatives"
        return Finding(CHECK, "", Severity.PASS, message, percent, limit)
    worst = ", ".join(f"{bright} in {low}" for bright, low in named[:PAIRS_NAMED])
    message = f"the matrix takes away more than there is in {len(over)} of {pairs} pairs of detectors ({worst})"
    return Finding(CHECK, "W253", Severity.REVIEW, message, percent, limit)
