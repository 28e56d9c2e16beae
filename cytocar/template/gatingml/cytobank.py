"""A template as applied to one sample in Cytobank's form of Gating-ML: gates without parents, and gate sets over them.

A population is a *gate set*: a boolean gate over every gate on its way. Titles, numbers and the definition of a set
stand in ``custom_info`` as Cytobank writes them. Boolean populations, which Cytobank's sets cannot say, stay boolean
gates of the standard.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from xml.etree.ElementTree import Element, SubElement

from msgspec import Struct, field

from cytocar.regions.boxes import Bounds, QuadrantGate, RectangleGate
from cytocar.regions.kinds import FixedGate
from cytocar.template.gatingml.write import Applied, Writer, serialize
from cytocar.template.gatingml.xml import DATA_TYPE, attribute, local_name, tag
from cytocar.template.model import Template

VERSION = "5"
"""Version of Cytobank's own entries."""
FILE_INTERNAL, UNCOMPENSATED = "-2", "-1"
"""Cytobank's numbers of compensations: the file's own matrix, and none."""


def export_cytobank(template: Template, applied: Applied) -> bytes:
    """Return a template, as applied to one sample, as Cytobank writes its gates.

    Raises
    ------
    TemplateError
        E143 where a gate cannot be said in Gating-ML.
    """
    gates = {one.name: applied.gates.get(one.name, one.gate) for one in template.populations}
    boxes: dict[str, FixedGate] = {
        name: _box(gate) if isinstance(gate, QuadrantGate) else gate
        for name, gate in gates.items()
        if isinstance(gate, FixedGate)
    }
    writer = Writer(template, Applied(applied.sample, applied.channels, boxes, applied.compensated, applied.matrix))
    return serialize(_Sets(writer.write(), writer.names).arranged())


def _box(gate: QuadrantGate) -> RectangleGate:
    """Return a quadrant's corner as a rectangle: Cytobank has quadrants as four gates."""
    bounds = {marker: Bounds(min=low, max=high) for marker, (low, high) in gate.sides().items()}
    return RectangleGate(bounds=bounds, units=gate.units)


class _Sets(Struct):
    """A document whose gates have parents, becoming one of gates and gate sets.

    ``titles`` maps each gate's id to its population; gates without one are helpers.
    """

    root: Element
    titles: Mapping[str, str]
    _numbers: dict[str, int] = field(default_factory=dict)
    _parents: dict[str, str] = field(default_factory=dict)
    _plain: set[str] = field(default_factory=set)

    def arranged(self) -> Element:
        """Return the root."""
        gates = {identifier: one for one in self.root if (identifier := attribute(one, "id")) and _is_gate(one)}
        for identifier, gate in gates.items():
            parent = attribute(gate, "parent_id")
            if parent is not None:
                self._parents[identifier] = parent
            if identifier in self.titles:
                self._numbers[identifier] = len(self._numbers) + 1
                if local_name(gate) != "BooleanGate":
                    self._plain.add(identifier)
        for identifier, gate in gates.items():
            self._arrange(identifier, gate)
        for identifier in gates:
            if identifier in self._plain:
                self.root.append(self._set(identifier))
        return self.root

    def _arrange(self, identifier: str, gate: Element) -> None:
        for info in [child for child in gate if local_name(child) == "custom_info"]:
            gate.remove(info)
        if identifier in self.titles:
            gate.insert(0, self._custom_info(identifier, gate))
        if identifier in self._plain:
            gate.attrib.pop(tag("parent_id"), None)
            gate.set(tag("id"), self._gate_id(identifier))
        elif identifier in self._parents:
            gate.set(tag("parent_id"), self._reference(self._parents[identifier]))
        for reference in gate.iter(tag("gateReference")):
            reference.set(tag("ref"), self._reference(reference.attrib[tag("ref")]))

    def _set(self, identifier: str) -> Element:
        """Return the gate set of a population: its gate and all above it, up to a boolean one."""
        way, place = [], identifier
        while place in self._plain:
            way.append(place)
            place = self._parents.get(place, "")
        numbers = [self._numbers[one] for one in reversed(way)]
        element = Element(tag("BooleanGate"), {tag("id"): self._reference(identifier)})
        info = SubElement(SubElement(element, tag("custom_info", DATA_TYPE)), "cytobank")
        SubElement(info, "name").text = self.titles[identifier]
        SubElement(info, "gate_set_id").text = str(self._numbers[identifier])
        if not place:
            SubElement(info, "definition").text = json.dumps({"gates": numbers, "negGates": []})
        operands = [self._gate_id(one) for one in reversed(way)] + ([self._reference(place)] if place else [])
        both = SubElement(element, tag("and"))
        for operand in operands * 2 if len(operands) == 1 else operands:
            SubElement(both, tag("gateReference"), {tag("ref"): operand})
        return element

    def _custom_info(self, identifier: str, gate: Element) -> Element:
        info = Element(tag("custom_info", DATA_TYPE))
        described = SubElement(info, "cytobank")
        references = {attribute(one, "compensation-ref") for one in gate.iter(tag("dimension"))}
        entries = {
            "name": self.titles[identifier],
            "id": str(self._numbers[identifier]),
            "gate_id": str(self._numbers[identifier]),
            "type": local_name(gate),
            "version": VERSION,
            "compensation_id": UNCOMPENSATED if references == {"uncompensated"} else FILE_INTERNAL,
            "fcs_file_id": "",
            "fcs_file_filename": "",
            "tailored": "false",
        }
        for name, text in entries.items():
            SubElement(described, name).text = text
        return info

    def _gate_id(self, identifier: str) -> str:
        """Return Cytobank's id of a gate: its number and its title in base 64."""
        title = base64.urlsafe_b64encode(self.titles[identifier].encode()).decode().replace("=", "")
        return f"Gate_{self._numbers[identifier]}_{title}"

    def _reference(self, identifier: str) -> str:
        """The identifier of a population wherever others refer to it."""
        return f"GateSet_{self._numbers[identifier]}" if identifier in self._plain else identifier


def _is_gate(element: Element) -> bool:
    return isinstance(element.tag, str) and local_name(element).endswith("Gate")
