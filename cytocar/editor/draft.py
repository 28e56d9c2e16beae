"""The template on the bench, as the plain document that its file will say, and every edit as a new document.

An edit returns a whole document, so that undo is the one before. What comes of it is checked as a file would be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from msgspec import Struct, field

from cytocar.errors.tree import UsageError
from cytocar.signals.declaration import declare
from cytocar.template.faults import check_document
from cytocar.template.load import faults_error
from cytocar.template.model import Report, Template

Document = dict[str, Any]
ALL = "all"
ROLES = ("viable", "lymphocytes", "t_cells", "cd4", "cd8", "car", "b_cells", "beads")
"""What a population can be in a result; ``beads`` stands under [counting], the others under [report]."""


class Draft(Struct, frozen=True, eq=False):
    """One state of the template.

    Attributes
    ----------
    document : dict
        What its file would say.
    template : Template
        The same, validated; it may have no populations yet.
    names : mapping
        Population to the name that it has in the file, where that is another.
    """

    document: Document
    template: Template
    names: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, document: Document, names: Mapping[str, str] | None = None) -> Draft:
        """Return a draft of a document.

        Raises
        ------
        TemplateError
            E062 with every fault.
        """
        if not document["populations"]:
            return cls(document, declare(Template, document), names or {})
        template, faults = check_document(document)
        if template is None:
            raise faults_error("as edited", faults)
        return cls(document, template, names or {})

    @classmethod
    def of_template(cls, template: Template) -> Draft:
        """Return the draft that says what a template says."""
        document = {"format": 1, **template.beyond_defaults()}
        document["scales"] = {name: scale.present() for name, scale in template.scales.items()}
        return cls(document, template)

    def edited(self, change: Callable[[Document], None], names: Mapping[str, str] | None = None) -> Draft:
        """Return the draft after a change of a copy of its document."""
        document = deepcopy(self.document)
        change(document)
        return Draft.of(document, self.names if names is None else names)


def position(document: Document, name: str) -> int:
    """Where a population stands in the list.

    Raises
    ------
    UsageError
        E221 if there is none of that name.
    """
    for place, population in enumerate(document["populations"]):
        if population["name"] == name:
            return place
    raise UsageError(f"there is no population {name!r}", code="E221", hint="load the page again")


def entry(document: Document, name: str) -> dict[str, Any]:
    """Return the table of a population in a document."""
    population: dict[str, Any] = document["populations"][position(document, name)]
    return population


def free_name(document: Document, wanted: str) -> str:
    """Return a name that no population has yet.

    Examples
    --------
    >>> free_name({"populations": [{"name": "gate"}]}, "gate")
    'gate 2'
    """
    taken = {population["name"] for population in document["populations"]} | {ALL}
    number, name = 1, wanted
    while name in taken:
        number += 1
        name = f"{wanted} {number}"
    return name


def under(document: Document, name: str) -> list[str]:
    """Return a population and all that hang on it: by parent, exclude or the lists of a boolean gate."""
    hanging = [name]
    for population in document["populations"]:
        if _links(population) & set(hanging) and population["name"] not in hanging:
            hanging.append(population["name"])
    return hanging


# ---------------------------------------------------------------- edits of the tree


def add(draft: Draft, populations: Sequence[dict[str, Any]]) -> Draft:
    """Return the draft with new populations at the end; one that is called after a role takes it if it is free."""

    def change(document: Document) -> None:
        document["populations"] += deepcopy(list(populations))
        for population in populations:
            _take_free_role(document, population["name"])

    return draft.edited(change)


def rename(draft: Draft, name: str, new: str) -> Draft:
    """Return the draft with a population under another name, wherever it is referred to."""
    new = new.strip()
    if not new:
        raise UsageError("a population needs a name", code="E221", hint="type a name such as t_cells")
    if new != name and new in {ALL, *(one["name"] for one in draft.document["populations"])}:
        raise UsageError(f"there is a population {new!r} already", code="E221", hint="choose another name")

    def change(document: Document) -> None:
        entry(document, name)["name"] = new
        _replace_references(document, name, new)
        _take_free_role(document, new)

    names = {key: value for key, value in draft.names.items() if key != name}
    return draft.edited(change, {**names, new: draft.names.get(name, name)})


def delete(draft: Draft, name: str) -> Draft:
    """Return the draft without a population and what hangs on it."""
    gone = set(under(draft.document, name))

    def change(document: Document) -> None:
        document["populations"] = [one for one in document["populations"] if one["name"] not in gone]
        for role in [role for role, of in _roles(document).items() if of in gone]:
            _set_role(document, role, None)
        counting = document.get("counting", {})
        if counting.get("dual_platform_reference") in gone:
            del counting["dual_platform_reference"]
            counting["method"] = "none" if counting.get("method") == "dual_platform" else counting.get("method", "none")
        document["acceptance"] = [rule for rule in document.get("acceptance", ()) if rule["check"] not in gone]
        if not document["acceptance"]:
            del document["acceptance"]

    return draft.edited(change)


def reorder(draft: Draft, name: str, by: int) -> Draft:
    """Return the draft with a population moved before or behind its next sibling; its children stay behind it."""
    parent = entry(draft.document, name).get("parent", ALL)
    siblings = [one["name"] for one in draft.document["populations"] if one.get("parent", ALL) == parent]
    place = siblings.index(name) + by
    if not 0 <= place < len(siblings):
        raise UsageError(f"{name!r} is at that end already", code="E221", hint="move another population")
    first, second = (name, siblings[place]) if by > 0 else (siblings[place], name)

    def change(document: Document) -> None:
        every = document["populations"]
        moving = every.pop(position(document, second))
        every.insert(position(document, first), moving)
        document["populations"] = _parents_first(every)
        if position(document, second) > position(document, first):
            raise UsageError(
                f"{second!r} refers to {first!r}, which has to stand before it", code="E221", hint="move another one"
            )

    return draft.edited(change)


def _links(population: Mapping[str, Any]) -> set[str]:
    lists = ((population, "exclude"), *((population["gate"], key) for key in _LISTS))
    return {population.get("parent", ALL), *(other for table, key in lists for other in table.get(key, ()))}


def _parents_first(populations: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return populations in an order in which each stands behind all that it refers to, else as they were."""
    waiting, done, ordered = list(populations), {ALL}, []
    while waiting:
        ready = next(one for one in waiting if _links(one) <= done)
        waiting.remove(ready)
        done.add(ready["name"])
        ordered.append(ready)
    return ordered


