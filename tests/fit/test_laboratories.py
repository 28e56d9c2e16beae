"""One tube as other laboratories would write it: the same T, CD4 and CD8 cells, whatever names, scales and ranges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from benchmarks.validity.instruments import INSTRUMENTS, STAINS, halves, tubes, write_file
from benchmarks.validity.originals import BOOK, COUNTED, Original, read_original, simulated_originals
from benchmarks.validity.other_cells import CHANGES, autofluorescent, dimmer, fewer
from benchmarks.validity.other_laboratories import LABORATORIES, PLAIN, judge, write_copy
from benchmarks.validity.specimens import draw_specimen
from cytocar.errors.tree import GateError
from cytocar.fcs.reader import open_fcs
from cytocar.fit.draft import refuse_without_t_cells, to_text
from cytocar.fit.template import fit_template
from cytocar.fit.tubes import size_of_negatives
from cytocar.gates.walk import walk
from cytocar.sample.analysis import quantify

WHOLE = [name for name, one in LABORATORIES.items() if not one.lacks and one.scatter[1]]
"""Laboratories that record all channels of the tubes."""


@pytest.fixture(scope="module", params=["cytopipeline_omip021/Donor2.fcs", "more/canto_tbnk.fcs"])
def original(request: pytest.FixtureRequest, shared_data: Path) -> Original:
    """PBMC of an LSRFortessa with FSC-H and a viability dye; whole blood of a FACSCanto II with neither."""
    return read_original(shared_data / "tcell_human" / str(request.param))


@pytest.fixture(scope="module")
def simulated() -> Original:
    """A simulated tube, whose truth is known."""
    return next(iter(simulated_originals(1)))


@pytest.mark.parametrize("name", WHOLE)
def test_the_same_cells_are_found_in_files_of_other_laboratories(name: str, original: Original, tmp_path: Path) -> None:
    file = tmp_path / "other.fcs"
    write_copy(original, LABORATORIES[name], file)
    populations = walk(open_fcs(file), fit_template([file], BOOK, name="other").template)
    for population in COUNTED:
        mask = original.counted[population]
        both = float((populations[population].mask & mask).sum())
        agreement = 2 * both / float(populations[population].events + mask.sum())
        assert agreement >= 0.95, population


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_the_files_of_every_instrument_are_read_by_their_names(name: str, tmp_path: Path) -> None:
    tube = draw_specimen("PBMC", 8000, 3)
    write_file(tube, INSTRUMENTS[name], tmp_path / "tube.fcs")
    fitted = fit_template([tmp_path / "tube.fcs"], BOOK, name="tube")
    panel = fitted.study.tubes[0].panel
    assert {"CD3", "CD4", "CD8", "CD45"} <= {*panel.channels}
    assert all(channel.detector not in INSTRUMENTS[name].beside for channel in panel.channels.values())
    populations = walk(open_fcs(tmp_path / "tube.fcs"), fitted.template)
    for population in ("cd4", "cd8"):
        assert populations[population].events == pytest.approx(tube.counted[population].sum(), rel=0.1), population


def test_signals_in_shares_of_the_range_ask_for_no_other_looks(original: Original, tmp_path: Path) -> None:
    share = LABORATORIES["share of the range"]
    verdicts = []
    for laboratory in (PLAIN, share):
        write_copy(original, laboratory, tmp_path / "copy.fcs")
        verdicts.append(judge("copy", original, tmp_path / "copy.fcs"))
    assert verdicts[0] == verdicts[1]


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ("half debris", ("ok", "review")),
        ("30 % monocytes", ("ok",)),
        ("CD3 positives a third", ("ok", "review")),
        ("no T cells", ("refused",)),
        ("stored on a log scale", ("refused",)),
        ("stored on a logicle scale", ("refused",)),
        ("no CD3", ("review", "warned")),
    ],
)
def test_other_cells_beside_them_move_no_count_in_silence(
    change: str, verdict: tuple[str, ...], simulated: Original, tmp_path: Path
) -> None:
    changed = CHANGES[change](simulated, np.random.default_rng(5))
    assert changed is not None
    write_copy(changed, PLAIN, tmp_path / "copy.fcs")
    judged = judge(change, changed, tmp_path / "copy.fcs")
    assert judged.verdict in verdict, judged.line()
    assert not change.startswith("stored") or judged.codes == ("E205",)


def test_a_cd3_that_is_too_dim_among_all_events_is_looked_for_among_lymphocytes(
    simulated: Original, tmp_path: Path
) -> None:
    dim = dimmer(0.08, "CD3")(simulated, np.random.default_rng(5))
    assert dim is not None
    write_copy(dim, PLAIN, tmp_path / "copy.fcs")
    fitted = fit_template([tmp_path / "copy.fcs"], BOOK, name="copy")
    core = fitted.template.population("lymphocytes").gate
    assert getattr(core, "core", {}).keys() == {"CD8"}
    assert fitted.study.count("t_cells") == pytest.approx(int(simulated.counted["t_cells"].sum()), rel=0.1)


def test_without_scatter_and_viability_t_cells_by_cd3_alone_ask_for_a_look(simulated: Original, tmp_path: Path) -> None:
    write_copy(simulated.without("SSC-A", "viability"), PLAIN, tmp_path / "copy.fcs")
    fitted = fit_template([tmp_path / "copy.fcs"], BOOK, name="copy")
    assert "W350" in [doubt.code for doubt in fitted.template.doubts]
    write_copy(simulated, PLAIN, tmp_path / "copy.fcs")
    assert not fit_template([tmp_path / "copy.fcs"], BOOK, name="copy").template.doubts


def test_a_viability_dye_alone_leaves_doublets_among_the_t_cells(simulated: Original, tmp_path: Path) -> None:
    write_copy(simulated.without("SSC-A", "FSC-H"), PLAIN, tmp_path / "copy.fcs")
    doubts = {one.code: one.message for one in fit_template([tmp_path / "copy.fcs"], BOOK, name="copy").template.doubts}
    assert "no gate on scatter, CD45 or height or width stands before the T cells: doublets and" in doubts["W350"]


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_doublets_that_no_gate_leaves_out_are_estimated_from_cells_of_both_kinds(share: float, tmp_path: Path) -> None:
    tube = draw_specimen("product", 20_000, 2, doublets=share)
    write_copy(tube.without("FSC-H", "FSC-W"), PLAIN, tmp_path / "copy.fcs")
    fitted = fit_template([tmp_path / "copy.fcs"], BOOK, name="copy")
    assert "may be two at once" in dict(fitted.study.left_out)["singlets"]
    assert ("W352" in [doubt.code for doubt in fitted.template.doubts]) is bool(share)
    write_copy(tube, PLAIN, tmp_path / "whole.fcs")
    assert not fit_template([tmp_path / "whole.fcs"], BOOK, name="whole").template.doubts


def test_bright_events_that_tail_off_below_are_no_beads(tmp_path: Path) -> None:
    """Eosinophils glow in every colour: the brightest of them end sharply where brightness is asked for."""
    *_, lymphopenic = tubes(halves(once=False)[1], 3)
    write_file(lymphopenic, INSTRUMENTS["FC500"], tmp_path / "tube.fcs", seed=3)
    assert "beads" in dict(fit_template([tmp_path / "tube.fcs"], BOOK, name="tube").study.left_out)


def test_nkt_cells_are_left_out_where_the_line_of_nk_cells_cuts_the_t_cells(tmp_path: Path) -> None:
    write_file(draw_specimen("product", 60_000, 1), INSTRUMENTS["Attune NxT"], tmp_path / "tube.fcs")
    fitted = fit_template([tmp_path / "tube.fcs"], BOOK, name="tube")
    assert "no gap in CD56" in dict(fitted.study.left_out)["nkt_cells"]


@pytest.mark.parametrize(("share", "doubted"), [(0.0, False), (0.05, True)])
def test_autofluorescent_cells_are_seen_beside_dividing_car_t_cells(
    share: float, doubted: bool, tmp_path: Path
) -> None:
    *_, tube = simulated_originals(3, car_per_ul=400)
    if share:
        mixed = autofluorescent(share, 0.5)(tube, np.random.default_rng(1))
        assert mixed is not None
        tube = mixed
    write_copy(tube, PLAIN, tmp_path / "copy.fcs")
    fitted = fit_template([tmp_path / "copy.fcs"], BOOK, name="copy")
    assert "car_t" in fitted.study.masks
    assert ("W351" in {code for code, _ in fitted.study.doubts}) is doubted


@pytest.mark.parametrize(("specimen", "instrument"), [("lysed blood", "SH800"), ("lymphopenic blood", "FlowJo export")])
def test_a_line_of_cd3_among_granulocytes_gives_way_to_the_one_among_lymphocytes(
    specimen: str, instrument: str, tmp_path: Path
) -> None:
    tube = draw_specimen(specimen, 20_000, 101, dim=0.2)
    write_file(tube, INSTRUMENTS[instrument], tmp_path / "tube.fcs", seed=1)
    fitted = fit_template([tmp_path / "tube.fcs"], BOOK, name="tube")
    assert fitted.study.count("t_cells") == pytest.approx(int(tube.counted["t_cells"].sum()), rel=0.1)


@pytest.mark.parametrize("instrument", ["LSRFortessa", "Aurora", "Gallios, FCS 3"])
def test_unstained_monocytes_are_no_t_cells(instrument: str, tmp_path: Path) -> None:
    write_file(draw_specimen("PBMC", 20_000, 7, unstained=STAINS), INSTRUMENTS[instrument], tmp_path / "tube.fcs")
    with pytest.raises(GateError) as caught:
        refuse_without_t_cells(fit_template([tmp_path / "tube.fcs"], BOOK, name="tube"))
    assert caught.value.code == "E208"
    assert "as bright in every other colour" in caught.value.message


@pytest.mark.parametrize(("specimen", "instrument"), [("PBMC", "Aurora"), ("PBMC, CD4:CD8 of 0.35", "LSRFortessa")])
def test_monocytes_that_glow_in_a_forgotten_cd3_are_no_t_cells(specimen: str, instrument: str, tmp_path: Path) -> None:
    write_file(draw_specimen(specimen, 20_000, 841, unstained=["CD3"]), INSTRUMENTS[instrument], tmp_path / "tube.fcs")
    with pytest.raises(GateError) as caught:
        refuse_without_t_cells(fit_template([tmp_path / "tube.fcs"], BOOK, name="tube"))
    assert "of the cells that carry CD4 or CD8 lie above the line of CD3: was it stained?" in caught.value.message


@pytest.mark.parametrize("kind", ["CD4", "CD8"])
def test_t_cells_of_one_kind_are_t_cells(kind: str, tmp_path: Path) -> None:
    tube = draw_specimen("PBMC", 20_000, 7)
    only = fewer({"CD4": "cd8", "CD8": "cd4"}[kind], 0.0)(tube, np.random.default_rng(1))
    assert only is not None
    write_copy(only, PLAIN, tmp_path / "tube.fcs")
    fitted = fit_template([tmp_path / "tube.fcs"], BOOK, name="tube")
    assert fitted.study.count("t_cells") == pytest.approx(int(only.counted["t_cells"].sum()), rel=0.1)
    assert "W349" in {code for code, _ in fitted.study.doubts}


def test_granulocytes_cut_few_of_the_t_cells_off_where_t_cells_are_few(tmp_path: Path) -> None:
    tube = draw_specimen("lymphopenic blood", 60_000, 701)
    write_file(tube, INSTRUMENTS["LSRFortessa"], tmp_path / "tube.fcs", seed=701)
    fitted = fit_template([tmp_path / "tube.fcs"], BOOK, name="tube")
    assert getattr(fitted.template.population("lymphocytes").gate, "least", 0) == 0.99
    assert "would cut off" in to_text(fitted)
    truth = tube.counted["t_cells"]
    kept = walk(open_fcs(tmp_path / "tube.fcs"), fitted.template)["t_cells"].mask[truth].mean()
    assert kept > 0.97, "the narrow one keeps 90 %"


@pytest.mark.parametrize(("share", "doubted"), [(0.04, False), (0.12, True)])
def test_t_cells_that_stick_to_b_cells_are_seen_without_height(share: float, doubted: bool, tmp_path: Path) -> None:
    write_file(draw_specimen("spleen", 20_000, 760, doublets=share), INSTRUMENTS["FC500"], tmp_path / "tube.fcs")
    doubts = {one.code: one.message for one in fit_template([tmp_path / "tube.fcs"], BOOK, name="tube").template.doubts}
    assert ("stick to a B cell" in doubts.get("W352", "")) is doubted


def test_dead_t_cells_are_looked_for_where_no_gate_asks_for_their_size(tmp_path: Path) -> None:
    tube = draw_specimen("PBMC", 20_000, 5)
    dead = tube.take(np.flatnonzero(tube.counted["t_cells"])[::4])
    dimmer = {name: values * (0.5 if name in ("CD3", "CD45") else 0.8) for name, values in dead.signals.items()}
    shrunk = {name: values * {"F": 0.6, "S": 1.7}[name[0]] for name, values in dead.scatter.items()}
    codes = []
    for one in (tube, tube.joined(replace(dead, scatter=shrunk, signals=dimmer))):
        write_file(one, INSTRUMENTS["FACSCalibur"], tmp_path / "tube.fcs")
        template = fit_template([tmp_path / "tube.fcs"], BOOK, name="tube").template
        assert template.population("lymphocytes").gate.markers()[:2] == ("CD45", "SSC-A")
        codes.append(
            str(quantify(open_fcs(tmp_path / "tube.fcs"), template, count_method="none").row()["status_codes"])
        )
    assert "W311" not in codes[0]
    assert "W311" in codes[1]


def test_a_product_without_scatter_is_gated_although_its_t_cells_are_brightest_in_all_colours(tmp_path: Path) -> None:
    tube = draw_specimen("product", 20_000, 831).without("SSC-A", "FSC-A", "FSC-H", "FSC-W", "viability")
    write_copy(tube, PLAIN, tmp_path / "tube.fcs")
    fitted = fit_template([tmp_path / "tube.fcs"], BOOK, name="tube")
    for population in ("cd4", "cd8"):
        assert fitted.study.count(population) == pytest.approx(int(tube.counted[population].sum()), rel=0.12)
    assert "W350" in [doubt.code for doubt in fitted.template.doubts]


def test_lymphocytes_of_pbmc_hold_no_monocytes_and_add_up(tmp_path: Path) -> None:
    write_file(draw_specimen("PBMC", 25_000, 3), INSTRUMENTS["LSRFortessa"], tmp_path / "tube.fcs", seed=3)
    template = fit_template([tmp_path / "tube.fcs"], BOOK, name="tube").template
    assert quantify(open_fcs(tmp_path / "tube.fcs"), template, count_method="none").row()["status"] == "ok"


def test_dead_t_cells_that_the_lymphocytes_leave_out_are_not_lost_ones(tmp_path: Path) -> None:
    tube = draw_specimen("PBMC", 25_000, 3)
    few = fewer("cd4", 0.03)(tube, np.random.default_rng(1))
    assert few is not None
    write_file(few, INSTRUMENTS["LSRFortessa"], tmp_path / "tube.fcs", seed=3)
    assert "W339" not in {code for code, _ in fit_template([tmp_path / "tube.fcs"], BOOK, name="tube").study.doubts}


def test_the_size_of_negatives_is_known_where_a_program_wrote_zeros_for_them() -> None:
    random = np.random.default_rng(2)
    values = np.concatenate([random.normal(0, 100, 6000), random.lognormal(8, 0.3, 4000)])
    known = size_of_negatives({"CD3": values})
    assert known is not None
    assert size_of_negatives({"CD3": np.maximum(values, 0)}) == pytest.approx(known, rel=0.15)
    assert size_of_negatives({"CD3": np.maximum(values, 1)}) is None


def test_values_below_zero_that_were_cut_off_move_no_count(original: Original, tmp_path: Path) -> None:
    cut = replace(original, signals={name: np.maximum(values, 0) for name, values in original.signals.items()})
    write_copy(cut, LABORATORIES["Aurora"], tmp_path / "tube.fcs")
    populations = walk(open_fcs(tmp_path / "tube.fcs"), fit_template([tmp_path / "tube.fcs"], BOOK, name="t").template)
    for population in COUNTED:
        assert populations[population].events == pytest.approx(int(original.counted[population].sum()), rel=0.05)


def test_cd4_t_cells_outside_the_lymphocytes_that_cd8_cells_show_ask_for_a_look(
    shared_data: Path, tmp_path: Path
) -> None:
    """A spectral tube as logarithmic integers: its CD3 has no clear gap among all events."""
    tube = read_original(shared_data / "tcell_human" / "wakaflocka_spectral_pbmc" / "PBMC_spectral_UNMIXED.fcs")
    write_file(tube, INSTRUMENTS["Navios, LMD"], tmp_path / "tube.fcs", seed=3)
    fitted = fit_template([tmp_path / "tube.fcs"], BOOK, name="tube")
    assert fitted.study.count("cd4") < 0.9 * tube.counted["cd4"].sum()
    assert "as bright in CD3 and CD4 as CD4 T cells" in dict(fitted.study.doubts)["W339"]
