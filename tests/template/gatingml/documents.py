"""Gating-ML documents and random templates for the tests of reading and writing them."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from cytocar.fcs.events import EventTable
from cytocar.regions.boolean import BooleanGate
from cytocar.regions.boxes import Bounds, Divider, QuadrantGate, RangeGate, RectangleGate
from cytocar.regions.ellipse import EllipseGate
from cytocar.regions.kinds import FixedGate
from cytocar.regions.polygon import PolygonGate
from cytocar.signals.compensation import Matrix
from cytocar.signals.declaration import declare
from cytocar.signals.marker import Marker, Ratio
from cytocar.signals.scales import AnyScale, AsinhScale, HyperlogScale, LinearScale, LogicleScale, LogScale
from cytocar.template.model import Compensation, Population, Template

HEAD = """<?xml version="1.0"?>
<gating:Gating-ML
    xmlns:gating="http://www.isac-net.org/std/Gating-ML/v2.0/gating"
    xmlns:transforms="http://www.isac-net.org/std/Gating-ML/v2.0/transformations"
    xmlns:data-type="http://www.isac-net.org/std/Gating-ML/v2.0/datatypes">
"""

SPILLOVER = "3,FITC-A,PE-A,APC-A,1,0.2,0.01,0.05,1,0.02,0,0.1,1"
SCALES: tuple[AnyScale, ...] = (
    LinearScale(),
    LinearScale(T=1000.0, A=50.0),
    LogScale(T=1000.0, M=4.0),
    LogScale(T=1000.0, M=4.0, bound_min=0.1, bound_max=0.9),
    AsinhScale(T=1000.0, M=4.0, A=1.0),
    LogicleScale(T=1000.0, W=0.5, M=4.5, A=0.0),
    HyperlogScale(T=1000.0, W=1.0, M=4.5, A=0.0),
)
PANEL = {
    "FSC-A": Marker(),
    "CD3": Marker(aliases=("CD3",)),
    "CAR": Marker(detectors=("PE-A",), aliases=("CD19-Fc",)),
    "raw PE": Marker(detectors=("PE-A",), compensation="none"),
    "FITC dye": Marker(compensation="spectra", fluorochrome="FITC"),
    "PE per size": Marker(ratio=Ratio(numerator="raw PE", denominator="FSC-A")),
    "CAR per CD3": Marker(ratio=Ratio(numerator="CAR", denominator="CD3", A=2.0, B=1.0, C=-300.0)),
}
SPECTRA = Matrix(
    fluorochromes=("FITC", "PE"), detectors=("FITC-A", "PE-A", "APC-A"), values=((1.0, 0.2, 0.01), (0.1, 1.0, 0.3))
)


def document(body: str) -> bytes:
    """Return a document around some elements."""
    return f"{HEAD}{body}</gating:Gating-ML>".encode()


def small_table(n_events: int = 400) -> EventTable:
    """Return events on four channels, with negative values, zeros and a few values without a number."""
    generator = np.random.default_rng(7)
    columns = {name: generator.normal(200, 300, n_events) for name in ("FSC-A", "FITC-A", "PE-A", "APC-A")}
    columns["FSC-A"][:4] = (0.0, 100.0, 500.0, 1000.0)
    return EventTable.from_columns(columns, markers={"FITC-A": "CD3 FITC"}, keywords={"$SPILLOVER": SPILLOVER})


numbers = st.floats(min_value=-200, max_value=1000).map(lambda value: round(value, 3))
positive = st.floats(min_value=1, max_value=1000).map(lambda value: round(value, 3))
places = st.floats(min_value=0, max_value=1).map(lambda value: round(value, 4))


@st.composite
def _sides(draw: st.DrawFn, values: st.SearchStrategy[float]) -> Bounds:
    low, high = sorted(draw(st.lists(values, min_size=2, max_size=2, unique=True)))
    which = draw(st.sampled_from(("both", "min", "max")))
    return Bounds(min=None if which == "max" else low, max=None if which == "min" else high)


@st.composite
def _gates(draw: st.DrawFn, above: tuple[str, ...], markers: tuple[str, ...]) -> FixedGate:
    kinds = ("range", "rectangle", "polygon", "ellipse", "quadrant", "many", *(("boolean",) if above else ()))
    kind = draw(st.sampled_from(kinds))
    units = draw(st.sampled_from(("data", "scale")))
    values = positive if units == "data" else places
    axes = draw(st.permutations(markers))
    if kind == "range":
        side = draw(_sides(values))
        return declare(RangeGate, {"kind": kind, "marker": axes[0], "min": side.min, "max": side.max, "units": units})
    if kind == "rectangle":
        bounds = {axis: draw(_sides(values)) for axis in axes[: draw(st.integers(1, 3))]}
        return declare(RectangleGate, {"kind": kind, "bounds": bounds, "units": units})
    if kind == "polygon":
        corners = draw(st.lists(st.tuples(values, values), min_size=3, max_size=7, unique=True))
        return declare(PolygonGate, {"kind": kind, "x": axes[0], "y": axes[1], "vertices": corners, "units": units})
    if kind == "ellipse":
        size = draw(st.integers(2, 3))
        spread = np.array(draw(st.lists(places, min_size=size * size, max_size=size * size))).reshape(size, size)
        covariance = (spread @ spread.T + 0.05 * np.eye(size)) * draw(st.sampled_from((1.0, 5e4)))
        return EllipseGate(
            axes=tuple(axes[:size]),
            center=tuple(draw(st.lists(places, min_size=size, max_size=size))),
            covariance=tuple(tuple(row) for row in covariance.tolist()),
            distance_square=draw(positive) / 200,
        )
    if kind == "quadrant":
        x, y = (Divider(marker=axis, at=draw(values)) for axis in axes[:2])
        keep = draw(st.sampled_from(("--", "-+", "+-", "++")))
        return declare(QuadrantGate, {"kind": kind, "x": x, "y": y, "keep": keep, "units": units})
    if kind == "many":
        cuts = [sorted(draw(st.lists(values, min_size=1, max_size=3, unique=True))) for _ in range(3)]
        dividers = [Divider(marker=axis, at=tuple(cut)) for axis, cut in zip(axes, cuts, strict=False)]
        kept = [draw(st.integers(0, len(cut))) for cut in cuts]
        return declare(QuadrantGate, {"kind": "quadrant", "axes": dividers, "keep": kept, "units": units})
    lists = [draw(st.lists(st.sampled_from(above), max_size=3, unique=True)) for _ in range(3)]
    lists[0] = lists[0] or [above[0]]
    return BooleanGate(all_of=tuple(lists[0]), any_of=tuple(lists[1]), none_of=tuple(lists[2]))


@st.composite
def templates(
    draw: st.DrawFn, markers: tuple[str, ...] = tuple(PANEL), scales: tuple[AnyScale, ...] = SCALES
) -> Template:
    """Draw a gate tree on some entries of a panel with compensated, uncompensated, unmixed and derived axes."""
    populations: list[Population] = []
    for number in range(draw(st.integers(1, 7))):
        above = tuple(population.name for population in populations)
        parent = draw(st.sampled_from(("all", *above)))
        others = [name for name in above if name != parent]
        exclude = draw(st.lists(st.sampled_from(others), max_size=2, unique=True)) if others else []
        name = f"{draw(st.sampled_from(('CD3+ cells', 'CAR/T', 'ü', '1st')))} {number}"
        gate = draw(_gates(above, markers))
        populations.append(
            Population(
                name=name, parent=parent, exclude=tuple(exclude), gate=gate, note=draw(st.sampled_from(("", "<&>")))
            )
        )
    return Template(
        name="random",
        version="1.0.0",
        panel=PANEL,
        compensation=Compensation(source="file", matrices={"spectra": SPECTRA}),
        scales={axis: draw(st.sampled_from(scales)) for axis in PANEL},
        populations=tuple(populations),
    )
