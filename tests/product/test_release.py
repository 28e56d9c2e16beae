"""Doses and limits of release: published lots, the numbers of a case, and a simulated product of known dose."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from msgspec.structs import replace

from cytocar.product.dose import entered, figures_of
from cytocar.product.release import ReleaseCriteria
from cytocar.report.product.page import cells
from cytocar.run.from_python import run
from cytocar.sample.result import SampleResult
from cytocar.simulate import Blood, Preparation, blood_tube
from cytocar.statistics.estimate import Estimate
from cytocar.validation.limits import Verdict, read_limits
from tests.runs import cytocar_command

# ARI-0001, PMC6319086, table 2: three lots; all were released.
LOTS = {
    "car_percent": (26.0, 41.9, 39.7),
    "cd3_percent": (97.9, 98.6, 98.6),
    "viability_percent": (97.9, 98.1, 98.0),
    "vcn_per_cell": (1.45, 2.32, 2.51),
    "dose_car_per_kg": (1495e6 / 70, 1746e6 / 70, 1340e6 / 70),
}
PRODUCT = Blood(
    cd4_t_cells=400,
    cd8_t_cells=455,
    double_negative_t_cells=5,
    nk_cells=30,
    cd8_nk_cells=0,
    monocytes=0,
    granulocytes=0,
    dead_share=0.2,
)
HEADER = (
    "file,sample_id,subject_id,specimen,sample_volume_ul,beads_added,dilution_factor,bag_volume_ml,tnc_per_ml,weight_kg,"
    "vcn_per_cell,x_planned_dose,template\n"
)


def _sheet(folder: Path, name: str, seed: int, car_per_ul: float) -> Path:
    tube = blood_tube(
        car_per_ul=car_per_ul,
        blood=PRODUCT,
        preparation=Preparation(sample_volume_ul=50, drawn_share=0.3),
        seed=seed,
    )
    tube.write(folder / f"{name}.fcs")
    # 1000 viable cells/µL x 28 in the bag are 28e6/mL, and 80 % of all are viable
    text = f"{name}.fcs,{name},L1,product,50,20000,28,50,36.4e6,70,0.18,2e8,product-release\n"
    (folder / f"{name}.csv").write_text(HEADER + text)
    return folder / f"{name}.csv"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A product and the same product before freezing, counted."""
    folder = tmp_path_factory.mktemp("product")
    run(_sheet(folder, "thawed", 5, 140), None, folder / "run", jobs=1)
    run(_sheet(folder, "fresh", 6, 175), None, folder / "before", jobs=1)
    return folder


def _rows(text: str) -> dict[str, dict[str, str]]:
    return {row["figure"]: row for row in csv.DictReader(text.splitlines())}


@pytest.mark.parametrize("lot", range(3))
def test_the_published_lots_pass_the_published_limits(lot: int) -> None:
    criteria = read_limits("ari-0001", ReleaseCriteria, package="cytocar.product")
    found = {one.figure: one.verdict(Estimate(LOTS[one.figure][lot], None, None)) for one in criteria.criteria}
    assert found == dict.fromkeys(LOTS, Verdict.PASS)


@pytest.mark.parametrize("name", ["ari-0001", "mb-cart20-1", "humanised-cd19"])
def test_the_published_limits_can_be_read_and_say_where_they_are_from(name: str) -> None:
    criteria = read_limits(name, ReleaseCriteria, package="cytocar.product")
    assert criteria.source.startswith("PMC")
    assert all(one.why for one in criteria.criteria)


