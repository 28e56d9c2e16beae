"""Events as named columns: how many there are, what each channel is, and its values when somebody asks for them.

An :class:`EventTable` never holds a whole file. It knows a *source* (an FCS file's DATA segment, or columns in memory)
and passes over it in blocks: whoever needs few columns, or few events, decodes only those.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, pairwise, repeat
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from msgspec import Struct, field
from msgspec.structs import replace

from cytocar.errors.findings import Finding
from cytocar.errors.near_names import near_names
from cytocar.errors.tree import PanelError
from cytocar.files.cores import usable_cores
from cytocar.files.places import Place

FloatArray = npt.NDArray[np.float64]
RawArray = npt.NDArray[Any]

BLOCK_EVENTS = 32_768
"""Events in a block: 2 MB at 16 channels, so that a block stays in the processor's cache (measured, see benchmarks)."""


class Channel(Struct, frozen=True):
    """One column of an FCS file, as its keywords describe it.

    Parameters
    ----------
    index : int
        Position in the event, from 0 (``$P1N`` is channel 0).
    detector : str
        ``$PnN``; ``P<n>`` where the file gives none.
    marker : str, optional
        ``$PnS``, what the laboratory called it.
    bits : int
        ``$PnB`` as stored.
    range : float
        ``$PnR``, the number of values (integers) or the top of the scale.
    decades, offset : float, optional
        ``$PnE`` of a channel that was amplified logarithmically: value = offset * 10^(decades * x / range). None where
        the stored values are linear.
    gain : float, optional
        ``$PnG``, by which a linear value is divided.
    voltage : float, optional
        ``$PnV``, the detector's voltage.
    """

    index: int
    detector: str
    marker: str | None = None
    bits: int = 32
    range: float = 262_144.0
    decades: float | None = None
    offset: float | None = None
    gain: float | None = None
    voltage: float | None = None

    @property
    def top(self) -> float:
        """The highest linear value that the channel declares: ``$PnR`` after ``$PnE`` and ``$PnG``.

        Examples
        --------
        >>> Channel(0, "FL1-H", range=1024, decades=4.0, offset=1.0).top, Channel(1, "SSC-H", range=1024, gain=8.0).top
        (10000.0, 128.0)
        """
        if self.decades is not None:
            return float((self.offset or 1.0) * 10**self.decades)
        return self.range / (self.gain or 1.0)

    @property
    def is_time(self) -> bool:
        """Whether this is the acquisition clock (``Time``, ``HDR-T``), whose ticks ``$TIMESTEP`` turns into seconds."""
        return self.detector.strip().casefold() in {"time", "hdr-t"}

    @property
    def is_fluorescence(self) -> bool:
        """Whether this is neither the clock nor scatter nor a size: what a spillover matrix may be of."""
        return not self.is_time and _NO_FLUORESCENCE.match(self.detector) is None


_NO_FLUORESCENCE = re.compile(r"(?i)[<\s]*(fj)?(comp[-_ ])?([fsb]sc|[fs]s([ _-]|\d|$)|forward|side|time|width|event)")


class Codec(Protocol):
    """How one column is cut out of a block's raw array and becomes linear values."""

    def decode(self, raw: RawArray) -> FloatArray:
        """Return the column of ``raw``, shape (n,), on the linear scale."""
        ...  # pragma: no cover

    @property
    def as_stored(self) -> int | None:
        """The column of a raw array that holds the values on the linear scale; None where they are worked out."""
        ...  # pragma: no cover


class Block(Struct, frozen=True, eq=False):
    """Some events of one pass, still encoded; columns are decoded when asked for.

    The array of a block that :meth:`EventTable.blocks` yields is reused for the next one. :meth:`take` copies.
    """

    raw: RawArray
    codecs: Sequence[Codec]

    @property
    def n_events(self) -> int:
        """Events in this block."""
        return int(self.raw.shape[0])

    def column(self, index: int) -> FloatArray:
        """Return the channel at ``index`` (``Channel.index``), shape (n_events,), on the linear scale."""
        return self.codecs[index].decode(self.raw)

    def columns(self, indices: Sequence[int]) -> FloatArray:
        """Return several channels, shape (n_events, len(indices)); each one lies contiguous in memory."""
        values = np.empty((self.n_events, len(indices)), order="F")
        self.copy(indices, values)
        return values

    def copy(self, indices: Sequence[int], into: npt.NDArray[np.floating]) -> None:
        """Copy several channels into the columns of an array of shape (n_events, len(indices))."""
        codecs = [self.codecs[index] for index in indices]
        stored = [codec.as_stored for codec in codecs]
        first = stored[0] if stored else None
        with np.errstate(invalid="ignore"):  # a signalling NaN is a NaN
            if first is not None and stored == list(range(first, first + len(stored))):
                into[:] = self.raw[:, first : first + len(stored)]
                return
            for position, (codec, column) in enumerate(zip(codecs, stored, strict=True)):
                into[:, position] = codec.decode(self.raw) if column is None else self.raw[:, column]

    def take(self, rows: npt.NDArray[np.intp]) -> Block:
        """Return the events at ``rows`` as a block of their own, compacted once over all channels."""
        return Block(np.take(self.raw, rows, axis=0), self.codecs)

    def every(self, step: int, *, first: int = 0) -> Block:
        """Return every so-manieth event from the ``first`` on as a block of its own; a copy."""
        return Block(self.raw[first::step].copy(), self.codecs)


