"""T cells that a file or a gate lost: not stored, without CD3, dead where nothing tells; labels of CD4 and CD8."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pytest
from msgspec.structs import replace

from cytocar.errors.findings import Finding, Severity
from cytocar.fcs.events import EventTable
from cytocar.sample.analysis import quantify
from cytocar.sample.quality import stored_edges
from cytocar.simulate import Blood, Preparation, SimulatedTube, blood_tube
from cytocar.template.load import load_template

Columns = Mapping[str, npt.NDArray[np.floating]]
BLOOD = Blood(cd4_t_cells=500, cd8_t_cells=320, double_negative_t_cells=30, nk_cells=150, granulocytes=1500)
TUBE = blood_tube(car_per_ul=0, blood=BLOOD, preparation=Preparation(drawn_share=0.25, sample_volume_ul=50), seed=4)
T_CELLS = ("cd4_t_cells", "cd8_t_cells", "double_negative_t_cells")


def of_kind(tube: SimulatedTube, *kinds: str) -> npt.NDArray[np.bool_]:
    return np.isin(tube.origin, [number for number, kind in enumerate(tube.kinds) if kind in kinds])


def told(
    template: str,
    change: Callable[[Columns], Columns] = lambda columns: columns,
    *,
    keep: npt.NDArray[np.bool_] | None = None,
    markers: Mapping[str, str] | None = None,
) -> dict[str, Finding]:
    """Return the findings on the tube with its columns changed and some of its events left out, by their check."""
    rows = slice(None) if keep is None else keep
    columns = {name: np.asarray(column[rows]) for name, column in change(TUBE.columns).items()}
    events = EventTable.from_columns(columns, markers=markers or TUBE.markers, keywords=TUBE.keywords)
    ranges = {"Time": float(columns["Time"].max()) + 1}
    channels = tuple(replace(one, range=ranges.get(one.detector, 262_144.0)) for one in events.channels)
    result = quantify(
        replace(events, channels=channels), load_template(template), beads_added=20_000, sample_volume_ul=50
    )
    return {finding.check: finding for finding in result.findings}


ALL_OF = pytest.mark.parametrize("template", ["cart-cd19fc-fixed", "cart-cd19fc", "tcell"])


@ALL_OF
def test_a_whole_tube_has_no_edge_and_no_t_cells_without_cd3(template: str) -> None:
    found = told(template)
    assert found["stored_edges"].outcome is found["exported"].outcome is Severity.PASS
    assert found["t_cells_without_cd3"].outcome is Severity.PASS
    assert found["t_cells_without_cd3"].value == pytest.approx(0, abs=3)


@ALL_OF
@pytest.mark.parametrize(
    ("channel", "lost", "above"), [("SSC-A", 0.12, True), ("FSC-A", 0.12, False), ("SSC-A", 0.3, True)]
)
def test_cells_that_were_not_stored_leave_an_edge(template: str, channel: str, lost: float, above: bool) -> None:
    signal = TUBE.columns[channel]
    edge = np.quantile(signal[of_kind(TUBE, *T_CELLS)], 1 - lost if above else lost)
    keep = ((signal < edge) if above else (signal > edge)) | of_kind(TUBE, "beads", "bead_doublets")
    finding = told(template, keep=keep)["stored_edges"]
    assert (finding.code, finding.outcome) == ("W309", Severity.REVIEW)
    assert channel in finding.message
    assert ("above" if above else "below") in finding.message


def _in_the_plane(lost: float) -> npt.NDArray[np.bool_]:
    """Return what an ellipse in both scatters holds that loses so many of the T cells."""
    t_cells = of_kind(TUBE, *T_CELLS)
    logs = [np.log(np.maximum(TUBE.columns[name], 1)) for name in ("FSC-A", "SSC-A")]
    apart = sum(((one - np.median(one[t_cells])) / one[t_cells].std()) ** 2 for one in logs)
    return np.asarray(apart < np.quantile(apart[t_cells], 1 - lost))


def _single(lost: float) -> npt.NDArray[np.bool_]:
    ratio = TUBE.columns["FSC-H"] / TUBE.columns["FSC-A"]
    low, high = np.quantile(ratio[of_kind(TUBE, *T_CELLS)], (lost / 2, 1 - lost / 2))
    return np.asarray((ratio > low) & (ratio < high))


def _compensated(detector: str) -> npt.NDArray[np.floating]:
    words = TUBE.keywords["$SPILLOVER"].split(",")
    names = words[1 : int(words[0]) + 1]
    matrix = np.array(words[len(names) + 1 :], dtype=float).reshape(len(names), -1)
    recorded = np.column_stack([TUBE.columns[name] for name in names])
    return np.asarray((recorded @ np.linalg.inv(matrix))[:, names.index(detector)])


def _above(detector: str, lost: float) -> npt.NDArray[np.bool_]:
    signal = _compensated(detector)
    return np.asarray(signal > np.quantile(signal[of_kind(TUBE, *T_CELLS)], lost))


@pytest.mark.parametrize(
    ("keep", "template", "words"),
    [
        (_in_the_plane(0.15), "cart-cd19fc-fixed", "a border around them in FSC-A and SSC-A"),
        (_in_the_plane(0.15), "tcell", "a border around them in FSC-A and SSC-A"),
        (_in_the_plane(0.001), "cart-cd19fc-fixed", ""),  # a wide gate loses nothing
        (_single(0.12), "cart-cd19fc-fixed", "crowd at FSC-H/FSC-A"),
        (_single(0.002), "cart-cd19fc-fixed", ""),
        (_above("FITC-A", 0.15), "cart-cd19fc-fixed", "crowd at CD3"),
        (_above("V500-A", 0.15), "cart-cd19fc", "crowd at CD45"),
        (_above("FITC-A", 0.0005), "cart-cd19fc-fixed", ""),
        (_compensated("V450-A") > 1000, "cart-cd19fc-fixed", "of the events lack CD4"),
        (_compensated("APC-H7-A") > 1000, "cart-cd19fc-fixed", "of the events lack CD8"),
    ],
)
def test_a_file_that_was_exported_from_a_gate_shows_where_it_ended(
    keep: npt.NDArray[np.bool_], template: str, words: str
) -> None:
    finding = told(template, keep=keep | of_kind(TUBE, "beads", "bead_doublets"))["exported"]
    assert (finding.code, finding.outcome) == (("W309", Severity.REVIEW) if words else ("", Severity.PASS))
    assert words in finding.message


def test_a_storage_gate_that_spares_the_lymphocytes_is_no_edge_in_them() -> None:
    """Kept out: granulocytes, as laboratories do for rare cells; and a threshold that cuts debris."""
    keep = (TUBE.columns["SSC-A"] < 120_000) & (TUBE.columns["FSC-A"] > 40_000)
    keep |= of_kind(TUBE, "beads", "bead_doublets")
    assert told("cart-cd19fc-fixed", keep=keep)["stored_edges"].outcome is Severity.PASS


@ALL_OF
def test_t_cells_that_lost_their_cd3_are_missed(template: str) -> None:
    lost = of_kind(TUBE, *T_CELLS) & (np.random.default_rng(1).random(len(TUBE.origin)) < 0.15)

    def change(columns: Columns) -> Columns:
        return {**columns, "FITC-A": np.where(lost, 60.0, columns["FITC-A"]).astype(np.float32)}

    finding = told(template, change)["t_cells_without_cd3"]
    assert (finding.code, finding.outcome) == ("W310", Severity.REVIEW)
    assert finding.value == pytest.approx(15 / 0.85, rel=0.2)


@pytest.mark.parametrize("share", [0.0, 0.15, 0.3])
def test_cd4_t_cells_that_are_stained_dimly_are_missed(share: float) -> None:
    """By a fixed border; one that adapts follows the dimmer cloud, or loses it and is told."""
    some = np.random.default_rng(1).random(len(TUBE.origin)) < share
    some &= ~of_kind(TUBE, "beads", "bead_doublets")

    def change(columns: Columns) -> Columns:
        into, back = 0.2814, 0.1213  # of the simulator's matrix: V450 in V500's detector, and V500 in V450's
        dye = (columns["V450-A"] - back * columns["V500-A"]) / (1 - into * back)
        lost = np.where(some, 0.82 * dye, 0.0)
        less = {"V450-A": columns["V450-A"] - lost, "V500-A": columns["V500-A"] - into * lost}
        return {**columns, **{name: column.astype(np.float32) for name, column in less.items()}}

    finding = told("cart-cd19fc-fixed", change)["cd4_dim"]
    assert finding.code == ("W319" if share else "")
    assert finding.value == pytest.approx(100 * share / (1 - share), rel=0.25, abs=0.5)  # a few lie among negatives


@pytest.mark.parametrize(("share", "code"), [(0.0, ""), (0.15, "W303")])
def test_light_of_cd8_in_the_detector_of_a_marker_of_part_of_the_t_cells_is_seen(share: float, code: str) -> None:
    """PD-1 stands in the detector of the CAR, on cells that carry none: a tandem of CD8 breaks."""
    labels = {"CD19-Fc": "PD-1", "CD56": "TIM-3"}
    markers = {detector: labels.get(label, label) for detector, label in TUBE.markers.items()}
    cells = ~of_kind(TUBE, "beads", "bead_doublets")
    carries = cells & (np.random.default_rng(1).random(len(TUBE.origin)) < 0.3)

    def change(columns: Columns) -> Columns:
        light = np.where(cells, share * columns["APC-H7-A"], 0) + np.where(carries, 2600, 0)
        return {**columns, "PE-A": (columns["PE-A"] + light).astype(np.float32)}

    finding = told("exhaustion", change, markers=markers)["subset_light"]
    assert finding.code == code
    assert "pd1_positive" in finding.message


def shrunk(share: float) -> Callable[[Columns], Columns]:
    def change(columns: Columns) -> Columns:
        some = of_kind(TUBE, *T_CELLS) & (np.random.default_rng(1).random(len(TUBE.origin)) < share)
        size, grain = np.where(some, 0.6, 1.0), np.where(some, 1.2, 1.0)
        scatter = {"FSC-A": size, "FSC-H": size, "SSC-A": grain}
        return {name: (column * scatter.get(name, 1.0)).astype(np.float32) for name, column in columns.items()}

    return change


@pytest.mark.parametrize(("share", "code"), [(0.0, "W312"), (0.25, "W311"), (0.65, "W311")])
def test_a_template_without_a_viability_gate_says_so_and_sees_many_dead(share: float, code: str) -> None:
    finding = told("tcell", shrunk(share))["dead_cells"]
    assert (finding.code, finding.outcome) == (code, Severity.REVIEW if share else Severity.NOTE)
    assert "dead_cells" not in told("cart-cd19fc-fixed", shrunk(share))


@pytest.mark.parametrize(("share", "code"), [(0.0, ""), (0.15, "W326")])
def test_fragments_of_t_cells_are_no_t_cells(share: float, code: str) -> None:
    some = of_kind(TUBE, *T_CELLS) & (np.random.default_rng(1).random(len(TUBE.origin)) < share)

    def broken(columns: Columns) -> Columns:
        return {
            name: column if name == "Time" else np.where(some, 0.42 * column, column).astype(np.float32)
            for name, column in columns.items()
        }

    finding = told("cart-cd19fc-fixed", broken)["fragments"]
    assert finding.code == code
    assert finding.value == pytest.approx(100 * share, abs=6)


def test_exchanged_labels_show_in_templates_whose_subsets_have_gates_of_their_own() -> None:
    tbnk = {"CD56": "CD16+56", "CD19-Fc": "CD19"}
    markers = {detector: tbnk.get(label, label) for detector, label in TUBE.markers.items()}
    other = {"CD4": "CD8", "CD8": "CD4"}
    exchanged = {detector: other.get(label, label) for detector, label in markers.items()}

    def at_the_instruments_voltage(columns: Columns) -> Columns:
        return {**columns, "SSC-A": columns["SSC-A"] / 3}

    assert told("tbnk", at_the_instruments_voltage, markers=markers)["cd4_cd8_labels"].outcome is Severity.PASS
    assert told("tbnk", at_the_instruments_voltage, markers=exchanged)["cd4_cd8_labels"].code == "W302"


def test_exchanged_labels_show_by_the_even_marker_where_no_monocytes_are_made_out() -> None:
    other = {"CD4": "CD8", "CD8": "CD4"}
    exchanged = {detector: other.get(label, label) for detector, label in TUBE.markers.items()}
    right, wrong = told("tcell")["cd4_cd8_labels"], told("tcell", markers=exchanged)["cd4_cd8_labels"]
    assert (right.code, wrong.code) == ("", "W302")
    assert right.value == pytest.approx(0.30 / 0.24, rel=0.1)  # the widths that the simulator draws with
    assert wrong.value == pytest.approx(0.24 / 0.30, rel=0.1)


def varied(columns: Columns) -> Columns:
    """Return the tube with CD8 that varies from cell to cell as in real files, twice as much as the simulator's."""
    cd8 = _detector("CD8")
    mine = of_kind(TUBE, "cd8_t_cells")
    middle = np.median(columns[cd8][mine])
    spread = middle * np.power(np.maximum(columns[cd8], 1.0) / middle, 2.0)
    return {**columns, cd8: np.where(mine, spread, columns[cd8]).astype(np.float32)}


