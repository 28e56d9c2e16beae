"""The files that a template is made from: the signals of the channels that matter, compensated, and their scale.

A file is read once, every k-th event of a large one, and what names, matrix and scale say about it is judged before a
gate is looked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from cytocar.errors.tree import CompensationError, PanelError, ReadError
from cytocar.fcs.keywords import cytometer
from cytocar.fcs.reader import open_fcs
from cytocar.fit.evidence import has_floor
from cytocar.fit.names import Book, is_fluorescence
from cytocar.fit.panel import FoundPanel, find_panel
from cytocar.gates.adaptive.parent_events import thin
from cytocar.signals.compensation import SpilloverMatrix, carried, leaves_as_it_is
from cytocar.signals.over_compensation import as_recorded, over_compensated, takes_too_much, without_beads

if TYPE_CHECKING:
    from cytocar.fcs.events import Channel, EventTable
    from cytocar.files.places import Place
    from cytocar.signals.scales import AnyScale

Floats = npt.NDArray[np.float64]

ALL_EVENTS = 2_000_000
"""Events held in memory over all files, at 8 bytes a channel: 20 files of 100,000 events are held whole."""
FEWEST_EVENTS_HELD = 20_000
FEWEST_EVENTS = 200
"""With fewer events than this no gate has evidence (prominence and counts of ``evidence``)."""
TOPS = (1.0, 1024.0, 4096.0, 1e4, 65536.0, 262144.0, 2.0**20, 2.0**22, 2.0**24)
"""Full scales: a share of the range, 10 and 12 bits, four decades, 16 and 18 bits, and up to spectral instruments."""
BEYOND_RANGE_SHARE = 1e-4
TRANSFORMED_BELOW = 20.0
"""A stained channel whose 99.9 % quantile stays below 20 holds an asinh or a logicle already (arcsinh(1e5) is 12), or
linear values in small units."""
BEYOND_ANY_SCALE = 50.0
"""No event of an asinh, logicle or log scale lies as high (arcsinh(1e7) is 17); rare linear positives do."""
SHORTEST_REACH = 10.0
"""Of the marker that reaches furthest. Ten real tubes and their copies with other cells: 24 and more, without T cells
12 and more; the same on log and logicle scales of 256 to 262,144 channels: 2 to 9."""
SHARE_OF_RANGE = 1.01
NOISE_OF_LINEAR = 0.02
"""Of the brightest events. The lower quarter of linear values is less than a hundredth as wide, in a quarter of the
channels and more; that of a logicle on 0 to 1 a tenth and more."""
FEWEST_ZEROS, MOST_ZEROS = 0.02, 0.45
"""Share of the events: with more there are hardly as many values above zero that are no positives."""
COMPARED_EVENTS = 20_000


class Tube(Struct, frozen=True, eq=False):
    """One file.

    Parameters
    ----------
    file, events, panel
        Where it is, its events, its channels by marker.
    signals : mapping of marker to (n,) float64
        Compensated signals of the events that are held.
    matrix : SpilloverMatrix, optional
        What it was compensated with: the file's own or a given one.
    top : float
        Top of the scale of its fluorescence.
    negatives : float, optional
        Size of the negative values, None where there are too few to tell.
    notes : tuple of str
        What was noticed.
    control : bool
        Whether it is stained alike and holds no CAR-T cells.
    """

    file: Place
    events: EventTable
    panel: FoundPanel
    signals: Mapping[str, Floats]
    matrix: SpilloverMatrix | None
    top: float
    negatives: float | None
    notes: tuple[str, ...] = ()
    control: bool = False

    @property
    def name(self) -> str:
        """Return the file's name."""
        return self.file.name

    @property
    def n_events(self) -> int:
        """Return the number of events held."""
        return len(next(iter(self.signals.values())))

    def range_of(self, marker: str, scale: AnyScale) -> float:
        """Where a marker's channel ends, as a run sees it."""
        return max(self.panel.channels[marker].top, scale.T or 0.0)

    @property
    def mass(self) -> bool:
        """Whether this is a mass cytometer's file: no scatter, and named so or after isotopes."""
        named = re.search(r"cytof|helios|dvs|xt\b", cytometer(self.events) or "", flags=re.IGNORECASE)
        isotopes = sum(
            bool(re.search(r"\d{2,3}di$|[A-Z][a-z]\d{2,3}(di)?\b", f"{channel.detector} {channel.marker or ''}"))
            for channel in self.events.channels
        )
        return "FSC-A" not in self.panel and (bool(named) or isotopes >= 5)


