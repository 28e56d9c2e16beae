"""A FACSDiva experiment (XML) as a study: each tube's gates and counts, in the form of a FlowJo workspace's samples.

A gate's points are places of a display of 4096 steps where the gate is *scaled*: on the biexponential scale of
``W = (M - log10(T / scale value)) / 2`` with ``T = 262144`` and ``M = 4.5``, or linear to T. Other gates hold data
values, or their logarithms to base 10. Fluorescence is compensated with the matrix of the FCS file: the coefficients
in the experiment are those of the acquisition, in percent and before later changes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cytocar.errors.tree import TemplateError
from cytocar.regions.boxes import RectangleGate
from cytocar.regions.kinds import FixedGate
from cytocar.regions.polygon import PolygonGate
from cytocar.signals.marker import Marker
from cytocar.signals.scales import AnyScale, LinearScale, LogicleScale, LogScale
from cytocar.template.flowjo.document import LARGER, Workspace
from cytocar.template.flowjo.gates import without_equivalent
from cytocar.template.flowjo.names import EVERY_EVENT, Path, short_names
from cytocar.template.flowjo.panel import Axis
from cytocar.template.flowjo.samples import Counted, WorkspaceSample
from cytocar.template.flowjo.scales import Display
from cytocar.template.gatingml.xml import children, declaration, local_name, number, parse_safely, required
from cytocar.template.model import Population

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

TOP = 262144.0
DECADES = 4.5
STEPS = 4096.0
ALL_EVENTS = "All Events"
UNLIT = ("FSC", "SSC", "TIME")
"""How the names of channels begin that no matrix holds."""


def read_experiment(data: bytes, *, source: str) -> Workspace:
    """Return the tubes of a FACSDiva experiment; its specimens are the groups.

    Raises
    ------
    TemplateError
        E140 not safe XML, E145 no experiment.
    """
    root = parse_safely(data, source=source, larger=LARGER)
    if local_name(root) != "bdfacs":
        raise TemplateError(
            f"{source} is not a FACSDiva experiment: its root is {local_name(root)}",
            code="E145",
            hint="export the experiment from FACSDiva as XML",
        )
    samples: list[WorkspaceSample] = []
    groups: dict[str, tuple[str, ...]] = {}
    for specimen in root.iter("specimen"):
        numbers = []
        for tube in specimen.iter("tube"):
            number_of_tube = str(len(samples) + 1)
            numbers.append(number_of_tube)
            samples.append(_Tube(tube).read(number_of_tube))
        groups[specimen.get("name", "")] = tuple(numbers)
    worksheets = ("a global worksheet",) if next(root.iter("worksheet_template"), None) is not None else ()
    return Workspace(source, tuple(samples), groups, worksheets, program="FACSDiva")


def _text(element: Element, name: str) -> str:
    return next(((child.text or "").strip() for child in children(element, name)), "")


def _is(element: Element, name: str) -> bool:
    return _text(element, name).lower() == "true"


@dataclass
class _Tube:
    """One tube being read."""

    element: Element
    markers: dict[str, Marker] = field(default_factory=dict)
    axes: dict[tuple[str, AnyScale], Axis] = field(default_factory=dict)
    gates: dict[Path, FixedGate] = field(default_factory=dict)
    counts: dict[Path, Counted] = field(default_factory=dict)
    losses: list[str] = field(default_factory=list)
    total: int | None = None

    def read(self, number_of_tube: str) -> WorkspaceSample:
        """Return the tube as a sample."""
        for listed in children(self.element, "gates"):
            for gate in children(listed, "gate"):
                self._gate(gate)
        names = short_names(self.gates)
        file = _text(self.element, "data_filename")
        keywords = {"$TOT": str(self.total)} if self.total is not None else {}
        scales = {axis.marker: axis.display.bounded(low=axis.at_low, high=axis.at_high) for axis in self.axes.values()}
        return WorkspaceSample(
            sample_id=number_of_tube,
            name=file or self.element.get("name", ""),
            keywords=keywords,
            file_name=file,
            panel=self.markers,
            scales={name: scale for name, scale in scales.items() if scale is not None and scale != LinearScale()},
            matrix=None,
            populations=tuple(self._populations(names)),
            counts={name: self.counts[path] for path, name in names.items()},
            total=self.total,
            losses=tuple(self.losses),
            needs_matrix=any(marker.compensation is None for marker in self.markers.values()),
        )

    def _populations(self, names: Mapping[Path, str]) -> Iterator[Population]:
        for path, gate in self.gates.items():
            parent = names[path[:-1]] if len(path) > 1 else EVERY_EVENT
            note = "/".join(path) if names[path] != "/".join(path) else ""
            yield Population(name=names[path], parent=parent, gate=gate, note=note)

    def _gate(self, element: Element) -> None:
        path = tuple(part for part in element.get("fullname", "").split("\\") if part)
        events = _text(element, "num_events")
        count = int(events) if events.isdecimal() else None
        if path == (ALL_EVENTS,):
            self.total = count
            return
        path = path[1:] if path[:1] == (ALL_EVENTS,) else path
        try:
            if len(path) > 1 and path[:-1] not in self.gates:
                raise without_equivalent("its parent was left out")
            region = next(children(element, "region"), None)
            if region is None:
                raise without_equivalent(f"{element.get('type', 'a gate')} has no equivalent")
            self.gates[path] = self._region(element, region)
        except TemplateError as error:
            self.losses.append(f"{'/'.join(path)} and everything under it: {error.message}")
            return
        self.counts[path] = Counted(path, count, is_binned=False)

    def _region(self, element: Element, region: Element) -> FixedGate:
        kind = region.get("type", "")
        sides = ("x",) if region.get("yparm") is None else ("x", "y")
        axes = [self._axis(element, required(region, f"{side}parm"), side) for side in sides]
        points = [
            [self._value(element, axis, number(point, side), side) for axis, side in zip(axes, sides, strict=True)]
            for listed in children(region, "points")
            for point in children(listed, "point")
        ]
        if kind in ("RECTANGLE_REGION", "INTERVAL_REGION") and len(points) >= 2:
            return self._box(region, axes, points)
        if kind != "POLYGON_REGION" or len(axes) != 2:
            raise without_equivalent(f"{kind or 'a region'} has no equivalent")
        for axis, values in zip(axes, zip(*points, strict=True), strict=True):
            for value in values:
                axis.mark_ends(*axis.display.ends_at(value))
        vertices = [[axis.display.corner(value) for axis, value in zip(axes, point, strict=True)] for point in points]
        declared = {"kind": "polygon", "x": axes[0].marker, "y": axes[1].marker, "vertices": vertices}
        return declaration(region, PolygonGate, declared)

    def _box(self, region: Element, axes: list[Axis], points: list[list[float]]) -> FixedGate:
        bounds = {}
        for axis, values in zip(axes, zip(*points, strict=True), strict=True):
            low, high = min(values), max(values)
            side = {}
            if not axis.display.ends_at(low)[0]:
                side["min"] = low
            if not axis.display.ends_at(high)[1]:
                side["max"] = high
            bounds[axis.marker] = side
        return declaration(region, RectangleGate, {"kind": "rectangle", "bounds": bounds})

    # ------------------------------------------------------------ axes

    def _axis(self, element: Element, channel: str, side: str) -> Axis:
        """Return the axis of a parameter on the scale that the gate was drawn on; each scale is an entry of its own."""
        scale, low, high = self._scale(element, side)
        key = (channel, scale)
        if key not in self.axes:
            number_of_scale, name = 1, channel
            while name in self.markers or name == "default":
                number_of_scale += 1
                name = f"{channel} scale {number_of_scale}"
            is_unlit = channel.upper().startswith(UNLIT)
            self.markers[name] = Marker(detectors=(channel,), compensation="none" if is_unlit else None)
            self.axes[key] = Axis(name, Display("diva", scale, low, high))
        return self.axes[key]

    def _scale(self, element: Element, side: str) -> tuple[AnyScale, float, float]:
        if not _is(element, f"is_{side}_parameter_log"):
            return LinearScale(), 0.0, TOP
        if not _is(element, f"is_{side}_parameter_scaled"):
            return LogScale(kind="log", T=TOP, M=math.log10(TOP), bound_min=0.0), 0.0, 1.0
        try:
            written = abs(float(_text(element, f"{side}_parameter_scale_value") or 0.0))
        except ValueError:
            written = 0.0
        width = max((DECADES - math.log10(TOP / written)) / 2, 0.0) if written else 0.0
        return LogicleScale(kind="logicle", T=TOP, W=width, M=DECADES, A=0.0), 0.0, 1.0

    def _value(self, element: Element, axis: Axis, written: float, side: str) -> float:
        """Return a coordinate in data units."""
        scale = axis.display.scale
        if _is(element, f"is_{side}_parameter_scaled"):
            place = written / STEPS
            return place * TOP if isinstance(scale, LinearScale) or scale is None else float(scale.inverse(place))
        return 10.0**written if _is(element, f"is_{side}_parameter_log") else written
