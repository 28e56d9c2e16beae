"""Small populations get frames of their own; nobody can tell from the events that gates hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cytocar.fcs.events import EventTable
from cytocar.gates.adaptive.parent_events import ParentEvents, largest, thin
from cytocar.gates.engine import frame
from cytocar.gates.engine.frame import BufferedSignals, Frame, GateStep, Rows, Signals
from cytocar.gates.populations import Populations
from cytocar.gates.walk import walk
from cytocar.regions.geometry import inside_polygon
from cytocar.regions.polygon import PolygonGate
from cytocar.signals.declaration import declare
from cytocar.signals.scales import LogicleScale
from cytocar.template.model import Template

N = 100_000


def valley(name: str, marker: str, parent: str = "all") -> dict[str, Any]:
    gate = {"kind": "valley", "marker": marker, "keep": "above", "fallback": 1000, "window": [300, 3000]}
    return {"name": name, "parent": parent, "gate": gate}


def either(name: str, parent: str = "all", **lists: list[str]) -> dict[str, Any]:
    return {"name": name, "parent": parent, "gate": {"kind": "boolean", **lists}}


def three_markers() -> EventTable:
    """Return events of which a tenth each is bright in A, B and C, independently."""
    random = np.random.default_rng(8)
    columns = {
        name: np.where(random.random(N) < 0.1, random.normal(8000, 800, N), random.normal(100, 50, N)) for name in "ABC"
    }
    columns["A"][:50] = np.nan
    return EventTable.from_columns(columns)


def crossing_branches() -> Template:
    """Return gates that refer to populations within other small populations."""
    populations = [
        valley("a", "A"),
        valley("b", "B"),
        valley("a_c", "C", parent="a"),
        valley("b_c", "C", parent="b"),
        either("any_c", any_of=["a_c", "b_c"]),
        either("only_b_c", parent="b", all_of=["b_c"], none_of=["a_c"]),
        {**valley("a_not_c", "B", parent="a"), "exclude": ["a_c"]},
        either("a_and_b", parent="a", all_of=["b"]),
        {**valley("deep", "B", parent="a_c"), "exclude": ["only_b_c"]},
    ]
    about = {"name": "test", "version": "1.0.0", "panel": {"A": {}, "B": {}, "C": {}}}
    return declare(Template, {**about, "compensation": {"source": "none"}, "populations": populations})


def masks(found: Populations) -> dict[str, Any]:
    return {name: population.mask for name, population in found.items()}


def test_populations_of_other_branches_are_known_in_every_frame() -> None:
    found = walk(three_markers(), crossing_branches(), medians=["B"])
    inside = masks(found)  # from a pass over the file with every gate fixed, which makes no such frames
    assert {name: int(mask.sum()) for name, mask in inside.items()} == {n: p.events for n, p in found.items()}
    assert np.array_equal(inside["any_c"], inside["a_c"] | inside["b_c"])
    assert np.array_equal(inside["only_b_c"], inside["b_c"] & ~inside["a_c"] & np.isfinite(three_markers().column("A")))
    assert not (inside["a_not_c"] & inside["a_c"]).any()
    assert np.array_equal(inside["a_and_b"], inside["a"] & inside["b"])
    for name in ("deep", "any_c"):
        assert found.median(name, "B") == np.median(found.values(name, "B"))


def test_frames_of_small_populations_change_no_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    narrowed = walk(three_markers(), crossing_branches())
    monkeypatch.setattr(frame, "FEW_EVENTS", 10 * N)
    whole = walk(three_markers(), crossing_branches())
    assert narrowed.decisions == whole.decisions
    assert [p.events for p in narrowed.values()] == [p.events for p in whole.values()]


def test_only_a_small_population_of_many_events_gets_a_frame_of_its_own() -> None:
    random = np.random.default_rng(1)

    def frame_of(n_events: int, share: float) -> bool:
        bright = random.random(n_events) < share
        events = EventTable.from_columns({"A": np.where(bright, 8000.0, 100.0)})
        populations = [valley("a", "A"), valley("below", "A", parent="a")]
        about = {"name": "test", "version": "1.0.0", "panel": {"A": {}}, "compensation": {"source": "none"}}
        copied: list[int] = []
        original = frame.SubsetSignals.__init__

        def noted(self: frame.SubsetSignals, signals: Signals, rows: Rows) -> None:
            copied.append(rows.size)
            original(self, signals, rows)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(frame.SubsetSignals, "__init__", noted)
            walk(events, declare(Template, {**about, "populations": populations}))
        return bool(copied)

    assert frame_of(100_000, 0.1)
    assert not frame_of(100_000, 0.9)
    assert not frame_of(10_000, 0.1)


def test_a_cutout_thins_as_the_cut_out_signal_is_thinned() -> None:
    signal = np.arange(1000.0)
    rows = np.flatnonzero(signal % 3 == 0)
    cut = ParentEvents(("A",), lambda _: signal, rows, 1000)
    assert np.array_equal(cut["A"], signal[rows])
    assert np.array_equal(cut.thinned("A", 50), thin(signal[rows], 50))
    assert len(cut.thinned("A", 50)) <= 50
    assert list(cut) == ["A"]
    with pytest.raises(KeyError):
        cut["B"]


def test_the_largest_signal_of_a_cutout_is_found_without_cutting_it_out() -> None:
    signal = np.random.default_rng(3).normal(0, 1, N)
    rows = np.flatnonzero(np.arange(N) % 3)
    events = ParentEvents(["A"], lambda _marker: signal, rows, N)
    assert events.largest("A") == largest({"A": signal[rows]}, "A") == signal[rows].max()
    signal[rows[-1]] = np.nan
    assert np.isnan(events.largest("A"))
    assert ParentEvents(["A"], lambda _marker: signal, rows[:0], N).largest("A") == -np.inf


def test_events_near_a_curved_polygon_are_decided_as_if_each_stood_alone() -> None:
    scale = LogicleScale()
    gate = PolygonGate(x="A", y="B", vertices=((3000, 5000), (20_000, 4000), (9000, 60_000)))
    events = three_markers()
    signals = {name: np.tile(events.column(name), 2) * (1 + np.arange(2 * N) % 7) for name in "AB"}
    found = Frame(BufferedSignals(signals, 2 * N)).evaluate(GateStep("p", "all", (), gate.placed(lambda _name: scale)))
    corners = np.stack([scale.forward(axis) for axis in np.array(gate.vertices).T], axis=1)
    inside = inside_polygon(corners, *(scale.forward(signal) for signal in signals.values()))
    assert found.tolist() == inside.tolist()
    assert 100 < inside.sum() < N / 10
