"""``cytocar series --joint``: a table beside the own numbers, the same for any order of runs, with reasons."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from cytocar.simulate import Preparation, blood_tube
from tests.courses import draw_no_figures
from tests.runs import cytocar_command

PREPARATION = Preparation(drawn_share=0.1)
CAR = {"d7": 60.0, "d9": 900.0, "d14": 400.0, "d28": 40.0, "d90": 0.0}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Count a baseline with five tubes in two runs."""
    folder = tmp_path_factory.mktemp("joint")
    blood_tube(car_per_ul=0, seed=1).write(folder / "baseline.fcs")
    for number, (name, car) in enumerate(CAR.items()):
        blood_tube(car_per_ul=car, preparation=PREPARATION, seed=10 + number).write(folder / f"{name}.fcs")
    made = []
    for run, names in {"first": ("d7", "d9", "d14"), "second": ("d28", "d90")}.items():
        lines = ["file,sample_id,sample_type,subject_id,day,beads_added,sample_volume_ul"]
        lines += ["baseline.fcs,B,baseline,P1,-5,20000,50"]
        lines += [f"{name}.fcs,{name},sample,P1,{name[1:]},20000,50" for name in names]
        (folder / f"{run}.csv").write_text("\n".join(lines) + "\n")
        command = ("gate", folder / f"{run}.csv", "-t", "cart-cd19fc", "-o", folder / run, "--no-report")
        assert cytocar_command(*command).code == 0
        made.append(folder / run)
    return made


def joint_table(out: Path) -> list[dict[str, str]]:
    with (out / "joint.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_tubes_of_two_runs_share_a_shape_whatever_their_order(
    runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_no_figures(monkeypatch)
    for name, order in (("a", runs), ("b", runs[::-1])):
        answer = cytocar_command("series", *order, "-o", tmp_path / name, "--joint")
        assert answer.code == 0, answer.stderr
        assert "no joint count" not in answer.stderr
    assert (tmp_path / "a" / "joint.csv").read_bytes() == (tmp_path / "b" / "joint.csv").read_bytes()
    rows = {row["sample_id"]: row for row in joint_table(tmp_path / "a")}
    assert list(rows) == ["B", "d7", "d9", "d14", "d28", "d90"]
    for name in ("d7", "d9", "d14", "d28"):
        row = rows[name]
        assert row["refused"] == ""
        assert float(row["car_per_ul_joint_low"]) < CAR[name] < float(row["car_per_ul_joint_high"])
        assert float(row["car_per_ul_joint"]) == pytest.approx(float(row["car_per_ul_net"]), rel=0.15)
    assert rows["B"]["refused"] == "it is a control itself"
    assert float(rows["d90"]["car_per_ul_joint_low"]) == 0
    assert '"joint.csv"' in (tmp_path / "a" / "datapackage.json").read_text()
    assert "Tubes together" in (tmp_path / "a" / "course.html").read_text()


def test_too_few_tubes_are_refused_and_a_missing_file_is_named(
    runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_no_figures(monkeypatch)
    answer = cytocar_command("series", runs[1], "-o", tmp_path / "few", "--joint")
    assert answer.code == 0
    assert "P1 (d28, d90): 2 tubes" in answer.stderr
    assert {row["car_per_ul_joint"] for row in joint_table(tmp_path / "few")} == {""}
    file = runs[1].parent / "d90.fcs"
    moved = file.rename(file.with_suffix(".away"))
    answer = cytocar_command("series", runs[1], "-o", tmp_path / "lost", "--joint")
    moved.rename(file)
    assert answer.code == 2
    assert "E103" in answer.stderr
