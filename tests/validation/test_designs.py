"""Sheets of the eight designs: how many tubes, each with its place, what they need, and that the sheet can be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from cytocar.counting.blank_rates import assumed_rates
from cytocar.counting.unseen_positives import planned_sensitivity
from cytocar.errors.tree import UsageError
from cytocar.sheet.rows import read_sheet
from cytocar.validation.designs import Design, Goal, plan_study, sheet_text
from cytocar.validation.study import kind_of

GOAL = Goal(10.0, 500.0, assumed_rates(0.0))
TUBES = {
    Design.PRECISION_20X2X2: 160,
    Design.PRECISION_5X3: 30,
    Design.LINEARITY: 24,
    Design.DETECTION: 90,
    Design.COMPARISON: 80,
    Design.CARRY_OVER: 30,
    Design.STABILITY: 48,
    Design.OPERATORS: 60,
}


@pytest.mark.parametrize("design", Design)
def test_a_planned_sheet_can_be_read_and_places_each_tube_once(design: Design, tmp_path: Path) -> None:
    plan = plan_study(design, goal=GOAL, name="lot A")
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(sheet_text(plan, template="cart-cd19fc", given={"sample_volume_ul": 50.0}))
    rows = read_sheet(sheet)
    assert len(rows) == TUBES[design] == sum(need.tubes for need in plan.needs)
    places = {(r.val_level, r.val_day, r.val_run, r.val_rep, r.val_operator, r.val_hours) for r in rows}
    assert len(places) == len(rows)
    assert {row.val_study for row in rows} == {f"{design}/lot A"}
    assert kind_of(f"{design}/lot A") == design.value.partition("-5x3")[0].partition("-20x2x2")[0]


@pytest.mark.parametrize(
    ("design", "levels"),
    [
        (Design.CARRY_OVER, {"high": 40.0}),
        (Design.LINEARITY, {"a": 40.0, "b": 20.0}),
        (Design.DETECTION, {"blank": 0.1}),
    ],
)
def test_levels_that_a_design_does_not_have_are_refused(design: Design, levels: dict[str, float]) -> None:
    with pytest.raises(UsageError) as caught:
        plan_study(design, goal=GOAL, levels=levels)
    assert caught.value.code == "E260"


def test_precision_needs_so_many_events_that_counting_takes_half_of_the_cv() -> None:
    plan = plan_study(Design.PRECISION_5X3, goal=GOAL, levels={"low": 0.5})
    (need,) = plan.needs
    assert need.t_cells == 400 / 0.005  # a CV of 5 % is 400 events
    assert need.blood_ul == pytest.approx(15 * 80_000 / 500)


def test_detection_needs_the_t_cells_of_its_lowest_level_in_blanks_too() -> None:
    plan = plan_study(Design.DETECTION, goal=GOAL)
    needs = {need.level: need.t_cells for need in plan.needs}
    assert needs["low 2"] == pytest.approx(19_593 / planned_sensitivity(), rel=0.01)  # 13 events at 0.1 % of cells
    assert needs["blank"] == needs["low 1"]


@pytest.mark.parametrize("name", ["a/b", "two\nlines", 'quo"te'])
def test_a_name_of_a_study_that_no_file_can_bear_is_refused(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        plan_study(Design.CARRY_OVER, goal=GOAL, name=name)
    assert caught.value.code == "E260"