READERS = min(4, usable_cores())
"""Threads that read columns of a large file: the kernel's copies and NumPy's leave the interpreter to others. Of five
million events two take 106 ms, one 174; in blocks of BLOCK_EVENTS 120 (least of three, the bytes alone 35)."""
WORTH_A_THREAD = 4_000_000
"""Numbers, 32 MB, from which on threads read: 10 ms of work, and 2 ms to load what starts the first of them."""
READ_AT_ONCE = 8192
"""Events of a block whose columns are copied and no more: half a megabyte at 14 channels, as a core's own cache has."""


class EventSource(Protocol):
    """Where an event table's numbers come from."""

    @property
    def n_events(self) -> int:
        """Events in the source."""
        ...  # pragma: no cover

    def blocks(self, size: int) -> Iterator[Block]:
        """Yield every event once, in order, ``size`` at a time."""
        ...  # pragma: no cover

    def parts(self, count: int) -> Sequence[EventSource]:
        """Return up to ``count`` sources that can be read at once, and hold every event once, in order."""
        ...  # pragma: no cover


class MatrixColumn(Struct, frozen=True):
    """A column of a matrix that already holds linear values."""

    position: int

    def decode(self, raw: RawArray) -> FloatArray:
        """Return the column as float64."""
        return raw[:, self.position].astype(np.float64)

    @property
    def as_stored(self) -> int | None:
        """The column."""
        return self.position


class MemorySource(Struct, frozen=True, eq=False):
    """Events that are already in memory, as a matrix of shape (n_events, n_channels)."""

    values: FloatArray

    @property
    def n_events(self) -> int:
        """Rows of the matrix."""
        return int(self.values.shape[0])

    def blocks(self, size: int) -> Iterator[Block]:
        """Yield views of the matrix."""
        codecs = tuple(MatrixColumn(position) for position in range(self.values.shape[1]))
        for start in range(0, self.n_events, size):
            yield Block(self.values[start : start + size], codecs)

    def parts(self, _count: int) -> Sequence[EventSource]:
        """Return this source."""
        return (self,)


