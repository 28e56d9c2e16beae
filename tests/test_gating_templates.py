from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from cytocar import EventTable, gate, load_template, open_fcs
from cytocar.files.bundled import template_folder
from cytocar.regions.boxes import RectangleGate
from cytocar.simulate import Blood, Preparation, blood_tube
from cytocar.template.model import Report

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


def b_cell_events(b_cells: int) -> EventTable:
    """Return a B-cell tube: so many B cells, half as many with CD19 masked, 5000 beads."""
    rng = np.random.default_rng(3)
    kinds = [  # number, FSC, SSC, CD19, CD20, CD45, viability
        (3000, 97_000, 38_000, 100, 150, 12_000, 100),  # T cells
        (b_cells, 92_000, 36_000, 9000, 9000, 9000, 100),
        (b_cells // 2, 92_000, 36_000, 80, 9000, 9000, 100),  # CD19 masked
        (4000, 160_000, 170_000, 200, 200, 2500, 200),  # granulocytes
        (300, 55_000, 45_000, 100, 100, 8000, 20_000),  # dead
        (5000, 38_000, 60_000, 60_000, 60_000, 60_000, 60_000),  # beads
    ]
    medians = np.concatenate([np.tile(values, (n, 1)) for n, *values in kinds]).astype(float)
    signal = medians * rng.lognormal(0, 0.08, medians.shape)
    detectors = ("FSC-A", "SSC-A", "PE-A", "APC-A", "V500-A", "PerCP-A")
    columns = dict(zip(detectors, signal.T, strict=True)) | {"FSC-H": 0.9 * signal[:, 0]}
    return EventTable.from_columns(
        columns,
        markers={"PE-A": "CD19", "APC-A": "CD20", "V500-A": "CD45", "PerCP-A": "7-AAD"},
        keywords={"$SPILLOVER": "2,PE-A,APC-A,1,0.02,0,1"},
    )


def test_b_cells_are_counted_by_cd19_or_cd20_and_absent_ones_are_zero() -> None:
    template = load_template("bcell-aplasia")
    with_b_cells, without = (gate(b_cell_events(number), template) for number in (400, 0))

    assert with_b_cells["b_cells"].events == 600
    assert without["b_cells"].events == 0
    assert without["beads"].events > 4900


@pytest.mark.parametrize(("donor", "by_eye"), [("Donor1", (1973, 1206, 665)), ("Donor2", (1937, 1253, 586))])
def test_the_t_cell_borders_of_the_car_template_hold_on_a_real_fortessa(
    shared_data: Path, donor: str, by_eye: tuple[int, int, int]
) -> None:
    """Blood stained after OMIP-021 has neither CD45 nor a CAR: the gates that need them are left out."""
    template = load_template("cart-cd19fc-fixed")
    kept = ("beads", "singlets", "viable", "t_cells", "cd4", "cd8")
    populations = []
    for population in (template.population(name) for name in kept):
        changes: dict[str, object] = {"parent": "singlets"} if population.parent == "leukocytes" else {}
        if isinstance(population.gate, RectangleGate) and population.name == "t_cells":
            bounds = {marker: bound for marker, bound in population.gate.bounds.items() if marker != "CD45"}
            changes["gate"] = replace(population.gate, bounds=bounds)
        populations.append(replace(population, **changes))
    panel = {marker: found for marker, found in template.panel.items() if marker not in {"CD45", "CAR", "CD2", "CD56"}}
    without = replace(template, populations=tuple(populations), panel=panel, report=Report())

    found = gate(
        open_fcs(shared_data / f"tcell_human/cytopipeline_omip021/{donor}.fcs"),
        without,
    )

    assert found["beads"].events == 0
    events = [found[name].events for name in ("t_cells", "cd4", "cd8")]
    assert events == pytest.approx(by_eye, rel=0.05)


@pytest.mark.parametrize(
    ("template", "file", "t_cells", "cd4", "cd8"),
    [
        ("tbnk", "more/canto_tbnk.fcs", (2700, 3050), (1550, 1760), (850, 1020)),
        ("tcell", "more/canto_tbnk.fcs", (2700, 3050), (1550, 1760), (850, 1020)),
        ("tcell", "cytopipeline_omip021/Donor1.fcs", (1900, 2200), (1180, 1320), (640, 780)),
        ("tcell", "cytopipeline_omip021/Donor2.fcs", (1900, 2200), (1200, 1350), (580, 700)),
    ],
)
def test_generic_templates_count_real_tubes_as_a_person_does(
    shared_data: Path, template: str, file: str, t_cells: tuple[int, int], cd4: tuple[int, int], cd8: tuple[int, int]
) -> None:
    populations = gate(open_fcs(shared_data / "tcell_human" / file), load_template(template))
    for name, (low, high) in (("t_cells", t_cells), ("cd4", cd4), ("cd8", cd8)):
        assert low <= populations[name].events <= high, name


def test_b_and_nk_cells_of_a_tbnk_tube_make_up_the_other_lymphocytes(shared_data: Path) -> None:
    populations = gate(open_fcs(shared_data / "tcell_human/more/canto_tbnk.fcs"), load_template("tbnk"))
    events = {name: population.events for name, population in populations.items()}
    assert (events["t_cells"] + events["b_cells"] + events["nk_cells"]) / events["lymphocytes"] > 0.9


def test_t_cells_of_simulated_blood_are_found_without_a_second_pulse() -> None:
    tube = blood_tube(car_per_ul=100, preparation=Preparation(sample_volume_ul=50, drawn_share=0.1), seed=8)
    populations = gate(tube.events, load_template("tcell"))
    for name in ("cd4", "cd8"):
        truth = tube.is_kind(f"{name}_t_cells", f"car_{name}_t_cells")
        assert populations[name].events == pytest.approx(int(truth.sum()), rel=0.1)
    every = [f"{car}{name}_t_cells" for car in ("", "car_") for name in ("cd4", "cd8")]
    t_cells = tube.is_kind(*every, "double_negative_t_cells")  # counting beads are as bright in CD3
    assert populations["t_cells"].events == pytest.approx(int(t_cells.sum()), rel=0.1)
    assert populations["beads"].events == pytest.approx(int(tube.is_kind("beads").sum()), rel=0.01)
