"""Charts over runs: limits, verdicts, the table."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import pytest

from cytocar.errors.tree import UsageError
from cytocar.qc.levey_jennings import LEVEY_JENNINGS, Target, Verdict, charts, read_targets
from cytocar.qc.measures import Measured, Quantity, measure
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


def test_every_fault_of_a_table_of_targets_is_named(tmp_path: Path) -> None:
    path = tmp_path / "targets.csv"
    path.write_text("measure,mean,sd\na,x,1\nb,1,-1\n", "utf-8")
    with pytest.raises(UsageError, match=r"row 2: .*; row 3: ") as error:
        read_targets(path)
    assert error.value.code == "E168"
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
        words = ("gate", inputs / "sheet.csv", "-t", "cart-cd19fc-fixed", "-o", run, "-j", "1", "-q")
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
    assert cytocar_command("qc", *three_runs, "-o", tmp_path / "qc").code == 2


def test_fail_on_out_looks_at_the_last_run(three_runs: list[Path], tmp_path: Path) -> None:
    targets = tmp_path / "targets.csv"
    targets.write_text("measure,control,mean,sd\nbead_recovery_percent,,5,0.2\n", "utf-8")
    words = ("--targets", targets, "--fail-on", "out")
    assert cytocar_command("qc", *three_runs, *words).code == 3
    assert cytocar_command("qc", *three_runs[:2], *words).code == 0


def test_only_finished_runs_are_charted(three_runs: list[Path], tmp_path: Path) -> None:
    shutil.copytree(three_runs[0] / "parts", tmp_path / "parts")
    assert cytocar_command("qc", tmp_path).code == 2
