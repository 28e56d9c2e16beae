"""What a finished sample adds to its run: lines of every table, the hash of its part, how it did.

Made where the sample is counted, so that many processes share the work, and nobody reads a part again to write tables.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class OwnColumns:
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


@dataclass(frozen=True, slots=True)
class SampleLines:
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
