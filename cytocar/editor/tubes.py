"""The files on the bench: their events in memory, counted by the walk that counts a run, and drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from msgspec import Struct, field
from msgspec.structs import replace

from cytocar.errors.tree import SampleError
from cytocar.fcs.events import EventTable, MemorySource
from cytocar.fcs.reader import open_fcs
from cytocar.figures.gate_pictures.axis import PictureAxis
from cytocar.figures.gate_pictures.panels import Picture, draw_events
from cytocar.figures.gate_pictures.views import View
from cytocar.gates.engine.frame import ALL
from cytocar.gates.populations import Populations
from cytocar.gates.walk import walk
from cytocar.regions.kinds import FixedGate
from cytocar.sample.quality.flow import flow_quality
from cytocar.signals.panel import resolve
from cytocar.statistics.intervals import Share
from cytocar.template.model import Counting, Report, Template

if TYPE_CHECKING:
    from cytocar.files.places import Place

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
LOW, HIGH = 0.0005, 0.9998
"""Quantiles between which an axis runs: a stray event must not squeeze all others into a corner."""
FEWEST_SHOWN = 50
"""With fewer events of its parent a picture keeps the range of all events."""
MARGIN = 0.04


class Count(Struct, frozen=True):
    """A population in one file."""

    events: int
    of_events: int

    @property
    def percent(self) -> float | None:
        """Percent of the parent; None of an empty one."""
        return Share(self.events, self.of_events).percent


class Trial(Struct, frozen=True, eq=False):
    """A change that is looked at before it is kept: the template before it, and what it leaves as it is."""

    before: Template
    unchanged: frozenset[str]


class OpenTube(Struct, eq=False):
    """One file.

    ``own_panel`` are the markers of the template's file, beside which the editor shows other
    channels; ``problem`` says why it cannot be counted with the template as it is.
    """

    name: str
    events: EventTable
    markers: Mapping[str, str]
    own_panel: frozenset[str] = frozenset()
    problem: str = ""
    _last: tuple[Template, Populations] | None = None
    _whole: tuple[Template, Populations] | None = None
    _signals: dict[str, Floats | None] = field(default_factory=dict)
    _places: dict[str, tuple[PictureAxis, Floats]] = field(default_factory=dict)
    _steady: dict[tuple[int, ...], Bools | None] = field(default_factory=dict)

    def gated(self, template: Template, trial: Trial | None = None) -> Populations | None:
        """Return the populations of the file as a run counts them; None, and a problem, where that is not possible.

        Parameters
        ----------
        trial : Trial, optional
            What a drag that is not let go yet leaves as it is: those gates are not placed again.
        """
        for known in (self._last, self._whole):
            if known is not None and known[0] is template:
                return known[1]
        placed = {}
        if trial is not None and self._whole is not None and self._whole[0] is trial.before:
            placed = {name: gate for name, gate in self._whole[1].fitted.items() if name in trial.unchanged}
        try:
            populations = walk(
                self.events,
                template,
                markers=self._settled(template),
                steady=self._kept(template),
                gate_overrides=placed,
            )
        except SampleError as error:
            self.problem = f"{error.code} {error.message}"
            return None
        self.problem = ""
        self._last = (template, populations)
        if trial is None:
            self._whole = self._last
        return populations

    def signal(self, marker: str, template: Template) -> Floats | None:
        """Return a marker's compensated signal of all events, shape (n_events,); None where the file has no such."""
        if marker not in self._signals:
            whole = replace(template, populations=(), report=Report(), counting=Counting())
            try:
                populations = walk(self.events, whole, markers=self._settled(template))
                self._signals[marker] = populations.values(ALL, marker)
            except SampleError:
                self._signals[marker] = None
        return self._signals[marker]

    def picture(
        self, template: Template, view: View, axes: Mapping[str, PictureAxis], *, dots: bool = False, back: str = ""
    ) -> Picture | None:
        """Return a view of the file; None where it has no such channel or cannot be counted.

        Parameters
        ----------
        dots : bool
            Draw events one by one and not their density.
        back : str
            A population whose events are shown on the picture, wherever its gate is drawn.
        """
        populations = self.gated(template)
        places: dict[str, Floats] = {}
        for marker in view.markers:
            signal = self.signal(marker, template)
            if signal is None:
                return None
            if marker not in self._places or self._places[marker][0] != axes[marker]:
                self._places[marker] = (axes[marker], axes[marker].place(signal))
            places[marker] = self._places[marker][1]
        if populations is None:
            return None
        inside = self._inside(populations, view)
        shown = replace(view, populations=tuple(name for name in view.populations if name in populations.fitted))
        behind = populations[back].mask & inside if back in populations else None
        return draw_events(shown, places, inside, populations.fitted, axes, dots=dots, marked=behind)

    def fitted(self, template: Template, population: str) -> FixedGate | None:
        """Return a population's gate as it lies on this file."""
        populations = self.gated(template)
        return None if populations is None else populations.fitted.get(population)

    def detector(self, marker: str, template: Template) -> str:
        """Return the detector that carries a marker; nothing where the file has none."""
        try:
            entry = {marker: template.panel[marker]}
            settled = {marker: self.markers[marker]} if marker in self.markers else None
            channel = resolve(entry, self.events.channels, overrides=settled).get(marker)
        except SampleError:
            return ""
        return channel.detector.strip() if channel is not None else ""

    def _inside(self, populations: Populations, view: View) -> Bools:
        inside = populations[view.parent].mask
        for name in view.exclude:
            if name in populations:
                inside = inside & ~populations[name].mask
        return inside

    def _kept(self, template: Template) -> Bools | None:
        """Return the events of a steady flow, by the channels of the template's own panel, as a run judges them."""
        if template.quality.unsteady_flow != "cut":
            return None
        gated = {marker for population in template.populations for marker in population.gate.markers()}
        own = {name: entry for name, entry in template.panel.items() if name in self.own_panel or name in gated}
        channels = tuple(dict.fromkeys(resolve(own, self.events.channels, overrides=self._settled(template)).values()))
        key = tuple(channel.index for channel in channels)
        if key not in self._steady:
            self._steady[key] = flow_quality(self.events, channels).keep
        return self._steady[key]

    def _settled(self, template: Template) -> Mapping[str, str]:
        return {marker: channel for marker, channel in self.markers.items() if marker in template.panel}


