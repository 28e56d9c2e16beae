"""Drafting a sample sheet from FCS headers; checking one against files and templates before anything is analysed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from cytocar.errors import CytocarError, ReadError
from cytocar.fcs import keywords
from cytocar.fcs.reader import open_fcs
from cytocar.inputs import collect
from cytocar.plan import make_plan
from cytocar.sheet import CountMethod, SampleRow
from cytocar.tables import Column, csv_text

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


def draft_sheet(folder: Path, *, relative_to: Path) -> tuple[str, tuple[str, ...]]:
    """Return a sheet of the FCS files in a folder as CSV, and notes on files that could not be read.

    What the headers say is filled in (well, plate, acquired volume); what nobody can know from a file stays empty.
    """
    rows, notes = [], []
    for sample in collect([str(folder)]).samples:
        near = os.path.relpath(sample.file, relative_to).replace(os.sep, "/")
        place = str(sample.file.resolve()) if near.startswith("..") else near
        row: dict[str, str | float | None] = {"file": place, "sample_id": sample.sample_id, "sample_type": "sample"}
        if sample.data_set is not None:
            row["file"] = f"{place}#{sample.data_set}"
        try:
            events = open_fcs(sample.file, data_set=sample.data_set)
            volume = keywords.acquired_volume(events)
            row["well"], row["plate_id"] = keywords.well(events), keywords.plate(events)
            row["acquired_volume_ul"] = volume.ul if volume else None
            row["note"] = f"{events.n_events} events"
        except ReadError as error:
            notes.append(f"{place}: {error.message} [{error.code}]")
            row["note"] = f"cannot be read: {error.code}"
        rows.append(row)
    return csv_text([Column(name, "string", "", "") for name in _DRAFTED], rows), tuple(notes)


def sheet_faults(rows: Sequence[SampleRow], *, sheet: Path, template: str | None = None) -> list[str]:
    """Return what will go wrong when the sheet is run: missing files and templates, counts without their numbers."""
    faults = [f"{row.sample_id}: there is no file {row.file_as_given}" for row in rows if not row.file.is_file()]
    known = {row.sample_id for row in rows} | {row.subject_id for row in rows}
    for row in rows:
        faults += [f"{row.sample_id}: control_for names {name!r}, which no row has" for name in _unknown(row, known)]
    try:
        plan = make_plan(collect([], sheet=sheet), template=template)
    except CytocarError as error:
        return [*faults, f"{error.message} [{error.code}]"]
    for row in rows:
        if row.exclude or row.sample_id not in plan.protocols:
            continue
        method = row.count_method or plan.protocols[row.sample_id].template.counting.method
        if method == CountMethod.BEADS and (row.beads_in_tube is None or row.sample_volume_ul is None):
            missing = "beads_added" if row.beads_in_tube is None else "sample_volume_ul"
            faults.append(f"{row.sample_id}: counts by beads, but {missing} is empty")
    return faults


def _unknown(row: SampleRow, known: set[str | None]) -> list[str]:
    return [name for name in row.control_for if name not in known]
