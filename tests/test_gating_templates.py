from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from cytocar import gate, load_template, open_fcs
from cytocar.locations import template_folder
from cytocar.simulate import Blood, blood_tube

TEMPLATES = sorted(path.stem for path in template_folder().glob("*.toml"))


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_bundled_template_is_valid_and_goes_by_its_file_name(name: str) -> None:
    assert load_template(name).name == name


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_gate_says_where_its_numbers_come_from(name: str) -> None:
    """A number without a comment or note nearby is a number that nobody can check."""
    text = (template_folder() / f"{name}.toml").read_text(encoding="utf-8")
    for block in re.split(r"\n(?=\[\[populations\]\])", text)[1:]:
        declared = block.split("\n# ----")[0]
        if 'kind = "boolean"' in declared or re.search(r'keep = "[+-]{2}"', declared):
            continue  # no number of its own, or the other corner of a quadrant
        assert "#" in declared, f"{name}: {declared.splitlines()[1]}"


# Events per gate as FlowKit 1.3.2 finds them with the same gates, matrix and scales.
FLOWKIT = [
    (
        "tcell-basic",
        "tcell_human/100715.fcs",
        {"lymphocytes": 18231, "singlets": 18088, "viability_dim": 16641, "nonspecific": 4160, "viable": 12481}
        | {"t_cells": 5249, "cd4": 2119, "cd8": 2672},
    ),
    (
        "tcell-fortessa",
        "tcell_human/cytopipeline_omip021/Donor1.fcs",
        {"lymphocytes": 2789, "singlets": 2730, "viable": 2691, "t_cells": 1973, "cd4": 1206, "cd8": 665},
    ),
    (
        "tcell-fortessa",
        "tcell_human/cytopipeline_omip021/Donor2.fcs",
        {"lymphocytes": 3126, "singlets": 3091, "viable": 3059, "t_cells": 1937, "cd4": 1253, "cd8": 586},
    ),
]


@pytest.mark.parametrize(("template", "file", "expected"), FLOWKIT)
def test_a_real_file_is_gated_as_flowkit_gates_it(
    shared_data: Path, template: str, file: str, expected: dict[str, int]
) -> None:
    populations = gate(open_fcs(shared_data / file), load_template(template))

    assert {name: population.events for name, population in populations.items() if name != "all"} == expected


@pytest.mark.parametrize(("template", "file"), [(template, file) for template, file, _ in FLOWKIT])
def test_a_real_file_has_t_cells_that_an_immunologist_believes(shared_data: Path, template: str, file: str) -> None:
    populations = gate(open_fcs(shared_data / file), load_template(template))
    events = {name: population.events for name, population in populations.items()}

    assert 0.4 < events["t_cells"] / events["viable"] < 0.8
    assert 0.9 < (events["cd4"] + events["cd8"]) / events["t_cells"] <= 1


@pytest.mark.parametrize("name", ["cart-cd19fc-fixed"])
def test_fixed_gates_find_the_simulated_cells_and_leave_the_others(name: str) -> None:
    tube = blood_tube(car_per_ul=500, blood=Blood(activation=1.0), seed=8)
    populations = gate(tube.events, load_template(name))
    car = tube.is_kind("car_cd4_t_cells", "car_cd8_t_cells")
    beads = tube.is_kind("beads", "bead_doublets")

    assert (populations["car_t"].mask & car).sum() / car.sum() > 0.998
    assert (populations["car_t"].mask & ~car).sum() / car.sum() < 0.002
    assert np.array_equal(populations["beads"].mask, beads)
    assert not (populations["viable"].mask & tube.is_kind("dead_cells", "debris")).sum() > 10
    assert (populations["singlets"].mask & tube.is_kind("doublets")).sum() < 0.01 * tube.is_kind("doublets").sum()
