"""The long text behind every warning and error code, kept in ``codes.toml``."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

from msgspec import Struct


class Explanation(Struct, frozen=True):
    """A code's title, what it means, what usually causes it, and what to do."""

    code: str
    title: str
    meaning: str
    cause: str
    fix: str


@cache
def explanations() -> dict[str, Explanation]:
    """Return every code with its explanation, in the order of the file.

    Examples
    --------
    >>> explanations()["E031"].title
    'No counting beads found'
    """
    table = tomllib.loads(files("cytocar.errors").joinpath("codes.toml").read_text("utf-8"))
    return {code: Explanation(code=code, **texts) for code, texts in table.items()}
