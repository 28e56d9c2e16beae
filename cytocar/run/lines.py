"""What a finished sample adds to its run: lines of every table, the hash of its part, how it did.

Made where the sample is counted, so that many processes share the work, and nobody reads a part again to write tables.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from cytocar.sample.result import ErrorRecord, SampleFailure, SampleOutcome, Status
from cytocar.tables.columns import (
    COUNTS,
    GATES,
    POPULATIONS,
    QUALITY,
    Column,
    Row,
    carried_column,
    csv_text,
    median_column,
)


class OwnColumns(Struct, frozen=True):
    """What a run adds to the columns that every run has.

    ``medians`` are the markers of populations.csv, ``carried`` the columns of the sheet at the end of counts.csv.
    """

    medians: tuple[str, ...] = ()
    carried: tuple[str, ...] = ()


def tables(own: OwnColumns) -> Mapping[str, tuple[Column, ...]]:
    """Return the tables of a run and their columns."""
    counts = (*COUNTS, *map(carried_column, own.carried))
    populations = (*POPULATIONS, *map(median_column, own.medians))
    return {"counts": counts, "populations": populations, "gates": GATES, "quality": QUALITY}


def rows_of(outcome: SampleOutcome) -> Mapping[str, Iterable[Row]]:
    """Return a sample's rows by table."""
    return {
        "counts": [outcome.row()],
        "populations": outcome.population_rows(),
        "gates": outcome.gate_rows(),
        "quality": outcome.quality_rows(),
    }


class SampleLines(Struct, frozen=True):
    """A sample's lines of every table, in the order of ``tables``, and what the trail and the manifest say of it."""

    by_table: tuple[bytes, ...]
    part_sha256: str
    status: Status
    error: ErrorRecord | None = None


def lines_of(outcome: SampleOutcome, part: bytes, own: OwnColumns) -> SampleLines:
    """The lines that a sample adds to the tables; ``part`` is the outcome as ``to_json`` wrote it."""
    rows = rows_of(outcome)
    return SampleLines(
        tuple(csv_text(columns, rows[name], header=False).encode() for name, columns in tables(own).items()),
        hashlib.sha256(part).hexdigest(),
        outcome.status,
        outcome.error if isinstance(outcome, SampleFailure) else None,
    )


class WaitingLines:
    """Lines of finished samples until the tables are written: on disk, in a folder that goes away with the command."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lines"
        self._places: dict[str, tuple[int, SampleLines, tuple[int, ...]]] = {}

    def __enter__(self) -> Self:
        self._file = self._path.open("w+b")
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # a full disk, which was said when it was met
            self._file.close()

    def add(self, sample_id: str, lines: SampleLines) -> None:
        """Keep the lines of a finished sample."""
        sizes = tuple(map(len, lines.by_table))
        try:
            self._places[sample_id] = self._file.seek(0, os.SEEK_END), replace(lines, by_table=()), sizes
            self._file.write(b"".join(lines.by_table))
        except OSError as error:
            from cytocar.run.trail.lock import not_writable

            raise not_writable(self._path.parents[1], error) from error  # the run's: the lines' own goes away

    def take(self, sample_id: str) -> SampleLines | None:
        """Return the lines of a sample; ``None`` when none were added."""
        if sample_id not in self._places:
            return None
        start, lines, sizes = self._places[sample_id]
        self._file.seek(start)
        return replace(lines, by_table=tuple(map(self._file.read, sizes)))
