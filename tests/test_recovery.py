"""Known cells in, the same number out: the whole way from a simulated tube to cells/µL."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from statistics import median

import numpy as np
import pytest

from cytocar import load_template, quantify
from cytocar.simulate import Blood, Preparation, blood_tube

TUBES = 20


@dataclass
class Recovery:
    """Estimate over truth of each tube, and how many intervals hold the truth."""

    ratios: list[float] = field(default_factory=list)
    covered: int = 0


@cache
def recoveries(templates: tuple[str, ...], car_per_ul: float, activation: float = 0.0) -> dict[str, Recovery]:
    """What each template counts in the same tubes."""
    gates = {name: load_template(name) for name in templates}
    found = {name: Recovery() for name in templates}
    for number in range(TUBES):
        tube = blood_tube(
            car_per_ul=car_per_ul,
            car_cd4_cd8=0.47,
            # a neutropenic patient: more granulocytes would change nothing here but the time it takes
            blood=Blood(activation=activation, granulocytes=200),
            seed=np.random.SeedSequence(2024, spawn_key=(int(car_per_ul), number)),
        )
        for name, template in gates.items():
            row = quantify(
                tube.events, template, beads_added=tube.drawn.beads_added, sample_volume_ul=tube.drawn.sample_volume_ul
            ).row()
            estimate, low, high = (row[f"car_per_ul{end}"] for end in ("", "_low", "_high"))
            assert isinstance(estimate, float)
            assert isinstance(low, float)
            assert isinstance(high, float)
            found[name].ratios.append(estimate / car_per_ul)
            found[name].covered += low <= car_per_ul <= high
    return found


BLOOD_TEMPLATES = ("cart-cd19fc", "cart-cd19fc-fixed")


@pytest.mark.slow
@pytest.mark.parametrize("template", BLOOD_TEMPLATES)
def test_the_truth_is_found_from_1_to_1000_cells_per_ul(template: str) -> None:
    levels = [recoveries(BLOOD_TEMPLATES, car_per_ul)[template] for car_per_ul in (1.0, 10.0, 100.0, 1000.0)]

    assert all(0.95 <= median(level.ratios) <= 1.05 for level in levels)
    assert sum(level.covered for level in levels) >= 0.9 * TUBES * len(levels)


@pytest.mark.slow
@pytest.mark.parametrize("template", [*BLOOD_TEMPLATES, "cart-generic"])
def test_blasts_are_kept(template: str) -> None:
    found = recoveries((*BLOOD_TEMPLATES, "cart-generic"), 500.0, activation=1.0)[template]

    assert 0.98 <= median(found.ratios) <= 1.02
    assert found.covered >= 0.9 * TUBES


def test_the_volume_drawn_counts_as_beads_do() -> None:
    tube = blood_tube(car_per_ul=200, preparation=Preparation(sample_volume_ul=50), seed=6)
    gates = load_template("cart-cd19fc-fixed")

    row = quantify(
        tube.events,
        gates,
        acquired_volume_ul=tube.drawn.acquired_volume_ul,
        dilution_factor=tube.drawn.final_volume_ul / tube.drawn.sample_volume_ul,
        count_method="volumetric",
    ).row()

    assert row["car_per_ul"] == pytest.approx(200, rel=0.04)
