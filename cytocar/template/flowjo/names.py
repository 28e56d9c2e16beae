"""Populations by short names: the shortest tail of the FlowJo path that no other population shares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from cytocar.regions.boolean import BooleanGate
from cytocar.regions.kinds import FixedGate
from cytocar.signals.declaration import declare
from cytocar.template.model import Population

EVERY_EVENT = "all"
Path = tuple[str, ...]


def short_names(paths: Iterable[Path]) -> Mapping[Path, str]:
    """Return the name of each population by its path from the sample down.

    Homonyms are told apart by as many of their parents as it takes; two sisters of one name by a number.

    Examples
    --------
    >>> list(short_names([("T", "CD4+"), ("NK", "CD4+"), ("T", "CD8+")]).values())
    ['T/CD4+', 'NK/CD4+', 'CD8+']
    """
    listed = list(dict.fromkeys(paths))
    sharing: dict[Path, int] = {}
    for path in listed:
        for start in range(len(path)):
            sharing[path[start:]] = sharing.get(path[start:], 0) + 1
    names: dict[Path, str] = {}
    taken = {EVERY_EVENT}
    for path in listed:
        tails = (path[start:] for start in range(len(path) - 1, -1, -1))
        tail = next((tail for tail in tails if sharing[tail] == 1 and tail != (EVERY_EVENT,)), path)
        names[path] = _free("/".join(tail), taken)
        taken.add(names[path])
    return names


def named_populations(
    gates: Mapping[Path, FixedGate], operands: Mapping[Path, Mapping[str, tuple[Path, ...]]], names: Mapping[Path, str]
) -> Iterator[Population]:
    """Yield the populations of gates by path, boolean ones over their operands; a longer path is their note."""
    for path, drawn in gates.items():
        of_gate = {key: tuple(names[one] for one in paths) for key, paths in operands.get(path, {}).items()}
        gate = declare(BooleanGate, of_gate) if of_gate else drawn
        parent = names[path[:-1]] if len(path) > 1 else EVERY_EVENT
        note = "/".join(path) if names[path] != "/".join(path) else ""
        yield Population(name=names[path], parent=parent, gate=gate, note=note)


def _free(name: str, taken: set[str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name} {number}"
    return free
