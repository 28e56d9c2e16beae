"""Gates that a review moved become the template."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import pytest

import cytocar
from cytocar.editor.from_run import reviewed_gates, template_of_moved_gates
from cytocar.editor.opening import open_reviewed
from cytocar.errors.tree import UsageError
from cytocar.fit.names import alias_book
from cytocar.regions.boxes import RangeGate, RectangleGate
from cytocar.signals.declaration import declare
from cytocar.template.diff import compare
from cytocar.template.gate_kinds import ReferenceGate
from cytocar.template.load import read_template
from tests.runs import cytocar_command


@pytest.fixture
def reviewed(tubes: tuple[Path, ...], tmp_path: Path) -> Path:
    """A run of both tubes with fixed gates, in which the CAR gate was moved in both and viability in one."""
    run = tmp_path / "run"
    cytocar.run(list(tubes), "cart-cd19fc-fixed", out=run, jobs=1, count_method="none")
    for sample, population, value in (("day7", "car_t", 700), ("day14", "car_t", 640), ("day14", "viable", 2500)):
        moved = cytocar_command(
            "override", run, sample, population, "--value", str(value), "--reason", "dim cluster", "--by", "A. Muster"
        )
        assert moved.code == 0, moved.stderr
    return run


def test_moved_gates_become_the_template_as_steps_that_can_be_undone(reviewed: Path, tmp_path: Path) -> None:
    bench, file, words = open_reviewed(str(tmp_path / "mine.toml"), reviewed_gates(reviewed), (), alias_book())
    car, viable = (bench.template.population(name).gate for name in ("car_t", "viable"))
    assert isinstance(car, RangeGate) and isinstance(viable, RangeGate)
    assert (car.min, viable.max) == (median([700, 640]), 2500)
    assert words == [
        "car_t: moved in 2 samples; min 500 -> 670",
        "viable: moved in 1 sample; max 3000 -> 2500",
    ]
    assert bench.template.name == "mine"
    assert {tube.name for tube in bench.tubes} == {"day7.fcs", "day14.fcs"}
    bench.undo()
    bench.undo()
    gate = bench.template.population("car_t").gate
    assert isinstance(gate, RangeGate) and gate.min == 500
    bench.redo()
    file.save(bench.draft, "0.1.0")
    saved = read_template(tmp_path / "mine.toml").template.population("car_t").gate
    assert isinstance(saved, RangeGate) and saved.min == 670


def test_a_gate_that_adapts_takes_the_new_place_as_its_fallback_within_a_window_that_holds_it(
    reviewed: Path, tmp_path: Path
) -> None:
    assert cytocar_command("template", "new", tmp_path / "own.toml", "--from", "cart-cd19fc").code == 0
    bench, _, words = open_reviewed(str(tmp_path / "own.toml"), reviewed_gates(reviewed), (), alias_book())
    gate = bench.template.population("car_t").gate
    assert isinstance(gate, ReferenceGate)
    assert (gate.fallback, gate.window) == (670, (150, 2500))
    assert words[0] == "car_t: moved in 2 samples; fallback 500 -> 670"


def test_moved_gates_are_written_as_a_new_template_under_a_higher_version(reviewed: Path, tmp_path: Path) -> None:
    made = template_of_moved_gates(reviewed, tmp_path / "mine.toml")
    assert made.words[0] == "car_t: moved in 2 samples; min 500 -> 670"
    written = read_template(made.path).template
    car = written.population("car_t").gate
    assert isinstance(car, RangeGate) and car.min == 670
    before = reviewed_gates(reviewed).template
    assert (before.version, written.version, made.version) == ("1.1.0", "2.0.0", "2.0.0")
    assert compare(before, written).fits
    with pytest.raises(UsageError) as caught:
        template_of_moved_gates(reviewed, tmp_path / "mine.toml")
    assert caught.value.code == "E105"


def test_shapes_that_differ_are_named_and_not_joined(reviewed: Path, tmp_path: Path) -> None:
    found = reviewed_gates(reviewed)
    other = declare(RectangleGate, {"kind": "rectangle", "bounds": {"CAR": {"min": 600}, "CD3": {"min": 1500}}})
    moved = {"car_t": {**found.moved["car_t"], "day14": other}}
    differing = type(found)(found.template, moved, found.files)
    bench, _, words = open_reviewed(str(tmp_path / "mine.toml"), differing, (), alias_book())
    assert "different shapes" in words[0]
    assert bench.done == []


def test_a_run_without_moved_gates_is_refused(tubes: tuple[Path, ...], tmp_path: Path) -> None:
    cytocar.run(list(tubes), "cart-cd19fc-fixed", out=tmp_path / "run", jobs=1, count_method="none")
    with pytest.raises(UsageError) as caught:
        reviewed_gates(tmp_path / "run")
    assert caught.value.code == "E220"
    refused = cytocar_command("template", "edit", tmp_path / "mine.toml", "--run", tmp_path / "run", "--no-browser")
    assert (refused.code, "error[E220]" in refused.stderr) == (2, True)