def _detector(label: str) -> str:
    return next(detector for detector, marker in TUBE.markers.items() if marker == label)


EXCHANGED = {**TUBE.markers, _detector("CD4"): "CD8", _detector("CD8"): "CD4"}


def test_exchanged_labels_show_in_few_cells_where_cd8_varies_as_in_real_files() -> None:
    few = ~of_kind(TUBE, *T_CELLS) | (np.random.default_rng(3).random(len(TUBE.origin)) < 0.08)
    assert told("tcell", varied, keep=few)["cd4_cd8_labels"].code == ""
    assert told("tcell", varied, keep=few, markers=EXCHANGED)["cd4_cd8_labels"].code == "W302"
    assert told("tcell", keep=few, markers=EXCHANGED)["cd4_cd8_labels"].code == ""  # nearly as even, few tell nothing


def test_monocytes_that_carry_neither_leave_the_question_to_the_t_cells() -> None:
    cd4 = _detector("CD4")
    lymphocytes = {_detector("CD56"): "CD16+56", _detector("CD19-Fc"): "CD19"}

    def as_in_mice(columns: Columns) -> Columns:
        negatives = np.random.default_rng(2).choice(columns[cd4][of_kind(TUBE, "nk_cells")], len(TUBE.origin))
        dark = np.where(of_kind(TUBE, *T_CELLS), columns[cd4], np.minimum(columns[cd4], negatives))
        return {**varied(columns), cd4: dark.astype(np.float32), "SSC-A": columns["SSC-A"] / 3}

    for markers, code in ((TUBE.markers, ""), (EXCHANGED, "W302")):
        assert told("tbnk", as_in_mice, markers={**markers, **lymphocytes})["cd4_cd8_labels"].code == code


