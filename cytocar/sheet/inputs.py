"""From what the command line names (files, folders, a sheet) to the rows that a run will analyse."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from cytocar.errors.tree import ReadError, UsageError, counted, listed
from cytocar.fcs.reader import samples_in, split_data_set
from cytocar.files.nearest import is_text, printable, why_not_there
from cytocar.files.places import Address, Place, files_below, is_there, place_of, require_packages, unreadable
from cytocar.sheet.cells import WORKSHEETS
from cytocar.sheet.plausible import CHECKED
from cytocar.sheet.rows import SampleRow, SampleType, check_cells, disagreements, numbered_rows

FCS_SUFFIXES = (".fcs", ".lmd")


class Inputs(Struct, frozen=True):
    """The samples of a run, in the order of the sheet or of their names, and the sheet they came from.

    ``unlisted`` are FCS files in the named folders that the sheet does not list; ``unused_sheets`` are sheets in named
    folders that nobody named: a sheet decides numbers, so none is taken unasked. ``from_subfolders`` are files that lie
    below a named folder, not in it.
    """

    samples: tuple[SampleRow, ...]
    sheet: Place | None = None
    unlisted: tuple[Place, ...] = ()
    unused_sheets: tuple[Path, ...] = ()
    from_subfolders: tuple[Place, ...] = ()


def collect(named: Sequence[str | Place], *, sheet: Place | None = None, given: SampleRow | None = None) -> Inputs:
    """Return the samples that files, folders and a sheet name.

    Parameters
    ----------
    named : sequence of str, Path or Address
        FCS files (``name.fcs#2`` for one data set), folders (searched with their subfolders), or one sheet (``.csv``,
        ``.xlsx``): paths or addresses.
    sheet : Path or Address, optional
        Sample sheet; with it, ``named`` restricts the rows to these files and folders.
    given : SampleRow, optional
        What the command line says about every file; of a sheet's rows it fills the empty cells.

    Raises
    ------
    UsageError
        E102 nothing to analyse, E103 no such file, E104 two sheets, E086 an option that contradicts the sheet, E190 or
        E191 an address that cannot be read.
    """
    all_named = [place_of(name) for name in named]
    sheets = [place for place in all_named if _is_sheet(place)]
    if sheet is not None:
        sheets.append(sheet)
    if len(sheets) > 1:
        raise UsageError(
            f"{len(sheets)} sample sheets are named: {', '.join(map(str, sheets))}",
            code="E104",
            hint="one run has one sheet: join them, or run twice",
        )
    require_packages(*sheets, *all_named)
    places = [place for place in all_named if not _is_sheet(place)]
    with _usage():
        files = _files(places)
    if sheets:
        return _from_sheet(sheets[0], files, restricted=bool(places), given=given)
    if not files:
        raise UsageError(
            f"no FCS files in {', '.join(map(str, all_named))}" if named else "no input is named",
            code="E102",
            hint="name FCS files, a folder that holds some, or a sample sheet",
        )
    split = [split_data_set(file) for file in files]
    rows = rows_from_files([file for file, _ in split], given=given)
    numbered = [_numbered(row, number) if number else row for row, (_, number) in zip(rows, split, strict=True)]
    samples = tuple(sorted(_expanded(numbered), key=lambda row: natural(row.sample_id)))
    return Inputs(samples, unused_sheets=tuple(_sheets_in(places)), from_subfolders=_below(places, files))


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """Return a key that sorts names as people do, so that the order on the command line makes no difference.

    Examples
    --------
    >>> sorted(["day28", "day9", "Day7"], key=natural)
    ['Day7', 'day9', 'day28']
    """
    pieces = re.split(r"(\d+)", name.casefold())
    return tuple((1, int(piece), "") if piece.isdecimal() else (2, 0, piece) for piece in [*pieces, name])


def _is_sheet(place: Place) -> bool:
    return place.name.lower().endswith((".csv", ".tsv", *WORKSHEETS))


def _is_fcs(place: Place) -> bool:
    return place.suffix.lower() in FCS_SUFFIXES and not place.name.startswith(".")


def fcs_files(folder: Place) -> list[Place]:
    """Return the FCS files of a folder and its subfolders, in their order."""
    return sorted(files_below(folder, _is_fcs), key=_order)


def _below(named: Sequence[Place], files: Iterable[Place]) -> tuple[Place, ...]:
    """Return the files that are neither named themselves nor lie in a named folder, but below one."""
    known = {*named, *((place / "file").parent for place in named)}  # an address may end with a slash
    return tuple(file for file in files if file not in known and file.parent not in known)


def by_subfolder(files: Iterable[Place]) -> str:
    """Return how many files lie in which folder: ``controls (15), old (2)``."""
    times = Counter(file.parent.name for file in files)
    return ", ".join(f"{name} ({count})" for name, count in times.items())


@contextmanager
def _usage() -> Iterator[None]:
    """Let what cannot be looked at stop the command: nothing is analysed then."""
    try:
        yield
    except ReadError as error:
        raise UsageError(error.message, code=error.code, hint=error.hint) from error


def _files(named: Iterable[Place]) -> list[Place]:
    files: dict[Place, None] = {}
    for place in named:
        try:
            if place.is_dir():
                files.update(dict.fromkeys(fcs_files(place)))
            elif is_there(split_data_set(place)[0]):
                files[place] = None
            else:
                near = why_not_there(place) if isinstance(place, Path) else ""
                raise UsageError(f"there is no file or folder {place}{near}", code="E103", hint="check the path")
        except OSError as error:
            if isinstance(place, Address):
                raise unreadable(place, error) from error
            raise UsageError(
                f"the folder {error.filename or place} cannot be listed: {error.strerror or error}",
                code="E103",
                hint="correct its rights, or name the folders and files to count",
            ) from error
    return [printable(file) if isinstance(file, Path) and not is_text(str(file)) else file for file in files]


def _order(place: Place) -> tuple[bool, Place]:
    """Return a key that sorts paths as paths sort, then addresses."""
    return isinstance(place, Address), place


def _from_sheet(sheet: Place, files: Sequence[Place], *, restricted: bool, given: SampleRow | None) -> Inputs:
    numbered = numbered_rows(sheet)
    require_packages(*(row.file for row in numbered.values()))
    if restricted:
        wanted = {file.resolve() for file in files}
        numbered = {number: row for number, row in numbered.items() if row.file.resolve() in wanted}
        if not numbered:
            raise UsageError(
                f"{sheet} lists none of the files named", code="E102", hint="check the sheet's column file"
            )
    rows = completed([(f"row {number}", row) for number, row in numbered.items()], given)
    return of_rows(rows, sheet, beside=not restricted)


def of_rows(rows: Sequence[SampleRow], sheet: Place, *, beside: bool = True) -> Inputs:
    """Return rows of a sheet as the inputs of a run, with the files that lie ``beside`` theirs and have no row."""
    listed = {row.file.resolve() for row in rows}
    folders = {row.file.parent for row in rows} if beside else set()
    unlisted = [
        file for folder in sorted(folders, key=_order) for file in _inside(folder) if _is_unlisted(file, listed)
    ]
    return Inputs(tuple(_expanded(rows)), sheet=sheet, unlisted=tuple(unlisted))


def _sheets_in(places: Iterable[Place]) -> Iterator[Path]:
    """What looks like the sample sheet of a folder."""
    for place in places:
        names = ("sheet.csv", "sheet.xlsx") if isinstance(place, Path) and place.is_dir() else ()
        yield from (Path(str(place)) / name for name in names if (Path(str(place)) / name).is_file())


def _inside(folder: Place) -> list[Place]:
    """The entries of a folder; none where an address may not be listed."""
    try:
        return sorted(folder.iterdir(), key=_order) if folder.is_dir() else []
    except OSError:
        if isinstance(folder, Address):
            return []
        raise


def _is_unlisted(file: Place, listed: set[Place]) -> bool:
    return _is_fcs(file) and file.resolve() not in listed


def _expanded(rows: Iterable[SampleRow]) -> Iterable[SampleRow]:
    """Yield a row per acquisition: a file with several becomes ``name#1``, ``name#2``..."""
    rows = list(rows)
    for row, data_sets in zip(rows, _data_sets(rows), strict=True):
        if len(data_sets) < 2:
            yield row
            continue
        yield from (_numbered(row, number) for number in data_sets)


