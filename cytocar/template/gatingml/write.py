"""A template as it was applied to one sample becomes a Gating-ML 2.0 document.

Names are resolved to ``$PnN``, data-driven gates written where they came to lie. What the standard has no words for
goes into ``custom_info``: names with blanks, notes, the declaration of the whole template. Numbers in data units are
written on the untransformed dimension, so that any reader decides the same events; polygons and ellipses, whose edges
are straight on a scale, carry it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import assert_never
from xml.etree.ElementTree import Element, SubElement, indent, register_namespace, tostring

import numpy as np
from msgspec import Struct, field
from msgspec.structs import replace

from cytocar.errors.tree import TemplateError
from cytocar.regions.boolean import BooleanGate
from cytocar.regions.boxes import QuadrantGate, RangeGate, RectangleGate
from cytocar.regions.ellipse import EllipseGate
from cytocar.regions.kinds import FixedGate
from cytocar.regions.polygon import PolygonGate
from cytocar.signals.compensation import SpilloverMatrix
from cytocar.signals.scales import AnyScale, LinearScale
from cytocar.template.gatingml.scales import FUNCTIONS, PARAMETERS
from cytocar.template.gatingml.xml import CYTOCAR, DATA_TYPE, GATING, HIGHEST, TRANSFORMS, tag
from cytocar.template.model import Population, Template

for _prefix, _namespace in (
    ("gating", GATING),
    ("transforms", TRANSFORMS),
    ("data-type", DATA_TYPE),
    ("cytocar", CYTOCAR),
):
    register_namespace(_prefix, _namespace)

EVERY_EVENT = "all"

Sides = Mapping[str, tuple[float | None, float | None]]


class Applied(Struct, frozen=True, eq=False):
    """What a template became on one sample.

    Parameters
    ----------
    sample : str
        The sample's file.
    channels : mapping
        Marker to ``$PnN``.
    gates : mapping
        Population to the fixed gate that was applied; those that are not in it were fixed already.
    compensated : tuple of str
        Detectors of the matrix that the file carries and that Gating-ML's ``FCS`` means ($SPILLOVER, SPILL).
    matrix : SpilloverMatrix, optional
        What took the place of the template's source.
    """

    sample: str
    channels: Mapping[str, str]
    gates: Mapping[str, FixedGate]
    compensated: tuple[str, ...] = ()
    matrix: SpilloverMatrix | None = None


class _Axis(Struct, frozen=True):
    """How a dimension is written: which compensation, and which channel, dye or ratio.

    An ``untouched`` channel is in no matrix, so that any compensation leaves it as it is.
    """

    compensation: str
    name: str
    is_ratio: bool = False
    untouched: bool = False


class Writer(Struct):
    """The document in the making.

    ``names`` maps each gate's id to its population, ``helpers`` are gates that only exist because the standard needs a
    gate where a template has a word (``exclude``, several kinds of operands).
    """

    template: Template
    applied: Applied
    names: dict[str, str] = field(default_factory=dict)
    helpers: list[str] = field(default_factory=list)
    _ids: dict[str, str] = field(default_factory=dict)
    _used: set[str] = field(default_factory=lambda: {"root", "all", "uncompensated", "FCS"})
    _definitions: dict[str, Element] = field(default_factory=dict)
    _matrices: dict[str, tuple[str, SpilloverMatrix]] = field(default_factory=dict)
    _quadrants: dict[object, Element] = field(default_factory=dict)
    _gates: list[Element] = field(default_factory=list)

    def write(self) -> Element:
        """Return the root of the document, without the note about its origin."""
        for population in self.template.populations:
            self._ids[population.name] = self._free_id(population.name)
        for population in self.template.populations:
            gate = self.applied.gates.get(population.name, population.gate)
            if not isinstance(gate, FixedGate):
                raise TypeError(f"gate {population.name!r} was not placed")
            self._population(population, gate)
            self.names[self._ids[population.name]] = population.name
        root = Element(tag("Gating-ML"))
        root.extend(self._definitions.values())
        root.extend(self._gates)
        return root

    # ------------------------------------------------------------ ids

    def _free_id(self, text: str) -> str:
        """Return an XML id for a name, unique in the document."""
        plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", text.replace("+", "pos")).lstrip(".-") or "gate"
        plain = plain if plain[0].isalpha() or plain[0] == "_" else f"_{plain}"
        number = 1
        identifier = plain
        while identifier in self._used:
            number += 1
            identifier = f"{plain}_{number}"
        self._used.add(identifier)
        return identifier

    def _helper(self, identifier: str, kind: str, parent: str | None) -> Element:
        """Return a new gate that stands for no population."""
        element = Element(tag(kind), _attributes(id=identifier, parent_id=parent))
        SubElement(SubElement(element, tag("custom_info", DATA_TYPE)), tag("helper", CYTOCAR))
        self._gates.append(element)
        self.helpers.append(identifier)
        return element

    # ------------------------------------------------------------ populations

    def _population(self, population: Population, gate: FixedGate) -> None:
        parent = self._parent(population)
        match gate:
            case RangeGate() | RectangleGate():
                self._box(population, gate.sides(), gate.units, parent)
            case QuadrantGate():
                self._corner(population, gate, parent)
            case PolygonGate():
                self._polygon(self._gate(population, "PolygonGate", parent), gate)
            case EllipseGate():
                self._ellipse(self._gate(population, "EllipsoidGate", parent), gate)
            case BooleanGate():
                self._boolean(population, gate, parent)
            case _:
                assert_never(gate)

    def _gate(self, population: Population, kind: str, parent: str | None) -> Element:
        element = Element(tag(kind), _attributes(id=self._ids[population.name], parent_id=parent))
        _describe(element, population)
        self._gates.append(element)
        return element

    def _parent(self, population: Population) -> str | None:
        """Return the id of the parent; of the parent without the excluded populations if there are such."""
        parent = None if population.parent == EVERY_EVENT else self._ids[population.parent]
        if not population.exclude:
            return parent
        key = f"{population.parent} without {' and '.join(population.exclude)}"
        if key not in self._ids:
            self._ids[key] = self._free_id(key)
            element = self._helper(self._ids[key], "BooleanGate", parent)
            _combine(element, [(self._operand(name), True) for name in population.exclude])
        return self._ids[key]

    def _operand(self, name: str) -> str:
        """Return the id of a population, of a gate that holds every event for ``all``."""
        if name == EVERY_EVENT and name not in self._ids:
            self._ids[name] = self._free_id("every_event")
            element = self._helper(self._ids[name], "RectangleGate", None)
            channel = next(iter(self.applied.channels.values()))
            self._dimension(element, _Axis("uncompensated", channel), None).set(tag("min"), repr(-HIGHEST))
        return self._ids[name]

    # ------------------------------------------------------------ kinds of gates

    def _box(self, population: Population, sides: Sides, units: str, parent: str | None) -> None:
        element = self._gate(population, "RectangleGate", parent)
        for marker, (low, high) in sides.items():
            axis = self._axis(marker)
            dimension = self._dimension(element, axis, self._scale(marker) if units == "scale" else None)
            # The standard asks for one bound, FlowKit 1.3 for both where the dimension is a ratio.
            if low is not None or high is None or axis.is_ratio:
                dimension.set(tag("min"), repr(-HIGHEST if low is None else low))
            if high is not None or axis.is_ratio:
                dimension.set(tag("max"), repr(HIGHEST if high is None else high))

    def _corner(self, population: Population, gate: QuadrantGate, parent: str | None) -> None:
        if any(self._axis(marker).is_ratio for marker in gate.markers()):
            self._box(population, gate.sides(), gate.units, parent)  # dividers of ratios are beyond some readers
            return
        key = (parent, gate.dividers, gate.units)
        if key not in self._quadrants:
            element = Element(tag("QuadrantGate"), _attributes(id=self._free_id("quadrants"), parent_id=parent))
            for divider in gate.dividers:
                scale = self._scale(divider.marker) if gate.units == "scale" else None
                entry = self._dimension(element, self._axis(divider.marker), scale, name="divider")
                entry.set(tag("id"), self._free_id(f"divider_{divider.marker}"))
                for value in divider.values:
                    SubElement(entry, tag("value")).text = repr(value)
            self._quadrants[key] = element
            self._gates.append(element)
        element = self._quadrants[key]
        quadrant = SubElement(element, tag("Quadrant"), _attributes(id=self._ids[population.name]))
        entries = [entry for entry in element if entry.tag == tag("divider")]
        for entry, divider, interval in zip(entries, gate.dividers, gate.kept, strict=True):
            location = repr(_inside(divider.values, interval))
            SubElement(quadrant, tag("position"), _attributes(divider_ref=entry.attrib[tag("id")], location=location))

    def _polygon(self, element: Element, gate: PolygonGate) -> None:
        corners = np.array(gate.vertices)
        for index, marker in enumerate((gate.x, gate.y)):
            self._dimension(element, self._axis(marker), self._scale(marker))
            if gate.units == "data":
                corners[:, index] = self.template.scale(marker).unbounded(corners[:, index])
        if not np.isfinite(corners).all():
            raise TemplateError(
                f"polygon {element.attrib[tag('id')]!r} has a corner at or below 0 on a log scale",
                code="E143",
                hint="move the corner above 0, or draw the axis on a logicle or asinh scale",
            )
        for corner in corners.tolist():
            _point(SubElement(element, tag("vertex")), corner)

    def _ellipse(self, element: Element, gate: EllipseGate) -> None:
        for marker in gate.axes:
            self._dimension(element, self._axis(marker), self._scale(marker))
        _point(SubElement(element, tag("mean")), gate.center)
        matrix = SubElement(element, tag("covarianceMatrix"))
        for row in gate.covariance:
            entries = SubElement(matrix, tag("row"))
            for value in row:
                SubElement(entries, tag("entry"), {tag("value", DATA_TYPE): repr(value)})
        SubElement(element, tag("distanceSquare"), {tag("value", DATA_TYPE): repr(gate.distance_square)})

    def _boolean(self, population: Population, gate: BooleanGate, parent: str | None) -> None:
        wanted = [(self._operand(name), False) for name in gate.all_of]
        unwanted = [(self._operand(name), True) for name in gate.none_of]
        either = [(self._operand(name), False) for name in gate.any_of]
        if parent in [identifier for identifier, _ in (*wanted, *unwanted, *either)]:
            # FlowKit 1.3 loses a gate whose operand is its parent: the parent becomes an operand only.
            wanted = list(dict.fromkeys([(parent, False), *wanted]))
            parent = None
        if either and (wanted or unwanted):
            helper = self._free_id(f"{population.name}_any_of")
            _combine(self._helper(helper, "BooleanGate", None), either, operation="or")
            either = [(helper, False)]
        operation = "or" if either and not (wanted or unwanted) else "and"
        _combine(self._gate(population, "BooleanGate", parent), wanted + unwanted + either, operation=operation)

    # ------------------------------------------------------------ dimensions, transformations, matrices

    def _dimension(self, parent: Element, axis: _Axis, scale: AnyScale | None, *, name: str = "dimension") -> Element:
        element = SubElement(parent, tag(name), _attributes(**{"compensation-ref": axis.compensation}))
        if scale is not None:
            element.set(tag("transformation-ref"), self._transformation(scale))
        if axis.is_ratio:
            SubElement(element, tag("new-dimension", DATA_TYPE), {tag("transformation-ref", DATA_TYPE): axis.name})
        else:
            SubElement(element, tag("fcs-dimension", DATA_TYPE), {tag("name", DATA_TYPE): axis.name})
        return element

    def _scale(self, marker: str) -> AnyScale | None:
        scale = self.template.scale(marker)
        return None if scale == LinearScale() else scale

    def _axis(self, marker: str) -> _Axis:
        ratio = self.template.panel[marker].ratio
        if ratio is None:
            return self._channel(marker)
        numerator, denominator = self._channel(ratio.numerator), self._channel(ratio.denominator)
        compensation = (denominator if numerator.untouched else numerator).compensation
        if compensation != denominator.compensation and not denominator.untouched:
            raise TemplateError(
                f"the ratio {marker!r} is made of two channels that are compensated differently, "
                "which Gating-ML cannot say",
                code="E143",
                hint="compensate both in the same way",
            )
        key = f"ratio {marker}"
        if key not in self._definitions:
            element = Element(tag("transformation", TRANSFORMS), {tag("id", TRANSFORMS): self._free_id(key)})
            constants = {tag(letter, TRANSFORMS): repr(getattr(ratio, letter)) for letter in "ABC"}
            function = SubElement(element, tag("fratio", TRANSFORMS), constants)
            for operand in (numerator, denominator):
                SubElement(function, tag("fcs-dimension", DATA_TYPE), {tag("name", DATA_TYPE): operand.name})
            self._definitions[key] = element
        return _Axis(compensation, self._definitions[key].attrib[tag("id", TRANSFORMS)], is_ratio=True)

    def _channel(self, marker: str) -> _Axis:
        declared = self.template.panel[marker]
        channel = self.applied.channels.get(marker, "")
        source = declared.compensation or self.template.compensation.source
        if declared.compensation is None and self.applied.matrix is not None:
            identifier, matrix = self._matrix(self.applied.matrix.origin, self.applied.matrix)
        elif source in ("none", "file"):
            is_in_matrix = channel in self.applied.compensated
            how = "FCS" if source == "file" and is_in_matrix else "uncompensated"
            return _Axis(how, channel, untouched=not is_in_matrix)
        else:
            model = self.template.compensation.matrices[source]
            identifier, matrix = self._matrix(source, SpilloverMatrix.from_model(model, origin=source))
        row = matrix.row(declared.fluorochrome or channel)
        if row is None:
            return _Axis("uncompensated", channel, untouched=True)
        return _Axis(identifier, matrix.fluorochromes[row])

    def _matrix(self, name: str, matrix: SpilloverMatrix) -> tuple[str, SpilloverMatrix]:
        if name not in self._matrices:
            identifier = self._free_id(name)
            element = Element(tag("spectrumMatrix", TRANSFORMS), {tag("id", TRANSFORMS): identifier})
            for key, names in (("fluorochromes", matrix.fluorochromes), ("detectors", matrix.detectors)):
                listed = SubElement(element, tag(key, TRANSFORMS))
                for entry in names:
                    SubElement(listed, tag("fcs-dimension", DATA_TYPE), {tag("name", DATA_TYPE): entry})
            # Written as a spillover matrix even where the template holds the inverse: some readers ignore the flag.
            values = np.linalg.pinv(matrix.values) if matrix.inverted else matrix.values
            for row in values.tolist():
                spectrum = SubElement(element, tag("spectrum", TRANSFORMS))
                for value in row:
                    SubElement(spectrum, tag("coefficient", TRANSFORMS), {tag("value", TRANSFORMS): repr(value)})
            self._definitions[f"matrix {name}"] = element
            self._matrices[name] = (identifier, matrix)
        return self._matrices[name]

    def _transformation(self, scale: AnyScale) -> str:
        key = f"scale {scale!r}"
        if key not in self._definitions:
            element = Element(tag("transformation", TRANSFORMS), {tag("id", TRANSFORMS): self._free_id(scale.kind)})
            for name, bound in (("boundMin", scale.bound_min), ("boundMax", scale.bound_max)):
                if bound is not None:
                    element.set(tag(name, TRANSFORMS), repr(bound))
            # A bounded identity is flin with T = 1, A = 0: (x + 0) / (1 + 0).
            written = replace(scale, T=1.0) if scale.T is None else scale
            function = FUNCTIONS[scale.kind]
            parameters = {tag(letter, TRANSFORMS): repr(getattr(written, letter)) for letter in PARAMETERS[scale.kind]}
            SubElement(element, tag(function, TRANSFORMS), parameters)
            self._definitions[key] = element
        return self._definitions[key].attrib[tag("id", TRANSFORMS)]


# ---------------------------------------------------------------- small pieces


def serialize(root: Element) -> bytes:
    """Return a document as indented UTF-8."""
    indent(root)
    text: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def add_note(root: Element, text: str, *, sample: str) -> None:
    """Put our note about the document's origin at its end; the standard leaves ``custom_info`` to each program."""
    info = SubElement(root, tag("custom_info", DATA_TYPE))
    SubElement(info, tag("template", CYTOCAR), {"sample": sample}).text = text


