"""Absolute CAR-T cell counts and CD4/CD8 ratios over time, from flow-cytometry FCS files.

The public names load on first use, so that ``import cytocar`` (and ``cytocar --help``) stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cytocar.version import __version__

if TYPE_CHECKING:
    from cytocar import kinetics, simulate
    from cytocar.errors.tree import CytocarError, IntegrityError, SampleError, UsageError
    from cytocar.fcs.events import EventTable
    from cytocar.fcs.reader import open_fcs
    from cytocar.figures.events import plot
    from cytocar.gates.populations import Population, Populations
    from cytocar.gates.walk import walk as gate
    from cytocar.run.from_python import run
    from cytocar.sample.analysis import quantify
    from cytocar.sample.result import SampleResult
    from cytocar.template.load import load_template
    from cytocar.template.model import Template

_HOMES = {
    "CytocarError": "cytocar.errors.tree",
    "EventTable": "cytocar.fcs.events",
    "IntegrityError": "cytocar.errors.tree",
    "Population": "cytocar.gates.populations",
    "Populations": "cytocar.gates.populations",
    "SampleError": "cytocar.errors.tree",
    "Template": "cytocar.template.model",
    "UsageError": "cytocar.errors.tree",
    "gate": "cytocar.gates.walk:walk",
    "load_template": "cytocar.template.load",
    "open_fcs": "cytocar.fcs.reader",
    "plot": "cytocar.figures.events",
    "quantify": "cytocar.sample.analysis",
    "SampleResult": "cytocar.sample.result",
}
_MODULES: tuple[str, ...] = ("kinetics", "run", "simulate")
"""Folders that are public names; ``run`` can be called too."""

__all__ = [
    "CytocarError",
    "EventTable",
    "IntegrityError",
    "Population",
    "Populations",
    "SampleError",
    "SampleResult",
    "Template",
    "UsageError",
    "__version__",
    "gate",
    "kinetics",
    "load_template",
    "open_fcs",
    "plot",
    "quantify",
    "run",
    "simulate",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        module, _, attribute = _HOMES[name].partition(":")
        return getattr(import_module(module), attribute or name)
    if name in _MODULES:
        return import_module(f"cytocar.{name}")
    raise AttributeError(f"module 'cytocar' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
