from __future__ import annotations

import csv
from pathlib import Path

from cytocar.simulate import Preparation, simulate_tubes

SMALL = Preparation(sample_volume_ul=2)


def test_every_level_gets_its_tubes_and_the_sheet_lists_them(tmp_path: Path) -> None:
    written: list[Path] = []

    sheet = simulate_tubes(tmp_path / "new", car_per_ul=[0.5, 100], tubes=2, preparation=SMALL, on_tube=written.append)

    with sheet.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["sample_id"] for row in rows] == ["car0.5-01", "car0.5-02", "car100-01", "car100-02"]
    assert [row["file"] for row in rows] == [path.name for path in written]
    assert all((tmp_path / "new" / f"{row['sample_id']}.truth.json").is_file() for row in rows)
    assert (rows[0]["sample_volume_ul"], rows[0]["beads_added"], rows[0]["count_method"]) == ("2", "20000", "beads")


def test_tubes_of_one_level_differ_and_do_not_depend_on_how_many_follow(tmp_path: Path) -> None:
    one = simulate_tubes(tmp_path / "one", car_per_ul=[50], tubes=1, preparation=SMALL, seed=4).parent
    two = simulate_tubes(tmp_path / "two", car_per_ul=[50], tubes=2, preparation=SMALL, seed=4).parent

    assert (one / "car50-01.fcs").read_bytes() == (two / "car50-01.fcs").read_bytes()
    assert (two / "car50-01.fcs").read_bytes() != (two / "car50-02.fcs").read_bytes()


def test_a_tube_without_beads_is_counted_by_its_volume(tmp_path: Path) -> None:
    sheet = simulate_tubes(tmp_path, car_per_ul=[50], preparation=Preparation(sample_volume_ul=2, beads_added=0))

    with sheet.open(encoding="utf-8", newline="") as file:
        row = next(csv.DictReader(file))
    assert (row["count_method"], row["beads_added"], row["dilution_factor"]) == ("volumetric", "", "250")