def set_excluded(draft: Draft, name: str, excluded: Sequence[str]) -> Draft:
    """Return the draft with other populations set aside before a population's gate."""

    def change(document: Document) -> None:
        one = entry(document, name)
        one.pop("exclude", None)
        if excluded:
            one["exclude"] = list(excluded)
        _in_key_order(one)

    return draft.edited(change)


def set_gate(draft: Draft, name: str, gate: Mapping[str, Any]) -> Draft:
    """Return the draft with another gate of a population."""

    def change(document: Document) -> None:
        entry(document, name)["gate"] = dict(gate)

    return draft.edited(change)


def set_parts(draft: Draft, name: str, parts: Mapping[str, str]) -> Draft:
    """Return the draft with a combination of other populations: each with ``all_of``, ``any_of`` or ``none_of``."""
    lists = {key: [other for other, of in parts.items() if of == key] for key in _LISTS}
    if not any(lists.values()):
        raise UsageError("a combination needs a population", code="E221", hint="choose at least one")
    if unknown := set(parts.values()) - {*_LISTS, ""}:
        raise UsageError(f"there is no way {sorted(unknown)[0]!r} to combine", code="E221", hint="load the page again")
    return set_gate(draft, name, {"kind": "boolean", **{key: names for key, names in lists.items() if names}})


LONGEST_OF_NUMBERS = 3
"""A gate with longer lists of numbers (corners, covariances) is changed on the picture."""


