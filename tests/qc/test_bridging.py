"""Bridging of lots: specimens measured with both, the limit, and what cannot be compared."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from cytocar.errors.tree import UsageError
from cytocar.qc.bridging import bridges
from cytocar.run.from_python import run
from cytocar.simulate import Preparation, blood_tube
from tests.runs import cytocar_command

HEADER = "file,sample_id,subject_id,day,beads_added,sample_volume_ul,bead_lot,x_lot_CD3\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four specimens with beads of lots A and B; in lot B there are 30 % fewer beads than its label says."""
    folder = tmp_path_factory.mktemp("lots")
    rows = []
    for specimen in range(1, 5):
        for lot, beads in (("A", 20_000), ("B", 14_000)):
            prepared = Preparation(sample_volume_ul=50, drawn_share=0.2, beads_added=beads)
            tube = blood_tube(car_per_ul=100 * specimen, preparation=prepared, seed=10 * specimen + (lot == "B"))
            tube.write(folder / f"s{specimen}{lot}.fcs")
            rows.append(f"s{specimen}{lot}.fcs,s{specimen}{lot},P{specimen},7,20000,50,{lot},81\n")
    (folder / "sheet.csv").write_text(HEADER + "".join(rows))
    run(folder / "sheet.csv", "cart-cd19fc-fixed", folder / "run", jobs=1)
    return folder


def _rows(text: str) -> dict[str, dict[str, str]]:
    return {row["measurand"]: row for row in csv.DictReader(text.splitlines())}


def test_a_lot_with_fewer_beads_than_its_label_says_is_found(made: Path) -> None:
    answer = cytocar_command("qc", "lots", made / "run", "--limit", "15")
    assert answer.code == 1
    rows = _rows(answer.stdout)
    assert (rows["car_per_ul"]["old_lot"], rows["car_per_ul"]["new_lot"], rows["car_per_ul"]["n"]) == ("A", "B", "4")
    low, high = float(rows["t_cells_per_ul"]["low"]), float(rows["t_cells_per_ul"]["high"])
    assert low <= 100 / 0.7 <= high
    assert rows["t_cells_per_ul"]["verdict"] == "fail"
    assert rows["car_percent_of_t_cells"]["verdict"] == "pass"
    assert rows["car_per_ul"]["specimens"] == "P1@7 P2@7 P3@7 P4@7"


def test_the_lots_may_be_named_the_other_way_round(made: Path, tmp_path: Path) -> None:
    words = ("qc", "lots", made / "run", "--old", "B", "--new", "A", "-o", tmp_path / "lots.csv")
    assert cytocar_command(*words).code == 1
    rows = _rows((tmp_path / "lots.csv").read_text())
    assert float(rows["t_cells_per_ul"]["percent_of_old"]) == pytest.approx(70, rel=0.1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--by", "x_lot_CD3"), "names 1 lots (81)"),
        (("--by", "x_lot_CD4"), "no sample has a column x_lot_CD4"),
        (("--old", "A", "--new", "A"), "--old and --new are both A"),
        (("--new", "C"), "names 2 lots (A, B), not C"),
    ],
)
def test_what_cannot_be_compared_is_refused(made: Path, words: tuple[str, ...], said: str) -> None:
    answer = cytocar_command("qc", "lots", made / "run", *words)
    assert answer.code == 2
    assert "error[E265]" in answer.stderr
    assert said in answer.stderr


def test_too_few_specimens_with_both_lots_are_refused(made: Path, tmp_path: Path) -> None:
    text = (made / "sheet.csv").read_text().replace(",P1,", ",P9,", 1).replace(",P2,", ",P8,", 1)
    (tmp_path / "sheet.csv").write_text(
        "".join(f"{line}\n" if n == 0 else f"{made}/{line}\n" for n, line in enumerate(text.splitlines()))
    )
    run(tmp_path / "sheet.csv", "cart-cd19fc-fixed", tmp_path / "run", jobs=1)
    answer = cytocar_command("qc", "lots", tmp_path / "run")
    assert answer.code == 2
    assert "2 specimens were measured with lot A and lot B" in answer.stderr


def test_one_tube_entered_with_both_lots_is_refused(made: Path, tmp_path: Path) -> None:
    """As by a row that was copied: it would agree with itself, and any lot would pass."""
    text = (made / "sheet.csv").read_text().replace("s1B.fcs", "s1A.fcs")
    assert _refused(made, tmp_path, text) == ("E256", "the same data stand with both lots: s1A = s1B")


def test_lots_counted_with_two_templates_are_refused(made: Path, tmp_path: Path) -> None:
    head, *lines = (made / "sheet.csv").read_text().splitlines()
    with_template = [f"{line},{'cart-cd19fc-fixed' if ',A,' in line else 'cart-cd19fc'}" for line in lines]
    code, message = _refused(made, tmp_path, "\n".join([f"{head},template", *with_template]) + "\n")
    assert code == "E252"
    assert message.startswith("the tubes of both lots were counted with 2 templates: cart-cd19fc-fixed ")


def _refused(made: Path, folder: Path, sheet: str) -> tuple[str, str]:
    head, *lines = sheet.splitlines()
    (folder / "sheet.csv").write_text("\n".join([head, *(f"{made}/{line}" for line in lines)]) + "\n")
    run(folder / "sheet.csv", None if "template" in head else "cart-cd19fc-fixed", folder / "run", jobs=1)
    with pytest.raises(UsageError) as caught:
        bridges([folder / "run"], by="bead_lot", limit=10)
    return caught.value.code, caught.value.message
