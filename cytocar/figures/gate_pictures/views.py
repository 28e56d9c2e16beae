"""Which pictures show the gates of a template: one for each step, in its order, the same for every sample."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from cytocar.regions.boolean import BooleanGate
from cytocar.template.gate_kinds import ClusterGate, SingletsGate
from cytocar.template.model import Population, Template


class View(Struct, frozen=True):
    """One picture of a gating strip: the events that some gates chose from, on two axes.

    Parameters
    ----------
    parent, exclude
        Whose events are drawn, and the populations that were set aside first.
    x, y : str
        Markers; without ``y`` the picture is a histogram.
    populations : tuple of str
        Whose gates are drawn on it.
    car : bool
        Whether this is the picture of the CAR gate.
    """

    parent: str
    exclude: tuple[str, ...]
    x: str
    y: str | None
    populations: tuple[str, ...]
    car: bool = False

    @property
    def markers(self) -> tuple[str, ...]:
        """The markers of the axes."""
        return (self.x,) if self.y is None else (self.x, self.y)


def views(template: Template) -> tuple[View, ...]:
    """Return the pictures of a template's gates; gates that share events and axes share a picture.

    Boolean gates have no picture of their own.
    """
    chosen: list[View] = []
    for population in template.populations:
        for x, y in _axes(population, template):
            _add(chosen, population, x, y, car=population.name == template.report.car)
    return tuple(_with_partner(view, template) if view.y is None else view for view in chosen)


def _axes(population: Population, template: Template) -> Iterator[tuple[str, str | None]]:
    """Yield the pairs of markers that show a population's gate."""
    gate = population.gate
    if isinstance(gate, BooleanGate):
        return
    markers = gate.markers()
    if isinstance(gate, ClusterGate | SingletsGate):
        markers = markers[:2]  # a cluster's further markers only point to it
    pairs = [markers[start : start + 2] for start in range(0, len(markers), 2)]
    for pair in pairs:
        if len(pair) == 2:
            yield _upright(*pair)
        elif len(markers) > 1:
            yield _upright(markers[0], pair[0])
        else:
            yield pair[0], None


def _upright(x: str, y: str) -> tuple[str, str]:
    """Return two axes with side scatter, or else any scatter, as the vertical one, where a reader looks for it."""
    return (y, x) if _scatter(x) > _scatter(y) else (x, y)


def _scatter(marker: str) -> int:
    return {"ssc": 2, "fsc": 1}.get(marker[:3].casefold(), 0)


def _add(chosen: list[View], population: Population, x: str, y: str | None, *, car: bool) -> None:
    """Draw a gate on a picture that there is already, or on a new one."""
    for position, view in enumerate(chosen):
        if (view.parent, view.exclude) != (population.parent, population.exclude):
            continue
        same = set(view.markers) == {x, y} - {None}
        two_halves = view.y is None and y is None and x != view.x and not (view.car or car)
        if same or two_halves:
            more = () if population.name in view.populations else (population.name,)
            joined = replace(view, populations=(*view.populations, *more), car=view.car or car)
            chosen[position] = replace(joined, y=x) if two_halves else joined
            return
    chosen.append(View(population.parent, population.exclude, x, y, (population.name,), car))


def _with_partner(view: View, template: Template) -> View:
    """Return the picture of a single marker with a second axis: CD3 beside the CAR, side scatter beside the others."""
    wanted = [name for name in template.panel if _scatter(name) == 2]
    wanted += [name for name in template.panel if _scatter(name) == 1]
    if view.car and template.report.t_cells is not None:
        wanted = [*template.population(template.report.t_cells).gate.markers(), *wanted]
    wanted += [marker for population in template.populations for marker in population.gate.markers()]
    partner = next((name for name in wanted if name != view.x and not template.panel[name].optional), None)
    if partner is None:
        return view
    return replace(view, x=partner, y=view.x) if view.car else replace(view, y=partner)
