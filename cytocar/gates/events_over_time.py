"""Where in a run the events of some populations lie: their numbers in a thousand equal stretches of its events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from cytocar.gates.adaptive.cluster import is_scatter
from cytocar.gates.engine.axes import Axes
from cytocar.gates.engine.frame import Bools, Floats, Frame
from cytocar.regions.boxes import RangeGate
from cytocar.regions.kinds import FixedGate
from cytocar.statistics.order import median
from cytocar.template.model import Template

Counts = npt.NDArray[np.int64]
TIME_BINS = 1000
"""Of equal numbers of events: a thousandth of a run is the shortest that carry-over or a clump of beads is looked
for in."""


class EventsOverTime:
    """Numbers of events by stretch of the file, added up block by block.

    Attributes
    ----------
    counts : mapping of str to (stretches,) int64
        By population, in the order of acquisition.

    Examples
    --------
    >>> beads = EventsOverTime(["beads"], n_events=2000)
    >>> beads.add("beads", np.array([0, 1, 1999]))
    >>> beads.counts["beads"][[0, 1, -1]]
    array([2, 0, 1])
    """

    def __init__(self, populations: Iterable[str], n_events: int) -> None:
        self._size = max(1, -(-n_events // TIME_BINS))
        self._stretches = max(1, -(-n_events // self._size))
        self.counts: Mapping[str, Counts] = {
            name: np.zeros(self._stretches, dtype=np.int64) for name in dict.fromkeys(populations)
        }

    def add(self, population: str, rows: npt.NDArray[np.integer]) -> None:
        """Add events of a population, by their rows in the file."""
        if population in self.counts and rows.size:
            self.counts[population][:] += np.bincount(rows // self._size, minlength=self._stretches)


LARGEST_SCATTER = 1.3
"""Of the T cells' median: B and NK cells scatter as they do, monocytes from 1.5 on, and these differ in CAR signal."""
FEWEST_T_CELLS = 50
"""Of a block, for a median known to a fiftieth; with fewer that of the blocks before stands."""


def side_scatter(axes: Axes) -> str | None:
    """Return the marker of the side scatter, if the template has one."""
    return next((marker for marker in axes.by_marker if is_scatter(marker) and marker.upper().startswith("S")), None)


class LowScatter:
    """Which events scatter to the side as T cells do, block by block: a gate around blasts lets monocytes in."""

    def __init__(self) -> None:
        self._usual: float | None = None

    def among(self, side: Floats, t_cells: Bools) -> Bools:
        """Which events scatter no more than 1.3 times the T cells' median; all where no T cell was seen yet."""
        usual = self._of(side, t_cells)
        return np.ones(len(side), dtype=np.bool_) if usual is None else np.asarray(side <= LARGEST_SCATTER * usual)

    def beyond(self, side: Floats, t_cells: Bools, times: float) -> Bools:
        """Which events scatter more than so many times the T cells' median; none where no T cell was seen yet."""
        usual = self._of(side, t_cells)
        return np.zeros(len(side), dtype=np.bool_) if usual is None else np.asarray(side > times * usual)

    def _of(self, side: Floats, t_cells: Bools) -> float | None:
        if np.count_nonzero(t_cells) >= FEWEST_T_CELLS:
            self._usual = median(side[t_cells])
        return self._usual


class NonTCellCarCounter:
    """Lymphocytes beside the T cells, and those of them that the CAR gate would keep, added up frame by frame.

    What scatters more to the side than T cells do is left out: monocytes.

    Both stay 0 where the template has no such roles, or where its CAR gate is no threshold on a marker.

    Attributes
    ----------
    events, of_events : int
        Lymphocytes beside the T cells that pass the CAR gate, and all lymphocytes beside the T cells.
    """

    def __init__(self, template: Template, axes: Axes) -> None:
        self.events = self.of_events = 0
        self._roles = (template.report.lymphocytes, template.report.t_cells)
        self._car = template.report.car
        self._axes = axes
        self.side, self._low = side_scatter(axes), LowScatter()

    def add(self, frame: Frame, gates: Mapping[str, FixedGate]) -> None:
        """Add the events of a frame, by the CAR gate as it is applied; nothing if a role was not evaluated on it."""
        gate, (lymphocytes, t_cells) = gates.get(self._car or ""), self._roles
        if not isinstance(gate, RangeGate) or lymphocytes is None or t_cells is None:
            return
        if not (frame.knows(lymphocytes) and frame.knows(t_cells)):
            return
        beside = frame.within(lymphocytes, (t_cells,))
        if self.side is not None:
            beside = beside & self._low.among(frame.signals.signal(self.side), frame.mask(t_cells))
        region = gate.placed(lambda name: self._axes[name].scale).region
        passing = region.contains(frame.signals.signal(gate.marker))
        self.events += int(np.count_nonzero(passing & beside))
        self.of_events += int(np.count_nonzero(beside))
