"""Every fault of a table that should be a declaration, in the words of the person who wrote it.

``msgspec`` stops at the first fault. A table that it refuses is walked here beside the types that its class declares,
so that one look tells all that is wrong; what the walk has nothing against, ``msgspec`` itself is asked about.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from operator import ge, gt, le, lt
from typing import Any

import msgspec
from msgspec import inspect

from cytocar.errors.near_names import did_you_mean, each_did_you_mean
from cytocar.signals.declaration import Declaration, KeyFault

Location = tuple[int | str, ...]


def faults_of(table: Any, kind: Any) -> Iterator[KeyFault]:
    """Yield every fault of a table.

    Parameters
    ----------
    table : object
        As ``tomllib`` or ``json`` read it.
    kind : type
        A declaration, or a type made of such.
    """
    yield from _faults(table, inspect.type_info(kind), ())


def _faults(value: Any, node: inspect.Type, at: Location, about: str = "") -> Iterator[KeyFault]:
    match node:
        case inspect.Metadata():
            about = (node.extra_json_schema or {}).get("description", about)
            yield from _faults(value, node.type, at, about)
        case inspect.StructType():
            yield from _of_struct(value, node, at)
        case inspect.UnionType():
            yield from _of_union(value, node, at, about)
        case inspect.DictType():
            yield from _of_table(value, node, at)
        case inspect.VarTupleType() | inspect.ListType():
            yield from _of_list(value, node, at)
        case inspect.TupleType():
            yield from _of_fixed_list(value, node, at)
        case _:
            if (message := _scalar_message(value, node, about)) is not None:
                yield KeyFault(at, message)


def _of_struct(value: Any, node: inspect.StructType, at: Location) -> Iterator[KeyFault]:
    if isinstance(value, node.cls):
        return
    if not isinstance(value, dict):
        yield KeyFault(at, f"must be a table of keys, not {shown(value)}")
        return
    fields = {field.encode_name: field for field in node.fields}
    faulty = False
    for key, field in fields.items():
        if key in value:
            for fault in _faults(value[key], field.type, (*at, key)):
                faulty = True
                yield fault
        elif field.required:
            faulty = True
            yield KeyFault((*at, key), "is missing")
    strange = (str(key) for key in value if key not in fields and key != node.tag_field)
    for name, meant in each_did_you_mean(strange, fields):
        faulty = True
        yield KeyFault((*at, name), f"unknown key{meant}", unknown=tuple(fields))
    if faulty:
        words = node.cls.wrong_words(value) if issubclass(node.cls, Declaration) else ()
        yield from (KeyFault(at, message) for message in words)
    else:
        try:
            msgspec.convert(value, node.cls)
        except msgspec.ValidationError as error:
            yield KeyFault(at, str(error.__cause__ or error))


def _of_union(value: Any, node: inspect.UnionType, at: Location, about: str) -> Iterator[KeyFault]:
    if value is None and any(isinstance(one, inspect.NoneType) for one in node.types):
        return
    types = [one for one in node.types if not isinstance(one, inspect.NoneType)]
    if len(types) == 1:
        yield from _faults(value, types[0], at, about)
        return
    tagged = {str(one.tag): one for one in types if isinstance(one, inspect.StructType)}
    if len(tagged) < len(types):
        if _refused(value, node):
            yield KeyFault(at, f"must be {about}" if about else "has the wrong form")
        return
    if any(isinstance(value, one.cls) for one in tagged.values()):
        return
    if not isinstance(value, dict):
        yield KeyFault(at, f"must be a table of keys, not {shown(value)}")
        return
    kind = value.get("kind")
    if isinstance(kind, str) and kind in tagged:
        yield from _of_struct(value, tagged[kind], at)
        return
    sentence = "needs a kind" if kind is None else f"unknown kind {kind!r}{did_you_mean(str(kind), tuple(tagged))}"
    yield KeyFault(at, f"{sentence} (kinds: {', '.join(tagged)})")


def _refused(value: Any, node: inspect.UnionType) -> bool:
    """True if a value is none of the forms that a key may take."""
    return all(any(True for _ in _faults(value, one, ())) for one in node.types)


def _of_table(value: Any, node: inspect.DictType, at: Location) -> Iterator[KeyFault]:
    if not isinstance(value, dict):
        yield KeyFault(at, f"must be a table, not {shown(value)}")
        return
    yield from _of_length(value, node, at)
    for key, entry in value.items():
        yield from _faults(entry, node.value_type, (*at, key))


def _of_list(value: Any, node: inspect.VarTupleType | inspect.ListType, at: Location) -> Iterator[KeyFault]:
    if isinstance(value, dict) and isinstance(node.item_type, inspect.StructType) and at:
        yield KeyFault(at, f"must be a list of tables, not one table: write [[{at[-1]}]] in place of [{at[-1]}]")
        yield from _faults(value, node.item_type, at)
        return
    if not isinstance(value, list | tuple):
        yield KeyFault(at, f"must be a list in [ ], not {shown(value)}")
        return
    for fault in _of_length(value, node, at):
        yield fault
        if fault.endless:
            return
    for index, entry in enumerate(value):
        yield from _faults(entry, node.item_type, (*at, index))


def _of_length(value: Any, node: Any, at: Location) -> Iterator[KeyFault]:
    if node.min_length is not None and len(value) < node.min_length:
        yield KeyFault(at, f"needs at least {node.min_length}, has {len(value)}")
    if node.max_length is not None and len(value) > node.max_length:
        yield KeyFault(at, f"needs at most {node.max_length}, has {len(value)}", endless=True)


def _of_fixed_list(value: Any, node: inspect.TupleType, at: Location) -> Iterator[KeyFault]:
    if not isinstance(value, list | tuple):
        yield KeyFault(at, f"must be a list in [ ], not {shown(value)}")
        return
    wanted = len(node.item_types)
    if len(value) < wanted:
        yield KeyFault(at, f"needs at least {wanted} numbers")
    elif len(value) > wanted:
        yield KeyFault(at, f"needs at most {wanted}, has {len(value)}")
    for index, (entry, kind) in enumerate(zip(value, node.item_types, strict=False)):
        yield from _faults(entry, kind, (*at, index))


# ---------------------------------------------------------------- single values


_WORDS: dict[type[inspect.Type], tuple[str, tuple[type, ...]]] = {
    inspect.FloatType: ("a number", (int, float)),
    inspect.IntType: ("a whole number", (int,)),
    inspect.StrType: ("text in quotes", (str,)),
    inspect.BoolType: ("true or false", (bool,)),
}
"""What a value has to be, and the Python types that TOML and JSON read it as."""


def _scalar_message(value: Any, node: inspect.Type, about: str) -> str | None:
    """Return what is wrong with a number, a text, a choice; None for one that is right."""
    if isinstance(node, inspect.LiteralType | inspect.EnumType):
        allowed = node.values if isinstance(node, inspect.LiteralType) else [one.value for one in node.cls]
        return _other_than(value, allowed)
    words, types = _WORDS[type(node)]
    is_one = isinstance(value, types) and (bool in types or not isinstance(value, bool))
    if not is_one:
        return f"must be {words}, not {shown(value)}"
    if isinstance(node, inspect.StrType):
        return f"must be {about}" if node.pattern is not None and not re.search(node.pattern, value) else None
    if isinstance(node, inspect.FloatType) and not _has_end(value):
        return f"must be a finite number, not {shown(value)}"
    return _beyond(value, node, about)


def _has_end(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


_LIMITS = (("gt", "above", gt), ("ge", "at least", ge), ("lt", "below", lt), ("le", "at most", le))


def _beyond(value: float, node: inspect.Type, about: str) -> str | None:
    for name, words, holds in _LIMITS:
        limit = getattr(node, name, None)
        if limit is not None and not holds(value, limit):
            return f"must be {words} {limit:g}, not {shown(value)}{f'; {about}' if about else ''}"
    return None


def _other_than(value: Any, allowed: Sequence[Any]) -> str | None:
    if any(type(value) is type(one) and value == one for one in allowed):
        return None
    *first, last = [repr(one) for one in allowed]
    choices = f"{', '.join(first)} or {last}" if first else last
    return f"must be {choices}, not {shown(value)}"


def shown(value: Any) -> str:
    """Return a value as a sentence names it: ``the text 'a'``, ``a list``, ``7``."""
    if isinstance(value, str):
        return f"the text {value!r}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "a list"
    return "a table" if isinstance(value, Mapping) else str(value)
