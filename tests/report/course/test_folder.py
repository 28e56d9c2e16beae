"""The folder of a course: tables by contract, figures, one page that needs nothing else."""

from __future__ import annotations

import csv
import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from cytocar.counting.limits import CarResult
from cytocar.course.clinical import ClinicalRecord, ClinicalText, ClinicalValue, Intervention
from cytocar.course.late import LateThresholds
from cytocar.course.scores import SCORES
from cytocar.course.series import Course, CoursePoint, Series
from cytocar.errors.tree import UsageError
from cytocar.report.course.folder import CourseOptions, write_course
from cytocar.report.course.page import interval_text
from cytocar.sample.result import Status
from cytocar.statistics.estimate import Estimate
from cytocar.statistics.intervals import ratio_estimate
from tests.courses import draw_no_figures

RUDE = '<img src=x onerror="alert(1)">'


def course(subject: str) -> Course:
    points = [
        CoursePoint(
            subject,
            day,
            f"{subject}-{day}",
            car_result=CarResult.QUANTIFIED if per_ul else CarResult.NOT_DETECTED,
            car_per_ul=Estimate(per_ul, per_ul * 0.9, per_ul * 1.1),
            car_lod_per_ul=0.3,
            car_lloq_per_ul=0.5,
            car_cd4_cd8_ratio=ratio_estimate(320, 680),
            b_cells_per_ul=b_cells,
        )
        for day, per_ul, b_cells in ((0, 0, 50), (7, 510, 0.1), (9, 1064, 0), (14, 150, 0), (28, 8.5, 0), (91, 2, 20))
    ]
    return Course(subject, (*points[:3], CoursePoint(subject, 11, "lost", status=Status.FAILED), *points[3:]))


RECORD = ClinicalRecord(
    (
        ClinicalValue("P1", 9, "crp", 10, "mg/L"),
        ClinicalValue("P1", 9, "crp", 20, "mg/L"),
        ClinicalValue("P1", 5, "il6", 15777, "ng/L"),
    ),
    (Intervention("P1", "tocilizumab", 0, 4, 8, "mg/kg"), Intervention("P1", RUDE, 7, None)),
)
SERIES = Series((course("P1"),), (("fmo", "fmo control"),))
ALL = CourseOptions(
    scores=("car-hematotox", "easix"),
    b_cell_threshold_per_ul=10,
    decline=True,
    formats=("svg", "pdf", "png"),
    shade=("tocilizumab",),
)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("course") / "out"
    write_course(SERIES, RECORD, out, options=ALL)
    return out


def test_series_has_the_contracts_columns_and_then_covariates(written: Path) -> None:
    header = (written / "series.csv").read_text("utf-8").splitlines()[0]
    contract = (
        "subject_id day sample_id car_per_ul car_per_ul_low car_per_ul_high car_result car_percent_of_t_cells"
        " car_cd4_cd8_ratio t_cells_per_ul cd4_cd8_ratio"
    )
    assert header.startswith(contract.replace(" ", ","))
    assert header.endswith("il6,crp")
    day_9 = next(row for row in rows(written / "series.csv") if row["day"] == "9")
    assert (day_9["crp"], day_9["il6"]) == ("15", "")


def test_failed_samples_stand_in_the_series_as_such(written: Path) -> None:
    lost = next(row for row in rows(written / "series.csv") if row["sample_id"] == "lost")
    assert (lost["status"], lost["car_per_ul"], lost["car_result"]) == ("failed", "", "not_evaluable")


def test_kinetics_has_the_contracts_columns(written: Path) -> None:
    (row,) = rows(written / "kinetics.csv")
    contract = (
        "subject_id cmax_per_ul tmax_day auc_0_28 auc_0_84 clast_per_ul tlast_day persistence_days doubling_time_days"
        " half_life_days half_life_points half_life_adjusted_r2 n_timepoints n_quantified blq_rule"
    )
    assert list(row)[:15] == contract.split()
    assert (row["cmax_per_ul"], row["tmax_day"], row["half_life_points"]) == (
        "1064",
        "9",
        "",
    )  # 14 to 91 days: not straight
    assert row["auc_0_84"]


def test_what_was_asked_for_is_written_and_described(written: Path) -> None:
    described = json.loads((written / "datapackage.json").read_text("utf-8"))
    names = {resource["path"] for resource in described["resources"]}
    assert names == {path.name for path in written.glob("*.csv")}
    assert {"scores.csv", "aplasia.csv", "decline.csv", "covariates.csv"} <= names
    (found,) = rows(written / "aplasia.csv")
    assert (found["shortest_days"], found["longest_days"]) == ("21", "91")
    (fit,) = rows(written / "decline.csv")
    assert fit["caution"] == "4 quantified samples from the peak on, 6 are needed"


