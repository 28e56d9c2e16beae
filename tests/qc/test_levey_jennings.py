"""Charts over runs: limits, verdicts, the table."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

import cytocar
from cytocar.errors.tree import UsageError
from cytocar.qc.levey_jennings import LEVEY_JENNINGS, Target, Verdict, charts, read_targets, without_chart
from cytocar.qc.measures import Measured, Quantity, measure, measure_all
from cytocar.simulate import Preparation, blood_tube
from tests.runs import cytocar_command

BEADS = Quantity("bead_recovery_percent", unit="%")


def runs_of(*values: float, quantity: Quantity = BEADS) -> list[Measured]:
    return [Measured(f"run{place}", {quantity: value}) for place, value in enumerate(values, start=1)]


def test_mean_and_sd_come_from_the_first_runs() -> None:
    (chart,) = charts(runs_of(90, 92, 88, 200), baseline=3)
    assert chart.target == Target(90, 2)
    assert [point.verdict for point in chart.points] == [Verdict.OK] * 3 + [Verdict.OUT]
    assert chart.points[-1].z == 55
    assert chart.points[-1].rules == ("1-2s", "1-3s")


def test_a_point_beyond_two_sd_alone_is_a_warning() -> None:
    (chart,) = charts(runs_of(90, 92, 88, 94.5), baseline=3)
    assert chart.points[-1].verdict is Verdict.WARNING


def test_two_runs_have_no_limits() -> None:
    (chart,) = charts(runs_of(90, 120))
    assert chart.target is None
    assert {point.verdict for point in chart.points} == {Verdict.NO_LIMITS}


@pytest.mark.parametrize("quantity", [Quantity("voltage", "PE-A", "V"), BEADS])
def test_a_quantity_that_never_varied_is_out_when_it_changes(quantity: Quantity) -> None:
    (chart,) = charts(runs_of(450, 450, 450, 470, quantity=quantity), baseline=3)
    assert [point.rules for point in chart.points] == [(), (), (), ("changed",)]
    assert chart.points[-1].verdict is Verdict.OUT


def test_the_mean_of_equal_values_is_that_value() -> None:
    (chart,) = charts(runs_of(0.0111992, 0.0111992, 0.0111992))
    assert {point.verdict for point in chart.points} == {Verdict.OK}


def test_a_voltage_is_compared_with_the_first_run() -> None:
    (chart,) = charts(runs_of(450, 470, quantity=Quantity("voltage", "PE-A", "V")))
    assert [point.verdict for point in chart.points] == [Verdict.OK, Verdict.OUT]


def test_a_laboratorys_own_targets_go_before(tmp_path: Path) -> None:
    path = tmp_path / "targets.csv"
    path.write_text("measure;mean;sd\nbead_recovery_percent;80,0;2,5\n", "utf-8")
    (chart,) = charts(runs_of(90), targets=read_targets(path))
    assert chart.points[0].z == 4


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("bead_recovery_percent,,80,1,2,5", "row 2 has more cells than the header: '2 5'"),  # 80,1 and 2,5
        ("a,,80,1\na,,70,1", "row 3: a comes twice"),
        ("a,P,80,1\na,P,70,1", "row 3: a of P comes twice"),
    ],
)
def test_a_target_that_may_be_two_is_a_fault(tmp_path: Path, row: str, fault: str) -> None:
    path = tmp_path / "targets.csv"
    path.write_text(f"measure,control,mean,sd\n{row}\n", "utf-8")
    with pytest.raises(UsageError) as error:
        read_targets(path)
    assert fault in error.value.message


def test_a_target_of_no_chart_is_named() -> None:
    own = {key: Target(80, 1) for key in (("bead_recovery_percnt", ""), ("bead_recovery_percent", "P"), ("x", ""))}
    assert list(without_chart(own, charts(runs_of(90)))) == [
        "no chart of 'bead_recovery_percnt', did you mean 'bead_recovery_percent'?",
        "no chart of bead_recovery_percent with the control 'P'; there are: without a control",
        "no chart of 'x'",
    ]


def test_every_fault_of_a_table_of_targets_is_named(tmp_path: Path) -> None:
    path = tmp_path / "targets.csv"
    path.write_text("measure,mean,sd\na,x,1\nb,1,-1\n", "utf-8")
    with pytest.raises(UsageError, match=r"row 2: .*; row 3: ") as error:
        read_targets(path)
    assert error.value.code == "E168"
    path.write_text("measure;mean;sd\nmedian_CAR;60.001;17\n", "utf-8")
    with pytest.raises(UsageError, match=r"row 2: mean: '60\.001' may be 60001 or 60\.0010"):
        read_targets(path)
    path.write_text("measure,mean\n", "utf-8")
    with pytest.raises(UsageError, match="column sd is missing"):
        read_targets(path)


def test_a_run_without_the_quantity_leaves_a_gap() -> None:
    runs = [*runs_of(90, 92), Measured("run3", {}), *runs_of(88)]
    (chart,) = charts(runs)
    assert len(chart.points) == 3


@pytest.fixture(scope="module")
def three_runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three runs with a process control and a baseline; in the last one fewer beads were pipetted."""
    folder = tmp_path_factory.mktemp("qc")
    runs = []
    for number, beads in enumerate((20_000, 20_000, 10_000), start=1):
        inputs = folder / f"inputs{number}"
        inputs.mkdir()
        prepared = Preparation(drawn_share=0.05, beads_added=beads)
        blood_tube(car_per_ul=50, preparation=prepared, seed=number).write(inputs / "control.fcs")
        blood_tube(car_per_ul=0, preparation=prepared, seed=10 + number).write(inputs / "baseline.fcs")
        (inputs / "sheet.csv").write_text(
            "file,sample_id,subject_id,sample_type,beads_added,sample_volume_ul\n"
            "control.fcs,c,LOT7,process_control,20000,50\nbaseline.fcs,b,P1,baseline,20000,50\n",
            "utf-8",
        )
        run = folder / f"week{number}"
        words = ("gate", inputs / "sheet.csv", "-t", "cart-cd19fc-fixed", "-o", run, "-j", "1", "-q", "--no-report")
        assert cytocar_command(*words).code == 0
        runs.append(run)
    return runs


