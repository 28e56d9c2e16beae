"""What will go wrong when a sheet is run, before anything is analysed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cytocar.counting.tube import volume_in_tube
from cytocar.errors.tree import CytocarError
from cytocar.files.nearest import why_not_there
from cytocar.files.places import Place
from cytocar.run.plan import make_plan
from cytocar.sheet.inputs import collect
from cytocar.sheet.rows import CountMethod, SampleRow


def sheet_faults(rows: Sequence[SampleRow], *, sheet: Place, template: str | None = None) -> list[str]:
    """The faults that a run of the sheet would meet: missing files and templates, counts without their numbers."""
    faults = [f"{row.sample_id}: {fault}" for row in rows if (fault := _missing(row))]
    try:
        plan = make_plan(collect([], sheet=sheet), template=template)
    except CytocarError as error:
        return [*faults, f"{error.message} [{error.code}]"]
    for row in rows:
        if row.exclude or row.sample_id not in plan.protocols:
            continue
        if (refused := plan.protocols[row.sample_id].refused) is not None:
            faults.append(f"{row.sample_id}, {refused.message} [{refused.code}]")
        method = row.count_method or plan.protocols[row.sample_id].template.counting.method
        if method == CountMethod.BEADS and (row.beads_in_tube is None or row.sample_volume_ul is None):
            missing = "beads_added" if row.beads_in_tube is None else "sample_volume_ul"
            faults.append(f"{row.sample_id}: counts by beads, but {missing} is empty")
        held = volume_in_tube(plan.protocols[row.sample_id].template.counting, row)
        if method == CountMethod.VOLUMETRIC and held and (row.acquired_volume_ul or 0) > held:
            fault = f"{row.acquired_volume_ul:g} µL acquired is more than the {held:g} µL that the tube held"
            faults.append(f"{row.sample_id}, column acquired_volume_ul: {fault}")
    return faults


def _missing(row: SampleRow) -> str | None:
    try:
        is_there = row.file.is_file()
    except OSError as error:
        return f"{row.file_as_given} cannot be looked at: {error.strerror}"
    if is_there:
        return None
    near = why_not_there(row.file) if isinstance(row.file, Path) else ""
    return f"there is no file {row.file_as_given}{near}"
