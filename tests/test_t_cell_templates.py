"""Templates beyond the CAR: memory, exhaustion, NK and NKT cells, TBNK with beads, names of reagents."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

import cytocar
from cytocar import EventTable, gate, load_template, open_fcs, quantify
from cytocar.editor.opening import open_bench
from cytocar.errors.tree import PanelError
from cytocar.fcs.write import write_fcs
from cytocar.files.bundled import template_folder
from cytocar.fit.names import alias_book as known_names
from cytocar.report.run.source import open_finished_run
from cytocar.review.open_sample import open_sample
from cytocar.sample.result import SampleResult
from cytocar.signals.marker import Marker
from cytocar.signals.panel import resolve
from tests.runs import cytocar_command
from tests.stained_tubes import StainedTube, cell, stain, stained_tube

LINES = {"cd4": stain(CD4=4000, CD8=200), "cd8": stain(CD8=20_000, CD4=80)}
MEMORY = {"naive": (5000, 3000), "central_memory": (100, 3000), "effector_memory": (100, 60), "emra": (5000, 60)}
"""CD45RA and CCR7."""
SHARES = {
    "": {"naive": 0.4, "central_memory": 0.3, "effector_memory": 0.2, "emra": 0.1},
    "car_": {"naive": 0.1, "central_memory": 0.4, "effector_memory": 0.4, "emra": 0.1},
}


def events_of(result: SampleResult) -> dict[str, int]:
    """Return the events of each population."""
    return {population.name: population.events for population in result.populations}


# ---------------------------------------------------------------- memory


def memory_tube(*, dead: float = 0.05, with_car: float = 0.2, seed: int) -> StainedTube:
    """Return 20,000 T cells, a share with a CAR, with CD45RA and CCR7 in place of CD2 and CD56."""
    kinds = [(cell("nk_cells", stain(CD3=90, CD8=500)), 1500)]
    for car, share in (("", 1 - with_car), ("car_", with_car)):
        for line, of_line in LINES.items():
            for subset, (cd45ra, ccr7) in MEMORY.items():
                colours = stain(CD3=5000, CD2=(cd45ra, 0.5), CD56=(ccr7, 0.5), CAR=(5000, 0.9) if car else 80)
                kind = cell(f"{car}{line}_{subset}", colours, of_line)
                kinds.append((kind, round(10_000 * share * SHARES[car][subset])))
    return stained_tube(*kinds, dead_share=dead, seed=seed, CD2="CD45RA", CD56="CCR7", CD45="CD25")


def test_memory_subsets_are_found_with_and_without_a_car() -> None:
    tube = memory_tube(seed=1)
    result = quantify(tube.events, load_template("t-memory"))
    events = events_of(result)

    assert result.status == "ok", [finding.message for finding in result.findings]
    for subset in MEMORY:
        for line in LINES:
            assert events[f"car_{line}_{subset}"] == pytest.approx(tube.number(f"car_{line}_{subset}"), rel=0.03)
        in_both = (f"cd4_{subset}", f"cd8_{subset}")
        assert events[f"car_negative_{subset}"] == pytest.approx(tube.number(*in_both), rel=0.02)


def test_a_memory_tube_without_car_viability_and_height_gives_the_subsets_of_all_t_cells() -> None:
    tube = memory_tube(dead=0, seed=2).without("PE-A", "PerCP-Cy5-5-A", "FSC-H")
    result = quantify(tube.events, load_template("t-memory"))
    events = events_of(result)

    (left_out,) = [finding for finding in result.findings if finding.code == "W272"]
    assert left_out.message == (
        "the file has no FSC-H, viability, CAR; left out: singlets, viable, car_t and 21 that come from them"
    )
    assert "car_t" not in events and result.row()["car_percent_of_t_cells"] is None
    for subset in MEMORY:
        kinds = [f"{car}{line}_{subset}" for car in ("", "car_") for line in LINES]
        assert events[subset] == pytest.approx(tube.number(*kinds), rel=0.05)


def test_a_panel_with_both_homing_receptors_says_which_one_decides() -> None:
    tube = memory_tube(seed=3)
    both = StainedTube(tube.columns, {**tube.markers, "V500-A": "CD62L"}, tube.origin, tube.kinds)
    with pytest.raises(PanelError, match=r"CCR7.*CD62L"):
        gate(both.events, load_template("t-memory"))
    assert gate(both.events, load_template("t-memory"), markers={"homing": "APC-A"})["naive"].events > 0


@pytest.mark.parametrize(
    ("donor", "cd4", "cd8", "naive_percent"), [("Donor1", 1234, 706, (25, 35)), ("Donor2", 1299, 642, (50, 62))]
)
def test_memory_of_a_real_tube_lies_where_its_clouds_are(
    shared_data: Path, donor: str, cd4: int, cd8: int, naive_percent: tuple[int, int]
) -> None:
    """Donor 2 has one large naive cloud; CD45RA has no valley in either, so both ask for a look."""
    file = shared_data / f"tcell_human/cytopipeline_omip021/{donor}.fcs"
    result = quantify(open_fcs(file), load_template("t-memory"))
    events = events_of(result)

    assert result.status == "review"
    assert events["cd4"] == pytest.approx(cd4, rel=0.03)
    assert events["cd8"] == pytest.approx(cd8, rel=0.05)
    assert naive_percent[0] <= 100 * events["naive"] / events["t_cells"] <= naive_percent[1]


def test_memory_of_a_small_real_tube_needs_no_look(shared_data: Path) -> None:
    """LSR II, 1000 events, CD45RA and CCR7 with a valley each; made from it, a template counts 112 CD4 and 37 CD8."""
    result = quantify(open_fcs(shared_data / "tcell_human/more/sdy736_Ki67_60022.fcs"), load_template("t-memory"))
    events = events_of(result)

    assert result.status == "ok"
    assert events["cd4"] == pytest.approx(112, rel=0.1)
    assert events["cd8"] == pytest.approx(37, rel=0.1)
    assert events["cd4_naive"] > events["cd4_emra"] + events["cd4_effector_memory"]


@pytest.mark.parametrize(
    ("place", "ratios"),
    [
        (
            "cytopipeline_omip021/Donor1.fcs",
            {"CD45RO": ("naive", "central_memory"), "CD27": ("emra", "naive"), "CD28": ("emra", "effector_memory")},
        ),
        (
            "cytopipeline_omip021/Donor2.fcs",
            {"CD45RO": ("naive", "central_memory"), "CD27": ("emra", "naive"), "CD28": ("emra", "effector_memory")},
        ),
        ("more/sdy736_Ki67_60022.fcs", {"CD95": ("naive", "central_memory"), "CD28": ("emra", "effector_memory")}),
    ],
)
def test_subsets_of_real_t_cells_carry_what_the_template_does_not_look_at(
    shared_data: Path, place: str, ratios: Mapping[str, tuple[str, str]]
) -> None:
    """Naive cells lack CD45RO and CD95, EMRA cells CD27 and CD28: the first median is under a quarter of the second."""
    events = open_fcs(shared_data / "tcell_human" / place)
    template = load_template("t-memory")
    others = {marker: Marker(aliases=(marker,)) for marker in ratios}
    populations = gate(events, replace(template, panel={**template.panel, **others}))
    for marker, (dim, bright) in ratios.items():
        signal = populations.values("all", marker)
        medians = [float(np.median(signal[populations[name].mask])) for name in (dim, bright)]
        assert medians[0] < 0.25 * medians[1], marker


def test_pd1_of_a_real_tube_without_a_control_asks_for_a_look(shared_data: Path) -> None:
    """An unmixed Aurora tube, its scale of 4 million brought to that of the template."""
    unmixed = open_fcs(shared_data / "tcell_human/more/aurora_unmixed_INF071.fcs")
    columns = {channel.detector: np.asarray(unmixed.column(channel)) / 16 for channel in unmixed.channels}
    events = EventTable.from_columns(
        columns, markers={channel.detector: channel.marker for channel in unmixed.channels if channel.marker}
    )
    template = load_template("exhaustion")
    plain = replace(template, compensation=replace(template.compensation, source="none"))
    result = quantify(events, plain)

    assert "NO_REFERENCE" in str(result.row()["status_codes"])
    counted = events_of(result)
    assert counted["t_cells"] == pytest.approx(341, rel=0.05)
    assert counted["pd1_positive"] < 0.1 * counted["t_cells"]


# ---------------------------------------------------------------- exhaustion


def exhaustion_tube(*, left_out: tuple[str, ...] = (), seed: int) -> StainedTube:
    """Return 20,000 T cells, half with a CAR, of these 60 % PD-1+, 30 % also LAG-3+; without some of the reagents."""
    colour = {"PD-1": "CD2", "LAG-3": "CD56", "TIM-3": "CD45"}
    groups = {"none": (), "pd1": ("PD-1",), "pd1_lag3": ("PD-1", "LAG-3"), "all": ("PD-1", "LAG-3", "TIM-3")}
    kinds = [(cell("nk_cells", stain(CD3=90, CD8=500)), 1000)]
    for car in ("", "car_"):
        shares = {"none": 0.4, "pd1": 0.3, "pd1_lag3": 0.2, "all": 0.1} if car else {"none": 0.9, "pd1": 0.1}
        for group, share in shares.items():
            stained = stain(**{colour[marker]: (4000, 0.6) for marker in groups[group] if marker not in left_out})
            for line, of_line in LINES.items():
                colours = stain(CD3=5000, CAR=(5000, 0.9) if car else 80)
                kind = cell(f"{car}{line}_{group}", colours, stained, of_line)
                kinds.append((kind, round(5000 * share)))
    return stained_tube(*kinds, seed=seed, CD2="PD-1", CD56="LAG-3", CD45="TIM-3")


def test_an_fmo_places_the_lines_of_the_markers_that_were_left_out_of_it(tmp_path: Path) -> None:
    tubes = {
        "day14": exhaustion_tube(seed=1),
        "without_all": exhaustion_tube(left_out=("PD-1", "LAG-3", "TIM-3"), seed=2),
        "without_pd1": exhaustion_tube(left_out=("PD-1",), seed=3),
    }
    for name, tube in tubes.items():
        write_fcs(tmp_path / f"{name}.fcs", tube.columns, markers=tube.markers, keywords=tube.keywords)
    sheet = "file,sample_id,sample_type,subject_id,control_for,stain_target\nday14.fcs,day14,sample,P1,,\n"
    for control, target in (("without_all", ""), ("without_pd1", "PD1")):
        path = tmp_path / f"{control}.csv"
        path.write_text(sheet + f"{control}.fcs,{control},fmo,P1,P1,{target}\n", encoding="utf-8")

    def counted(control: str) -> SampleResult:
        outcomes = {one.sample.sample_id: one for one in cytocar.run(tmp_path / f"{control}.csv", "exhaustion")}
        result = outcomes["day14"]
        assert isinstance(result, SampleResult)
        return result

    by_all, by_pd1 = counted("without_all"), counted("without_pd1")
    tube, events = tubes["day14"], events_of(by_all)
    car = {group: tube.number(f"car_cd4_{group}", f"car_cd8_{group}") for group in ("pd1", "pd1_lag3", "all")}
    assert by_all.status == "ok", [finding.message for finding in by_all.findings if finding.outcome == "review"]
    assert events["car_pd1"] == pytest.approx(sum(car.values()), rel=0.03)
    assert events["car_lag3"] == pytest.approx(car["pd1_lag3"] + car["all"], rel=0.03)
    assert events["car_triple_positive"] == pytest.approx(car["all"], rel=0.05)
    assert events["car_negative_pd1"] == pytest.approx(tube.number("cd4_pd1", "cd8_pd1"), rel=0.05)

    sources = {row.population: row.source for row in by_pd1.decisions if row.parameter == "threshold"}
    assert sources["pd1_positive"] == "reference"
    assert sources["lag3_positive"] == sources["tim3_positive"] == "fallback"
    assert by_pd1.status == "review"


def test_lines_without_an_fmo_ask_for_a_look() -> None:
    result = quantify(exhaustion_tube(seed=4).events, load_template("exhaustion"))
    asking = {finding.check for finding in result.findings if finding.outcome == "review"}
    assert {"pd1_positive", "lag3_positive", "tim3_positive"} <= asking


# ---------------------------------------------------------------- NK cells, TBNK, B cells


@pytest.mark.parametrize("template", ["cart-cd19fc", "cart-cd19fc-fixed"])
def test_nk_and_nkt_cells_are_counted_where_the_panel_has_cd56(template: str) -> None:
    t_cell = stain(CD3=6000, CD45=(12_000, 0.18))
    tube = stained_tube(
        (cell("cd4", t_cell, LINES["cd4"]), 5000),
        (cell("cd8", t_cell, LINES["cd8"]), 3000),
        (cell("nkt", t_cell, LINES["cd8"], stain(CD56=(3000, 0.5))), 400),
        (cell("nk", stain(CD3=90, CD45=(13_000, 0.18), CD56=(4000, 0.5))), 2000),
        (cell("b", stain(CD3=60, CD45=(9500, 0.2))), 500),
        beads=5000,
        seed=1,
    )
    populations = gate(tube.events, load_template(template))
    assert populations["nk_cells"].events == pytest.approx(tube.number("nk"), rel=0.05)
    assert populations["nkt_cells"].events == pytest.approx(tube.number("nkt"), rel=0.05)

    without = gate(tube.without("APC-A").events, load_template(template))
    assert "nk_cells" not in without
    assert without["t_cells"].events == populations["t_cells"].events


LOW_SSC = 12_400
"""Side scatter of lymphocytes on the instrument of ``tbnk``."""


@pytest.mark.parametrize("height", [True, False])
@pytest.mark.parametrize("beads", [0, 4000])
def test_tbnk_counts_with_and_without_beads_and_pulse_height(height: bool, beads: int) -> None:
    bright = stain(CD45=(12_000, 0.15))
    tube = stained_tube(
        (cell("cd4", bright, stain(CD3=6000), LINES["cd4"], ssc=LOW_SSC), 5000),
        (cell("cd8", bright, stain(CD3=6000, CD8=6000, CD4=60), ssc=LOW_SSC), 3000),
        (cell("b", bright, stain(CD2=5000), ssc=LOW_SSC), 1000),
        (cell("nk", bright, stain(CD56=(4000, 0.5)), ssc=LOW_SSC), 1500),
        beads=beads,
        seed=2,
        CD2="CD19",
        CD56="CD16+56",
    ).without(*(() if height else ("FSC-H", "FSC-W")))
    counting = {"beads_added": 20_000, "sample_volume_ul": 50} if beads else {"count_method": "none"}
    result = quantify(tube.events, load_template("tbnk"), **counting)
    events = events_of(result)

    truth = {"cd4": tube.number("cd4"), "cd8": tube.number("cd8"), "b_cells": tube.number("b")}
    assert {name: events[name] for name in truth} == pytest.approx(truth, rel=0.03)
    assert events["nk_cells"] == pytest.approx(tube.number("nk"), rel=0.05)
    assert ("singlets" in events) is height
    if beads:
        assert result.row()["cd4_per_ul"] == pytest.approx(truth["cd4"] / tube.number("beads") * 20_000 / 50, rel=0.03)


@pytest.mark.parametrize("pairs", [60, 200, 500])
def test_pairs_of_t_cells_and_monocytes_do_not_let_monocytes_into_the_lymphocytes_of_tbnk(pairs: int) -> None:
    """Such pairs carry CD3 and lie among the monocytes, as a second kind of T cells would."""
    bright = stain(CD45=(12_000, 0.15))
    tube = stained_tube(
        (cell("cd4", bright, stain(CD3=6000), LINES["cd4"], ssc=LOW_SSC), 5000),
        (cell("cd8", bright, stain(CD3=6000, CD8=6000, CD4=60), ssc=LOW_SSC), 3000),
        (cell("b", bright, stain(CD2=5000), ssc=LOW_SSC), 1000),
        (cell("nk", bright, stain(CD56=(4000, 0.5)), ssc=LOW_SSC), 1500),
        (cell("monocyte", stain(CD45=(8000, 0.15)), blast=True, ssc=3.0 * LOW_SSC), 2500),
        (cell("pair", stain(CD45=(9000, 0.15), CD3=3500), blast=True, ssc=3.0 * LOW_SSC), pairs),
        beads=4000,
        seed=2,
        CD2="CD19",
        CD56="CD16+56",
    )
    result = quantify(tube.events, load_template("tbnk"), beads_added=20_000, sample_volume_ul=50)
    lymphocytes = sum(tube.number(name) for name in ("cd4", "cd8", "b", "nk"))
    assert events_of(result)["lymphocytes"] == pytest.approx(lymphocytes, rel=0.03)


@pytest.mark.parametrize(("b_cells", "words"), [(0, "not detected"), (16, "detected, too few"), (40, None)])
def test_b_cells_below_a_limit_are_said_to_be_so_in_cells_per_ul(b_cells: int, words: str | None) -> None:
    bright = stain(CD45=(12_000, 0.12))
    tube = stained_tube(
        (cell("t", bright), 3000),
        (cell("b", bright, stain(CD2=(9000, 0.2), CD56=(9000, 0.2))), b_cells),
        beads=5000,
        seed=3,
        CD2="CD19",
        CD56="CD20",
        CD4="IgG",
        CD8="IgG2",
    )
    result = quantify(tube.events, load_template("bcell-aplasia"), beads_added=20_000, sample_volume_ul=50)
    said = [finding.message for finding in result.findings if finding.code == "W223"]
    assert (len(said) == 1 and words in said[0]) if words else not said
    if words == "not detected":
        assert "13 events, 1.0" in said[0]  # 13 / 5000 beads * 20,000 beads / 50 µL


@pytest.mark.parametrize(
    ("cd8", "cd4", "named"),
    [(3000, 60, {}), (3000, 15, {"cd4": "detected, too few for a number"}), (4, 0, {"t_cells": "not detected"})],
)
def test_t_and_cd4_cells_below_a_limit_are_said_to_be_so(cd8: int, cd4: int, named: dict[str, str]) -> None:
    bright = stain(CD45=(12_000, 0.15))
    tube = stained_tube(
        (cell("nk", bright, stain(CD56=(4000, 0.5)), ssc=LOW_SSC), 3000),
        (cell("b", bright, stain(CD2=5000), ssc=LOW_SSC), 1000),
        (cell("cd8", bright, stain(CD3=6000, CD8=6000, CD4=60), ssc=LOW_SSC), cd8),
        (cell("cd4", bright, stain(CD3=6000), LINES["cd4"], ssc=LOW_SSC), cd4),
        beads=5000,
        seed=3,
        CD2="CD19",
        CD56="CD16+56",
    )
    result = quantify(tube.events, load_template("tbnk"), beads_added=20_000, sample_volume_ul=50)
    said = {one.check: one.message for one in result.findings if one.code == "W223"}
    assert said.keys() == named.keys()
    for name, words in named.items():
        assert words in said[name] and "cells/µL in this tube" in said[name]


# ---------------------------------------------------------------- names


def alias_book() -> Mapping[str, Mapping[str, list[str]]]:
    """Return the names that ``template fit`` knows."""
    text = (Path(cytocar.__file__).parent / "fit" / "aliases.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


WITH_CAR = [path.stem for path in template_folder().glob("*.toml") if '"anti-FMC63"' in path.read_text("utf-8")]


@pytest.mark.parametrize("name", WITH_CAR)
@pytest.mark.parametrize("role", ["CAR", "viability"])
def test_a_template_for_any_reagent_knows_every_name_of_the_alias_book(name: str, role: str) -> None:
    panel = load_template(name).panel
    marker = role if role in panel else "7-AAD"
    for label in alias_book()[role]["names"]:
        for written in (label, f"{label} PE", f"PE - {label}"):
            events = EventTable.from_columns({"PE-A": np.zeros(1)}, markers={"PE-A": written})
            found = resolve({marker: panel[marker]}, events.channels)
            assert marker in found, written


def test_four_templates_are_for_any_reagent() -> None:
    assert set(WITH_CAR) == {"cart-generic", "exhaustion", "product-release", "t-memory"}


# ---------------------------------------------------------------- what is left out is left out everywhere


def test_a_run_of_files_that_lack_optional_markers_is_reported_drawn_exported_and_compared(tmp_path: Path) -> None:
    tube = memory_tube(dead=0, seed=6).without("PE-A", "FSC-H")
    write_fcs(tmp_path / "day1.fcs", tube.columns, markers=tube.markers, keywords=tube.keywords)
    run = tmp_path / "run"
    gated = cytocar_command("gate", tmp_path / "day1.fcs", "-t", "t-memory", "-o", run, "-j", "1", "-q")
    assert gated.code == 0, gated.stderr
    page = (run / "report.html").read_text("utf-8")
    assert "the file lacks FSC-A or FSC-H" in page
    assert 'class="population">car_t' not in page
    for form in ("wsp", "gatingml", "cytobank"):
        exported = cytocar_command("export", run, "--as", form, "-o", tmp_path / form)
        assert exported.code == 0, exported.stderr
    agreed = cytocar_command("compare", run, tmp_path / "wsp" / "gates.wsp")
    assert agreed.code == 0, agreed.stdout
    again = cytocar_command(
        "gate", tmp_path / "day1.fcs", "-t", tmp_path / "gatingml" / "day1.xml", "--format", "csv", "-j", "1", "-q"
    )
    assert again.code == 0, again.stderr
    assert f",{events_of(quantify(tube.events, load_template('t-memory')))['t_cells']}," in again.stdout
    drawn = cytocar_command(
        "plot", tmp_path / "day1.fcs", "-t", "t-memory", "-g", "lymphocytes", "-o", tmp_path / "a.png"
    )
    assert drawn.code == 0, drawn.stderr
    refused = cytocar_command("plot", tmp_path / "day1.fcs", "-t", "t-memory", "-g", "car_t", "-o", tmp_path / "b.png")
    assert "error[E210] day1.fcs has not the markers of car_t" in refused.stderr.replace("]:", "]")


def test_the_editor_and_the_review_show_what_a_file_allows(tmp_path: Path) -> None:
    tube = memory_tube(dead=0, seed=7).without("PE-A", "FSC-H")
    write_fcs(tmp_path / "day1.fcs", tube.columns, markers=tube.markers, keywords=tube.keywords)
    assert cytocar_command("template", "new", tmp_path / "own.toml", "--from", "t-memory").code == 0
    bench, _ = open_bench(str(tmp_path / "own.toml"), [tmp_path / "day1.fcs"], known_names())
    counts = bench.counts(bench.tubes[0])
    assert "singlets" not in counts and "car_t" not in counts
    for name in ("lymphocytes", "t_cells", "naive"):
        bench.take(name)
        assert bench.shown(0).picture is not None
    bench.enter("car_t")
    assert "left out" in bench.shown(0).instead

    run = tmp_path / "run"
    cytocar.run([tmp_path / "day1.fcs"], "t-memory", out=run, jobs=1)
    finished = open_finished_run(run)
    (result,) = finished.counted
    opened = open_sample(finished, result, inputs=None)
    for name in ("lymphocytes", "cd45ra_positive"):
        counted = result.population(name)
        assert counted is not None
        assert opened.kept_by(name, result.gates[name]).events == counted.events
    opened.close()
