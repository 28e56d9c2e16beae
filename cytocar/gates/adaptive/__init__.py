"""Data-driven gates: placed on each sample, inside the template's window, or else at its fallback and flagged.

Each kind is one function in ``ADAPTIVE``: it sees the parent's events and returns a fixed gate with the decisions
behind it, so that applying, exporting, drawing and overriding a gate know fixed gates only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cytocar.gates.adaptive import cluster, reference, singlets, valley
from cytocar.gates.decision import FitInput, Fitted

Fit = Callable[[Any, FitInput], Fitted]
"""``fit(gate, given)``: each takes the declaration of its own kind."""

ADAPTIVE: Mapping[str, Fit] = {
    "valley": valley.fit,
    "reference": reference.fit,
    "singlets": singlets.fit,
    "cluster": cluster.fit,
}