def test_every_figure_comes_in_the_formats_asked_for(written: Path) -> None:
    assert {path.name for path in (written / "figures").iterdir()} == {
        f"P1_{figure}.{kind}" for figure in ("course", "acute", "months") for kind in ("svg", "pdf", "png")
    }


class _Addresses(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]


def test_the_page_fetches_nothing_and_escapes_everything(written: Path) -> None:
    page = (written / "course.html").read_text("utf-8")
    parser = _Addresses()
    parser.feed(page)
    assert all(address.startswith(("data:image/svg+xml;base64,", "#")) for address in parser.addresses)
    assert "script" not in parser.tags
    assert RUDE not in page
    assert "&lt;img src=x" in page


def test_the_page_tells_results_reasons_and_method(written: Path) -> None:
    page = (written / "course.html").read_text("utf-8")
    for text in ("1064", "not detected", "no result", "Not diagnostic", "fmo control", "linear where the curve rises"):
        assert text in page
    assert "IL-6 in blood rises after it" in page


def test_the_same_course_is_written_with_the_same_bytes(written: Path, tmp_path: Path) -> None:
    write_course(SERIES, RECORD, tmp_path / "again", options=ALL)
    for path in sorted(written.rglob("*")):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "again" / path.relative_to(written)).read_bytes(), path.name


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", "utf-8")
    with pytest.raises(UsageError) as caught:
        write_course(SERIES, ClinicalRecord(), tmp_path, force=True)
    assert caught.value.code == "E135"
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_earlier_course_is_written_anew_only_by_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw_no_figures(monkeypatch)
    write_course(SERIES, ClinicalRecord(), tmp_path)
    with pytest.raises(UsageError, match="not empty"):
        write_course(SERIES, ClinicalRecord(), tmp_path)
    write_course(SERIES, ClinicalRecord(), tmp_path, force=True)


@pytest.mark.parametrize("options", [CourseOptions(shade=("aspirin",)), CourseOptions(also=("glucose",))])
def test_a_name_that_no_table_holds_is_refused_before_anything_is_written(
    tmp_path: Path, options: CourseOptions
) -> None:
    with pytest.raises(UsageError) as caught:
        write_course(SERIES, RECORD, tmp_path / "out", options=options)
    assert caught.value.code == "E136"
    assert not (tmp_path / "out").exists()


def test_three_subjects_make_a_cohort(tmp_path: Path) -> None:
    page = write_course(Series(tuple(map(course, ("P1", "P/2", "P 2")))), ClinicalRecord(), tmp_path).read_text("utf-8")
    assert "All subjects" in page
    assert (tmp_path / "figures" / "cohort.svg").is_file()
    assert [row["median"] for row in rows(tmp_path / "cohort.csv")] == ["", "510", "1064", "150", "8.5", "2"]
    assert len(list((tmp_path / "figures").glob("*_course.svg"))) == 3


def test_a_figure_is_drawn_once_for_each_of_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.backend_bases import RendererBase
    from matplotlib.figure import Figure

    drawn: list[str] = []
    draw = Figure.draw

    def counted(figure: Figure, renderer: RendererBase) -> None:
        drawn.append(type(renderer).__name__)
        draw(figure, renderer)

    monkeypatch.setattr(Figure, "draw", counted)
    write_course(SERIES, RECORD, tmp_path / "out")
    assert len(drawn) == len(list((tmp_path / "out" / "figures").iterdir())) == 3


def test_processes_write_the_same_bytes_as_this_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cytocar.report.course import drawing

    three = Series(tuple(course(name) for name in ("P1", "P2", "P3")))
    write_course(three, RECORD, tmp_path / "by processes")
    monkeypatch.setattr(drawing, "process_pool", lambda jobs: None)
    write_course(three, RECORD, tmp_path / "by this one")
    one, other = (
        {file.relative_to(folder): file.read_bytes() for folder in (tmp_path / name,) for file in folder.rglob("*.*")}
        for name in ("by processes", "by this one")
    )
    assert one == other


def test_figures_whose_process_is_killed_are_named_and_the_rest_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cytocar.report.course import folder
    from cytocar.run.observer import Observer

    class Heard(Observer):
        notes: list[str]

        def note(self, text: str) -> None:
            self.notes.append(text)

    heard = Heard()
    heard.notes = []
    monkeypatch.setattr(folder, "draw_all", lambda *_, **__: iter([("P1", None)]))
    page = write_course(SERIES, RECORD, tmp_path / "out", observer=heard)
    assert heard.notes == ["the figures of P1 are missing: the process that drew them was killed"]
    assert "CAR-T cells over time" in page.read_text("utf-8")


