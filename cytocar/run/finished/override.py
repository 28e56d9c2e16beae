"""Move one gate of one sample of a finished run: counted again, the original kept beside it, reversible.

The template stays as it is. The moved gate stands in the manifest (so that ``reproduce`` repeats it), the row is
flagged ``OVERRIDDEN``, the trail says who moved what from where to where and why, and the sample's result before the
change is kept under ``overrides/``. What a control sample gives to other samples is not changed by its overrides.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from cytocar.errors.near_names import near_names
from cytocar.errors.tree import IntegrityError, UsageError
from cytocar.files.places import Place
from cytocar.files.source import file_sha256
from cytocar.gates.decision import Decision
from cytocar.gates.move import movable, move_gate
from cytocar.regions.kinds import FixedGate
from cytocar.run.beside_counted import CountedTube, to_tell, with_findings_of_others
from cytocar.run.beside_others import CHECKS as FROM_THE_OTHERS
from cytocar.run.execute import execute
from cytocar.run.finished.recorded_plan import located, recorded_plan, require_files
from cytocar.run.folder import parquet_files, table_files
from cytocar.run.parts import PARTS, Parts, from_json, part_name, to_json
from cytocar.run.plan import RunPlan
from cytocar.run.trail.audit import Act, Action
from cytocar.run.trail.journal import Journal, Manifest, finished_manifest
from cytocar.sample.protocol import Protocol
from cytocar.sample.result import SampleOutcome, SampleResult
from cytocar.sheet.rows import SampleRow
from cytocar.version import __version__

KEPT = "overrides"


class Target(Struct, frozen=True):
    """Which gate of which sample: the gate goes by the population that it defines."""

    sample_id: str
    population: str

    def __str__(self) -> str:
        return f"{self.sample_id} / {self.population}"


class Change(Struct, frozen=True):
    """What an override did: the sample before and after, and the gate's numbers that changed, in words."""

    before: SampleResult
    after: SampleResult
    numbers_before: str
    numbers_after: str


def override(
    opened: Journal, target: Target, numbers: Mapping[str, float], *, reason: str, inputs: Place | None = None
) -> Change:
    """Move a gate and count its sample again.

    Parameters
    ----------
    opened : Journal
        The run folder, held for writing; its author is who moves the gate.
    target : Target
        The gate.
    numbers : mapping of str to float
        New numbers, compensated data units, named as in ``gates.csv``; ``""`` stands for the only one there is.
    reason : str
        Why.
    inputs : Path, optional
        Where the FCS files lie now.

    Raises
    ------
    UsageError
        E103 the FCS file is not here, E114 no finished run, E115 no such sample, gate or number, E116 another version
        of cytocar made the run.
    IntegrityError
        E126 the sample's file, or a control's, is not the one that was counted.
    """
    manifest, plan, before = _found(opened, target, reason)
    protocol = plan.protocols[target.sample_id]
    gate = moved_gate(before, protocol, target.population, numbers)
    overrides = {**protocol.overrides, target.population: gate}
    move = _Move(Act(Action.OVERRIDE, str(target), why=reason.strip()), target, overrides, before, inputs)
    return _carry_out(opened, manifest, plan, move)


def moved_gate(before: SampleResult, protocol: Protocol, population: str, numbers: Mapping[str, float]) -> FixedGate:
    """Return a gate of a counted sample with new numbers, as ``override`` puts it in place; E115 where it cannot be."""
    scale_of = protocol.template.scale
    rows = _decided(before, population)
    fitted = before.gates[population]
    if "" in numbers:
        names = movable(fitted, rows, scale_of)
        listed = [row.parameter for row in rows if row.parameter in names]
        numbers = _named(numbers, listed or names, _movable_gates(before, protocol))
    return move_gate(fitted, numbers, decisions=rows, scale_of=scale_of)


