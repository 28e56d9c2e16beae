"""Walking a template: every fixed gate kind on tables whose answer can be seen, and the properties of any walk."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

import cytocar
from cytocar.errors.tree import CompensationError, GateError
from cytocar.fcs.events import EventTable
from cytocar.gates.decision import Background, Decision, FitInput, Fitted, Source
from cytocar.gates.events_over_time import LowScatter
from cytocar.gates.medians import median_of
from cytocar.gates.populations import Populations
from cytocar.gates.walk import replay, walk
from cytocar.regions.boxes import RangeGate
from cytocar.signals.compensation import SpilloverMatrix
from cytocar.signals.declaration import declare
from cytocar.signals.scales import LogicleScale
from cytocar.template.model import Template


def template(*populations: dict[str, Any], **more: Any) -> Template:
    """Return a template on markers A, B and C without compensation."""
    given: dict[str, Any] = {
        "name": "test",
        "version": "1.0.0",
        "panel": {"A": {}, "B": {}, "C": {}},
        "compensation": {"source": "none"},
        "populations": populations,
    }
    return declare(Template, {**given, **more})


def population(name: str, kind: str, parent: str = "all", exclude: tuple[str, ...] = (), **gate: Any) -> dict[str, Any]:
    return {"name": name, "parent": parent, "exclude": exclude, "gate": {"kind": kind, **gate}}


def table(**columns: list[float]) -> EventTable:
    length = len(next(iter(columns.values())))
    return EventTable.from_columns({name: columns.get(name, [0.0] * length) for name in "ABC"})


def rows(populations: Populations, name: str) -> list[int]:
    """Return the events of a population by their number, checking mask against count."""
    mask = populations[name].mask
    assert mask.sum() == populations[name].events
    return np.flatnonzero(mask).tolist()


# ---------------------------------------------------------------- kinds


def test_a_range_holds_its_minimum_and_not_its_maximum() -> None:
    found = walk(table(A=[9, 10, 19, 20]), template(population("a", "range", marker="A", min=10, max=20)))
    assert rows(found, "a") == [1, 2]
    assert rows(found, "all") == [0, 1, 2, 3]


def test_a_range_may_be_open_at_either_end() -> None:
    gates = population("high", "range", marker="A", min=10), population("low", "range", marker="A", max=10)
    found = walk(table(A=[-5, 10, 1e9]), template(*gates))
    assert (rows(found, "high"), rows(found, "low")) == ([1, 2], [0])


def test_a_rectangle_bounds_any_number_of_markers() -> None:
    gate = population("box", "rectangle", bounds={"A": {"min": 1}, "B": {"max": 5}, "C": {"min": 2, "max": 3}})
    found = walk(table(A=[1, 0, 1, 1], B=[4, 4, 5, 4], C=[2, 2, 2, 3]), template(gate))
    assert rows(found, "box") == [0]


def test_a_polygon_that_crosses_itself_is_even_odd() -> None:
    gate = population("bow", "polygon", x="A", y="B", vertices=[[0, 0], [2, 2], [2, 0], [0, 2]])
    found = walk(table(A=[0.5, 1.0, 1.5], B=[1.0, 1.5, 1.0]), template(gate))
    assert rows(found, "bow") == [0, 2]


def test_polygon_edges_are_straight_on_the_axes_scales() -> None:
    scale = LogicleScale()
    corners = scale.inverse([[0.2, 0.2], [0.8, 0.2], [0.8, 0.8]])
    middle = float(scale.inverse(0.5))
    below, above = float(scale.inverse(0.49)), float(scale.inverse(0.51))
    gate = population("tri", "polygon", x="A", y="B", vertices=corners.tolist())
    made = template(gate, scales={"default": {"kind": "logicle"}})
    assert rows(walk(table(A=[middle, middle], B=[below, above]), made), "tri") == [0]


def test_an_ellipse_holds_its_boundary_in_three_dimensions() -> None:
    gate = population(
        "ball",
        "ellipse",
        axes=["A", "B", "C"],
        center=[1, 1, 1],
        covariance=np.eye(3).tolist(),
        distance_square=9.0,
    )
    found = walk(table(A=[1, 4, 4], B=[1, 1, 1.1], C=[1, 1, 1]), template(gate))
    assert rows(found, "ball") == [0, 1]


def test_the_corners_of_a_quadrant_gate_share_out_their_parent() -> None:
    divide: dict[str, Any] = {"x": {"marker": "A", "at": 10}, "y": {"marker": "B", "at": 20}}
    names = {"--": "neither", "+-": "a", "-+": "b", "++": "both"}
    made = template(*(population(name, "quadrant", keep=keep, **divide) for keep, name in names.items()))
    found = walk(table(A=[9, 10, 9, 10], B=[19, 19, 20, 20]), made)
    assert [rows(found, name) for name in ("neither", "a", "b", "both")] == [[0], [1], [2], [3]]


def test_a_quadrant_gate_may_have_several_dividers_on_an_axis() -> None:
    axes = [{"marker": "A", "at": [10, 20]}, {"marker": "B", "at": 5}, {"marker": "C", "at": 1}]
    found = walk(
        table(A=[9, 15, 20, 15], B=[9, 9, 9, 1], C=[0, 0, 0, 0]),
        template(population("mid", "quadrant", axes=axes, keep=[1, 1, 0])),
    )
    assert rows(found, "mid") == [1]


def test_boolean_gates_combine_populations_of_any_parents() -> None:
    made = template(
        population("a", "range", marker="A", min=1),
        population("b", "range", marker="B", min=1),
        population("c_in_b", "range", parent="b", marker="C", min=1),
        population("all_of", "boolean", all_of=["a", "c_in_b"]),
        population("any_of", "boolean", any_of=["a", "c_in_b"]),
        population("none_of", "boolean", none_of=["a", "c_in_b"]),
        population("within", "boolean", parent="b", none_of=["a"], any_of=["c_in_b", "b"]),
    )
    found = walk(table(A=[1, 0, 0, 1, 0], B=[1, 1, 0, 0, 1], C=[1, 1, 1, 0, 0]), made)
    assert rows(found, "all_of") == [0]
    assert rows(found, "any_of") == [0, 1, 3]
    assert rows(found, "none_of") == [2, 4]
    assert rows(found, "within") == [1, 4]


def test_excluded_populations_are_set_aside_before_the_gate() -> None:
    made = template(
        population("beads", "range", marker="A", min=10),
        population("cells", "range", exclude=("beads",), marker="B", min=1),
    )
    assert rows(walk(table(A=[0, 10, 0], B=[1, 1, 0]), made), "cells") == [0]


def test_numbers_on_the_scale_and_in_data_units_mean_the_same_gate() -> None:
    scale = {"kind": "logicle"}
    edge = float(LogicleScale().inverse(0.6))
    made = template(
        population("data", "range", marker="A", min=edge),
        population("scale", "range", marker="A", min=0.6, units="scale"),
        scales={"default": scale},
    )
    found = walk(table(A=(np.linspace(-1, 3, 98) * edge).tolist()), made)
    assert rows(found, "data") == rows(found, "scale")


def test_a_ratio_axis_is_gated_like_any_other() -> None:
    made = template(
        population("r", "range", marker="R", min=2),
        panel={"A": {}, "B": {}, "R": {"ratio": {"numerator": "A", "denominator": "B", "A": 1, "B": 1, "C": -1}}},
    )
    assert rows(walk(table(A=[5, 4, 9], B=[1, 1, -1]), made), "r") == [0]


# ---------------------------------------------------------------- events without a number


def test_nan_and_infinities_are_in_no_gate_nor_in_its_complement_and_are_counted() -> None:
    made = template(
        population("a", "range", marker="A", min=0),
        population("open", "rectangle", bounds={"A": {}, "B": {"min": -1}}),
        population("not_a", "boolean", none_of=["a"]),
    )
    found = walk(table(A=[1.0, -1.0, np.nan, np.inf, -np.inf]), made)
    assert rows(found, "a") == [0]
    assert rows(found, "open") == [0, 1]
    assert rows(found, "not_a") == [1]
    (finding,) = (one for one in found.findings if one.check == "finite")
    assert (finding.code, finding.value) == ("W230", 3)


def test_events_without_a_number_are_counted_where_only_a_data_driven_gate_sees_them() -> None:
    found = walk(table(A=[1.0, 3.0, np.nan, np.inf], B=[np.nan] * 4), template(valley("bright", "A")))
    (finding,) = (one for one in found.findings if one.check == "finite")
    assert (finding.code, finding.value) == ("W230", 2)


def test_a_lost_number_matters_only_where_it_is_gated() -> None:
    found = walk(table(A=[1.0, 1.0], B=[np.nan, 1.0]), template(population("a", "range", marker="A", min=0)))
    assert rows(found, "a") == [0, 1]
    assert not [one for one in found.findings if one.check == "finite"]


# ---------------------------------------------------------------- compensation

SPILL = {"$SPILLOVER": "2,A,B,1,0.5,0,1"}


def stained(keywords: dict[str, str] | None = SPILL) -> EventTable:
    columns = {"A": [100.0, 0.0], "B": [70.0, 30.0], "C": [1.0, 2.0]}
    return EventTable.from_columns(columns, keywords=keywords)


def test_the_matrix_of_the_file_is_applied_to_its_channels_only() -> None:
    made = template(population("b", "range", marker="B", min=25), compensation={"source": "file"})
    found = walk(stained(), made)
    assert found.values("all", "B").tolist() == [20.0, 30.0]
    assert found.values("all", "C").tolist() == [1.0, 2.0]
    assert rows(found, "b") == [1]
    assert found.compensation == "$SPILLOVER"


def test_a_marker_may_go_its_own_way() -> None:
    matrix = {"fluorochromes": ["FITC", "PE"], "detectors": ["A", "B"], "values": [[1, 0.1], [0, 1]]}
    made = template(
        population("b", "range", marker="B", min=0),
        panel={
            "A": {},
            "B": {"compensation": "none"},
            "PE": {"compensation": "mine", "fluorochrome": "PE"},
            "also B": {"detectors": ["B"]},
        },
        compensation={"source": "file", "matrices": {"mine": matrix}},
    )
    found = walk(stained(), made)
    assert found.values("all", "B").tolist() == [70.0, 30.0]
    assert found.values("all", "PE").tolist() == [60.0, 30.0]
    assert found.values("all", "also B").tolist() == [20.0, 30.0]


def test_a_given_matrix_takes_the_place_of_the_source() -> None:
    matrix = SpilloverMatrix(("A", "B"), ("A", "B"), np.array([[1, 0.7], [0, 1]]), origin="mine.csv")
    made = template(population("b", "range", marker="B", min=0), compensation={"source": "file"})
    found = walk(stained(), made, compensation=matrix)
    assert found.values("all", "B").tolist() == [0.0, 30.0]
    assert found.compensation == "mine.csv"


def test_a_file_without_a_matrix_is_refused_unless_the_template_allows_it() -> None:
    gate = population("b", "range", marker="B", min=0)
    with pytest.raises(CompensationError, match="no spillover matrix") as caught:
        walk(stained(keywords={}), template(gate, compensation={"source": "file"}))
    assert caught.value.code == "E055"
    found = walk(stained(keywords={}), template(gate, compensation={"source": "file", "missing": "none"}))
    assert found.compensation == "none"


def test_a_matrix_for_other_channels_is_refused() -> None:
    keywords = {"$SPILLOVER": "2,A,Z,1,0.5,0,1"}
    with pytest.raises(CompensationError, match="Z") as caught:
        walk(stained(keywords), template(population("b", "range", marker="B", min=0), compensation={"source": "file"}))
    assert caught.value.code == "E050"


def test_a_matrix_for_a_name_that_two_channels_share_is_refused() -> None:
    events = stained()
    twice = replace(events, channels=(*events.channels[:2], replace(events.channels[2], detector="B")))
    made = template(population("a", "range", marker="A", min=0), panel={"A": {}}, compensation={"source": "file"})
    with pytest.raises(CompensationError, match="several channels") as caught:
        walk(twice, made)
    assert caught.value.code == "E050"


def test_populations_of_an_absent_optional_marker_are_left_out_and_said() -> None:
    made = template(
        population("a", "range", marker="A", min=0),
        population("z", "range", marker="Z", min=0),
        population("both", "boolean", parent="a", all_of=["z"]),
        panel={"A": {}, "Z": {"optional": True}},
    )
    populations = walk(stained(), made)
    assert list(populations) == ["all", "a"]
    (finding,) = [one for one in populations.findings if one.code == "W272"]
    assert finding.outcome == "note"
    assert finding.message == "the file has no Z; left out: z and 1 that come from it"
    assert list(replay(stained(), made, populations.fitted).gates) == ["a"]


def test_a_template_of_which_no_population_is_left_is_refused() -> None:
    made = template(population("z", "range", marker="Z", min=0), panel={"A": {}, "Z": {"optional": True}})
    with pytest.raises(GateError, match="Z") as caught:
        walk(stained(), made)
    assert caught.value.code == "E058"


# ---------------------------------------------------------------- what a walk returns


def test_populations_come_in_the_order_of_the_template_after_all() -> None:
    made = template(
        population("x", "range", marker="A", min=0), population("y", "range", parent="x", marker="B", min=0)
    )
    found = walk(table(A=[1.0]), made)
    assert list(found) == ["all", "x", "y"]
    assert [found[name].parent for name in found] == ["all", "all", "x"]
    assert len(found) == 3


def test_values_and_medians_are_compensated_linear_signals_of_the_population() -> None:
    made = template(
        population("a", "range", marker="A", min=2), population("none", "range", marker="A", min=99, parent="a")
    )
    events = table(A=[1, 2, 3, 4], B=[10, 20, 30, 60])
    for found in (walk(events, made), walk(events, made, medians=["B"])):
        assert found.values("a", "B").tolist() == [20.0, 30.0, 60.0]
        assert found.median("a", "B") == 30.0
        assert found.median("all", "B") == 25.0
        assert found.median("none", "B") is None


def test_the_median_of_an_optional_marker_that_is_absent_is_unknown() -> None:
    panel = {"A": {}, "Z": {"optional": True}}
    made = template(population("a", "range", marker="A", min=0), panel=panel, report={"medians": ["A", "Z"]})
    found = walk(table(A=[1.0, 3.0]), made, medians=made.report.medians)
    assert (found.median("a", "A"), found.median("a", "Z")) == (2.0, None)


def test_every_number_of_a_fixed_gate_is_a_decision() -> None:
    made = template(
        population("a", "range", marker="A", min=2, max=9),
        population("q", "quadrant", x={"marker": "A", "at": 1}, y={"marker": "B", "at": 2}, keep="+-"),
        population("p", "polygon", x="A", y="B", vertices=[[0, 0], [1, 0], [1, 1]]),
        population("n", "boolean", none_of=["a"]),
    )
    decided = [(row.population, row.parameter, row.value) for row in walk(table(A=[1.0]), made).decisions]
    assert decided == [
        ("a", "A min", 2.0),
        ("a", "A max", 9.0),
        ("q", "A min", 1.0),
        ("q", "B max", 2.0),
        ("p", "A corner 1", 0.0),
        ("p", "B corner 1", 0.0),
        ("p", "A corner 2", 1.0),
        ("p", "B corner 2", 0.0),
        ("p", "A corner 3", 1.0),
        ("p", "B corner 3", 1.0),
        ("n", "none of a", None),
    ]


def test_an_override_replaces_a_gate_and_says_so() -> None:
    made = template(population("a", "range", marker="A", min=2))
    found = walk(table(A=[1, 2, 3]), made, gate_overrides={"a": RangeGate(marker="A", min=3)})
    assert rows(found, "a") == [2]
    assert found.fitted["a"] == RangeGate(marker="A", min=3)
    assert [row.source for row in found.decisions] == [Source.OVERRIDE]


def test_the_public_name_is_gate() -> None:
    assert cytocar.gate is walk


# ---------------------------------------------------------------- data-driven gates


@pytest.fixture
def mean_gate(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Place every ``valley`` gate at the mean of its parent's events; return what each fit was given."""
    seen: list[dict[str, Any]] = []

    def fit(gate: Any, given: FitInput) -> Fitted:
        values = given.columns[gate.marker]
        more = {name: getattr(given, name) for name in ("scales", "ranges", "references")}
        seen.append({"population": given.population, "events": values.tolist(), **more})
        at = float(values.mean())
        row = Decision(given.population, gate.kind, "threshold", at, Source.VALLEY)
        return Fitted(RangeGate(marker=gate.marker, min=at), (row,), Background(1, 10, ("healthy",)))

    monkeypatch.setattr("cytocar.gates.adaptive.ADAPTIVE", {"valley": fit})
    return seen


