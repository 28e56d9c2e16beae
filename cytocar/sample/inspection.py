"""What ``cytocar inspect`` shows of a file: each data set with its channels, volume, well, repairs and column sums.

Names and facts only. Of keywords that may identify a person it gives the names, never the values.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from msgspec import Struct, to_builtins
from msgspec.structs import replace

from cytocar.errors.findings import Severity
from cytocar.errors.tree import CytocarError
from cytocar.fcs.crosscheck import Crosscheck, crosscheck
from cytocar.fcs.decode import as_stored
from cytocar.fcs.events import EventTable
from cytocar.fcs.keywords import (
    acquired_at,
    acquired_volume,
    cytometer,
    duration_seconds,
    identifying_keywords,
    plate_keyword,
    time_step_seconds,
    well,
)
from cytocar.fcs.reader import list_data_sets, open_fcs, split_data_set
from cytocar.files.places import Address, Place
from cytocar.files.source import at_hand
from cytocar.sample.suited import Suited, nearest_template, suited_templates
from cytocar.signals.compensation import SpilloverMatrix, is_square, leaves_as_it_is


class Problem(Struct, frozen=True):
    """Something that could not be told, or was noticed: a code and what it is about."""

    code: str
    message: str


class ChannelReport(Struct, frozen=True):
    """One channel as TEXT describes it, and its column.

    ``amplification`` is (decades, offset) of a logarithmic channel, None of a linear one. ``sum`` is over the linear
    values that cytocar computes with, ``stored_sum`` over the numbers in the file; None where they were not asked for,
    or where a value is not finite (``non_finite`` says how many).
    """

    number: int
    detector: str
    marker: str | None
    bits: int
    range: float
    amplification: tuple[float, float] | None
    gain: float | None
    voltage: float | None
    sum: float | None = None
    stored_sum: float | None = None
    non_finite: int | None = None


class SpilloverReport(Struct, frozen=True):
    """The spillover matrix: the keyword that holds it, its detectors, a row for each fluorochrome.

    ``identity``: no entry off the diagonal changes a signal, so that nothing is compensated.
    """

    keyword: str
    detectors: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    identity: bool = False


class VolumeReport(Struct, frozen=True):
    """The acquired volume in µL and the rule that gave its unit."""

    ul: float
    rule: str


class DataSetReport(Struct, frozen=True):
    """One data set of a file.

    ``repairs`` are what reading put right, ``warnings`` what a person should look at, ``problems`` what the keywords do
    not tell for certain (an ambiguous volume, two wells, a broken matrix). ``templates`` are the names of the bundled
    ones that suit the file, ``tried`` all of those whose markers are named in it, with what they find.
    """

    file: str
    data_set: int
    version: str
    events: int
    cytometer: str | None
    channels: tuple[ChannelReport, ...]
    spillover: SpilloverReport | None
    volume: VolumeReport | None
    well: str | None
    plate_keyword: str | None
    date: str | None
    duration_seconds: float | None
    time_step_seconds: float | None
    repairs: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    problems: tuple[Problem, ...]
    templates: tuple[str, ...]
    tried: tuple[Suited, ...]
    nearest_template: str | None
    nearest_lacks: tuple[str, ...]
    identifying_keywords: tuple[str, ...]
    crosscheck: Crosscheck | None = None


def inspect_file(path: str | Place, *, sums: bool = False, second_reader: bool = False) -> tuple[DataSetReport, ...]:
    """Return a report on every data set of an FCS file.

    Parameters
    ----------
    path : str, Path or Address
        The file; ``file.fcs#2`` for one data set. From an address only headers come over the network, unless the events
        are asked for.
    sums : bool
        Read all events too and sum each column.
    second_reader : bool
        Let fcsparser read the file as well and report where it differs.

    Raises
    ------
    ReadError
        If the file cannot be read correctly.
    UsageError
        If the second reader is not installed (E026).
    """
    file, number = split_data_set(path)
    if isinstance(file, Address) and (sums or second_reader):
        with at_hand(file) as copy:
            reports = [report_on(events, sums=sums, second_reader=second_reader) for events in _tables(copy, number)]
            return tuple(replace(report, file=str(file)) for report in reports)
    at_once = not isinstance(file, Address)
    return tuple(
        report_on(events, sums=sums, second_reader=second_reader, tried=at_once) for events in _tables(file, number)
    )


def _tables(file: Place, number: int | None) -> tuple[EventTable, ...]:
    if number is not None:
        return (open_fcs(file, data_set=number),)
    tables = list_data_sets(file, readable_only=True)
    chosen = open_fcs(file)  # says why it is this one, and what the others are
    return tuple(chosen if table.data_set == chosen.data_set else table for table in tables)


def report_on(
    events: EventTable, *, sums: bool = False, second_reader: bool = False, tried: bool = True
) -> DataSetReport:
    """Return the report on one data set; ``tried`` reads events to see what templates find in them."""
    problems: list[Problem] = []
    volume = _or_problem(acquired_volume, events, problems)
    matrix = _or_problem(lambda table: SpilloverMatrix.from_keywords(table.keywords), events, problems)
    date = acquired_at(events)
    suited = suited_templates(events, tried=tried)
    nearest, lacking = (None, ()) if suited else nearest_template(events)
    return DataSetReport(
        file=str(events.path) if events.path else "",
        data_set=events.data_set,
        version=events.version,
        events=events.n_events,
        cytometer=cytometer(events),
        channels=_channels(events, sums=sums),
        spillover=_spillover(matrix),
        volume=VolumeReport(volume.ul, volume.rule) if volume else None,
        well=_or_problem(well, events, problems),
        plate_keyword=plate_keyword(events),
        date=date.isoformat() if date else None,
        duration_seconds=duration_seconds(events),
        time_step_seconds=time_step_seconds(events),
        repairs=_found(events, Severity.NOTE),
        warnings=_found(events, Severity.REVIEW),
        problems=tuple(problems),
        templates=tuple(one.name for one in suited if not one.refused),
        tried=suited,
        nearest_template=nearest,
        nearest_lacks=lacking,
        identifying_keywords=identifying_keywords(events),
        crosscheck=crosscheck(events) if second_reader else None,
    )


def as_json(report: DataSetReport) -> dict[str, Any]:
    """Return a report as JSON can hold it: lists and None, and None for a number that JSON cannot write."""
    plain: dict[str, Any] = json.loads(json.dumps(to_builtins(report)), parse_constant=lambda _: None)
    return plain


T = TypeVar("T")


def _or_problem(ask: Callable[[EventTable], T | None], events: EventTable, problems: list[Problem]) -> T | None:
    try:
        return ask(events)
    except CytocarError as error:
        problems.append(Problem(error.code, error.message))
        return None


def _found(events: EventTable, outcome: Severity) -> tuple[Problem, ...]:
    return tuple(Problem(finding.code, finding.message) for finding in events.findings if finding.outcome is outcome)


def _spillover(matrix: SpilloverMatrix | None) -> SpilloverReport | None:
    if matrix is None:
        return None
    rows = tuple(tuple(row) for row in matrix.values.tolist())
    identity = is_square(matrix) and leaves_as_it_is(matrix, matrix.detectors)
    return SpilloverReport(matrix.origin, matrix.detectors, rows, identity)


class _Sums(Struct):
    """Running sums of every column, linear and as stored."""

    linear: list[float]
    stored: list[float]
    non_finite: list[int]


def _channels(events: EventTable, *, sums: bool) -> tuple[ChannelReport, ...]:
    summed = _sums(events) if sums else None
    reports = []
    for channel in events.channels:
        index = channel.index
        decades, offset = channel.decades, channel.offset
        reports.append(
            ChannelReport(
                number=index + 1,
                detector=channel.detector,
                marker=channel.marker,
                bits=channel.bits,
                range=channel.range,
                amplification=None if decades is None or offset is None else (decades, offset),
                gain=channel.gain,
                voltage=channel.voltage,
                sum=_finite(summed.linear[index]) if summed else None,
                stored_sum=_finite(summed.stored[index]) if summed else None,
                non_finite=summed.non_finite[index] if summed else None,
            )
        )
    return tuple(reports)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _sums(events: EventTable) -> _Sums:
    linear, non_finite = _column_sums(events)
    stored = as_stored(events)
    same = stored.channels == events.channels
    return _Sums(linear, linear if same else _column_sums(stored)[0], non_finite)


def _column_sums(events: EventTable) -> tuple[list[float], list[int]]:
    """Return the sum of each column and how many of its values are not finite."""
    sums, non_finite = [0.0] * len(events.channels), [0] * len(events.channels)
    with np.errstate(over="ignore", invalid="ignore"):
        for block in events.blocks():
            for index in range(len(sums)):
                column = block.column(index)
                sums[index] += float(column.sum())
                non_finite[index] += int(np.count_nonzero(~np.isfinite(column)))
    return sums, non_finite
