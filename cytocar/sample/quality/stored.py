"""Values that reading changed: integers above the range of their channel, which are masked to the bits that it needs.

Where the bits above are the same in every event (Coulter writes the channel's number there) the mask takes away what is
no part of the value. Where they vary, the values were truly above the range, and each is now another number.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cytocar.errors.findings import Finding, Severity
from cytocar.errors.tree import PanelError
from cytocar.fcs.decode import ByteCodec, DataSource, WordCodec

if TYPE_CHECKING:
    from cytocar.fcs.events import Channel, EventTable

ENOUGH_TO_VARY = 1000
"""Events: noise alone gives a thousand events of a detector that is on more than one value."""

FEW = 0.001
"""Of the events: up to here masked values are single saturated events, beyond it a population may have moved."""


def stored_findings(events: EventTable, gated: Collection[Channel]) -> Iterator[Finding]:
    """How many events hold values above the range of their channel; nothing for data that are not masked.

    Parameters
    ----------
    gated : collection of Channel
        Channels that the template looks at: the others are noted only.
    """
    source = events.source
    if not isinstance(source, DataSource) or all(codec.field.mask is None for codec in source.layout.codecs):
        return
    varying = _varying(events, source)
    if not varying:
        message = "no value lies above the range of its channel ($PnR) but by bits that are the same in every event"
        yield Finding("read", "", Severity.PASS, message, 0.0, FEW)
        return
    counts = _events_above(events, varying)
    share = max((counts[codec] for codec in varying if codec.field.channel in gated), default=0) / events.n_events
    listed = ", ".join(f"{codec.field.channel.detector} {count:,}" for codec, count in counts.items())
    message = f"events above the range of their channel ($PnR), masked to its bits: {listed} of {events.n_events:,}"
    yield Finding("read", "W246", Severity.REVIEW if share > FEW else Severity.NOTE, message, share, FEW)


def check_detectors_live(events: EventTable, gated: Collection[Channel]) -> None:
    """Refuse a file in which a detector that gates look at holds one value in all events.

    The first thousand events settle it for every other file.

    Raises
    ------
    PanelError
        E074 with the detectors.
    """
    suspects = {channel.detector: channel for channel in gated}
    values: dict[str, float] = {}
    for block in events.blocks(ENOUGH_TO_VARY) if events.n_events >= ENOUGH_TO_VARY else ():
        for name, channel in list(suspects.items()):
            column = block.column(channel.index)
            if column.min() != column.max() or column[0] != values.setdefault(name, float(column[0])):
                del suspects[name]
        if not suspects:
            return
    if suspects and values:
        listed = ", ".join(f"{name} {values[name]:g}" for name in suspects)
        raise PanelError(
            f"the same value in every one of {events.n_events:,} events: {listed}",
            code="E074",
            hint="the detector was off or its values were lost: acquire or export the file again, or leave the marker "
            "out of the template",
        )


Codec = WordCodec | ByteCodec


def _varying(events: EventTable, source: DataSource) -> list[Codec]:
    """Return the codecs of channels whose bits above the range differ between events.

    One look at every byte, where no event has such a bit; bits that are the same in all take a second one.
    """
    codecs = source.layout.codecs
    any_of = _combined(np.bitwise_or, events)
    if any_of is None or not any(_above(codec, any_of)[0] for codec in codecs):
        return []
    all_of = _combined(np.bitwise_and, events)
    return [codec for codec in codecs if all_of is None or _above(codec, any_of)[0] != _above(codec, all_of)[0]]


ROWS_AT_ONCE = 64
"""Events that are combined as one long row: on rows of a dozen words NumPy spends most of its time between rows."""


def _combined(combine: np.ufunc, events: EventTable) -> npt.NDArray[np.generic] | None:
    """Return all events combined bit by bit, as one event, shape (1, words)."""
    combined = None
    for block in events.blocks():
        whole = block.n_events - block.n_events % ROWS_AT_ONCE
        wide = block.raw[:whole].reshape(-1, ROWS_AT_ONCE * block.raw.shape[1])
        parts = [block.raw[whole:]]
        if whole:
            parts.append(combine.reduce(wide, axis=0).reshape(ROWS_AT_ONCE, -1))
        parts += [] if combined is None else [combined]
        combined = combine.reduce(np.concatenate(parts), axis=0)[None]
    return combined


def _events_above(events: EventTable, codecs: list[Codec]) -> dict[Codec, int]:
    counts = dict.fromkeys(codecs, 0)
    for block in events.blocks():
        for codec in codecs:
            counts[codec] += int(np.count_nonzero(_above(codec, block.raw)))
    return counts


def _above(codec: Codec, raw: npt.NDArray[np.generic]) -> npt.NDArray[np.uint64]:
    """Return the bits of each event that the mask of a channel takes away."""
    field = codec.field
    if field.mask is None:
        return np.zeros(len(raw), dtype=np.uint64)
    if isinstance(codec, WordCodec):
        words = raw[:, codec.position].astype(np.uint64)
    else:
        words = np.zeros(len(raw), dtype=np.uint64)
        for place, byte in enumerate(field.order):
            words |= raw[:, codec.start + byte].astype(np.uint64) << np.uint64(8 * place)
    return np.asarray(words & ~np.uint64(field.mask))
