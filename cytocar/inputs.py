"""From what the command line names (files, folders, a sheet) to the rows that a run will analyse."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cytocar.errors import ReadError, UsageError
from cytocar.fcs.reader import samples_in, split_data_set
from cytocar.sheet import SampleRow, SampleType, check_cells, read_sheet, rows_from_files

FCS_SUFFIXES = (".fcs", ".lmd")


@dataclass(frozen=True, slots=True)
class Inputs:
    """The samples of a run, in the order of the sheet or of their names, and the sheet they came from.

    ``unlisted`` are FCS files in the named folders that the sheet does not list.
    """

    samples: tuple[SampleRow, ...]
    sheet: Path | None = None
    unlisted: tuple[Path, ...] = ()


def collect(named: Sequence[str], *, sheet: Path | None = None, given: SampleRow | None = None) -> Inputs:
    """Return the samples that files, folders and a sheet name.

    Parameters
    ----------
    named : sequence of str
        FCS files (``name.fcs#2`` for one data set), folders (searched with their subfolders), or one sheet (``.csv``).
    sheet : Path, optional
        Sample sheet; with it, ``named`` restricts the rows to these files and folders.
    given : SampleRow, optional
        What the command line says about every file without a sheet.

    Raises
    ------
    UsageError
        E102 nothing to analyse, E103 no such file, E104 two sheets.
    """
    sheets = [Path(name) for name in named if name.lower().endswith((".csv", ".tsv"))]
    if sheet is not None:
        sheets.append(sheet)
    if len(sheets) > 1:
        raise UsageError(
            f"{len(sheets)} sample sheets are named: {', '.join(map(str, sheets))}",
            code="E104",
            hint="one run has one sheet: join them, or run twice",
        )
    places = [name for name in named if not name.lower().endswith((".csv", ".tsv"))]
    found = _files(places)
    if sheets:
        return _from_sheet(sheets[0], found, restricted=bool(places))
    if not found:
        raise UsageError(
            f"no FCS files in {', '.join(named)}" if named else "no input is named",
            code="E102",
            hint="name FCS files, a folder that holds some, or a sample sheet",
        )
    split = [split_data_set(file) for file in found]
    rows = rows_from_files([file for file, _ in split], given=given)
    numbered = [_numbered(row, number) if number else row for row, (_, number) in zip(rows, split, strict=True)]
    return Inputs(tuple(sorted(_expanded(numbered), key=lambda row: natural(row.sample_id))))


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """Return a key that sorts names as people do, so that the order on the command line makes no difference.

    Examples
    --------
    >>> sorted(["day28", "day9", "Day7"], key=natural)
    ['Day7', 'day9', 'day28']
    """
    pieces = re.split(r"(\d+)", name.casefold())
    return tuple((1, int(piece), "") if piece.isdecimal() else (2, 0, piece) for piece in [*pieces, name])


def _files(named: Iterable[str]) -> list[Path]:
    files: dict[Path, None] = {}
    for name in named:
        place = Path(name)
        if place.is_dir():
            inside = (file for file in place.rglob("*") if file.suffix.lower() in FCS_SUFFIXES and file.is_file())
            files.update(dict.fromkeys(sorted(file for file in inside if not file.name.startswith("."))))
        elif split_data_set(place)[0].exists():
            files[place] = None
        else:
            raise UsageError(f"there is no file or folder {name}", code="E103", hint="check the path")
    _check_names(files)
    return list(files)


def _check_names(files: Iterable[Path]) -> None:
    """Refuse names that are no text: no table, manifest or report could say which file they mean."""
    for file in files:
        try:
            str(file).encode()
        except UnicodeEncodeError:
            raise UsageError(
                f"the name of {file.name!a} is not UTF-8",
                code="E103",
                hint="rename the file: it came from a system with another encoding of names",
            ) from None


def _from_sheet(sheet: Path, found: Sequence[Path], *, restricted: bool) -> Inputs:
    rows = read_sheet(sheet)
    if restricted:
        wanted = {file.resolve() for file in found}
        rows = tuple(row for row in rows if row.file.resolve() in wanted)
        if not rows:
            raise UsageError(
                f"{sheet} lists none of the files named", code="E102", hint="check the sheet's column file"
            )
    listed = {row.file.resolve() for row in rows}
    beside = {row.file.parent for row in rows if row.file.parent.is_dir()} if not restricted else set()
    unlisted = [file for folder in sorted(beside) for file in sorted(folder.iterdir()) if _is_unlisted(file, listed)]
    return Inputs(tuple(_expanded(rows)), sheet=sheet, unlisted=tuple(unlisted))


def _is_unlisted(file: Path, listed: set[Path]) -> bool:
    return file.suffix.lower() in FCS_SUFFIXES and not file.name.startswith(".") and file.resolve() not in listed


def _expanded(rows: Iterable[SampleRow]) -> Iterable[SampleRow]:
    """Yield a row per acquisition: a file with several becomes ``name#1``, ``name#2``..."""
    for row in rows:
        if row.data_set is not None or row.exclude:
            yield row
            continue
        try:
            data_sets = samples_in(row.file)
        except (ReadError, OSError):
            data_sets = ()  # its own analysis will say why
        if len(data_sets) < 2:
            yield row
            continue
        yield from (_numbered(row, number) for number in data_sets)


def _numbered(row: SampleRow, number: int | None) -> SampleRow:
    return replace(
        row,
        data_set=number,
        sample_id=f"{row.sample_id}#{number}",
        file_as_given=f"{row.file_as_given}#{number}",
    )


def given_for_all(**told: object) -> SampleRow:
    """Return what the command line says about every file without a sheet, checked like a sheet's cells.

    Raises
    ------
    UsageError
        E110 with every value that a sheet would refuse.
    """
    faults, values = check_cells({column: str(value) for column, value in told.items() if value is not None})
    if faults:
        raise UsageError("; ".join(faults), code="E110", hint="correct the options named above")
    return SampleRow(file=Path(), file_as_given="", sample_id="", **values)


def with_controls(inputs: Inputs, controls: Sequence[Path]) -> Inputs:
    """Return the inputs with CAR-negative control files added, as controls for every sample."""
    if not controls:
        return inputs
    names = tuple(row.sample_id for row in inputs.samples)
    given = replace(inputs.samples[0], sample_type=SampleType.BASELINE, control_for=names, data_set=None)
    rows = rows_from_files(controls, given=given)
    taken = [replace(row, sample_id=f"control {row.sample_id}") if row.sample_id in names else row for row in rows]
    return replace(inputs, samples=(*inputs.samples, *taken))