def undo(opened: Journal, target: Target, *, reason: str, inputs: Place | None = None) -> Change:
    """Put a moved gate back to where the template puts it, and count its sample again; see ``override``."""
    manifest, plan, before = _found(opened, target, reason)
    overrides = dict(plan.protocols[target.sample_id].overrides)
    if overrides.pop(target.population, None) is None:
        raise UsageError(f"no override of {target} to undo", code="E115", hint="audit.jsonl lists what was moved")
    move = _Move(Act(Action.OVERRIDE_UNDONE, str(target), why=reason.strip()), target, overrides, before, inputs)
    return _carry_out(opened, manifest, plan, move)


class _Move(Struct, frozen=True):
    """What shall be done and why, the gates of the sample as they shall be, and what there was before."""

    act: Act
    target: Target
    overrides: Mapping[str, FixedGate]
    before: SampleResult
    inputs: Place | None


def _found(opened: Journal, target: Target, reason: str) -> tuple[Manifest, RunPlan, SampleResult]:
    """Return the run's manifest and plan and the sample as it was counted; refuse what cannot be overridden."""
    if not reason.strip():
        raise UsageError(
            "an override needs a reason", code="E115", hint="for example --reason 'CD3 dim after infusion'"
        )
    manifest = finished_manifest(opened.folder)
    if manifest.get("cytocar_version") != __version__:
        raise UsageError(
            f"the run was made by cytocar {manifest.get('cytocar_version')}, this is {__version__}",
            code="E116",
            hint="use that version, or count the samples again with this one",
        )
    plan = recorded_plan(manifest, opened.folder)
    before = Parts(opened.folder / PARTS).read(target.sample_id) if target.sample_id in plan.protocols else None
    if before is None:
        raise _no_such("sample", target.sample_id, plan.sample_ids)
    if not isinstance(before, SampleResult):
        raise UsageError(f"sample {target.sample_id} was not counted", code="E115", hint="it has no gates to move")
    if target.population not in before.gates:
        raise _no_such("gate", target.population, _movable_gates(before, plan.protocols[target.sample_id]))
    return manifest, plan, before


def _no_such(kind: str, name: str, known: Sequence[str]) -> UsageError:
    hint = f"there is {', '.join(near_names(name, known, most=3) or known)}"
    return UsageError(f"the run has no {kind} {name!r}", code="E115", hint=hint)


def _movable_gates(before: SampleResult, protocol: Protocol) -> list[str]:
    """Return the gates of a sample that have a number to move, in the template's order."""
    order = [one.name for one in protocol.template.populations if one.name in before.gates]
    scale_of = protocol.template.scale
    return [name for name in order if movable(before.gates[name], _decided(before, name), scale_of)]


def _decided(before: SampleResult, population: str) -> list[Decision]:
    return [row for row in before.decisions if row.population == population]


def _named(numbers: Mapping[str, float], names: Sequence[str], gates: Sequence[str]) -> Mapping[str, float]:
    if not names:
        raise UsageError(
            "the gate follows from others and has no number", code="E115", hint=f"move one of {', '.join(gates)}"
        )
    if len(names) != 1:
        raise UsageError(
            "the gate has several numbers", code="E115", hint=f"give --value NAME=NUMBER; names: {', '.join(names)}"
        )
    return {name or names[0]: number for name, number in numbers.items()}


# ---------------------------------------------------------------- counting again


