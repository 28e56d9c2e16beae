"""A reagent that one tube of a run lacks: levels of known truth, and those of a tube that was drawn."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from cytocar.run.reagents import TubeStains, reagent_findings
from cytocar.sample.analysis import quantify
from cytocar.sample.quality.stain_levels import StainLevel
from cytocar.simulate import Preparation, blood_tube
from cytocar.template.load import load_template

USUAL = StainLevel("car_t", "CAR", 8.0, negatives=35.0, spread=88.0, granulocytes=154.0, beads=60_000.0)
NONE = replace(USUAL, positive_percent=0.01)
LEFT_OUT = replace(NONE, negatives=13.0, granulocytes=62.0)


def codes(odd: StainLevel, n: int = 8) -> dict[str, str]:
    """Codes by sample; tube T0 is the odd one."""
    random = np.random.default_rng(3)
    tubes = [TubeStains("T0", ("t",), (odd,))]
    for number in range(1, n):
        shift, light = random.normal(0, (3, 0.12))
        level = replace(USUAL, negatives=35.0 + float(shift), granulocytes=154.0 * float(np.exp(light)))
        tubes.append(TubeStains(f"T{number}", ("t",), (level,)))
    return {name: finding.code for name, finding in reagent_findings(tubes)}


def test_a_tube_without_the_reagent_is_darker_than_the_others() -> None:
    assert codes(LEFT_OUT) == {"T0": "W260"}
    assert codes(replace(LEFT_OUT, granulocytes=None)) == {"T0": "W260"}
    assert codes(replace(LEFT_OUT, negatives=30.0)) == {"T0": "W260"}  # it binds to granulocytes alone


@pytest.mark.parametrize(
    "level",
    [
        NONE,
        replace(LEFT_OUT, granulocytes=150.0),  # granulocytes carry it
        replace(LEFT_OUT, beads=30_000.0),  # the detector was set otherwise
        replace(NONE, granulocytes=120.0, negatives=30.0),  # as tubes differ
    ],
)
def test_a_tube_without_such_cells_has_the_background_of_the_others(level: StainLevel) -> None:
    assert codes(level) == {"T0": ""}


def test_cells_that_carry_the_marker_show_its_reagent_and_three_others_show_nothing() -> None:
    assert codes(replace(LEFT_OUT, positive_percent=0.5)) == {}
    assert codes(LEFT_OUT, n=4) == {}


def test_levels_of_a_drawn_tube_are_those_of_its_cells() -> None:
    few = Preparation(drawn_share=0.25, sample_volume_ul=50)
    tube = blood_tube(car_per_ul=0, preparation=few, seed=2)
    result = quantify(tube.events, load_template("cart-cd19fc-fixed"), beads_added=20_000, sample_volume_ul=50)
    car = next(level for level in result.stain_levels if level.marker == "CAR")
    assert car.positive_percent < 0.1
    assert car.granulocytes == pytest.approx(150, rel=0.1)
    assert car.beads == pytest.approx(60_000, rel=0.05)
    assert car.negatives == pytest.approx(80 - 0.52 * car.spread, abs=10)
