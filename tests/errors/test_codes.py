"""Every code that cytocar prints is explained, and every explanation is of a code that it prints."""

from __future__ import annotations

import re
from pathlib import Path

import cytocar
from cytocar.errors.codes import explanations
from cytocar.gates.decision import Flag

PACKAGE = Path(cytocar.__file__).parent
_CODE = re.compile(r"[\"']([EW]\d{3})[\"']")


def _printed() -> set[str]:
    return {code for file in PACKAGE.rglob("*.py") for code in _CODE.findall(file.read_text("utf-8"))}


def test_every_code_in_the_program_is_explained() -> None:
    assert _printed() - set(explanations()) == set()


def test_every_explanation_says_what_it_means_why_and_what_to_do() -> None:
    for code, text in explanations().items():
        for part in (text.title, text.meaning, text.cause, text.fix):
            assert part.strip(), code


def test_every_flag_of_a_gate_is_explained_and_no_other_word() -> None:
    assert {code for code in explanations() if not re.fullmatch(r"[EW]\d{3}", code)} == set(Flag)
