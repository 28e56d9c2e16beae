"""What programs write beside the gates of a Gating-ML document: titles, Cytobank's gate sets, gates tailored to a file.

The standard leaves ``custom_info`` to each program. Cytobank writes a title, the number of the gate and, for a gate
that was tailored, the file it holds for; a population is a *gate set*, a boolean gate over all gates on its way.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from cytocar.errors.tree import TemplateError
from cytocar.template.gatingml.xml import children, local_name, required
from cytocar.template.model import Population

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

EVERY_EVENT = "all"


class CytobankTitle(Struct, frozen=True):
    """The entries of a gate's ``custom_info``.

    ``file`` is the file that a tailored gate holds for, ``of_set`` the numbers of the gates that a gate set consists
    of; None for a gate, and for a set of other populations.
    """

    title: str = ""
    number: str = ""
    file: str = ""
    of_set: frozenset[str] | None = None
    is_set: bool = False


def read_title(element: Element) -> CytobankTitle:
    """Return the entries of a gate's ``custom_info``; empty where none is known."""
    texts: dict[str, str] = {}
    for info in children(element, "custom_info"):
        for entry in info.iter():
            if isinstance(entry.tag, str) and (entry.text or "").strip():
                texts.setdefault(local_name(entry), " ".join((entry.text or "").split()))
    return CytobankTitle(
        title=texts.get("name") or texts.get("title") or "",
        number=texts.get("gate_id", ""),
        file=texts.get("fcs_file_filename") or texts.get("fcs_file_id") or "",
        of_set=_gates_of_set(texts.get("definition", "")),
        is_set="gate_set_id" in texts or "definition" in texts,
    )


def _gates_of_set(text: str) -> frozenset[str] | None:
    try:
        definition = json.loads(text) if text else None
    except ValueError:
        return None
    if not isinstance(definition, dict) or definition.get("negGates"):
        return None
    gates = definition.get("gates")
    return frozenset(map(str, gates)) if isinstance(gates, list) else None


def tailored_gates(
    gates: Sequence[Element], titles: Mapping[str, CytobankTitle], *, sample: str | None
) -> tuple[list[Element], list[str]]:
    """Return the gates of one file: its own where they were tailored to it, and in words what was left behind.

    Parameters
    ----------
    gates : sequence of Element
        Every gate of the document.
    told : mapping
        Id of a gate to what ``custom_info`` says of it.
    sample : str, optional
        The file; without it the untailored gates.

    Raises
    ------
    TemplateError
        E144 no gate is tailored to this file, and none is untailored.
    """
    of_file: dict[str, dict[str, Element]] = {}
    plain: list[Element] = []
    for gate in gates:
        what = titles[required(gate, "id")]
        if what.file and what.number:
            of_file.setdefault(what.number, {})[what.file] = gate
        else:
            plain.append(gate)
    files = sorted({file for versions in of_file.values() for file in versions})
    if sample is not None and sample not in files:
        raise TemplateError(
            f"no gate is tailored to {sample}",
            code="E144",
            hint=f"files with gates of their own: {', '.join(files) or 'none'}; leave --sample out for the others",
        )
    chosen: list[Element] = []
    numbers = set()
    for gate in plain:
        number = titles[required(gate, "id")].number
        numbers.add(number)
        own = of_file.get(number, {}).get(sample or "") if number else None
        if own is not None:
            _give_id(own, required(gate, "id"))
        chosen.append(gate if own is None else own)
    for number, versions in of_file.items():  # a gate that exists for single files only
        if number not in numbers and sample in versions:
            chosen.append(versions[sample])
    losses = []
    if of_file and sample is None:
        tailored = sorted(
            {titles[required(gate, "id")].title or "?" for one in of_file.values() for gate in one.values()}
        )
        losses.append(
            f"gates tailored to single files ({', '.join(tailored)}; {', '.join(files[:5])}): these are the untailored "
            "ones; --sample FILE takes a file's own"
        )
    return chosen, losses


def _give_id(element: Element, identifier: str) -> None:
    key = next(key for key in element.attrib if key.rpartition("}")[2] == "id")
    element.set(key, identifier)


def with_titles(populations: Iterable[Population], titles: Mapping[str, CytobankTitle]) -> list[Population]:
    """Return populations under their titles, gate sets in their tree.

    A gate set is a child of the largest one whose gates it shares; a gate whose title a gate set has is called
    ``TITLE (gate)``. Populations without a title keep their id.
    """
    listed = list(populations)
    sets = {
        one.name: titles[one.name].of_set
        for one in listed
        if one.name in titles and titles[one.name].of_set is not None
    }
    names: dict[str, str] = {}
    taken = {EVERY_EVENT}
    for one in sorted(listed, key=lambda one: not titles.get(one.name, CytobankTitle()).is_set):
        title = titles[one.name].title if one.name in titles else ""
        wanted = one.name if not title else title if title not in taken else f"{title} (gate)"
        names[one.name] = wanted if wanted not in taken else one.name
        taken.add(names[one.name])
    ordered = sorted(listed, key=lambda one: (one.name in sets, len(sets.get(one.name) or ())))
    return [_renamed(one, names, _parent(one, sets)) for one in ordered] if any(names) else listed


def _parent(population: Population, sets: Mapping[str, frozenset[str] | None]) -> str:
    own = sets.get(population.name)
    if own is None or population.parent != EVERY_EVENT:
        return population.parent
    above = [name for name, gates in sets.items() if gates is not None and gates < own]
    return max(above, key=lambda name: len(sets[name] or ()), default=EVERY_EVENT)


def _renamed(population: Population, names: Mapping[str, str], parent: str) -> Population:
    gate = population.gate
    lists = {
        key: tuple(names.get(one, one) for one in getattr(gate, key))
        for key in ("all_of", "any_of", "none_of")
        if gate.references()
    }
    return replace(
        population,
        name=names[population.name],
        parent=names.get(parent, parent),
        gate=replace(gate, **lists) if lists else gate,
        note=population.note if names[population.name] == population.name else population.name,
    )
