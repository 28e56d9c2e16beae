"""``cytocar groups`` on a small cohort, from runs to comparisons; its course is without figures."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from tests.courses import draw_no_figures
from tests.runs import cytocar_command

HEAD = (
    "sample_id,subject_id,day,sample_type,specimen,status,t_cell_events,car_events,car_result,t_cells_per_ul,"
    "car_per_ul,car_per_ul_low,car_per_ul_high,car_lod_per_ul,car_lloq_per_ul,file_sha256"
)


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohort")
    run = folder / "run"
    run.mkdir()
    counts, clinical, drugs, people = [HEAD], [], [], []
    for number in range(10):
        subject, arm = f"P{number}", "AB"[number % 2]
        for day, share in ((3, 0.1), (9, 1.0), (28, 0.2)):
            per_ul = (10 + number + 100 * (arm == "A")) * share
            counts.append(
                f"{subject}d{day},{subject},{day},sample,blood,ok,20000,500,quantified,1000,"
                f"{per_ul},{per_ul * 0.9},{per_ul * 1.1},0.5,1,{subject}{day}"
            )
        clinical += [f"{subject},5,IL-6,{'<7' if number < 4 else 10 + number},pg/mL", f"{subject},10,IL-6,5,pg/mL"]
        drugs.append(f"{subject},ruxolitinib,6,8,5,mg")
        people.append(f"{subject},{arm}")
    (run / "counts.csv").write_text("\n".join(counts) + "\n", "utf-8")
    for name, head, rows in (
        ("clinical", "subject_id,day,variable,value,unit", clinical),
        ("interventions", "subject_id,name,start_day,end_day,dose,unit", drugs),
        ("subjects", "subject_id,arm", people),
    ):
        (folder / f"{name}.csv").write_text("\n".join([head, *rows]) + "\n", "utf-8")
    tables = [
        word for name in ("clinical", "interventions", "subjects") for word in (f"--{name}", folder / f"{name}.csv")
    ]
    with pytest.MonkeyPatch.context() as patch:
        draw_no_figures(patch)
        made = cytocar_command("series", run / "counts.csv", "-o", folder / "course", *tables, "--by", "arm")
    assert made.code == 0, made.stderr
    return folder / "course"


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_peaks_of_two_arms_are_compared(course: Path, tmp_path: Path) -> None:
    answer = cytocar_command("groups", course, "--by", "arm", "--what", "peak,il6@5,il6@80", "-o", tmp_path)
    assert answer.code == 0, answer.stderr
    peak, il6 = rows_of((tmp_path / "groups.csv").read_text("utf-8"))
    assert (peak["first"], peak["second"], peak["statistic"], peak["p"]) == ("A", "B", "25", "0.00793651")
    assert (il6["n_below_first"], il6["n_below_second"], il6["unit"]) == ("2", "2", "ng/L")
    assert "note: il6@80 is not compared" in answer.stderr
    assert (tmp_path / "groups.svg").is_file()


def test_before_and_after_a_drug(course: Path) -> None:
    answer = cytocar_command("groups", course, "--paired", "before,after:ruxolitinib", "--what", "il6,car_per_ul")
    il6, car = rows_of(answer.stdout)
    assert (il6["first"], il6["n_first"], il6["n_below_first"]) == ("before", "10", "4")
    assert car["p"] == "0.00195312"  # ten of ten rose: 2 / 2**10


def test_what_is_asked_for_twice_is_compared_and_counted_once(course: Path) -> None:
    once = cytocar_command("groups", course, "--by", "arm", "--what", "peak,all@max").stdout
    twice = cytocar_command("groups", course, "--by", "arm", "--what", "peak,peak,all@max,il6@max").stdout
    assert twice == once
    assert [row["measure"] for row in rows_of(once)] == ["peak", "il6@max"]


def test_pairs_are_drawn(course: Path, tmp_path: Path) -> None:
    words = ("--paired", "before,after:ruxolitinib", "--what", "il6,car_per_ul", "-o", tmp_path)
    answer = cytocar_command("groups", course, *words)
    assert f"wrote {tmp_path / 'pairs.svg'}" in answer.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["groups.csv", "pairs.svg"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--by", "sex"), "E164"),
        (("--by", "arm", "--what", "speed"), "E165"),
        (("--by", "arm", "--what", "il6@noon"), "E165"),
        ((), "E167"),
        (("--paired", "before:ruxolitinib"), "E167"),
        (("--paired", "before,after:dasatinib", "--what", "il6"), "E136"),
    ],
)
def test_what_cannot_be_compared_is_named(course: Path, words: tuple[str, ...], code: str) -> None:
    answer = cytocar_command("groups", course, *words)
    assert answer.code == 2
    assert answer.stderr.startswith(f"error[{code}]")


def test_a_run_is_no_course(tmp_path: Path) -> None:
    assert cytocar_command("groups", tmp_path, "--by", "arm").stderr.startswith("error[E166]")
