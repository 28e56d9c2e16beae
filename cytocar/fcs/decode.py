"""From DATA's bytes to linear columns: how one event is stored (`Layout`) and one pass over all (`DataSource`).

Bytes are read into one buffer that is used again for every block; values are decoded column by column, when asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from io import BufferedReader, FileIO

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from msgspec.structs import replace

from cytocar.errors.tree import ReadError
from cytocar.fcs.events import Block, Channel, EventTable, FloatArray, RawArray
from cytocar.files.places import Address, Place, readable

LONGEST_NUMBER = 64
"""Characters of one number that DATA spells. A double needs 24; NumPy gives each of 131,072 numbers the room of the
longest, so that a single one of a million digits would take 128 GB."""

WORD_BITS = (8, 16, 32, 64)
"""Integer widths that processors have, and into which narrower values are often padded."""


class Stored(StrEnum):
    """``$DATATYPE``."""

    INTEGER = "I"
    FLOAT = "F"
    DOUBLE = "D"
    ASCII = "A"


class Field(Struct, frozen=True):
    """How one channel's value is stored.

    ``order`` lists the bytes of the value from the least to the most significant: (3, 2, 1, 0) in a big-endian 32-bit
    word. ``mask`` keeps the bits that ``$PnR`` needs.
    """

    channel: Channel
    stored: Stored
    order: tuple[int, ...]
    mask: int | None = None

    @property
    def width(self) -> int:
        """Bytes of the value."""
        return len(self.order)

    @property
    def is_widened(self) -> bool:
        """Whether an integer takes more bytes than its ``$PnB`` says."""
        return self.stored is Stored.INTEGER and 8 * self.width > self.channel.bits

    @property
    def dtype(self) -> np.dtype[np.generic] | None:
        """NumPy's type for this value, or None where NumPy has none (24 bits, byte orders of old minicomputers)."""
        ascending = tuple(range(self.width))
        endian = "<" if self.order == ascending else ">" if self.order == ascending[::-1] else None
        if endian is None or self.width not in (1, 2, 4, 8):
            return None
        return np.dtype(f"{endian}{'u' if self.stored is Stored.INTEGER else 'f'}{self.width}")


def linearise(values: FloatArray, channel: Channel) -> FloatArray:
    """Return stored values on the linear scale.

    FCS 3.1, section 3.2.20: with ``$PnE`` f1,f2 a stored x stands for 10^(f1 * x / range) * f2, and ``$PnG`` does not
    apply; else x stands for x / gain. A clock has no amplifier, its gain is ignored.

    Examples
    --------
    >>> linearise(np.array([256.0, 512.0]), Channel(0, "LOG", range=1024, decades=4.0, offset=1.0, gain=10))
    array([ 10., 100.])
    >>> linearise(np.array([256.0, 512.0]), Channel(0, "FS", range=1024, gain=10))
    array([25.6, 51.2])
    """
    if channel.decades is not None:
        factor = 1.0 if channel.offset is None else channel.offset
        with np.errstate(over="ignore"):  # $PnE of a damaged file
            return np.asarray(factor * np.power(10.0, values * (channel.decades / channel.range)))
    if is_linear(channel):
        return values
    assert channel.gain is not None  # or it would be linear
    return values / channel.gain


def is_linear(channel: Channel) -> bool:
    """True if stored values of a channel are its linear ones: no logarithm and no gain that counts."""
    return channel.decades is None and (channel.gain is None or channel.gain == 1.0 or channel.is_time)


def _as_float(words: RawArray) -> FloatArray:
    with np.errstate(invalid="ignore"):  # a signalling NaN is a NaN
        return words.astype(np.float64)


