"""CD4 and CD8 T cells against all T cells: the CDC's sum."""

from __future__ import annotations

import pytest

from cytocar.errors.findings import Severity
from cytocar.sample.quality.t_cell_sum import lymphocyte_sum, t_cell_sum
from cytocar.template.load import load_template

BLOOD, PRODUCT = load_template("cart-cd19fc"), load_template("product-release")


def events(cd4: int, cd8: int, t_cells: int = 1000, lymphocytes: int = 1500) -> dict[str, int]:
    return {"t_cells": t_cells, "cd4": cd4, "cd8": cd8, "lymphocytes": lymphocytes}


@pytest.mark.parametrize(("cd4", "cd8"), [(600, 380), (450, 405), (700, 440)])
def test_t_cells_that_add_up_pass(cd4: int, cd8: int) -> None:
    (finding,) = t_cell_sum(events(cd4, cd8), BLOOD, product=False)
    assert finding.outcome is Severity.PASS
    assert finding.value == pytest.approx(abs(1000 - cd4 - cd8) / 10)


@pytest.mark.parametrize(("cd4", "cd8"), [(400, 440), (0, 400), (700, 460)])
def test_more_than_a_tenth_of_the_lymphocytes_or_15_percent_of_the_t_cells_apart_is_looked_at(
    cd4: int, cd8: int
) -> None:
    (finding,) = t_cell_sum(events(cd4, cd8), BLOOD, product=False)
    assert (finding.code, finding.outcome) == ("W307", Severity.REVIEW)


def test_a_gate_that_holds_more_than_lymphocytes_does_not_hide_the_sum() -> None:
    (finding,) = t_cell_sum(events(500, 300, lymphocytes=9000), BLOOD, product=False)
    assert (finding.code, finding.limit) == ("W307", 15.0)


def test_cells_in_culture_may_carry_both_or_neither_up_to_a_fifth() -> None:
    assert t_cell_sum(events(500, 310), PRODUCT, product=True)[0].outcome is Severity.PASS
    (finding,) = t_cell_sum(events(500, 290), PRODUCT, product=True)
    assert (finding.code, finding.outcome, finding.limit) == ("W307", Severity.REVIEW, 20.0)


def test_few_t_cells_and_templates_without_subsets_say_nothing() -> None:
    assert t_cell_sum(events(10, 10, t_cells=99), BLOOD, product=False) == ()
    assert t_cell_sum({}, load_template("bcell-aplasia"), product=False) == ()


@pytest.mark.parametrize(("b_cells", "nk_cells", "code"), [(200, 250, ""), (0, 250, "W317"), (300, 320, "W317")])
def test_t_b_and_nk_cells_add_up_to_the_lymphocytes(b_cells: int, nk_cells: int, code: str) -> None:
    counted = {"lymphocytes": 1500, "t_cells": 1050, "b_cells": b_cells, "nk_cells": nk_cells}
    (finding,) = lymphocyte_sum(counted, load_template("tbnk"))
    assert finding.code == code
    assert finding.value == pytest.approx(abs(450 - b_cells - nk_cells) / 15)


def test_a_template_that_does_not_count_all_three_is_not_asked() -> None:
    assert lymphocyte_sum({**events(600, 380), "nk_cells": 10}, BLOOD) == ()