def valley(name: str, marker: str, parent: str = "all", exclude: tuple[str, ...] = ()) -> dict[str, Any]:
    return population(name, "valley", parent, exclude, marker=marker, keep="above", fallback=1, window=[0, 9])


ADAPTIVE_TREE = template(
    population("junk", "range", marker="C", min=5),
    population("live", "range", marker="A", min=1),
    valley("high", "B", parent="live", exclude=("junk",)),
    population("c", "range", parent="high", marker="C", min=2),
    valley("higher", "B", parent="c"),
    population("rest", "boolean", parent="live", none_of=["high", "junk"]),
)
ADAPTIVE_TABLE: dict[str, list[float]] = {
    "A": [0, 1, 1, 1, 1, 1],
    "B": [99, 10, 20, 30, 40, 1000],
    "C": [0, 0, 0, 2, 3, 5],
}


def test_a_data_driven_gate_sees_its_parents_events_less_the_excluded_ones(mean_gate: list[dict[str, Any]]) -> None:
    found = walk(table(**ADAPTIVE_TABLE), ADAPTIVE_TREE)
    assert [(fit["population"], fit["events"]) for fit in mean_gate] == [
        ("high", [10.0, 20.0, 30.0, 40.0]),
        ("higher", [30.0, 40.0]),
    ]
    assert set(mean_gate[0]["ranges"]) == set(mean_gate[0]["scales"]) == {"A", "B", "C"}
    assert {name: rows(found, name) for name in found} == {
        "all": [0, 1, 2, 3, 4, 5],
        "junk": [5],
        "live": [1, 2, 3, 4, 5],
        "high": [3, 4],
        "c": [3, 4],
        "higher": [4],
        "rest": [1, 2],
    }


