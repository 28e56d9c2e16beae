"""Tubes without CAR-T cells, of this run and of earlier ones: what they say about the background of the next.

A tube is kept as how many of its T cells lie beyond certain places, in spreads above the median of its own T cells: so
tubes of other days, gains and thresholds can be compared with this one. ``cytocar qc --history FILE`` keeps the table,
``cytocar gate --background FILE`` reads it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from cytocar.errors.boundary import boundary
from cytocar.errors.tree import UsageError
from cytocar.files.places import whole_bytes
from cytocar.gates.decision import BlankCount
from cytocar.statistics.order import quantiles
from cytocar.tables.columns import Row, parse_columns
from cytocar.tables.delimited import DelimitedTable, parse_delimited

Floats = npt.NDArray[np.float64]

PLACES = (2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 15.0, 20.0, 30.0, 50.0)
"""Spreads above the median at which a tube's T cells are counted: close where negatives end, wide where sticky cells
are."""
FEWEST_T_CELLS = 100
"""Fewer do not tell their own median and spread."""
MOST_TUBES = 200
"""Of a history, the last ones: their variation is then known to 5 %, and reagents of years ago say little."""

HISTORY = parse_columns(
    """
run         str - | run folder
sample_id   str - | tube or well
subject_id  str - | pseudonym of the person; tubes of one are weighed together
sample_type str - | baseline, healthy
template    str - | template that it was gated with; tubes of other templates are not compared
population  str - | CAR gate of the template
marker      str - | marker of that gate
t_cells     int events | T cells with a CAR signal
"""
    + "\n".join(
        f"{f'above_{place:g}'.replace('.', '_')} int events | of these, beyond {place:g} spreads above their median"
        for place in PLACES
    )
)
_COUNTS = tuple(column.name for column in HISTORY[-len(PLACES) :])
_TEXTS = tuple(column.name for column in HISTORY if column.type == "string")


class BlankTube(Struct, frozen=True):
    """A tube without CAR-T cells. ``above`` counts its T cells beyond each of ``PLACES``."""

    sample_id: str
    subject_id: str
    sample_type: str
    template: str
    population: str
    marker: str
    t_cells: int
    above: tuple[int, ...]
    run: str = ""

    @property
    def profile(self) -> tuple[int, ...]:
        """What tells one tube from another, whatever they are called."""
        return (self.t_cells, *self.above)

    @property
    def gate(self) -> tuple[str, str, str]:
        """Template, population and marker: tubes of other gates are not compared."""
        return self.template, self.population, self.marker

    def beyond(self, place: float) -> float | None:
        """How many T cells lie beyond a place; None nearer than the first one.

        Straight between neighbours, in logarithms of place and of count + 1/2; as at the last one beyond it.

        Examples
        --------
        >>> tube = BlankTube("B1", "P1", "baseline", "t", "car_t", "CAR", 1000, (20, 16, *[8] * 14))
        >>> tube.beyond(2.0), tube.beyond(2.25), tube.beyond(99.0), tube.beyond(1.5)
        (20.0, 17.8, 8.0, None)
        """
        if place < PLACES[0]:
            return None
        logs = np.log(np.array(self.above) + 0.5)
        return round(float(np.exp(np.interp(math.log(place), np.log(PLACES), logs)) - 0.5), 1)

    def row(self) -> Row:
        """Return the tube's line of the history."""
        texts = {name: getattr(self, name) for name in _TEXTS}
        return {**texts, "t_cells": self.t_cells, **dict(zip(_COUNTS, self.above, strict=True))}


def beyond_places(signals: Floats) -> tuple[int, ...]:
    """How many of some signals in ascending order lie beyond each of ``PLACES``.

    Examples
    --------
    >>> beyond_places(np.arange(1000.0))[0]
    0
    """
    low, middle, high = quantiles(signals, (0.159, 0.5, 0.841), in_order=True)
    spread = max((high - low) / 2, 1e-9)
    edges = middle + spread * np.array(PLACES)
    return tuple(int(count) for count in len(signals) - np.searchsorted(signals, edges))


