"""What needs a person's eyes: one line per sample, worst first, with one cause; what holds for the whole run, once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from cytocar.errors.findings import Finding, Severity
from cytocar.figures.gate_pictures.views import View
from cytocar.gates.decision import CONTROL_FLAGS, Flag
from cytocar.report.run.explained import fix_of, title_of
from cytocar.sample.choose_controls import CONTROL_TYPES
from cytocar.sample.result import SampleOutcome, SampleResult

WORST_FIRST = (Severity.FAIL, Severity.NO_COUNT, Severity.REVIEW)

SHARE_OF_THE_RUN = 0.5
"""A finding of more than half of the samples says something about the run, not about one of them."""

FEWEST_FOR_THE_RUN = 6
"""Samples with the same finding before it is the run's: of fewer, each is worth its own line."""


APART = "W254"
ODD_SHOWN = 3
"""Samples apart from the others whose numbers are said; the page names all of them."""


class WorkItem(Struct, frozen=True):
    """One sample that a person should look at.

    ``view`` is the number of the picture of the gate concerned; ``others`` are the codes of its further findings.
    """

    number: int
    outcome: SampleOutcome
    finding: Finding
    title: str
    fix: str
    others: tuple[str, ...]
    view: int | None


class RunNote(Struct, frozen=True):
    """A finding of most samples of a run, with the numbers of these samples on the page."""

    code: str
    title: str
    fix: str
    severity: Severity
    message: str
    samples: tuple[int, ...]


class Worklist(Struct, frozen=True):
    """The samples to look at, worst first, and what holds for the whole run."""

    items: tuple[WorkItem, ...]
    notes: tuple[RunNote, ...]

    @property
    def sharing(self) -> int:
        """How many samples ask for a look for nothing but what most of the run shares."""
        sharing = {number for note in self.notes if note.severity is not Severity.NOTE for number in note.samples}
        return len(sharing - {item.number for item in self.items})

    @property
    def calm(self) -> bool:
        """Whether nothing asks for a look, in one sample or in all."""
        return not self.items and all(note.severity is Severity.NOTE for note in self.notes)


def worklist(outcomes: Sequence[SampleOutcome], views_of: Mapping[str, Sequence[View]]) -> Worklist:
    """What needs a person's eyes.

    Samples of one cause stand together, the commonest first. A sample's one cause is the first of its worst findings:
    findings stand in the order of the analysis, so that what is wrong with the file stands before what follows from it.

    Parameters
    ----------
    views_of : mapping
        The pictures of each template, by the template's hash.
    """
    notes = tuple(_run_notes(outcomes))
    of_the_run = {(note.code, note.severity) for note in notes}
    items = []
    for number, outcome in enumerate(outcomes):
        serious = [finding for finding in outcome.findings if finding.outcome in WORST_FIRST]
        own = [finding for finding in serious if (finding.code, finding.outcome) not in of_the_run]
        if own:
            items.append(_item(number, outcome, own, views_of.get(outcome.template.sha256, ())))
    times = Counter((item.finding.outcome, item.finding.code) for item in items)
    items.sort(
        key=lambda item: (
            WORST_FIRST.index(item.finding.outcome),
            -times[item.finding.outcome, item.finding.code],
            item.finding.code,
        )
    )
    return Worklist(tuple(items), notes)


def _item(number: int, outcome: SampleOutcome, own: Sequence[Finding], views: Sequence[View]) -> WorkItem:
    first = min(own, key=lambda finding: WORST_FIRST.index(finding.outcome))
    others = dict.fromkeys(finding.code for finding in own if finding.code != first.code)
    view = _view_of(first, outcome, views) if isinstance(outcome, SampleResult) else None
    return WorkItem(number, outcome, first, title_of(first.code), fix_of(first), tuple(others), view)


def _run_notes(outcomes: Sequence[SampleOutcome]) -> Iterable[RunNote]:
    """What more than half of the samples share, worst first, and what any of them lacks of controls."""
    samples: dict[tuple[str, Severity], list[int]] = {}
    first: dict[tuple[str, Severity], Finding] = {}
    for number, outcome in enumerate(outcomes):
        for finding in outcome.findings:
            if finding.outcome in (*WORST_FIRST, Severity.NOTE) and finding.code and not _is_expected(finding, outcome):
                key = finding.code, finding.outcome
                first.setdefault(key, finding)
                numbers = samples.setdefault(key, [])
                if not numbers or numbers[-1] != number:
                    numbers.append(number)
    enough = max(FEWEST_FOR_THE_RUN, SHARE_OF_THE_RUN * len(outcomes))
    order = (*WORST_FIRST, Severity.NOTE)
    for code, severity in sorted(samples, key=lambda key: order.index(key[1])):
        if code == APART:
            continue  # said below, with what is apart in each
        numbers = samples[code, severity]
        many = len(numbers) > enough and severity is not Severity.FAIL
        if many or (code in CONTROL_FLAGS and severity is Severity.NOTE and len(outcomes) > 1):
            finding = first[code, severity]
            yield RunNote(code, title_of(code), fix_of(finding), severity, finding.message, tuple(numbers))
    yield from _odd_notes(outcomes)


def _is_expected(finding: Finding, outcome: SampleOutcome) -> bool:
    """True of a control that has no control itself: that is as it should be."""
    return finding.code == Flag.NO_REFERENCE and outcome.sample.sample_type in CONTROL_TYPES


def _odd_notes(outcomes: Sequence[SampleOutcome]) -> Iterable[RunNote]:
    """Yield one note of each severity on the samples whose gates or signals lie elsewhere than those of the others."""
    odd: dict[Severity, list[tuple[int, Finding]]] = {}
    for number, outcome in enumerate(outcomes):
        for finding in outcome.findings:
            if finding.code == APART:
                odd.setdefault(finding.outcome, []).append((number, finding))
    for severity, those in odd.items():
        names = (outcomes[number].sample.sample_id for number, _ in those)
        shown = zip(names, those[:ODD_SHOWN], strict=False)
        message = "; ".join(f"{name} {finding.message}" for name, (_, finding) in shown)
        numbers = tuple(dict.fromkeys(number for number, _ in those))
        yield RunNote(APART, title_of(APART), fix_of(those[0][1]), severity, message, numbers)


def _view_of(finding: Finding, result: SampleResult, views: Sequence[View]) -> int | None:
    """Return the picture of the gate that a finding is about: by the population's name, else by its role."""
    roles = {
        "beads": result.roles.beads,
        "viability_percent": result.roles.viable,
        "t_cell_events": result.roles.t_cells,
    }
    about = roles.get(finding.check, finding.check)
    if about is None:
        return None
    if about.startswith("car") and result.roles.car is not None and about != result.roles.car:
        about = result.roles.car
    return next((number for number, view in enumerate(views) if about in view.populations), None)
