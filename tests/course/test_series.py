"""Runs become courses: subjects, days, replicates, and what is on no course."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from cytocar.counting.limits import CarResult
from cytocar.course.replicates import CountedSample
from cytocar.course.series import Replicates, join
from cytocar.errors.tree import UsageError
from cytocar.sample.result import Status
from cytocar.sheet.rows import SampleType
from cytocar.sheet.tube import Specimen

Cells = dict[str, str | float | None]


def counted(sample_id: str, day: float | None, car_events: int, **cells: str | float | None) -> Cells:
    """A tube in which 2 µL of blood were examined: 1000 beads of 25,000 in 50 µL."""
    quantified = "quantified" if car_events >= 22 else "not_detected"
    return {
        "sample_id": sample_id,
        "subject_id": "P1",
        "day": day,
        "sample_type": "sample",
        "status": "ok",
        "bead_events": 1000,
        "t_cell_events": 2000,
        "car_events": car_events,
        "car_cd4_events": car_events // 2,
        "car_cd8_events": car_events - car_events // 2,
        "cd4_events": 1200,
        "cd8_events": 800,
        "t_cells_per_ul": 1000.0,
        "car_per_ul": car_events / 2,
        "car_per_ul_low": car_events / 2 * 0.8,
        "car_per_ul_high": car_events / 2 * 1.2 + 1,
        "car_percent_of_t_cells": car_events / 20,
        "car_result": quantified,
        "car_lod_per_ul": 6.5,
        "car_lloq_per_ul": 11.0,
        "car_lod_percent": 0.65,
        "car_lloq_percent": 1.1,
        "count_method": "beads",
        "ci_method": "clopper_pearson",
        "file_sha256": f"sha-{sample_id}",
        **cells,
    }


def run_folder(tmp_path: Path, rows: Sequence[Cells], name: str = "run") -> Path:
    """Write the tubes of a run and return their table, which needs no run around it."""
    folder = tmp_path / name
    folder.mkdir()
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with (folder / "counts.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return folder / "counts.csv"


def test_samples_become_points_in_order_of_subject_and_day(tmp_path: Path) -> None:
    run = run_folder(
        tmp_path,
        [counted("b", 9, 400), counted("a", 3, 40), counted("c", 3, 0, subject_id="P0"), counted("d", -2.5, 0)],
    )
    series = join([run])
    assert [course.subject_id for course in series.courses] == ["P0", "P1"]
    assert [(point.day, point.sample_id) for point in series.courses[1].points] == [(-2.5, "d"), (3, "a"), (9, "b")]
    assert series.courses[1].points[2].car_per_ul.value == 200


def test_several_runs_make_one_course(tmp_path: Path) -> None:
    runs = [run_folder(tmp_path, [counted(name, day, 100)], name) for name, day in (("late", 9), ("early", 3))]
    assert [point.sample_id for point in join(runs).points] == ["early", "late"]
    assert join(runs) == join(runs[::-1])


def test_a_run_given_twice_counts_once(tmp_path: Path) -> None:
    run = run_folder(tmp_path, [counted("a", 3, 100)])
    assert len(join([run, run]).points) == 1


def test_two_results_for_one_file_are_a_fault(tmp_path: Path) -> None:
    old, new = (run_folder(tmp_path, [counted("a", 3, events)], f"run{events}") for events in (100, 110))
    with pytest.raises(UsageError, match="two different results for the file of sample 'a'") as caught:
        join([old, new])
    assert caught.value.code == "E133"


def test_one_recording_in_two_rows_of_a_draw_counts_once(tmp_path: Path) -> None:
    rows = [counted("a", 7, 100, file_sha256="same"), counted("b", 7, 100, file_sha256="same", status="review")]
    (course,) = (series := join([run_folder(tmp_path, rows)])).courses
    assert [(point.sample_id, point.car_per_ul.low) for point in course.points] == [("a", 40.0)]
    assert series.left_out == (("b", "the recording of a, in a second row"),)


def test_one_recording_with_two_results_in_a_draw_is_a_fault(tmp_path: Path) -> None:
    rows = [counted("a", 7, 100, file_sha256="same"), counted("b", 7, 90, file_sha256="same")]
    with pytest.raises(UsageError, match="'a' and 'b' are two different results of one file") as error:
        join([run_folder(tmp_path, rows)])
    assert error.value.code == "E133"


def test_wells_of_two_plates_may_share_a_name(tmp_path: Path) -> None:
    first = run_folder(tmp_path, [counted("D07", 3, 100)], "one")
    second = run_folder(tmp_path, [counted("D07", 9, 100, file_sha256="other")], "two")
    assert len(join([first, second]).points) == 2


def test_controls_other_specimens_and_samples_without_a_day_are_left_out_with_the_reason(tmp_path: Path) -> None:
    rows = [
        counted("a", 3, 100),
        counted("b", 3, 0, sample_type="fmo"),
        counted("c", 3, 100, specimen="marrow"),
        counted("d", None, 100),
        counted("e", 3, 100, subject_id=None),
    ]
    series = join([run_folder(tmp_path, rows)])
    assert [point.sample_id for point in series.points] == ["a"]
    assert dict(series.left_out) == {
        "b": "fmo control",
        "c": "specimen is marrow",
        "d": "no day",
        "e": "no subject_id",
    }


def test_a_course_of_another_specimen_can_be_asked_for(tmp_path: Path) -> None:
    run = run_folder(tmp_path, [counted("a", 3, 100), counted("c", 3, 100, specimen="csf")])
    assert [point.sample_id for point in join([run], specimen=Specimen.CSF).points] == ["c"]


def test_failed_and_excluded_samples_stay_on_the_course_without_numbers(tmp_path: Path) -> None:
    lost: Cells = {"sample_id": "x", "subject_id": "P1", "day": 5, "sample_type": "sample", "status": "failed"}
    run = run_folder(tmp_path, [counted("a", 3, 100), lost, lost | {"sample_id": "y", "day": 6, "status": "excluded"}])
    points = join([run]).points
    assert [(point.sample_id, point.status, point.car_per_ul.value) for point in points[1:]] == [
        ("x", "failed", None),
        ("y", "excluded", None),
    ]
    assert points[1].car_result is CarResult.NOT_EVALUABLE


def test_replicates_are_pooled_by_their_events(tmp_path: Path) -> None:
    run = run_folder(tmp_path, [counted("a1", 9, 300), counted("a2", 9, 100, t_cells_per_ul=500.0, car_per_ul=25.0)])
    (point,) = join([run]).points
    assert point.sample_id == "a1+a2"
    assert point.car_per_ul.value == pytest.approx(400 / (2 + 4))  # µL of blood examined in each
    assert point.car_percent_of_t_cells == pytest.approx(10)
    assert point.car_lod_per_ul == pytest.approx(0.65 / 100 * 4000 / 6)


def test_replicates_below_the_limit_may_be_quantified_together(tmp_path: Path) -> None:
    rows = [counted(f"a{n}", 9, 15, car_result="below_lloq", car_lloq_percent=0.4) for n in range(3)]
    (point,) = join([run_folder(tmp_path, rows)]).points
    assert point.car_result is CarResult.QUANTIFIED
    assert point.car_per_ul.value == pytest.approx(45 / 6)


def test_replicates_may_be_kept_apart(tmp_path: Path) -> None:
    run = run_folder(tmp_path, [counted("a1", 9, 300), counted("a2", 9, 100)])
    series = join([run], replicates=Replicates.EACH)
    assert [point.car_per_ul.value for point in series.points] == [150, 50]
    assert series.courses[0].kinetics().cmax_per_ul == 100


def test_a_failed_replicate_leaves_the_others_alone(tmp_path: Path) -> None:
    lost: Cells = {"sample_id": "a0", "subject_id": "P1", "day": 9, "sample_type": "sample", "status": "failed"}
    run = run_folder(tmp_path, [lost, counted("a1", 9, 300)])
    points = join([run]).points
    assert [(point.sample_id, point.car_per_ul.value) for point in points] == [("a1", 150), ("a0", None)]
    assert join([run]).courses[0].kinetics().cmax_per_ul == 150


def test_kinetics_take_the_results_and_intervals_of_the_samples(tmp_path: Path) -> None:
    run = run_folder(tmp_path, [counted("a", 0, 0), counted("b", 7, 100), counted("c", 14, 0), counted("d", 28, 0)])
    kinetics = join([run]).courses[0].kinetics()
    assert (kinetics.cmax_per_ul, kinetics.n_timepoints) == (50, 4)
    assert kinetics.cmax_per_ul_low is not None
    assert kinetics.cmax_per_ul_low < 40  # the count's own limit, and the scatter of days
    assert kinetics.auc_0_28 == pytest.approx(50 * 7 / 2)


def test_a_percentage_alone_is_no_concentration(tmp_path: Path) -> None:
    row = counted("a", 7, 100, car_per_ul=None, car_per_ul_low=None, car_per_ul_high=None, t_cells_per_ul=None)
    kinetics = join([run_folder(tmp_path, [row])]).courses[0].kinetics()
    assert kinetics.cmax_per_ul is None
    assert kinetics.n_timepoints == 0


def test_b_cells_come_from_the_populations_of_the_run(tmp_path: Path) -> None:
    run = run_folder(tmp_path, [counted("a", 7, 100)])
    run.with_name("populations.csv").write_text(
        "sample_id,population,cells_per_ul\na,t_cells,900\na,b_cells,0.4\n", "utf-8"
    )
    assert join([run]).points[0].b_cells_per_ul == 0.4


def test_one_subject_can_be_asked_for(tmp_path: Path) -> None:
    run = run_folder(tmp_path, [counted("a", 7, 100), counted("b", 7, 100, subject_id="P2")])
    series = join([run]).only(["P2"])
    assert [point.sample_id for point in series.points] == ["b"]
    assert series.left_out == ()


@pytest.mark.parametrize("subject", ["P9", ""])
def test_a_subject_without_samples_is_a_fault(tmp_path: Path, subject: str) -> None:
    run = run_folder(tmp_path, [counted("a", 7, 100)])
    with pytest.raises(UsageError, match="has no sample in these runs") as caught:
        join([run]).only([subject])
    assert caught.value.code == "E134"
    assert "P1" in caught.value.hint


def test_runs_without_subjects_and_days_make_no_course(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no course"):
        join([run_folder(tmp_path, [counted("a", None, 100)])])


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a run folder") as caught:
        join([tmp_path])
    assert caught.value.code == "E114"
    table = tmp_path / "counts.csv"
    with pytest.raises(UsageError, match="cannot be read") as caught:
        join([table])
    assert caught.value.code == "E132"
    table.write_text("a,b\n1,2\n", "utf-8")
    with pytest.raises(UsageError, match="no column sample_id"):
        join([table])


def test_a_folder_with_a_table_and_no_record_is_no_run_and_its_table_may_be_named(tmp_path: Path) -> None:
    table = run_folder(tmp_path, [counted("a", 7, 100)])
    with pytest.raises(UsageError, match="is not a run folder") as caught:
        join([table.parent])
    assert (caught.value.code, str(table) in caught.value.hint) == ("E114", True)
    assert len(join([table]).points) == 1


def test_the_interval_of_pooled_replicates_keeps_the_systematic_term() -> None:
    sample = CountedSample("a", "P1", 1, SampleType.SAMPLE, Specimen.BLOOD, Status.OK, "", ci_method="garwood")
    assert sample.cv == 0
    assert replace(sample, ci_method="clopper_pearson+cv12.5%").cv == pytest.approx(0.125)  # as runs of 0.1.0 name it
    assert replace(sample, ci_method="clopper_pearson + beads 3 % + pipetting 4 %").cv == pytest.approx(0.05)


def test_a_number_that_cannot_be_read_is_refused_and_not_taken_for_missing(tmp_path: Path) -> None:
    run = run_folder(tmp_path, [counted("a", 7, 100), counted("b", 8, 100, t_cells_per_ul="1.000.5")])
    with pytest.raises(UsageError, match=r"row 3: t_cells_per_ul is '1.000.5', not a number") as caught:
        join([run])
    assert caught.value.code == "E132"


@pytest.mark.parametrize(("column", "word"), [("car_result", "huge"), ("status", "fine"), ("specimen", "hair")])
def test_a_table_with_a_word_that_means_nothing_is_refused_with_its_row(tmp_path: Path, column: str, word: str) -> None:
    run = run_folder(tmp_path, [counted("a", 7, 100), counted("b", 8, 100, **{column: word})])
    with pytest.raises(UsageError, match=rf"row 3: .*'{word}'") as caught:
        join([run])
    assert caught.value.code == "E132"


def b_cell_tube(sample_id: str, day: float, **cells: str | float | None) -> Cells:
    """A tube of a template without a CAR gate: gated, no CAR events."""
    own: Cells = {"sample_id": sample_id, "subject_id": "P1", "day": day, "sample_type": "sample", "status": "ok"}
    own |= dict.fromkeys(("car_events", "car_result", "car_per_ul"))
    return own | {"file_sha256": f"sha-{sample_id}"} | cells


def with_populations(run: Path, *rows: tuple[str, str, int, float]) -> Path:
    lines = ["sample_id,population,events,cells_per_ul,cells_per_ul_low,cells_per_ul_high"]
    lines += [f"{name},{population},{events},{per_ul},,{per_ul * 2}" for name, population, events, per_ul in rows]
    run.with_name("populations.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return run


def test_a_car_tube_and_a_b_cell_tube_of_one_draw_are_one_visit(tmp_path: Path) -> None:
    run = run_folder(tmp_path, [counted("car", 28, 400), b_cell_tube("b", 28)])
    with_populations(run, ("car", "nk_cells", 60, 30), ("b", "b_cells", 0, 0), ("b", "lymphocytes", 1000, 500))
    (point,) = join([run]).points
    assert (point.sample_id, point.status, point.car_per_ul.value) == ("car+b", Status.OK, 200)
    assert point.b_cells_per_ul == 0
    b_cells, nk_cells = point.populations["b_cells"], point.populations["nk_cells"]
    assert b_cells.result is CarResult.NOT_DETECTED
    assert b_cells.lod_per_ul == pytest.approx(2.9957 / 2, rel=1e-4)  # 1000 lymphocytes at 500/µL: 2 µL examined
    assert (nk_cells.result, nk_cells.lloq_per_ul) == (CarResult.QUANTIFIED, 12.5)


def test_a_draw_without_a_car_stain_is_no_lost_result(tmp_path: Path) -> None:
    run = with_populations(run_folder(tmp_path, [counted("a", 9, 400), b_cell_tube("b", 28)]), ("b", "b_cells", 40, 20))
    last = join([run]).points[-1]
    assert (last.has_car_gate, last.status, last.b_cells_per_ul) == (False, Status.OK, 20)


def test_a_failed_car_tube_and_a_b_cell_tube_are_one_visit_that_failed(tmp_path: Path) -> None:
    lost = b_cell_tube("car", 9, status="failed")
    run = with_populations(run_folder(tmp_path, [lost, b_cell_tube("b", 9)]), ("b", "b_cells", 40, 20))
    (point,) = join([run]).points
    assert (point.sample_id, point.status, point.b_cells_per_ul) == ("car+b", Status.FAILED, 20)


def test_one_file_counted_with_two_templates_is_one_visit(tmp_path: Path) -> None:
    car = with_populations(run_folder(tmp_path, [counted("a", 9, 400)], "car"), ("a", "t_cells", 2000, 1000))
    other = run_folder(tmp_path, [b_cell_tube("a", 9)], "b")
    with_populations(other, ("a", "t_cells", 2000, 1000), ("a", "b_cells", 40, 20))
    (point,) = join([car, other]).points
    assert (point.car_per_ul.value, point.b_cells_per_ul) == (200, 20)
    assert point.populations["t_cells"].events == 2000


def test_a_population_of_two_tubes_is_pooled_by_events(tmp_path: Path) -> None:
    run = run_folder(tmp_path, [counted("a", 9, 400), counted("b", 9, 400)])
    with_populations(run, ("a", "nk_cells", 10, 5), ("b", "nk_cells", 90, 30))  # 2 µL and 3 µL examined
    count = join([run]).points[0].populations["nk_cells"]
    assert (count.events, count.per_ul.value, count.examined_ul) == (100, 20, 5)
    assert count.per_ul.low == pytest.approx(81.36 / 5, rel=1e-3)  # Garwood, 100 events


def test_a_population_that_no_tube_has_is_named(tmp_path: Path) -> None:
    run = with_populations(run_folder(tmp_path, [counted("a", 9, 400)]), ("a", "nk_cells", 10, 5))
    assert join([run]).chosen_populations(["nk_cells"]) == ("nk_cells",)
    with pytest.raises(UsageError, match="no tube of these courses has a population 'nk'"):
        join([run]).chosen_populations(["nk"])


def test_words_of_the_sheet_come_onto_the_course(tmp_path: Path) -> None:
    rows = [counted("a", 9, 400, x_arm="B", note="clotted"), counted("b", 9, 400, x_arm="B", note="second tube")]
    (point,) = join([run_folder(tmp_path, rows)]).points
    assert point.carried == {"x_arm": "B", "note": "clotted; second tube"}


@pytest.mark.parametrize("replicates", [Replicates.POOL, Replicates.EACH])
def test_replicates_that_disagree_widen_the_peak_and_the_area(tmp_path: Path, replicates: Replicates) -> None:
    def day(number: float, first: int, second: int) -> list[Cells]:
        return [counted(f"{number:g}{name}", number, car) for name, car in (("a", first), ("b", second))]

    before, after = [*day(1, 50, 55), *day(7, 300, 310)], [*day(11, 300, 310), *day(28, 50, 55)]
    agreeing = run_folder(tmp_path, [*before, *day(9, 1000, 1060), *after], "agree")
    apart = run_folder(tmp_path, [*before, *day(9, 2000, 60), *after], "apart")
    widths = []
    for run in (agreeing, apart):
        kinetics = join([run], replicates=replicates).courses[0].kinetics()
        limits = (kinetics.cmax_per_ul_low, kinetics.cmax_per_ul_high, kinetics.auc_0_28_low, kinetics.auc_0_28_high)
        low, high, area_low, area_high = (limit or 0.0 for limit in limits)
        assert low < (kinetics.cmax_per_ul or 0.0) < high
        widths.append((high - low, area_high - area_low))
    assert widths[1][0] > 3 * widths[0][0]
    assert widths[1][1] > 1.5 * widths[0][1]


def test_a_dilution_that_is_not_what_the_sheet_says_is_a_disagreement(tmp_path: Path) -> None:
    rows = [counted("neat", 9, 800, dilution_factor=1.0), counted("1 to 4", 9, 200, dilution_factor=4.0)]
    rows[1] |= {"t_cells_per_ul": 4000.0, "t_cell_events": 2000, "car_per_ul": 400.0}  # 0.5 µL examined
    (point,) = join([run_folder(tmp_path, rows)]).points
    assert point.replicates_p is not None and point.replicates_p > 0.01
    rows[1] |= {"t_cells_per_ul": 2000.0, "car_per_ul": 200.0}  # the sheet says 1 to 2
    (point,) = join([run_folder(tmp_path, rows, "wrong")]).points
    assert point.replicates_p is not None and point.replicates_p < 0.001
    assert point.status is Status.REVIEW
