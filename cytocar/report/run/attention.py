"""What needs a person's eyes: findings that ask for a look, grouped by their code, worst first, each with the fix."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cytocar.errors.codes import explanations
from cytocar.errors.findings import Finding, Severity
from cytocar.sample.result import SampleOutcome

_WORST_FIRST = (Severity.FAIL, Severity.NO_COUNT, Severity.REVIEW)


@dataclass(frozen=True, slots=True)
class Befallen:
    """One sample that something befell."""

    number: int
    sample_id: str
    message: str


@dataclass(frozen=True, slots=True)
class Concern:
    """One thing that somebody should look at, and the samples that it befell."""

    code: str
    title: str
    fix: str
    outcome: Severity
    samples: tuple[Befallen, ...]


def concerns(outcomes: Sequence[SampleOutcome]) -> tuple[Concern, ...]:
    """Return what needs a person's eyes, worst first, else in the order of the samples."""
    found: dict[tuple[Severity, str, str], dict[tuple[int, str], Befallen]] = {}
    for number, outcome in enumerate(outcomes):
        for finding in outcome.findings:
            if finding.outcome in _WORST_FIRST:
                befallen = Befallen(number, outcome.sample.sample_id, finding.message)
                group = found.setdefault((finding.outcome, finding.code, fix_of(finding)), {})
                group.setdefault((number, finding.message), befallen)
    ranked = sorted(found.items(), key=lambda group: _WORST_FIRST.index(group[0][0]))
    return tuple(
        Concern(code, title_of(code), fix, outcome, tuple(group.values())) for (outcome, code, fix), group in ranked
    )


def title_of(code: str) -> str:
    """Return a code's title; the code itself where nothing is known of it."""
    explained = explanations().get(code)
    return explained.title if explained else code


def fix_of(finding: Finding) -> str:
    """Return what to do about a finding: its own hint, else the fix of its code."""
    explained = explanations().get(finding.code)
    return finding.hint or (explained.fix if explained else "")


@dataclass(frozen=True, slots=True)
class Entry:
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
