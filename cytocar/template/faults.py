"""Every fault of a template document at once, in the words of the person who wrote it.

Three passes: what the declarations refuse (unknown keys, missing keys, wrong types, bounds that do not rise); the same
again after misspelt keys have been read as what they were meant to be, so that one typing error does not hide the next
fault; and what only the whole document shows (names that refer to nothing, parents below their children).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from cytocar.errors.near_names import near_names
from cytocar.errors.tree import FAULTS_SHOWN
from cytocar.signals.declaration import KeyFault, NotDeclaredError, declare
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
    template, refused = _validate(document)
    faults = _placed(document, refused)
    if any(fault.endless for fault in refused):
        return None, tuple(faults)
    if refused:
        document, mended = _mend(document, refused)
        faults = [fault for fault in faults if fault.place not in mended]
        _, hidden = _validate(document)
        known = {fault.place for fault in faults}
        faults += [fault for fault in _placed(document, hidden) if fault.place not in known]
    faults += [Fault(place_in(document, where), message) for where, message in reference_faults(document)]
    return (None if faults else template), tuple(dict.fromkeys(faults))


def _validate(document: Mapping[str, Any]) -> tuple[Template | None, tuple[KeyFault, ...]]:
    try:
        return declare(Template, document), ()
    except NotDeclaredError as error:
        return None, error.faults


def _placed(document: Mapping[str, Any], faults: Sequence[KeyFault]) -> list[Fault]:
    return [Fault(place_in(document, fault.location), fault.message) for fault in faults]


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


# ---------------------------------------------------------------- reading on after a misspelt key


def _mend(document: Mapping[str, Any], faults: Sequence[KeyFault]) -> tuple[dict[str, Any], set[str]]:
    """Return a copy in which each unknown key is renamed to the missing key that it resembles, or left out.

    The places of the keys found that way come with it: they are not missing, only misspelt.
    """
    mended: dict[str, Any] = copy.deepcopy(dict(document))
    places = set()
    strange = [fault for fault in faults if fault.unknown is not None]
    for number, fault in enumerate(strange):
        *way, last = fault.location
        table: Any = mended
        for part in way:
            table = _child(table, part)
        value = table.pop(last)
        close = near_names(str(last), fault.unknown or ()) if number < FAULTS_SHOWN else ()
        if close and close[0] not in table:
            table[close[0]] = value
            places.add(place_in(document, (*way, close[0])))
    return mended, places
