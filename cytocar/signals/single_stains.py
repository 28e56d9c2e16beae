"""Single-stain controls of a folder or a sheet: which file holds which stain, and the events to measure it by.

A sheet says it (``single_stain`` with ``stain_target``, ``unstained``). Without one the brightest detector of each file
says it, which no two files may share; what was taken for what is always told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from cytocar.errors.tree import UsageError
from cytocar.fcs.events import Channel, EventTable
from cytocar.fcs.reader import open_fcs
from cytocar.files.places import Place, files_below
from cytocar.sheet.rows import SampleRow, SampleType
from cytocar.signals.spillover_estimate import Estimated, Method, SingleStain, estimate
from cytocar.statistics.order import MAD_TO_SD

Floats = npt.NDArray[np.float64]

BRIGHT = 0.95  # quantile that tells a stained file also when half of its cells took no stain
SCATTER_MADS = 3.0
"""Scaled MADs around the median of each scatter channel: 99.7 % of a normal; debris and pairs lie outside."""
SCATTER = ("FSC", "SSC")
FLAT = 3.0
"""How far an unstained control may rise above the dimmest control in any detector. Real ones: 1.0 and 1.2; the dimmest
single stains of the same sets: 22 and 39."""

UNSTAINED_NAMES = ("unstained", "blank", "negative", "no_stain", "nostain")


class Control(Struct, frozen=True, eq=False):
    """A control that was read: its detector, None for the unstained one."""

    path: Place
    events: EventTable
    detector: str | None


class Measured(Struct, frozen=True, eq=False):
    """The matrix of a set of controls, and what each file was taken for."""

    controls: tuple[Control, ...]
    estimated: Estimated


def fcs_files(folder: Place) -> tuple[Place, ...]:
    """Return the files of a folder and its subfolders that begin as FCS files do, whatever their names end in."""
    return tuple(path for path in sorted(files_below(folder, lambda _: True)) if _begins_as_fcs(path))


def is_control(row: SampleRow) -> bool:
    """True if a row of a sheet is a single stain or the unstained control."""
    return not row.exclude and row.sample_type in {SampleType.SINGLE_STAIN, SampleType.UNSTAINED}


def _begins_as_fcs(path: Place) -> bool:
    with path.open("rb") as file:
        return file.read(3) == b"FCS"


def controls_of_files(paths: Sequence[Path], *, unstained: Path | None = None) -> tuple[Control, ...]:
    """Return the controls among files, told by their brightest detectors.

    The unstained one is ``unstained``, or the one whose name says so, or the one in which no detector stands out.
    """
    tables = {path: _opened(path) for path in paths}
    _check_enough(len(tables))
    detectors = _fluorescence(list(tables.values()))
    bright = np.array([np.quantile(events.columns(detectors), BRIGHT, axis=0) for events in tables.values()])
    files = list(tables)
    blank = files.index(unstained) if unstained is not None else _least_bright(files, bright)
    controls = []
    for position, (path, events) in enumerate(tables.items()):
        rise = bright[position] - bright[blank]
        controls.append(Control(path, events, None if position == blank else detectors[int(rise.argmax())]))
    return _checked(controls)


def controls_of_rows(rows: Sequence[SampleRow]) -> tuple[Control, ...]:
    """Return the controls that a sheet names: ``single_stain`` with ``stain_target``, and one ``unstained``."""
    controls = []
    for row in rows:
        if not is_control(row):
            continue
        events = _opened(row.file, data_set=row.data_set)
        stained = row.sample_type is SampleType.SINGLE_STAIN
        controls.append(Control(row.file, events, _target(row, events) if stained else None))
    _check_enough(len(controls))
    return _checked(controls)


def measure(controls: Sequence[Control], method: Method) -> Measured:
    """Return the spillover matrix of controls, its detectors in the order of the file's channels."""
    blank = next(control for control in controls if control.detector is None)
    order = {channel.detector: channel.index for channel in blank.events.channels}
    stained = sorted((c for c in controls if c.detector is not None), key=lambda c: order.get(c.detector or "", 0))
    detectors = [control.detector for control in stained if control.detector is not None]
    stains = []
    for detector, control in zip(detectors, stained, strict=True):
        signals = control.events.columns(detectors)
        stains.append(SingleStain(detector, signals, signals[_cells(control.events, detectors)]))
    return Measured((blank, *stained), estimate(stains, blank.events.columns(detectors), method))


def _opened(path: Place, *, data_set: int | None = None) -> EventTable:
    events = open_fcs(path, data_set=data_set)
    if not events.n_events:
        raise UsageError(f"{path.name} has no events", code="E047", hint="acquire this control again, or take it away")
    return events


# ---------------------------------------------------------------- which file is which


