"""The base of every declaration that people write: gating templates, files of limits, moved gates, the alias book.

A declaration is a ``msgspec.Struct``: its keys, their types and limits stand in the class, and what its keys have to be
together in ``faults``. :func:`declare` reads a table into one; every fault of a table that is none is told at once
(:mod:`cytocar.signals.declaration_faults`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import Struct


class Declaration(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every declaration: unknown keys are faults, nothing changes after validation, no NaN."""

    def __post_init__(self) -> None:
        """Refuse values that do not go together."""
        if reasons := tuple(self.faults()):
            raise ValueError("; ".join(reasons))

    def faults(self) -> Iterator[str]:
        """Yield what is wrong with values of which each alone is right."""
        return iter(())

    @classmethod
    def wrong_words(cls, table: Mapping[str, Any]) -> Iterator[str]:
        """Yield single words of a table that ``faults`` refuses, whatever else is wrong with the table."""
        return iter(())

    @property
    def kind(self) -> str:
        """What the key ``kind`` of the table is: which of several declarations it stands for."""
        return str(type(self).__struct_config__.tag)

    def beyond_defaults(self) -> dict[str, Any]:
        """Return the values beyond the defaults, as plain tables, lists, text and numbers; ``kind`` always."""
        tag = type(self).__struct_config__.tag
        table: dict[str, Any] = {} if tag is None else {"kind": tag}
        for name, default in _defaults(type(self)):
            value = getattr(self, name)
            if value != default:
                table[name] = _plain(value)
        return table

    def present(self) -> dict[str, Any]:
        """Return the values that are not None, as plain tables, lists, text and numbers."""
        return {key: value for key, value in msgspec.to_builtins(self).items() if value is not None}


@cache
def _defaults(kind: type[Declaration]) -> tuple[tuple[str, object], ...]:
    """Return the keys of a declaration, each with its default; NODEFAULT of one that is needed."""
    return tuple(
        (field.name, field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory())
        for field in msgspec.structs.fields(kind)
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Declaration):
        return value.beyond_defaults()
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    return value


Kind = TypeVar("Kind")


class KeyFault(Struct, frozen=True):
    """What is wrong with one key: where it stands (keys, and indices of lists from 0, which people read from 1), why.

    ``unknown`` lists the keys that could have been meant where the key itself is wrong; ``endless``: the list is so
    long that what else may be wrong would take as long to find.
    """

    location: tuple[int | str, ...]
    message: str
    unknown: tuple[str, ...] | None = None
    endless: bool = False

    def __str__(self) -> str:
        place = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in self.location)
        return f"{place.removeprefix('.')}: {self.message}" if place else self.message


class NotDeclaredError(ValueError):
    """A table that is not what it should be, with every fault."""

    def __init__(self, faults: tuple[KeyFault, ...]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = faults


def declare(kind: type[Kind], table: Mapping[str, Any]) -> Kind:
    """Return the declaration, or the table of declarations, that a table holds.

    Parameters
    ----------
    kind : type
        A :class:`Declaration`, or a type made of such: ``dict[str, Entry]``.
    table : mapping
        As ``tomllib`` or ``json`` read it. Text is no number, and a number is finite.

    Raises
    ------
    NotDeclaredError
        With every fault of the table.

    Examples
    --------
    >>> from cytocar.signals.marker import Marker
    >>> declare(Marker, {"aliases": ["CD3"]}).aliases
    ('CD3',)
    >>> declare(Marker, {"alias": ["CD3"], "optional": 1})
    Traceback (most recent call last):
    cytocar.signals.declaration.NotDeclaredError: optional: must be true or false, not 1; alias: unknown key, ...
    """
    refusal = "holds a number that is not finite"
    try:
        if _is_finite(table):
            return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        refusal = str(error)
    from cytocar.signals.declaration_faults import faults_of

    raise NotDeclaredError(tuple(faults_of(table, kind)) or (KeyFault((), refusal),))


def _is_finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    return all(map(_is_finite, value)) if isinstance(value, list | tuple) else True
