"""The page of controls over runs: what is out comes first, points say what they are, changes of lots are marked."""

from __future__ import annotations

import re

from cytocar.qc.levey_jennings import Target, charts
from cytocar.qc.measures import Measured, Quantity
from cytocar.report.qc.charts import qc_page, title_of

CAR = Quantity("car_per_ul", "LOT7", "cells/µL")
BEADS = Quantity("bead_recovery_percent", "", "%")


def _page(*values: float, lots: str = "") -> str:
    lots = lots or "A" * len(values)
    runs = [
        Measured(f"week{number}", {CAR: value, BEADS: 5.0}, marks={"bead lot": lot, "instrument": "Canto"})
        for number, (value, lot) in enumerate(zip(values, lots, strict=True), start=1)
    ]
    return qc_page(charts(runs, targets={("car_per_ul", "LOT7"): Target(100.0, 10.0)}), runs)


def test_what_is_out_in_the_last_run_comes_first() -> None:
    page = _page(100, 102, 140)
    asking = page.index("What asks for a look in week3")
    assert asking < page.index("<svg")
    assert "CAR-T cells per µL: LOT7: 140 cells/µL, +4.0 SD, 1-2s 1-3s" in re.sub(r"<[^>]+>", "", page)
    assert "What asks for a look" not in _page(100, 140, 102)


def test_a_point_says_value_distance_rules_lot_and_instrument() -> None:
    page = _page(100, 102, 125)
    assert "<title>week3: 125 cells/µL, +2.50 SD, breaks 1-2s; bead lot A; instrument Canto</title>" in page


def test_a_change_of_lot_is_a_line_and_a_sentence() -> None:
    page = _page(100, 102, 98, lots="AAB")
    assert "from week3 on: bead lot: A → B" in page
    assert page.count('class="change"') == 2  # one in each chart
    assert 'class="change"' not in _page(100, 102, 98)


def test_a_point_far_out_stays_on_the_drawing_and_nothing_runs() -> None:
    page = _page(100, 102, 100_000)
    assert all(0 <= float(y) <= 150 for y in re.findall(r'cy="([\d.-]+)"', page))
    assert "<script" not in page
    assert _page(100, 102, 98) == _page(100, 102, 98)


def test_names_of_controls_are_shown_as_text() -> None:
    runs = [Measured("r", {Quantity("car_per_ul", "<b>L</b>", "cells/µL"): 1.0})]
    page = qc_page(charts(runs), runs)
    assert "&lt;b&gt;L&lt;/b&gt;" in page
    assert "<b>L" not in page


def test_quantities_have_titles_in_words() -> None:
    assert title_of(BEADS) == "beads acquired, in percent of those added"
    assert title_of(Quantity("voltage", "PE-A", "V")) == "detector voltage: PE-A"
