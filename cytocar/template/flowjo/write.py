"""Samples as they were gated become a FlowJo 10 workspace: gates, counts, matrices and scales of every sample.

Where FlowJo has no word for a gate, a combination of its gates stands for it: a quadrant corner and a range become
rectangles, ``exclude`` and mixed boolean gates become boolean populations over helpers, an ellipse on FlowJo's display
keeps its foci. What cannot be said at all is left out with its branch, and named.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import assert_never
from xml.etree.ElementTree import Element, SubElement

import numpy as np
from msgspec import Struct, field

from cytocar.regions.boolean import BooleanGate
from cytocar.regions.boxes import Bounds, QuadrantGate, RangeGate, RectangleGate
from cytocar.regions.ellipse import EllipseGate
from cytocar.regions.kinds import FixedGate, RegionGate
from cytocar.regions.polygon import PolygonGate
from cytocar.signals.applied_matrix import UNMIXED
from cytocar.signals.compensation import SpilloverMatrix
from cytocar.signals.panel import COMPENSATED
from cytocar.signals.scales import AnyScale, AsinhScale, LinearScale, LogicleScale, LogScale
from cytocar.template.flowjo.logicle_as import LogicleAs
from cytocar.template.flowjo.matrices import write_matrix
from cytocar.template.flowjo.panel import positive
from cytocar.template.flowjo.scales import STEPS, TABLE_STEPS, write_display
from cytocar.template.gatingml.write import serialize
from cytocar.template.gatingml.xml import DATA_TYPE, tag
from cytocar.template.model import Population, Template

EVERY_EVENT = "all"
FLOWJO = "10.6.2"
"""Version whose form is written; FlowJo reads the workspaces of older versions."""


class GatedFile(Struct, frozen=True, eq=False):
    """One sample to write.

    Parameters
    ----------
    name : str
        What the sample is called; its file's name, so that FlowJo finds the file.
    uri : str
        Where the file lies.
    template : Template
        The gates; ``gates`` are those that a file placed, or a person moved.
    channels : mapping
        Marker to ``$PnN``.
    keywords, ranges : mapping
        The file's keywords; channel to its ``$PnR``.
    matrix : SpilloverMatrix, optional
        What the compensated markers went through.
    counts : mapping
        Population to its events.
    """

    name: str
    uri: str
    template: Template
    gates: Mapping[str, FixedGate]
    channels: Mapping[str, str]
    keywords: Mapping[str, str]
    ranges: Mapping[str, float]
    matrix: SpilloverMatrix | None
    counts: Mapping[str, int]
    total: int


def write_workspace(
    files: Iterable[GatedFile], *, logicle_as: LogicleAs = LogicleAs.LOGICLE
) -> tuple[bytes, tuple[str, ...]]:
    """Return a FlowJo workspace of samples, and in words what was left out."""
    root = Element("Workspace", version="20.0", flowJoVersion=FLOWJO, curGroup="All Samples")
    matrices, groups = SubElement(root, "Matrices"), SubElement(root, "Groups")
    # FlowJo shows values as stored where useGain is 0; cytocar's are divided by $PnG.
    cytometers = SubElement(root, "Cytometers")
    listed = SubElement(root, "SampleList")
    node = SubElement(groups, "GroupNode", name="All Samples", owningGroup="All Samples", expanded="1", count="-1")
    group = SubElement(node, "Group", name="All Samples", live="1", role="ws.group.dlog.test")
    references = SubElement(group, "SampleRefs")
    losses: list[str] = []
    known: set[str] = set()
    for number, file in enumerate(files, start=1):
        writer = _Sample(file, str(number), logicle_as)
        listed.append(writer.write())
        SubElement(references, "SampleRef", sampleID=str(number))
        losses += [f"{file.name}: {loss}" for loss in writer.losses]
        cytometer = file.keywords.get("$CYT", "")
        if cytometer not in known:
            known.add(cytometer)
            SubElement(cytometers, "Cytometer", name=cytometer or "any", cyt=cytometer, useGain="1")
        if file.matrix is not None and file.matrix.origin not in {entry.get("name") for entry in matrices}:
            matrices.append(write_matrix(file.matrix))
    return serialize(root), tuple(losses)


class _Sample(Struct):
    """One ``<Sample>`` in the making."""

    file: GatedFile
    number: str
    logicle_as: LogicleAs
    losses: list[str] = field(default_factory=list)
    _paths: dict[str, str] = field(default_factory=dict)
    _nodes: dict[str, Element] = field(default_factory=dict)
    _scales: dict[str, AnyScale] = field(default_factory=dict)
    _shown: set[str] = field(default_factory=set)
    _edges: dict[str, list[float]] = field(default_factory=dict)

    def write(self) -> Element:
        """Return the element."""
        element = Element("Sample")
        SubElement(element, "DataSet", uri=self.file.uri, sampleID=self.number)
        if self.file.matrix is not None:
            element.append(write_matrix(self.file.matrix))
        transformations = SubElement(element, "Transformations")
        keywords = SubElement(element, "Keywords")
        for name, value in self.file.keywords.items():
            SubElement(keywords, "Keyword", name=name, value=_printable(value))
        node = SubElement(
            element, "SampleNode", name=self.file.name, count=str(self.file.total), owningGroup="", sampleID=self.number
        )
        self._nodes[EVERY_EVENT] = node
        self._paths[EVERY_EVENT] = ""
        for population in self.file.template.populations:
            self._population(population)
        self._note_ends()
        for channel, scale in self._scales.items():
            # The display of a linear channel is written where an ellipse needs it: a bound on its end would be open.
            if isinstance(scale, LinearScale) and channel not in self._shown:
                continue
            transformations.append(self._display(channel, scale))
            # FlowJo lists a channel beside its compensated form, and FlowKit looks a scale up by the channel alone.
            raw = channel.removeprefix(COMPENSATED)
            if raw not in self._scales:
                transformations.append(self._display(raw, scale))
        return element

    # ------------------------------------------------------------ populations

    def _population(self, population: Population) -> None:
        gate = self.file.gates.get(population.name, population.gate)
        if population.parent not in self._nodes:
            return  # its branch was left out, and named
        if not isinstance(gate, FixedGate):
            self._leave_out(population, "it was not placed on this sample")
            return
        try:
            if isinstance(gate, BooleanGate):
                self._combination(population, gate)
            elif population.exclude:
                helper = self._free(population.parent, f"{population.name} (with what is set aside)")
                self._add(helper, population.parent, self._gate(gate), None)
                self._and_not(population, (helper,), population.exclude)
            else:
                self._add(population.name, population.parent, self._gate(gate), population.name)
        except _NoWordError as error:
            self._leave_out(population, str(error))

    def _leave_out(self, population: Population, why: str) -> None:
        self.losses.append(f"{population.name} and everything under it: {why}")

    def _add(self, name: str, parent: str, gate: Element, counted: str | None, *, tag: str = "Population") -> Element:
        """Add a population under its parent."""
        name_shown = name.rpartition("/")[2] if self._stands_alone(name, parent) else name.replace("/", "|")
        node = SubElement(self._children(parent), tag, name=name_shown, owningGroup="", expanded="1")
        count = self.file.counts.get(counted or "")
        node.set("count", "-1" if count is None else str(count))
        node.append(gate)
        self._nodes[name] = node
        above = self._paths[parent]
        self._paths[name] = f"{above}/{name_shown}" if above else name_shown
        return node

    def _stands_alone(self, name: str, parent: str) -> bool:
        """True if a name such as ``T/CD4+`` only repeats the path that the population has anyway."""
        above = f"{self._paths[parent]}/" if self._paths[parent] else ""
        return f"{above}{name.rpartition('/')[2]}".endswith(name)

    def _children(self, parent: str) -> Element:
        node = self._nodes[parent]
        below = node.find("Subpopulations")
        return SubElement(node, "Subpopulations") if below is None else below

    def _free(self, parent: str, name: str) -> str:
        number, free = 1, name
        while free in self._nodes or any(one.name == free for one in self.file.template.populations):
            number += 1
            free = f"{name} {number}"
        return free

    # ------------------------------------------------------------ boolean

    def _combination(self, population: Population, gate: BooleanGate) -> None:
        """Write a boolean population: one node where one kind of operand is named, helpers otherwise."""
        unwanted = (*gate.none_of, *population.exclude)
        wanted = list(gate.all_of)
        if gate.any_of:
            if len(gate.any_of) == 1:
                wanted += gate.any_of
            elif not wanted and not unwanted:
                self._node("OrNode", population.name, population.parent, gate.any_of, population.name)
                return
            else:
                helper = self._free(population.parent, f"{population.name} (any of)")
                self._node("OrNode", helper, population.parent, gate.any_of, None)
                wanted.append(helper)
        self._and_not(population, tuple(wanted), unwanted)

    def _and_not(self, population: Population, wanted: tuple[str, ...], unwanted: tuple[str, ...]) -> None:
        operands = [one for one in wanted if one != EVERY_EVENT]
        if any(one == EVERY_EVENT for one in unwanted):
            raise _NoWordError("it holds no event by its definition")
        if unwanted and not operands and len(unwanted) == 1:
            self._node("NotNode", population.name, population.parent, unwanted, population.name)
            return
        for one in unwanted:
            helper = self._free(population.parent, f"not {one}")
            self._node("NotNode", helper, population.parent, (one,), None)
            operands.append(helper)
        if not operands:
            raise _NoWordError("it holds every event of its parent")
        operands = operands * 2 if len(operands) == 1 else operands
        self._node("AndNode", population.name, population.parent, tuple(operands), population.name)

    def _node(self, tag: str, name: str, parent: str, operands: tuple[str, ...], counted: str | None) -> None:
        if missing := [one for one in operands if one not in self._paths]:
            raise _NoWordError(f"refers to {', '.join(missing)}, which was left out")
        dependents = Element("Dependents")
        for one in operands:
            SubElement(dependents, "Dependent", name=self._paths[one])
        self._add(name, parent, dependents, counted, tag=tag)

    # ------------------------------------------------------------ gates

    def _gate(self, gate: RegionGate) -> Element:
        element = Element("Gate")
        match gate:
            case RangeGate() | RectangleGate() | QuadrantGate():
                element.append(self._box(gate))
            case PolygonGate():
                element.append(self._polygon(gate))
            case EllipseGate():
                element.append(self._ellipse(gate))
            case _:
                assert_never(gate)
        return element

    def _box(self, gate: RangeGate | RectangleGate | QuadrantGate) -> Element:
        element = Element(tag("RectangleGate"), eventsInside="1")
        for marker, (low, high) in gate.sides().items():
            scale = self._axis(marker)
            bounds = Bounds(min=low, max=high)
            dimension = self._dimension(element, marker)
            for key, value in (("min", bounds.min), ("max", bounds.max)):
                if value is not None:
                    in_data = float(scale.inverse(value)) if gate.units == "scale" else value
                    self._edge(marker, float(scale.unbounded(in_data)))
                    dimension.set(tag(key), repr(self._stored(marker, in_data)))
        return element

    def _polygon(self, gate: PolygonGate) -> Element:
        element = Element(tag("PolygonGate"), eventsInside="1", quadId="-1", gateResolution="256")
        scales = [self._axis(marker) for marker in (gate.x, gate.y)]
        for marker in (gate.x, gate.y):
            self._dimension(element, marker)
        for vertex in gate.vertices:
            values = []
            for marker, scale, place in zip((gate.x, gate.y), scales, vertex, strict=True):
                value = float(scale.inverse(place)) if gate.units == "scale" else place
                self._edge(marker, float(scale.unbounded(value)))
                values.append(self._stored(marker, value))
            _vertex(element, values)
        return element

    def _note_ends(self) -> None:
        """Say that FlowJo, and an import from it, takes a gate that ends at the end of a display as open there."""
        for written, values in self._edges.items():
            scale = self._scales[written]
            if scale.bound_min is not None or (isinstance(scale, LinearScale) and written not in self._shown):
                continue
            low, high = (0.0, self._top(written)) if isinstance(scale, LinearScale) else (0.0, 1.0)
            is_table = isinstance(scale, LogicleScale) and self.logicle_as is LogicleAs.BIEX
            slack = (high - low) * (1 / TABLE_STEPS if is_table else 1e-9)
            reached = [low] * (min(values) <= low + slack) + [high] * (max(values) >= high - slack)
            for end in reached:
                self.losses.append(
                    f"gates that end at the end of {written}'s display, at {float(scale.inverse(end)):.6g}, are open "
                    "there in FlowJo"
                )

    def _edge(self, marker: str, place: float) -> None:
        self._edges.setdefault(self._written(marker), []).append(place)

    def _stored(self, marker: str, value: float) -> float:
        """Return a data value as FlowJo writes it: Time in seconds."""
        step = positive(self.file.keywords.get("$TIMESTEP"))
        if step is None or self.file.channels.get(marker, "").casefold() != "time":
            return value
        product = value * step
        near = (product, math.nextafter(product, math.inf), math.nextafter(product, -math.inf))
        return next((one for one in near if one / step == value), product)

    def _ellipse(self, gate: EllipseGate) -> Element:
        if len(gate.axes) != 2 or gate.as_formula:
            raise _NoWordError(f"FlowJo has ellipses on two axes only, this one is on {len(gate.axes)}")
        element = Element(tag("EllipsoidGate"), eventsInside="1")
        ends = []
        for marker in gate.axes:
            scale = self._axis(marker)
            is_linear = isinstance(scale, LinearScale)
            ends.append((0.0, self._top(self._written(marker))) if is_linear else (0.0, 1.0))
            if is_linear:
                self._shown.add(self._written(marker))
            self._dimension(element, marker)
        for marker, middle, half in zip(gate.axes, gate.center, np.sqrt(np.diagonal(gate.covariance)), strict=True):
            for sign in (-1, 1):
                self._edge(marker, float(middle + sign * half * math.sqrt(gate.distance_square)))
        size = np.diag([STEPS / (high - low) for low, high in ends])
        center = size @ (np.array(gate.center) - np.array([low for low, _ in ends]))
        shape = size @ np.array(gate.covariance) @ size * gate.distance_square
        squares, directions = np.linalg.eigh(shape)  # rising: the long axis is the last one
        short, long = np.sqrt(squares)
        reach = math.sqrt(max(float(squares[1] - squares[0]), 0.0))
        along, across = directions[:, 1], directions[:, 0]
        element.set(tag("distance"), repr(2 * float(long)))
        foci, edge = SubElement(element, tag("foci")), SubElement(element, tag("edge"))
        for sign in (-1, 1):
            _vertex(foci, (center + sign * reach * along).tolist())
        for offset in (long * along, -long * along, short * across, -short * across):
            _vertex(edge, (center + offset).tolist())
        return element

    # ------------------------------------------------------------ axes

    def _dimension(self, element: Element, marker: str) -> Element:
        dimension = SubElement(element, tag("dimension"))
        SubElement(dimension, tag("fcs-dimension", DATA_TYPE), {tag("name", DATA_TYPE): self._written(marker)})
        return dimension

    def _written(self, marker: str) -> str:
        """Return the channel as FlowJo calls it: with the prefix where it is compensated."""
        entry = self.file.template.panel[marker]
        if entry.ratio is not None or entry.fluorochrome is not None:
            raise _NoWordError(f"{marker} is made of several channels, which FlowJo has as a derived parameter only")
        channel = self.file.channels.get(marker)
        if channel is None:
            raise _NoWordError(f"the file has no channel for {marker}")
        matrix = self.file.matrix
        source = entry.compensation or self.file.template.compensation.source
        is_compensated = matrix is not None and source not in ("none", UNMIXED) and channel in matrix.detectors
        if is_compensated and entry.compensation not in (None, self.file.template.compensation.source):
            raise _NoWordError(f"{marker} goes through another matrix, and a FlowJo sample has one")
        return f"{COMPENSATED}{channel}" if is_compensated else channel

    def _axis(self, marker: str) -> AnyScale:
        """Return the scale that a gate on a marker is drawn on, and note that FlowJo needs it."""
        scale = self.file.template.scale(marker)
        written = self._written(marker)
        if not isinstance(scale, LinearScale | LogicleScale | LogScale | AsinhScale):
            raise _NoWordError(f"{marker} is drawn on a {scale.kind} scale, which FlowJo does not have")
        if isinstance(scale, LinearScale) and scale.T is not None:
            raise _NoWordError(f"{marker} is drawn on a linear scale with other ends than FlowJo's")
        if isinstance(scale, LogicleScale) and scale.A < 0:
            raise _NoWordError(f"{marker} is drawn on a logicle scale with A below 0, which FlowJo does not have")
        if self._scales.setdefault(written, scale) != scale:
            raise _NoWordError(f"{written} is drawn on two scales, and FlowJo has one for a channel")
        return scale

    def _top(self, written: str) -> float:
        channel = written.removeprefix(COMPENSATED)
        return self.file.ranges.get(written, self.file.ranges.get(channel, 262144.0))

    def _display(self, written: str, scale: AnyScale) -> Element:
        return write_display(scale, written, top=self._top(written), logicle_as=self.logicle_as)


class _NoWordError(Exception):
    """FlowJo has no word for a gate; the message says why."""


def _vertex(element: Element, values: Iterable[float]) -> None:
    vertex = SubElement(element, tag("vertex"))
    for value in values:
        SubElement(vertex, tag("coordinate"), {tag("value", DATA_TYPE): repr(value)})


def _printable(text: str) -> str:
    """Return text without the characters that XML does not allow."""
    return "".join(letter for letter in text if letter >= " " or letter in "\t\n\r")