def test_cd4_that_was_widened_is_no_exchange_where_cd8_is_as_wide_as_in_real_tubes() -> None:
    random = np.random.default_rng(5)

    def widened(columns: Columns) -> Columns:
        spread = {
            "V450-A": random.lognormal(0, 0.7, len(TUBE.origin)),
            "APC-H7-A": random.lognormal(0, 0.4, len(TUBE.origin)),
        }
        return {name: (column * spread.get(name, 1.0)).astype(np.float32) for name, column in columns.items()}

    finding = told("tcell", widened)["cd4_cd8_labels"]
    assert finding.code == ""
    assert finding.value is not None and finding.value < 0.87


def test_a_template_without_t_cells_is_asked_the_same_of_its_lymphocytes() -> None:
    b_cells = {"CD56": "CD19", "CD19-Fc": "CD20"}  # the NK cells of the tube stand for its B cells
    markers = {detector: b_cells.get(label, label) for detector, label in TUBE.markers.items()}
    whole = told("bcell-aplasia", markers=markers)
    assert {whole[check].code for check in ("stored_edges", "unstained_cells", "pairs")} == {""}
    edge = np.quantile(TUBE.columns["FSC-A"][of_kind(TUBE, "nk_cells")], 0.3)
    keep = (TUBE.columns["FSC-A"] > edge) | of_kind(TUBE, "beads", "bead_doublets")
    finding = told("bcell-aplasia", keep=keep, markers=markers)["stored_edges"]
    assert (finding.code, finding.outcome) == ("W309", Severity.REVIEW)
    assert "lymphocytes crowd" in finding.message

    def dying(columns: Columns) -> Columns:
        some = of_kind(TUBE, *T_CELLS, "nk_cells") & (np.random.default_rng(1).random(len(TUBE.origin)) < 0.15)
        between = np.where(some, columns["PerCP-Cy5-5-A"] + 2200, columns["PerCP-Cy5-5-A"])
        return {**columns, "PerCP-Cy5-5-A": between.astype(np.float32)}

    assert whole["viable_between"].outcome is Severity.PASS
    finding = told("bcell-aplasia", dying, markers=markers)["viable_between"]
    assert finding.code == "W301"
    assert finding.value == pytest.approx(15, rel=0.2)
    assert "of the lymphocytes lie between" in finding.message

    def granular(columns: Columns) -> Columns:
        some = of_kind(TUBE, "nk_cells") & (np.random.default_rng(1).random(len(TUBE.origin)) < 0.15)
        return {**columns, "SSC-A": np.where(some, 2.5 * columns["SSC-A"], columns["SSC-A"]).astype(np.float32)}

    assert whole["t_cell_losses"].outcome is Severity.PASS
    finding = told("bcell-aplasia", granular, markers=markers)["t_cell_losses"]
    assert finding.code == "W298"
    assert finding.value == pytest.approx(100 * 0.15 / 0.85, rel=0.2)
    assert "more B cells" in finding.message