def read_tube(
    file: Place,
    book: Book,
    *,
    settled: Mapping[str, str] | None = None,
    held: int = FEWEST_EVENTS_HELD,
    control: bool = False,
    compensated: bool = False,
    given: SpilloverMatrix | None = None,
) -> Tube:
    """Return a file as the fit sees it.

    Parameters
    ----------
    held : int
        Most events that are held.
    compensated : bool
        A person says that the values are compensated or unmixed: the file's matrix is left alone.
    given : SpilloverMatrix, optional
        Takes the place of the file's own.

    Raises
    ------
    ReadError, PanelError, CompensationError
        E050 for a given matrix of other detectors, E204 for too few events, E205 for values that are transformed
        already, E206 for a matrix that does not fit.
    """
    events = open_fcs(file)
    panel = find_panel(events.channels, book, settled=settled, file=str(file))
    if events.n_events < FEWEST_EVENTS:
        raise ReadError(
            f"{events.n_events} events are too few to place a gate (at least {FEWEST_EVENTS})",
            code="E204",
            hint="give files of whole tubes; 3 or more of the same panel are best",
        )
    matrix = given
    if given is not None:
        given.check_channels({channel.detector for channel in events.channels})
    elif not compensated:
        matrix = own_matrix(events, [*panel.channels.values()])
    dyes = [channel for channel in events.channels if is_fluorescence(channel)]
    in_matrix = () if matrix is None else matrix.detectors
    further = [one for one in events.channels if one.detector in in_matrix or one in panel.channels.values()]
    raw = _read(events, [*dict.fromkeys((*dyes, *further))], held)
    if matrix is not None:
        _test_matrix(matrix, raw)
    top = top_of_scale({channel: raw[channel] for channel in dyes})
    signals = {marker: signal_of(channel, matrix, raw) for marker, channel in panel.channels.items()}
    stained = {marker: values for marker, values in signals.items() if is_fluorescence(panel.channels[marker])}
    _refuse_transformed(stained)
    notes = panel.notes
    if matrix is None and not compensated and not _compensated_by_name(dyes) and len(dyes) > 1:
        carries = (
            "no spillover matrix"
            if carried(events.keywords).matrix is None
            else "a spillover matrix that is the identity"
        )
        notes += (
            f"{carries} in the file: the values are taken as they are, as if compensated or unmixed; "
            "if they are neither, give a matrix with --compensation MATRIX.csv",
        )
    return Tube(file, events, panel, signals, matrix, top, size_of_negatives(stained), notes, control)


