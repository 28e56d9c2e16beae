"""What a moved gate would change, before anything is saved: its outline and numbers at once, then the whole sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import asdict

from cytocar.errors.findings import Severity
from cytocar.errors.tree import UsageError
from cytocar.figures.gate_pictures.drawn_gates import drawn_gates
from cytocar.gates.decision import Flag
from cytocar.regions.kinds import FixedGate
from cytocar.report.run.pictures import Gallery
from cytocar.report.run.strip import SOURCES
from cytocar.review.handles import Handle, changed, dragged, fields, handles
from cytocar.review.session import ReviewSession
from cytocar.review.worklist import ReviewedRun
from cytocar.sample.result import SampleResult
from cytocar.tables.columns import COUNTS, Row, cell

COMPARED = (
    "car_report",
    "car_per_ul_net",
    "car_per_ul",
    "car_percent_of_t_cells",
    "car_percent_net",
    "car_cd4_cd8_ratio",
    "t_cells_per_ul",
    "cd4_per_ul",
    "cd8_per_ul",
    "cd4_cd8_ratio",
    "viability_percent",
    "status",
)
"""Columns of counts.csv that are shown before and after."""
WITH_INTERVAL = ("car_per_ul_net", "car_per_ul", "car_percent_of_t_cells")
MANY_CONSEQUENCES = 8
_HEADINGS = {column.name: column.heading for column in COUNTS} | {"cd4_per_ul": "CD4 T/µL", "cd8_per_ul": "CD8 T/µL"}
NOTHING = "–"
"""What stands for a number that there is not."""


class Drag(Struct, frozen=True):
    """A handle on the picture of a view, and the place that it is dragged to."""

    view: int
    handle: str
    x: float
    y: float


class PreviewRequest(Struct, frozen=True):
    """A gate as somebody has typed it, a handle that is dragged from there, and whether to count the whole sample."""

    number: int
    population: str
    typed: Mapping[str, str]
    drag: Drag | None = None
    whole: bool = False
    undo: bool = False


class Compared(Struct, frozen=True):
    """A number of the sample as it is in the run, and as it would be."""

    name: str
    label: str
    before: str
    after: str


def preview(session: ReviewSession, opened: ReviewedRun, attempt: PreviewRequest) -> dict[str, object]:
    """What the page shows about a preview, as JSON can say it.

    Raises
    ------
    CytocarError
        As ``ReviewSession.moved`` and ``ReviewSession.kept_by``.
    """
    result = opened.result(attempt.number)
    if result is None or attempt.population not in result.gates:
        raise UsageError("the run has no such gate", code="E115", hint="open the sample again from the list")
    gallery = opened.gallery_of[result.template.sha256]
    if attempt.undo:
        after = session.counted_with(opened, attempt.number, attempt.population, None)
        return _counted(result, after, attempt.population, gallery) | _share_of(after, attempt.population)
    numbers = _dragged(session, opened, attempt, gallery)
    typed = {**attempt.typed, **numbers}
    gate = session.moved(opened, attempt.number, attempt.population, typed)
    gate_yield = session.kept_by(opened, attempt.number, attempt.population, gate)
    known = fields(result, attempt.population, gallery.template)
    answer: dict[str, object] = {
        "numbers": numbers,
        "outlines": outlines({**result.gates, attempt.population: gate}, gallery, [attempt.population]),
        "handles": _places(gate, _values(result, attempt.population, gallery, typed), attempt.population, gallery),
        "events": cell(gate_yield.events),
        "of_events": cell(gate_yield.of_events),
        "percent": cell(gate_yield.percent),
        "changed": bool(changed(known, typed)),
    }
    if not attempt.whole:
        return answer
    after = session.counted_with(opened, attempt.number, attempt.population, gate) if answer["changed"] else result
    return answer | _counted(result, after, attempt.population, gallery)


def _values(result: SampleResult, population: str, gallery: Gallery, typed: Mapping[str, str]) -> dict[str, float]:
    known = fields(result, population, gallery.template)
    return {one.name: float(one.value) for one in known} | changed(known, typed)


def _dragged(session: ReviewSession, opened: ReviewedRun, attempt: PreviewRequest, gallery: Gallery) -> dict[str, str]:
    """Return the numbers of the handle that is dragged, from where the gate stood when it was taken."""
    result = opened.result(attempt.number)
    if attempt.drag is None or result is None or not 0 <= attempt.drag.view < len(gallery.views):
        return {}
    view = gallery.views[attempt.drag.view]
    values = _values(result, attempt.population, gallery, attempt.typed)
    gate = session.moved(opened, attempt.number, attempt.population, attempt.typed)
    taken = next((one for one in handles(gate, values, view, gallery.axes) if one.id == attempt.drag.handle), None)
    return dragged(taken, (attempt.drag.x, attempt.drag.y), values, view, gallery.axes) if taken else {}


def _places(gate: FixedGate, values: Mapping[str, float], population: str, gallery: Gallery) -> list[dict[str, object]]:
    return [
        {"view": number} | asdict(handle)
        for number, view in enumerate(gallery.views)
        if population in view.populations
        for handle in _handles_of(gate, values, number, gallery)
    ]


def _handles_of(gate: FixedGate, values: Mapping[str, float], number: int, gallery: Gallery) -> tuple[Handle, ...]:
    return handles(gate, values, gallery.views[number], gallery.axes)


def outlines(gates: Mapping[str, FixedGate], gallery: Gallery, names: Sequence[str]) -> list[dict[str, object]]:
    """Return the outlines of some gates on every picture on which they are drawn."""
    return [
        {"view": number, "gate": drawn.population, "path": drawn.path}
        for number, view in enumerate(gallery.views)
        for drawn in drawn_gates(view, gates, gallery.axes)
        if drawn.population in names
    ]


# ---------------------------------------------------------------- the whole sample


def _counted(before: SampleResult, after: SampleResult, population: str, gallery: Gallery) -> dict[str, object]:
    return {
        "compared": [asdict(one) for one in compared(before.row(), after.row())],
        "consequences": list(_consequences(before, after, population)),
        "outlines": outlines(after.gates, gallery, tuple(after.gates)),
    }


def _share_of(result: SampleResult, population: str) -> dict[str, object]:
    counted = result.population(population)
    if counted is None:
        return {}
    shown = {"events": counted.events, "of_events": counted.of_events, "percent": counted.percent_of_parent.value}
    return {name: cell(value) for name, value in shown.items()}


def compared(before: Row, after: Row) -> Iterator[Compared]:
    """Yield the numbers that a reviewer wants to see before and after, those that the sample has."""
    for name in COMPARED:
        if before[name] is not None or after[name] is not None:
            yield Compared(name, _HEADINGS[name], *(_shown(row, name) for row in (before, after)))
            if name in WITH_INTERVAL:
                yield Compared(f"{name}_interval", "95 % interval", _interval(before, name), _interval(after, name))


def _shown(row: Row, name: str) -> str:
    return cell(row[name]).replace("_", " ") or NOTHING


def _interval(row: Row, name: str) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return f"{cell(low)} to {cell(high)}" if low is not None and high is not None else NOTHING


def _consequences(before: SampleResult, after: SampleResult, population: str) -> Iterator[str]:
    """Yield, in words, what else would change: gates that hang on this one, and findings that come or go."""
    was = {(row.population, row.parameter): row for row in before.decisions}
    moved = [
        f"{row.population}: {row.parameter} {cell(old.value)} → {cell(row.value)}, {SOURCES[row.source]}"
        for row in after.decisions
        if row.population != population
        and (old := was.get((row.population, row.parameter))) is not None
        and cell(old.value) != cell(row.value)
    ]
    yield from moved[:MANY_CONSEQUENCES]
    if len(moved) > MANY_CONSEQUENCES:
        yield f"and {len(moved) - MANY_CONSEQUENCES} more numbers of other gates"
    had, has = (
        {(finding.code, finding.message) for finding in result.findings if finding.outcome is not Severity.PASS}
        for result in (before, after)
    )
    codes_before, codes_after = ({code for code, _ in findings} for findings in (had, has))
    for code, message in sorted(has - had):
        if code != Flag.OVERRIDDEN:
            yield f"{'now' if code in codes_before else 'new'}: {code} {message}"
    yield from (f"gone: {code} {message}" for code, message in sorted(had - has) if code not in codes_after)