def test_pairs_that_a_template_sets_aside_are_counted() -> None:
    joined = np.flatnonzero(of_kind(TUBE, *T_CELLS, "nk_cells", "granulocytes"))[:6000].reshape(2, -1)
    keep = np.ones(len(TUBE.origin), dtype=bool)
    keep[joined[1]] = False

    def change(columns: Columns) -> Columns:
        new = {name: np.array(column) for name, column in columns.items()}
        for name, column in new.items():
            first, second = columns[name][joined[0]], columns[name][joined[1]]
            if name == "FSC-H":
                column[joined[0]] = 1.06 * np.maximum(first, second)
            elif name != "Time":
                column[joined[0]] = np.minimum(first + second, 262_000)
        return {**new, "SSC-A": new["SSC-A"] / 3}

    tbnk = {"CD56": "CD16+56", "CD19-Fc": "CD19"}
    markers = {detector: tbnk.get(label, label) for detector, label in TUBE.markers.items()}
    finding = told("tbnk", change, keep=keep, markers=markers)["pairs"]
    assert (finding.code, finding.outcome) == ("W299", Severity.REVIEW)


@pytest.mark.parametrize(("channel", "lost"), [("FSC-A", 0.3), ("SSC-A", -0.15)])
def test_beads_that_were_not_stored_leave_an_edge(channel: str, lost: float) -> None:
    beads, signal = of_kind(TUBE, "beads"), TUBE.columns[channel]
    edge = np.quantile(signal[beads], lost % 1)
    keep = ~of_kind(TUBE, "beads", "bead_doublets") | ((signal > edge) if lost > 0 else (signal < edge))
    finding = told("cart-cd19fc-fixed", keep=keep)["stored_beads"]
    assert (finding.code, finding.outcome) == ("W313", Severity.REVIEW)
    assert channel.split("-", maxsplit=1)[0] in finding.message or "CD4" in finding.message


