"""Reads back what runs wrote: the samples of ``counts.csv``, and their populations from ``populations.csv``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from cytocar.counting.limits import CarResult
from cytocar.course.draws import CellCount, Tube
from cytocar.course.replicates import CountedSample
from cytocar.errors.boundary import boundary
from cytocar.errors.tree import UsageError
from cytocar.run.trail.journal import MANIFEST, finished_manifest
from cytocar.run.trail.recorded import require_table
from cytocar.sample.result import Status
from cytocar.sheet.rows import CARRIED, CountMethod, SampleType
from cytocar.sheet.tube import Specimen
from cytocar.statistics.estimate import Estimate
from cytocar.tables.columns import COUNTS, POPULATIONS, Column
from cytocar.tables.delimited import DelimitedTable, read_delimited
from cytocar.tables.read_back import TypedRow, typed_rows

B_CELLS = "b_cells"
"""Name of the population of B cells, in the templates that have one."""

Choice = TypeVar("Choice", bound=StrEnum)

_NEEDED = ("sample_id", "subject_id", "day", "status", "car_events", "car_result", "car_per_ul")


def read_tubes(run: Path) -> Iterator[Tube]:
    """Yield the tubes of a run folder, in the order of its ``counts.csv``.

    Parameters
    ----------
    run : Path
        A run folder, or a ``counts.csv``.

    Raises
    ------
    UsageError
        E114 if a folder holds no finished run, E132 if there is no such table, or it is not one of cytocar's.
    """
    path = _of_a_run(run) if run.is_dir() else run
    table = _read(path)
    missing = [column for column in _NEEDED if column not in table.columns]
    if missing:
        raise UsageError(
            f"{path} has no column {missing[0]}: it is no counts.csv of cytocar",
            code="E132",
            hint="give the folders that `cytocar gate ... -o RUN` wrote",
        )
    carried = [column for column in table.columns if column in CARRIED or column.startswith("x_")]
    populations = _populations(path.with_name("populations.csv"))
    for row in _typed(path, table, COUNTS):
        own = populations.get(row.text("sample_id"), {})
        try:
            counted = _sample(row, own)
        except ValueError as error:
            raise _changed_table(path, f"row {row.line}: {error}") from error
        yield Tube(counted, own, {column: row.text(column) for column in carried})


def _of_a_run(folder: Path) -> Path:
    """Return the table of samples of a finished run; one of a folder that is none is named as such."""
    path = folder / "counts.csv"
    try:
        finished_manifest(folder)
    except UsageError as error:
        if path.is_file() and not (folder / MANIFEST).exists():
            error.hint = f"name a folder that `cytocar gate -o` has written, or the table itself: {path}"
        raise
    return path


def _typed(path: Path, table: DelimitedTable, columns: Sequence[Column]) -> Iterator[TypedRow]:
    try:
        yield from typed_rows(table, columns)
    except ValueError as error:
        raise _changed_table(path, str(error)) from error


def _changed_table(path: Path, why: str) -> UsageError:
    return UsageError(f"{path} {why}", code="E132", hint="count the samples again: the table was changed")


def _read(path: Path) -> DelimitedTable:
    require_table(path)
    hint = "give the folders that `cytocar gate ... -o RUN` wrote"
    with boundary(lambda why: UsageError(f"{path} cannot be read: {why}", code="E132", hint=hint)):
        return read_delimited(path)


def _populations(path: Path) -> dict[str, dict[str, CellCount]]:
    """Return the populations of each sample, where the run has them.

    The blood examined is that of the sample's largest population: an empty one does not tell it.
    """
    if not path.is_file():
        return {}
    by_sample: dict[str, list[TypedRow]] = {}
    for row in _typed(path, _read(path), POPULATIONS):
        by_sample.setdefault(row.text("sample_id"), []).append(row)
    return {sample_id: _of_one_sample(rows) for sample_id, rows in by_sample.items()}


def _of_one_sample(rows: list[TypedRow]) -> dict[str, CellCount]:
    counted = [(row.text("population"), row.whole("events") or 0, _estimate(row, "cells_per_ul")) for row in rows]
    events, per_ul = max(((n, estimate.value) for _, n, estimate in counted if estimate.value), default=(0, None))
    examined_ul = events / per_ul if events and per_ul else None
    return {name: CellCount(n, estimate, examined_ul) for name, n, estimate in counted}


def _choice(row: TypedRow, column: str, kind: type[Choice]) -> Choice | None:
    """Return one of an enumeration's members; a word that is none of them is a ``ValueError``."""
    word = row.text(column)
    return kind(word) if word else None


def _estimate(row: TypedRow, column: str) -> Estimate:
    return Estimate(row.number(column), row.number(f"{column}_low"), row.number(f"{column}_high"))


def _sample(row: TypedRow, populations: dict[str, CellCount]) -> CountedSample:
    b_cells = populations.get(B_CELLS)
    return CountedSample(
        sample_id=row.text("sample_id"),
        subject_id=row.text("subject_id"),
        day=row.number("day"),
        sample_type=_choice(row, "sample_type", SampleType) or SampleType.SAMPLE,
        specimen=_choice(row, "specimen", Specimen) or Specimen.BLOOD,
        status=_choice(row, "status", Status) or Status.OK,
        file_sha256=row.text("file_sha256"),
        bead_events=row.whole("bead_events"),
        t_cell_events=row.whole("t_cell_events"),
        car_events=row.whole("car_events"),
        car_cd4_events=row.whole("car_cd4_events"),
        car_cd8_events=row.whole("car_cd8_events"),
        cd4_events=row.whole("cd4_events"),
        cd8_events=row.whole("cd8_events"),
        car_result=_choice(row, "car_result", CarResult) or CarResult.NOT_EVALUABLE,
        car_per_ul=_estimate(row, "car_per_ul"),
        car_per_ul_net=_estimate(row, "car_per_ul_net"),
        car_lob_events=row.whole("car_lob_events"),
        background_percent=row.number("background_percent"),
        car_lod_per_ul=row.number("car_lod_per_ul"),
        car_lloq_per_ul=row.number("car_lloq_per_ul"),
        car_lod_percent=row.number("car_lod_percent"),
        car_lloq_percent=row.number("car_lloq_percent"),
        car_percent_of_t_cells=row.number("car_percent_of_t_cells"),
        car_cd4_cd8_ratio=_estimate(row, "car_cd4_cd8_ratio"),
        t_cells_per_ul=row.number("t_cells_per_ul"),
        cd4_cd8_ratio=row.number("cd4_cd8_ratio"),
        b_cells_per_ul=b_cells.per_ul.value if b_cells else None,
        count_method=_choice(row, "count_method", CountMethod),
        ci_method=row.text("ci_method"),
    )