def counts_at(
    place: float,
    tubes: Iterable[BlankTube],
    *,
    subject: str | None,
    gate: tuple[str, str, str],
    without: Sequence[tuple[int, ...]] = (),
) -> tuple[BlankCount, ...]:
    """Return the counts of some tubes beyond a place, each tube once; those of another template's gate are left out.

    Parameters
    ----------
    place : float
        In spreads above the median.
    subject : str, optional
        Whose sample is counted: its own tubes are marked.
    gate : tuple of str
        Template, population and marker of the gate.
    without : sequence of profiles
        Tubes that are known already, or that are the sample itself.
    """
    seen = set(without)
    counts = []
    for tube in tubes:
        if tube.gate != gate or tube.profile in seen:
            continue
        seen.add(tube.profile)
        if (events := tube.beyond(place)) is not None:
            own = subject is not None and tube.subject_id == subject
            counts.append(BlankCount(events, tube.t_cells, tube.subject_id, own=own))
    return tuple(counts)


class History(Struct, frozen=True):
    """Tubes of earlier runs, as read from a file of so many bytes' hash."""

    tubes: tuple[BlankTube, ...] = ()
    file: str = ""
    sha256: str = ""


NO_HISTORY = History()


def read_history(path: Path) -> History:
    """Return the last tubes of a history, and the file's hash.

    Raises
    ------
    UsageError
        E169 with every fault of the table.
    """
    tubes, content = _read(path)
    return History(tubes[-MOST_TUBES:], path.name, hashlib.sha256(content).hexdigest())


def all_tubes(path: Path) -> tuple[BlankTube, ...]:
    """Return every tube of a history; see ``read_history``."""
    return _read(path)[0]


def _read(path: Path) -> tuple[tuple[BlankTube, ...], bytes]:
    """Return the tubes of a history, and the file's bytes.

    Raises
    ------
    UsageError
        E169 with every fault of the table.
    """
    with boundary(
        lambda why: UsageError(f"{path} cannot be read: {why}", code="E169", hint="`cytocar qc --history` writes it")
    ):
        content = whole_bytes(path)
        table = parse_delimited(content.decode("utf-8-sig"))
    faults = [f"column {name} is missing" for name in (*_TEXTS, "t_cells", *_COUNTS) if name not in table.columns]
    faults += table.misfits()
    tubes = []
    for row in table.rows if not faults else ():
        numbers = [_whole(table, row.cells[name]) for name in ("t_cells", *_COUNTS)]
        known = [number for number in numbers if number is not None]
        if len(known) < len(numbers):
            faults.append(f"row {row.line}: counts are whole numbers from 0 on")
        elif sorted(known, reverse=True) != known:
            faults.append(
                f"row {row.line}: no place can have more events beyond it than one before it, or than t_cells"
            )
        elif known[0] < FEWEST_T_CELLS:
            faults.append(f"row {row.line}: {known[0]} T cells; {FEWEST_T_CELLS} are the fewest")
        else:
            texts = {name: row.cells[name] for name in _TEXTS}
            tubes.append(BlankTube(**texts, t_cells=known[0], above=tuple(known[1:])))
    if faults:
        shown = "; ".join(faults[:10]) + (f"; and {len(faults) - 10} more" if len(faults) > 10 else "")
        raise UsageError(
            f"{path.name}: {shown}", code="E169", hint="restore it, or let `cytocar qc --history` write it"
        )
    return tuple(tubes), content


def joined(before: Iterable[BlankTube], added: Iterable[BlankTube]) -> tuple[BlankTube, ...]:
    """Return a history with tubes added: one that stands there already, by its counts, is replaced in its place."""
    tubes: dict[tuple[object, ...], BlankTube] = {}
    for tube in (*before, *added):
        tubes[tube.profile, tube.gate] = tube
    return tuple(tubes.values())


def _whole(table: DelimitedTable, text: str) -> int | None:
    value = table.number(text)
    return int(value) if value is not None and value >= 0 and value == int(value) else None
