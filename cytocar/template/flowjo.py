"""Gates of a FlowJo workspace (.wsp) as a template.

FlowJo borrows element names from Gating-ML and means other things by them: bounds and corners are in data units,
ellipses in the 256 steps of the display, populations have names that repeat in other branches, compensation is one
matrix with a prefix before its channels. FlowJo 10 was the model; what has no equivalent is listed, never guessed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cytocar.errors.tree import TemplateError
from cytocar.signals.compensation import Matrix
from cytocar.signals.marker import Marker
from cytocar.signals.scales import AnyScale, AsinhScale, HyperlogScale, LinearScale, LogicleScale, LogScale
from cytocar.template.gate_kinds import BooleanGate, EllipseGate, FixedGate, PolygonGate, RectangleGate
from cytocar.template.gatingml.read import Document
from cytocar.template.gatingml.xml import (
    child,
    children,
    declaration,
    faulty,
    local_name,
    number,
    optional_number,
    parse_safely,
    required,
)
from cytocar.template.model import Compensation, Population, Template

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

DISPLAY_STEPS = 256.0
LARGER = 5  # a workspace holds tables, layouts and every sample's keywords beside the gates


@dataclass(frozen=True, slots=True)
class _Display:
    """How FlowJo draws a channel: the scale, and what the two ends of the display are on it."""

    scale: AnyScale
    low: float = 0.0
    high: float = 1.0
    exact: bool = True


def read_workspace(data: bytes, *, source: str, name: str, sample: str | None = None) -> Document:
    """Return the gates of one sample of a FlowJo workspace as a template.

    Parameters
    ----------
    data : bytes
        The workspace.
    source : str
        What to call it in messages.
    name : str
        The template's name.
    sample : str, optional
        Whose gates; the first sample that has gates otherwise.

    Raises
    ------
    TemplateError
        E140 not safe XML, E144 no workspace, no such sample, or no gates.
    """
    root = parse_safely(data, source=source, larger=LARGER)
    if local_name(root) != "Workspace":
        raise TemplateError(
            f"{source} is not a FlowJo workspace: its root is {local_name(root)}",
            code="E144",
            hint="FlowJo 10 writes .wsp",
        )
    samples = [element for samples in children(root, "SampleList") for element in children(samples, "Sample")]
    named = {child(element, "SampleNode").get("name", ""): element for element in samples}
    gated = [key for key, element in named.items() if _has_gates(child(element, "SampleNode"))]
    chosen = sample if sample is not None else next(iter(gated), "")
    if chosen not in gated:
        what = f"sample {sample!r} of {source} has no gates" if sample else f"no sample of {source} has gates"
        raise TemplateError(what, code="E144", hint=f"samples with gates: {', '.join(gated) or 'none'}")
    reader = _Reader(named[chosen])
    reader.read(child(named[chosen], "SampleNode"), "all", "")
    others = [key for key in gated if key != chosen]
    if others and sample is None:
        reader.losses.append(f"gates of {len(others)} other samples ({others[0]} ...): these are of {chosen}")
    template = Template(
        name=name,
        version="1.0.0",
        title=f"Imported from {source}, sample {chosen}",
        panel=reader.panel,
        compensation=Compensation(source="file", missing="none", matrices=reader.matrices),
        scales=reader.scales,
        populations=tuple(reader.populations.values()),
    )
    return Document(template, None, tuple(reader.losses))


def _has_gates(node: Element) -> bool:
    return any(next(iter(entry), None) is not None for entry in children(node, "Subpopulations"))


@dataclass
class _Reader:
    """The gates of one sample, found from the root of its tree down."""

    sample: Element
    panel: dict[str, Marker] = field(default_factory=dict)
    scales: dict[str, AnyScale] = field(default_factory=dict)
    populations: dict[str, Population] = field(default_factory=dict)
    losses: list[str] = field(default_factory=list)
    matrices: dict[str, Matrix] = field(default_factory=dict)
    _displays: dict[str, _Display] = field(default_factory=dict)
    _entries: dict[str, str] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)
    _prefix: str = ""
    _source: str | None = None
    _labels: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        keywords = {
            required(entry, "name"): entry.get("value", "").strip()
            for listed in children(self.sample, "Keywords")
            for entry in children(listed, "Keyword")
        }
        numbers = [key[2:-1] for key in keywords if key.startswith("$P") and key.endswith("N")]
        self._labels = {keywords[f"$P{n}N"]: keywords.get(f"$P{n}S", "") for n in numbers}
        for listed in children(self.sample, "Transformations"):
            for entry in listed:
                self._displays[required(child(entry, "parameter"), "name")] = _display(entry)
        for element in children(self.sample, "spilloverMatrix"):
            self._read_matrix(element)

    # ------------------------------------------------------------ populations

    def read(self, node: Element, parent: str, path: str) -> None:
        """Read the populations under a node: gates first, since boolean ones may refer to any of their sisters."""
        entries = [entry for listed in children(node, "Subpopulations") for entry in listed]
        for entry in (entry for entry in entries if local_name(entry) == "Population"):
            self._population(entry, parent, path)
        for entry in (entry for entry in entries if local_name(entry) in ("AndNode", "OrNode", "NotNode")):
            self._boolean(entry, parent, path)

    def _population(self, entry: Element, parent: str, path: str) -> None:
        title = required(entry, "name")
        region = next((shape for gate in children(entry, "Gate") for shape in gate), None)
        gate = None if region is None else self._gate(region)
        if gate is None:
            kind = "without a gate" if region is None else local_name(region)
            self.losses.append(f"{path}{title} and everything under it: {kind} has no equivalent")
            return
        name = self._name(title, path)
        if region is not None and region.get("eventsInside", "1") == "0":
            inside = self._free_name(f"{name} (inside)")
            self.populations[inside] = Population(name=inside, parent=parent, gate=gate)
            gate = BooleanGate(kind="boolean", none_of=(inside,))
        self.populations[name] = Population(name=name, parent=parent, gate=gate)
        self.read(entry, name, f"{path}{title}/")

    def _boolean(self, entry: Element, parent: str, path: str) -> None:
        title = required(entry, "name")
        paths = [
            required(one, "name") for listed in children(entry, "Dependents") for one in children(listed, "Dependent")
        ]
        if not paths or any(one not in self._names for one in paths):
            self.losses.append(f"{path}{title} and everything under it: refers to a gate that was not read")
            return
        key = {"AndNode": "all_of", "OrNode": "any_of", "NotNode": "none_of"}[local_name(entry)]
        operands = tuple(dict.fromkeys(self._names[one] for one in paths))
        name = self._name(title, path)
        gate = declaration(entry, BooleanGate, {"kind": "boolean", key: operands})
        self.populations[name] = Population(name=name, parent=parent, gate=gate)
        self.read(entry, name, f"{path}{title}/")

    def _name(self, title: str, path: str) -> str:
        """Return a population's name: its own, with its parents' where another branch has taken it."""
        name = self._free_name(title if title not in ("all", *self.populations) else f"{path}{title}")
        self._names[f"{path}{title}"] = name
        return name

    def _free_name(self, name: str) -> str:
        number = 1
        found = name
        while found in self.populations or found == "all":
            number += 1
            found = f"{name} {number}"
        return found

    # ------------------------------------------------------------ gates

    def _gate(self, region: Element) -> FixedGate | None:
        kind = local_name(region)
        if kind == "RectangleGate":
            bounds = {
                self._marker(dimension): {
                    key: value
                    for key, value in (
                        ("min", optional_number(dimension, "min")),
                        ("max", optional_number(dimension, "max")),
                    )
                    if value is not None
                }
                for dimension in children(region, "dimension")
            }
            return declaration(region, RectangleGate, {"kind": "rectangle", "bounds": bounds})
        if kind == "PolygonGate":
            x, y = self._two_markers(region)
            self._note_scales(region, x, y)
            vertices = [_coordinates(vertex) for vertex in children(region, "vertex")]
            return declaration(region, PolygonGate, {"kind": "polygon", "x": x, "y": y, "vertices": vertices})
        return self._ellipse(region) if kind == "EllipsoidGate" else None

    def _two_markers(self, region: Element) -> tuple[str, str]:
        markers = [self._marker(dimension) for dimension in children(region, "dimension")]
        if len(markers) != 2:
            raise faulty(region, "needs two dimensions")
        return markers[0], markers[1]

    def _ellipse(self, region: Element) -> EllipseGate:
        """Read an ellipse: two foci and the ends of its axes, in steps of the display.

        With half the distance of the foci c and the long half-axis a, the short one is sqrt(a^2 - c^2).
        """
        axes = self._two_markers(region)
        self._note_scales(region, *axes)
        foci = np.array([_coordinates(vertex) for vertex in children(child(region, "foci"), "vertex")])
        ends = np.array([_coordinates(vertex) for vertex in children(child(region, "edge"), "vertex")])
        if foci.shape != (2, 2) or ends.shape != (4, 2):
            raise faulty(region, "needs two foci and the four ends of its axes")
        center = foci.mean(axis=0)
        half_axes = np.linalg.norm(ends - center, axis=1)
        long = half_axes.max()
        along = (foci[1] - foci[0]) / 2
        if not np.linalg.norm(along):  # a circle has its foci in one place; any direction will do
            along = np.array([1e-9, 0.0])
        short = math.sqrt(max(long**2 - float(along @ along), 0.0))
        unit = along / np.linalg.norm(along)
        across = np.array([-unit[1], unit[0]])
        shape = long**2 * np.outer(unit, unit) + short**2 * np.outer(across, across)
        displays = [self._display_of(marker) for marker in axes]
        steps = np.diag([(display.high - display.low) / DISPLAY_STEPS for display in displays])
        low = np.array([display.low for display in displays])
        covariance = steps @ shape @ steps
        return declaration(
            region,
            EllipseGate,
            {
                "kind": "ellipse",
                "axes": axes,
                "center": (low + steps @ center).tolist(),
                "covariance": ((covariance + covariance.T) / 2).tolist(),
                "distance_square": 1.0,
            },
        )

    def _note_scales(self, region: Element, *markers: str) -> None:
        for marker in markers:
            told = f"the axis of {marker} is drawn by the logicle nearest to FlowJo's: edges of polygons move slightly"
            if not self._display_of(marker).exact and told not in self.losses:
                self.losses.append(told)

    # ------------------------------------------------------------ panel

    def _marker(self, dimension: Element) -> str:
        """Return the panel entry of a dimension: by ``$PnS`` where the channel has one, else by ``$PnN``."""
        written = required(child(dimension, "fcs-dimension"), "name")
        if written not in self._entries:
            detector = written.removeprefix(self._prefix) if self._prefix else written
            is_compensated = detector != written and self._source is not None
            label = self._labels.get(detector) or detector
            candidates = (label, f"{label} {detector}", f"{written} 2")
            name = next(name for name in candidates if name not in self.panel and name != "default")
            self.panel[name] = Marker(detectors=(detector,), compensation=self._source if is_compensated else "none")
            self._entries[written] = name
            display = self._displays.get(written) or self._displays.get(detector)
            if display is not None:
                self._displays[f"marker {name}"] = display
                if display.scale != LinearScale():
                    self.scales[name] = display.scale
        return self._entries[written]

    def _display_of(self, marker: str) -> _Display:
        return self._displays.get(f"marker {marker}", _Display(LinearScale(), 0.0, 262144.0))

    def _read_matrix(self, element: Element) -> None:
        """Read the sample's matrix; the one that the instrument wrote is the file's own."""
        self._prefix = element.get("prefix", "")
        name = element.get("name", "matrix")
        if name == "Acquisition-defined":
            self._source = "file"
            return
        detectors = tuple(required(entry, "name") for entry in children(child(element, "parameters"), "parameter"))
        rows = [
            tuple(number(entry, "value") for entry in children(row, "coefficient"))
            for row in children(element, "spillover")
        ]
        declared = {"fluorochromes": detectors, "detectors": detectors, "values": rows}
        self.matrices[name] = declaration(element, Matrix, declared)
        self._source = name


# ---------------------------------------------------------------- scales


def _display(element: Element) -> _Display:
    """Return how FlowJo draws a channel.

    Its biexponential scale is a logicle of ``W = log10(-width) / 2``, ``M = pos``, ``A = neg`` that was rounded to 4096
    steps; its log scale stands at its lower end for everything below.
    """
    kind = local_name(element)
    if kind == "linear":
        low, high = optional_number(element, "minRange") or 0.0, number(element, "maxRange")
        return _Display(LinearScale(), low, high)
    if kind == "log":
        offset, decades = number(element, "offset"), number(element, "decades")
        values: Mapping[str, object] = {"kind": "log", "T": offset * 10**decades, "M": decades, "bound_min": 0.0}
        return _Display(declaration(element, LogScale, values))
    if kind == "biex":
        width = math.log10(max(-number(element, "width"), 1.0))
        values = {
            "kind": "logicle",
            "T": number(element, "maxRange"),
            "W": width / 2,
            "M": number(element, "pos"),
            "A": max(number(element, "neg"), 0.0),
        }
        return _Display(declaration(element, LogicleScale, values), exact=False)
    declared: dict[str, tuple[type[AnyScale], str]] = {
        "fasinh": (AsinhScale, "TMA"),
        "logicle": (LogicleScale, "TWMA"),
        "hyperlog": (HyperlogScale, "TWMA"),
    }
    if kind not in declared:
        return _Display(LinearScale(), 0.0, 262144.0, exact=False)
    model, letters = declared[kind]
    name = "asinh" if kind == "fasinh" else kind
    return _Display(
        declaration(element, model, {"kind": name, **{letter: number(element, letter) for letter in letters}})
    )


def _coordinates(vertex: Element) -> tuple[float, float]:
    values = [number(entry, "value") for entry in children(vertex, "coordinate")]
    if len(values) != 2:
        raise faulty(vertex, "needs two coordinates")
    return values[0], values[1]
