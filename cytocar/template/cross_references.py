"""What only the whole template shows: names that refer to nothing, and populations in the wrong order.

The checks read the document as it was written, whatever else is wrong with it, so that one fault does not hide another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from cytocar.errors.near_names import did_you_mean
from cytocar.tables.columns import COUNTS_NUMBERS
from cytocar.template.model import Report

Location = tuple[int | str, ...]
Located = tuple[Location, str]


class _Names(Struct, frozen=True):
    markers: Sequence[str]
    matrices: Mapping[str, Any]
    populations: Sequence[str]

    def known_populations(self) -> list[str]:
        return ["all", *dict.fromkeys(name for name in self.populations if name)]


def reference_faults(document: Mapping[str, Any]) -> Iterator[Located]:
    """Yield every reference to something that is not there, with its location in the document."""
    populations = [_table(entry) for entry in _list(document.get("populations"))]
    names = _Names(
        markers=list(_table(document.get("panel"))),
        matrices=_table(_table(document.get("compensation")).get("matrices")),
        populations=[_text(entry.get("name")) or "" for entry in populations],
    )
    if "panel" in document and not names.markers:
        yield ("panel",), "needs at least one marker"
    if "populations" in document and not populations:
        yield ("populations",), "needs at least one population"
    yield from _panel(_table(document.get("panel")), names)
    for name in _table(document.get("scales")):
        if name != "default":
            yield from _marker(("scales", name), name, names)
    for index, entry in enumerate(populations):
        yield from _population(index, entry, names)
    yield from _counting(_table(document.get("counting")), names)
    yield from _report(_table(document.get("report")), names)
    yield from _acceptance(document, names)


# ---------------------------------------------------------------- reading what may be wrong


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _unknown(what: str, name: str, names: Sequence[str]) -> str:
    there_are = f" (there are: {', '.join(names) or 'none'})"
    return f"no {what} {name!r}{did_you_mean(name, names, there_are)}"


def _marker(where: Location, name: Any, names: _Names) -> Iterator[Located]:
    if isinstance(name, str) and name not in names.markers:
        yield where, _unknown("marker", name, names.markers)


# ---------------------------------------------------------------- panel


def _panel(panel: Mapping[str, Any], names: _Names) -> Iterator[Located]:
    ratios = {name for name, entry in panel.items() if "ratio" in _table(entry)}
    for name, raw in panel.items():
        entry = _table(raw)
        ratio = _table(entry.get("ratio"))
        for key in ("numerator", "denominator"):
            yield from _marker(("panel", name, "ratio", key), ratio.get(key), names)
            if _text(ratio.get(key)) in ratios:
                yield (
                    ("panel", name, "ratio", key),
                    f"{ratio[key]!r} is a ratio itself: a ratio is made of two channels",
                )
        yield from _marker_compensation(("panel", name), entry, names)


def _marker_compensation(here: Location, entry: Mapping[str, Any], names: _Names) -> Iterator[Located]:
    matrix = _text(entry.get("compensation"))
    dye = _text(entry.get("fluorochrome"))
    known = ("none", "file", *names.matrices)
    if matrix is not None and matrix not in known:
        yield (*here, "compensation"), _unknown("compensation", matrix, known)
    elif dye is not None and matrix not in names.matrices:
        yield (*here, "fluorochrome"), "needs compensation with the name of a matrix beside it"
    elif dye is not None:
        dyes = [str(row) for row in _list(_table(names.matrices[str(matrix)]).get("fluorochromes"))]
        if dye not in dyes:
            yield (*here, "fluorochrome"), _unknown("fluorochrome", dye, dyes)


# ---------------------------------------------------------------- populations


def _population(index: int, entry: Mapping[str, Any], names: _Names) -> Iterator[Located]:
    here = ("populations", index)
    name = names.populations[index]
    above = names.populations[:index]
    if name == "all":
        yield (*here, "name"), "'all' means every event: call it something else"
    elif name and name in above:
        yield (*here, "name"), f"{name!r} is already the name of populations[{above.index(name) + 1}]"
    elif "name" in entry and not name:
        yield (*here, "name"), "must not be empty"
    parent = entry.get("parent", "all")
    yield from _stands_above((*here, "parent"), parent, index, names)
    for position, other in enumerate(_list(entry.get("exclude"))):
        if other == parent:
            yield (*here, "exclude", position), f"{other!r} is the parent: nothing would be left"
        else:
            yield from _stands_above((*here, "exclude", position), other, index, names)
    gate = _table(entry.get("gate"))
    for where, marker in _gate_markers(gate):
        yield from _marker((*here, "gate", *where), marker, names)
    for key in ("all_of", "any_of", "none_of"):
        for position, other in enumerate(_list(gate.get(key))):
            yield from _stands_above((*here, "gate", key, position), other, index, names)


def _gate_markers(gate: Mapping[str, Any]) -> Iterator[tuple[Location, Any]]:
    for key in ("marker", "x", "y", "area", "height", "width"):
        if isinstance(gate.get(key), dict):
            yield (key, "marker"), gate[key].get("marker")
        else:
            yield (key,), gate.get(key)
    for position, axis in enumerate(_list(gate.get("axes"))):
        yield ("axes", position), axis.get("marker") if isinstance(axis, dict) else axis
    for key in ("bounds", "core"):
        for marker in _table(gate.get(key)):
            yield (key, marker), marker


def _stands_above(where: Location, other: Any, index: int, names: _Names) -> Iterator[Located]:
    """Yield a fault unless the other population stands above this one (so that no two can wait for each other)."""
    if not isinstance(other, str) or other == "all" or other in names.populations[:index]:
        return
    if other == names.populations[index]:
        yield where, f"{other!r} refers to itself"
    elif other in names.populations:
        position = names.populations.index(other) + 1
        yield where, f"{other!r} must stand above its child (it is populations[{position}], further down)"
    else:
        yield where, _unknown("population", other, names.known_populations())


# ---------------------------------------------------------------- counting, report, acceptance


def _counting(counting: Mapping[str, Any], names: _Names) -> Iterator[Located]:
    for key in ("beads", "dual_platform_reference"):
        name = _text(counting.get(key))
        if name is not None and name not in names.populations:
            yield ("counting", key), _unknown("population", name, names.known_populations())
    for method, key in (("beads", "beads"), ("dual_platform", "dual_platform_reference")):
        if counting.get("method") == method and key not in counting:
            yield ("counting", key), f'is missing: method "{method}" needs the name of that population'


def _report(report: Mapping[str, Any], names: _Names) -> Iterator[Located]:
    for position, marker in enumerate(_list(report.get("medians"))):
        yield from _marker(("report", "medians", position), marker, names)
    for role, name in report.items():
        if role in Report.__struct_fields__ and isinstance(name, str) and name not in ("all", *names.populations):
            yield ("report", role), _unknown("population", name, names.known_populations())


def _acceptance(document: Mapping[str, Any], names: _Names) -> Iterator[Located]:
    for index, entry in enumerate(_list(document.get("acceptance"))):
        check = _text(_table(entry).get("check"))
        known = (*COUNTS_NUMBERS, *names.populations)
        if check is not None and check not in known:
            meant = did_you_mean(check, known, " (a number of counts.csv, or a population)")
            yield ("acceptance", index, "check"), f"no check {check!r}{meant}"
