"""``cytocar.run(...)``: many samples counted from Python, as ``cytocar gate`` counts them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypedDict, TypeVar, Unpack

from msgspec import ValidationError
from msgspec.structs import replace

from cytocar.counting.blank_tubes import read_history
from cytocar.files.places import Place, place_of
from cytocar.run.count import Work, count, open_store
from cytocar.run.observer import NOBODY, Observer
from cytocar.run.plan import make_plan
from cytocar.run.records import from_plain, plain
from cytocar.sample.result import SampleOutcome
from cytocar.sheet.inputs import Inputs, collect, completed, given_for_all, with_controls
from cytocar.sheet.rows import SampleRow
from cytocar.tables.parquet import require_pyarrow

_Row = TypeVar("_Row", bound=SampleRow)


class Given(TypedDict, total=False):
    """What holds for every row: columns of the sheet, whose empty cells they fill."""

    count_method: str
    beads_added: float
    sample_volume_ul: float
    acquired_volume_ul: float
    lymphocytes_per_ul: float
    wbc_per_ul: float
    dilution_factor: float
    subject_id: str
    day: float


def run(  # the options of `cytocar gate`, one keyword each
    rows: str | Place | Iterable[str | Place | SampleRow],
    template: str | Path | None = None,
    out: str | Path | None = None,
    jobs: int = 0,
    *,
    controls: str | Place | Iterable[str | Place] = (),
    markers: Mapping[str, str] | None = None,
    background: str | Path | None = None,
    force: bool = False,
    parquet: bool = False,
    by: str | None = None,
    observer: Observer = NOBODY,
    **given: Unpack[Given],
) -> tuple[SampleOutcome, ...]:
    """Count many samples; the numbers and tables are those of ``cytocar gate``.

    Parameters
    ----------
    rows : str, Path, or several of str, Path or SampleRow
        A sample sheet, a folder, FCS files (a list, an array, ``Path.glob``); or rows made in Python, in the order in
        which they shall come back.
    template : str or Path, optional
        A bundled name or a ``.toml``; ``cart-cd19fc`` without.
    out : str or Path, optional
        Write a run folder with all tables here; an interrupted one goes on. ``cytocar report`` draws its gates.
    jobs : int
        Processes; 0 for all cores. Where processes are spawned (macOS, Windows), a script that calls this with more
        than one needs ``if __name__ == "__main__":``.
    controls : str or Path, or several
        CAR-negative controls of these files.
    markers : mapping of str to str, optional
        Channels that are settled, such as ``{"CD3": "FITC-A"}``.
    background : str or Path, optional
        Earlier CAR-negative tubes, as ``cytocar qc --history`` keeps them: they tell the background too.
    force, parquet, by
        As the options of ``cytocar gate``: set a finished run aside, write Parquet too, who runs it.
    observer : Observer
        Hears of notes and progress.
    **given
        What holds for every row: ``beads_added=20_000, sample_volume_ul=50``. Of a sheet, or of ``SampleRow`` objects,
        it fills what they leave empty; what says something else is refused (E086).

    Returns
    -------
    tuple of SampleResult or SampleFailure
        In the order of the tables; ``.row()`` is the line of counts.csv, ``.status`` what it is worth. A file that
        cannot be read is a row with status ``failed``, as in the table.

    Raises
    ------
    UsageError, SheetError, TemplateError
        What stops ``cytocar gate`` before it counts.
    TypeError, ValueError
        For what is no path, no template's name, no number of processes, and a row whose values are of other types.

    Examples
    --------
    >>> import tempfile, cytocar
    >>> tube = cytocar.simulate.blood_tube(car_per_ul=100, seed=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = tube.write(Path(folder) / "day9.fcs")
    ...     (result,) = cytocar.run(folder, "cart-cd19fc-fixed", jobs=1, beads_added=20_000, sample_volume_ul=50)
    >>> result.row()["sample_id"], result.row()["count_method"]
    ('day9', 'beads')
    """
    if unknown := sorted(set(given) - Given.__optional_keys__):
        raise TypeError(f"cytocar.run() takes no {', '.join(unknown)}")
    if jobs < 0:
        raise ValueError(f"{jobs} processes; 0 stands for all cores")
    if parquet:
        require_pyarrow()
    named_template = None if template is None else str(place_of(template))
    named_controls = [place_of(control) for control in _several(controls)]
    inputs = with_controls(_inputs(rows, given_for_all(**given)), named_controls)
    plan = make_plan(
        inputs,
        template=named_template,
        markers=markers,
        history=None if background is None else read_history(Path(background)),
    )
    work = Work(jobs=jobs, parquet=parquet, command=("cytocar.run",))
    with open_store(plan, None if out is None else Path(out), work, force=force, by=by) as store:
        count(plan, work, store, observer=observer)
        return tuple(store.parts.every(plan.sample_ids))


def _several(given: str | Place | Iterable[str | Place | _Row]) -> list[str | Place | _Row]:
    """Return one or several as a list: a path is one, however many letters it has."""
    return list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]


def _own_types(row: SampleRow) -> SampleRow:
    """Return a row with the types that it declares, as a sheet gives them: NumPy's numbers as plain ones."""
    try:
        return replace(from_plain(plain(row), SampleRow), file=place_of(row.file))
    except ValidationError as error:
        raise TypeError(f"row {row.sample_id}: {error}") from error


def _inputs(rows: str | Place | Iterable[str | Place | SampleRow], given: SampleRow) -> Inputs:
    """Return rows as they are; files, folders and a sheet as the command line takes them."""
    named = _several(rows)
    ready = [_own_types(row) for row in named if isinstance(row, SampleRow)]
    if ready and len(ready) == len(named):
        return Inputs(completed([(row.sample_id, row) for row in ready], given))
    if ready:
        raise TypeError("rows are SampleRow objects or paths, not both")
    return collect([place for place in named if not isinstance(place, SampleRow)], given=given)
