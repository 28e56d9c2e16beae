"""A Gating-ML 2.0 document becomes a template: one panel entry for each dimension, compensation and transformation.

Section numbers are those of the standard (Gating-ML 2.0, ISAC recommendation 2013). Numbers of gates stay on the scale
that they were drawn on (``units = "scale"``), so that no rounding moves an event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct, field

from cytocar.errors.tree import TemplateError
from cytocar.regions.boolean import BooleanGate
from cytocar.regions.boxes import Bounds, Divider, QuadrantGate, RangeGate, RectangleGate
from cytocar.regions.ellipse import EllipseGate, bounds_no_ellipse
from cytocar.regions.gate import Units
from cytocar.regions.kinds import FixedGate
from cytocar.regions.polygon import PolygonGate
from cytocar.signals.compensation import Matrix
from cytocar.signals.declaration import declare
from cytocar.signals.scales import LinearScale
from cytocar.template.gatingml.axes import PanelBuilder
from cytocar.template.gatingml.titles import read_title, tailored_gates, with_titles
from cytocar.template.gatingml.xml import (
    CYTOCAR,
    as_number,
    attribute,
    child,
    children,
    declaration,
    faulty,
    local_name,
    number,
    optional_number,
    parse_document,
    required,
)
from cytocar.template.model import Compensation, Population, Template

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

GATES = ("RectangleGate", "PolygonGate", "EllipsoidGate", "QuadrantGate", "BooleanGate")
EVERY_EVENT = "all"
OWN_NOTE = f"{{{CYTOCAR}}}template"


class Document(Struct, frozen=True):
    """What a document says: its gates as a template, our own note in it if any, and what was left behind."""

    template: Template
    note: Element | None
    losses: tuple[str, ...]


class _Reader(Struct):
    """The parts that gates refer to, by id, and what has been found so far."""

    transformations: Mapping[str, Element]
    matrices: Mapping[str, Matrix]
    panel: PanelBuilder
    populations: dict[str, Population] = field(default_factory=dict)
    losses: list[str] = field(default_factory=list)


def read_gatingml(data: bytes, *, source: str, name: str, sample: str | None = None) -> Document:
    """Return the gates of a Gating-ML 2.0 document as a template.

    Parameters
    ----------
    data : bytes
        The XML.
    source : str
        What to call it in messages.
    name : str
        The template's name.
    sample : str, optional
        The file whose tailored gates are wanted; the untailored ones otherwise.

    Raises
    ------
    TemplateError
        E140 not safe XML, E141 not Gating-ML 2.0, E142 not as the standard says, E144 no gates of this file.
    """
    root = parse_document(data, source=source)
    transformations = _by_id(children(root, "transformation"))
    matrices = {key: _matrix(element) for key, element in _by_id(children(root, "spectrumMatrix")).items()}
    reader = _Reader(transformations, matrices, PanelBuilder(transformations, matrices))
    gates = [element for element in root if isinstance(element.tag, str) and local_name(element) in GATES]
    if not gates:
        raise TemplateError(f"{source} holds no gate", code="E142", hint="export the gates, not only the compensation")
    _by_id(element for gate in gates for element in (gate, *children(gate, "Quadrant")))
    note = next((entry for info in children(root, "custom_info") for entry in info if entry.tag == OWN_NOTE), None)
    titles = {required(gate, "id"): read_title(gate) for gate in gates}
    gates, losses = tailored_gates(gates, titles, sample=sample)
    reader.losses += losses
    for gate in gates:
        _READERS[local_name(gate)](reader, gate)
    populations = _parents_first(reader.populations)
    template = Template(
        name=name,
        version="1.0.0",
        title=f"Imported from {source}",
        panel=reader.panel.markers(),
        compensation=Compensation(
            source="file", missing="fail" if reader.panel.needs_matrix else "none", matrices=dict(matrices)
        ),
        scales=reader.panel.scales(),
        populations=tuple(populations if note is not None else with_titles(populations, titles)),
    )
    return Document(template, note, tuple(reader.losses))


def _by_id(elements: Iterable[Element]) -> dict[str, Element]:
    by_id: dict[str, Element] = {}
    for element in elements:
        key = required(element, "id")
        if key in by_id:
            raise faulty(element, "has the id of another element")
        by_id[key] = element
    return by_id


def _matrix(element: Element) -> Matrix:
    """Read a spectrum matrix (section 6.3): one row for each fluorochrome, one coefficient for each detector."""
    names = {
        key: tuple(required(entry, "name") for entry in children(child(element, key), "fcs-dimension"))
        for key in ("fluorochromes", "detectors")
    }
    rows = [
        tuple(number(coefficient, "value") for coefficient in children(row, "coefficient"))
        for row in children(element, "spectrum")
    ]
    inverted = (attribute(element, "matrix-inverted-already") or "false").strip() in ("true", "1")
    return declaration(element, Matrix, {**names, "values": rows, "inverted": inverted})


# ---------------------------------------------------------------- gates


def _add(reader: _Reader, element: Element, gate: FixedGate, *, parent: str | None = None) -> None:
    name = _population(required(element, "id"))
    parent = parent or attribute(element, "parent_id")
    note = " ".join(" ".join(text.split()) for info in children(element, "custom_info") for text in info.itertext())
    reader.populations[name] = Population(
        name=name, parent=_population(parent) if parent else EVERY_EVENT, gate=gate, note=note.strip()[:500]
    )


def _population(identifier: str) -> str:
    """Return the population's name for a gate's id: the id, unless it means something else in a template."""
    return f"{identifier}_gate" if identifier == EVERY_EVENT else identifier


def _axes(reader: _Reader, element: Element, name: str = "dimension") -> list[tuple[Element, str]]:
    axes = [(dimension, reader.panel.entry(dimension)) for dimension in children(element, name)]
    if not axes:
        raise faulty(element, f"has no <{name}>")
    return axes


def _units(reader: _Reader, markers: Iterable[str]) -> Units:
    return "scale" if any(reader.panel.scale(marker) != LinearScale() for marker in markers) else "data"


def _rectangle(reader: _Reader, element: Element) -> None:
    """Read a rectangle in any number of dimensions (section 5.1.1): ``min <= x < max``."""
    bounds: dict[str, Bounds] = {}
    for dimension, marker in _axes(reader, element):
        low, high = optional_number(dimension, "min"), optional_number(dimension, "max")
        before = bounds.get(marker, Bounds())
        low = max((value for value in (low, before.min) if value is not None), default=None)
        high = min((value for value in (high, before.max) if value is not None), default=None)
        if low is not None and high is not None and low >= high:
            reader.losses.append(f"{required(element, 'id')}: min is not below max, so it holds no event")
            _add(reader, element, BooleanGate(none_of=(EVERY_EVENT,)))
            return
        bounds[marker] = Bounds(min=low, max=high)
    _add(reader, element, _box(reader, bounds))


def _box(reader: _Reader, bounds: Mapping[str, Bounds]) -> FixedGate:
    units = _units(reader, bounds)
    (marker, only), *more = bounds.items()
    if not more and only != Bounds():
        return RangeGate(marker=marker, min=only.min, max=only.max, units=units)
    return RectangleGate(bounds=dict(bounds), units=units)


def _polygon(reader: _Reader, element: Element) -> None:
    """Read a polygon (section 5.1.2), edges straight on the scales of its two dimensions, even-odd."""
    axes = [marker for _, marker in _axes(reader, element)]
    vertices = [
        tuple(number(coordinate, "value") for coordinate in children(vertex, "coordinate"))
        for vertex in children(element, "vertex")
    ]
    if len(axes) != 2 or len(vertices) < 3 or any(len(vertex) != 2 for vertex in vertices):
        raise faulty(element, "needs two dimensions and at least three vertices of two coordinates")
    units = _units(reader, axes)
    declared = {"kind": "polygon", "x": axes[0], "y": axes[1], "vertices": vertices, "units": units}
    _add(reader, element, declaration(element, PolygonGate, declared))


def _ellipsoid(reader: _Reader, element: Element) -> None:
    """Read an ellipsoid in any number of dimensions (section 5.1.3) by mean, covariance and squared distance."""
    rows = [
        tuple(number(entry, "value") for entry in children(row, "entry"))
        for row in children(child(element, "covarianceMatrix"), "row")
    ]
    declared = {
        "kind": "ellipse",
        "axes": [marker for _, marker in _axes(reader, element)],
        "center": [number(entry, "value") for entry in children(child(element, "mean"), "coordinate")],
        "covariance": rows,
        "distance_square": number(child(element, "distanceSquare"), "value"),
    }
    if len({len(row) for row in rows} | {len(rows)}) == 1 and bounds_no_ellipse(rows):
        declared["as_formula"] = True
        reader.losses.append(
            f"{required(element, 'id')}: its covariance is not symmetric or not positive definite, so it bounds no "
            "ellipsoid; events are decided by the standard's formula"
        )
    _add(reader, element, declaration(element, EllipseGate, declared))


# ---------------------------------------------------------------- quadrants


def _quadrants(reader: _Reader, element: Element) -> None:
    """Read a quadrant gate (section 5.1.4): each quadrant is a population; it stands where its positions are.

    A divider that a quadrant has no position on does not bound it.
    """
    dividers = {
        required(divider, "id"): (marker, _values(divider)) for divider, marker in _axes(reader, element, "divider")
    }
    for quadrant in children(element, "Quadrant"):
        cuts: dict[str, tuple[tuple[float, ...], int]] = {}
        for position in children(quadrant, "position"):
            reference = required(position, "divider_ref")
            if reference not in dividers:
                raise faulty(quadrant, f"has a position on a divider {reference!r} that its gate does not have")
            marker, values = dividers[reference]
            if marker in cuts:
                raise faulty(quadrant, f"has two positions on {marker}")
            location = number(position, "location")
            cuts[marker] = (values, sum(value <= location for value in values))
        if not cuts:
            raise faulty(quadrant, "has no <position>")
        parent = attribute(element, "parent_id")
        _add(reader, quadrant, _corner(reader, cuts), parent=parent)


def _values(divider: Element) -> tuple[float, ...]:
    values = sorted({as_number(divider, value.text) for value in children(divider, "value")})
    if not values:
        raise faulty(divider, "has no <value>")
    return tuple(values)


def _corner(reader: _Reader, cuts: Mapping[str, tuple[tuple[float, ...], int]]) -> QuadrantGate:
    dividers = [
        Divider(marker=marker, at=values[0] if len(values) == 1 else values) for marker, (values, _) in cuts.items()
    ]
    intervals = [interval for _, interval in cuts.values()]
    units = _units(reader, cuts)
    if len(dividers) == 2 and all(isinstance(divider.at, float) for divider in dividers):
        corner = {
            "x": dividers[0],
            "y": dividers[1],
            "keep": "".join("+" if interval else "-" for interval in intervals),
        }
    else:
        corner = {"axes": dividers, "keep": intervals}
    return declare(QuadrantGate, {"units": units, **corner})


# ---------------------------------------------------------------- boolean


def _boolean(reader: _Reader, element: Element) -> None:
    """Read a boolean gate (section 5.1.5). ``or`` with a complement needs the complement as a population."""
    operations = [entry for key in ("and", "or", "not") for entry in children(element, key)]
    if len(operations) != 1:
        raise faulty(element, "needs one of <and>, <or>, <not>")
    operands = [
        (
            _population(required(entry, "ref")),
            (attribute(entry, "use-as-complement") or "false").strip() in ("true", "1"),
        )
        for entry in children(operations[0], "gateReference")
    ]
    operation = local_name(operations[0])
    if not operands or (operation == "not" and len(operands) > 1):  # "and" of one gate is clear, if against the schema
        raise faulty(element, f"has {len(operands)} <gateReference> in <{operation}>")
    if operation == "not":
        operands = [(operands[0][0], not operands[0][1])]
    plain = tuple(dict.fromkeys(name for name, complement in operands if not complement))
    negated = tuple(dict.fromkeys(name for name, complement in operands if complement))
    if operation == "or":
        plain += tuple(_complement(reader, name) for name in negated)
        gate = BooleanGate(any_of=plain)
    else:
        gate = BooleanGate(all_of=plain, none_of=negated)
    _add(reader, element, gate)


def _complement(reader: _Reader, of: str) -> str:
    name = f"not {of}"
    reader.populations[name] = Population(
        name=name, gate=BooleanGate(none_of=(of,)), note="complement, for a gate that is any of several"
    )
    return name


_READERS = {
    "RectangleGate": _rectangle,
    "PolygonGate": _polygon,
    "EllipsoidGate": _ellipsoid,
    "QuadrantGate": _quadrants,
    "BooleanGate": _boolean,
}


# ---------------------------------------------------------------- order


def _parents_first(populations: Mapping[str, Population]) -> list[Population]:
    """Return populations in the document's order, each behind all that it refers to."""
    ordered: dict[str, Population] = {}
    open_names: dict[str, None] = {}

    def visit(name: str, wanted_by: str) -> None:
        if name in ordered or name == EVERY_EVENT:
            return
        if name not in populations:
            raise TemplateError(
                f"gate {wanted_by!r} refers to {name!r}, which the document does not have",
                code="E142",
                hint="export the gates together with their parents",
            )
        if name in open_names:
            raise TemplateError(
                f"gates refer to each other in a circle: {' > '.join([*open_names, name])}",
                code="E142",
                hint="a gate may not be its own parent or operand",
            )
        open_names[name] = None
        population = populations[name]
        for other in (population.parent, *population.gate.references()):
            visit(other, name)
        del open_names[name]
        ordered[name] = population

    for name in populations:
        visit(name, name)
    return list(ordered.values())