def test_clumps_of_beads_are_missed() -> None:
    beads = np.flatnonzero(of_kind(TUBE, "beads"))
    groups = beads[: len(beads) // 8 // 4 * 4].reshape(4, -1)  # an eighth, in clumps of four
    keep = np.ones(len(TUBE.origin), dtype=bool)
    keep[groups[1:]] = False

    def clumped(columns: Columns) -> Columns:
        new = {name: np.array(column) for name, column in columns.items()}
        for name, column in new.items():
            if name != "Time":
                column[groups[0]] = np.minimum(columns[name][groups].sum(axis=0), 262_143)
        return new

    assert told("cart-cd19fc-fixed")["bead_clumps"].outcome is Severity.PASS
    finding = told("cart-cd19fc-fixed", clumped, keep=keep)["bead_clumps"]
    assert (finding.code, finding.outcome) == ("W315", Severity.REVIEW)
    assert finding.value == pytest.approx(100 * 3 / 32 / (7 / 8 + 3 / 32), rel=0.15)


@pytest.mark.parametrize("template", ["cart-cd19fc", "cart-cd19fc-fixed"])
@pytest.mark.parametrize(("share", "factor", "code"), [(0.2, 0.03, "W296"), (0.1, 0.02, "W296"), (0.02, 0.05, "")])
def test_beads_of_a_second_kind_are_told_by_one_factor_in_all_colours(
    template: str, share: float, factor: float, code: str
) -> None:
    def dimmer(columns: Columns) -> Columns:
        some = of_kind(TUBE, "beads") & (np.random.default_rng(2).random(len(TUBE.origin)) < share)
        colours = {name for name in columns if name != "Time" and not name.startswith(("FSC", "SSC"))}
        return {n: np.where(some & (n in colours), factor * column, column) for n, column in columns.items()}

    finding = told(template, dimmer)["dimmer_beads"]
    assert finding.code == code
    assert finding.value == pytest.approx(100 * share, rel=0.2)


def test_beads_of_two_sizes_are_no_edge() -> None:
    def two_sizes(columns: Columns) -> Columns:
        larger = of_kind(TUBE, "beads") & (np.random.default_rng(2).random(len(TUBE.origin)) < 0.4)
        size = {name: np.where(larger, 1.5, 1.0) for name in ("FSC-A", "FSC-H")}
        return {name: (column * size.get(name, 1.0)).astype(np.float32) for name, column in columns.items()}

    assert told("cart-cd19fc-fixed", two_sizes)["stored_beads"].outcome is Severity.PASS


@pytest.mark.parametrize(("share", "code"), [(0.0, ""), (0.12, "W314")])
def test_cells_that_the_stain_did_not_reach_are_missed(share: float, code: str) -> None:
    random = np.random.default_rng(1)
    cells = ~of_kind(TUBE, "beads", "bead_doublets") & (random.random(len(TUBE.origin)) < share)

    def bare(columns: Columns) -> Columns:
        stains = {name for name in columns if name != "Time" and not name.startswith(("FSC", "SSC"))}
        own = random.normal(60, 50, len(cells))
        return {
            name: np.where(cells, own, column).astype(np.float32) if name in stains else column
            for name, column in columns.items()
        }

    finding = told("cart-cd19fc-fixed", bare)["unstained_cells"]
    assert finding.code == code
    assert finding.value == pytest.approx(100 * share, abs=3)


@pytest.mark.parametrize("kinds", [(), ("granulocytes",)], ids=["all cells", "granulocytes alone"])
def test_cells_that_got_a_part_of_the_stain_are_missed_where_lymphocytes_and_granulocytes_say_so(
    kinds: tuple[str, ...],
) -> None:
    some = np.random.default_rng(1).random(len(TUBE.origin)) < 0.25
    some &= of_kind(TUBE, *kinds) if kinds else ~of_kind(TUBE, "beads", "bead_doublets")

    def dim(columns: Columns) -> Columns:
        dyes = {name for name in columns if name != "Time" and not name.startswith(("FSC", "SSC"))}
        factor = np.where(some, 0.15, 1.0)
        return {
            name: (column * factor).astype(np.float32) if name in dyes else column for name, column in columns.items()
        }

    finding = told("cart-cd19fc-fixed", dim)["unstained_cells"]
    assert finding.code == ("" if kinds else "W314")
    assert finding.value == pytest.approx(0 if kinds else 25, abs=4)


@pytest.mark.parametrize(("size", "code"), [(1.0, "W314"), (0.85, None)])
def test_without_granulocytes_only_what_lies_as_lymphocytes_do_is_an_unstained_one(size: float, code: str) -> None:
    """Erythroblasts of a marrow reach the place of lymphocytes, and are smaller."""
    keep = ~of_kind(TUBE, "granulocytes", "monocytes")
    bare = of_kind(TUBE, *T_CELLS) & (np.random.default_rng(1).random(len(TUBE.origin)) < 0.25)

    def without(columns: Columns) -> Columns:
        kept = {name for name in columns if name == "Time" or name.startswith(("FSC", "SSC"))}
        smaller = {name: np.where(bare, size, 1.0) for name in ("FSC-A", "FSC-H")}
        new = {name: column if name in kept else np.where(bare, 60.0, column) for name, column in columns.items()}
        return {name: (column * smaller.get(name, 1.0)).astype(np.float32) for name, column in new.items()}

    finding = told("cart-cd19fc-fixed", without, keep=keep).get("unstained_cells")
    assert (finding.code if finding else None) == code


def test_a_viability_dye_that_was_left_out_shows_by_the_cells_that_scatter_as_dying_ones() -> None:
    def without_dye(columns: Columns) -> Columns:
        alive = np.where(of_kind(TUBE, "beads", "bead_doublets"), columns["PerCP-Cy5-5-A"], 60.0)
        return {**columns, "PerCP-Cy5-5-A": alive.astype(np.float32)}

    assert told("cart-cd19fc-fixed", without_dye)["dead_cells"].outcome is Severity.PASS
    finding = told("cart-cd19fc-fixed", lambda columns: without_dye(shrunk(0.3)(columns)))["dead_cells"]
    assert (finding.code, finding.outcome) == ("W311", Severity.REVIEW)
    assert "hardly a cell" in finding.message


def test_living_cells_that_another_dyes_light_takes_for_dead_are_missed() -> None:
    def lit(columns: Columns) -> Columns:
        light = np.where(of_kind(TUBE, "beads", "bead_doublets"), 0.0, 0.3 * columns["APC-H7-A"])
        return {**columns, "PerCP-Cy5-5-A": (columns["PerCP-Cy5-5-A"] + light).astype(np.float32)}

    assert told("cart-cd19fc-fixed")["taken_for_dead"].value == pytest.approx(0, abs=1)
    finding = told("cart-cd19fc-fixed", lit)["taken_for_dead"]
    assert (finding.code, finding.outcome) == ("W316", Severity.REVIEW)


CAR_TUBE = blood_tube(
    car_per_ul=40, blood=BLOOD, preparation=Preparation(drawn_share=0.25, sample_volume_ul=50), seed=6
)


@pytest.mark.parametrize(("share", "code"), [(0.0, ""), (0.3, "W327")])
def test_car_positive_cells_that_bind_every_reagent_are_told(share: float, code: str) -> None:
    """A part of the monocytes bind each antibody, and lie among the lymphocytes."""
    random = np.random.default_rng(7)
    columns = {name: np.array(column, dtype=float) for name, column in CAR_TUBE.columns.items()}
    hit = of_kind(CAR_TUBE, "monocytes") & (random.random(len(CAR_TUBE.origin)) < share)
    for name in ("FITC-A", "PE-A", "V450-A", "APC-H7-A"):
        columns[name][hit] += 3000 * random.lognormal(0, 0.3, np.count_nonzero(hit))
    columns["V500-A"][hit] *= 2
    for name in ("SSC-A", "SSC-H"):
        columns[name][hit] *= 0.5
    events = EventTable.from_columns(columns, markers=CAR_TUBE.markers, keywords=CAR_TUBE.keywords)
    result = quantify(events, load_template("cart-cd19fc-fixed"), beads_added=20_000, sample_volume_ul=50)
    (finding,) = (one for one in result.findings if one.check == "car_of_no_subset")
    assert (finding.code, finding.outcome) == (code, Severity.REVIEW if code else Severity.PASS)


@pytest.mark.parametrize("reach", [stored_edges.STRETCH, stored_edges.BEYOND_BEADS])
def test_an_edge_is_found_the_same_by_steps_of_16_values_as_one_by_one(
    reach: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(3)
    drawn = [np.sort(random.lognormal(0, 0.3, n)) for n in (500, 1003, 5000)]
    cut = [values[(values > low) & (values < high)] for values in drawn for low, high in ((0, 1.1), (0.9, 9), (0.8, 2))]
    by_steps = [stored_edges._edge(values, values, reach) for values in (*drawn, *cut)]
    monkeypatch.setattr(stored_edges, "AT_ONCE", 1)
    assert [stored_edges._edge(values, values, reach) for values in (*drawn, *cut)] == by_steps
    assert any(percent > stored_edges.LEAST_PERCENT for percent, _ in by_steps)
