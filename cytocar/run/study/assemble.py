"""The gates of many samples as one template: what most samples share, and what stands elsewhere on some."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from cytocar.regions.kinds import FixedGate
from cytocar.signals.compensation import Matrix
from cytocar.signals.scales import LinearScale
from cytocar.template.flowjo.samples import WorkspaceSample
from cytocar.template.model import Compensation, Population, Template
from cytocar.template.moved_gates import MovedGates

_Any = TypeVar("_Any")


class Family(Struct, frozen=True, eq=False):
    """Samples that share a template: the same populations on the same channels.

    Parameters
    ----------
    template : Template
        Each gate where most of the samples have it.
    samples : tuple of str
        Names of the samples.
    moved : mapping
        Sample to what stands elsewhere on it.
    matrices : mapping
        Sample to the matrix of the template that it is compensated with, where it is not the template's source.
    """

    template: Template
    samples: tuple[str, ...]
    moved: Mapping[str, MovedGates] = field(default_factory=dict)
    matrices: Mapping[str, str] = field(default_factory=dict)


def assemble(samples: Mapping[str, WorkspaceSample], *, name: str, title: str) -> tuple[Family, ...]:
    """Return the families of samples that have gates, the largest first.

    Parameters
    ----------
    samples : mapping
        Name in the sheet to the sample.
    name : str
        The first family's template; the others get a number.
    """
    families: dict[object, dict[str, WorkspaceSample]] = defaultdict(dict)
    for key, sample in samples.items():
        if sample.populations:
            families[_structure(sample)][key] = sample
    ordered = sorted(families.values(), key=len, reverse=True)
    return tuple(
        _family(members, name=name if number == 1 else f"{name}-{number}", title=title)
        for number, members in enumerate(ordered, start=1)
    )


def _structure(sample: WorkspaceSample) -> object:
    """The key that samples of one template share: channels, populations and their axes."""
    panel = tuple((marker, repr(entry)) for marker, entry in sorted(sample.panel.items()))
    return panel, tuple(_of_population(population) for population in sample.populations)


def _of_population(population: Population) -> tuple[object, ...]:
    gate = population.gate
    return population.name, population.parent, gate.kind, gate.markers(), gate.references()


def _family(members: Mapping[str, WorkspaceSample], *, name: str, title: str) -> Family:
    first = next(iter(members.values()))
    common = {
        population.name: _most(_gate(sample, population.name) for sample in members.values())
        for population in first.populations
    }
    populations = tuple(replace(one, gate=common[one.name]) for one in first.populations)
    drawn = _drawn(populations)
    scales = {
        marker: _most(sample.scales.get(marker, LinearScale()) for sample in members.values()) for marker in first.panel
    }
    names, matrices = _matrices(members)
    source = _most(names.values()) if names else "file"
    needs = any(sample.needs_matrix for sample in members.values())
    template = Template(
        name=name,
        version="1.0.0",
        title=title,
        panel=dict(first.panel),
        compensation=Compensation(
            source=source, missing="fail" if needs and source == "file" else "none", matrices=dict(matrices)
        ),
        scales={marker: scale for marker, scale in scales.items() if scale != LinearScale()},
        populations=populations,
    )
    moved = {}
    for key, sample in members.items():
        gates = {one.name: _gate(sample, one.name) for one in populations if _gate(sample, one.name) != one.gate}
        # A bound is a data value, whatever the scale; only what is drawn on a scale moves with it.
        other = {
            marker: sample.scales.get(marker, LinearScale())
            for marker in drawn
            if sample.scales.get(marker, LinearScale()) != scales[marker]
        }
        if gates or other:
            moved[key] = MovedGates(gates=gates, scales=other)
    others = {key: names.get(key, "none") for key in members if names and names.get(key, source) != source}
    return Family(template, tuple(members), moved, others)


def _gate(sample: WorkspaceSample, population: str) -> FixedGate:
    gate = next(one for one in sample.populations if one.name == population).gate
    if not isinstance(gate, FixedGate):
        raise TypeError(f"{population!r} of an imported document is not fixed")
    return gate


def _drawn(populations: Sequence[Population]) -> tuple[str, ...]:
    """Return the markers on whose scale an edge is drawn."""
    gates = (population.gate for population in populations)
    on_scale = (gate for gate in gates if isinstance(gate, FixedGate) and gate.depends_on_scale)
    return tuple(dict.fromkeys(marker for gate in on_scale for marker in gate.markers()))


def _matrices(members: Mapping[str, WorkspaceSample]) -> tuple[dict[str, str], dict[str, Matrix]]:
    """Return the name of each sample's matrix, and the matrices; two of one name get a number."""
    matrices: dict[str, Matrix] = {}
    names: dict[str, str] = {}
    for key, sample in members.items():
        if sample.matrix is None:
            continue
        wanted, matrix = sample.matrix
        number, name = 1, wanted
        while matrices.setdefault(name, matrix) != matrix:
            number += 1
            name = f"{wanted} {number}"
        names[key] = name
    return names, matrices


def _most(values: Iterable[_Any]) -> _Any:
    """Return the most frequent value, the first of several that are."""
    listed = list(values)
    by_text = {repr(value): value for value in listed}
    return by_text[Counter(map(repr, listed)).most_common(1)[0][0]]
