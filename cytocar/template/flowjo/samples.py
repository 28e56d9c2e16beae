"""The gates of one sample of a FlowJo workspace, with the counts that FlowJo stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct, field

from cytocar.errors.tree import TemplateError
from cytocar.regions.boolean import BooleanGate
from cytocar.regions.kinds import FixedGate
from cytocar.signals.compensation import Matrix
from cytocar.signals.marker import Marker
from cytocar.signals.scales import AnyScale
from cytocar.template.flowjo.gates import read_gate
from cytocar.template.flowjo.matrices import Compensated, read_matrix
from cytocar.template.flowjo.names import Path, named_populations, short_names
from cytocar.template.flowjo.panel import SamplePanel
from cytocar.template.gatingml.xml import children, declaration, local_name, required
from cytocar.template.model import Compensation, Population, Template

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

BOOLEANS = {"AndNode": "all_of", "OrNode": "any_of", "NotNode": "none_of"}


class Counted(Struct, frozen=True):
    """A population as FlowJo knows it: its path, and its events where FlowJo has counted them."""

    path: Path
    events: int | None
    is_binned: bool


class WorkspaceSample(Struct, frozen=True, eq=False):
    """One sample of a workspace.

    Parameters
    ----------
    sample_id : str
        FlowJo's ``sampleID``.
    name : str
        What FlowJo shows, usually the file's name.
    keywords : mapping
        The file's keywords that FlowJo keeps.
    file_name : str
        The last part of the address that FlowJo read it from.
    panel, scales, matrix, populations
        Its gates as parts of a template; ``matrix`` by its name, and None where no gate goes through it.
    counts : mapping
        Population to what FlowJo stored about it.
    total : int or None
        FlowJo's events of the sample.
    losses : tuple of str
        What was left out, by its path.
    """

    sample_id: str
    name: str
    keywords: Mapping[str, str]
    file_name: str
    panel: Mapping[str, Marker]
    scales: Mapping[str, AnyScale]
    matrix: tuple[str, Matrix] | None
    populations: tuple[Population, ...]
    counts: Mapping[str, Counted]
    total: int | None
    losses: tuple[str, ...]
    needs_matrix: bool = False

    def template(self, name: str, *, title: str) -> Template:
        """Return the sample's gates as a template."""
        source = self.matrix[0] if self.matrix is not None else "file"
        return Template(
            name=name,
            version="1.0.0",
            title=title,
            panel=dict(self.panel),
            compensation=Compensation(
                source=source,
                missing="fail" if self.needs_matrix and self.matrix is None else "none",
                matrices=dict([self.matrix]) if self.matrix is not None else {},
            ),
            scales=dict(self.scales),
            populations=self.populations,
        )


def read_sample(element: Element, *, uses_gain: bool = False) -> WorkspaceSample:
    """The content of a ``<Sample>``."""
    node = next(children(element, "SampleNode"), element)
    keywords = {
        entry.get("name", ""): entry.get("value", "").strip()
        for listed in children(element, "Keywords")
        for entry in children(listed, "Keyword")
    }
    transformations: dict[str, Element] = {}
    for listed in children(element, "Transformations"):
        for entry in listed:
            for parameter in children(entry, "parameter"):
                transformations[required(parameter, "name")] = entry
    compensated = next((read_matrix(entry) for entry in children(element, "spilloverMatrix")), Compensated())
    panel = SamplePanel(keywords, transformations, compensated, uses_gain=uses_gain)
    tree = _Tree(panel)
    tree.read(node, ())
    tree.settle_booleans()
    tree.note_display()
    names = short_names(tree.gates)
    data_set = next(children(element, "DataSet"), element)
    goes_through = compensated.matrix is not None and panel.is_compensated
    return WorkspaceSample(
        sample_id=node.get("sampleID") or data_set.get("sampleID") or "",
        name=node.get("name", ""),
        keywords=keywords,
        file_name=data_set.get("uri", "").replace("\\", "/").rpartition("/")[2],
        panel=panel.markers,
        scales=panel.scales(),
        matrix=(compensated.name, compensated.matrix) if goes_through and compensated.matrix is not None else None,
        populations=tuple(named_populations(tree.gates, tree.operands, names)),
        counts={name: tree.counts[path] for path, name in names.items()},
        total=_count(node),
        losses=tuple(tree.losses),
        needs_matrix=panel.is_compensated,
    )


def has_gates(node: Element) -> bool:
    """True if populations stand under a sample or a group."""
    return any(_kind(entry) for listed in children(node, "Subpopulations") for entry in listed)


