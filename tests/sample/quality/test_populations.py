"""What populations say about themselves: one change of a clean tube at a time, and what is reported about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from msgspec.structs import replace

from cytocar.errors.findings import Severity
from cytocar.fcs.events import EventTable
from cytocar.gates.sampled_events import sampled_events
from cytocar.gates.walk import walk
from cytocar.run.parts import from_json, to_json
from cytocar.sample.analysis import quantify
from cytocar.sample.quality.borders import Border, border_findings, borders, borders_of_t_cells
from cytocar.sample.result import SampleResult
from cytocar.simulate import DIM, SimulatedTube, blood_tube
from cytocar.template.load import load_template
from cytocar.template.model import Template

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Columns = dict[str, Floats]
ADAPTS, FIXED = load_template("cart-cd19fc"), load_template("cart-cd19fc-fixed")
EITHER = pytest.mark.parametrize("template", [ADAPTS, FIXED], ids=["adapts", "fixed"])
COLOURS = ("FITC-A", "PE-A", "PerCP-Cy5-5-A", "PE-Cy7-A", "APC-A", "APC-H7-A", "V450-A", "V500-A")
THIRD = slice(None, None, 3)


@cache
def clean() -> SimulatedTube:
    """Return a tube without anything wrong; a third of its events is looked at."""
    return blood_tube(car_per_ul=100, seed=1)


def are(*kinds: str) -> Bools:
    """Return which events are one of these kinds."""
    return clean().is_kind(*(kind for kind in clean().kinds if kind.startswith(kinds)))[THIRD]


def count(
    template: Template,
    change: Callable[[Columns], Columns] = lambda columns: {},
    markers: Mapping[str, str] | None = None,
    *,
    control: bool = False,
) -> SampleResult:
    """Return the counts of the clean tube with some of its columns changed."""
    tube = clean()
    columns = {name: column[THIRD].astype(np.float64) for name, column in tube.columns.items()}
    changed = {**columns, **change(columns)}
    events = EventTable.from_columns(changed, markers=markers or tube.markers, keywords=tube.keywords)
    ranges = {channel.detector: channel.range for channel in tube.events.channels}
    events = replace(events, channels=tuple(replace(c, range=ranges[c.detector]) for c in events.channels))
    controls = [blood_tube(car_per_ul=0, seed=2).events] if control else []
    return quantify(events, template, beads_added=50_000, sample_volume_ul=50, controls=controls)


def codes(result: SampleResult) -> set[str]:
    """Return the codes that ask for a look, or take the count."""
    return {finding.code for finding in result.findings if finding.outcome in (Severity.REVIEW, Severity.NO_COUNT)}


def scaled(factor: float, names: tuple[str, ...], rows: Bools | None = None) -> Callable[[Columns], Columns]:
    """Return the change that makes some columns of some events brighter."""

    def change(columns: Columns) -> Columns:
        chosen = np.ones(len(columns["Time"]), dtype=bool) if rows is None else rows
        return {name: np.where(chosen, np.minimum(factor * columns[name], 262_143), columns[name]) for name in names}

    return change


@EITHER
def test_a_clean_tube_passes_every_check_and_each_is_a_row(template: Template) -> None:
    result = count(template)
    assert codes(result) <= {"W222"}  # few T cells in a third of a tube
    passed = {finding.check for finding in result.findings if finding.outcome is Severity.PASS}
    checks = {"bead_brightness", "borders", "pairs", "margin", "viable_between", "cd4_cd8_labels", "car_negatives"}
    assert checks <= passed
    pairs, margin = result.row()["pair_percent"], result.row()["margin_percent"]
    assert isinstance(pairs, float)
    assert isinstance(margin, float)
    assert 1 < pairs < 5
    assert margin < 0.5


# ---------------------------------------------------------------- beads


@pytest.mark.parametrize("factor", [0.4, 0.15])
def test_beads_are_followed_where_gates_adapt_and_counted_by_no_gate_that_misses_them(factor: float) -> None:
    dim = scaled(factor, COLOURS, are("bead"))
    usual, followed, fixed = count(ADAPTS), count(ADAPTS, dim), count(FIXED, dim)
    assert followed.row()["t_cells_per_ul"] == pytest.approx(usual.row()["t_cells_per_ul"], rel=0.02)
    assert codes(followed) - {"W222"} == {"CLUSTER_OUT_OF_WINDOW"}
    assert fixed.row()["status"] == "no_count"
    assert fixed.row()["t_cells_per_ul"] is None
    assert codes(fixed) & {"W295", "W296", "E031", "E032"}


@EITHER
def test_beads_that_are_not_alike_are_no_denominator(template: Template) -> None:
    load = np.random.default_rng(1).lognormal(0, 0.4, int(are("bead").sum()))

    def spread(columns: Columns) -> Columns:
        changed = {name: columns[name].copy() for name in COLOURS}
        for column in changed.values():
            column[are("bead")] *= load
        return changed

    result = count(template, spread)
    assert result.row()["status"] == "no_count"
    assert "W295" in codes(result)


# ---------------------------------------------------------------- borders


@pytest.mark.parametrize(("events", "others", "code"), [(90, (), "W297"), (90, ("nk",), ""), (200, ("nk",), "W297")])
def test_lymphocytes_that_nothing_is_counted_by_may_run_into_monocytes(
    events: int, others: tuple[str, ...], code: str
) -> None:
    (finding,) = border_findings({"nk": Border("SSC-A", events, 1000)}, ["t_cells"], others)
    assert finding.code == code


def test_a_fixed_border_that_cuts_a_population_is_named_once() -> None:
    result = count(FIXED, scaled(0.35, ("V500-A",), ~are("bead")))
    (finding,) = (finding for finding in result.findings if finding.check == "borders")
    assert finding.code == "W297"
    assert "t_cells along CD45" in finding.message
    borders = {d.population: d.border_percent for d in result.decisions if d.border_percent is not None}
    assert borders["t_cells"] > 3 > borders["viable"]


def test_a_fallback_in_a_gap_is_no_alarm() -> None:
    result = count(ADAPTS, lambda columns: {"V500-A": np.where(are("granulo"), 12_000.0, columns["V500-A"])})
    by_flag = {finding.code: finding.outcome for finding in result.findings if finding.check == "bright_cd45"}
    assert by_flag.get("NO_VALLEY", Severity.NOTE) is Severity.NOTE


# ---------------------------------------------------------------- cells


@EITHER
def test_cells_off_the_scale_are_counted_and_kept_by_gates_that_adapt(template: Template) -> None:
    large = scaled(3.2, ("FSC-A", "FSC-H"), are("car"))
    usual, result = count(template), count(template, large)
    (said,) = (finding for finding in result.findings if finding.code == "W300")
    assert said.outcome is (Severity.NOTE if template is ADAPTS else Severity.REVIEW)
    margin = result.row()["margin_percent"]
    assert isinstance(margin, float)
    assert margin > 40
    if template is ADAPTS:
        assert result.row()["car_events"] == pytest.approx(usual.row()["car_events"], rel=0.1)


def test_granulocytes_off_the_scale_are_no_t_cells() -> None:
    def dim_cd3(columns: Columns) -> Columns:
        granulocytes = are("granulo")
        some = granulocytes & (np.arange(len(granulocytes)) % 5 == 0)
        return {
            "SSC-A": np.where(granulocytes, 262_143, columns["SSC-A"]),
            "APC-A": np.where(some, 3000.0, columns["APC-A"]),
        }

    assert "W300" not in codes(count(FIXED, dim_cd3))


def test_a_border_is_judged_by_the_t_cells_that_lie_at_it() -> None:
    sampled = sampled_events(walk(clean().events, FIXED).gated)
    own, of_t_cells = borders(sampled, list(sampled.gates)), borders_of_t_cells(sampled, "t_cells")
    assert set(of_t_cells) <= set(sampled.path("t_cells")) - {"t_cells"}
    kept = int(np.count_nonzero(sampled.frame.mask("t_cells")))
    assert all(border.inside == kept for border in of_t_cells.values())
    assert all(border.events <= own[name].events for name, border in of_t_cells.items())


def joined(columns: Columns, share: float) -> Columns:
    """Return the tube with a share of its cells joined two by two; the second of each is left below every threshold."""
    random = np.random.default_rng(3)
    cells = random.permutation(np.flatnonzero(~are("bead", "debris", "doublet")))
    first, second = np.split(cells[: 2 * int(share * len(cells) / 2)], 2)
    changed = {name: column.copy() for name, column in columns.items() if name != "Time"}
    for name, column in changed.items():
        whole = np.maximum if name.endswith(("-H", "-W")) else np.add
        column[first] = np.minimum(whole(column[first], column[second]), 262_143)
        column[second] = 1.0
    return changed


@EITHER
def test_pairs_of_cells_are_reported_and_counted_where_the_template_asks(template: Template) -> None:
    usual, few = count(template), count(template, lambda columns: joined(columns, 0.15))
    assert "W299" in codes(few)
    counting = replace(template.counting, pairs="count")
    counted = count(replace(template, counting=counting), lambda columns: joined(columns, 0.15))
    assert "W299" not in codes(counted)
    before, lost, mended = (result.row()["t_cells_per_ul"] for result in (usual, few, counted))
    assert isinstance(before, float)
    assert isinstance(lost, float)
    assert isinstance(mended, float)
    assert lost < 0.9 * before
    assert mended == pytest.approx(before / (1 - 0.037), rel=0.03)  # the tube's own pairs are counted too


@EITHER
def test_dying_cells_between_the_living_and_the_dead_are_flagged(template: Template) -> None:
    def dying(columns: Columns) -> Columns:
        random = np.random.default_rng(4)
        some = np.flatnonzero(are("cd4", "cd8", "car") & (random.random(len(columns["Time"])) < 0.05))
        signal = columns["PerCP-Cy5-5-A"].copy()
        signal[some] += np.exp(random.uniform(np.log(700), np.log(4000), len(some)))
        return {"PerCP-Cy5-5-A": signal}

    assert "W301" in codes(count(template, dying))


@EITHER
def test_dead_cells_that_are_dimly_stained_are_no_living_ones_below_the_border(template: Template) -> None:
    def dim(columns: Columns) -> Columns:
        random = np.random.default_rng(4)
        some = np.flatnonzero(are("cd4") & (random.random(len(columns["Time"])) < 0.4))
        signal = columns["PerCP-Cy5-5-A"].copy()
        signal[some] += random.lognormal(np.log(2400), 0.45, len(some))
        return {"PerCP-Cy5-5-A": signal}

    result = count(template, dim)
    assert "W301" in codes(result) or next(d for d in result.decisions if d.population == "viable").source == "valley"


# ---------------------------------------------------------------- markers


@EITHER
def test_exchanged_labels_of_cd4_and_cd8_show_on_the_monocytes(template: Template) -> None:
    other = {"CD4": "CD8", "CD8": "CD4"}
    markers = {detector: other.get(marker, marker) for detector, marker in clean().markers.items()}
    assert "W302" in codes(count(template, markers=markers))


def test_hardly_a_negative_asks_for_a_control_and_a_control_answers() -> None:
    def all_positive(columns: Columns) -> Columns:
        most = are("cd4", "cd8") & (np.random.default_rng(5).random(len(columns["Time"])) < 0.95)
        return {"PE-A": np.where(most, columns["PE-A"] + 5000, columns["PE-A"])}

    assert "W303" in codes(count(FIXED, all_positive))
    assert "W303" not in codes(count(ADAPTS, all_positive, control=True))


@EITHER
def test_light_of_the_cd8_dye_in_the_cars_detector_is_no_car(template: Template) -> None:
    def light(columns: Columns) -> Columns:
        return {"PE-A": columns["PE-A"] + 0.06 * np.where(are("beads"), 0.0, columns["APC-H7-A"])}

    assert "W303" in codes(count(template, light, control=template is ADAPTS))


def test_cd8_t_cells_that_all_carry_a_car_are_believed() -> None:
    def all_cd8(columns: Columns) -> Columns:
        stain = 4000 * np.exp(np.random.default_rng(3).normal(0, 0.7, len(columns["Time"])))
        return {"PE-A": columns["PE-A"] + np.where(are("cd8_t"), stain, 0.0)}

    assert "W303" not in codes(count(ADAPTS, all_cd8, control=True))


def test_negatives_that_reach_a_fixed_border_ask_for_a_control() -> None:
    def brighter(columns: Columns) -> Columns:
        return {"PE-A": columns["PE-A"] + np.where(are("beads"), 0.0, 0.035 * columns["FITC-A"])}

    assert "W304" in codes(count(FIXED, brighter))
    assert "W304" not in codes(count(FIXED))


@pytest.mark.parametrize(("tail", "asks"), [(250.0, True), (50.0, False)])
def test_negatives_with_a_long_tail_beyond_a_fixed_border_ask_for_a_control(tail: float, *, asks: bool) -> None:
    def tailed(columns: Columns) -> Columns:
        random = np.random.default_rng(5)
        few = are("cd4_t", "cd8_t") & (random.random(len(columns["PE-A"])) < 0.2)
        light = columns["PE-A"] + np.where(few, random.exponential(tail, len(few)), 0.0)
        return {"PE-A": light, "FITC-A": np.where(are("car"), 60.0, columns["FITC-A"])}

    found = [one for one in count(FIXED, tailed).findings if one.code == "W304"]
    assert bool(found) is asks
    assert not asks or "fall towards the CAR border" in found[0].message


def test_negatives_of_few_cd8_t_cells_that_reach_a_fixed_border_ask_for_a_control() -> None:
    def brighter(columns: Columns) -> Columns:
        more = np.random.default_rng(5).normal(150, 120, len(columns["PE-A"]))
        gone = are("cd8_t") & (np.cumsum(are("cd8_t")) % 4 > 0) | are("car")
        cd3 = np.where(gone, 60.0, columns["FITC-A"])
        return {"PE-A": columns["PE-A"] + np.where(are("cd8_t"), more, 0.0), "FITC-A": cd3}

    (finding,) = (f for f in count(FIXED, brighter).findings if f.check == "car_negatives")
    assert (finding.code, finding.limit) == ("W304", 3.0)


def test_negatives_at_a_fixed_border_are_no_matter_where_nearly_all_t_cells_are_positive() -> None:
    def change(columns: Columns) -> Columns:
        other = are("cd4_t", "cd8_t") & (np.random.default_rng(5).random(len(columns["PE-A"])) < 0.8)
        spread = np.random.default_rng(6).normal(0, 60, len(columns["PE-A"]))
        return {"PE-A": np.where(other, 4000.0, columns["PE-A"] + np.where(are("beads"), 0.0, spread))}

    assert "W304" not in codes(count(FIXED, change))


def test_a_border_in_dim_positives_asks_for_a_control() -> None:
    tube, baseline = (blood_tube(car_per_ul=car, stain=DIM, seed=7).events for car in (100, 0))
    alone = quantify(tube, FIXED, beads_added=50_000, sample_volume_ul=50)
    aligned = quantify(tube, ADAPTS, beads_added=50_000, sample_volume_ul=50, controls=[baseline])
    assert "W304" in codes(alone)
    assert "W304" not in codes(aligned)


def test_a_reagent_that_binds_other_lymphocytes_as_often_is_no_silent_car_t_cell() -> None:
    def sticky(columns: Columns) -> Columns:
        lymphocytes = are("cd4_t", "cd8_t", "nk", "cd8_nk", "b_cells")
        some = lymphocytes & (np.random.default_rng(6).random(len(lymphocytes)) < 0.02)
        none_positive = np.where(are("car"), columns["PE-A"] * 0 + 80 + 0.16 * columns["FITC-A"], columns["PE-A"])
        return {"PE-A": np.where(some, columns["PE-A"] + 2500, none_positive)}

    result = count(FIXED, sticky)
    assert result.row()["car_result"] == "quantified"
    assert "W305" in codes(result)
    assert "W305" not in codes(count(FIXED))


@EITHER
def test_t_cells_beyond_a_border_of_another_marker_are_not_lost_in_silence(template: Template) -> None:
    def dim(columns: Columns) -> Columns:
        t_cells = are("cd4_t", "cd8_t", "car")
        some = t_cells & (np.random.default_rng(7).random(len(t_cells)) < 0.25)
        return {"V500-A": np.where(some, 0.15 * columns["V500-A"], columns["V500-A"])}

    assert "W298" in codes(count(template, dim))


@EITHER
def test_granulocytes_that_reach_the_line_of_cd3_are_no_lost_t_cells(template: Template) -> None:
    granulocytes = are("granulocyte")
    glow = scaled(6, ("FITC-A",), granulocytes & (np.cumsum(granulocytes) % 3 == 0))
    result = count(template, glow)
    assert result.row()["t_cells_per_ul"] == pytest.approx(count(template).row()["t_cells_per_ul"], rel=0.03)
    assert "W298" not in codes(result)


def test_a_border_between_granulocytes_and_monocytes_is_a_note_where_no_t_cell_lies_there() -> None:
    def smeared(columns: Columns) -> Columns:
        """Draw granulocytes' CD45 up to the monocytes': between them there is no valley any more."""
        factor = np.random.default_rng(3).uniform(1.2, 3.4, len(columns["Time"]))
        return {"V500-A": np.where(are("granulocyte"), factor * columns["V500-A"], columns["V500-A"])}

    result, usual = count(ADAPTS, smeared), count(ADAPTS)
    flagged = {f.code: f.outcome for f in result.findings if f.check == "bright_cd45"}
    assert flagged and set(flagged.values()) == {Severity.NOTE}
    assert result.row()["t_cells_per_ul"] == pytest.approx(usual.row()["t_cells_per_ul"], rel=0.03)


def test_a_border_without_a_valley_asks_where_the_t_cells_lie_at_it() -> None:
    result = count(ADAPTS, scaled(0.45, ("V500-A",)))
    assert {f.code for f in result.findings if f.check == "bright_cd45" and f.outcome is Severity.REVIEW}


def test_a_tube_without_t_cells_survives_its_part_of_a_run() -> None:
    result = count(ADAPTS, lambda columns: {"FITC-A": np.where(are("bead"), columns["FITC-A"], 60.0)})
    assert result.row()["t_cell_events"] == 0
    again = from_json(to_json(result))
    assert isinstance(again, SampleResult)
    assert again.row() == result.row()


def test_a_fixed_gate_on_scatter_that_holds_hardly_a_t_cell_is_noticed() -> None:
    assert "W298" in codes(count(FIXED, scaled(0.6, ("FSC-A",))))  # the scaling of the area, not of the height
    assert "W298" not in codes(count(ADAPTS, scaled(0.6, ("FSC-A",))))


@EITHER
def test_t_cells_that_lost_cd8_are_noticed(template: Template) -> None:
    lost = are("car_cd8", "cd8_t") & (np.random.default_rng(1).random(len(are("car"))) < 0.5)
    assert "W307" in codes(count(template, scaled(0.01, ("APC-H7-A",), lost)))
    assert "W307" not in codes(count(template))
