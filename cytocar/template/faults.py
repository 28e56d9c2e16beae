"""Every fault of a template document at once, in the words of the person who wrote it.

Three passes: what the declarations refuse (unknown keys, missing keys, wrong types, bounds that do not rise); the same
again after misspelt keys have been read as what they were meant to be, so that one typing error does not hide the next
fault; and what only the whole document shows (names that refer to nothing, parents below their children).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from msgspec import Struct
from pydantic import ValidationError

from cytocar.signals.declaration import Declaration
from cytocar.template.cross_references import reference_faults
from cytocar.template.model import Template

Location = tuple[int | str, ...]


class Fault(Struct, frozen=True):
    """One thing that is wrong with a template, and where."""

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


def check_document(document: Mapping[str, Any]) -> tuple[Template | None, tuple[Fault, ...]]:
    """Return the validated template, or none and every fault of the document.

    Parameters
    ----------
    document : mapping
        What the TOML file says, as ``tomllib`` reads it.

    Examples
    --------
    >>> _, faults = check_document({"name": "demo", "version": "1.0", "panel": {}, "populations": []})
    >>> print(*faults, sep="\\n")
    version: must be three numbers such as "1.0.0" (major.minor.patch)
    panel: needs at least one marker
    populations: needs at least one population
    """
    template, errors = _validate(document)
    faults = _translate(document, errors)
    if any(error["type"] == "too_long" for error in errors):
        return None, tuple(faults)  # what else may be wrong would take as long to find as the list is long
    if errors:
        document, mended = _mend(document, errors)
        faults = [fault for fault in faults if fault.place not in mended]
        _, hidden = _validate(document)
        known = {fault.place for fault in faults}
        faults += [fault for fault in _translate(document, hidden) if fault.place not in known]
    faults += [Fault(place_in(document, where), message) for where, message in reference_faults(document)]
    return (None if faults else template), tuple(dict.fromkeys(faults))


def _validate(document: Mapping[str, Any]) -> tuple[Template | None, list[Any]]:
    """Validate strictly (text is no number), through JSON so that TOML's arrays may stand for tuples."""
    try:
        return Template.model_validate_json(json.dumps(document, default=str), strict=True), []
    except ValidationError as error:
        return None, list(error.errors(include_url=False, include_context=True))


# ---------------------------------------------------------------- places


def place_in(document: Mapping[str, Any], location: Location) -> str:
    """Return a location in the reader's words: ``populations[3] 'cd4' gate.marker``, counting from 1.

    Examples
    --------
    >>> place_in({"populations": [{"name": "cd4"}]}, ("populations", 0, "gate", "marker"))
    "populations[1] 'cd4' gate.marker"
    """
    text = ""
    node: Any = document
    for part in location:
        node = _child(node, part)
        if isinstance(part, int):
            text += f"[{part + 1}]"
            if isinstance(node, dict) and isinstance(node.get("name"), str):
                text += f" {node['name']!r} "
        else:
            text += part if not text or text.endswith(" ") else f".{part}"
    return text.strip()


def _child(node: Any, part: int | str) -> Any:
    if isinstance(node, dict):
        return node.get(part)
    if isinstance(node, list) and isinstance(part, int) and part < len(node):
        return node[part]
    return None


def _without_branches(document: Mapping[str, Any], error: Any) -> tuple[Location, bool]:
    """Where an error is in the document, and whether pydantic tried the branches of a union there.

    Pydantic puts the name of the branch into the location (``gate.range.marker``, ``at.float``); nobody wrote that.
    """
    location: list[int | str] = []
    node: Any = document
    branched = False
    full: Location = error["loc"]
    for depth, part in enumerate(full):
        written = (isinstance(node, dict) and part in node) or (isinstance(node, list) and isinstance(part, int))
        if written or (error["type"] == "missing" and depth == len(full) - 1):
            location.append(part)
            node = _child(node, part)
        elif part not in _kinds_at(full[:depth]):
            branched = True
            break
    return tuple(location), branched


# ---------------------------------------------------------------- which keys and kinds are allowed where


def _annotation_at(location: Location) -> Any:
    node: Any = Template
    for part in location:
        node = _annotation_below(node, part)
    return node


def _annotation_below(annotation: Any, part: int | str) -> Any:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _annotation_below(get_args(annotation)[0], part)
    if origin in (Union, UnionType):
        members = [member for member in get_args(annotation) if member is not type(None)]
        tagged = [member for member in members if part in _kinds_of(member)]
        if tagged:
            return tagged[0]
        return next(
            (annotation for member in members if (annotation := _annotation_below(member, part)) is not None), None
        )
    if origin is dict:
        return get_args(annotation)[1]
    if origin is tuple:
        return get_args(annotation)[0]
    if isinstance(annotation, type) and issubclass(annotation, Declaration) and part in annotation.model_fields:
        return annotation.model_fields[str(part)].annotation
    return None