def test_in_a_large_file_data_driven_gates_look_at_some_events_and_every_event_is_counted(
    mean_gate: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    many = {name: column * 10_000 for name, column in ADAPTIVE_TABLE.items()}  # every seventh event: each row as often
    whole = walk(table(**many), ADAPTIVE_TREE, medians=["B"])
    assert mean_gate.pop(0)["events"] == [10.0, 20.0, 30.0, 40.0] * 10_000
    monkeypatch.setattr("cytocar.gates.walk.MOST_EVENTS_KEPT", 9_000)
    steady = np.arange(60_000) >= 60
    mean_gate.clear()
    found = walk(table(**many), ADAPTIVE_TREE, medians=["B"], steady=steady, watch=True)
    assert len(mean_gate) == 2
    assert len(mean_gate[0]["events"]) == pytest.approx(60_000 * 4 / 6 / 7, abs=40)  # less the unsteady beginning
    assert {name: found[name].events for name in found} == {
        "all": 60_000,
        **{name: whole[name].events * 9_990 // 10_000 for name in whole if name != "all"},
    }
    assert found.median("high", "B") == whole.median("high", "B")
    assert [row.source for row in found.decisions] == [row.source for row in whole.decisions]
    assert found.decisions[2].value == pytest.approx(25, abs=0.1)
    assert found.backgrounds.keys() == whole.backgrounds.keys()
    (finding,) = [one for one in found.findings if one.code == "W273"]
    assert finding.outcome == "note"
    assert "one event in 7" in finding.message
    assert found.gated.chosen is not None
    assert found.gated.chosen.n_events >= 25_000


def test_a_placed_gate_is_fixed_from_then_on(mean_gate: list[dict[str, Any]]) -> None:
    found = walk(table(**ADAPTIVE_TABLE), ADAPTIVE_TREE, medians=["B"])
    assert found.fitted["high"] == RangeGate(marker="B", min=25.0)
    again = walk(table(**ADAPTIVE_TABLE), ADAPTIVE_TREE, gate_overrides=found.fitted)
    assert {name: found[name].events for name in found} == {name: again[name].events for name in again}
    assert len(mean_gate) == 2
    assert found.values("high", "B").tolist() == [30.0, 40.0]
    assert (found.median("high", "B"), found.median("live", "B")) == (35.0, 30.0)
    assert found.backgrounds["higher"].control_ids == ("healthy",)
    assert [row.source for row in found.decisions] == [
        Source.FIXED,
        Source.FIXED,
        Source.VALLEY,
        Source.FIXED,
        Source.VALLEY,
        Source.FIXED,
    ]


def test_controls_reach_the_gate_whose_parent_they_were_gated_to(mean_gate: list[dict[str, Any]]) -> None:
    control = object()
    walk(table(**ADAPTIVE_TABLE), ADAPTIVE_TREE, references={"c": [control]})  # type: ignore[list-item]  # a stand-in
    assert [fit["references"] for fit in mean_gate] == [(), [control]]


# ---------------------------------------------------------------- properties

TREE = template(
    population("singlets", "polygon", x="A", y="B", vertices=[[0, 0], [800, 100], [900, 900], [100, 700]]),
    population("low", "range", parent="singlets", marker="C", max=400),
    population("ball", "ellipse", parent="singlets", axes=["A", "C"], center=[500, 400],
               covariance=[[9000, 2000], [2000, 30000]], distance_square=4.0),
    population("corner", "quadrant", parent="low", x={"marker": "A", "at": 300},
               y={"marker": "B", "at": 500}, keep="+-"),
    population("either", "boolean", parent="singlets", any_of=["low", "ball"]),
    population("neither", "boolean", parent="singlets", none_of=["either"]),
)  # fmt: skip


def random_table(seed: int, n_events: int, order: np.ndarray | None = None) -> EventTable:
    rng = np.random.default_rng(seed)
    columns = {name: rng.normal(500, 250, n_events) for name in "ABC"}
    return EventTable.from_columns(
        {name: values if order is None else values[order] for name, values in columns.items()}
    )


@given(seed=st.integers(0, 999), n_events=st.integers(0, 400))
def test_every_population_lies_within_its_parent_and_complements_add_up(seed: int, n_events: int) -> None:
    found = walk(random_table(seed, n_events), TREE)
    for name in found:
        assert not (found[name].mask & ~found[found[name].parent].mask).any()
        assert found[name].mask.sum() == found[name].events
    assert found["either"].events + found["neither"].events == found["singlets"].events


@given(
    seed=st.integers(0, 999),
    scale=st.sampled_from(["linear", "asinh", "logicle", "hyperlog"]),
    thousandths=st.lists(st.integers(0, 1000), min_size=8, max_size=8, unique=True),
)
def test_gates_in_data_units_and_on_the_scale_hold_the_same_events(
    seed: int, scale: str, thousandths: list[int]
) -> None:
    places = [number / 1000 for number in thousandths]
    made = {"kind": scale, **({"T": 1000.0, "A": 100.0} if scale == "linear" else {"T": 1000.0, "M": 3.5})}
    axis = template(population("x", "range", marker="A", min=0), scales={"A": made}).scale("A")
    low, high, *corners = *sorted(places[:2]), *places[2:]
    data = [float(value) for value in axis.inverse(places)]
    triangle = [corners[:2], corners[2:4], corners[4:]]
    in_data = [data[2:4], data[4:6], data[6:]]
    both = template(
        population("range on scale", "range", marker="A", min=low, max=high, units="scale"),
        population("range", "range", marker="A", min=min(data[:2]), max=max(data[:2])),
        population("triangle on scale", "polygon", x="A", y="B", vertices=triangle, units="scale"),
        population("triangle", "polygon", x="A", y="B", vertices=in_data),
        scales={"default": made},
    )
    found = walk(random_table(seed, 500), both)
    np.testing.assert_array_equal(found["range on scale"].mask, found["range"].mask)
    np.testing.assert_array_equal(found["triangle on scale"].mask, found["triangle"].mask)


@given(seed=st.integers(0, 999), n_events=st.integers(1, 400))
def test_the_order_of_events_does_not_matter(seed: int, n_events: int) -> None:
    order = np.random.default_rng(seed).permutation(n_events)
    found, shuffled = walk(random_table(seed, n_events), TREE), walk(random_table(seed, n_events, order), TREE)
    for name in found:
        np.testing.assert_array_equal(found[name].mask[order], shuffled[name].mask)


def test_blocks_and_compaction_do_not_show() -> None:
    events = random_table(1, 100_001)
    found = walk(events, TREE)
    columns = {name: events.column(name) for name in "ABC"}
    low = found["singlets"].mask & (columns["C"] < 400)
    np.testing.assert_array_equal(found["low"].mask, low)
    np.testing.assert_array_equal(found.values("low", "B"), columns["B"][low])


# ---------------------------------------------------------------- unsteady flow


@pytest.mark.parametrize(
    "bright",
    [
        population("bright", "range", marker="A", min=10),
        population("bright", "valley", marker="A", keep="above", fallback=10, window=[5, 15]),
    ],
    ids=["fixed", "data-driven"],
)
def test_events_of_unsteady_flow_are_in_no_population_but_all(bright: dict[str, Any]) -> None:
    dim = population("dim", "boolean", none_of=("bright",))
    steady = np.array([True, False, True, True, False, True])
    found = walk(table(A=[20, 20, 0, 20, 0, 0]), template(bright, dim), steady=steady, medians=["A"])
    assert rows(found, "all") == [0, 1, 2, 3, 4, 5]
    assert rows(found, "bright") == [0, 3]
    assert rows(found, "dim") == [2, 5]
    assert found.median("dim", "A") == 0


@pytest.mark.parametrize("n_events", [1, 2, 1001, 5000, 200_001])
def test_the_quick_median_is_the_median(n_events: int) -> None:
    rng = np.random.default_rng(n_events)
    for values in (rng.normal(size=n_events), np.sort(rng.normal(size=n_events)), np.round(rng.normal(size=n_events))):
        assert median_of(values) == np.median(values)


def test_monocytes_are_no_witnesses_of_the_reagent() -> None:
    low = LowScatter()
    side, t_cells = np.r_[np.full(60, 100.0), 125.0, 160.0], np.r_[np.ones(60, dtype=bool), False, False]
    assert low.among(side, t_cells)[-2:].tolist() == [True, False]
    assert low.among(np.array([120.0, 140.0]), np.zeros(2, dtype=bool)).tolist() == [True, False]  # as seen before
    assert LowScatter().among(side, np.zeros(62, dtype=bool)).all()
