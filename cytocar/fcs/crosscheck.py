"""A second reader's opinion: fcsparser reads the same data set, and every difference is named.

fcsparser 0.2.8 pins ``numpy<2`` and needs ``six`` without saying so, hence the extra ``cytocar[crosscheck]``.
"""

from __future__ import annotations

import logging
import struct
import warnings

import numpy as np
from msgspec import Struct

from cytocar.errors.tree import UsageError
from cytocar.fcs.decode import as_stored
from cytocar.fcs.events import EventTable, FloatArray

RELATIVE = 1e-6
"""Between two readers of one file: single precision holds seven digits."""


class Difference(Struct, frozen=True):
    """Something that the two readers read otherwise; ``channel`` is its number from 1, None for the whole data set."""

    what: str
    channel: int | None
    ours: str
    theirs: str

    def __str__(self) -> str:
        place = f"channel {self.channel}: " if self.channel else ""
        return f"{place}{self.what} is {self.ours} for cytocar, {self.theirs} for fcsparser"


class Crosscheck(Struct, frozen=True):
    """What a second reader found: its name with version, why it refused the file, or where it differs."""

    reader: str
    refusal: str | None = None
    differences: tuple[Difference, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether the second reader read the same events, names and values."""
        return self.refusal is None and not self.differences


def crosscheck(events: EventTable) -> Crosscheck:
    """Where fcsparser reads the file of ``events`` otherwise: events, names, and each column's values as stored.

    Values are compared before amplification, which fcsparser does not apply: their sum, first and last event.

    Raises
    ------
    UsageError
        If fcsparser is not installed (E026).
    """
    try:
        import fcsparser
    except ImportError as why:
        raise UsageError(
            f"the second reader is not installed ({why})",
            code="E026",
            hint="in the clone of cytocar, in an environment of its own: pip install '.[crosscheck]'",
        ) from why
    logging.getLogger(fcsparser.__name__).addHandler(logging.NullHandler())  # what it says goes into the findings
    name = f"fcsparser {fcsparser.__version__}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _, table = fcsparser.parse(str(events.path), data_set=events.data_set - 1, channel_naming="$PnN")
            values = table.to_numpy(dtype=np.float64)
    except (
        fcsparser.api.ParserFeatureNotImplementedError, ArithmeticError, AttributeError, LookupError, MemoryError,
        NameError, OSError, TypeError, ValueError, struct.error,
    ) as why:  # fmt: skip
        return Crosscheck(name, refusal=f"{type(why).__name__}: {str(why).splitlines()[0] if str(why) else ''}")
    return Crosscheck(name, differences=_differences(events, [str(column) for column in table.columns], values))


def _differences(events: EventTable, names: list[str], values: FloatArray) -> tuple[Difference, ...]:
    if values.shape != (events.n_events, len(events.channels)):
        ours = f"{events.n_events:,} of {len(events.channels)}"
        theirs = f"{values.shape[0]:,} of {values.shape[1]}"
        return (Difference("number of events and channels", None, ours, theirs),)
    differences = [
        Difference("name", channel.index + 1, repr(channel.detector), repr(name))
        for channel, name in zip(events.channels, names, strict=True)
        if channel.detector != name.strip()
    ]
    stored = as_stored(events)
    columns = stored.columns(stored.channels)
    for index in range(len(names)):
        differing = _first_difference(columns[:, index], values[:, index])
        if differing is not None:
            what, one, other = differing
            differences.append(Difference(what, index + 1, f"{one:.9g}", f"{other:.9g}"))
    return tuple(differences)


def _first_difference(ours: FloatArray, theirs: FloatArray) -> tuple[str, float, float] | None:
    looked_at = [("sum", float(ours.sum()), float(theirs.sum()))]
    if ours.size:
        looked_at += [
            (f"{name} event", float(ours[row]), float(theirs[row])) for name, row in (("first", 0), ("last", -1))
        ]
    for what, one, other in looked_at:
        if not np.isclose(one, other, rtol=RELATIVE, atol=1e-12, equal_nan=True):
            return what, one, other
    return None
