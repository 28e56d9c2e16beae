"""Finished samples as JSON, each a file in ``parts/``: what a run keeps so that it can go on where it stopped."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import MsgspecError, Struct

from cytocar.errors.tree import IntegrityError
from cytocar.run import records
from cytocar.sample.result import SampleOutcome

if TYPE_CHECKING:
    from cytocar.run.trail.journal import Manifest

PARTS = "parts"


def to_json(outcome: SampleOutcome) -> bytes:
    """Return a sample's outcome as JSON; every number survives to its last bit."""
    return records.to_json(outcome)


def from_json(content: bytes) -> SampleOutcome | None:
    """Return the outcome that ``to_json`` wrote; ``None`` for anything else, such as a part cut short by a crash."""
    try:
        outcome: SampleOutcome = records.from_json(content, SampleOutcome)
    except (MsgspecError, UnicodeDecodeError):
        return None
    return outcome


def part_name(sample_id: str) -> str:
    """Return the name of a sample's part file: readable, safe on every file system, unique.

    Examples
    --------
    >>> part_name("D07 / day 9")
    'D07_day_9-3671df4b.json'
    """
    readable = re.sub(r"[^A-Za-z0-9.-]+", "_", sample_id).strip("._")[:60]
    return f"{readable}-{hashlib.sha256(sample_id.encode()).hexdigest()[:8]}.json"


class Parts(Struct, frozen=True):
    """The folder of finished samples."""

    folder: Path

    def keep(self, sample_id: str, content: bytes) -> None:
        """Keep a finished sample. A power cut may leave it empty; then it counts as not finished."""
        path = self.folder / part_name(sample_id)
        waiting = path.with_suffix(f".{os.getpid()}.tmp")
        try:
            waiting.write_bytes(content)
            waiting.replace(path)
        except OSError as error:
            from cytocar.run.trail.lock import not_writable

            waiting.unlink(missing_ok=True)  # a full disk: give back what the half-written part took
            raise not_writable(self.folder, error) from error

    def read(self, sample_id: str) -> SampleOutcome | None:
        """Return a finished sample; ``None`` when it is not there, or not whole."""
        content = self.content(sample_id)
        return None if content is None else from_json(content)

    def content(self, sample_id: str) -> bytes | None:
        """Return a finished sample as it is kept; ``None`` when it is not there."""
        try:
            return (self.folder / part_name(sample_id)).read_bytes()
        except FileNotFoundError:
            return None

    def drop(self, sample_ids: Iterable[str]) -> None:
        """Forget finished samples: they are counted anew."""
        try:
            for sample_id in sample_ids:
                (self.folder / part_name(sample_id)).unlink(missing_ok=True)
        except OSError as error:
            from cytocar.run.trail.lock import not_writable

            raise not_writable(self.folder, error) from error

    def in_order(self, sample_ids: Iterable[str]) -> Iterator[SampleOutcome]:
        """Yield finished samples in the order given, one at a time."""
        for sample_id in sample_ids:
            outcome = self.read(sample_id)
            if outcome is not None:
                yield outcome

    def every(self, sample_ids: Iterable[str]) -> Iterator[SampleOutcome]:
        """Yield all of these finished samples in the order given.

        Raises
        ------
        IntegrityError
            E160 if one is missing or cannot be read back: a table without its row would not say so.
        """
        for sample_id in sample_ids:
            outcome = self.read(sample_id)
            if outcome is None:
                raise unreadable_part(sample_id)
            yield outcome


def unreadable_part(sample_id: str) -> IntegrityError:
    """The fault of a sample that was counted and cannot be read back."""
    return IntegrityError(
        f"the finished sample {sample_id} is missing or cannot be read back",
        code="E160",
        hint="count again with --force; if it happens again, please report it with the command that you ran",
    )


def require_parts(run: Path, manifest: Manifest, sample_ids: Iterable[str]) -> None:
    """Refuse finished samples that are not what the run recorded (E123)."""
    from cytocar.run.trail.recorded import require_recorded

    names = [f"{PARTS}/{part_name(sample_id)}" for sample_id in sample_ids]
    if names:
        require_recorded(run, manifest, *names)
