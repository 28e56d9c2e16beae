"""The template of an infusion product, on made tubes: no product is among the real files."""

from __future__ import annotations

import pytest

from cytocar import load_template, quantify
from cytocar.sample.result import SampleResult
from tests.stained_tubes import StainedTube, cell, stain, stained_tube

CD4, CD8 = stain(CD4=4000, CD8=200), stain(CD8=20_000, CD4=80)
CAR_SHARE = 0.4
BEADS_ADDED, SAMPLE_UL = 20_000, 100


def product(
    *,
    car: float = CAR_SHARE,
    b_cells: int = 60,
    nk_cells: int = 400,
    dead: float = 0.15,
    beads: int = 10_000,
    seed: int,
) -> StainedTube:
    """Return a tube of a product: 20,000 T cells that divide, some B and NK cells, dead cells, beads."""
    t_cells = 20_000
    with_car, without = round(t_cells * car), round(t_cells * (1 - car))
    car_t, other_t = stain(CD3=4000, CAR=(5000, 0.9)), stain(CD3=5500, CAR=80)
    return stained_tube(
        (cell("car_cd4", car_t, CD4, blast=True), round(0.6 * with_car)),
        (cell("car_cd8", car_t, CD8, blast=True), round(0.4 * with_car)),
        (cell("cd4", other_t, CD4, blast=True), round(0.6 * without)),
        (cell("cd8", other_t, CD8, blast=True), round(0.4 * without)),
        (cell("b_cells", stain(CD2=(9000, 0.4), CD8=200)), b_cells),
        (cell("nk_cells", stain(CD3=90, CD8=500)), nk_cells),
        beads=beads,
        dead_share=dead,
        seed=seed,
        CD2="CD19",
        CD45="CD25",
    )


def released(tube: StainedTube, *controls: StainedTube, count_method: str = "beads") -> SampleResult:
    """Return what the template makes of a tube."""
    return quantify(
        tube.events,
        load_template("product-release"),
        specimen="product",
        count_method=count_method,
        beads_added=BEADS_ADDED if count_method == "beads" else None,
        sample_volume_ul=SAMPLE_UL,
        controls=[control.events for control in controls],
    )


@pytest.mark.parametrize(("car", "dead", "b_cells"), [(0.03, 0.05, 0), (0.4, 0.15, 60), (0.9, 0.25, 400)])
def test_every_population_of_a_product_is_what_the_tube_holds(car: float, dead: float, b_cells: int) -> None:
    tube = product(car=car, dead=dead, b_cells=b_cells, seed=1)
    result = released(tube)
    events = {population.name: population.events for population in result.populations}

    assert result.status == "ok", [finding.message for finding in result.findings]
    assert events["t_cells"] == pytest.approx(tube.number("car_cd4", "car_cd8", "cd4", "cd8"), rel=0.01)
    assert events["cd4"] == pytest.approx(tube.number("car_cd4", "cd4"), rel=0.01)
    assert events["cd8"] == pytest.approx(tube.number("car_cd8", "cd8"), rel=0.01)
    assert events["car_t"] == pytest.approx(tube.number("car_cd4", "car_cd8"), rel=0.01)
    assert events["b_cells"] == pytest.approx(tube.number("b_cells"), rel=0.03, abs=1)
    assert result.row()["viability_percent"] == pytest.approx(100 * (1 - dead), abs=1)


def test_cells_per_ul_of_a_product_follow_from_its_beads() -> None:
    tube = product(seed=2)
    drawn = tube.number("beads") / BEADS_ADDED
    truth = tube.number("car_cd4", "car_cd8") / drawn / SAMPLE_UL
    assert released(tube).row()["car_per_ul"] == pytest.approx(truth, rel=0.01)


def test_a_pure_living_product_asks_for_no_look() -> None:
    """Nothing lies below CD3 then, and no dead cells above the viability dye: the fallbacks stand in gaps."""
    assert released(product(dead=0.01, nk_cells=20, b_cells=0, seed=3)).status == "ok"


def test_untransduced_cells_place_the_car_gate_of_a_tube_without_beads() -> None:
    tube = product(car=0.2, beads=0, seed=4)
    result = released(tube, product(car=0, beads=0, seed=5), count_method="none")
    truth = 100 * tube.number("car_cd4", "car_cd8") / tube.number("car_cd4", "car_cd8", "cd4", "cd8")

    assert (result.status, result.control_ids) == ("ok", ("control 1",))
    assert result.car is not None
    interval = result.car.net_percent
    assert interval.low is not None and interval.high is not None
    assert interval.low <= truth <= interval.high


def test_a_product_with_too_many_dead_cells_is_looked_at() -> None:
    result = released(product(dead=0.35, seed=6))
    assert "W285" in {finding.code for finding in result.findings}