def numbers_of(gate: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers that a gate's table says, by their place in it.

    Examples
    --------
    >>> numbers_of({"kind": "valley", "marker": "CD3", "window": [400, 4000], "fallback": 1200})
    {'window low': 400, 'window high': 4000, 'fallback': 1200}
    """
    numbers: dict[str, float] = {}
    for key, value in gate.items():
        parts: Mapping[str, Any] = {key: value}
        if isinstance(value, Mapping):
            parts = {f"{key} {name}": part for name, part in numbers_of(value).items()}
        elif isinstance(value, list) and len(value) <= LONGEST_OF_NUMBERS:
            names = ("low", "high") if len(value) == len(("low", "high")) else range(1, len(value) + 1)
            parts = {f"{key} {name}": part for name, part in zip(names, value, strict=True)}
        numbers |= {name: part for name, part in parts.items() if type(part) in (int, float)}
    return numbers


def set_number(draft: Draft, name: str, number: str, value: float) -> Draft:
    """Return the draft with one number of a gate changed; ``number`` as ``numbers_of`` names it."""
    gate = entry(draft.document, name)["gate"]
    if number not in numbers_of(gate):
        raise UsageError(f"the gate has no number {number!r}", code="E221", hint="load the page again")
    changed = with_number(gate, number, value)
    if {"window", "fallback"} <= changed.keys() and not isinstance(changed["fallback"], list):
        low, high = changed["window"]
        changed["fallback"] = min(max(changed["fallback"], low), max(low, high))  # it goes where its window goes
    return set_gate(draft, name, changed)


def with_number(gate: Mapping[str, Any], number: str, value: float) -> dict[str, Any]:
    """Return a gate's table with one number changed.

    Examples
    --------
    >>> with_number({"kind": "valley", "window": [400, 4000]}, "window low", 500)
    {'kind': 'valley', 'window': [500, 4000]}
    """
    changed = deepcopy(dict(gate))
    table: Any = changed
    *outer, last = _path(table, number)
    for key in outer:
        table = table[key]
    table[last] = value
    return changed


def _path(table: Mapping[str, Any], number: str) -> tuple[str | int, ...]:
    """Where a number stands in a gate's table."""
    for key, value in table.items():
        if number == key:
            return (key,)
        if number.startswith(f"{key} "):
            rest = number.removeprefix(f"{key} ")
            if isinstance(value, Mapping):
                return (key, *_path(value, rest))
            if isinstance(value, list):
                return (key, {"low": 0, "high": 1}[rest] if rest in ("low", "high") else int(rest) - 1)
    raise KeyError(number)


def set_scale(draft: Draft, marker: str, scale: Mapping[str, Any]) -> Draft:
    """Return the draft with another scale of a marker's axis."""

    def change(document: Document) -> None:
        document.setdefault("scales", {})[marker] = dict(scale)

    return draft.edited(change)


# ---------------------------------------------------------------- roles


def role_of(draft: Draft, name: str) -> str | None:
    """Return the role of a population."""
    return next((role for role, of in _roles(draft.document).items() if of == name), None)


def set_role(draft: Draft, name: str, role: str | None) -> Draft:
    """Return the draft with a population in a role, or in none; who had the role before loses it."""
    if role is not None and role not in ROLES:
        raise UsageError(f"there is no role {role!r}", code="E221", hint=f"roles: {', '.join(ROLES)}")

    def change(document: Document) -> None:
        for held in [one for one, of in _roles(document).items() if of == name]:
            _set_role(document, held, None)
        if role is not None:
            _set_role(document, role, name)

    return draft.edited(change)


def _roles(document: Document) -> dict[str, str]:
    """Return role to population, those that have no control on the page too."""
    report = document.get("report", {})
    roles = {role: report[role] for role in (*ROLES, *Report.__struct_fields__) if isinstance(report.get(role), str)}
    beads = document.get("counting", {}).get("beads")
    return {**roles, "beads": beads} if beads else roles


def _set_role(document: Document, role: str, name: str | None) -> None:
    if role == "beads":
        counting = document.setdefault("counting", {})
        counting.update({"method": "beads", "beads": name} if name else {"method": "none"})
        if name is None:
            counting.pop("beads", None)
        return
    report = document.setdefault("report", {})
    if name is None:
        report.pop(role, None)
    else:
        report[role] = name
        if role == "viable" and "viable_of" not in report:
            report["viable_of"] = entry(document, name).get("parent", ALL)
    if role == "viable" and name is None:
        report.pop("viable_of", None)


def _take_free_role(document: Document, name: str) -> None:
    role = {"car_t": "car", "t": "t_cells", "live": "viable"}.get(name, name)
    if role in ROLES and role not in _roles(document):
        _set_role(document, role, name)


def _replace_references(document: Document, old: str, new: str) -> None:
    for population in document["populations"]:
        if population.get("parent", ALL) == old:
            population["parent"] = new
        for table, key in ((population, "exclude"), *((population["gate"], key) for key in _LISTS)):
            if key in table:
                table[key] = [new if other == old else other for other in table[key]]
    for table in (document.get("report", {}), document.get("counting", {})):
        for key, value in table.items():
            if value == old and key != "method":
                table[key] = new
    for rule in document.get("acceptance", ()):
        if rule["check"] == old:
            rule["check"] = new


_LISTS = ("all_of", "any_of", "none_of")


def _in_key_order(population: dict[str, Any]) -> None:
    keys = ("name", "parent", "exclude", "gate", "note")
    ordered: dict[str, Any] = {key: population[key] for key in keys if key in population}
    population.clear()
    population.update(ordered)