def _read(events: EventTable, channels: Sequence[Channel], held: int) -> dict[Channel, Floats]:
    """Return every k-th event of some channels, in one pass over the file."""
    step = max(1, -(-events.n_events // held))
    parts: dict[Channel, list[Floats]] = {channel: [] for channel in channels}
    start = 0
    for block in events.blocks():
        rows = slice(-start % step, None, step)
        for channel, collected in parts.items():
            collected.append(block.column(channel.index)[rows].copy())
        start += block.n_events
    columns = {channel: np.concatenate(collected) for channel, collected in parts.items()}
    finite = np.ones(len(next(iter(columns.values()))), dtype=bool)
    for values in columns.values():
        finite &= np.isfinite(values)
    return columns if finite.all() else {channel: values[finite] for channel, values in columns.items()}


# ---------------------------------------------------------------- compensation


def _compensated_by_name(dyes: Sequence[Channel]) -> bool:
    return any(re.match(r"(?i)(fj)?comp[-_ ]|<.*>$", channel.detector.strip()) for channel in dyes)


def own_matrix(events: EventTable, channels: Sequence[Channel] | None = None) -> SpilloverMatrix | None:
    """Return a file's own matrix, None where there is none, it is the identity, or the values went through it."""
    if _compensated_by_name([channel for channel in events.channels if is_fluorescence(channel)]):
        return None
    matrix = carried(events.keywords).matrix
    looked_at = events.channels if channels is None else channels
    dyes = [channel.detector for channel in looked_at if is_fluorescence(channel)]
    if matrix is None or leaves_as_it_is(matrix, dyes):
        return None
    matrix.check_channels({channel.detector for channel in events.channels})
    return matrix


def signal_of(channel: Channel, matrix: SpilloverMatrix | None, raw: Mapping[Channel, Floats]) -> Floats:
    """Return a channel's signal, compensated if the matrix knows its detector."""
    row = None if matrix is None else matrix.row(channel.detector)
    if matrix is None or row is None:
        return raw[channel]
    by_name = {other.detector: values for other, values in raw.items()}
    signal = np.zeros(len(raw[channel]))
    for detector, weight in zip(matrix.detectors, matrix.unmixing[:, row], strict=True):
        if weight != 0:
            signal += weight * by_name[detector]
    return signal


def _test_matrix(matrix: SpilloverMatrix, raw: Mapping[Channel, Floats]) -> None:
    """Refuse a matrix that takes away more than there is: a wrong one, or one that was applied before."""
    by_name = {channel.detector: thin(values, COMPARED_EVENTS) for channel, values in raw.items()}
    measured = np.column_stack([by_name[name] for name in matrix.detectors])
    cells = without_beads(measured, max(channel.top for channel in raw))
    pairs, over = over_compensated(matrix.compensate(measured[cells]))
    if takes_too_much(pairs, over):
        worst = ", ".join(f"{matrix.fluorochromes[i]} in {matrix.fluorochromes[j]}" for i, j in over[:4])
        recorded = as_recorded(matrix, measured[cells])
        why = "the values are not compensated yet, so the matrix is of other settings" if recorded else ""
        hint = (
            "give the matrix of the day: --compensation MATRIX.csv (`cytocar compensate` makes one from single stains)"
        )
        raise CompensationError(
            f"{matrix.origin} takes away more than there is in {len(over)} of {pairs} pairs of detectors "
            f"({worst})" + (f"; {why}" if why else ""),
            code="E206",
            hint=hint if recorded else f"a file that was compensated before its export: --compensated; else {hint}",
        )


# ---------------------------------------------------------------- scale


def top_of_scale(dyes: Mapping[Channel, Floats]) -> float:
    """Return the top of the scale of a file's fluorescence: its range, unless the data say that it is not."""
    declared = max(channel.top for channel in dyes)
    highest = np.array([values.max() for values in dyes.values()])
    beyond = max(float(np.mean(values > 1.01 * declared)) for values in dyes.values())
    if beyond > BEYOND_RANGE_SHARE or highest.max() > 1.5 * declared:
        return _next_top(float(np.quantile(highest, 0.9)))
    if highest.max() < declared / 50:
        return _next_top(float(highest.max()))
    return declared


def _next_top(value: float) -> float:
    return next((top for top in TOPS if top >= value), TOPS[-1])


def _refuse_transformed(stained: Mapping[str, Floats]) -> None:
    if not stained:
        return
    highest = {marker: float(np.quantile(values, 0.999)) for marker, values in stained.items()}
    sentence = ""
    small = float(np.median([*highest.values()])) < TRANSFORMED_BELOW and not _beyond_any_scale(stained)
    if small and not _linear_in_small_units(stained, highest):
        sentence = ", ".join(f"{marker} ends at {value:.3g}" for marker, value in list(highest.items())[:3])
    else:
        reach = max(_reach(values) for values in stained.values())
        negative = [float(np.quantile(values, 0.05)) < 0 for values in stained.values()]
        if reach < SHORTEST_REACH and 2 * sum(negative) < len(negative):  # unstained cells scatter around zero
            sentence = f"the brightest cells of no marker lie more than {reach:.0f} times as far above the median as "
            sentence += "the dimmest below it, as on a log or logicle scale; cells without stain look so too"
    if sentence:
        raise PanelError(
            f"the values are transformed already ({sentence}), and gates are placed on linear values",
            code="E205",
            hint="export the file as the instrument wrote it, linear, not as asinh, logicle or log values, and give "
            "stained tubes",
        )


def _reach(values: Floats) -> float:
    """Return how far the 99 % quantile lies above the median, in distances from the median to the 5 % quantile.

    Values on an amplifier's floor are left out: they say nothing about the width of the negatives.
    """
    lowest = float(values.min())
    above = values[values > lowest] if has_floor(values) or lowest == 0 else values
    if len(above) < FEWEST_EVENTS // 2:
        return np.inf
    low, middle, high = (float(value) for value in np.quantile(above, (0.05, 0.5, 0.99)))
    return (high - middle) / (middle - low) if middle > low else np.inf


def _beyond_any_scale(stained: Mapping[str, Floats]) -> bool:
    return max(float(values.max()) for values in stained.values()) > BEYOND_ANY_SCALE


def _linear_in_small_units(stained: Mapping[str, Floats], highest: Mapping[str, float]) -> bool:
    """True if nothing exceeds 1, and negatives are narrow against the brightest events, as linear values alone are."""
    if max(float(values.max()) for values in stained.values()) > SHARE_OF_RANGE:
        return False
    widths = [
        float(np.subtract(*np.quantile(values, (0.25, 0.01)))) / (highest[marker] or 1.0)
        for marker, values in stained.items()
    ]
    return float(np.quantile(widths, 0.25)) < NOISE_OF_LINEAR


def size_of_negatives(stained: Mapping[str, Floats]) -> float | None:
    """Return the size of the negative values over the channels: the median of their 5 % quantiles.

    Where a program wrote zeros for them, it is what as many of the values above zero as there are zeros reach: cells
    without stain scatter as far above zero as below it.
    """
    sizes = []
    for values in stained.values():
        below = values[values < 0]
        zeros = float(np.mean(values == 0))
        if len(below) >= max(20, 0.002 * len(values)):
            sizes.append(-float(np.quantile(below, 0.05)))
        elif not len(below) and FEWEST_ZEROS <= zeros <= MOST_ZEROS:
            sizes.append(float(np.quantile(values, 1.95 * zeros)))
    return float(np.median(sizes)) if sizes else None
