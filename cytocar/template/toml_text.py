"""A template as a TOML file that people can read and edit: what an import writes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from cytocar.template.model import Template

WIDTH = 110


def to_toml(
    template: Template, *, comments: Iterable[str] = (), evidence: Mapping[str, Sequence[str]] | None = None
) -> str:
    """Return the text of a template file; loading it gives the identical template.

    Parameters
    ----------
    comments : iterable of str
        Lines to stand at the top.
    evidence : mapping, optional
        Lines to stand above a population's gate, by its name: what its numbers rest on.
    """
    reasons = evidence or {}
    declaration = {"format": 1, **template.beyond_defaults()}
    lines = [f"# {line}" for line in comments]
    lines += [
        _pair(key, declaration[key]) for key in ("format", "name", "version", "title", "note") if key in declaration
    ]
    lines += table_lines("panel", declaration["panel"])
    compensation = dict(declaration.get("compensation", {}))
    matrices = compensation.pop("matrices", {})
    lines += table_lines("compensation", compensation)
    for name, matrix in matrices.items():
        lines += table_lines(f"compensation.matrices.{_key(name)}", matrix)
    # Every parameter of a scale is written out: nobody should have to know the defaults to read an axis.
    lines += table_lines("scales", {name: scale.present() for name, scale in template.scales.items()})
    for population in declaration["populations"]:
        for line in table_lines("populations", population, array=True):
            if line.startswith("gate = "):
                lines += [f"# {reason}" for reason in reasons.get(population["name"], ())]
            lines.append(line)
    for key, section in declaration.items():
        if key not in ("panel", "compensation", "scales") and isinstance(section, dict):
            lines += table_lines(key, section)
    for key in ("acceptance", "doubts"):
        for entry in declaration.get(key, []):
            lines += table_lines(key, entry, array=True)
    return "\n".join(lines) + "\n"


def table_lines(name: str, content: Mapping[str, Any], *, array: bool = False) -> Iterator[str]:
    """Yield a table of a template, a blank line first; nothing where it is empty."""
    if not content:
        return
    yield ""
    yield f"[[{name}]]" if array else f"[{name}]"
    for key, value in content.items():
        yield _pair(key, value)


def _pair(key: str, value: Any) -> str:
    return f"{_key(key)} = {_value(value, len(_key(key)) + 3)}"


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _text(key)


def _text(text: str) -> str:
    """Return a basic string: JSON's escapes are TOML's, but for the one character that JSON leaves alone."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any, column: int = 0) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, dict):
        inside = ", ".join(f"{_key(key)} = {_value(entry, column)}" for key, entry in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list):
        return _array([_value(entry) for entry in value], column)
    return str(value)


def _array(entries: list[str], column: int) -> str:
    """Return an array on one line, or wrapped (an array may be, even inside an inline table)."""
    line = f"[{', '.join(entries)}]"
    if len(line) + column <= WIDTH:
        return line
    lines = [""]
    for entry in entries:
        if len(lines[-1]) + len(entry) > WIDTH - 6:
            lines.append("")
        lines[-1] += f"{entry}, " if lines[-1] else f"    {entry}, "
    return "[\n" + "\n".join(text.rstrip() for text in lines) + "\n]"
