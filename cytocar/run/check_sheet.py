"""What will go wrong when a sheet is run, before anything is analysed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec.structs import replace

from cytocar.counting.tube import volume_in_tube
from cytocar.errors.boundary import one_of_many
from cytocar.errors.tree import CytocarError, PanelError, SampleError, SheetError, counted, listed
from cytocar.fcs.events import Channel
from cytocar.fcs.reader import open_fcs
from cytocar.files.nearest import why_not_there
from cytocar.files.places import Address, Place, require_packages
from cytocar.run.plan import RunPlan, make_plan
from cytocar.sample.concentrations import lacks_beads, method_of
from cytocar.sheet.inputs import completed, of_rows
from cytocar.sheet.rows import CountMethod, SampleRow, SheetRows, faulty_sheet, look_through
from cytocar.signals.panel import resolve

Channels = tuple[Channel, ...]


def check_sheet(
    sheet: Place,
    *,
    template: str | None = None,
    given: SampleRow | None = None,
) -> tuple[SampleRow, ...]:
    """Return the rows of a sheet in which nothing will go wrong.

    Parameters
    ----------
    sheet : Path or Address
        The sheet.
    template : str, optional
        The run's template.
    given : SampleRow, optional
        What the command line says about every tube; it fills the empty cells.

    Raises
    ------
    UsageError
        E086 an option that contradicts the sheet.
    SheetError
        E080, E081 not readable; E082 cells that cannot be used, with whatever else will go wrong; E083 only the latter:
        files that are missing, templates that cannot be used, counts that lack their numbers.
    """
    looked = look_through(sheet)
    require_packages(*(row.file for row in (*looked.rows.values(), *looked.faulty.values())))
    rows = completed([(f"row {number}", row) for number, row in looked.rows.items()], given)
    looked = replace(looked, rows=dict(zip(looked.rows, rows, strict=True)))
    expected = sheet_faults(looked, sheet=sheet, template=template)
    faults = [f"{name}{fault}" for name, fault in expected]
    if looked.faults:
        raise faulty_sheet(sheet, [*looked.faults, *faults])
    if faults:
        raise SheetError(
            f"{sheet.name} can be read, but {counted(len(faults), 'thing')} will go wrong:" + listed(faults),
            code="E083",
            hint=_what_to_do({name for name, _ in expected}, [row for row in rows if not row.exclude]),
        )
    return rows


def _what_to_do(befallen: set[str], rows: Sequence[SampleRow]) -> str:
    """Name the way on: a run anyway only where it leaves samples that have no fault."""
    sound = 0 if "" in befallen else sum(row.sample_id not in befallen for row in rows)
    if not sound:
        return "correct them before you run it: no sample is without a fault"
    are = "is" if sound == 1 else "are"
    return f"correct them, or run anyway: the other {sound} of {len(rows)} samples {are} not affected"


def sheet_faults(looked: SheetRows, *, sheet: Place, template: str | None) -> list[tuple[str, str]]:
    """The faults that a run of the sheet would meet, each with its sample, or with nothing where it befalls all.

    Missing files are looked for in rows with unusable cells too, all else in those that can be used.
    """
    every = dict(sorted({**looked.rows, **looked.faulty}.items()))
    opened = {number: _opened(row) for number, row in every.items()}
    faults = [(every[number].sample_id, f": {file}") for number, file in opened.items() if isinstance(file, str)]
    rows = tuple(looked.rows.values())
    try:
        plan = make_plan(of_rows(rows, sheet), template=template)
    except CytocarError as error:
        return [*faults, ("", f"{error.message} [{error.code}]")]
    for number, row in looked.rows.items():
        if not row.exclude and row.sample_id in plan.protocols:
            faults += [(row.sample_id, fault) for fault in _faults_of(row, plan, opened[number])]
    return faults


def _faults_of(row: SampleRow, plan: RunPlan, file: Channels | str | None) -> Iterator[str]:
    """Yield what a row's own numbers, its file's channels and its template will not allow."""
    protocol = plan.protocols[row.sample_id]
    if protocol.refused is not None:
        yield f", {protocol.refused.message} [{protocol.refused.code}]"
    method = method_of(row, protocol.template)
    if method is CountMethod.BEADS and (row.beads_in_tube is None or row.sample_volume_ul is None):
        yield f": counts by beads, but {'beads_added' if row.beads_in_tube is None else 'sample_volume_ul'} is empty"
    if lacks_beads(row, protocol.template):
        yield (
            ": beads_added is empty, so it is counted by acquired_volume_ul; fill in beads_added, or write volumetric "
            "under count_method"
        )
    held = volume_in_tube(protocol.template.counting, row)
    if method is CountMethod.VOLUMETRIC and held and (row.acquired_volume_ul or 0) > held:
        fault = f"{row.acquired_volume_ul:g} µL acquired is more than the {held:g} µL that the tube held"
        yield f", column acquired_volume_ul: {fault}"
    if isinstance(file, tuple) and protocol.refused is None:
        try:
            resolve(protocol.template.panel, file, overrides=protocol.markers)
        except PanelError as error:
            yield f": {error.message} [{error.code}]"


def _opened(row: SampleRow) -> Channels | str | None:
    """Return the channels of a row's file, or why it cannot be counted: it is not there, or is no whole FCS file.

    None of a row that is excluded, and of an address: a network's time for each file, the run says it.
    """
    try:
        missing = not row.file.is_file() and (isinstance(row.file, Address) or not row.file.exists())
    except OSError as error:
        return f"{row.file_as_given} cannot be looked at: {error.strerror}"
    if missing:
        near = why_not_there(row.file) if isinstance(row.file, Path) else ""
        return f"there is no file {row.file_as_given}{near}"
    if row.exclude or isinstance(row.file, Address):
        return None
    try:
        with one_of_many():
            return open_fcs(row.file, data_set=row.data_set).channels
    except SampleError as error:
        return f"{error.message} [{error.code}]"
