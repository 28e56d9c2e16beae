"""A template is drawn: what the tree, the pictures and the counts become, and that they are those of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from cytocar.editor import draft as edits
from cytocar.editor.draft import ALL
from cytocar.editor.grips import Grip
from cytocar.editor.opening import open_bench
from cytocar.editor.session import Bench
from cytocar.errors.tree import CytocarError, UsageError
from cytocar.fcs.reader import open_fcs
from cytocar.fit.names import alias_book
from cytocar.gates.walk import walk
from cytocar.regions.boxes import QuadrantGate
from cytocar.template.gate_kinds import ClusterGate, SingletsGate, ValleyGate
from cytocar.template.load import load_template


def names(bench: Bench) -> list[str]:
    return [one.name for one in bench.template.populations]


def with_t_cells(bench: Bench) -> Bench:
    """Draw leukocytes, and T cells among them."""
    bench.look(x="CD45", y="SSC-A")
    bench.draw("range", [(0.5, 0.5), (1.0, 0.5)], "leukocytes")
    bench.enter("leukocytes")
    bench.look(x="CD3")
    bench.draw("rectangle", [(0.5, 0.0), (1.0, 0.5)], "t_cells")
    return bench


def test_a_new_template_has_the_channels_of_the_files_by_their_markers(bench: Bench) -> None:
    assert {"CD3", "CD4", "CD8", "CD45", "CAR", "FSC-A", "SSC-A"} <= set(bench.template.panel)
    assert bench.template.populations == ()
    assert (bench.place.x, bench.place.y) == ("FSC-A", "SSC-A")
    assert bench.template.scale("CD3").kind == "logicle"
    assert bench.template.scale("SSC-A").kind == "linear"


def test_counts_are_those_of_a_run_for_every_population_and_file(bench: Bench, tubes: tuple[Path, ...]) -> None:
    with_t_cells(bench)
    bench.look(x="CD4", y="CD8")
    bench.enter("t_cells")
    bench.draw("polygon", [(0.5, 0.1), (0.9, 0.1), (0.9, 0.5), (0.5, 0.5)], "cd4")
    bench.draw("ellipse", [(0.1, 0.5), (0.4, 0.9)], "cd8")
    for tube, file in zip(bench.tubes, tubes, strict=True):
        walked = walk(open_fcs(file), bench.template)
        shown = bench.counts(tube)
        assert {name: count.events for name, count in shown.items()} == {
            name: population.events for name, population in walked.items() if name != ALL
        }
        assert shown["t_cells"].of_events == walked["leukocytes"].events


def test_a_picture_shows_the_events_that_the_gate_chooses_from(bench: Bench) -> None:
    with_t_cells(bench)
    for number, tube in enumerate(bench.tubes):
        picture = bench.shown(number).picture
        assert picture is not None
        assert picture.events == bench.counts(tube)["leukocytes"].events
        assert [gate.population for gate in picture.gates] == ["t_cells"]


def test_scatter_reaches_as_far_as_the_events_that_are_shown(bench: Bench) -> None:
    bench.look(x="FSC-A", y="SSC-A")
    whole = bench.stage().axes["SSC-A"].high
    bench.draw("rectangle", [(0.1, 0.0), (0.6, 0.25)], "lymphocytes")
    assert bench.stage().axes["SSC-A"].high == whole
    bench.enter("lymphocytes")
    bench.look(x="CD3", y="SSC-A")
    shown = bench.stage().axes["SSC-A"].high
    assert shown < 0.4 * whole
    bench.draw("range", [(0.5, 0.5), (1.0, 0.5)], "t_cells")
    assert bench.stage().axes["SSC-A"].high == shown, "what is drawn on a picture does not move it"


def test_an_empty_population_shows_the_events_of_its_ancestor(bench: Bench) -> None:
    with_t_cells(bench)
    bench.enter("t_cells")
    bench.look(x="FSC-A", y="SSC-A")
    bench.draw("rectangle", [(0.95, 0.02), (0.985, 0.04)], "nobody")
    bench.enter("nobody")
    shown = bench.shown(0)
    assert bench.counts(bench.tubes[0])["nobody"].events == 0
    assert shown.view.parent == "t_cells"
    assert shown.instead == "nobody is empty here: these are the events of t_cells"
    assert shown.picture is not None
    assert shown.picture.events == bench.counts(bench.tubes[0])["t_cells"].events


def test_a_percentage_leaves_out_what_was_set_aside(bench: Bench) -> None:
    bench.look(x="CD4", y="CD8")
    bench.draw("rectangle", [(0.85, 0.85), (1.0, 1.0)], "beads")
    bench.draw("range", [(0.2, 0.5), (1.0, 0.5)], "rest")
    before = bench.counts(bench.tubes[0])
    bench.change(edits.set_excluded(bench.draft, "rest", ["beads"]))
    after = bench.counts(bench.tubes[0])
    assert before["beads"].events > 0
    assert after["rest"].of_events == before["rest"].of_events - before["beads"].events
    assert after["rest"].events == before["rest"].events - before["beads"].events


def test_a_drag_is_tried_beside_the_template_and_kept_only_when_let_go(bench: Bench) -> None:
    with_t_cells(bench)
    before = bench.counts(bench.tubes[0])["t_cells"].events
    handle = next(grip.handle for grip in bench.grips() if grip.handle.x_name == "CD3 min")
    trial = bench.trial(bench.drag(handle.id, (0.7, 0.5)))
    assert trial.counts(trial.tubes[0])["t_cells"].events < before
    assert bench.counts(bench.tubes[0])["t_cells"].events == before
    bench.change(bench.drag(handle.id, (0.7, 0.5)))
    assert bench.counts(bench.tubes[0]) == trial.counts(trial.tubes[0])


def test_the_sides_of_a_box_are_dragged_where_they_are_and_a_line_over_the_whole_picture(bench: Bench) -> None:
    with_t_cells(bench)
    bench.take("t_cells")
    (side,) = (grip for grip in bench.grips() if grip.handle.x_name == "CD3 min")
    (top,) = (grip for grip in bench.grips() if grip.handle.y_name == "SSC-A max" and grip.handle.x_name is None)
    assert side.handle.x is not None and top.handle.y is not None
    assert side.span == pytest.approx((0.0, top.handle.y), abs=1e-4)
    assert top.span == pytest.approx((side.handle.x, 1.0), abs=1e-4)
    bench.take("leukocytes")
    assert [grip.span for grip in bench.grips()] == [None]


def test_every_change_can_be_undone_and_made_again(bench: Bench) -> None:
    with_t_cells(bench)
    drawn = bench.template
    bench.rename("t_cells", "CD3+")
    bench.delete("leukocytes")
    assert names(bench) == []
    for _ in range(2):
        bench.undo()
    assert bench.template == drawn
    bench.undo()
    assert names(bench) == ["leukocytes"]
    for _ in range(3):
        bench.redo()
    assert names(bench) == []
    bench.redo()  # there is nothing more
    bench.undo()
    bench.draw("range", [(0.2, 0.5), (0.4, 0.5)])
    assert bench.undone == []


def test_the_four_corners_of_a_quadrant_move_together(bench: Bench) -> None:
    bench.look(x="CD4", y="CD8")
    bench.draw("quadrant", [(0.5, 0.4)])
    assert names(bench) == ["CD4+ CD8-", "CD4- CD8+", "CD4+ CD8+", "CD4- CD8-"]
    counts = bench.counts(bench.tubes[0])
    assert sum(counts[name].events for name in names(bench)) == bench.tubes[0].events.n_events
    handle = next(grip.handle for grip in bench.grips() if grip.handle.x_name == "CD4 min")
    bench.change(bench.drag(handle.id, (0.6, 0.0)))
    dividers = {
        one.gate.x.at for one in bench.template.populations if isinstance(one.gate, QuadrantGate) and one.gate.x
    }
    assert len(dividers) == 1
    counts = bench.counts(bench.tubes[0])
    assert sum(counts[name].events for name in names(bench)) == bench.tubes[0].events.n_events


@pytest.fixture
def adaptive(tubes: tuple[Path, ...], tmp_path: Path) -> Bench:
    """A bench with a template whose gates adapt."""
    return open_bench(str(tmp_path / "own.toml"), tubes, alias_book(), start=load_template("cart-cd19fc"))[0]


def dragged_to(bench: Bench, handle: str, to: tuple[float, float]) -> None:
    bench.change(bench.drag(handle, to))


def grip_of(bench: Bench, handle: str) -> Grip:
    return next(grip for grip in bench.grips() if grip.handle.id == handle)


def test_the_window_of_single_events_is_dragged_along_their_line(adaptive: Bench) -> None:
    bench = adaptive
    bench.take("singlets")
    assert [grip.handle.id for grip in bench.grips()] == [
        f"point {end}" for end in ("window low", "window high", "fallback low", "fallback high")
    ]
    gate = bench.template.population("singlets").gate
    assert isinstance(gate, SingletsGate)
    low, high = grip_of(bench, "point window low"), grip_of(bench, "point window high")
    assert low.handle.x == high.handle.x and low.handle.y is not None and high.handle.y is not None
    assert low.value == f"{gate.window[0]:g} of the line of single events"
    assert low.shape[0][0] < low.shape[-1][0], "the line is drawn over all areas"
    before = bench.counts(bench.tubes[0])["singlets"].events
    # halfway between the lower end and the fallback below the line: the events that are kept stay
    fallback = grip_of(bench, "point fallback low").handle
    assert fallback.x is not None and fallback.y is not None
    dragged_to(bench, "point window low", (fallback.x, (low.handle.y + fallback.y) / 2))
    changed = bench.template.population("singlets").gate
    assert isinstance(changed, SingletsGate)
    assert changed.window[0] == pytest.approx((gate.window[0] + gate.fallback[0]) / 2, rel=0.02)
    assert (changed.window[1], changed.fallback) == (gate.window[1], gate.fallback)
    assert bench.counts(bench.tubes[0])["singlets"].events == pytest.approx(before, rel=0.02)
    # across the axes, and into the line: the gate may reach no farther down
    bench.look(x="FSC-H", y="FSC-A")
    held = grip_of(bench, "point window low").handle
    assert held.y is not None
    mode = held.x / changed.window[0] if held.x else 0.0
    dragged_to(bench, "point window low", (0.97 * mode, held.y))
    assert bench.counts(bench.tubes[0])["singlets"].events < 0.9 * before
    with pytest.raises(UsageError):
        bench.drag("point window high", (0.5 * mode, held.y))


def test_the_place_reach_and_core_of_a_cluster_are_dragged(adaptive: Bench) -> None:
    bench = adaptive
    name = "lymphocyte_scatter"
    bench.take(name)
    gate = bench.template.population(name).gate
    assert isinstance(gate, ClusterGate)
    place, reach = grip_of(bench, "place").handle, grip_of(bench, "reach of the window").handle
    assert place.x is not None and reach.x is not None and reach.x > place.x and reach.y == place.y
    assert reach.y is not None and place.y is not None
    dragged_to(bench, reach.id, ((place.x + reach.x) / 2, reach.y))
    smaller = bench.template.population(name).gate
    assert isinstance(smaller, ClusterGate) and 1 < smaller.within < gate.within
    dragged_to(bench, "place", (place.x + 0.05, place.y + 0.05))
    elsewhere = bench.template.population(name).gate
    assert isinstance(elsewhere, ClusterGate)
    assert elsewhere.near[0] > gate.near[0] and elsewhere.near[1] > gate.near[1]
    bench.look(x="CD3", y=gate.y)
    low = grip_of(bench, "edge CD3 window low").handle
    assert low.x is not None
    dragged_to(bench, low.id, (low.x + 0.05, 0.0))
    moved_core = bench.template.population(name).gate
    assert isinstance(moved_core, ClusterGate)
    assert moved_core.core["CD3"][0] > gate.core["CD3"][0] and moved_core.core["CD3"][1] == gate.core["CD3"][1]


def test_a_range_becomes_a_valley_whose_window_is_dragged_and_a_fixed_gate_again(bench: Bench) -> None:
    bench.look(x="CD3", y="SSC-A")
    bench.draw("range", [(0.55, 0.5), (1.0, 0.5)], "t_cells")
    bench.switch("t_cells")
    gate = bench.template.population("t_cells").gate
    assert isinstance(gate, ValleyGate)
    assert gate.window[0] < gate.fallback < gate.window[1]
    bench.change(bench.drag("edge window low", (0.5, 0.0)))
    moved = bench.template.population("t_cells").gate
    assert isinstance(moved, ValleyGate)
    assert moved.window[0] != gate.window[0]
    assert moved.window[1] == gate.window[1]
    fitted = bench.tubes[0].fitted(bench.template, "t_cells")
    counted = bench.counts(bench.tubes[0])["t_cells"].events
    bench.switch("t_cells")
    assert bench.template.population("t_cells").gate.kind == "range"
    assert fitted is not None
    assert fitted.kind == "range"
    assert bench.counts(bench.tubes[0])["t_cells"].events == pytest.approx(counted, abs=3)


def test_a_gate_on_the_ratio_of_a_pulse_adapts_to_single_events(bench: Bench) -> None:
    bench.look(x="FSC-A", y="FSC-H")
    bench.draw("polygon", [(0.1, 0.05), (0.9, 0.7), (0.9, 1.0), (0.1, 0.2)], "singlets")
    bench.switch("singlets")
    gate = bench.template.population("singlets").gate
    assert (gate.kind, gate.markers()) == ("singlets", ("FSC-A", "FSC-H"))


def test_a_gate_without_an_adaptive_form_stays_as_it_is(bench: Bench) -> None:
    with_t_cells(bench)
    with pytest.raises(UsageError, match="no adaptive form"):
        bench.switch("t_cells")


def test_what_is_drawn_to_the_rim_is_open_there(bench: Bench) -> None:
    bench.look(x="CD3", y="SSC-A")
    bench.draw("rectangle", [(0.5, -0.1), (1.2, 0.5)], "t_cells")
    assert bench.template.population("t_cells").gate.words().count("to below") == 0


@pytest.mark.parametrize(
    ("tool", "points"),
    [("rectangle", [(0.5, 0.5), (0.5, 0.5)]), ("range", [(0.2, 0.1), (0.2, 0.9)]), ("star", [(0.1, 0.1), (0.5, 0.5)])],
)
def test_what_is_no_shape_is_refused_and_nothing_changes(
    bench: Bench, tool: str, points: list[tuple[float, float]]
) -> None:
    with pytest.raises(UsageError) as refused:
        bench.draw(tool, points)
    assert refused.value.code == "E221"
    assert (names(bench), bench.done) == ([], [])


def test_a_scale_is_slid_and_the_picture_follows(bench: Bench) -> None:
    bench.look(x="CD3", y="CD8")
    before = bench.axis("CD3")
    bench.set_scale("CD3", {"W": 1.2})
    assert bench.template.scale("CD3").present()["W"] == 1.2
    assert bench.template.scale("CD8").present()["W"] != 1.2
    assert bench.axis("CD3").scale != before.scale


def test_a_file_without_a_channel_says_so_and_the_others_are_counted(tubes: tuple[Path, ...], tmp_path: Path) -> None:
    from cytocar.fcs.write import write_fcs

    lacking = tmp_path / "lacking.fcs"
    write_fcs(lacking, {"FSC-A": [1.0, 2.0, 3.0], "SSC-A": [1.0, 2.0, 3.0]})
    bench, _ = open_bench(str(tmp_path / "new.toml"), [tubes[0], lacking], alias_book())
    bench.look(x="CD3", y="SSC-A")
    bench.draw("range", [(0.5, 0.5), (1.0, 0.5)], "t_cells")
    assert bench.counts(bench.tubes[0])["t_cells"].events > 0
    assert bench.counts(bench.tubes[1]) == {}
    assert bench.tubes[1].problem.startswith("E055")


def test_a_drag_counts_as_a_new_gating_does_though_only_what_hangs_on_it_is_placed_again(
    tubes: tuple[Path, ...], tmp_path: Path
) -> None:
    from tests.runs import cytocar_command

    assert cytocar_command("template", "new", tmp_path / "own.toml", "--from", "cart-cd19fc").code == 0
    bench, _ = open_bench(str(tmp_path / "own.toml"), tubes, alias_book())
    before = [bench.counts(tube) for tube in bench.tubes]
    gate = edits.entry(bench.draft.document, "t_cells")["gate"]
    draft = edits.set_gate(bench.draft, "t_cells", {**gate, "fallback": 9000, "window": [8000, 10_000]})
    trial = bench.trial(draft)
    tried = [trial.counts(tube) for tube in trial.tubes]
    for tube, counts, first in zip(bench.tubes, tried, before, strict=True):
        anew = walk(tube.events, draft.template, steady=tube._kept(draft.template))
        assert {name: count.events for name, count in counts.items()} == {
            name: population.events for name, population in anew.items() if name != ALL
        }
        assert counts["viable"] == first["viable"]
        assert counts["t_cells"].events < first["t_cells"].events


def test_events_are_drawn_as_dots_and_a_population_is_marked_on_any_picture(bench: Bench) -> None:
    with_t_cells(bench)
    bench.enter(ALL)
    bench.look(x="FSC-A", y="SSC-A", dots=True, back="t_cells")
    picture = bench.shown(0).picture
    assert picture is not None
    assert picture.dots and not picture.png
    assert 0 < picture.car_dots.count("h0") <= bench.counts(bench.tubes[0])["t_cells"].events
    bench.look(dots=False, back="")
    picture = bench.shown(0).picture
    assert picture is not None and picture.png and not picture.car_dots
    bench.look(back="t_cells")
    bench.rename("t_cells", "lymphocytes T")
    assert bench.place.back == "lymphocytes T"
    bench.delete("lymphocytes T")
    assert bench.place.back == ""
    with pytest.raises(UsageError):
        bench.look(back="nobody")


def test_populations_are_combined_by_all_any_and_none(bench: Bench) -> None:
    with_t_cells(bench)
    bench.look(x="CD4", y="CD8")
    bench.enter("t_cells")
    bench.draw("range", [(0.5, 0.5), (1.0, 0.5)], "cd4 bright")
    bench.look(x="CD8")
    bench.draw("range", [(0.5, 0.5), (1.0, 0.5)], "cd8 bright")
    bench.combine("cd4 bright")
    assert (bench.place.gate, bench.marked) == ("combined", "combined")
    bench.change(edits.set_parts(bench.draft, "combined", {"cd4 bright": "all_of", "cd8 bright": "none_of"}))
    bench.rename("combined", "cd4")
    counts = bench.counts(bench.tubes[0])
    walked = walk(bench.tubes[0].events, bench.template)
    both = int((walked["cd4 bright"].mask & walked["cd8 bright"].mask).sum())
    assert counts["cd4"].events == counts["cd4 bright"].events - both
    assert edits.role_of(bench.draft, "cd4") == "cd4"
    for parts in ({}, {"cd4 bright": "some_of"}, {"cd4": "all_of"}):
        with pytest.raises(CytocarError):
            edits.set_parts(bench.draft, "cd4", parts)


def test_every_number_of_a_gate_can_be_typed(bench: Bench) -> None:
    with_t_cells(bench)
    gate = edits.entry(bench.draft.document, "t_cells")["gate"]
    assert set(edits.numbers_of(gate)) == {"bounds CD3 min", "bounds SSC-A max"}
    bench.change(edits.set_number(bench.draft, "t_cells", "bounds CD3 min", 1234.5))
    assert edits.entry(bench.draft.document, "t_cells")["gate"]["bounds"]["CD3"] == {"min": 1234.5}
    singlets = {"kind": "singlets", "area": "FSC-A", "height": "FSC-H", "window": [0.5, 1.8]}
    draft = edits.add(bench.draft, [{"name": "singlets", "gate": singlets}])
    draft = edits.set_number(draft, "singlets", "window low", 0.6)
    assert edits.entry(draft.document, "singlets")["gate"]["window"] == [0.6, 1.8]
    with pytest.raises(UsageError):
        edits.set_number(draft, "singlets", "colour", 1.0)
