"""Every code that cytocar prints is explained, and every explanation is of a code that it prints."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import cytocar
from cytocar.errors.codes import explanations
from cytocar.gates.decision import Flag

PACKAGE = Path(cytocar.__file__).parent
_CODE = re.compile(r"\b[EW]\d{3}\b")


@cache
def _printed() -> set[str]:
    """Return the codes in every text of the program but its docstrings."""
    return {code for file in PACKAGE.rglob("*.py") for text in _texts(file) for code in _CODE.findall(text)}


def _texts(file: Path) -> Iterator[str]:
    source = file.read_text("utf-8")
    if not _CODE.search(source):
        return  # to parse the whole package takes seconds
    nodes = list(ast.walk(ast.parse(source)))
    documented = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented:
            yield node.value


def test_every_code_in_the_program_is_explained_and_no_other() -> None:
    explained = {code for code in explanations() if _CODE.fullmatch(code)}
    last = {kind: max(code for code in explained if code.startswith(kind)) for kind in "EW"}
    assert _printed() - explained == set(), f"explain it in codes.toml; the number after {last['E']} or {last['W']}"
    assert explained - _printed() == set(), "no program text has this code: take it out of codes.toml"


def test_every_explanation_says_what_it_means_why_and_what_to_do() -> None:
    for code, text in explanations().items():
        for part in (text.title, text.meaning, text.cause, text.fix):
            assert part.strip(), code


def test_every_flag_of_a_gate_is_explained_and_no_other_word() -> None:
    assert {code for code in explanations() if not re.fullmatch(r"[EW]\d{3}", code)} == set(Flag)