HEADERS_AT_A_TIME = 16
"""Over a network nearly all of the time is waiting, and a plate has many headers."""


def _data_sets(rows: Sequence[SampleRow]) -> Iterator[tuple[int | None, ...]]:
    """Yield the data sets of each row's file that are samples of their own; none where there is nothing to ask."""
    if not any(isinstance(row.file, Address) for row in rows):
        yield from map(_data_sets_of, rows)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(HEADERS_AT_A_TIME) as threads:
        yield from threads.map(_data_sets_of, rows)


def _data_sets_of(row: SampleRow) -> tuple[int | None, ...]:
    if row.data_set is not None or row.exclude:
        return ()
    try:
        return samples_in(row.file)
    except (ReadError, OSError):
        return ()  # its own analysis will say why


def _numbered(row: SampleRow, number: int | None) -> SampleRow:
    return replace(
        row,
        data_set=number,
        sample_id=f"{row.sample_id}#{number}",
        file_as_given=f"{row.file_as_given}#{number}",
    )


def given_for_all(**numbers: object) -> SampleRow:
    """The values of the command line for every file, checked like a sheet's cells.

    Raises
    ------
    UsageError
        E110 with every value that a sheet would refuse.
    """
    faults, values = check_cells({column: str(value) for column, value in numbers.items() if value is not None})
    if faults:
        raise UsageError("; ".join(faults), code="E110", hint="correct the options named above")
    return SampleRow(file=Path(), file_as_given="", sample_id="", **values)


