"""How many lymphocytes that are no T cells pass the CAR gate: few, unless the signal is not the CAR's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cytocar.gates.engine.axes import Axes
from cytocar.gates.engine.frame import Frame
from cytocar.gates.fixed.place import place
from cytocar.template.model import FixedGate, RangeGate, Template


class CarBesideTCells:
    """Lymphocytes beside the T cells, and those of them that the CAR gate would keep, added up frame by frame.

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

    def add(self, frame: Frame, gates: Mapping[str, FixedGate]) -> None:
        """Add the events of a frame, by the CAR gate as it is applied; nothing if a role was not evaluated on it."""
        gate, (lymphocytes, t_cells) = gates.get(self._car or ""), self._roles
        if not isinstance(gate, RangeGate) or lymphocytes is None or t_cells is None:
            return
        if not (frame.knows(lymphocytes) and frame.knows(t_cells)):
            return
        beside = frame.within(lymphocytes, (t_cells,))
        region = place(gate, lambda name: self._axes[name].scale).region
        passing = region.contains(frame.signals.signal(gate.marker))
        self.events += int(np.count_nonzero(passing & beside))
        self.of_events += int(np.count_nonzero(beside))
