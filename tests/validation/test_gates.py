"""Gates against a person's: F1 of the same gates, of a moved one, and of runs that share nothing."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from cytocar.validation.gates import GateAgreement, gates_against, summaries
from tests.runs import cytocar_command, small_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run, and the same run in which a person has moved the CAR gate of day 9."""
    folder = tmp_path_factory.mktemp("person")
    run = small_run(folder)
    person = Path(shutil.copytree(run, folder / "person"))
    words = ("override", person, "d9", "car_t", "--value", "3000", "--reason", "CAR dim", "--by", "A. Muster")
    assert cytocar_command(*words, "--inputs", folder / "inputs").code == 0
    return run, person


def test_the_same_gates_hold_the_same_events(runs: tuple[Path, Path]) -> None:
    found = gates_against(runs[0], runs[0])
    assert {one.sample_id for one in found} == {"d0", "d9"}
    assert all(one.f1 in (None, 1.0) and one.shared == one.events == one.person_events for one in found)


def test_a_moved_gate_has_the_f1_of_its_events(runs: tuple[Path, Path], tmp_path: Path) -> None:
    found = {(one.sample_id, one.population): one for one in gates_against(*runs)}
    moved = found["d9", "car_t"]
    assert 0 < moved.person_events < moved.events
    assert moved.shared == moved.person_events  # the higher threshold keeps a part
    assert moved.f1 == pytest.approx(2 * moved.person_events / (moved.events + moved.person_events))
    assert found["d9", "t_cells"].f1 == 1
    counts = {row["sample_id"]: row for row in csv.DictReader((runs[0] / "counts.csv").read_text().splitlines())}
    assert moved.events == int(counts["d9"]["car_events"])
    answer = cytocar_command("validate", "gates", *runs, "-o", tmp_path / "gates.csv", "--at-least", "0.99")
    assert answer.code == 1
    assert "car_t" in answer.stdout
    assert len((tmp_path / "gates.csv").read_text().splitlines()) == len(found) + 1


def test_runs_of_other_files_are_refused(runs: tuple[Path, Path], tmp_path: Path) -> None:
    other = small_run(tmp_path)
    for file in (tmp_path / "inputs").glob("*.fcs"):
        file.write_bytes(file.read_bytes() + b" ")
    again = cytocar_command(
        "gate",
        tmp_path / "inputs" / "sheet.csv",
        "-t",
        "cart-cd19fc-fixed",
        "-o",
        tmp_path / "b",
        "-j",
        "1",
        "-q",
        "--no-report",
    )
    assert again.code in (0, 1)
    assert other.is_dir()
    answer = cytocar_command("validate", "gates", runs[0], tmp_path / "b")
    assert (answer.code, "error[E267]" in answer.stderr) == (2, True)


def test_empty_populations_say_nothing_of_f1() -> None:
    pairs = [(0, 0, 0), (10, 10, 5), (10, 30, 10)]
    found = [GateAgreement(f"s{n}", "car_t", *numbers, "") for n, numbers in enumerate(pairs)]
    (told,) = summaries(found)
    assert (told.n, told.median_f1, told.lowest_f1) == (2, 0.5, 0.5)
