"""What is refused of runs before anything is evaluated; criteria, verdicts and the page, on a small simulated study."""

from __future__ import annotations

import csv
import html
import json
import shutil
from pathlib import Path

import pytest

from cytocar.errors.tree import IntegrityError, UsageError
from cytocar.files.bundled import template_folder
from cytocar.statistics.estimate import Estimate
from cytocar.validation.criteria import Criteria
from cytocar.validation.designs import Kind
from cytocar.validation.limits import Bound, Verdict, read_limits
from cytocar.validation.proof import proof_of
from tests.runs import Answer, cytocar_command

CRITERIA = """
name = "precision only"
[[criteria]]
study = "precision"
measurand = "car_per_ul"
statistic = "cv_within_run"
level = "high"
at_most = {limit}
by = "estimate"
why = "a test"
"""


def _rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text("utf-8").splitlines()))


def _criteria(folder: Path, limit: float = 50, more: str = "") -> Path:
    path = folder / "criteria.toml"
    path.write_text(more + CRITERIA.format(limit=limit))
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A counted precision study of three days, without the pictures of a report."""
    from cytocar.run.from_python import run
    from cytocar.simulate.validation import simulate_validation
    from cytocar.validation.designs import Design

    folder = tmp_path_factory.mktemp("study")
    sheet = simulate_validation(folder, designs=[Design.PRECISION_5X3], drawn_share=0.15)
    lines = sheet.read_text().splitlines(keepends=True)
    few = [line for line in lines[1:] if "-high-d" in line and ("-d1-" in line or "-d2-" in line or "-d3-r1-1" in line)]
    sheet.write_text("".join([lines[0], *few]))
    run(sheet, None, folder / "run", jobs=1)
    return folder


def _evaluated(run: Path, criteria: Path, out: Path, *more: str) -> Answer:
    return cytocar_command("validate", "evaluate", run, "--criteria", criteria, "-o", out, *more)


def test_every_row_traces_to_run_template_and_files(made: Path, tmp_path: Path) -> None:
    answer = _evaluated(made / "run", _criteria(tmp_path), tmp_path / "out")
    assert answer.code == 0, answer.stderr
    assert "1 of 1 criteria met" in answer.stdout
    assert "unbalanced" in answer.stderr
    rows = _rows(tmp_path / "out" / "validation.csv")
    tubes = _rows(tmp_path / "out" / "validation_tubes.csv")
    counts = _rows(made / "run" / "counts.csv")
    assert {row["statistic"] for row in rows} == {"mean", "cv_within_run", "cv_between_run", "cv_total"}
    assert {row["template_sha256"] for row in rows} == {counts[0]["template_sha256"]}
    assert {row["runs"] for row in rows} == {"run"}
    assert [tube["file_sha256"] for tube in tubes] == [row["file_sha256"] for row in counts]
    assert [row["verdict"] for row in rows] == ["", "pass", "", ""]


def test_the_page_says_verdict_limit_and_reason(made: Path, tmp_path: Path) -> None:
    _evaluated(made / "run", _criteria(tmp_path, limit=0.01), tmp_path / "out")
    page = (tmp_path / "out" / "validation.html").read_text()
    for words in ("NOT PASSED", "at most 0.01", "a test", "FAIL", "data:image/svg+xml", "precision-5x3"):
        assert words in page
    assert "<script" not in page


def test_the_same_data_give_the_same_bytes(made: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        _evaluated(made / "run", _criteria(tmp_path), tmp_path / name)
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes(), file.name


def test_a_criterion_that_is_not_met_or_without_data_makes_the_exit_code_1(made: Path, tmp_path: Path) -> None:
    assert _evaluated(made / "run", _criteria(tmp_path, limit=0.01), tmp_path / "a").code == 1
    more = _criteria(tmp_path).read_text().replace("precision", "operators").replace("cv_within_run", "icc")
    (tmp_path / "more.toml").write_text(more.replace('level = "high"\n', ""))
    answer = _evaluated(made / "run", tmp_path / "more.toml", tmp_path / "b")
    assert answer.code == 1
    assert "not evaluated" in answer.stdout
    assert "<td>icc</td>" not in (tmp_path / "b" / "validation.html").read_text()  # it has a name there


def test_a_criterion_of_a_level_that_no_study_has_says_which_there_are(made: Path, tmp_path: Path) -> None:
    other = _criteria(tmp_path).read_text().replace('level = "high"', 'level = "hgh"')
    (tmp_path / "other.toml").write_text(other)
    answer = _evaluated(made / "run", tmp_path / "other.toml", tmp_path / "out")
    assert answer.code == 1
    for text in (answer.stdout, html.unescape((tmp_path / "out" / "validation.html").read_text())):
        assert "no level 'hgh'; there are: " in text
        assert "high" in text.split("there are: ")[1][:40]


def test_a_level_that_is_given_twice_is_refused() -> None:
    answer = cytocar_command("validate", "plan", "--design", "precision-5x3", "--level", "a=1", "--level", "a=2")
    assert (answer.code, "--level a is given twice" in answer.stderr) == (2, True)


def test_a_lock_rests_on_a_validation_of_this_template_that_passed(made: Path, tmp_path: Path) -> None:
    _evaluated(made / "run", _criteria(tmp_path), tmp_path / "out")
    template = tmp_path / "mine.toml"
    shutil.copyfile(template_folder() / "cart-cd19fc.toml", template)
    words = ("template", "lock", template, "--by", "A. Person", "--reason", "validated")
    answer = cytocar_command(*words, "--validation", tmp_path / "out")
    assert answer.code == 0, answer.stderr
    lock = json.loads((tmp_path / "mine.lock.json").read_text())
    assert lock["validation"].startswith("out/validation.csv (precision-5x3) sha256 ")
    assert cytocar_command("template", "validate", template).code == 0


@pytest.mark.parametrize(
    ("change", "code"), [("other", "E258"), ("failed", "E259"), ("edited", "E259"), ("none", "E259")]
)
def test_a_validation_that_does_not_bear_a_lock_is_refused(made: Path, tmp_path: Path, change: str, code: str) -> None:
    _evaluated(made / "run", _criteria(tmp_path, limit=0.01 if change == "failed" else 50), tmp_path / "out")
    table = tmp_path / "out" / "validation.csv"
    sha = _rows(table)[0]["template_sha256"]
    if change == "edited":
        table.write_text(table.read_text().replace("pass", "pass "))
    if change == "none":
        table.unlink()
    with pytest.raises(IntegrityError) as caught:
        proof_of(tmp_path / "out", "0" * 64 if change == "other" else sha)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        ({"val_study": ""}, "E250"),
        ({"val_study": "precise"}, "E251"),
        ({"template": "cart-generic"}, "E252"),
        ({"bead_lot": "another"}, "E253"),
        ({"file": "precision-5x3/high-d1-r1-1.fcs"}, "E256"),
        ({"val_day": ""}, "E257"),
        ({"val_run": "7", "val_rep": "1"}, ""),
    ],
)
def test_tubes_that_do_not_fit_are_refused_with_a_code(
    made: Path, tmp_path: Path, cells: dict[str, str], code: str
) -> None:
    from cytocar.run.from_python import run

    rows = _rows(made / "sheet.csv")
    changed = rows if cells.get("val_study") is not None else rows[1:2]
    for row in changed:
        row.update(cells)
    for row in rows:
        row["file"] = str(made / row["file"])
    with (tmp_path / "sheet.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows[:4])
    run(tmp_path / "sheet.csv", None, tmp_path / "run", jobs=1)
    answer = _evaluated(tmp_path / "run", _criteria(tmp_path), tmp_path / "out")
    assert (f"error[{code}]" in answer.stderr) == bool(code), answer.stderr
    assert answer.code == (2 if code else 0)


def test_mixed_lots_are_evaluated_where_the_criteria_say_so(made: Path, tmp_path: Path) -> None:
    from cytocar.run.from_python import run

    sheet = tmp_path / "sheet.csv"
    lines = (made / "sheet.csv").read_text().replace("precision-5x3/", f"{made}/precision-5x3/").splitlines()
    sheet.write_text("\n".join([*lines[:3], *(line.replace(",simulated,", ",other,") for line in lines[3:])]))
    run(sheet, None, tmp_path / "run", jobs=1)
    assert _evaluated(tmp_path / "run", _criteria(tmp_path), tmp_path / "a").code == 2
    allowed = _criteria(tmp_path).read_text().replace("[[criteria]]", "[settings]\nmixed_lots = true\n[[criteria]]")
    (tmp_path / "allowed.toml").write_text(allowed)
    answer = _evaluated(tmp_path / "run", tmp_path / "allowed.toml", tmp_path / "b")
    assert answer.code == 0
    assert "tubes of 2 lots of beads" in answer.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('name = "x"\n', "criteria: is missing"),
        (CRITERIA.format(limit=5).replace("cv_within_run", "cv_within"), "did you mean 'cv_within_run'"),
        (CRITERIA.format(limit=5).replace("car_per_ul", "car_per_u"), "did you mean"),
        (CRITERIA.format(limit=5).replace("at_most = 5", ""), "at_least, at_most or both"),
        ("name = ", "cannot be used"),
        (CRITERIA.format(limit=5).replace("[[criteria]]", "[criteria]"), "write [[criteria]] in place of [criteria]"),
    ],
)
def test_faults_of_criteria_are_listed(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "criteria.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_limits(str(path), Criteria, package="cytocar.validation")
    assert caught.value.code == "E255"
    assert said in caught.value.message


def test_a_misspelt_key_hides_no_misspelt_word(tmp_path: Path) -> None:
    path = tmp_path / "criteria.toml"
    text = CRITERIA.format(limit=5).replace("at_most", "at_mst").replace("cv_within_run", "cv_within")
    path.write_text(text.replace("car_per_ul", "car_per_u", 1).replace("[[", 'measurands = ["cd4_per_u"]\n[[', 1))
    with pytest.raises(UsageError) as caught:
        read_limits(str(path), Criteria, package="cytocar.validation")
    for part in (
        "at_mst: unknown key, did you mean 'at_most'?",
        "'cv_within' is not known of precision, did you mean 'cv_within_run'?",
        "'car_per_u' is not known of precision, did you mean 'car_per_ul'?",
        "measurand 'cd4_per_u' is not a number of counts.csv, did you mean 'cd4_per_ul'?",
    ):
        assert part in caught.value.message, part


def test_the_bundled_criteria_can_be_read_and_an_unknown_name_is_said() -> None:
    criteria = read_limits("car-t-blood", Criteria, package="cytocar.validation")
    assert all(one.why for one in criteria.criteria)
    with pytest.raises(UsageError, match="car-t-blood"):
        read_limits("car-t-bloot", Criteria, package="cytocar.validation")


def test_studies_made_for_one_number_are_evaluated_for_that_alone() -> None:
    criteria = read_limits("car-t-blood", Criteria, package="cytocar.validation")
    assert criteria.measurands_of(Kind.DETECTION) == ("car_percent_of_t_cells",)
    assert criteria.measurands_of(Kind.LINEARITY) == ("car_per_ul",)
    assert "t_cells_per_ul" in criteria.measurands_of(Kind.PRECISION)


def test_a_limit_inside_the_interval_decides_nothing() -> None:
    limit = Bound(at_least=-5, at_most=5)
    verdicts = [limit.verdict(Estimate(value, value - 2, value + 2)) for value in (0, 4, -4, 8, -8)]
    assert verdicts == [Verdict.PASS, Verdict.CROSSES, Verdict.CROSSES, Verdict.FAIL, Verdict.FAIL]
    assert limit.verdict(Estimate(None, None, None)) is Verdict.NOT_EVALUATED
    assert Bound(at_most=5, by="estimate").verdict(Estimate(4, 2, 9)) is Verdict.PASS


def test_tubes_that_ask_for_a_look_are_used_and_said(made: Path, tmp_path: Path) -> None:
    from cytocar.run.from_python import run

    sheet = tmp_path / "sheet.csv"
    sheet.write_text((made / "sheet.csv").read_text().replace("precision-5x3/", f"{made}/precision-5x3/"))
    template = (template_folder() / "cart-cd19fc.toml").read_text() + (
        '[[acceptance]]\ncheck = "t_cell_events"\nminimum = 1000000\non_fail = "review"\n'
    )
    (tmp_path / "mine.toml").write_text(template)
    sheet.write_text(sheet.read_text().replace(",cart-cd19fc,", ",mine.toml,"))
    run(sheet, None, tmp_path / "run", jobs=1)
    answer = _evaluated(tmp_path / "run", _criteria(tmp_path), tmp_path / "out")
    assert answer.code == 0
    assert "7 of 7 tubes ask for a look, and are used as they are" in answer.stderr