def test_a_run_tells_of_controls_beads_baselines_medians_and_voltages(three_runs: list[Path]) -> None:
    measured = measure(three_runs[0])
    quantities = {(quantity.measure, quantity.control) for quantity in measured.values}
    assert ("car_per_ul", "LOT7") in quantities
    assert ("bead_recovery_percent", "") in quantities
    assert ("baseline_car_percent", "") in quantities
    assert ("median_CD3", "t_cells") in quantities
    assert 4 < measured.values[BEADS] < 6
    assert measure(three_runs[2]).values[BEADS] < 3.5


def test_the_command_writes_table_and_figure(three_runs: list[Path], tmp_path: Path) -> None:
    answer = cytocar_command("qc", *three_runs, "-o", tmp_path / "qc")
    assert answer.code == 0, answer.stderr
    assert "3 runs, " in answer.stdout
    text = (tmp_path / "qc" / "levey_jennings.csv").read_text("utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == [column.name for column in LEVEY_JENNINGS]
    assert {row["run"] for row in rows} == {"week1", "week2", "week3"}
    assert (tmp_path / "qc" / "levey_jennings.svg").read_text("utf-8").startswith("<?xml")
    assert (tmp_path / "qc" / "levey_jennings.png").read_bytes().startswith(b"\x89PNG")
    assert "Controls over 3 runs" in (tmp_path / "qc" / "qc.html").read_text("utf-8")
    assert cytocar_command("qc", *three_runs, "-o", tmp_path / "qc").code == 2


def test_charts_are_a_verb_and_a_pipe_gets_the_table(three_runs: list[Path]) -> None:
    answer = cytocar_command("qc", "charts", *three_runs)
    assert answer.code == 0, answer.stderr
    rows = list(csv.DictReader(io.StringIO(answer.stdout)))
    assert [column.name for column in LEVEY_JENNINGS] == list(rows[0])
    assert [row["verdict"] for row in rows if row["measure"] == "bead_recovery_percent"] == ["ok"] * 3
    assert answer.stdout == cytocar_command("qc", *three_runs).stdout


def test_one_baseline_in_several_runs_is_one_recording(three_runs: list[Path], tmp_path: Path) -> None:
    shared = tmp_path / "inputs"
    shared.mkdir()
    for number in (1, 2):
        shutil.copy(three_runs[0].parent / f"inputs{number}" / "control.fcs", shared / f"control{number}.fcs")
    shutil.copy(three_runs[0].parent / "inputs1" / "baseline.fcs", shared / "old.fcs")
    for number in (1, 2):
        (shared / f"sheet{number}.csv").write_text(
            "file,sample_id,subject_id,sample_type,beads_added,sample_volume_ul\n"
            f"control{number}.fcs,c,LOT7,process_control,20000,50\nold.fcs,b,P1,baseline,20000,50\n",
            "utf-8",
        )
        words = ("gate", shared / f"sheet{number}.csv", "-t", "cart-cd19fc-fixed", "-o", tmp_path / f"run{number}")
        assert cytocar_command(*words, "-j", "1", "-q", "--no-report").code == 0
    one, two = measure_all([tmp_path / "run1", tmp_path / "run2"])
    background = Quantity("baseline_car_percent", unit="%")
    assert (background in one.values, background in two.values) == (True, False)
    assert [BEADS in run.values for run in (one, two)] == [True, True]
    assert "run2: baseline_car_percent, %: of the same FCS files as in run1, counted once" in two.notes
    answer = cytocar_command("qc", "charts", tmp_path / "run1", tmp_path / "run2")
    assert "note: run2: baseline_car_percent, %: of the same FCS files as in run1, counted once" in answer.stderr


def test_fail_on_out_looks_at_the_last_run(three_runs: list[Path], tmp_path: Path) -> None:
    targets = tmp_path / "targets.csv"
    targets.write_text("measure,control,mean,sd\nbead_recovery_percent,,5,0.2\n", "utf-8")
    words = ("--targets", targets, "--fail-on", "out")
    assert cytocar_command("qc", *three_runs, *words).code == 3
    assert cytocar_command("qc", *three_runs[:2], *words).code == 0


def test_only_finished_runs_are_charted(three_runs: list[Path], tmp_path: Path) -> None:
    shutil.copytree(three_runs[0] / "parts", tmp_path / "parts")
    assert cytocar_command("qc", tmp_path).code == 2


def test_the_same_files_twice_are_no_second_run(three_runs: list[Path], tmp_path: Path) -> None:
    shutil.copytree(three_runs[0], tmp_path / "again")
    answer = cytocar_command("qc", three_runs[0], tmp_path / "again")
    assert (answer.code, "E256" in answer.stderr) == (2, True)


@pytest.fixture(scope="module")
def runs_with_baselines(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs with baselines of three subjects each, gated by the template whose CAR gate controls place."""
    folder = tmp_path_factory.mktemp("baselines")
    prepared = Preparation(drawn_share=0.3, beads_added=20_000)
    runs = []
    for number in (1, 2):
        inputs = folder / f"inputs{number}"
        inputs.mkdir()
        lines = ["file,sample_id,subject_id,sample_type,beads_added,sample_volume_ul"]
        for tube in range(3):
            name = f"b{3 * number + tube}"
            blood_tube(car_per_ul=0, preparation=prepared, seed=40 + 3 * number + tube).write(inputs / f"{name}.fcs")
            lines.append(f"{name}.fcs,{name},S{3 * number + tube},baseline,20000,50")
        (inputs / "sheet.csv").write_text("\n".join(lines) + "\n", "utf-8")
        answer = cytocar_command("gate", inputs / "sheet.csv", "-o", folder / f"run{number}", "-j", "1", "--no-report")
        assert answer.code == 0, answer.stderr
        runs.append(folder / f"run{number}")
    return runs


def test_a_history_grows_by_the_tubes_of_new_runs_only(runs_with_baselines: list[Path], tmp_path: Path) -> None:
    history = tmp_path / "history.csv"
    answer = cytocar_command("qc", runs_with_baselines[0], "--history", history)
    assert answer.code == 0, answer.stderr
    assert "3 CAR-negative tubes, 3 of them new" in answer.stderr
    once = history.read_text("utf-8")
    assert cytocar_command("qc", runs_with_baselines[0], "--history", history).code == 0
    assert history.read_text("utf-8") == once
    assert (
        "6 CAR-negative tubes, 3 of them new"
        in cytocar_command("qc", *runs_with_baselines, "--history", history).stderr
    )
    rows = list(csv.DictReader(io.StringIO(history.read_text("utf-8"))))
    assert [row["run"] for row in rows] == ["run1"] * 3 + ["run2"] * 3
    assert {row["template"] for row in rows} == {"cart-cd19fc"}


def test_a_run_says_which_tubes_told_its_background(runs_with_baselines: list[Path], tmp_path: Path) -> None:
    history = tmp_path / "history.csv"
    cytocar_command("qc", runs_with_baselines[0], "--history", history)
    tube = tmp_path / "late.fcs"
    blood_tube(car_per_ul=3, preparation=Preparation(drawn_share=0.3, beads_added=20_000), seed=77).write(tube)
    run = tmp_path / "run"
    words = ("gate", tube, "--beads-added", "20000", "--sample-volume-ul", "50", "-j", "1", "--no-report")
    answer = cytocar_command(*words, "--background", history, "-o", run)
    assert answer.code == 0, answer.stderr
    (row,) = csv.DictReader(io.StringIO((run / "counts.csv").read_text("utf-8")))
    assert row["ci_method"].endswith("; background: history")
    assert "background from 0 of the subject's own, 0 other controls, 0 more of the run, 3 of the history" in (
        run / "quality.csv"
    ).read_text("utf-8")
    (counted,) = cytocar.run(tube, jobs=1, background=history, beads_added=20_000, sample_volume_ul=50)
    assert f"{counted.row()['background_percent']:.6g}" == row["background_percent"]
    (assumed,) = csv.DictReader(io.StringIO(cytocar_command(*words, "--format", "csv").stdout))
    assert assumed["ci_method"].endswith("; background: assumed")
    assert float(row["background_percent"]) != float(assumed["background_percent"])
    assert cytocar_command("reproduce", run).code == 0
    manifest = json.loads((run / "manifest.json").read_text("utf-8"))["background_history"]
    assert (manifest["file"], len(manifest["sha256"]), len(manifest["tubes"])) == ("history.csv", 64, 3)


def test_a_history_that_is_none_counts_nothing(tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_text("a,b\n1,2\n", "utf-8")
    answer = cytocar_command("gate", tmp_path / "tube.fcs", "--background", tmp_path / "history.csv")
    assert answer.code == 2