def open_tube(file: Place, markers: Mapping[str, str]) -> OpenTube:
    """Return a file with its events in memory.

    Raises
    ------
    SampleError
        It cannot be read.
    """
    events = open_fcs(file)
    values = events.columns(channel for channel in events.channels)
    return OpenTube(file.name, replace(events, source=MemorySource(values)), markers)


def count_of(populations: Populations, name: str) -> Count:
    """Return a population's events, and those that its gate chose from: its parent's without those set aside."""
    declared = populations.gated.template.population(name)  # without what the file's markers do not allow
    if not declared.exclude:
        return Count(populations[name].events, populations[declared.parent].events)
    inside = populations[declared.parent].mask
    for aside in declared.exclude:
        inside = inside & ~populations[aside].mask
    return Count(populations[name].events, int(np.count_nonzero(inside)))


def own_range(
    marker: str, template: Template, tubes: Sequence[OpenTube], masks: Sequence[npt.NDArray[np.bool_] | None]
) -> PictureAxis:
    """Return a marker's axis on its scale, over the range that events of all files fill: some of each, or all."""
    scale = template.scale(marker)
    signals = [
        signal if mask is None else signal[mask]
        for tube, mask in zip(tubes, masks, strict=True)
        if (signal := tube.signal(marker, template)) is not None and len(signal)
    ]
    finite = [one[np.isfinite(one)] for one in signals]
    top = max((float(one.max()) for one in finite if len(one)), default=1.0)
    whole = PictureAxis.of(marker, scale, top=max(top, 1.0))
    ends = [np.quantile(one, (LOW, HIGH)) for one in finite if len(one)]
    if not ends:
        return whole
    low, high = (float(scale.unbounded(value)) for value in (min(end[0] for end in ends), max(end[1] for end in ends)))
    low = whole.low if not np.isfinite(low) else min(low, float(np.nan_to_num(scale.unbounded(0.0), neginf=low)))
    if not high > low:
        return whole
    margin = MARGIN * (high - low)
    return whole.between(low - margin, high + margin)
