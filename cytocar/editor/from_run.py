"""Gates that people moved in a reviewed run become the template: what holds for many samples is no exception."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from cytocar.editor import draft as edits
from cytocar.editor.draft import Draft
from cytocar.editor.saving import template_file
from cytocar.errors.tree import UsageError
from cytocar.regions.boxes import RangeGate
from cytocar.regions.kinds import FixedGate
from cytocar.report.run.source import open_finished_run
from cytocar.review.pages import MadeTemplate
from cytocar.template.diff import compare
from cytocar.template.gate_kinds import Gate, ReferenceGate, ValleyGate
from cytocar.template.model import Template

if TYPE_CHECKING:
    from pathlib import Path

    from cytocar.files.places import Place


class ReviewedGates(Struct, frozen=True):
    """What was moved in a run.

    Attributes
    ----------
    template : Template
        The template of the run.
    moved : mapping of population to {sample_id: gate}
        The gates that people put in place of the template's.
    files : tuple
        The files of the run, those with moved gates first.
    """

    template: Template
    moved: Mapping[str, Mapping[str, FixedGate]]
    files: tuple[Place, ...]


def reviewed_gates(folder: Path) -> ReviewedGates:
    """Return the gates that were moved in a finished run.

    Raises
    ------
    UsageError
        E114 if the folder holds no finished run; E220 if no gate was moved in it, or it has several templates.
    """
    run = open_finished_run(folder)
    moved: dict[str, dict[str, FixedGate]] = {}
    touched: list[Place] = []
    for sample_id, protocol in run.plan.protocols.items():
        for population, gate in protocol.overrides.items():
            moved.setdefault(population, {})[sample_id] = gate
        if protocol.overrides:
            touched.append(run.files[sample_id])
    if not moved:
        raise UsageError(
            f"no gate was moved in {folder}", code="E220", hint=f"move some first: cytocar review {folder}"
        )
    templates = run.templates
    if len(templates) > 1:
        raise UsageError(
            f"{folder} was counted with {len(templates)} templates", code="E220", hint="take a run of one template"
        )
    others = [file for file in run.files.values() if file not in touched]
    return ReviewedGates(next(iter(templates.values())), moved, tuple(dict.fromkeys([*touched, *others])))


def taken_over(draft: Draft, reviewed: ReviewedGates) -> tuple[list[Draft], list[str]]:
    """Return the draft after each moved gate was taken into it, and what became of each, in words."""
    drafts: list[Draft] = []
    words: list[str] = []
    names = {one["name"] for one in draft.document["populations"]}
    for population, by_sample in reviewed.moved.items():
        samples = f"moved in {len(by_sample)} sample{'s' if len(by_sample) > 1 else ''}"
        if population not in names:
            words.append(f"{population}: {samples}; the template has no such population")
            continue
        gate = _joined(draft.template.population(population).gate, tuple(by_sample.values()))
        if gate is None:
            words.append(f"{population}: {samples} to different shapes; none was taken: move it on the page")
            continue
        before = edits.entry(draft.document, population)["gate"]
        draft = edits.set_gate(draft, population, gate)
        drafts.append(draft)
        words.append(f"{population}: {samples}; {_difference(before, gate)}")
    return drafts, words


def template_of_moved_gates(folder: Path, path: Path) -> MadeTemplate:
    """Write the template of a run with the gates that were moved in it, under the version that the change asks for.

    Raises
    ------
    UsageError
        E105 if the file is there already; E220 if it is no name of a template, or as ``reviewed_gates``; E223 if none
        of the moved gates can be taken.
    """
    if path.exists():
        raise UsageError(f"{path.name} is there already", code="E105", hint="give the template another name")
    reviewed = reviewed_gates(folder)
    file = template_file(str(path))
    drafts, words = taken_over(Draft.of_template(reviewed.template), reviewed)
    if not drafts:
        hint = f"draw it: cytocar template edit {path.name} --run {folder.name}"
        raise UsageError(f"no moved gate could be taken ({'; '.join(words)})", code="E223", hint=hint)
    version = compare(reviewed.template, drafts[-1].template).proposed
    file.save(drafts[-1], version)
    return MadeTemplate(path, version, tuple(words))


def _joined(gate: Gate, moved: Sequence[FixedGate]) -> dict[str, Any] | None:
    """Return the template's gate after what people did: medians of the numbers that they chose; None where no such."""
    lines = [line for one in moved if (line := _line(one, gate)) is not None]
    if isinstance(gate, ValleyGate | ReferenceGate) and len(lines) == len(moved):
        low, high = gate.window
        window = [_rounded(min(low, *lines)), _rounded(max(high, *lines))]
        return {**gate.beyond_defaults(), "fallback": _rounded(median(lines)), "window": window}
    tables = [one.beyond_defaults() for one in moved]
    numbers = [edits.numbers_of(table) for table in tables]
    if all(table == tables[0] for table in tables):
        return tables[0]
    if any(
        each.keys() != numbers[0].keys() or _form(one) != _form(tables[0])
        for each, one in zip(numbers, tables, strict=True)
    ):
        return None
    joined = tables[0]
    for number in numbers[0]:
        joined = edits.with_number(joined, number, _rounded(median(each[number] for each in numbers)))
    return joined


def _line(moved: FixedGate, gate: Gate) -> float | None:
    """Return the line that a person drew in place of a valley; None for another shape."""
    if not isinstance(moved, RangeGate) or moved.units != "data" or not isinstance(gate, ValleyGate | ReferenceGate):
        return None
    low_side = isinstance(gate, ReferenceGate) or gate.keep == "above"
    return (moved.min if moved.max is None else None) if low_side else (moved.max if moved.min is None else None)


def _form(table: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return all that a gate's table says beside the numbers that can be joined; corners are among it."""
    return tuple(sorted((key, repr(value)) for key, value in table.items() if not edits.numbers_of({key: value})))


def _difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    old, new = edits.numbers_of(before), edits.numbers_of(after)
    changed = [
        f"{name} {old[name]:g} -> {value:g}" for name, value in new.items() if name in old and old[name] != value
    ]
    return ", ".join(changed) or f"{before['kind']} -> {after['kind']}"


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")
