"""A finished run as the report sees it: every sample's outcome, and the protocol that it was analysed with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from cytocar.errors.tree import IntegrityError
from cytocar.files.places import Place
from cytocar.run.finished.recorded_plan import located, recorded_plan
from cytocar.run.parts import PARTS, Parts, require_parts
from cytocar.run.plan import RunPlan
from cytocar.run.trail.audit import CHANGES_RESULTS, RUN, Action, Entry, read_trail
from cytocar.run.trail.journal import Manifest, finished_manifest, other_manifest
from cytocar.sample.result import SampleOutcome, SampleResult
from cytocar.tables.columns import Value
from cytocar.template.model import Template


class FinishedRun(Struct, frozen=True, eq=False):
    """A run folder whose run is finished.

    Parameters
    ----------
    path : Path
        The folder.
    manifest : mapping
        ``manifest.json``.
    plan : RunPlan
        What the manifest recorded: samples, protocols, templates.
    outcomes : tuple of SampleOutcome
        In the order of the tables.
    files : mapping
        Where each sample's FCS file lies, by sample_id.
    entry : Entry, optional
        The entry of the audit trail that closed the run.
    signatures : tuple of Entry
        What people signed about the run since its results last changed.
    gated : bool
        Whether counts as gated come first, or net ones where a tube has them.
    """

    path: Path
    manifest: Manifest
    plan: RunPlan
    outcomes: tuple[SampleOutcome, ...]
    files: Mapping[str, Place]
    entry: Entry | None
    signatures: tuple[Entry, ...] = ()
    gated: bool = True

    def row(self, outcome: SampleOutcome) -> dict[str, Value]:
        """Return a sample's line of ``counts.csv``, with the count that the report is asked to print."""
        return outcome.row(gated=self.gated)

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.path.resolve().name

    @property
    def counted(self) -> tuple[SampleResult, ...]:
        """The samples that have numbers."""
        return tuple(outcome for outcome in self.outcomes if isinstance(outcome, SampleResult))

    @property
    def templates(self) -> Mapping[str, Template]:
        """The run's templates by the hash that stands in each row."""
        protocols = self.plan.protocols.values()
        return {protocol.stamp.sha256: protocol.template for protocol in protocols}


def open_finished_run(folder: Path, *, inputs: Place | None = None, gated: bool = True) -> FinishedRun:
    """Return a finished run.

    Parameters
    ----------
    inputs : Path, optional
        Where its FCS files lie now, if they have moved.
    gated : bool
        Whether counts as gated come first in a report.

    Raises
    ------
    UsageError
        E114 if the folder holds no finished run.
    IntegrityError
        E123 if a finished sample is not what was recorded, E125 if the manifest, E160 if a finished sample is damaged.
    """
    manifest = finished_manifest(folder)
    plan = recorded_plan(manifest, folder)
    require_parts(folder, manifest, plan.sample_ids)
    parts = Parts(folder / PARTS)
    outcome_of = {name: parts.read(name) for name in plan.sample_ids}
    lost = [name for name, outcome in outcome_of.items() if outcome is None]
    if lost:
        raise IntegrityError(
            f"finished samples are missing or damaged: {', '.join(lost[:5])}"
            + (f" and {len(lost) - 5} more" if len(lost) > 5 else ""),
            code="E160",
            hint="restore the folder `parts` of the run from a copy, or count again with --force",
        )
    files = {row.sample_id: row.file for row in located(plan.samples, inputs)}
    entries = read_trail(folder).entries
    closing = [entry for entry in entries if entry.action == Action.RUN_FINISHED]
    outcomes = tuple(outcome for outcome in outcome_of.values() if outcome is not None)
    recorded = {protocol.stamp.sha256 for protocol in plan.protocols.values()}
    if any(isinstance(one, SampleResult) and one.template.sha256 not in recorded for one in outcomes):
        raise other_manifest("names another template than the one by which samples were counted")
    return FinishedRun(
        folder, manifest, plan, outcomes, files, closing[-1] if closing else None, _signatures(entries), gated
    )


def _signatures(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """What was signed about the whole run, from the last change of its results on."""
    changed = max((place for place, entry in enumerate(entries) if entry.action in CHANGES_RESULTS), default=0)
    return tuple(entry for entry in entries[changed:] if (entry.action, entry.what) == (Action.SIGNED, RUN))
