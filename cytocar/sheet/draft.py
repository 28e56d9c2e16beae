"""Drafting a sample sheet from FCS headers; checking one against files and templates before anything is analysed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from cytocar.errors.boundary import one_of_many
from cytocar.errors.tree import SampleError, counted
from cytocar.fcs import keywords
from cytocar.fcs.reader import open_fcs
from cytocar.files.places import Address, Place, lies_in
from cytocar.sheet.inputs import by_subfolder, collect
from cytocar.sheet.plate_map import read_plate_map
from cytocar.sheet.rows import SampleRow
from cytocar.tables.columns import Column, Value, csv_text

_DRAFTED = (
    "file",
    "sample_id",
    "sample_type",
    "subject_id",
    "day",
    "plate_id",
    "well",
    "count_method",
    "sample_volume_ul",
    "beads_added",
    "acquired_volume_ul",
    "note",
)
_NEEDED = ("beads_added", "sample_volume_ul")


class Draft(Struct, frozen=True):
    """A drafted sheet as CSV, and what a person should know about it."""

    text: str
    notes: tuple[str, ...]
    to_fill_in: tuple[str, ...]
    """Columns that a count by beads needs, and that some row has empty."""


def draft_sheet(folder: Place, *, relative_to: Place, plate_map: Path | None = None) -> Draft:
    """Return a sheet of the FCS files in a folder.

    What the headers say is filled in (well, plate, acquired volume), and what a plate map says of each well (see
    ``plate_map``); what nobody can know from a file stays empty.
    """
    grids = read_plate_map(plate_map) if plate_map else {}
    notes: list[str] = []
    inputs = collect([folder])
    if inputs.from_subfolders:
        notes.append(f"subfolders are taken too: {by_subfolder(inputs.from_subfolders)}")
    rows = [_drafted(sample, relative_to, notes) for sample in inputs.samples]
    if plate_map:
        notes += _take_in(rows, grids)
    columns = [*_DRAFTED, *(name for name in grids if name not in _DRAFTED)]
    text = csv_text([Column(name, "string", "", "") for name in columns], rows)
    to_fill_in = tuple(name for name in _NEEDED if not all(row.get(name) for row in rows))
    return Draft(text, tuple(notes), to_fill_in)


def _drafted(sample: SampleRow, relative_to: Place, notes: list[str]) -> dict[str, Value]:
    place = _named(sample.file, relative_to)
    if sample.data_set is not None:
        place = f"{place}#{sample.data_set}"
    row: dict[str, Value] = {"file": place, "sample_id": sample.sample_id, "sample_type": sample.sample_type.value}
    try:
        with one_of_many():
            events = open_fcs(sample.file, data_set=sample.data_set)
            row["note"] = f"{events.n_events} events"
            row["well"], row["plate_id"] = keywords.well(events), keywords.plate(events)
            volume = keywords.acquired_volume(events)
            row["acquired_volume_ul"] = volume.ul if volume else None
    except SampleError as error:
        notes.append(f"{place}: {error.message} [{error.code}]")
        row.setdefault("note", f"cannot be read: {error.code}")
    return row


def _named(file: Place, folder: Place) -> str:
    """Return a file as a sheet in this folder names it: relative where it lies there or below."""
    if isinstance(file, Address) or isinstance(folder, Address):
        return str(file).removeprefix(f"{folder}".rstrip("/") + "/") if lies_in(file, folder) else str(file.resolve())
    near = os.path.relpath(file, folder).replace(os.sep, "/")
    return str(file.resolve()) if near.startswith("..") else near


def _take_in(rows: list[dict[str, Value]], grids: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Write what the map says of each well into its row; return what does not fit together."""
    by_well = {str(row["well"]): row for row in rows if row.get("well")}
    for column, cells in grids.items():
        for well, text in cells.items():
            if well in by_well:
                by_well[well][column] = text
    named = grids["sample_id"]
    without_file = [well for well in named if well not in by_well]
    not_on_map = [well for well in by_well if well not in named]
    notes = []
    if without_file:
        notes.append(f"on the map, but no FCS file: {_wells(without_file)}")
    if not_on_map:
        notes.append(f"FCS files, but no name on the map: {_wells(not_on_map)}")
    no_well = [str(row["file"]) for row in rows if not row.get("well")]
    if no_well:
        notes.append(f"{counted(len(no_well), 'file')} without a well, named by the file: {_few(no_well)}")
    return notes


def _wells(names: list[str]) -> str:
    return f"{counted(len(names), 'well')}: {_few(names)}"


def _few(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
