"""A FACSDiva experiment (XML) as a study: each tube's gates and counts, in the form of a FlowJo workspace's samples.

A gate's points are places of a display of 4096 steps where the gate is *scaled*: on the biexponential scale of
``W = (M - log10(T / scale value)) / 2`` with ``T = 262144`` and ``M = 4.5``, or linear to T. Other gates hold data
values, or their logarithms to base 10 on a display of ``log_decades`` decades under T.

A parameter's compensation coefficients are its row of the compensation matrix, the inverse of the transposed spillover
matrix; they are taken where that spillover matrix has 1 on its diagonal, and the FCS file's matrix is otherwise. Some
experiments cross the names of height and width (``FSC-H`` holds widths): the parameter's type code tells.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct, field

from cytocar.errors.tree import TemplateError
from cytocar.regions.boolean import BooleanGate
from cytocar.regions.boxes import RectangleGate
from cytocar.regions.kinds import FixedGate
from cytocar.regions.polygon import PolygonGate
from cytocar.signals.compensation import Matrix
from cytocar.signals.declaration import declare
from cytocar.signals.marker import Marker
from cytocar.signals.scales import AnyScale, LinearScale, LogicleScale, LogScale
from cytocar.template.flowjo.document import LARGER, Workspace
from cytocar.template.flowjo.gates import without_equivalent
from cytocar.template.flowjo.names import Path, named_populations, short_names
from cytocar.template.flowjo.panel import Axis
from cytocar.template.flowjo.samples import Counted, WorkspaceSample
from cytocar.template.flowjo.scales import Display
from cytocar.template.gatingml.xml import children, declaration, local_name, number, parse_safely, required

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

TOP = 262144.0
DECADES = 4.5
STEPS = 4096.0
ALL_EVENTS = "All Events"
UNLIT = ("FSC", "SSC", "TIME")
"""How the names of channels begin that no matrix holds."""
SUFFIXES = {"20": "-H", "10": "-W"}
"""Type codes of parameters that are heights and widths."""
COMBINED = {"not": "none_of", "restof": "none_of", "and": "all_of", "or": "any_of"}
"""Kinds of ``..._Classifier`` that combine the populations of their ``input``."""
DIAGONAL = 0.001
"""How far from 1 a spillover matrix' diagonal may be: coefficients have six digits."""


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
    experiment = next(children(root, "experiment"), root)
    sheets = {sheet.get("name", ""): sheet for sheet in root.iter("worksheet_template") if len(_drawn(sheet)) > 1}
    samples: list[WorkspaceSample] = []
    groups: dict[str, tuple[str, ...]] = {}
    for specimen in root.iter("specimen"):
        numbers = []
        for tube in specimen.iter("tube"):
            number_of_tube = str(len(samples) + 1)
            numbers.append(number_of_tube)
            samples.append(_Tube(tube, experiment, sheets).read(number_of_tube))
        groups[specimen.get("name", "")] = tuple(numbers)
    return Workspace(source, tuple(samples), groups, tuple(f"worksheet {name}" for name in sheets), program="FACSDiva")


def _drawn(element: Element) -> list[Element]:
    """Return the gates of a tube or a global worksheet, "All Events" among them."""
    return [gate for listed in children(element, "gates") for gate in children(listed, "gate")]


def _text(element: Element, name: str) -> str:
    return next(((child.text or "").strip() for child in children(element, name)), "")


def _is(element: Element, name: str) -> bool:
    return _text(element, name).lower() == "true"


def _spillover(coefficients: list[list[float]]) -> np.ndarray | None:
    """Return the spillover matrix behind the coefficients of a compensation; None where they are none."""
    try:
        spillover = np.linalg.inv(np.array(coefficients)).T
    except (ValueError, np.linalg.LinAlgError):
        return None
    return spillover if np.abs(np.diagonal(spillover) - 1).max() <= DIAGONAL else None


def _path(fullname: str) -> Path:
    """Return the path of a gate below "All Events"; no part for "All Events" itself."""
    path = tuple(part for part in fullname.split("\\") if part)
    return path[1:] if path[:1] == (ALL_EVENTS,) else path


def _combination(element: Element) -> str | None:
    """How a gate combines the populations of its inputs; None for one that is drawn."""
    return COMBINED.get(element.get("type", "").removesuffix("_Classifier").lower())


