"""What the counted tubes of a run say about each other: the same in every way in which a run comes about."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

import cytocar
from cytocar.fcs.write import write_fcs
from cytocar.run import beside_counted, beside_others
from cytocar.run.beside_counted import CountedTube, findings_beside_counted
from cytocar.run.finished.checks import Verdict
from cytocar.run.finished.verify import verify
from cytocar.run.parts import Parts
from cytocar.sample.result import SampleResult
from cytocar.sheet.rows import SampleType
from cytocar.simulate import Blood, Preparation, SimulatedTube, blood_tube
from tests.runs import cytocar_command

FIXED = ("-t", "cart-cd19fc-fixed", "--beads-added", "20000", "--sample-volume-ul", "50", "-j", "1", "--no-report")
TABLES = ("counts.csv", "quality.csv", "populations.csv", "gates.csv")


def test_every_check_against_other_tubes_is_among_those_that_are_judged_anew() -> None:
    text = "".join(file.read_text("utf-8") for file in Path(beside_counted.__file__).parent.glob("*.py"))
    lines = re.findall(r"^(?:\w+_)?CHECK\b.* = (.*)$", text, re.MULTILINE)
    checks = {name for line in lines for name in re.findall(r'"(\w+)"', line)}
    assert len(checks) > 5
    assert checks == beside_counted.CHECKS | beside_others.CHECKS, "else a moved gate leaves its finding there twice"


@pytest.fixture(scope="module")
def tubes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six tubes of a course; the fourth has lost half of its beads."""
    folder = tmp_path_factory.mktemp("tubes")
    few = Preparation(drawn_share=0.25, sample_volume_ul=50)
    blood = Blood(granulocytes=600.0)
    for number in range(6):
        tube = blood_tube(car_per_ul=100 * number, blood=blood, preparation=few, seed=number)
        write(tube, folder / f"d{number}.fcs", beads_left=0.5 if number == 3 else 1.0)
    return folder


def write(tube: SimulatedTube, path: Path, *, beads_left: float) -> None:
    random = np.random.default_rng(3)
    is_bead = np.isin(tube.origin, [number for number, kind in enumerate(tube.kinds) if "bead" in kind])
    keep = ~is_bead | (random.random(len(is_bead)) < beads_left)
    columns = {name: column[keep] for name, column in tube.columns.items()}
    write_fcs(path, columns, markers=tube.markers, ranges={"Time": 1e7}, keywords=tube.keywords)


def tables(run: Path) -> dict[str, bytes]:
    return {name: (run / name).read_bytes() for name in TABLES}


def rows(run: Path, table: str) -> list[dict[str, str]]:
    with (run / f"{table}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def whole(tubes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("whole") / "run"
    answer = cytocar_command("gate", tubes, *FIXED, "-o", run)
    assert answer.code == 0, answer.stderr
    assert "W255" in answer.stderr
    return run


def test_half_of_the_beads_of_one_tube_are_a_review_of_that_tube_alone(whole: Path) -> None:
    assert {row["sample_id"]: row["status"] for row in rows(whole, "counts")} == {
        f"d{number}": "review" if number == 3 else "ok" for number in range(6)
    }
    of_beads = {row["sample_id"]: row["code"] for row in rows(whole, "quality") if row["check"] == "run_beads"}
    assert of_beads == {f"d{number}": "W255" if number == 3 else "" for number in range(6)}
    assert all(check.verdict is not Verdict.CHANGED for check in verify(whole))


def test_shards_say_it_when_they_are_merged(tubes: Path, whole: Path, tmp_path: Path) -> None:
    for number in (1, 2):
        shard = ("--shard", f"{number}/2", "-o", tmp_path / f"shard{number}")
        assert cytocar_command("gate", tubes, *FIXED, *shard).code == 0
    assert "run_beads" not in {row["check"] for row in rows(tmp_path / "shard1", "quality")}
    merged = tmp_path / "merged"
    merge = ("merge", tmp_path / "shard1", tmp_path / "shard2", "-o", merged, "--no-report")
    assert cytocar_command(*merge).code == 0
    assert tables(merged) == tables(whole)
    assert cytocar_command("reproduce", merged, "-j", "1").code == 0
    assert cytocar_command("reproduce", tmp_path / "shard1", "-j", "1").code == 0


@pytest.mark.parametrize("left", [("d0", "d3"), ("d5",), ()])
def test_a_run_that_goes_on_gives_the_same_bytes(
    left: tuple[str, ...], tubes: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between counting and telling, with parts that hold what was said, and parts that do not."""
    run = tmp_path / "run"

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("cytocar.run.count.tell_of_others", killed)
        with pytest.raises(KeyboardInterrupt):
            cytocar.run(tubes, "cart-cd19fc-fixed", run, jobs=1, beads_added=20_000, sample_volume_ul=50)
    parts = Parts(run / "parts")
    for path in whole.glob("parts/d4-*"):  # was told already
        shutil.copy(path, run / "parts")
    for name in left:
        next((run / "parts").glob(f"{name}-*")).unlink()
    assert parts.read("d1") is not None
    results = cytocar.run(tubes, "cart-cd19fc-fixed", run, jobs=1, beads_added=20_000, sample_volume_ul=50)
    assert tables(run) == tables(whole)
    assert [result.status for result in results] == ["ok", "ok", "ok", "review", "ok", "ok"]


def test_python_without_a_folder_hears_it_too(tubes: Path) -> None:
    results = cytocar.run(tubes, "cart-cd19fc-fixed", jobs=2, beads_added=20_000, sample_volume_ul=50)
    assert [result.status for result in results] == ["ok", "ok", "ok", "review", "ok", "ok"]


def test_a_gate_that_is_moved_is_held_against_the_others_anew(whole: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    moved = ("override", run, "d1", "beads", "--value", "CD4 min=61000", "--reason", "half", "--by", "A. M.")
    assert cytocar_command(*moved).code == 0
    told = {row["sample_id"]: row["code"] for row in rows(run, "quality") if row["check"] == "run_beads"}
    assert told == {"d0": "", "d2": "", "d3": "W255", "d4": "", "d5": ""}  # nothing is counted by half of the beads
    assert all(check.verdict is not Verdict.CHANGED for check in verify(run))
    assert cytocar_command("reproduce", run, "-j", "1").code == 0
    assert cytocar_command("override", run, "d1", "beads", "--undo", "--reason", "no", "--by", "A. M.").code == 0
    assert tables(run) == tables(whole)


def test_tubes_that_lack_a_stain_are_not_compared(tubes: Path) -> None:
    results = cytocar.run(tubes, "cart-cd19fc-fixed", jobs=1, beads_added=20_000, sample_volume_ul=50)
    counted = [result for result in results if isinstance(result, SampleResult)]
    fmo = [replace(one, sample=replace(one.sample, sample_type=SampleType.FMO)) for one in counted]
    assert findings_beside_counted([tube for one in fmo if (tube := CountedTube.of(one))]) == {}
