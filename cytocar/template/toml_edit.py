"""A template file after a change of its template: what did not change stays as it was typed, comments too.

The file is cut at its headers, each piece with the comments above it. Only pieces whose declaration differs are
touched, and of these only the keys that differ. Who writes the text reads it first and refuses a difference.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import tomlkit
from msgspec import Struct
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AbstractTable, InlineTable

from cytocar.errors.tree import TemplateError
from cytocar.template.model import Template
from cytocar.template.toml_text import table_lines, to_toml

HEADER = re.compile(r"^[ \t]*\[\[?\s*(?P<key>[A-Za-z0-9_-]+)\s*(?:\.[^\[\]]*)?\]\]?[ \t]*(?:#.*)?$", re.MULTILINE)
POPULATIONS = "populations"
HEAD = ("name", "version", "title", "note")
Table = Mapping[str, Any]


class _Piece(Struct):
    """A header with all below it, and the comments and blank lines that lead to it."""

    key: str
    lead: str
    text: str


def edited(text: str, before: Template | None, after: Template, *, names: Mapping[str, str] | None = None) -> str:
    """Return the text of a template file with the changes from one template to another made in it.

    Parameters
    ----------
    text : str
        The file; empty for a new one.
    before : Template, optional
        What it declares.
    names : mapping, optional
        Population to the name that it has in the file, where that is another.

    Raises
    ------
    TemplateError
        E224 if the file is laid out in a way that cannot be changed piece by piece.

    Examples
    --------
    >>> from cytocar.template.load import parse_template
    >>> text = '''name = "demo"
    ... version = "1.0.0" # of May
    ... [panel]
    ... CD3 = {}
    ... # T cells
    ... [[populations]]
    ... name = "t_cells"
    ... gate = { kind = "range", marker = "CD3", min = 1200 } # isotype ends at 1000
    ... '''
    >>> before = parse_template(text, source="demo.toml")
    >>> after = parse_template(text.replace("1200", "1350"), source="demo.toml")
    >>> print(edited(text, before, after).splitlines()[-1])
    gate = { kind = "range", marker = "CD3", min = 1350 } # isotype ends at 1000
    """
    if not text.strip() or before is None:
        return to_toml(after)
    old, new = ({**template.beyond_defaults(), "scales": _scales(template)} for template in (before, after))
    try:
        there: Counter[str] = Counter()
        pieces = []
        for piece in _pieces(text):
            pieces.append(_with_changes(piece, old, new, number=there[piece.key]))
            there[piece.key] += 1
        made = _populations(pieces, old, new, names or {})
    except (TOMLKitError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise _refused(str(error)) from error
    lines = [
        "\n".join(table_lines(key, new[key])) + "\n"
        for key in new
        if key not in there and isinstance(new[key], dict) and new[key] != old.get(key)
    ]
    return "".join(piece.lead + _ended(piece.text) for piece in made) + "".join(lines)


def _scales(template: Template) -> dict[str, Any]:
    """Return scales with every number, as people read them."""
    return {name: scale.present() for name, scale in template.scales.items()}


def _refused(why: str) -> TemplateError:
    return TemplateError(
        f"the file cannot be changed piece by piece ({why})",
        code="E224",
        hint="write populations as [[populations]] tables, or save under a new name: `cytocar template edit new.toml`",
    )


# ---------------------------------------------------------------- pieces


def _pieces(text: str) -> list[_Piece]:
    """Return the file in pieces: the head, each table with its own below it, each population by itself."""
    places = [match.start() for match in HEADER.finditer(text)]
    keys = ["", *(match["key"] for match in HEADER.finditer(text))]
    starts = [0, *places]
    parts = [text[start:end] for start, end in zip(starts, [*places, len(text)], strict=True)]
    pieces: list[_Piece] = []
    lead = ""
    for key, part in zip(keys, parts, strict=True):
        own, following = _without_tail(part)
        begins = bool(re.match(r"[ \t]*\[\[\s*[\w-]+\s*\]\]", part))
        if pieces and pieces[-1].key == key and not begins:
            pieces[-1].text = _ended(pieces[-1].text) + lead + own
        else:
            pieces.append(_Piece(key, lead, own))
        lead = following
    if lead:
        pieces.append(_Piece("", lead, ""))
    return pieces


def _without_tail(part: str) -> tuple[str, str]:
    """Return a part without the comments and blank lines at its end, and these."""
    lines = part.splitlines(keepends=True)
    end = len(lines)
    while end and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    return "".join(lines[:end]), "".join(lines[end:])


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"


def _with_changes(piece: _Piece, old: Table, new: Table, *, number: int) -> _Piece:
    """Return a piece, the ``number``-th under its key, with its changes, but for populations."""
    if piece.key == POPULATIONS or not piece.text:
        return piece
    if not piece.key:
        was, now = ({key: side[key] for key in HEAD if key in side} for side in (old, new))
        return _Piece("", piece.lead, _merged(piece.text, (), was, now))
    was, now = old.get(piece.key, {}), new.get(piece.key, {})
    if was == now:
        return piece
    if isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        return _Piece(piece.key, piece.lead, _merged(piece.text, (piece.key, 0), was[number], now[number]))
    if isinstance(was, list) or isinstance(now, list):
        raise KeyError(f"[[{piece.key}]] changes")
    return _Piece(piece.key, piece.lead, _merged(piece.text, (piece.key,), was, now))


def _populations(pieces: list[_Piece], old: Table, new: Table, names: Mapping[str, str]) -> list[_Piece]:
    """Return the pieces with the populations as they are now, all together where the first of them stood."""
    own = {tomlkit.parse(one.text)[POPULATIONS][0]["name"]: one for one in pieces if one.key == POPULATIONS}
    was = {one["name"]: one for one in old[POPULATIONS]}
    made, used = [], set()
    for population in new[POPULATIONS]:
        name = names.get(population["name"], population["name"])
        if name in own and name not in used:
            used.add(name)
            text = _merged(own[name].text, (POPULATIONS, 0), was[name], population)
            made.append(_Piece(POPULATIONS, own[name].lead, text))
        else:
            lines = list(table_lines(POPULATIONS, population, array=True))
            made.append(_Piece(POPULATIONS, "\n", "\n".join(lines[1:]) + "\n"))
    place = next((at for at, one in enumerate(pieces) if one.key == POPULATIONS), len(pieces))
    rest = [one for one in pieces[place:] if one.key != POPULATIONS]
    return [*pieces[:place], *made, *rest]


# ---------------------------------------------------------------- keys


def _merged(text: str, path: tuple[str | int, ...], was: Table, now: Table) -> str:
    """Return a piece's text with the keys that differ between two declarations changed."""
    if was == now:
        return text
    document = tomlkit.parse(text)
    table: Any = document
    for part in path:
        table = table[part]
    _merge(table, was, now)
    return tomlkit.dumps(document)


def _merge(table: Any, was: Table, now: Table) -> None:
    for key in dict.fromkeys((*was, *now)):
        if was.get(key) == now.get(key):
            continue
        if key not in now:
            table.pop(key, None)
        elif key in was and key in table and _same_kind(was[key], now[key]) and isinstance(table[key], AbstractTable):
            _merge(table[key], was[key], now[key])
        elif key in table and isinstance(table[key], AbstractTable) and not isinstance(table[key], InlineTable):
            table[key] = _as_table(now[key])
        else:
            table[key] = _item(now[key])


def _same_kind(was: Any, now: Any) -> bool:
    return isinstance(was, dict) and isinstance(now, dict) and was.get("kind") == now.get("kind")


def _as_table(content: Table) -> Any:
    table = tomlkit.table()
    for key, value in content.items():
        table.add(key, _item(value))
    return table


def _item(value: Any) -> Any:
    """Return a value as TOML: numbers as people write them, tables on one line."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    if isinstance(value, list):
        array = tomlkit.array()
        array.extend(_item(one) for one in value)
        return array
    if isinstance(value, dict):
        table = tomlkit.inline_table()
        for key, one in value.items():
            table[key] = _item(one)
        return table
    return value