def test_a_simulated_product_has_its_true_dose_within_both_intervals(made: Path) -> None:
    answer = cytocar_command("product", made / "run")
    rows = _rows(answer.stdout)
    assert answer.code == 0
    truth = 140 * 28 * 50 * 1000  # cells/µL of the tube x dilution x mL x µL/mL
    for dose in ("dose_car", "dose_car_dual"):
        assert float(rows[dose]["low"]) <= truth <= float(rows[dose]["high"]), dose
        assert float(rows[f"{dose}_per_kg"]["value"]) == pytest.approx(float(rows[dose]["value"]) / 70, rel=1e-4)
    assert float(rows["viability_percent"]["low"]) <= 80 <= float(rows["viability_percent"]["high"])
    share = float(rows["cd3_percent"]["value"]) * float(rows["car_percent"]["value"]) / 1e4
    assert float(rows["vcn_per_car_cell"]["value"]) == pytest.approx(0.18 / share, rel=1e-4)
    assert float(rows["dose_percent_of_planned"]["value"]) == pytest.approx(
        float(rows["dose_car"]["value"]) / 2e6, rel=1e-4
    )
    assert rows["dose_car"]["file_sha256"]


def test_two_doses_that_disagree_are_named_and_the_verdict_stands(made: Path, tmp_path: Path) -> None:
    sheet = (made / "thawed.csv").read_text().replace("36.4e6", "30e6")
    (made / "other.csv").write_text(sheet)
    run(made / "other.csv", None, tmp_path / "run", jobs=1)
    answer = cytocar_command("product", tmp_path / "run", "--criteria", "mb-cart20-1", "-o", tmp_path / "out")
    assert "1 finding to look at: W382" in answer.stdout
    ratio = _rows((tmp_path / "out" / "product.csv").read_text())["dose_dual_over_single"]
    assert float(ratio["low"]) < 30 / 36.4 < float(ratio["high"]) < 1
    assert "W382 The two doses of a product disagree" in (tmp_path / "out" / "certificates.html").read_text()
    agreeing = _rows(cytocar_command("product", made / "run").stdout)["dose_dual_over_single"]
    assert float(agreeing["low"]) < 1 < float(agreeing["high"])


def test_recovery_is_told_against_the_bag_before_freezing(made: Path) -> None:
    rows = _rows(cytocar_command("product", made / "run", "--before", made / "before").stdout)
    assert float(rows["recovery_car_percent"]["low"]) <= 80 <= float(rows["recovery_car_percent"]["high"])
    assert float(rows["recovery_viable_percent"]["value"]) == pytest.approx(100 * 1030 / 1065, abs=12)


def test_limits_decide_the_exit_code_and_stand_on_the_certificate(made: Path, tmp_path: Path) -> None:
    answer = cytocar_command("product", made / "run", "--criteria", "ari-0001", "-o", tmp_path / "out")
    assert answer.code == 1
    assert "thawed: FAIL" in answer.stdout  # 14 % are not 20 %
    page = (tmp_path / "out" / "certificates.html").read_text()
    for words in ("ARI-0001", "PMC6319086", "FAIL", "at least 20 %", "released by", "× 10⁸"):
        assert words in page
    assert cytocar_command("product", made / "run", "--criteria", "mb-cart20-1").code == 1


def test_a_limit_inside_the_interval_is_said_to_be_crossed(made: Path, tmp_path: Path) -> None:
    found = float(_rows(cytocar_command("product", made / "run").stdout)["car_percent"]["value"])
    criteria = tmp_path / "mine.toml"
    criteria.write_text(f'name = "x"\n[[criteria]]\nfigure = "car_percent"\nat_least = {found + 0.1}\n')
    answer = cytocar_command("product", made / "run", "--criteria", criteria, "-o", tmp_path / "out")
    assert answer.code == 1
    assert "thawed: the interval crosses the limit" in answer.stdout