def test_an_earlier_course_leaves_no_table_and_no_figure_behind(written: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(written, tmp_path / "out"))
    (out / "mine.csv").write_text("a note of mine\n")
    assert (out / "decline.csv").is_file()
    write_course(Series((course("P2"),)), ClinicalRecord(), out, force=True)
    left = sorted(path.name for path in (*out.iterdir(), *(out / "figures").iterdir()) if path.is_file())
    assert left == [
        "P2_course.svg", "P2_months.svg", "course.html", "datapackage.json", "kinetics.csv", "mine.csv", "series.csv",
    ]  # fmt: skip


def test_every_csv_of_a_course_is_described_with_its_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cytocar.course.exchange import EXCHANGE, Study

    tables = {
        name.replace("-", "_"): (columns, list(lines(SERIES.courses, Study())))
        for name, (columns, lines) in EXCHANGE.items()
    }
    draw_no_figures(monkeypatch)
    write_course(SERIES, RECORD, tmp_path, options=CourseOptions(exchange=tables, scores=("easix",)))
    described = json.loads((tmp_path / "datapackage.json").read_text("utf-8"))
    fields = {one["path"]: one["schema"]["fields"] for one in described["resources"]}
    assert set(fields) == {path.name for path in tmp_path.glob("*.csv")} >= {"nonmem.csv", "sdtm_pc.csv", "cibmtr.csv"}
    for path, columns in fields.items():
        head = next(csv.reader((tmp_path / path).read_text("utf-8").splitlines()))
        assert head == [column["name"] for column in columns]
        assert all(column["description"] for column in columns)


def test_a_window_is_drawn_without_any_clinical_table(tmp_path: Path) -> None:
    write_course(SERIES, ClinicalRecord(), tmp_path, options=CourseOptions(window=(0.0, 60.0)))
    assert (tmp_path / "figures" / "P1_acute.svg").is_file()


def counted(*counts: tuple[float, float | None]) -> Course:
    """Return a course of (day, cells/µL): 0 was not detected, ``None`` has no result."""
    results = {True: CarResult.QUANTIFIED, False: CarResult.NOT_DETECTED}
    return Course(
        "P1",
        tuple(
            CoursePoint(
                "P1",
                day,
                f"d{day:g}",
                car_result=CarResult.NOT_EVALUABLE if per_ul is None else results[per_ul > 0],
                car_per_ul=Estimate(per_ul, per_ul and per_ul * 0.9, per_ul and per_ul * 1.1),
                car_lod_per_ul=0.5,
                car_lloq_per_ul=1.0,
            )
            for day, per_ul in counts
        ),
    )


@pytest.mark.parametrize(
    ("course", "peak"),
    [
        pytest.param(counted((9, 250)), "250", id="one tube"),
        pytest.param(counted((0, 0), (7, 0), (28, 0)), "", id="all below the limit"),
        pytest.param(counted((0.25, 1), (0.75, 3), (9.125, 250), (28.6, 9)), "250", id="parts of days"),
        pytest.param(counted((-30, 0), (-1, 3)), "", id="before infusion only"),
        pytest.param(counted((9, None)), "", id="no result"),
    ],
)
def test_a_course_of_little_is_written_whole(course: Course, peak: str, tmp_path: Path) -> None:
    texts = (ClinicalText("P1", 28, "response", "CR"), ClinicalText("P1", 91, "note", "felt well; <b>"))
    bounds = (ClinicalValue("P1", 5, "il6", 1.5, "ng/L", "<"), ClinicalValue("P1", 6, "il6", 5e4, "ng/L", ">"))
    drugs = (Intervention("P1", "ruxolitinib", 9, 9.5, 10, "mg"), Intervention("P1", "ICU", 3, None))
    every = CourseOptions(
        scores=tuple(SCORES), decline=True, fit=True, b_cell_threshold_per_ul=10, every_variable=True,
        late=LateThresholds(2, 1),
    )  # fmt: skip
    page = write_course(Series((course,)), ClinicalRecord(bounds, drugs, texts), tmp_path, options=every)
    (line,) = rows(tmp_path / "kinetics.csv")
    assert line["cmax_per_ul"] == peak
    assert [row["day"] for row in rows(tmp_path / "series.csv")] == [f"{point.day:g}" for point in course.points]
    assert ">nan<" not in page.read_text("utf-8")
    early = [point for point in course.points if point.day < 0 and point.car_result is CarResult.QUANTIFIED]
    assert ("before infusion, which are left out)" in page.read_text("utf-8")) is bool(early)


def test_an_interval_with_one_limit_says_on_which_side_it_is_open() -> None:
    assert interval_text(Estimate(301, 201, None)) == "≥ 201"
    assert interval_text(Estimate(301, None, 520)) == "≤ 520"
    assert interval_text(Estimate(301, 201, 520)) == "201–520"
    assert interval_text(Estimate(301, None, None)) == "–"