def _kind(entry: Element) -> bool:
    return local_name(entry) == "Population" or local_name(entry) in BOOLEANS


def _count(node: Element) -> int | None:
    text = node.get("count", "").strip()
    return int(text) if text.isdecimal() else None


class _Tree(Struct):
    """The populations of a sample by their path; boolean ones wait until what they refer to is known."""

    panel: SamplePanel
    gates: dict[Path, FixedGate] = field(default_factory=dict)
    operands: dict[Path, dict[str, tuple[Path, ...]]] = field(default_factory=dict)
    counts: dict[Path, Counted] = field(default_factory=dict)
    losses: list[str] = field(default_factory=list)
    waiting: list[tuple[Element, Path]] = field(default_factory=list)

    def read(self, node: Element, parent: Path) -> None:
        """Read the populations under a node."""
        for listed in children(node, "Subpopulations"):
            for entry in listed:
                if local_name(entry) == "Population":
                    self._population(entry, (*parent, entry.get("name", "").strip() or "unnamed"))
                elif local_name(entry) in BOOLEANS:
                    self.waiting.append((entry, (*parent, entry.get("name", "").strip() or "unnamed")))

    def _population(self, entry: Element, path: Path) -> None:
        region = next((shape for gate in children(entry, "Gate") for shape in gate), None)
        if region is None:
            self._lose(path, "without a gate")
            return
        try:
            gate = read_gate(region, self.panel.axis)
        except TemplateError as error:
            self._lose(path, error.message)
            return
        if path in self.gates:
            self._lose(path, "a sister has the same name")
            return
        if region.get("eventsInside", "1") == "0":
            inside = (*path[:-1], f"{path[-1]} (inside)")
            self.gates[inside] = gate
            self.counts[inside] = Counted(inside, None, is_binned=False)
            self.operands[path] = {"none_of": (inside,)}
            gate = BooleanGate(none_of=(path[-1],))  # by its name, once names are known
        self._add(entry, path, gate, is_binned=local_name(region) in ("PolygonGate", "EllipsoidGate"))

    def _add(self, entry: Element, path: Path, gate: FixedGate, *, is_binned: bool) -> None:
        self.gates[path] = gate
        self.counts[path] = Counted(path, _count(entry), is_binned)
        self.read(entry, path)

    def settle_booleans(self) -> None:
        """Read boolean populations, which may refer to any other, also to later ones."""
        progress = True
        while self.waiting and progress:
            waiting, self.waiting = self.waiting, []
            progress = False
            for entry, path in waiting:
                read = {"/".join(one): one for one in self.gates}
                operands = [read.get(one) for one in _dependents(entry)]
                if path in self.gates or not operands or None in operands:
                    self.waiting.append((entry, path))
                    continue
                key = BOOLEANS[local_name(entry)]
                self.operands[path] = {key: tuple(dict.fromkeys(one for one in operands if one is not None))}
                gate = declaration(entry, BooleanGate, {"kind": "boolean", key: (path[-1],)})
                self._add(entry, path, gate, is_binned=False)  # its own boolean children wait from now on
                progress = True
        read = {"/".join(one): one for one in self.gates}
        for entry, path in self.waiting:
            missing = [one for one in _dependents(entry) if one not in read]
            why = f"refers to {', '.join(missing)}, which was not read" if missing else "refers to no gate"
            self._lose(path, why)

    def note_display(self) -> None:
        """Say once where FlowJo decides on a table or in steps, and which unknown scales bounds stand on."""
        axes = self.panel.axes.values()
        binned = ["/".join(path) for path, counted in self.counts.items() if counted.is_binned]
        if binned:
            listed = ", ".join(binned[:3]) + (f" and {len(binned) - 3} more" if len(binned) > 3 else "")
            self.losses.append(
                f"the steps of FlowJo's display: it decides {listed} (polygons and ellipses) by the step that an event "
                "is drawn in, cytocar by its value: events on an edge may differ"
            )
        unknown: dict[str, list[str]] = {}
        for axis in axes:
            if axis.display.scale is None:
                unknown.setdefault(axis.display.kind, []).append(axis.marker)
        for kind, markers in unknown.items():
            self.losses.append(
                f"the scale {kind!r} of {', '.join(markers)} has no equivalent: bounds hold as data values, polygons "
                "and ellipses are left out; a bound at the end of its display is not open"
            )

    def _lose(self, path: Path, why: str) -> None:
        self.losses.append(f"{'/'.join(path)} and everything under it: {why}")


def _dependents(entry: Element) -> list[str]:
    return [required(one, "name") for listed in children(entry, "Dependents") for one in children(listed, "Dependent")]