def _target(row: SampleRow, events: EventTable) -> str:
    wanted = (row.stain_target or "").casefold()
    hits = [c.detector for c in events.channels if wanted and wanted in {c.detector.casefold(), _marker(c)}]
    if len(hits) > 1:  # the area, height and width of one detector carry one marker
        hits = [detector for detector in hits if detector.endswith("-A")]
    if len(hits) != 1:
        names = ", ".join(channel.detector for channel in events.channels)
        raise UsageError(
            f"{row.sample_id}: stain_target {row.stain_target or ''!r} is no channel of {row.file.name}",
            code="E046",
            hint=f"write one of {names}",
        )
    return hits[0]


def _marker(channel: Channel) -> str:
    return (channel.marker or channel.detector).casefold()


def _fluorescence(tables: Sequence[EventTable]) -> list[str]:
    """Return the detectors that every file has, without scatter and time, in their commonest way of measuring pulses.

    A file may hold area, height and width of one detector: the way that most detectors share is taken, area first.
    """
    shared = set.intersection(*({channel.detector for channel in events.channels} for events in tables))
    names = [
        channel.detector
        for channel in tables[0].channels
        if channel.detector in shared and not channel.is_time and not channel.detector.upper().startswith(SCATTER)
    ]
    by_pulse: Mapping[str, list[str]] = {end: [name for name in names if name.endswith(end)] for end in ("-A", "-H")}
    most = max(by_pulse.values(), key=len) or names
    if not most:
        raise UsageError(
            "the controls have no fluorescence channel in common",
            code="E048",
            hint="take controls of one panel, acquired with the same channels",
        )
    return most


def _least_bright(files: Sequence[Path], bright: Floats) -> int:
    named = [index for index, path in enumerate(files) if any(word in path.stem.casefold() for word in UNSTAINED_NAMES)]
    if len(named) == 1:
        return named[0]
    if len(named) > 1:
        raise UsageError(
            f"{len(named)} files are named as unstained: {', '.join(files[index].name for index in named)}",
            code="E046",
            hint="name the one of the same cells with --unstained FILE",
        )
    above = (bright / np.maximum(bright.min(axis=0), 1.0)).max(axis=1)
    flattest = int(above.argmin())
    if above[flattest] > FLAT:
        raise UsageError(
            f"no control is unstained: the dimmest, {files[flattest].name}, is {above[flattest]:.3g} times as bright "
            "in one detector as another control is there",
            code="E046",
            hint="add an unstained control of the same cells, or name it with --unstained FILE",
        )
    return flattest


def _check_enough(count: int) -> None:
    if count < 3:
        raise UsageError(
            f"{count or 'no'} control{'' if count == 1 else 's'}: an unstained one and two single stains are the least",
            code="E046",
            hint="name a folder of single stains, or a sheet with sample_type single_stain and unstained",
        )


def _checked(controls: Sequence[Control]) -> tuple[Control, ...]:
    blanks = [control.path.name for control in controls if control.detector is None]
    if len(blanks) != 1:
        raise UsageError(
            f"{len(blanks) or 'no'} unstained control{'' if len(blanks) == 1 else 's'}, one is needed",
            code="E046",
            hint="keep the one of the same cells: sample_type unstained in the sheet, or --unstained FILE",
        )
    holders: dict[str, str] = {}
    for control in controls:
        if control.detector is not None and control.detector in holders:
            raise UsageError(
                f"{holders[control.detector]} and {control.path.name} are both brightest in {control.detector}",
                code="E046",
                hint="take one file for each detector, or say which is which: sheet column stain_target",
            )
        if control.detector is not None:
            holders[control.detector] = control.path.name
    for control in controls:
        missing = sorted(set(holders) - {channel.detector for channel in control.events.channels})
        if missing:
            raise UsageError(
                f"{control.path.name} has no channel {', '.join(missing)}",
                code="E048",
                hint="take controls of one panel, acquired with the same channels",
            )
    return tuple(controls)


# ---------------------------------------------------------------- events to measure by


def _cells(events: EventTable, detectors: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Return a mask (n_events,): near the middle of the scatter, and below the end of every detector."""
    keep = np.ones(events.n_events, dtype=np.bool_)
    for channel in events.channels:
        is_scatter = channel.detector.upper().startswith(SCATTER) and not channel.detector.upper().endswith("-W")
        if not is_scatter and channel.detector not in detectors:
            continue
        values = events.column(channel)
        if not events.n_events:
            continue
        # Some instruments write values beyond $PnR: their detectors end at the highest value.
        keep &= np.isfinite(values) & (values < max(_end(channel), values.max()))
        if is_scatter:
            middle = np.median(values)
            keep &= np.abs(values - middle) <= SCATTER_MADS * MAD_TO_SD * np.median(np.abs(values - middle))
    return keep


def _end(channel: Channel) -> float:
    """Return the highest value that a channel can record, linear scale; an event there may be any brighter."""
    highest = channel.range - 1
    if channel.decades is not None:
        return float((channel.offset or 1.0) * 10 ** (channel.decades * highest / channel.range))
    return highest / (channel.gain or 1.0)