def _carry_out(opened: Journal, manifest: Manifest, plan: RunPlan, move: _Move) -> Change:
    """Count the sample with its gates as they shall be; change part, tables, manifest and trail together."""
    target, before = move.target, move.before
    parts = Parts(opened.folder / PARTS)
    samples = located(plan.samples, move.inputs)
    needed = {target.sample_id, *before.control_ids}
    require_as_counted([row for row in samples if row.sample_id in needed], parts)
    after = _counted_again(replace(plan, samples=samples), move)
    numbers = [_numbers(outcome, target.population) for outcome in (before, after)]
    kept_part = f"{KEPT}/{_next_number(opened.folder):04}-{part_name(target.sample_id)}"
    original = parts.content(target.sample_id) or b""
    changed = _told_anew(parts, plan.sample_ids, after)
    files = table_files(_with(parts, plan.sample_ids, changed), plan.own_columns)
    if "counts.parquet" in manifest["files"]:
        files |= parquet_files(_with(parts, plan.sample_ids, changed), plan.own_columns)
    files |= {f"{PARTS}/{part_name(name)}": to_json(outcome) for name, outcome in changed.items()}
    files[kept_part] = original
    all_overrides = {name: protocol.overrides for name, protocol in plan.protocols.items()} | {
        target.sample_id: move.overrides
    }
    recorded = {
        name: {population: gate.beyond_defaults() for population, gate in gates.items()}
        for name, gates in all_overrides.items()
        if gates
    }
    act = replace(move.act, before=f"{numbers[0]} ({kept_part})", after=numbers[1])
    opened.commit({**manifest, "overrides": recorded}, [act], files)
    return Change(before, changed[target.sample_id], *numbers)


def require_as_counted(samples: Sequence[SampleRow], parts: Parts) -> None:
    """Refuse where the sample's file, or that of a control behind its gates, is not the one that was counted.

    Raises
    ------
    UsageError
        E103 if one is not there.
    IntegrityError
        E126 if one is another.
    """
    require_files(samples)
    for row in samples:
        counted = parts.read(row.sample_id)
        if counted is None or file_sha256(row.file) != counted.file_sha256:
            raise IntegrityError(
                f"the file of sample {row.sample_id} is not the one that was counted",
                code="E126",
                hint="nothing was changed; restore the file, or count the sample in a new run",
            )


def _counted_again(plan: RunPlan, move: _Move) -> SampleResult:
    name = move.target.sample_id
    protocols: Mapping[str, Protocol] = {
        **plan.protocols,
        name: replace(plan.protocols[name], overrides=move.overrides),
    }
    others = [other for other in plan.sample_ids if other != name]
    with tempfile.TemporaryDirectory(prefix="cytocar-") as scratch:
        beside = {name: tuple(finding for finding in move.before.findings if finding.check in FROM_THE_OTHERS)}
        (done,) = execute(plan.samples, protocols, scratch=Path(scratch), finished=others, beside=beside)
    after = from_json(done.content)
    if not isinstance(after, SampleResult):
        faults = "; ".join(finding.message for finding in after.findings) if after else "no result"
        raise UsageError(f"sample {name} cannot be counted again: {faults}", code="E115", hint="nothing was changed")
    return replace(after, sample=move.before.sample)  # where the file lies today is no part of the result


def _told_anew(parts: Parts, sample_ids: Sequence[str], after: SampleResult) -> dict[str, SampleResult]:
    """Return the sample as counted again, and all others whom its new counts show in another light."""
    name = after.sample.sample_id
    changed = {name: after}
    if all(map(parts.content, sample_ids)):  # a shard hears nothing of the others
        telling = to_tell(CountedTube.of(outcome) for outcome in _with(parts, sample_ids, changed))
        for outcome in _with(parts, [one for one in sample_ids if one in telling], changed):
            if isinstance(outcome, SampleResult):
                changed[outcome.sample.sample_id] = with_findings_of_others(outcome, telling[outcome.sample.sample_id])
    return changed


def _with(parts: Parts, sample_ids: Sequence[str], changed: Mapping[str, SampleResult]) -> Iterator[SampleOutcome]:
    for outcome in parts.in_order(sample_ids):
        yield changed.get(outcome.sample.sample_id, outcome)


def _next_number(folder: Path) -> int:
    return 1 + sum(1 for _ in (folder / KEPT).glob("*.json"))


def _numbers(outcome: SampleResult, population: str) -> str:
    rows = (row for row in outcome.decisions if row.population == population and row.value is not None)
    return ", ".join(f"{row.parameter} {row.value:.6g}" for row in rows)
