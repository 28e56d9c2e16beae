"""Records of a run as JSON, and read back: its sheet's rows, its finished samples, what its manifest holds.

Every number survives to its last bit. A place is kept as text, without secrets; NumPy's numbers as plain ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import msgspec

from cytocar.files.places import Address, place_of

Record = TypeVar("Record")


def plain(record: Any) -> Any:
    """Return records as plain tables, lists, text and numbers, as JSON knows them."""
    return msgspec.to_builtins(record, enc_hook=_as_text_or_number)


def to_json(record: Any) -> bytes:
    """Return records as JSON."""
    return msgspec.json.encode(record, enc_hook=_as_text_or_number)


def from_plain(content: Any, kind: type[Record]) -> Record:
    """Return the records that ``plain`` made plain.

    Raises
    ------
    msgspec.ValidationError
        The content is none of this kind.
    """
    return msgspec.convert(content, kind, dec_hook=_read_back)


def from_json(content: bytes, kind: Any) -> Any:
    """Return the records that ``to_json`` wrote.

    Raises
    ------
    msgspec.MsgspecError
        The content is no JSON, or none of this kind.
    """
    return msgspec.json.decode(content, type=kind, dec_hook=_read_back)


def _as_text_or_number(value: Any) -> Any:
    if isinstance(value, Path | Address):
        return str(value)
    if hasattr(value, "dtype"):
        return value.item()
    raise NotImplementedError(f"{type(value).__name__} is kept by no record of a run")


def _read_back(_kind: type, text: Any) -> Any:
    if not isinstance(text, str):
        raise ValueError(f"{text!r} is no place of a file")  # noqa: TRY004 -- what msgspec expects
    return place_of(text)
