"""Acceptance rules of a template, the doubts of its fit, empty populations, and the flags of gates as findings."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from cytocar.errors.findings import Finding, Severity
from cytocar.errors.near_names import near_names
from cytocar.errors.tree import TemplateError
from cytocar.gates.decision import CONTROL_FLAGS, Decision, Flag, Source
from cytocar.sheet.rows import SampleRow, SampleType
from cytocar.template.gate_kinds import ValleyGate
from cytocar.template.model import Acceptance, Doubt, Template


def check_acceptance(rules: Sequence[Acceptance], values: Mapping[str, float | None]) -> tuple[Finding, ...]:
    """Return one finding per rule of the template: passed, failed with the rule's outcome, or not checkable.

    Parameters
    ----------
    values : mapping of check to number
        The sample's numbers by the names of ``counts.csv``; None for one that this sample does not have.

    Raises
    ------
    TemplateError
        E170, if a rule names a check that is none of ``values``.
    """
    return tuple(_acceptance(rule, values) for rule in rules)


def _acceptance(rule: Acceptance, values: Mapping[str, float | None]) -> Finding:
    if rule.check not in values:
        near = near_names(rule.check, values, most=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "use a number's name in counts.csv"
        raise TemplateError(f"acceptance check {rule.check!r} is not a number of a sample", code="E170", hint=hint)
    value = values[rule.check]
    if value is None:
        message = f"{rule.check} is not known for this sample, so it could not be checked"
        return Finding(rule.check, "W286", Severity.REVIEW, message, None, rule.minimum or rule.maximum)
    if rule.minimum is not None and value < rule.minimum:
        message = f"{rule.check} is {value:g}, below {rule.minimum:g}"
        return Finding(rule.check, "W285", Severity(rule.on_fail), message, value, rule.minimum)
    if rule.maximum is not None and value > rule.maximum:
        message = f"{rule.check} is {value:g}, above {rule.maximum:g}"
        return Finding(rule.check, "W285", Severity(rule.on_fail), message, value, rule.maximum)
    limit = rule.minimum if rule.minimum is not None else rule.maximum
    return Finding(rule.check, "", Severity.PASS, f"{rule.check} is {value:g}", value, limit)


def emptiness(name: str, events: int, *, of: int) -> tuple[Finding, ...]:
    """Return a finding if a population that a stained tube must hold has no event of a file that has some.

    Every percentage and count under it is then unknown: a gate, a marker or a template that does not fit looks so.

    Examples
    --------
    >>> [finding.code for finding in emptiness("t_cells", 0, of=5000)], emptiness("t_cells", 1, of=5000)
    (['W287'], ())
    """
    if events or not of:
        return ()
    message = f"none of {of:,} events is in the population {name!r}"
    return (Finding(name, "W287", Severity.REVIEW, message, 0.0, None),)


NOTED_FLAGS = frozenset({Flag.DIM, *CONTROL_FLAGS, Flag.NO_RESOLVED_POSITIVES})
"""Flags that say how a number came about without asking a person to look; all others ask."""


FLAGS_OF_PLACE = frozenset({Flag.NO_VALLEY, Flag.CLAMPED, Flag.FLAT_VALLEY, Flag.DIFFERS_FROM_FIXED})
"""Flags that say where a threshold lies, or could: no reason to look where no counted cell hangs on it."""


LARGEST_BORDER_PERCENT = 1.0
"""Of a border without a valley: no more events than this within 5 % of it means that it lies in a gap all the same."""


def _lies_in_a_gap(decision: Decision) -> bool:
    percent = decision.border_percent
    return bool(decision.kept) and percent is not None and percent < LARGEST_BORDER_PERCENT


def doubt_findings(template: Template) -> tuple[Finding, ...]:
    """Return the doubts that the template's fit left: for review, a note where a person has accepted them.

    They hold for every sample alike, so their messages are the same in all, and a run shows each once.

    Examples
    --------
    >>> from msgspec.structs import replace
    >>> from cytocar.template.load import load_template
    >>> doubts = (Doubt(code="W338", message="no CD3"), Doubt(code="W340", message="few", accepted_by="A", reason="B"))
    >>> template = replace(load_template("tcell"), doubts=doubts)
    >>> [(one.code, str(one.outcome)) for one in doubt_findings(template)]
    [('W338', 'review'), ('W340', 'note')]
    """
    return tuple(_doubt_finding(doubt) for doubt in template.doubts)


def _doubt_finding(doubt: Doubt) -> Finding:
    if doubt.accepted_by:
        message = f"{doubt.message}; accepted by {doubt.accepted_by}: {doubt.reason}"
        return Finding("template", doubt.code, Severity.NOTE, message)
    hint = f"look at the gates; if they are right: cytocar template accept TEMPLATE.toml {doubt.code} --by NAME"
    message = f"the template's own fit doubts it: {doubt.message}"
    return Finding("template", doubt.code, Severity.REVIEW, message, hint=f"{hint} --reason WHY")


def left_out_of(sample: SampleRow, template: Template) -> str | None:
    """Return the population that an FMO cannot show: the CAR's, unless another marker was left out of the tube."""
    if sample.sample_type is not SampleType.FMO or template.report.car is None:
        return None
    marker = getattr(template.population(template.report.car).gate, "marker", None)
    others = {name.casefold() for name in template.panel} - {str(marker).casefold()}
    return None if (sample.stain_target or "").casefold() in others else template.report.car


def gate_findings(
    decisions: Sequence[Decision],
    template: Template,
    *,
    by_beads: bool,
    stained: bool = True,
    left_out: str | None = None,
    apart: Collection[str] = (),
) -> tuple[Finding, ...]:
    """Return one finding per gate and flag of its decisions; the flag is the code.

    Notes, no alarms, are: ``NO_VALLEY`` of a gate that keeps what lies below (a tube without dead cells), and of any
    gate whose fallback lies in a gap; ``CLAMPED`` of a valley gate that keeps what lies below and ends in a gap; flags
    of a bead gate by which nothing is counted. Where beads were not found, the check of the beads says so, once.
    ``NO_REFERENCE`` is a note of the CAR gate alone, whose background is then assumed: any other line that a control
    should place stands where the template puts it, on whatever instrument. A tube that is not ``stained`` has no cells
    for any gate but that of the beads; a population whose marker was ``left_out`` of an FMO is no odd one there. Where
    a threshold lies is a note as well where it is ``apart`` from all that is counted.
    """
    findings: dict[tuple[str, str], Finding] = {}
    for decision in decisions:
        gate = template.population(decision.population).gate
        is_beads = decision.population == template.counting.beads
        if not (stained or is_beads) or decision.population == left_out:
            continue
        below = isinstance(gate, ValleyGate) and gate.keep == "below"
        in_a_gap = isinstance(gate, ValleyGate) and _lies_in_a_gap(decision)
        for flag in decision.flags:
            noted = flag in NOTED_FLAGS or (flag is Flag.NO_VALLEY and (below or in_a_gap))
            noted |= flag is Flag.CLAMPED and below and in_a_gap
            noted |= flag in FLAGS_OF_PLACE and decision.population in apart
            noted &= flag is not Flag.NO_REFERENCE or decision.population == template.report.car
            noted |= is_beads and (not by_beads or decision.source is Source.FALLBACK)
            outcome = Severity.NOTE if noted else Severity.REVIEW
            used = "" if decision.value is None else f", {decision.parameter} {decision.value:.5g} used"
            message = f"{decision.population}: {flag}{used} ({decision.source})"
            key = (decision.population, flag)
            findings.setdefault(key, Finding(decision.population, flag, outcome, message, decision.value))
    return tuple(findings.values())