def _inputs(element: Element) -> tuple[Path, ...]:
    if _combination(element) is None:
        return ()
    return tuple(dict.fromkeys(_path((one.text or "").strip()) for one in children(element, "input")))


class _Tube(Struct):
    """One tube being read; ``sheets`` are the global worksheets that have gates, by their names."""

    element: Element
    experiment: Element
    sheets: Mapping[str, Element]
    markers: dict[str, Marker] = field(default_factory=dict)
    axes: dict[tuple[str, AnyScale], Axis] = field(default_factory=dict)
    gates: dict[Path, FixedGate] = field(default_factory=dict)
    operands: dict[Path, dict[str, tuple[Path, ...]]] = field(default_factory=dict)
    counts: dict[Path, Counted] = field(default_factory=dict)
    losses: list[str] = field(default_factory=list)
    total: int | None = None
    matrix: Matrix | None = None
    is_compensated: bool = True
    decades: float = 5.0
    crossed: dict[str, str] = field(default_factory=dict)

    def read(self, number_of_tube: str) -> WorkspaceSample:
        """Return the tube as a sample."""
        decades = _text(self.experiment, "log_decades")
        self.decades = float(decades) if decades in ("4", "5") else self.decades
        for holder in (self.experiment, self.element):
            for settings in children(holder, "instrument_settings"):
                self._settings(settings)
        gates = _drawn(self.element)
        if len(gates) <= 1 and len(self.sheets) == 1:
            ((name, sheet),) = self.sheets.items()
            self.losses.append(
                f"counts of the global worksheet {name}, whose gates these are: they are of another tube"
            )
            gates = [*gates, *(gate for gate in _drawn(sheet) if gate.get("fullname") != ALL_EVENTS)]
            self._gates(gates, is_counted=False)
        else:
            self._gates(gates, is_counted=True)
        names = short_names(self.gates)
        file = _text(self.element, "data_filename")
        keywords = {"$TOT": str(self.total)} if self.total is not None else {}
        scales = {axis.marker: axis.display.bounded(low=axis.at_low, high=axis.at_high) for axis in self.axes.values()}
        is_needed = any(marker.compensation is None for marker in self.markers.values())
        return WorkspaceSample(
            sample_id=number_of_tube,
            name=file or self.element.get("name", ""),
            keywords=keywords,
            file_name=file,
            panel=self.markers,
            scales={name: scale for name, scale in scales.items() if scale is not None and scale != LinearScale()},
            matrix=("FACSDiva", self.matrix) if self.matrix is not None and is_needed else None,
            populations=tuple(named_populations(self.gates, self.operands, names)),
            counts={name: self.counts[path] for path, name in names.items()},
            total=self.total,
            losses=tuple(self.losses),
            needs_matrix=is_needed,
        )

    def _settings(self, settings: Element) -> None:
        """Take the compensation and the crossed names of an ``<instrument_settings>``."""
        parameters = {entry.get("name", ""): entry for entry in children(settings, "parameter")}
        for name, entry in parameters.items():
            suffix = SUFFIXES.get(entry.get("type") or _text(entry, "type"))
            if suffix is not None and name[-2:] in SUFFIXES.values() and not name.endswith(suffix):
                self.crossed[name] = name[:-2] + suffix
        self.is_compensated = _text(settings, "compensation_enabled").lower() != "false"
        rows = {
            name: [float(one.text or "nan") for one in children(listed, "compensation_coefficient")]
            for name, entry in parameters.items()
            for listed in children(entry, "compensation")
        }
        rows = {name: row for name, row in rows.items() if row}
        if len(rows) < 2 or not self.is_compensated:
            return
        spillover = _spillover(list(rows.values()))
        if spillover is None:
            self.losses.append("the experiment's compensation: its numbers are no matrix; the FCS file's is used")
            return
        values = tuple(map(tuple, spillover.tolist()))
        self.matrix = Matrix(fluorochromes=tuple(rows), detectors=tuple(rows), values=values)

    # ------------------------------------------------------------ gates

    def _gates(self, elements: list[Element], *, is_counted: bool) -> None:
        """Read gates; one that combines others waits until these are read, and so does what stands under it."""
        waiting = [(_path(element.get("fullname", "")), element) for element in elements]
        progress = True
        while waiting and progress:
            later: list[tuple[Path, Element]] = []
            for path, element in waiting:
                if self._must_wait(path, element):
                    later.append((path, element))
                else:
                    self._gate(path, element, is_counted=is_counted)
            waiting, progress = later, len(later) < len(waiting)
        for path, element in waiting:
            missing = [one for one in _inputs(element) if one not in self.gates]
            refers = f"refers to {', '.join('/'.join(one) for one in missing)}, which was not read"
            self._lose(path, refers if missing else "its parent was left out")
        for name, held in self.crossed.items():
            if any(held == channel for channel, _ in self.axes):
                self.losses.append(f"the name {name}: its type code says that it is {held}, which its gates are put on")

    def _must_wait(self, path: Path, element: Element) -> bool:
        has_parent = len(path) < 2 or path[:-1] in self.gates
        return not has_parent or (
            _combination(element) is not None and not all(i in self.gates for i in _inputs(element))
        )

    def _gate(self, path: Path, element: Element, *, is_counted: bool) -> None:
        events = _text(element, "num_events")
        count = int(events) if events.isdecimal() and is_counted else None
        if not path:
            self.total = int(events) if events.isdecimal() else None
            return
        if next(children(element, "bin"), None) is not None:
            return  # the middle of a quadrant: its four parts are gates of their own
        try:
            key, inputs = _combination(element), _inputs(element)
            region = next(children(element, "region"), None)
            if key is not None and inputs:
                self.operands[path] = {key: inputs}
                self.gates[path] = declare(BooleanGate, {key: (path[-1],)})
            elif region is None:
                raise without_equivalent(f"{element.get('type', 'a gate')} has no equivalent")
            else:
                self.gates[path] = self._region(element, region)
        except TemplateError as error:
            self._lose(path, error.message)
            return
        self.counts[path] = Counted(path, count, is_binned=False)

    def _lose(self, path: Path, why: str) -> None:
        self.losses.append(f"{'/'.join(path)} and everything under it: {why}")

    def _region(self, element: Element, region: Element) -> FixedGate:
        kind = region.get("type", "")
        sides = ("x",) if kind == "INTERVAL_REGION" or not region.get("yparm") else ("x", "y")
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
        channel = self.crossed.get(channel, channel)
        scale, low, high = self._scale(element, side)
        key = (channel, scale)
        if key not in self.axes:
            number_of_scale, name = 1, channel
            while name in self.markers or name == "default":
                number_of_scale += 1
                name = f"{channel} scale {number_of_scale}"
            is_raw = channel.upper().startswith(UNLIT) or not self.is_compensated
            is_raw = is_raw or (self.matrix is not None and channel not in self.matrix.detectors)
            self.markers[name] = Marker(detectors=(channel,), compensation="none" if is_raw else None)
            # A data value is exact, a place of the display is known to a step.
            is_exact = isinstance(scale, LinearScale) and not _is(element, f"is_{side}_parameter_scaled")
            self.axes[key] = Axis(name, Display("linear" if is_exact else "diva", scale, low, high))
        return self.axes[key]

    def _scale(self, element: Element, side: str) -> tuple[AnyScale, float, float]:
        if not _is(element, f"is_{side}_parameter_log"):
            return LinearScale(), 0.0, TOP - 1
        if not _is(element, f"is_{side}_parameter_scaled"):
            return LogScale(T=TOP, M=self.decades, bound_min=0.0), 0.0, 1.0
        try:
            written = abs(float(_text(element, f"{side}_parameter_scale_value") or 0.0))
        except ValueError:
            written = 0.0
        width = max((DECADES - math.log10(TOP / written)) / 2, 0.0) if written else 0.0
        return LogicleScale(T=TOP, W=width, M=DECADES, A=0.0), 0.0, 1.0

    def _value(self, element: Element, axis: Axis, written: float, side: str) -> float:
        """Return a coordinate in data units."""
        scale = axis.display.scale
        if _is(element, f"is_{side}_parameter_scaled"):
            place = written / STEPS
            return place * TOP if isinstance(scale, LinearScale) or scale is None else float(scale.inverse(place))
        return 10.0**written if _is(element, f"is_{side}_parameter_log") else written
