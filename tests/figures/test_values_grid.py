"""Sheets of small panels, one for each variable."""

from __future__ import annotations

import pytest

from cytocar.course.clinical import ClinicalRecord, ClinicalValue
from cytocar.figures.style import FONT_PT, figure_style
from cytocar.figures.values_grid import grid_figures
from tests.figures.reading import overlapping_texts, shown_texts, smallest_font


def record(names: list[str], *, step: float = 1.0) -> ClinicalRecord:
    days = (-5.0, 0.0, 7.0, 28.0)
    return ClinicalRecord(
        tuple(
            ClinicalValue("P1", day, name, 1.5 + n * step + day, "NPX") for n, name in enumerate(names) for day in days
        )
    )


def test_hundreds_of_variables_have_a_panel_each() -> None:
    names = [f"protein_{n:03}" for n in range(70)]
    with figure_style():
        sheets = list(grid_figures(record(names), title="P1"))
        texts = [text.get_text() for sheet in sheets for text in shown_texts(sheet)]
    assert [len(sheet.axes) for sheet in sheets] == [32, 32, 6]
    assert [text for text in texts if text.startswith("protein")] == [f"protein {n:03} (NPX)" for n in range(70)]
    assert len({axes.get_xlim() for sheet in sheets for axes in sheet.axes}) == 1
    assert texts.count("P1") == texts.count("Days after infusion") == 3


@pytest.mark.parametrize("count", [1, 5, 32])
def test_no_text_is_small_or_overlaps_however_long_the_names(count: int) -> None:
    names = [f"soluble_interleukin_2_receptor_alpha_of_the_second_kit_{n}" for n in range(count)]
    with figure_style():
        (sheet,) = grid_figures(record(names, step=1234.5), title="A subject with a name")
        assert overlapping_texts(sheet) == []
        assert smallest_font(sheet) >= FONT_PT
        left = min(text.get_window_extent().x0 for text in shown_texts(sheet))
    assert left >= 0


def test_only_the_lowest_panel_of_each_column_has_days() -> None:
    with figure_style():
        (sheet,) = grid_figures(record([f"v{n}" for n in range(6)]))
        sheet.draw_without_rendering()
    shown = [any(t.get_text() for t in axes.get_xticklabels() if t.get_visible()) for axes in sheet.axes]
    assert shown == [False, False, True, True, True, True]


@pytest.mark.parametrize("last", [9, 28, 274, 730, 3650])
def test_no_day_is_cut_at_the_edge_or_runs_into_the_next(last: int) -> None:
    names = [f"v{n}" for n in range(8)]
    entries = [ClinicalValue("P1", day, name, 1.0 + day, "g/L") for name in names for day in (-6, 0, last)]
    with figure_style():
        (figure,) = grid_figures(ClinicalRecord(tuple(entries)))
        assert overlapping_texts(figure) == []
        widest = max(text.get_window_extent().x1 for text in shown_texts(figure))
        assert widest <= figure.bbox.x1