def test_faults_of_limits_name_the_page_on_products(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('name = "own"\n[[criteria]]\nfigure = "car_percent"\nat_least = 80,5\n')
    answer = cytocar_command("product", tmp_path, "--criteria", tmp_path / "own.toml")
    assert answer.code == 2
    assert "release-a-product.md" in answer.stderr
    assert "a number has a decimal point" in answer.stderr


def test_a_figure_that_nobody_entered_is_not_evaluated(made: Path) -> None:
    answer = cytocar_command("product", made / "run", "--criteria", "humanised-cd19")
    assert answer.code == 1
    assert _rows(answer.stdout)["x_magnetic_beads_per_3e6_cells"]["verdict"] == "not_evaluated"


@pytest.mark.parametrize(
    ("cell", "number", "why"),
    [
        ("2,1e8", 2.1e8, ""),
        ("0,125", 0.125, ""),
        ("nan", None, "'nan' is not a finite number"),
        ("<5", None, "'<5' is not a number"),
        ("1.250", None, "'1.250' may be 1250 or 1.2500: write one of these"),
        ("", None, "the sheet has nothing in the column x_own"),
        (None, None, "the sheet has no column x_own"),
    ],
)
def test_an_own_column_is_read_as_a_number_of_a_sheet_or_says_why_not(
    cell: str | None, number: float | None, why: str
) -> None:
    assert entered({} if cell is None else {"x_own": cell}, "x_own") == (number, why)


def test_a_limit_of_a_column_without_a_number_says_why(made: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.csv"
    head, line = (made / "thawed.csv").read_text().splitlines()
    sheet.write_text(f"{head},x_own\n{made}/{line.replace(',2e8,', ',inf,')},nan\n")
    run(sheet, None, tmp_path / "run", jobs=1)
    limits = "".join(f'[[criteria]]\nfigure = "{name}"\nat_most = 8\n' for name in ("x_own", "dose_percent_of_planned"))
    (tmp_path / "own.toml").write_text(f'name = "own"\n{limits}')
    words = ("product", tmp_path / "run", "--criteria", tmp_path / "own.toml")
    answer = cytocar_command(*words, "-o", tmp_path / "out")
    assert answer.code == 1
    assert "x_own: 'nan' is not a finite number" in answer.stdout
    assert "dose_percent_of_planned: 'inf' is not a finite number" in answer.stdout
    rows = _rows((tmp_path / "out" / "product.csv").read_text())
    assert rows["x_own"]["verdict"] == rows["dose_percent_of_planned"]["verdict"] == "not_evaluated"


def test_a_run_without_products_and_one_without_the_fresh_product_are_refused(made: Path, tmp_path: Path) -> None:
    sheet = _sheet(tmp_path, "blood", 7, 100)
    sheet.write_text(sheet.read_text().replace(",product,", ",blood,"))
    run(sheet, None, tmp_path / "blood-run", jobs=1)
    answer = cytocar_command("product", tmp_path / "blood-run")
    assert (answer.code, "E261" in answer.stderr) == (2, True)
    other = _sheet(tmp_path, "other", 8, 100)
    other.write_text(other.read_text().replace(",L1,", ",L2,"))
    run(other, None, tmp_path / "other-run", jobs=1)
    answer = cytocar_command("product", made / "run", "--before", tmp_path / "other-run")
    assert (answer.code, "E262" in answer.stderr) == (2, True)


def test_without_volume_and_weight_there_is_no_dose(made: Path) -> None:
    from cytocar.run.parts import PARTS, Parts

    (result,) = Parts(made / "run" / PARTS).in_order(["thawed"])
    assert isinstance(result, SampleResult)
    bare = replace(result, sample=replace(result.sample, bag_volume_ml=None, weight_kg=None, vcn_per_cell=None))
    names = set(figures_of(bare, b_cells="b_cells"))
    assert {"viability_percent", "cd3_percent", "car_percent"} <= names
    residual = figures_of(result, b_cells="not_t")["residual_cd19_percent"].value
    assert residual == pytest.approx(100 - (figures_of(result, b_cells=None)["cd3_percent"].value or 0))
    assert not {name for name in names if name.startswith(("dose", "vcn"))}


def test_cells_are_written_as_people_write_them() -> None:
    assert [cells(value) for value in (3.9e8, 970_510, 50.0, 0.18, None)] == [
        "3.90 × 10⁸",
        "9.71 × 10⁵",
        "50.0",
        "0.180",
        "–",
    ]
