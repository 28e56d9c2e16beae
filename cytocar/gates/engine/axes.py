"""Where the numbers of each gate axis come from: a channel, a row of a spillover matrix, or a ratio of two of these.

One template may use several matrices: a marker's ``compensation`` overrides the template's source for its axis.
Nothing here touches events; ``frame`` computes the signals that this module describes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from cytocar.errors.findings import Finding
from cytocar.errors.tree import CompensationError, GateError
from cytocar.signals.applied_matrix import (
    COMPENSATED,
    UNMIXED,
    already_compensated,
    applied,
    broken_beside,
    changes_nothing,
    not_applied,
    not_of_all,
    stands_back,
)
from cytocar.signals.compensation import SpilloverMatrix, carried, leaves_as_it_is
from cytocar.signals.panel import Panel, resolve

if TYPE_CHECKING:
    from cytocar.fcs.events import Channel
    from cytocar.signals.marker import Marker, Ratio
    from cytocar.signals.scales import AnyScale
    from cytocar.template.model import Template

Floats = npt.NDArray[np.float64]


class Recorded(Struct, frozen=True):
    """The values of a channel as they are in the file."""

    channel: int


class Compensated(Struct, frozen=True):
    """One compensated signal: row ``row`` of matrix number ``matrix``."""

    matrix: int
    row: int


class Quotient(Struct, frozen=True):
    """``A (numerator - B) / (denominator - C)`` of two other signals (Gating-ML 2.0, fratio)."""

    ratio: Ratio
    numerator: Recorded | Compensated
    denominator: Recorded | Compensated


Signal = Recorded | Compensated | Quotient


class ResolvedMatrix(Struct, frozen=True, eq=False):
    """A spillover matrix on the channels of one file: ``signals = measured @ weights``, weights of shape (d, k)."""

    channels: tuple[int, ...]
    weights: Floats


class Axis(Struct, frozen=True, eq=False):
    """One axis of a template: its signal in one file's layout, its scale, and the range of its channel."""

    marker: str
    signal: Signal
    scale: AnyScale
    range: float


class Axes(Struct, frozen=True, eq=False):
    """All axes of a template on one layout of channels, and the matrix that most of them go through, for people.

    ``findings`` say what was applied, and what about it somebody should know.
    """

    by_marker: Mapping[str, Axis]
    matrices: tuple[ResolvedMatrix, ...]
    compensation: str
    findings: tuple[Finding, ...] = ()

    def __contains__(self, marker: str) -> bool:
        """True if the file has what the axis of a marker takes."""
        return marker in self.by_marker

    def __getitem__(self, marker: str) -> Axis:
        """Return the axis of a marker.

        Raises
        ------
        GateError
            E058 if the marker is optional and the file does not have it.
        """
        if marker not in self.by_marker:
            raise GateError(
                f"the template looks at {marker}, which this file does not have",
                code="E058",
                hint=f"name its channel: --marker {marker}=CHANNEL; or leave it out of the gates",
            )
        return self.by_marker[marker]


def resolve_axes(
    template: Template,
    channels: Sequence[Channel],
    keywords: Mapping[str, str],
    *,
    markers: Mapping[str, str] | None = None,
    compensation: SpilloverMatrix | None = None,
) -> Axes:
    """Return every axis of a template's panel on the channels of one file.

    Parameters
    ----------
    markers : mapping, optional
        Marker to ``$PnN``, where a person has settled it.
    compensation : SpilloverMatrix, optional
        Takes the place of the template's source, not of a marker's own.

    Raises
    ------
    PanelError
        If a marker has no channel, or several.
    CompensationError
        If a matrix is missing (E055), changes nothing (E066), is unknown (E057), or names channels that the file does
        not have (E050).
    """
    panel = resolve(template.panel, channels, overrides=markers)
    matrices = _Matrices(template, channels, keywords, compensation, panel=panel)
    by_marker: dict[str, Axis] = {}
    for name, marker in template.panel.items():
        channel = next((channel for channel in channels if channel is panel.get(name)), None)
        if marker.ratio is not None or (channel is None and marker.fluorochrome is None):
            continue
        by_marker[name] = Axis(
            name,
            matrices.signal(marker, channel),
            template.scale(name),
            _top(template.scale(name), channel if channel is not None else max(channels, key=lambda one: one.top)),
        )
    for name, marker in template.panel.items():
        if marker.ratio is not None and {marker.ratio.numerator, marker.ratio.denominator} <= by_marker.keys():
            by_marker[name] = _quotient_axis(name, marker.ratio, by_marker, template.scale(name))
    return Axes(by_marker, tuple(matrices.matrices), matrices.named(), tuple(matrices.findings(by_marker)))


def _top(scale: AnyScale, channel: Channel) -> float:
    """Where a channel ends, which signals pile up at: ``$PnR`` may be lower than what the file holds.

    A template that names a top above it knows better: an unmixed spectral file reaches 4 million under a range of
    262,144, and its bright events are no pile.
    """
    return max(channel.top, scale.T or 0.0)


def _quotient_axis(name: str, ratio: Ratio, by_marker: Mapping[str, Axis], scale: AnyScale) -> Axis:
    numerator, denominator = by_marker[ratio.numerator], by_marker[ratio.denominator]
    if isinstance(numerator.signal, Quotient) or isinstance(denominator.signal, Quotient):
        raise GateError(
            f"{name} is a ratio of a ratio", code="E059", hint="write it as a ratio of two markers with channels"
        )
    return Axis(name, Quotient(ratio, numerator.signal, denominator.signal), scale, numerator.range)


