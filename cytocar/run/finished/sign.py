"""Say in the audit trail that a person has reviewed, approved or rejected a run, or looked at one of its samples."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from cytocar.errors.tree import IntegrityError, UsageError
from cytocar.files.places import Place
from cytocar.run.finished.verify import Verdict, verify
from cytocar.run.folder import PARTS, Parts, part_name
from cytocar.run.trail.audit import Act, Action, Author, Entry, Meaning, read_trail
from cytocar.run.trail.journal import Journal, amend, finished_manifest

RUN = "run"


def sign(
    run: Path,
    meaning: Meaning,
    *,
    author: Author,
    clock: Callable[[], datetime],
    reason: str = "",
    inputs: Place | None = None,
) -> Entry | None:
    """Note what a person says about a run, and return the last entry of its trail.

    Raises
    ------
    IntegrityError
        E123 if the run is not what was recorded.
    UsageError
        As ``journal.amend``.
    """
    if any(check.verdict is Verdict.CHANGED for check in verify(run, inputs=inputs)):
        raise IntegrityError(
            f"{run} is not what was recorded, so it was not signed",
            code="E123",
            hint=f"`cytocar verify {run}` names each place",
        )
    amend(run, [Act(Action.SIGNED, RUN, after=meaning, why=reason.strip())], author=author, clock=clock)
    return read_trail(run).last


def sample_name(sample_id: str) -> str:
    """The trail's name of a sample that a person has looked at."""
    return f"sample {sample_id}"


def sign_sample(opened: Journal, sample_id: str, *, reason: str = "") -> None:
    """Note that a person has looked at a sample as it stands in the run.

    Raises
    ------
    UsageError
        E115 if the run has no such sample.
    IntegrityError
        E123 if the sample is not as it was recorded.
    """
    manifest = finished_manifest(opened.folder)
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
    opened.commit(manifest, [Act(Action.SIGNED, sample_name(sample_id), after=Meaning.REVIEWED, why=reason.strip())])
