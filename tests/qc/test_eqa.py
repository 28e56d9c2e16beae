"""Proficiency samples: scores against robust means, the rules of a scheme, its table, and the page."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from cytocar.errors.tree import UsageError
from cytocar.qc.eqa import Assigned, Peers, Performance, Result, read_peers, scored
from cytocar.run.from_python import run
from cytocar.sample.result import SampleResult
from cytocar.simulate import Preparation, blood_tube
from cytocar.statistics.estimate import Estimate
from cytocar.validation.designs import Place
from tests.runs import cytocar_command
from tests.sample.test_eqa import stabilised
from tests.validation.made import tube as counted

RESULTS = (301, 298, 310, 305, 290, 340, 302, 299, 250, 303)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two surveys: stabilised tubes in two runs."""
    folder = tmp_path_factory.mktemp("eqa-runs")
    for survey, (seed, car) in enumerate(((3, 100), (4, 50)), start=1):
        tube = stabilised(blood_tube(car_per_ul=car, preparation=Preparation(drawn_share=0.3), seed=seed))
        tube.write(folder / f"s{survey}.fcs")
        (folder / f"s{survey}.csv").write_text(
            "file,sample_id,sample_type,subject_id,beads_added,sample_volume_ul,x_reagent\n"
            f"s{survey}.fcs,tube{survey},eqa,CAR-{survey},{tube.drawn.beads_added:g},{tube.drawn.sample_volume_ul:g},Fc\n"
        )
        run(folder / f"s{survey}.csv", None, folder / f"run{survey}", jobs=1)
    return folder


def _peers(path: Path, samples: dict[str, float]) -> Path:
    lines = ["sample,measurand,value,reagent"]
    for sample, middle in samples.items():
        lines += [
            f"{sample},car_percent_of_t_cells,{middle * value / 301},{'Fc' if value > 300 else 'linker'}"
            for value in RESULTS
        ]
    path.write_text("\n".join(lines) + "\n")
    return path


def _results(*z: float) -> list[Result]:
    """Return results so many SD from the mean of 10 with an SD of 1."""
    found = counted("precision-5x3", Place("x"), {}, sample_id="s").outcome
    assert isinstance(found, SampleResult)
    return [Result(f"run{n}", found, "car_per_ul", Estimate(10 + one, None, None)) for n, one in enumerate(z)]


@pytest.mark.parametrize(
    ("z", "performances"),
    [
        ((0.5, -1.9), ("satisfactory", "satisfactory")),
        ((2.5,), ("action",)),
        ((3.1,), ("critical",)),
        ((2.5, 0.0, -2.1), ("action", "satisfactory", "critical")),
        ((2.5, 0.0, 0.0, 2.5), ("action", "satisfactory", "satisfactory", "action")),
    ],
)
def test_two_actions_in_three_samples_are_critical(z: tuple[float, ...], performances: tuple[str, ...]) -> None:
    peers = Peers({}, {("s", "car_per_ul"): Assigned(Estimate(10.0, None, None), 1.0, None)})
    assert tuple(one.performance for one in scored(_results(*z), peers)) == performances


def test_the_trend_is_the_mean_of_three() -> None:
    peers = Peers({}, {("s", "car_per_ul"): Assigned(Estimate(10.0, None, None), 1.0, None)})
    assert [one.trend for one in scored(_results(0.3, 0.6, 0.9, 1.2), peers)] == [
        None,
        None,
        pytest.approx(0.6),
        pytest.approx(0.9),
    ]


def test_without_peers_there_are_no_limits() -> None:
    (one,) = scored(_results(0.0), None)
    assert (one.performance, one.z) == (Performance.NO_LIMITS, None)