class _Matrices:
    """The matrices that a template asks for, each looked up once and placed on the file's channels."""

    def __init__(
        self,
        template: Template,
        channels: Sequence[Channel],
        keywords: Mapping[str, str],
        compensation: SpilloverMatrix | None,
        *,
        panel: Panel,
    ) -> None:
        self.template = template
        self.declared = template.compensation
        names = Counter(channel.detector for channel in channels)
        self.repeated = {name for name, count in names.items() if count > 1}
        self.channels = {channel.detector: channel.index for channel in channels}
        self.keywords = keywords
        self.given = compensation
        self.panel = panel
        self.compensated_already = already_compensated(panel)
        self.matrices: list[ResolvedMatrix] = []
        self.by_source: dict[str | None, tuple[SpilloverMatrix, int] | None] = {}
        self.noticed: list[Finding] = []

    def named(self) -> str:
        """Return the matrix of the template's source, for people; ``none`` if no axis went through one."""
        if self.compensated_already:
            return COMPENSATED
        matrix = self.by_source.get(None)
        unapplied = UNMIXED if self.declared.source == UNMIXED and self.given is None else "none"
        return matrix[0].origin if matrix is not None else unapplied

    def findings(self, by_marker: Mapping[str, Axis]) -> Iterable[Finding]:
        """What was applied, first, and what was noticed about it."""
        used = [matrix[0] for matrix in self.by_source.values() if matrix is not None]
        yield from map(applied, used)
        of_template = self.by_source.get(None)
        if of_template is not None:
            yield from not_of_all(of_template[0], self._beside(by_marker))
        elif None in self.by_source and not used and not self.noticed:
            yield not_applied(self.declared.source, missing=self.declared.missing)
        yield from self.noticed

    def _beside(self, by_marker: Mapping[str, Axis]) -> list[str]:
        """Return the markers that gates look at, of light, whose detector the matrix does not know."""
        gated = {marker for population in self.template.populations for marker in population.gate.markers()}
        return [
            f"{name} ({self.panel[name].detector})"
            for name, axis in by_marker.items()
            if name in gated
            and name in self.panel
            and self.panel[name].is_fluorescence
            and self.template.panel[name].compensation is None
            and isinstance(axis.signal, Recorded)
        ]

    def signal(self, marker: Marker, channel: Channel | None) -> Recorded | Compensated:
        """Return a marker's signal: compensated if its matrix knows its channel or dye, recorded otherwise."""
        matrix = self._of(marker.compensation)
        name = marker.fluorochrome or (channel.detector if channel is not None else "")
        row = matrix[0].row(name) if matrix is not None else None
        if matrix is not None and row is not None:
            return Compensated(matrix[1], row)
        if channel is None:
            raise CompensationError(
                f"no spillover matrix has a row {name}",
                code="E057",
                hint="name one of the fluorochromes of the matrix in the marker's `fluorochrome`",
            )
        return Recorded(channel.index)

    def _of(self, source: str | None) -> tuple[SpilloverMatrix, int] | None:
        if source not in self.by_source:
            matrix = self._of_template() if source is None else self._load(source)
            self.by_source[source] = None if matrix is None else (matrix, self._place(matrix))
        return self.by_source[source]

    def _of_template(self) -> SpilloverMatrix | None:
        """Return the matrix of the template's source, if the data are not compensated already and it changes them.

        Raises
        ------
        CompensationError
            E055 or E066 where the template does not accept data without a matrix.
        """
        if self.compensated_already:
            by_name = self.given.origin if self.given is not None else self.declared.source
            self.noticed.append(stands_back(self.compensated_already, by_name))
            return None
        matrix = self.given if self.given is not None else self._load(self.declared.source)
        detectors = [channel.detector for channel in self.panel.values() if channel.is_fluorescence]
        if matrix is not None and leaves_as_it_is(matrix, detectors):
            self.noticed.append(changes_nothing(matrix, missing=self.declared.missing))
            return None
        return matrix

    def _load(self, source: str) -> SpilloverMatrix | None:
        if source in self.declared.matrices:
            return SpilloverMatrix.from_model(self.declared.matrices[source], origin=source)
        if source in ("none", UNMIXED):
            return None
        if source != "file":
            raise CompensationError(
                f"the spillover matrix {source} of the template was not loaded",
                code="E057",
                hint="pass it: compensation=SpilloverMatrix.from_csv(path)",
            )
        of_file = carried(self.keywords)
        self.noticed += [broken_beside(error, of_file.matrix) for error in of_file.broken]
        if of_file.matrix is None and self.declared.missing == "fail":
            raise CompensationError(
                "the file holds no spillover matrix ($SPILLOVER, SPILL, $COMP)",
                code="E055",
                hint='name a CSV: [compensation] source = "matrix.csv", or `compensation` in the sheet; if the file is '
                'compensated already: source = "none"',
            )
        return of_file.matrix

    def _place(self, matrix: SpilloverMatrix) -> int:
        matrix.check_channels(self.channels)
        if ambiguous := self.repeated.intersection(matrix.detectors):
            raise CompensationError(
                f"{matrix.origin} names {', '.join(sorted(ambiguous))}, which several channels of the file are called",
                code="E050",
                hint="name the channels apart in the acquisition software, or export the file again",
            )
        indices = tuple(self.channels[detector] for detector in matrix.detectors)
        self.matrices.append(ResolvedMatrix(indices, matrix.unmixing))
        return len(self.matrices) - 1


def matrix_rows(signals: Iterable[Signal]) -> Mapping[int, tuple[int, ...]]:
    """Which rows of each matrix a set of signals needs."""
    needed: dict[int, set[int]] = {}
    for signal in signals:
        parts = (signal.numerator, signal.denominator) if isinstance(signal, Quotient) else (signal,)
        for part in parts:
            if isinstance(part, Compensated):
                needed.setdefault(part.matrix, set()).add(part.row)
    return {matrix: tuple(sorted(rows)) for matrix, rows in needed.items()}
