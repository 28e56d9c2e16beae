"""The nine gates that every program is given, in numbers that none of them has to guess.

Thresholds are in compensated data units, polygons in data units of linear axes. FlowKit wants fluorescence bounds on
the logicle scale: they are handed to it there, worked out by cytocar, so that both draw the line at the same value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cytocar import scales
from cytocar.template.model import LogicleScale, Template

CHANNELS = (
    ("FSC-A", None),
    ("FSC-H", None),
    ("FSC-W", None),
    ("SSC-A", None),
    ("SSC-H", None),
    ("FITC-A", "CD3"),
    ("PE-A", "CAR"),
    ("PerCP-Cy5-5-A", "7-AAD"),
    ("PE-Cy7-A", "CD2"),
    ("APC-A", "CD56"),
    ("APC-H7-A", "CD8"),
    ("V450-A", "CD4"),
    ("V500-A", "CD45"),
    ("Time", None),
)
STAINED = tuple(detector for detector, marker in CHANNELS if marker is not None)
# An 8-colour Canto II, rows and columns in the order of STAINED.
SPILLOVER = np.array(
    [
        [1, 0.1625, 0.0183, 0.0011, 0.0055, 0, 0.02, 0.09],
        [0.0104, 1, 0.1544, 0.0095, 0.0022, 0, 0.0022, 0],
        [0, 0.010, 1, 0.3100, 0.0060, 0.0150, 0, 0],
        [0.0011, 0.0229, 0.0596, 1, 0.0066, 0.0876, 0.0045, 0],
        [0, 0, 0.0068, 0.0006, 1, 0.0336, 0.0013, 0],
        [0.0038, 0.0018, 0.0034, 0.0242, 0.0189, 1, 0, 0],
        [0, 0, 0, 0, 0.0031, 0, 1, 0.2814],
        [0.02, 0, 0, 0, 0.0045, 0, 0.1213, 1],
    ]
)
LOGICLE = LogicleScale(kind="logicle", T=262144, W=0.5, M=4.5, A=0)
SINGLETS = ((15_000, 10_000), (260_000, 190_000), (260_000, 235_000), (15_000, 20_000))
LYMPHOCYTES = (
    (60_000, 8_000),
    (110_000, 8_000),
    (145_000, 25_000),
    (150_000, 65_000),
    (90_000, 75_000),
    (58_000, 45_000),
)


@dataclass(frozen=True, slots=True)
class Gate:
    """A population of the benchmark: bounds in data units by detector, or a polygon on two linear detectors."""

    name: str
    parent: str
    bounds: dict[str, tuple[float | None, float | None]] | None = None
    axes: tuple[str, str] | None = None
    vertices: tuple[tuple[float, float], ...] = ()


def nine_gates() -> tuple[Gate, ...]:
    """Return the hierarchy: nine gates, of which one makes the four quadrants."""
    cd4, cd8 = 900.0, 1500.0
    positive = {"PE-A": (700.0, None), "FITC-A": (1200.0, None)}
    corners = {
        "CD4-CD8-": ((None, cd4), (None, cd8)),
        "CD4+CD8-": ((cd4, None), (None, cd8)),
        "CD4-CD8+": ((None, cd4), (cd8, None)),
        "CD4+CD8+": ((cd4, None), (cd8, None)),
    }
    return (
        Gate("boundary", "all", {"FSC-A": (20_000, 250_000), "SSC-A": (1_000, 250_000)}),
        Gate("singlets", "boundary", axes=("FSC-A", "FSC-H"), vertices=SINGLETS),
        Gate("lymphocytes", "singlets", axes=("FSC-A", "SSC-A"), vertices=LYMPHOCYTES),
        Gate("viable", "lymphocytes", {"PerCP-Cy5-5-A": (None, 3_000)}),
        Gate("leukocytes", "viable", {"V500-A": (2_000, None)}),
        Gate("t_cells", "leukocytes", {"FITC-A": (1_000, None)}),
        *(Gate(name, "t_cells", {"V450-A": x, "APC-H7-A": y}) for name, (x, y) in corners.items()),
        Gate("car_cd4", "CD4+CD8-", positive),
        Gate("car_cd8", "CD4-CD8+", positive),
    )


def template() -> Template:
    """Return the nine gates as a gating template."""
    marker_of = {detector: marker or detector for detector, marker in CHANNELS}
    populations = []
    for gate in nine_gates():
        if gate.bounds is not None:
            bounds = {marker_of[name]: {"min": low, "max": high} for name, (low, high) in gate.bounds.items()}
            shape = {"kind": "rectangle", "bounds": bounds}
        elif gate.axes is not None:
            shape = {"kind": "polygon", "x": gate.axes[0], "y": gate.axes[1], "vertices": gate.vertices}
        populations.append({"name": gate.name, "parent": gate.parent, "gate": shape})
    return Template.model_validate(
        {
            "name": "nine-gates",
            "version": "1.0.0",
            "panel": {marker or detector: {"detectors": [detector]} for detector, marker in CHANNELS},
            "scales": {
                "default": LOGICLE.model_dump(),
                **{name: {"kind": "linear"} for name in ("FSC-A", "FSC-H", "FSC-W", "SSC-A", "SSC-H", "Time")},
            },
            "populations": populations,
        }
    )


def for_flowkit() -> list[dict[str, object]]:
    """Return the nine gates as plain lists, fluorescence bounds on the logicle scale, for a program without cytocar."""
    plain: list[dict[str, object]] = []
    for gate in nine_gates():
        bounds = {
            name: [None if edge is None else _place(name, edge) for edge in edges]
            for name, edges in (gate.bounds or {}).items()
        }
        plain.append(
            {"name": gate.name, "parent": gate.parent, "bounds": bounds, "axes": gate.axes, "vertices": gate.vertices}
        )
    return plain


def _place(detector: str, edge: float) -> float:
    return float(scales.forward(LOGICLE, edge)) if detector in STAINED else edge