class EverySource(Struct, frozen=True, eq=False):
    """Every ``step``-th event of a source, the first among them."""

    source: EventSource
    step: int

    @property
    def n_events(self) -> int:
        """Events that are left."""
        return -(-self.source.n_events // self.step)

    def blocks(self, size: int) -> Iterator[Block]:
        """Yield the events that are left, ``size`` at a time."""
        return (block.every(self.step) for block in self.source.blocks(size * self.step))

    def parts(self, _count: int) -> Sequence[EventSource]:
        """Return this source."""
        return (self,)


class EventTable(Struct, frozen=True, eq=False):
    """The events of one data set and the description of their channels.

    Parameters
    ----------
    source : EventSource
        What the values are read from, block by block.
    channels : tuple of Channel
        In the order of the file. Detector names may repeat; asking for one that does is an error.
    keywords : mapping
        TEXT: keys in upper case with their ``$``, values stripped.
    path, data_set, version
        The file, the data set inside it (from 1) and its FCS version; no path for a table made in memory.
    findings : tuple of Finding
        What reading repaired or noticed.

    Examples
    --------
    >>> events = EventTable.from_columns({"FSC-A": [1.0, 2.0], "PE-A": [30.0, 40.0]}, markers={"PE-A": "CAR"})
    >>> events.n_events, [channel.marker for channel in events.channels]
    (2, [None, 'CAR'])
    >>> events.column("PE-A")
    array([30., 40.])
    >>> events
    <EventTable in memory: 2 events, 2 channels>
    """

    source: EventSource
    channels: tuple[Channel, ...]
    keywords: Mapping[str, str] = field(default_factory=dict)
    path: Place | None = None
    data_set: int = 1
    version: str = "FCS3.1"
    findings: tuple[Finding, ...] = ()

    @classmethod
    def from_columns(
        cls,
        columns: Mapping[str, npt.ArrayLike],
        *,
        markers: Mapping[str, str] | None = None,
        keywords: Mapping[str, str] | None = None,
    ) -> EventTable:
        """Return a table of columns in memory, linear values by detector name; ``markers`` maps detector to marker."""
        arrays = [np.asarray(values, dtype=np.float64) for values in columns.values()]
        if any(array.ndim != 1 or array.shape != arrays[0].shape for array in arrays):
            raise ValueError("columns must be one-dimensional and of one length")
        matrix = np.column_stack(arrays) if arrays else np.empty((0, 0))
        named = markers or {}
        channels = tuple(
            Channel(index=index, detector=detector, marker=named.get(detector))
            for index, detector in enumerate(columns)
        )
        return cls(MemorySource(matrix), channels, {key.upper(): text for key, text in (keywords or {}).items()})

    def __repr__(self) -> str:
        """Return name and size; keywords may name a person and are not shown."""
        name = self.path.name if self.path else "in memory"
        return f"<EventTable {name}: {self.n_events:,} events, {len(self.channels)} channels>"

    @property
    def n_events(self) -> int:
        """Events in the data set."""
        return self.source.n_events

    def channel(self, detector: str) -> Channel:
        """Return the channel whose ``$PnN`` is ``detector``.

        Raises
        ------
        PanelError
            If no channel has that name (E028), or several have (E029): nobody can tell which one was meant.
        """
        hits = [channel for channel in self.channels if channel.detector == detector]
        if len(hits) == 1:
            return hits[0]
        if hits:
            places = ", ".join(f"$P{channel.index + 1}N" for channel in hits)
            raise PanelError(
                f"{len(hits)} channels are named {detector!r} ({places})",
                code="E029",
                hint="name the channels apart in the acquisition software, or export the file again with unique names",
            )
        names = [channel.detector for channel in self.channels]
        near = near_names(detector, names, most=3) or names
        raise PanelError(
            f"no channel is named {detector!r}",
            code="E028",
            hint=f"the file has {', '.join(near)}",
        )

    def column(self, detector: str | Channel) -> FloatArray:
        """Return one channel's values, shape (n_events,), float64, linear (``$PnE`` and ``$PnG`` applied).

        A :class:`Channel` instead of a name asks for that very column, also where names repeat.
        """
        return self.columns([detector])[:, 0]

    def columns(self, detectors: Iterable[str | Channel]) -> FloatArray:
        """Return several channels in one pass over the file, shape (n_events, n_channels), each column contiguous.

        Of a large file each core reads a part.

        Raises
        ------
        PanelError
            As ``channel``.
        TypeError
            For one name, whose letters are no names: ``column`` takes it.
        """
        if isinstance(detectors, str):
            raise TypeError(f"columns takes several names; column({detectors!r}) gives the one")
        indices = [(self.channel(name) if isinstance(name, str) else name).index for name in detectors]
        values = np.empty((self.n_events, len(indices)), order="F")
        parts = self.source.parts(READERS if values.size >= WORTH_A_THREAD else 1)
        ends = [0, *accumulate(part.n_events for part in parts)]
        places = [values[first:last] for first, last in pairwise(ends)]
        if len(parts) == 1:
            _fill(values, parts[0], indices)
            return values
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(len(parts)) as threads:
            list(threads.map(_fill, places, parts, repeat(indices)))
        return values

    def blocks(self, size: int = BLOCK_EVENTS) -> Iterator[Block]:
        """Yield the events in order, ``size`` at a time; a block's array is overwritten by the next one."""
        return self.source.blocks(size)

    def every(self, step: int) -> EventTable:
        """Return every ``step``-th event as a table of its own, the first among them; nothing is read for it.

        Examples
        --------
        >>> EventTable.from_columns({"Time": range(7)}).every(3).column("Time")
        array([0., 3., 6.])
        """
        return replace(self, source=EverySource(self.source, step))

    def with_findings(self, *findings: Finding) -> EventTable:
        """Return this table with more findings."""
        return replace(self, findings=(*self.findings, *findings))


def _fill(values: FloatArray, source: EventSource, indices: Sequence[int]) -> None:
    """Copy the channels of a source's events into an array of shape (n_events, n_channels)."""
    start = 0
    for block in source.blocks(READ_AT_ONCE):
        stop = start + block.n_events
        block.copy(indices, values[start:stop])
        start = stop