GIVEN = (
    "count_method",
    "beads_added",
    "sample_volume_ul",
    "acquired_volume_ul",
    "lymphocytes_per_ul",
    "wbc_per_ul",
    "dilution_factor",
    "subject_id",
    "day",
)
"""Columns of a sheet that the command line, too, can fill."""


def completed(rows: Sequence[tuple[str, SampleRow]], given: SampleRow | None) -> tuple[SampleRow, ...]:
    """Return rows with their empty cells filled by what the command line says about all of them.

    Parameters
    ----------
    rows : sequence of str and SampleRow
        Each with what it is called in messages.
    given : SampleRow, optional
        What holds for every row.

    Raises
    ------
    UsageError
        E086 with every cell that says something else: neither of the two is taken silently.
    """
    options = {column: value for column in GIVEN if given and (value := getattr(given, column)) is not None}
    if not options:
        return tuple(row for _, row in rows)
    faults: list[str] = []
    made = []
    for name, row in rows:
        filled = replace(row, **{column: value for column, value in options.items() if getattr(row, column) is None})
        faults += [
            f"{name}, column {column}: the sheet says {_said(cell)}, {_option(column)} says {_said(value)}"
            for column, value in options.items()
            if (cell := getattr(filled, column)) != value
        ]
        faults += [
            f"{name}, column {column}: {why} (with the empty cells filled by the options)"
            for column, why in disagreements({column: getattr(filled, column) for column in CHECKED})
        ]
        made.append(filled)
    if faults:
        raise UsageError(
            f"options and sheet disagree in {counted(len(faults), 'cell')}:{listed(faults)}",
            code="E086",
            hint="an option fills the empty cells of every row: leave it out, or correct or empty these cells",
        )
    return tuple(made)


def _option(column: str) -> str:
    """Return how the command line spells a column.

    >>> _option("sample_volume_ul"), _option("subject_id")
    ('--sample-volume-ul', '--subject')
    """
    return "--" + column.removesuffix("_id").replace("_", "-")


def _said(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def with_controls(inputs: Inputs, controls: Sequence[Place]) -> Inputs:
    """Return the inputs with CAR-negative control files as controls for every other sample.

    A control that is among the inputs already, as one of a folder's files is, keeps its row and its numbers.
    """
    if not controls:
        return inputs
    require_packages(*controls)
    named = {control.resolve() for control in controls}
    names = tuple(row.sample_id for row in inputs.samples if row.file.resolve() not in named)
    rows = tuple(
        row if row.sample_id in names else replace(row, sample_type=_control(row.sample_type), control_for=names)
        for row in inputs.samples
    )
    there = {row.file.resolve() for row in rows}
    given = replace(inputs.samples[0], sample_type=SampleType.BASELINE, control_for=names, data_set=None)
    added = rows_from_files([control for control in controls if control.resolve() not in there], given=given)
    taken = [replace(row, sample_id=f"control {row.sample_id}") if row.sample_id in names else row for row in added]
    return replace(inputs, samples=(*rows, *taken))


def _control(kind: SampleType) -> SampleType:
    """What a named control is: what its row says, unless that says nothing."""
    return SampleType.BASELINE if kind is SampleType.SAMPLE else kind


# ---------------------------------------------------------------- without a sheet


def rows_from_files(files: Sequence[Place], *, given: SampleRow | None = None) -> tuple[SampleRow, ...]:
    """Return a row per file, named by the file; equal names are told apart by their folders.

    ``given`` carries what the command line says about every file (beads, volumes, subject, day).
    """
    stems = Counter(file.stem for file in dict.fromkeys(files))
    rows = []
    for file in files:
        name = file.stem if stems[file.stem] == 1 else "/".join((*file.parts[-2:-1], file.name))
        base = given or SampleRow(file=file, file_as_given="", sample_id="")
        rows.append(replace(base, file=file, file_as_given=file.name, sample_id=name))
    places: dict[str, set[Place]] = defaultdict(set)
    for row in rows:
        places[row.sample_id].add(row.file)
    named = [replace(row, sample_id=str(row.file)) if len(places[row.sample_id]) > 1 else row for row in rows]
    return tuple(_told_apart(named))


def _told_apart(rows: Sequence[SampleRow]) -> Iterator[SampleRow]:
    """Yield rows whose names differ also where two addresses differ in nothing that may be written down."""
    times = Counter(row.sample_id for row in rows)
    met: Counter[str] = Counter()
    for row in rows:
        met[row.sample_id] += 1
        again = times[row.sample_id] > 1 and isinstance(row.file, Address) and row.data_set is None
        yield replace(row, sample_id=f"{row.sample_id} ({met[row.sample_id]})") if again else row
