"""Templates made from files give the counts that simulation, and people, know."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cytocar.errors.tree import CompensationError, GateError, PanelError
from cytocar.fcs.reader import open_fcs
from cytocar.fcs.write import write_fcs
from cytocar.fit.draft import refuse_without_t_cells, to_text
from cytocar.fit.lines import Status
from cytocar.fit.names import alias_book
from cytocar.fit.template import FittedTemplate, fit_layouts, fit_template
from cytocar.gates.walk import walk
from cytocar.signals.compensation import SpilloverMatrix, carried
from cytocar.signals.over_compensation import as_recorded
from cytocar.simulate import Preparation, SimulatedTube, blood_tube
from cytocar.template.load import load_template
from tests.stained_tubes import cell, stain, stained_tube

BOOK = alias_book()
SMALL = Preparation(sample_volume_ul=50, drawn_share=0.15)


@pytest.fixture(scope="module")
def tube() -> SimulatedTube:
    """A small tube with CAR-T cells and beads."""
    return blood_tube(car_per_ul=300, preparation=SMALL, seed=5)


@pytest.fixture(scope="module")
def fitted(tube: SimulatedTube, tmp_path_factory: pytest.TempPathFactory) -> FittedTemplate:
    """The template that the tube gives."""
    return fit_template([tube.write(tmp_path_factory.mktemp("fit") / "tube.fcs")], BOOK, name="mine")


def _events(fitted: FittedTemplate, file: Path) -> dict[str, int]:
    return {name: population.events for name, population in walk(open_fcs(file), fitted.template).items()}


# ---------------------------------------------------------------- simulated truth


def test_counts_are_those_of_the_simulation(tube: SimulatedTube, fitted: FittedTemplate) -> None:
    populations = walk(tube.events, fitted.template)
    cells = [kind for kind in tube.kinds if "bead" in kind.lower()]
    assert populations["beads"].events == pytest.approx(int(tube.is_kind(*cells).sum()), rel=0.02)
    car = [kind for kind in tube.kinds if kind.lower().startswith("car")]
    assert populations["car_t"].events == pytest.approx(int(tube.is_kind(*car).sum()), rel=0.06)
    assert populations["car_cd4"].events + populations["car_cd8"].events > 0.97 * populations["car_t"].events


def test_the_gates_of_the_fit_are_the_gates_of_a_run(tube: SimulatedTube, fitted: FittedTemplate) -> None:
    populations = walk(tube.events, fitted.template)
    assert tube.events.n_events == fitted.study.tubes[0].n_events
    for gate in fitted.study.gates:
        name = gate.population.name
        if name not in ("car_t", "car_cd4", "car_cd8"):  # a reference gate sees its controls in a run only
            assert populations[name].events == int(fitted.study.masks[name][0].sum()), name


def test_the_file_holds_the_template_with_the_evidence_above_each_gate(fitted: FittedTemplate, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(to_text(fitted), "utf-8")
    assert load_template(path) == fitted.template
    text = path.read_text("utf-8")
    before = text[: text.index('marker = "CD3"')]
    assert "prominence" in before[before.rindex('name = "t_cells"') :]


def test_without_a_second_pulse_there_are_no_singlets_and_that_is_said(tube: SimulatedTube, tmp_path: Path) -> None:
    columns = {name: values for name, values in tube.columns.items() if name not in ("FSC-H", "FSC-W", "SSC-H")}
    write_fcs(tmp_path / "a.fcs", columns, markers=tube.markers, keywords=tube.keywords)
    fitted = fit_template([tmp_path / "a.fcs"], BOOK, name="mine")
    assert "singlets" not in fitted.study.masks
    assert "no FSC-H" in dict(fitted.study.left_out)["singlets"]
    assert fitted.status_of_t_cells is Status.PROVISIONAL


def test_unstained_cells_give_no_template(tube: SimulatedTube, tmp_path: Path) -> None:
    noise = np.random.default_rng(3)
    columns = {
        name: values if name.startswith(("FSC", "SSC", "Time")) else noise.normal(50, 60, len(values)).astype("f4")
        for name, values in tube.columns.items()
    }
    write_fcs(tmp_path / "a.fcs", columns, markers=tube.markers)
    fitted = fit_template([tmp_path / "a.fcs"], BOOK, name="mine")
    assert not {"t_cells", "cd4", "cd8", "car_t"} & set(fitted.study.masks)
    with pytest.raises(GateError, match=r"^a\.fcs: ") as caught:
        refuse_without_t_cells(fitted)
    assert caught.value.code == "E208"
    assert "--compensation MATRIX.csv" in caught.value.hint, "nothing was compensated"


def test_t_cells_gated_before_are_not_gated_again(tube: SimulatedTube, fitted: FittedTemplate, tmp_path: Path) -> None:
    t_cells = walk(tube.events, fitted.template)["t_cells"].mask
    columns = {name: values[t_cells] for name, values in tube.columns.items()}
    write_fcs(tmp_path / "a.fcs", columns, markers=tube.markers, keywords=tube.keywords)
    again = fit_template([tmp_path / "a.fcs"], BOOK, name="mine")
    assert "t_cells" not in again.study.masks
    assert "gated before" in dict(again.study.left_out)["t_cells"]
    assert [code for code, _ in again.study.doubts] == ["W336"]


def test_values_that_were_transformed_are_refused(tube: SimulatedTube, tmp_path: Path) -> None:
    columns = {
        name: values if name.startswith(("FSC", "SSC", "Time")) else np.arcsinh(values / 150)
        for name, values in tube.columns.items()
    }
    write_fcs(tmp_path / "a.fcs", columns, markers=tube.markers)
    with pytest.raises(PanelError) as caught:
        fit_template([tmp_path / "a.fcs"], BOOK, name="mine")
    assert caught.value.code == "E205"


@pytest.mark.parametrize("cofactor", [5, 150])
def test_transformed_values_on_a_scale_of_one_are_refused(cofactor: float, tube: SimulatedTube, tmp_path: Path) -> None:
    columns = {
        name: values if name.startswith(("FSC", "SSC", "Time")) else np.arcsinh(values / cofactor) / 12
        for name, values in tube.columns.items()
    }
    write_fcs(tmp_path / "a.fcs", columns, markers=tube.markers)
    with pytest.raises(PanelError) as caught:
        fit_template([tmp_path / "a.fcs"], BOOK, name="mine")
    assert caught.value.code == "E205"


def test_a_matrix_that_was_applied_before_is_refused_and_left_alone_where_somebody_says_so(
    tube: SimulatedTube, fitted: FittedTemplate, tmp_path: Path
) -> None:
    matrix = carried(tube.events.keywords).matrix
    assert matrix is not None
    signals = matrix.compensate(np.column_stack([tube.columns[name] for name in matrix.detectors]))
    cells = ~tube.is_kind(*(kind for kind in tube.kinds if "bead" in kind.lower()))
    recorded = np.column_stack([tube.columns[name] for name in matrix.detectors]).astype(np.float64)
    assert as_recorded(matrix, recorded[cells])
    assert not as_recorded(matrix, signals[cells])
    columns = {**tube.columns, **dict(zip(matrix.detectors, signals.T.astype("f4"), strict=True))}
    write_fcs(tmp_path / "a.fcs", columns, markers=tube.markers, keywords=tube.keywords)
    with pytest.raises(CompensationError) as caught:
        fit_template([tmp_path / "a.fcs"], BOOK, name="mine")
    assert caught.value.code == "E206"
    assert "before its export: --compensated" in caught.value.hint
    assert "not compensated yet" not in caught.value.message

    left_alone = fit_template([tmp_path / "a.fcs"], BOOK, name="mine", compensated=True)
    assert left_alone.template.compensation.source == "none"
    for name in ("t_cells", "cd4", "cd8"):
        assert left_alone.study.count(name) == pytest.approx(fitted.study.count(name), rel=0.02), name
    assert walk(open_fcs(tmp_path / "a.fcs"), left_alone.template)["cd4"].events == left_alone.study.count("cd4")


def test_files_of_another_layout_are_left_to_a_fit_of_their_own(tube: SimulatedTube, tmp_path: Path) -> None:
    other = dict(tube.markers)
    other["V450-A"], other["APC-A"] = tube.markers["APC-A"], tube.markers["V450-A"]
    for name in ("a", "b"):
        tube.write(tmp_path / f"{name}.fcs")
    write_fcs(tmp_path / "moved.fcs", tube.columns, markers=other, keywords=tube.keywords)
    fitted = fit_template(sorted(tmp_path.glob("*.fcs")), BOOK, name="mine")
    assert [tube.name for tube in fitted.study.tubes] == ["a.fcs", "b.fcs"]
    assert fitted.skipped[0][0] == "moved.fcs"
    assert "CD4 on APC-A" in fitted.skipped[0][1]


def test_each_layout_gives_a_template_and_one_without_evidence_is_skipped(tube: SimulatedTube, tmp_path: Path) -> None:
    moved = {
        {"V450-A": "BV421-A", "FITC-A": "BB515-A"}.get(name, name): values for name, values in tube.columns.items()
    }
    names = dict(zip(tube.columns, moved, strict=True))
    markers = {names[detector]: marker for detector, marker in tube.markers.items()}
    keywords = {"$SPILLOVER": ",".join(names.get(word, word) for word in tube.keywords["$SPILLOVER"].split(","))}
    for name in ("a", "b"):
        tube.write(tmp_path / f"{name}.fcs")
    write_fcs(tmp_path / "moved.fcs", moved, markers=markers, keywords=keywords)
    noise = np.random.default_rng(3).normal(50, 60, 3000).astype("f4")
    write_fcs(tmp_path / "unstained.fcs", {"APC-A": noise, "PE-A": noise[::-1]}, markers={"APC-A": "CD3"})
    first, second = fit_layouts(sorted(tmp_path.glob("*.fcs")), BOOK, name="mine")
    assert [tube.name for tube in first.study.tubes] == ["a.fcs", "b.fcs"]
    assert [tube.name for tube in second.study.tubes] == ["moved.fcs"]
    assert (first.template.name, second.template.name) == ("mine", "mine-2")
    counts = [_events(fitted, tmp_path / f"{name}.fcs") for fitted, name in ((first, "a"), (second, "moved"))]
    assert counts[1]["cd4"] == pytest.approx(counts[0]["cd4"], rel=0.01)
    ((skipped, why),) = first.skipped
    assert skipped == "unstained.fcs"
    assert "E207" in why


# ---------------------------------------------------------------- lines that find the same cells


def test_cells_bright_in_every_colour_are_no_t_cells(tmp_path: Path) -> None:
    dim = stain(CD3=(150, 0.8), CD4=(150, 0.8), CD8=(200, 0.8))
    all_bright = stain(CD3=2500, CD4=2200, CD8=3000, CAR=1500, CD45=2000, CD2=2000, CD56=1500)
    unstained = stained_tube((cell("dim", dim), 9000), (cell("autofluorescent", all_bright), 1500), seed=2)
    write_fcs(tmp_path / "a.fcs", unstained.columns, markers=unstained.markers, keywords=unstained.keywords)
    fitted = fit_template([tmp_path / "a.fcs"], BOOK, name="mine")
    assert "t_cells" not in fitted.study.masks
    assert "as bright in every other colour" in dict(fitted.study.left_out)["t_cells"]


def test_an_unstained_tube_among_stained_ones_is_named(tube: SimulatedTube, tmp_path: Path) -> None:
    tube.write(tmp_path / "a.fcs")
    tube.write(tmp_path / "b.fcs")
    dim = stain(CD3=(150, 0.8), CD4=(150, 0.8), CD8=(200, 0.8))
    all_bright = stain(CD3=2500, CD4=2200, CD8=3000, CAR=1500, CD45=2000, CD2=2000, CD56=1500)
    unstained = stained_tube((cell("dim", dim), 9000), (cell("autofluorescent", all_bright), 1500), seed=2)
    write_fcs(tmp_path / "c.fcs", unstained.columns, markers=unstained.markers, keywords=unstained.keywords)
    fitted = fit_template(sorted(tmp_path.glob("*.fcs")), BOOK, name="mine")
    named = "what is bright in CD3 is as bright in other colours in c.fcs"
    assert ("W348", named) in fitted.study.odd_files
    assert "W348" not in [doubt.code for doubt in fitted.template.doubts], "one odd file of three"


def test_lines_of_cd4_and_cd8_that_find_the_same_cells_are_left_out(tmp_path: Path) -> None:
    t_cell = stain(CD3=5000, CD45=12_000)
    twice = stained_tube(  # one reagent on two channels
        (cell("both", t_cell, stain(CD4=4000, CD8=9000)), 4000),
        (cell("neither", t_cell, stain(CD4=60, CD8=150)), 3000),
        (cell("nk", stain(CD3=80, CD45=12_000)), 2500),
        seed=4,
    )
    write_fcs(tmp_path / "a.fcs", twice.columns, markers=twice.markers, keywords=twice.keywords)
    fitted = fit_template([tmp_path / "a.fcs"], BOOK, name="mine")
    assert "t_cells" in fitted.study.masks
    assert not {"cd4", "cd8", "cd4_bright", "cd8_bright"} & set(fitted.study.masks)
    assert "are both" in dict(fitted.study.left_out)["cd4, cd8"]


def test_without_cd3_lymphocytes_are_found_by_their_cd8_cells(tube: SimulatedTube, tmp_path: Path) -> None:
    columns = {name: values for name, values in tube.columns.items() if name != "FITC-A"}
    markers = {name: marker for name, marker in tube.markers.items() if name != "FITC-A"}
    write_fcs(tmp_path / "a.fcs", columns, markers=markers)
    fitted = fit_template([tmp_path / "a.fcs"], BOOK, name="mine")
    truth = tube.is_kind("cd8_t_cells", "car_cd8_t_cells").sum()
    assert fitted.study.count("cd8") == pytest.approx(truth, rel=0.1)
    assert "cd4" not in fitted.study.masks, "without a matrix CD4 is no line"
    assert [doubt.code for doubt in fitted.template.doubts] == ["W338"]


def test_linear_values_in_units_of_the_range_are_not_taken_for_transformed_ones(
    tube: SimulatedTube, fitted: FittedTemplate, tmp_path: Path
) -> None:
    columns = {name: values if name == "Time" else values / 262_144 for name, values in tube.columns.items()}
    ranges = {name: 1.0 for name in columns if name != "Time"}
    write_fcs(tmp_path / "a.fcs", columns, markers=tube.markers, ranges=ranges, keywords=tube.keywords)
    small = fit_template([tmp_path / "a.fcs"], BOOK, name="mine")
    for name in ("beads", "t_cells", "cd4", "cd8", "car_t"):
        assert small.study.count(name) == pytest.approx(fitted.study.count(name), rel=0.02), name
    assert walk(open_fcs(tmp_path / "a.fcs"), small.template)["cd4"].events == small.study.count("cd4")


def test_height_of_another_detector_gates_no_single_cells(tube: SimulatedTube, tmp_path: Path) -> None:
    columns = {name: values for name, values in tube.columns.items() if name not in ("FSC-H", "FSC-W", "SSC-H")}
    columns["SSC-B-H"] = np.random.default_rng(1).normal(-60, 100, len(tube.columns["SSC-A"])).astype("f4")
    write_fcs(tmp_path / "a.fcs", columns, markers=tube.markers, keywords=tube.keywords)
    fitted = fit_template([tmp_path / "a.fcs"], BOOK, name="mine")
    assert "singlets" not in fitted.study.masks
    columns["SSC-H"] = columns.pop("SSC-B-H")
    write_fcs(tmp_path / "a.fcs", columns, markers=tube.markers, keywords=tube.keywords)
    fitted = fit_template([tmp_path / "a.fcs"], BOOK, name="mine")
    assert "height against area is no line" in dict(fitted.study.left_out)["singlets"]
    assert "t_cells" in fitted.study.masks


def test_t_cells_of_one_kind_only_are_said_to_be_so(tmp_path: Path) -> None:
    stained = stained_tube(
        (cell("cd4", stain(CD3=5000, CD4=4000, CD8=60)), 2000), (cell("nk", stain(CD3=80)), 2500), seed=4
    )
    write_fcs(tmp_path / "a.fcs", stained.columns, markers=stained.markers, keywords=stained.keywords)
    fitted = fit_template([tmp_path / "a.fcs"], BOOK, name="mine")
    assert "no two groups of CD4 or CD8 among 2,0" in dict(fitted.study.doubts)["W349"]


def test_large_cells_just_above_the_line_of_cd3_ask_for_a_look(tmp_path: Path) -> None:
    kinds = [
        (cell("cd4", stain(CD3=5000, CD4=4000, CD8=60)), 1500),
        (cell("cd8", stain(CD3=5000, CD8=9000)), 1000),
        (cell("nk", stain(CD3=80)), 2000),
    ]
    large = cell("autofluorescent", stain(CD3=1900, CD4=900, CD8=300), blast=True)
    for name, others in (("a", []), ("b", [(large, 400)])):
        stained = stained_tube(*kinds, *others, seed=4)
        markers = {detector: label for detector, label in stained.markers.items() if label in ("CD3", "CD4", "CD8")}
        write_fcs(tmp_path / f"{name}.fcs", stained.columns, markers=markers, keywords=stained.keywords)
    doubts = [
        [doubt.code for doubt in fit_template([tmp_path / f"{name}.fcs"], BOOK, name="mine").template.doubts]
        for name in ("a", "b")
    ]
    assert "W351" not in doubts[0]
    assert "W351" in doubts[1]


# ---------------------------------------------------------------- real files


def _f1(mask: np.ndarray[tuple[int], np.dtype[np.bool_]], truth: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
    return 2 * float((mask & truth).sum()) / float(mask.sum() + truth.sum())


def test_cd4_and_cd8_agree_with_the_labels_of_people(shared_data: Path) -> None:
    folder = shared_data / "flowjo_studies" / "flowsom_68983"
    labels = np.array([line.strip().strip('"') for line in (folder / "gatingResult.csv").read_text().splitlines()])
    fitted = fit_template([folder / "68983.fcs"], BOOK, name="mouse")
    populations = walk(open_fcs(folder / "68983.fcs"), fitted.template)
    labels = labels[-populations.n_events :]
    assert _f1(populations["cd4"].mask, labels == "CD4 T cells") >= 0.95
    assert _f1(populations["cd8"].mask, labels == "CD8 T cells") >= 0.95
    assert _f1(populations["b_cells"].mask, labels == "B cells") >= 0.95


def test_aggregates_at_the_end_of_scatter_are_no_lost_t_cells(shared_data: Path) -> None:
    file = shared_data / "tcell_human" / "more" / "itn_02.fcs"
    if not file.is_file():
        pytest.skip(f"{file.name} is not among the real FCS files here")
    study = fit_template([file], BOOK, name="itn").study
    assert study.t_cells_outside == pytest.approx(0.03, abs=0.02), "0.30 with the aggregates"
    assert "W339" not in {code for code, _ in study.doubts}


def test_files_gated_to_t_cells_before_are_all_noticed(shared_data: Path) -> None:
    files = sorted((shared_data / "flowjo_studies" / "coereba_study").glob("*.fcs"))
    fitted = fit_template(files, BOOK, name="coereba")
    assert len(files) == 30
    assert fitted.study.doubts[0][1].startswith("30 of 30 files")
    assert not {"t_cells", "cd4", "cd8"} & set(fitted.study.masks)


@pytest.mark.parametrize(
    ("file", "t_cells", "cd4", "cd8"),
    [
        ("more/canto_tbnk.fcs", (2700, 3050), (1550, 1760), (850, 1020)),
        ("more/itn_02.fcs", (2400, 3000), (2150, 2500), (210, 300)),
        ("more/aurora_unmixed_INF071.fcs", (310, 370), (225, 270), (68, 90)),
        ("wakaflocka_spectral_pbmc/PBMC_spectral_UNMIXED.fcs", (4200, 4800), (1800, 2100), (2200, 2600)),
    ],
)
def test_counts_of_real_files_are_what_a_person_sees(
    shared_data: Path, file: str, t_cells: tuple[int, int], cd4: tuple[int, int], cd8: tuple[int, int]
) -> None:
    path = shared_data / "tcell_human" / file
    events = _events(fit_template([path], BOOK, name="mine"), path)
    for name, (low, high) in (("t_cells", t_cells), ("cd4", cd4), ("cd8", cd8)):
        assert low <= events[name] <= high, name


def test_a_file_whose_matrix_does_not_fit_is_refused(shared_data: Path) -> None:
    with pytest.raises(CompensationError) as caught:
        fit_template([shared_data / "tcell_human" / "100715.fcs"], BOOK, name="mine")
    assert caught.value.code == "E206"
    assert "100715.fcs" in caught.value.message
    assert "not compensated yet" in caught.value.message, "--compensated would find no T cells"
    assert "--compensated" not in caught.value.hint


def test_a_given_matrix_takes_the_place_of_the_files_and_is_in_the_template(
    tube: SimulatedTube, fitted: FittedTemplate, tmp_path: Path
) -> None:
    """Of one beside a file whose own is the identity, the counts are those of the file that has it."""
    matrix = carried(tube.events.keywords).matrix
    assert matrix is not None
    lines = [",".join(matrix.detectors), *(",".join(map(str, row)) for row in matrix.values.tolist())]
    (tmp_path / "matrix.csv").write_text("\n".join(lines))
    identity = np.eye(len(matrix.detectors)).astype(int).ravel()
    keywords = {"$SPILLOVER": ",".join(map(str, (len(matrix.detectors), *matrix.detectors, *identity)))}
    write_fcs(tmp_path / "a.fcs", tube.columns, markers=tube.markers, keywords=keywords)
    given = fit_template(
        [tmp_path / "a.fcs"], BOOK, name="mine", given=SpilloverMatrix.from_csv(tmp_path / "matrix.csv")
    )
    (tmp_path / "mine.toml").write_text(to_text(given), "utf-8")
    loaded = load_template(tmp_path / "mine.toml")
    assert loaded.compensation.source == "matrix.csv"
    (tmp_path / "matrix.csv").unlink()
    counts = walk(open_fcs(tmp_path / "a.fcs"), load_template(tmp_path / "mine.toml"))
    assert counts.compensation == "matrix.csv"
    for name in ("t_cells", "cd4", "cd8"):
        assert counts[name].events == fitted.study.count(name), name
    other = SpilloverMatrix(("X-A", "Y-A"), ("X-A", "Y-A"), np.array([[1, 0.1], [0, 1]]))
    with pytest.raises(CompensationError) as caught:
        fit_template([tmp_path / "a.fcs"], BOOK, name="mine", given=other)
    assert caught.value.code == "E050"


def test_a_matrix_may_name_a_scatter_channel(tube: SimulatedTube, tmp_path: Path) -> None:
    columns = {**tube.columns, "FSC PMT-A": tube.columns["FSC-A"]}
    keywords = {**tube.keywords, "$SPILLOVER": "3,FITC-A,PE-A,FSC PMT-A,1,0.16,0,0,1,0,0,0,1"}
    write_fcs(tmp_path / "a.fcs", columns, markers=tube.markers, keywords=keywords)
    assert "singlets" in fit_template([tmp_path / "a.fcs"], BOOK, name="mine").study.masks


def test_t_cells_bright_in_three_colours_are_no_beads(tube: SimulatedTube, tmp_path: Path) -> None:
    """CD3, CD4 and CD45 are bright on CD4 T cells at once: without a pair that excludes it no beads are looked for."""
    kept = {"CD3", "CD4", "CD45"}
    markers = {detector: marker for detector, marker in tube.markers.items() if marker in kept}
    write_fcs(tmp_path / "a.fcs", tube.columns, markers=markers, keywords=tube.keywords)
    assert "beads" not in fit_template([tmp_path / "a.fcs"], BOOK, name="mine").study.masks