def _kinds_of(annotation: Any) -> tuple[str, ...]:
    if isinstance(annotation, type) and issubclass(annotation, Declaration) and "kind" in annotation.model_fields:
        return get_args(annotation.model_fields["kind"].annotation)
    return ()


def _kinds_at(location: Location) -> tuple[str, ...]:
    annotation = _annotation_at(location)
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return tuple(kind for member in get_args(annotation) for kind in _kinds_of(member))


def _keys_at(location: Location) -> tuple[str, ...]:
    annotation = _annotation_at(location)
    return (
        tuple(annotation.model_fields) if isinstance(annotation, type) and issubclass(annotation, Declaration) else ()
    )


# ---------------------------------------------------------------- words


def nearest(name: str, names: Sequence[str]) -> str:
    """Return ``, did you mean 'x'?`` for the closest of the names, or nothing.

    Examples
    --------
    >>> nearest("markr", ["marker", "min", "max"])
    ", did you mean 'marker'?"
    """
    lowered = {candidate.lower(): candidate for candidate in names}
    close = get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    return f", did you mean {lowered[close[0]]!r}?" if close else ""


_TYPES = {
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "string_type": "text in quotes",
    "bool_type": "true or false",
    "tuple_type": "a list in [ ]",
    "dict_type": "a table",
    "model_type": "a table of keys",
    "model_attributes_type": "a table of keys",
}
_LIMITS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}
_BRANCHES = {
    "at": "must be a number, or a list of rising numbers",
    "keep": 'must be "--", "-+", "+-" or "++", or a list with one interval number (0 is the lowest) per axis',
}


def _translate(document: Mapping[str, Any], errors: Sequence[Any]) -> list[Fault]:
    faults = []
    for error in errors:
        location, branched = _without_branches(document, error)
        last = location[-1] if location else ""
        message = _BRANCHES.get(str(last), "has the wrong form") if branched else _message(error)
        if error["type"] == "missing" and isinstance(last, int):
            location, message = location[:-1], f"needs at least {last + 1} numbers"
        faults.append(Fault(place_in(document, location), message))
    return list(dict.fromkeys(faults))


def _message(error: Any) -> str:
    kind, context, value = error["type"], error.get("ctx", {}), error["input"]
    location: Location = error["loc"]
    if kind == "extra_forbidden":
        return "unknown key" + nearest(str(location[-1]), _keys_at(location[:-1]))
    if kind == "missing":
        return "is missing"
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        kinds = _kinds_at(location)
        sentence = (
            f"unknown kind {context['tag']!r}{nearest(context['tag'], kinds)}" if "tag" in context else "needs a kind"
        )
        return f"{sentence} (kinds: {', '.join(kinds)})"
    if kind in _TYPES:
        return f"must be {_TYPES[kind]}, not {_shown(value)}"
    if kind in _LIMITS:
        key, words = _LIMITS[kind]
        return f"must be {words} {context[key]:g}, not {_shown(value)}"
    if kind == "literal_error":
        return f"must be {context['expected']}, not {_shown(value)}"
    if kind in ("too_short", "too_long"):
        few = "at least" if kind == "too_short" else "at most"
        limit = context.get("min_length", context.get("max_length"))
        return f"needs {few} {limit}, has {context['actual_length']}"
    return str(error["msg"]).removeprefix("Value error, ")


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return f"the text {value!r}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "a list"
    return "a table" if isinstance(value, dict) else str(value)


# ---------------------------------------------------------------- reading on after a misspelt key


def _mend(document: Mapping[str, Any], errors: Sequence[Any]) -> tuple[dict[str, Any], set[str]]:
    """Return a copy in which each unknown key is renamed to the missing key that it resembles, or left out.

    The places of the keys found that way come with it: they are not missing, only misspelt.
    """
    mended: dict[str, Any] = copy.deepcopy(dict(document))
    places = set()
    for error in errors:
        if error["type"] != "extra_forbidden":
            continue
        location, _ = _without_branches(document, error)
        table: Any = mended
        for part in location[:-1]:
            table = _child(table, part)
        if not isinstance(table, dict) or location[-1] not in table:
            continue
        value = table.pop(location[-1])
        close = get_close_matches(str(location[-1]), _keys_at(error["loc"][:-1]), n=1)
        if close and close[0] not in table:
            table[close[0]] = value
            places.add(place_in(document, (*location[:-1], close[0])))
    return mended, places
