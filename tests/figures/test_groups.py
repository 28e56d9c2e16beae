"""Groups and pairs as pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.lines import Line2D

from cytocar.course.groups import Measure, Value, compare, compare_pairs
from cytocar.figures.groups import box_figure, pair_figure, volcano_figure, write_figures
from cytocar.figures.style import figure_style


def xs(line: Line2D) -> list[float]:
    return [float(x) for x in np.asarray(line.get_xdata(), float)]


ARMS = {f"P{n}": "AB"[n % 2] for n in range(12)}


def measure(name: str, unit: str, *, fold: float, alike: float = 1.0) -> Measure:
    """Return a measure that is ``fold`` times as large in B."""
    return Measure(
        name, unit, {s: Value((5 + int(s[1:])) * alike * (fold if arm == "B" else 1)) for s, arm in ARMS.items()}
    )


def test_a_pair_is_two_dots_and_a_line_dashed_where_one_is_a_limit() -> None:
    first = Measure("il6", "ng/L", {f"P{n}": Value(100.0 + n) for n in range(6)})
    second = Measure("il6", "ng/L", {f"P{n}": Value(5.0, "<" if n == 0 else "") for n in range(6)} | {"P9": Value(1.0)})
    found = compare_pairs([(first, second)], ("before", "after"))
    with figure_style():
        figure = pair_figure(found, [(first, second)])
    (axes,) = figure.axes
    joined = [line for line in axes.lines if xs(line) == [0, 1]]
    assert len(joined) == 6
    assert [line.get_linestyle() for line in joined].count("--") == 1
    markers = [line.get_marker() for line in axes.lines if len(xs(line)) == 1]
    assert (markers.count("o"), markers.count("v")) == (11, 1)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["before", "after"]
    assert axes.get_title(loc="left").startswith("il6\np = ")
    assert axes.get_yscale() == "log"


def test_values_above_and_below_a_limit_point_where_they_lie() -> None:
    own = {s: Value(10.0 + n, {0: "<", 1: ">"}.get(n, "")) for n, s in enumerate(ARMS)}
    one = Measure("il6@5", "ng/L", own)
    with figure_style():
        figure = box_figure(compare([one], ARMS), [one], ARMS)
    markers = [line.get_marker() for line in figure.axes[0].lines if len(xs(line)) == 1]
    assert (markers.count("v"), markers.count("^"), markers.count("o")) == (1, 1, 10)


def test_of_many_measures_those_with_the_smallest_p_have_a_panel() -> None:
    many = [measure(f"m{n}", "ng/L", fold=1 + n / 4) for n in range(20)]
    found = compare(many, ARMS)
    with figure_style():
        figure = box_figure(found, many, ARMS)
    shown = {axes.get_title(loc="left").split("\n")[0] for axes in figure.axes}
    best = {one.measure for one in sorted(found, key=lambda one: one.p or 0)[:12]}
    assert shown == best


def test_folds_and_differences_have_a_panel_each_with_no_change_at_zero() -> None:
    mixed = [measure(f"f{n}", "ng/L", fold=1 + n) for n in range(4)] + [
        measure(f"d{n}", "NPX", fold=2) for n in range(3)
    ]
    with figure_style():
        figure = volcano_figure(compare(mixed, ARMS))
    folds, differences = figure.axes
    assert folds.get_xlabel() == "log2 of the fold, A over B"
    assert differences.get_xlabel() == "Difference, A less B"
    unchanged = next(line for line in folds.lines if line.get_marker() == "o")
    assert abs(xs(unchanged)[0]) < 0.5  # f0: a fold near 1 stands near 0


def test_names_of_a_volcano_do_not_overlap_where_p_values_are_tied() -> None:
    tied = [measure(f"protein_{n}", "ng/L", fold=40 + n, alike=n + 1) for n in range(12)]
    with figure_style():
        figure = volcano_figure(compare(tied, ARMS))
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert 2 <= len(boxes) <= 8
    for place, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[place + 1 :])


def test_pairs_are_later_over_earlier() -> None:
    pairs = [(measure(f"m{n}", "ng/L", fold=1), measure(f"m{n}", "ng/L", fold=1, alike=2 + n)) for n in range(6)]
    with figure_style():
        figure = volcano_figure(compare_pairs(pairs, ("before", "after")))
    assert figure.axes[0].get_xlabel() == "log2 of the fold, after over before"


@pytest.mark.parametrize("paired", [True, False])
def test_a_folder_holds_the_figures_of_the_last_comparison_only(tmp_path: Path, *, paired: bool) -> None:
    for name in ("groups", "pairs", "volcano"):
        (tmp_path / f"{name}.svg").write_text("earlier")
    one = measure("il6", "ng/L", fold=2)
    if paired:
        written = write_figures(compare_pairs([(one, one)], ("before", "after")), [], {}, tmp_path, pairs=[(one, one)])
    else:
        written = write_figures(compare([one], ARMS), [one], ARMS, tmp_path)
    assert sorted(tmp_path.iterdir()) == written == [tmp_path / ("pairs.svg" if paired else "groups.svg")]
