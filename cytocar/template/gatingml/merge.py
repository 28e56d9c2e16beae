"""An exported template that was edited elsewhere: geometry wins, everything that could not be kept is listed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, field
from msgspec.structs import asdict, replace

from cytocar.regions.kinds import FixedGate
from cytocar.signals.marker import Marker
from cytocar.signals.scales import LinearScale
from cytocar.template.faults import check_document
from cytocar.template.gatingml.fingerprint import axis_description
from cytocar.template.model import Population, Report, Template


class Origin(Struct, frozen=True):
    """The note in an exported document.

    Parameters
    ----------
    template : Template
        The original.
    sample : str
        The file that its gates were placed on.
    names : mapping
        Gate id to population.
    helpers : tuple of str
        Ids of gates that stand for no population.
    parents : mapping
        Gate id to the id of its parent as it was written.
    axes, data_axes : mapping
        Description of an axis as it was written to the marker behind it: with its scale, and (for bounds in data units,
        which no scale can move) without.
    fingerprints : mapping
        Gate id to the digest of what was written.
    """

    template: Template
    sample: str
    names: Mapping[str, str]
    helpers: Sequence[str]
    parents: Mapping[str, str]
    axes: Mapping[str, str]
    data_axes: Mapping[str, str]
    fingerprints: Mapping[str, str]

    def to_json(self) -> str:
        """Return the note's text, ASCII, so that every XML program carries it unharmed."""
        content = {key: getattr(self, key) for key in self.__struct_fields__ if key != "template"}
        return json.dumps({"template": self.template.beyond_defaults(), **content}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Origin | None:
        """Return the note of a document, none if it is damaged."""
        try:
            content = json.loads(text)
            template, _ = check_document(content.pop("template"))
            origin = None if template is None else cls(template=template, **content)
            return origin if origin is not None and origin._holds_together() else None
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
            return None

    def _holds_together(self) -> bool:
        """True if the note speaks of its own template: anybody may have written into it."""
        populations = {population.name for population in self.template.populations}
        markers = {*self.axes.values(), *self.data_axes.values()}
        return set(self.names.values()) <= populations and markers <= self.template.panel.keys()


def merge(plain: Template, origin: Origin, fingerprints: Mapping[str, str]) -> tuple[Template, list[str]]:
    """Return the original template with the gates of an edited document, and what was lost.

    Parameters
    ----------
    plain : Template
        The document's gates as they stand.
    origin : Origin
        Its note.
    fingerprints : mapping
        Fingerprints of the document's gates.
    """
    merging = _Merging(plain, origin, fingerprints)
    for population in plain.populations:
        merging.add(population)
    return merging.finish()


class _Merging(Struct):
    plain: Template
    origin: Origin
    fingerprints: Mapping[str, str]
    panel: dict[str, Marker] = field(default_factory=dict)
    scales: dict[str, Any] = field(default_factory=dict)
    added: dict[str, str] = field(default_factory=dict)
    populations: dict[str, Population] = field(default_factory=dict)
    losses: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.panel = dict(self.origin.template.panel)
        self.scales = dict(self.origin.template.scales)

    # ------------------------------------------------------------ populations

    def add(self, drawn: Population) -> None:
        """Take one gate of the document over."""
        same = self.fingerprints[drawn.name] == self.origin.fingerprints.get(drawn.name)
        name = self.origin.names.get(drawn.name)
        if name is None:
            self._add_new(drawn, is_helper=same and drawn.name in self.origin.helpers)
            return
        original = self.origin.template.population(name)
        if same and isinstance(original.gate, FixedGate):
            self.populations[drawn.name] = original
            return
        gate = self._gate(drawn)
        if not isinstance(original.gate, FixedGate):
            how = "edited elsewhere" if not same else f"now fixed where it lay on {self.origin.sample}"
            self.losses.append(f"{name}: was found by {original.gate.kind}, {how}")
        else:
            self.losses.append(f"{name}: edited elsewhere, the document's gate is used")
        changed: dict[str, object] = {"gate": gate}
        if drawn.parent != self.origin.parents.get(drawn.name):
            changed |= {"parent": self._name(drawn.parent), "exclude": ()}
            if original.exclude:
                self.losses.append(f"{name}: moved elsewhere, {', '.join(original.exclude)} no longer set aside")
        self.populations[drawn.name] = replace(original, **changed)

    def _add_new(self, drawn: Population, *, is_helper: bool) -> None:
        if not is_helper:
            self.losses.append(f"{drawn.name}: added elsewhere, without a note and without a role in the report")
        update = {"gate": self._gate(drawn), "parent": self._name(drawn.parent)}
        self.populations[drawn.name] = replace(drawn, **update)

    def _name(self, identifier: str) -> str:
        return self.origin.names.get(identifier, identifier)

    def _gate(self, drawn: Population) -> FixedGate:
        """Return a gate of the document on the markers of the original template."""
        gate = drawn.gate
        if not isinstance(gate, FixedGate):
            raise TypeError(f"{drawn.name!r} of an imported document is not fixed")
        if gate.kind == "boolean":
            operands = {
                key: tuple(self._name(entry) for entry in getattr(gate, key)) for key in ("all_of", "any_of", "none_of")
            }
            return replace(gate, **operands)
        return gate.with_markers(lambda marker: self._marker(marker, in_data_units=not gate.depends_on_scale))

    # ------------------------------------------------------------ panel

    def _marker(self, marker: str, *, in_data_units: bool) -> str:
        known = self.origin.data_axes if in_data_units else self.origin.axes
        description = axis_description(self.plain, marker, with_scale=not in_data_units)
        if description in known:
            return known[description]
        if marker not in self.added:
            self.added[marker] = self._new_marker(marker)
        return self.added[marker]

    def _new_marker(self, marker: str) -> str:
        """Add a panel entry for an axis that the original template does not have."""
        name = marker
        while name in self.panel:
            name += " (edited)"
        entry = self.plain.panel[marker]
        if entry.ratio is not None:
            operands = {
                key: self._marker(getattr(entry.ratio, key), in_data_units=True) for key in ("numerator", "denominator")
            }
            entry = replace(entry, ratio=replace(entry.ratio, **operands))
        elif entry.compensation is None and self.origin.template.compensation.source != "file":
            entry = replace(entry, compensation="file")
        self.panel[name] = entry
        # Without a scale of its own the axis would take the template's default.
        self.scales[name] = self.plain.scales.get(marker, LinearScale())
        return name

    # ------------------------------------------------------------ the rest of the template

    def finish(self) -> tuple[Template, list[str]]:
        """Return the merged template; what referred to a population that is gone, refers to nothing."""
        original = self.origin.template
        populations = self._needed()
        names = {population.name for population in populations}
        gone = [population.name for population in original.populations if population.name not in names]
        self.losses += [f"{name}: removed elsewhere" for name in gone]
        populations = [self._without(population, gone) for population in populations]
        update: dict[str, object] = {
            "panel": self.panel,
            "scales": self.scales,
            "populations": tuple(populations),
            "compensation": replace(
                original.compensation, matrices={**self.plain.compensation.matrices, **original.compensation.matrices}
            ),
            "report": self._report(original.report, gone),
            "counting": replace(
                original.counting,
                **{
                    key: None for key in ("beads", "dual_platform_reference") if getattr(original.counting, key) in gone
                },
            ),
        }
        return replace(original, **update), self.losses

    def _needed(self) -> list[Population]:
        """Return the populations without the helpers that nothing refers to any more."""
        needed: dict[str, Population] = {}
        wanted: set[str] = set()
        for identifier, population in reversed(self.populations.items()):
            if identifier in self.origin.helpers and identifier not in wanted:
                continue
            needed[identifier] = population
            wanted |= {population.parent, *population.gate.references(), *population.exclude}
        return list(reversed(needed.values()))

    def _without(self, population: Population, gone: Sequence[str]) -> Population:
        lost = [name for name in population.exclude if name in gone]
        if not lost:
            return population
        self.losses.append(f"{population.name}: {', '.join(lost)} can no longer be set aside")
        return replace(population, exclude=tuple(name for name in population.exclude if name not in lost))

    def _report(self, report: Report, gone: Sequence[str]) -> Report:
        roles = {key: None for key, value in asdict(report).items() if key != "medians" and value in gone}
        self.losses += [f"report.{role}: its population is gone" for role in roles]
        return replace(report, **roles)
