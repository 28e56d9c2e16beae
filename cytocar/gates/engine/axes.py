"""Where the numbers of each gate axis come from: a channel, a row of a spillover matrix, or a ratio of two of these.

One template may use several matrices: a marker's ``compensation`` overrides the template's source for its axis.
Nothing here touches events; ``frame`` computes the signals that this module describes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cytocar.errors.tree import CompensationError, GateError
from cytocar.signals.compensation import SpilloverMatrix
from cytocar.signals.panel import resolve

if TYPE_CHECKING:
    from cytocar.fcs.events import Channel
    from cytocar.signals.marker import Marker, Ratio
    from cytocar.signals.scales import AnyScale
    from cytocar.template.model import Template

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Recorded:
    """The values of a channel as they are in the file."""

    channel: int


@dataclass(frozen=True, slots=True)
class Compensated:
    """One compensated signal: row ``row`` of matrix number ``matrix``."""

    matrix: int
    row: int


@dataclass(frozen=True, slots=True)
class Quotient:
    """``A (numerator - B) / (denominator - C)`` of two other signals (Gating-ML 2.0, fratio)."""

    ratio: Ratio
    numerator: Recorded | Compensated
    denominator: Recorded | Compensated


Signal = Recorded | Compensated | Quotient


@dataclass(frozen=True, slots=True, eq=False)
class ResolvedMatrix:
    """A spillover matrix on the channels of one file: ``signals = measured @ weights``, weights of shape (d, k)."""

    channels: tuple[int, ...]
    weights: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """One axis of a template: its signal in one file's layout, its scale, and the range of its channel."""

    marker: str
    signal: Signal
    scale: AnyScale
    range: float


@dataclass(frozen=True, slots=True, eq=False)
class Axes:
    """All axes of a template on one layout of channels, and the matrix that most of them go through, for people."""

    by_marker: Mapping[str, Axis]
    matrices: tuple[ResolvedMatrix, ...]
    compensation: str

    def __contains__(self, marker: str) -> bool:
        """Return whether the file has what the axis of a marker takes."""
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
        If a matrix is missing (E055) or unknown (E057), or names channels that the file does not have (E050).
    """
    panel = resolve(template.panel, channels, overrides=markers)
    matrices = _Matrices(template, channels, keywords, compensation)
    by_marker: dict[str, Axis] = {}
    for name, marker in template.panel.items():
        channel = next((channel for channel in channels if channel is panel.get(name)), None)
        if marker.ratio is not None or (channel is None and marker.fluorochrome is None):
            continue
        by_marker[name] = Axis(
            name,
            matrices.signal(marker, channel),
            template.scale(name),
            channel.range if channel is not None else max(channel.range for channel in channels),
        )
    for name, marker in template.panel.items():
        if marker.ratio is not None and {marker.ratio.numerator, marker.ratio.denominator} <= by_marker.keys():
            by_marker[name] = _quotient_axis(name, marker.ratio, by_marker, template.scale(name))
    return Axes(by_marker, tuple(matrices.matrices), matrices.named())


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
    ) -> None:
        self.declared = template.compensation
        names = Counter(channel.detector for channel in channels)
        self.repeated = {name for name, count in names.items() if count > 1}
        self.channels = {channel.detector: channel.index for channel in channels}
        self.keywords = keywords
        self.given = compensation
        self.matrices: list[ResolvedMatrix] = []
        self.found: dict[str | None, tuple[SpilloverMatrix, int] | None] = {}

    def named(self) -> str:
        """Return the matrix of the template's source, for people; ``none`` if no axis went through one."""
        found = self.found.get(None)
        return found[0].origin if found is not None else "none"

    def signal(self, marker: Marker, channel: Channel | None) -> Recorded | Compensated:
        """Return a marker's signal: compensated if its matrix knows its channel or dye, recorded otherwise."""
        found = self._of(marker.compensation)
        name = marker.fluorochrome or (channel.detector if channel is not None else "")
        row = found[0].row(name) if found is not None else None
        if found is not None and row is not None:
            return Compensated(found[1], row)
        if channel is None:
            raise CompensationError(
                f"no spillover matrix has a row {name}",
                code="E057",
                hint="name one of the fluorochromes of the matrix in the marker's `fluorochrome`",
            )
        return Recorded(channel.index)

    def _of(self, source: str | None) -> tuple[SpilloverMatrix, int] | None:
        if source not in self.found:
            matrix = self._load(source)
            self.found[source] = None if matrix is None else (matrix, self._place(matrix))
        return self.found[source]

    def _load(self, source: str | None) -> SpilloverMatrix | None:
        if source is None and self.given is not None:
            return self.given
        source = source or self.declared.source
        if source in self.declared.matrices:
            return SpilloverMatrix.from_model(self.declared.matrices[source], origin=source)
        if source == "none":
            return None
        if source != "file":
            raise CompensationError(
                f"the spillover matrix {source} of the template was not loaded",
                code="E057",
                hint="pass it: compensation=SpilloverMatrix.from_csv(path)",
            )
        matrix = SpilloverMatrix.from_keywords(self.keywords)
        if matrix is None and self.declared.missing == "fail":
            raise CompensationError(
                "the file holds no spillover matrix ($SPILLOVER, SPILL, $COMP)",
                code="E055",
                hint='name a CSV: [compensation] source = "matrix.csv", or `compensation` in the sheet; if the file is '
                'compensated already: source = "none"',
            )
        return matrix

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
    """Return which rows of each matrix a set of signals needs."""
    needed: dict[int, set[int]] = {}
    for signal in signals:
        parts = (signal.numerator, signal.denominator) if isinstance(signal, Quotient) else (signal,)
        for part in parts:
            if isinstance(part, Compensated):
                needed.setdefault(part.matrix, set()).add(part.row)
    return {matrix: tuple(sorted(rows)) for matrix, rows in needed.items()}