class WordCodec(Struct, frozen=True):
    """A column of a matrix of equal words, which is what almost every file holds."""

    position: int
    field: Field

    def decode(self, raw: RawArray) -> FloatArray:
        """Return the column, masked and linear."""
        words = raw[:, self.position]
        if self.field.mask is not None:
            words = words & words.dtype.type(self.field.mask)
        return linearise(_as_float(words), self.field.channel)

    @property
    def as_stored(self) -> int | None:
        """The column where nothing has to be done to its words."""
        return self.position if self.field.mask is None and is_linear(self.field.channel) else None

    def for_channel(self, channel: Channel) -> WordCodec:
        """Return this codec with another amplification."""
        return replace(self, field=replace(self.field, channel=channel))


class ByteCodec(Struct, frozen=True):
    """A value of any whole number of bytes, starting at byte ``start`` of an event."""

    start: int
    field: Field

    def decode(self, raw: RawArray) -> FloatArray:
        """Return the column: bytes in order of significance, padded to a word, masked and linear."""
        field = self.field
        size = next(bits // 8 for bits in WORD_BITS if bits >= 8 * field.width)
        padded = np.zeros((raw.shape[0], size), dtype=np.uint8)
        padded[:, : field.width] = raw[:, [self.start + byte for byte in field.order]]
        words: RawArray = padded.view(f"<{'u' if field.stored is Stored.INTEGER else 'f'}{size}")[:, 0]
        if field.mask is not None:
            words = words & words.dtype.type(field.mask)
        return linearise(_as_float(words), field.channel)

    @property
    def as_stored(self) -> int | None:
        """None: bytes have to be put together."""
        return None

    def for_channel(self, channel: Channel) -> ByteCodec:
        """Return this codec with another amplification."""
        return replace(self, field=replace(self.field, channel=channel))


class Layout(Struct, frozen=True, eq=False):
    """How events lie in DATA: ``per_event`` items of ``dtype`` each, and the codec of every channel."""

    dtype: np.dtype[np.generic]
    per_event: int
    codecs: Sequence[WordCodec | ByteCodec]

    @property
    def event_bytes(self) -> int:
        """Bytes of one event."""
        return self.dtype.itemsize * self.per_event


def layout_of(fields: Sequence[Field]) -> Layout:
    """Return the layout of binary events with these fields, packed without gaps.

    Examples
    --------
    >>> byte = Field(Channel(0, "A"), Stored.INTEGER, (0,))
    >>> threebytes = Field(Channel(1, "B"), Stored.INTEGER, (2, 1, 0))
    >>> layout_of([byte, byte]).dtype.name, layout_of([byte, threebytes]).event_bytes
    ('uint8', 4)
    """
    kinds = {field.dtype for field in fields}
    kind = kinds.pop()
    if kind is not None and not kinds:
        return Layout(kind, len(fields), [WordCodec(position, field) for position, field in enumerate(fields)])
    starts = np.cumsum([0, *(field.width for field in fields)]).tolist()
    codecs = [ByteCodec(start, field) for start, field in zip(starts, fields, strict=False)]
    return Layout(np.dtype(np.uint8), starts[-1], codecs)


class DataSource(Struct, frozen=True, eq=False):
    """The binary events of one data set: ``n_events`` from byte ``first`` of the file on."""

    path: Place
    first: int
    n_events: int
    layout: Layout

    def blocks(self, size: int) -> Iterator[Block]:
        """Yield the events block by block, each time in the same buffer."""
        size = max(1, min(size, self.n_events))
        buffer: RawArray = np.empty((size, self.layout.per_event), dtype=self.layout.dtype)
        with readable(self.path), self.path.open("rb", buffering=0) as handle:
            handle.seek(self.first)
            for start in range(0, self.n_events, size):
                raw = buffer[: min(size, self.n_events - start)]
                _fill(raw, handle, self.path)
                yield Block(raw, self.layout.codecs)

    def parts(self, count: int) -> Sequence[DataSource]:
        """Return parts of a file of this machine; of an address none comes sooner for asking twice."""
        if isinstance(self.path, Address) or count == 1:
            return (self,)
        size = -(-self.n_events // count)
        return [
            replace(self, first=self.first + start * self.layout.event_bytes, n_events=min(size, self.n_events - start))
            for start in range(0, self.n_events, size)
        ]


def _fill(raw: RawArray, handle: FileIO | BufferedReader, path: Place) -> None:
    view = raw.reshape(-1).view(np.uint8).data
    while view:
        count = handle.readinto(view)
        if not count:
            raise ReadError(
                f"{path.name} became shorter while it was read",
                code="E023",
                hint="wait until the acquisition or the copy has finished, then run again",
            )
        view = view[count:]


def as_stored(events: EventTable) -> EventTable:
    """Return the same events before amplification and gain: the numbers as the file stores them, masked."""
    channels = tuple(replace(channel, decades=None, offset=None, gain=None) for channel in events.channels)
    source = events.source
    if isinstance(source, DataSource):
        codecs = [codec.for_channel(channel) for codec, channel in zip(source.layout.codecs, channels, strict=True)]
        source = replace(source, layout=replace(source.layout, codecs=codecs))
    elif isinstance(source, TextSource):
        source = replace(source, channels=channels)
    return replace(events, source=source, channels=channels)


class TextSource(Struct, frozen=True, eq=False):
    """Events written as decimal numbers (``$DATATYPE`` A), which old instruments and test sets use."""

    path: Place
    first: int
    length: int
    n_events: int
    widths: tuple[int, ...] | None
    channels: tuple[Channel, ...]

    def blocks(self, size: int) -> Iterator[Block]:
        """Yield blocks of the matrix that the whole text spells."""
        values = self._values()
        codecs = [
            WordCodec(position, Field(channel, Stored.ASCII, ())) for position, channel in enumerate(self.channels)
        ]
        for start in range(0, self.n_events, size):
            yield Block(values[start : start + size], codecs)

    def parts(self, _count: int) -> Sequence[TextSource]:
        """Return this source: where an event begins is not known before those in front of it are read."""
        return (self,)

    def _values(self) -> npt.NDArray[np.float64]:
        with readable(self.path), self.path.open("rb") as handle:
            handle.seek(self.first)
            text = handle.read(self.length)
        try:
            values = _separated(text) if self.widths is None else _fixed_width(text, self.widths, self.n_events)
        except ValueError as why:
            raise ReadError(
                f"DATA is said to be text but holds something that is not a number ({why})",
                code="E022",
                hint="the file is damaged, or its $DATATYPE is wrong: export it again from the acquisition software",
            ) from why
        wanted = self.n_events * len(self.channels)
        if values.size != wanted:
            raise ReadError(
                f"DATA holds {values.size:,} numbers, {self.n_events:,} events of {len(self.channels)} channels "
                f"need {wanted:,}",
                code="E022",
                hint="the file is damaged or cut short: export it again from the acquisition software",
            )
        return values.reshape(self.n_events, len(self.channels))


def _fixed_width(text: bytes, widths: tuple[int, ...], n_events: int) -> FloatArray:
    """Return the numbers of up to ``n_events`` events of these many characters, then whatever else there is."""
    event = np.dtype([(f"c{position}", f"S{width}") for position, width in enumerate(widths)])
    events = min(n_events, len(text) // event.itemsize)
    table = np.frombuffer(text, dtype=event, count=events)
    columns = [table[name].astype(np.float64) for name in event.names or ()]
    return np.concatenate([np.column_stack(columns).reshape(-1), _separated(text[events * event.itemsize :])])


def _separated(text: bytes) -> FloatArray:
    """Return numbers separated by blanks, commas, tabs or line ends, converted a megabyte at a time."""
    numbers = re.compile(rb"[^\s,\x00]+")
    parts, tokens = [np.empty(0)], []
    for token in numbers.finditer(text):
        if token.end() - token.start() > LONGEST_NUMBER:
            raise ValueError(f"one of {token.end() - token.start():,} characters")
        tokens.append(token[0])
        if len(tokens) == 1 << 17:
            parts.append(np.array(tokens).astype(np.float64))
            tokens = []
    if tokens:
        parts.append(np.array(tokens).astype(np.float64))
    return np.concatenate(parts)
