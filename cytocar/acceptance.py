"""Whether a sample's numbers are what the laboratory accepts: the template's rules, and the flags of its gates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cytocar.findings import Finding, Outcome
from cytocar.gates.decision import Decision
from cytocar.template.model import Acceptance


def check_acceptance(rules: Sequence[Acceptance], values: Mapping[str, float | None]) -> tuple[Finding, ...]:
    """Return one finding per rule: passed, or what the template says happens.

    Parameters
    ----------
    rules : sequence of Acceptance
        The template's rules.
    values : mapping of str to float
        Numbers of the sample by column of ``counts.csv`` or population (its events). A number that is not known
        cannot be accepted: the rule is broken.
    """
    return tuple(_check(rule, values.get(rule.check)) for rule in rules)


def _check(rule: Acceptance, value: float | None) -> Finding:
    limit = rule.minimum if rule.minimum is not None else rule.maximum
    if value is None:
        return Finding(rule.check, "W225", Outcome(rule.on_fail), f"{rule.check} is not known", limit=limit)
    if rule.minimum is not None and value < rule.minimum:
        message = f"{rule.check} is {value:.4g}, below {rule.minimum:g}"
        return Finding(rule.check, "W225", Outcome(rule.on_fail), message, value=value, limit=rule.minimum)
    if rule.maximum is not None and value > rule.maximum:
        message = f"{rule.check} is {value:.4g}, above {rule.maximum:g}"
        return Finding(rule.check, "W225", Outcome(rule.on_fail), message, value=value, limit=rule.maximum)
    return Finding(rule.check, "", Outcome.PASS, f"{rule.check} is {value:.4g}", value=value, limit=limit)


_MILD_FLAGS = frozenset({"NO_DEAD_PEAK", "DIM"})
"""Flags of gates that did their work: worth a note, not a person's time."""


def decision_findings(decisions: Sequence[Decision]) -> tuple[Finding, ...]:
    """Return a finding per flag that a data-driven gate raised."""
    return tuple(
        Finding(
            check=decision.population,
            code=flag,
            outcome=Outcome.NOTE if flag in _MILD_FLAGS else Outcome.REVIEW,
            message=f"gate {decision.population}: {flag}",
            value=decision.value,
            limit=decision.fallback,
        )
        for decision in decisions
        for flag in decision.flags
    )
