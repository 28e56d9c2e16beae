"""What will go wrong when a sheet is run, before anything is analysed."""

from __future__ import annotations

from collections.abc import Sequence

from cytocar.errors.tree import CytocarError
from cytocar.files.places import Place
from cytocar.run.plan import make_plan
from cytocar.sheet.inputs import collect
from cytocar.sheet.rows import CountMethod, SampleRow


def sheet_faults(rows: Sequence[SampleRow], *, sheet: Place, template: str | None = None) -> list[str]:
    """Return what will go wrong when the sheet is run: missing files and templates, counts without their numbers."""
    faults = [f"{row.sample_id}: {said}" for row in rows if (said := _missing(row))]
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


def _missing(row: SampleRow) -> str | None:
    try:
        return None if row.file.is_file() else f"there is no file {row.file_as_given}"
    except OSError as error:
        return f"{row.file_as_given} cannot be looked at: {error.strerror}"


def _unknown(row: SampleRow, known: set[str | None]) -> list[str]:
    return [name for name in row.control_for if name not in known]
