"""Say in the audit trail that a person has reviewed, approved or rejected a run, or looked at one of its samples."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from cytocar.errors.tree import IntegrityError, UsageError
from cytocar.files.places import Place
from cytocar.run.finished.checks import Verdict, first_of
from cytocar.run.finished.verify import verify
from cytocar.run.parts import PARTS, Parts, part_name
from cytocar.run.trail.audit import RUN, Act, Action, Author, Entry, Meaning, read_trail
from cytocar.run.trail.journal import Journal, amend, finished_manifest


def sign(
    run: Path,
    meaning: Meaning,
    *,
    author: Author,
    clock: Callable[[], datetime],
    reason: str = "",
    inputs: Place | None = None,
    unseen: Sequence[str] = (),
) -> Entry | None:
    """Note what a person says about a run, and return the last entry of its trail.

    Parameters
    ----------
    unseen : sequence of str
        Samples that ask for a look and had none: an approval says why all the same, and names them.

    Raises
    ------
    IntegrityError
        E123 if the run is not what was recorded.
    UsageError
        E115 if a run is approved without a word on samples that nobody looked at; and as ``journal.amend``.
    """
    if any(check.verdict is Verdict.CHANGED for check in verify(run, inputs=inputs)):
        raise IntegrityError(
            f"{run} is not what was recorded, so it was not signed",
            code="E123",
            hint=f"`cytocar verify {run}` names each place",
        )
    named = first_of(unseen)
    if unseen and meaning is Meaning.APPROVED and not reason.strip():
        raise UsageError(
            f"{len(unseen)} of the samples that ask for a look were not looked at ({named}), and no reason is given",
            code="E115",
            hint="look at them, or give a reason (--reason, the note of the review page), which the trail keeps",
        )
    before = f"{len(unseen)} not looked at: {named}" if unseen else ""
    act = Act(Action.SIGNED, RUN, before=before, after=meaning, why=reason.strip())
    amend(run, [act], author=author, clock=clock)
    return read_trail(run).last


def sample_name(sample_id: str) -> str:
    """The trail's name of a sample that a person has looked at."""
    return f"sample {sample_id}"


def sign_samples(opened: Journal, sample_ids: Sequence[str], *, reason: str = "") -> None:
    """Note that a person has looked at samples as they stand in the run: an entry for each, all of them or none.

    Raises
    ------
    UsageError
        E115 if the run has no such sample.
    IntegrityError
        E123 if the sample is not as it was recorded.
    """
    manifest = finished_manifest(opened.folder)
    for sample_id in sample_ids:
        name = f"{PARTS}/{part_name(sample_id)}"
        recorded = manifest["files"].get(name)
        if recorded is None:
            raise UsageError(f"the run has no sample {sample_id!r}", code="E115", hint="counts.csv lists its samples")
        content = Parts(opened.folder / PARTS).content(sample_id)
        if content is None or hashlib.sha256(content).hexdigest() != recorded:
            raise IntegrityError(
                f"{name} is not what was recorded, so the sample was not signed",
                code="E123",
                hint=f"`cytocar verify {opened.folder}` names each place",
            )
    looked = [Act(Action.SIGNED, sample_name(name), after=Meaning.REVIEWED, why=reason.strip()) for name in sample_ids]
    opened.commit(manifest, looked)
