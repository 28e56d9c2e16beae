"""What a code means on the page: its title, its fix, the glossary."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from cytocar.errors.codes import explanations
from cytocar.errors.findings import Finding
from cytocar.sample.result import SampleOutcome


def title_of(code: str) -> str:
    """Return a code's title; the code itself where nothing is known of it."""
    explained = explanations().get(code)
    return explained.title if explained else code


def fix_of(finding: Finding) -> str:
    """What to do about a finding: its own hint, else the fix of its code."""
    explained = explanations().get(finding.code)
    return finding.hint or (explained.fix if explained else "")


class Entry(Struct, frozen=True):
    """One code or flag of the page's glossary."""

    code: str
    title: str
    meaning: str
    fix: str


def glossary(outcomes: Iterable[SampleOutcome], flags: Iterable[str]) -> tuple[Entry, ...]:
    """Return every code and flag on the page with its meaning, in the order of ``codes.toml``."""
    used = {finding.code for outcome in outcomes for finding in outcome.findings} | set(flags)
    return tuple(
        Entry(code, explained.title, explained.meaning, explained.fix)
        for code, explained in explanations().items()
        if code in used
    )
