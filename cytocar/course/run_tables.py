"""Reads back what runs wrote: the samples of ``counts.csv``, and their populations from ``populations.csv``."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from cytocar.counting.limits import CarResult
from cytocar.course.draws import CellCount, Tube
from cytocar.course.replicates import CountedSample
from cytocar.errors.boundary import boundary
from cytocar.errors.tree import UsageError
from cytocar.run.trail.recorded import require_table
from cytocar.sample.result import Status
from cytocar.sheet.rows import CARRIED, CountMethod, SampleType
from cytocar.sheet.tube import Specimen
from cytocar.statistics.estimate import Estimate
from cytocar.tables.delimited import DelimitedTable, Row, read_delimited

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
        E132 if there is no such table, or it is not one of cytocar's.
    """
    path = run / "counts.csv" if run.is_dir() else run
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
    for row in table.rows:
        own = populations.get(row.cells["sample_id"], {})
        try:
            counted = _sample(_Cells(table, row), own)
        except ValueError as error:
            raise UsageError(
                f"{path} row {row.line}: {error}", code="E132", hint="count the samples again: the table was changed"
            ) from error
        yield Tube(counted, own, {column: row.cells.get(column, "") for column in carried})


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
    table = _read(path)
    by_sample: dict[str, list[_Cells]] = {}
    for row in table.rows:
        by_sample.setdefault(row.cells.get("sample_id", ""), []).append(_Cells(table, row))
    return {sample_id: _of_one_sample(rows) for sample_id, rows in by_sample.items()}


def _of_one_sample(rows: list[_Cells]) -> dict[str, CellCount]:
    counted = [(row.text("population"), row.events("events") or 0, row.estimate("cells_per_ul")) for row in rows]
    events, per_ul = max(((n, estimate.value) for _, n, estimate in counted if estimate.value), default=(0, None))
    examined_ul = events / per_ul if events and per_ul else None
    return {name: CellCount(n, estimate, examined_ul) for name, n, estimate in counted}


class _Cells:
    """Typed access to one row; an empty or missing cell is ``None``."""

    def __init__(self, table: DelimitedTable, row: Row) -> None:
        self._table, self._row = table, row

    def text(self, column: str) -> str:
        return self._row.cells.get(column, "")

    def number(self, column: str) -> float | None:
        return self._table.number(self.text(column))

    def events(self, column: str) -> int | None:
        value = self.number(column)
        return None if value is None else int(value)

    def choice(self, column: str, kind: type[Choice]) -> Choice | None:
        """Return one of an enumeration's members; a word that is none of them is a ``ValueError``."""
        word = self.text(column)
        return kind(word) if word else None

    def estimate(self, column: str) -> Estimate:
        return Estimate(self.number(column), self.number(f"{column}_low"), self.number(f"{column}_high"))


def _sample(cells: _Cells, populations: dict[str, CellCount]) -> CountedSample:
    b_cells = populations.get(B_CELLS)
    return CountedSample(
        sample_id=cells.text("sample_id"),
        subject_id=cells.text("subject_id"),
        day=cells.number("day"),
        sample_type=cells.choice("sample_type", SampleType) or SampleType.SAMPLE,
        specimen=cells.choice("specimen", Specimen) or Specimen.BLOOD,
        status=cells.choice("status", Status) or Status.OK,
        file_sha256=cells.text("file_sha256"),
        bead_events=cells.events("bead_events"),
        t_cell_events=cells.events("t_cell_events"),
        car_events=cells.events("car_events"),
        car_cd4_events=cells.events("car_cd4_events"),
        car_cd8_events=cells.events("car_cd8_events"),
        cd4_events=cells.events("cd4_events"),
        cd8_events=cells.events("cd8_events"),
        car_result=cells.choice("car_result", CarResult) or CarResult.NOT_EVALUABLE,
        car_per_ul=cells.estimate("car_per_ul"),
        car_per_ul_net=cells.estimate("car_per_ul_net"),
        car_lob_events=cells.events("car_lob_events"),
        background_percent=cells.number("background_percent"),
        car_lod_per_ul=cells.number("car_lod_per_ul"),
        car_lloq_per_ul=cells.number("car_lloq_per_ul"),
        car_lod_percent=cells.number("car_lod_percent"),
        car_lloq_percent=cells.number("car_lloq_percent"),
        car_percent_of_t_cells=cells.number("car_percent_of_t_cells"),
        car_cd4_cd8_ratio=cells.estimate("car_cd4_cd8_ratio"),
        t_cells_per_ul=cells.number("t_cells_per_ul"),
        cd4_cd8_ratio=cells.number("cd4_cd8_ratio"),
        b_cells_per_ul=b_cells.per_ul.value if b_cells else None,
        count_method=cells.choice("count_method", CountMethod),
        ci_method=cells.text("ci_method"),
    )
