"""TOML that people write: read by ``tomllib``, which a small file can cost all memory."""

from __future__ import annotations

import re
import tomllib
from typing import Any

DEEPEST_KEY = 16
"""Parts of a dotted key: the deepest of any file that cytocar reads has four. ``tomllib`` keeps every beginning of a
key, so that one of 30,000 parts in a line of 60 kB takes 4 GB."""
_DEEP_KEY = re.compile(rf"(?<![\w\"'-])(?:[\w\"'-]+[ \t]*\.[ \t]*){{{DEEPEST_KEY}}}")


def parse_toml(text: str) -> dict[str, Any]:
    """Return what a TOML document holds.

    Raises
    ------
    ValueError
        ``TOMLDecodeError`` with the line and column, Python's own about a number of thousands of digits, or a key of
        too many parts.

    Examples
    --------
    >>> parse_toml("beads.min = 1.5")
    {'beads': {'min': 1.5}}
    >>> parse_toml("a." * 30000 + "a = 1")
    Traceback (most recent call last):
    ValueError: Key of more than 16 parts (at line 1, column 1)
    """
    if deep := _DEEP_KEY.search(text):
        line, column = text.count("\n", 0, deep.start()) + 1, deep.start() - text.rfind("\n", 0, deep.start())
        raise ValueError(f"Key of more than {DEEPEST_KEY} parts (at line {line}, column {column})")
    return tomllib.loads(text.replace("\r\n", "\n"))