def _attributes(**values: str | None) -> dict[str, str]:
    return {tag(key): value for key, value in values.items() if value is not None}


def _describe(element: Element, population: Population) -> None:
    info = SubElement(element, tag("custom_info", DATA_TYPE))
    SubElement(info, tag("population", CYTOCAR), {"name": population.name}).text = population.note


def _point(element: Element, values: Sequence[float]) -> None:
    for value in values:
        SubElement(element, tag("coordinate"), {tag("value", DATA_TYPE): repr(value)})


def _inside(values: Sequence[float], interval: int) -> float:
    """Return a place inside an interval between dividing values."""
    if interval == 0:
        return values[0] - max(1.0, abs(values[0]))
    if interval == len(values):
        return values[-1] + max(1.0, abs(values[-1]))
    return (values[interval - 1] + values[interval]) / 2


def _combine(element: Element, operands: Sequence[tuple[str, bool]], *, operation: str = "and") -> None:
    """Write a boolean operation; ``and`` and ``or`` need two operands, so a single one is named twice."""
    if len(operands) == 1 and operands[0][1]:
        operation, operands = "not", [(operands[0][0], False)]
    elif len(operands) == 1:
        operands = [*operands, *operands]
    parent = SubElement(element, tag(operation))
    for identifier, is_complement in operands:
        reference = SubElement(parent, tag("gateReference"), _attributes(ref=identifier))
        if is_complement:
            reference.set(tag("use-as-complement"), "true")
