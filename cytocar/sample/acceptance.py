"""A counted sample beside the acceptance rules of its template, as far as they can be met by such a tube."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from cytocar.errors.findings import Finding, Severity
from cytocar.sample.quality.acceptance import check_acceptance
from cytocar.sample.result import SampleResult
from cytocar.sheet.rows import SampleType
from cytocar.tables.columns import COUNTS_NUMBERS

if TYPE_CHECKING:
    from cytocar.template.model import Template

WITHOUT_T_CELLS = frozenset({SampleType.UNSTAINED, SampleType.SINGLE_STAIN, SampleType.BLANK})
"""Tubes in which no T cell need be found."""


def accepted(result: SampleResult, template: Template) -> SampleResult:
    """Return the result with the findings of the template's acceptance rules."""
    rules = template.acceptance
    if result.sample.sample_type in WITHOUT_T_CELLS:  # a rule on stained cells cannot be met
        rules = tuple(rule for rule in rules if rule.check.startswith("bead") or rule.check == template.counting.beads)
    findings = check_acceptance(rules, _acceptable(result))
    if result.sample.sample_type is SampleType.EQA:
        findings = (*findings, _viability_as_reported(result))
    return replace(result, findings=(*result.findings, *findings))


def _viability_as_reported(result: SampleResult) -> Finding:
    """Return the note that a proficiency sample is counted whether its cells live or not."""
    viable = result.population(result.roles.viable)
    percent = viable.percent_of_parent.value if viable else None
    seen = "not known" if percent is None else f"{percent:.1f} %"
    message = f"proficiency sample: viability is {seen}; dead cells are counted as well"
    return Finding("viability", "W380", Severity.NOTE, message, percent)


def _acceptable(result: SampleResult) -> dict[str, float | None]:
    events: dict[str, float | None] = {population.name: population.events for population in result.populations}
    row = result.row()
    numbers = {name: row[name] for name in COUNTS_NUMBERS}
    return events | {name: value if isinstance(value, int | float) else None for name, value in numbers.items()}