def test_scores_are_those_of_algorithm_a(made: Path, tmp_path: Path) -> None:
    peers = _peers(tmp_path / "peers.csv", {"CAR-1": 100 * 100 / 220, "CAR-2": 100 * 50 / 170})
    answer = cytocar_command("qc", "eqa", made / "run1", made / "run2", "--peers", peers)
    rows = [row for row in csv.DictReader(answer.stdout.splitlines()) if row["measurand"] == "car_percent_of_t_cells"]
    assert [row["sample"] for row in rows] == ["CAR-1", "CAR-2"]
    for row, share in zip(rows, (100 * 100 / 220, 100 * 50 / 170), strict=True):
        assert float(row["peers_mean"]) == pytest.approx(share, rel=1e-4)
        assert float(row["peers_sd"]) == pytest.approx(9.718524 * share / 301, rel=1e-4)
        assert float(row["low"]) <= share <= float(row["high"])
        assert row["verdict"] == "satisfactory"
        assert row["n_peers"] == "10"


def test_the_page_shows_groups_and_what_asks_for_action(made: Path, tmp_path: Path) -> None:
    peers = _peers(tmp_path / "peers.csv", {"CAR-1": 100 * 100 / 220, "CAR-2": 40.0})
    words = ("qc", "eqa", made / "run1", made / "run2", "--peers", peers)
    answer = cytocar_command(*words, "-o", tmp_path / "out", "--fail-on", "critical")
    assert answer.code == 3
    page = (tmp_path / "out" / "eqa.html").read_text()
    for text in ("What asks for action", "CAR-2", "critical", "(ours)", "linker", "data:image/svg+xml"):
        assert text in page
    groups = list(csv.DictReader((tmp_path / "out" / "eqa_groups.csv").read_text().splitlines()))
    assert {(row["group"], row["ours"], row["n"]) for row in groups} == {("Fc", "true", "6"), ("linker", "false", "4")}


def test_against_peers_who_agree_to_the_last_digit_nothing_is_critical(tmp_path: Path) -> None:
    path = tmp_path / "peers.csv"
    path.write_text("sample,measurand,value\n" + "s,car_per_ul,24.1\n" * 3)
    (one,) = scored(_results(24.1), read_peers(path))
    assert (one.z, one.performance) == (None, "no_limits")


def test_means_that_a_scheme_assigned_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "peers.csv"
    path.write_text("sample,measurand,mean,sd\ns,car_per_ul,10,2\n")
    (one,) = scored(_results(1.0), read_peers(path))
    assert one.z == 0.5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sample,value\ns,1\n", "column measurand is missing"),
        ("sample,measurand\ns,car_per_ul\n", "neither a column value"),
        ("sample,measurand,value\ns,car_per_u,1\n", "did you mean"),
        ("sample,measurand,value\ns,car_per_ul,many\n", "row 2: value: 'many' is not a number"),
        ("sample,measurand,mean,sd\ns,car_per_ul,10,2\ns,car_per_ul,12,2\n", "row 3: car_per_ul of s comes twice"),
        ("sample,measurand,value,reagnt\ns,car_per_ul,1,x\n", "unknown column 'reagnt', did you mean 'reagent'?"),
        ("sample,measurand,value\ns,car_per_ul,24,1\n", "row 2 has more cells than the header: '1'"),
        ("sample;measurand;value\ns;car_per_ul;1.050\n", "row 2: value: '1.050' may be 1050 or 1.0500"),
    ],
)
def test_faults_of_the_table_are_listed(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "peers.csv"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_peers(path)
    assert caught.value.code == "E264"
    assert said in caught.value.message


def test_a_run_that_is_named_twice_is_refused(made: Path) -> None:
    answer = cytocar_command("qc", "eqa", made / "run1", made / "run1")
    assert (answer.code, "error[E256]" in answer.stderr) == (2, True)


def test_a_run_without_proficiency_samples_is_refused(made: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "s.csv"
    sheet.write_text((made / "s1.csv").read_text().replace(",eqa,", ",sample,").replace("s1.fcs", f"{made}/s1.fcs"))
    run(sheet, None, tmp_path / "run", jobs=1)
    answer = cytocar_command("qc", "eqa", tmp_path / "run")
    assert (answer.code, "E263" in answer.stderr) == (2, True)
