"""Tubes in which one thing is wrong, three strengths of each: how many of those that are ``ok`` have a wrong number.

Half of the kinds was looked at while the checks were made (``TUNED``), the other half at the end (``HELD_OUT``); two
checks were added for what that look showed, so it is no longer unseen. ``UNSEEN`` was looked at once, and no check was
made for it.
Each tube is gated by the template that adapts, with the subject's own baseline, and by the fixed one, without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import product
from math import inf

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from benchmarks.validity import odd
from benchmarks.validity.odd import (
    BEADS_ADDED,
    BLOOD_UL,
    CAR,
    CD4,
    CD8,
    T_CELLS,
    Change,
    Odd,
    brighter,
    commonest,
    median_text,
    pairs_of_cells,
    table,
)
from benchmarks.validity.tubes import STAINS, TOP, Tube, draw
from cytocar.gates.decision import ReferenceEvents
from cytocar.sample.analysis import quantify
from cytocar.sample.control_signals import references_from
from cytocar.sample.result import SampleResult
from cytocar.template.load import load_template

HEAD = ("kind", "strength", "tubes", "ok", "review", "no count", "silent errors", "T/true", "CAR/true", "codes")
TYPICAL = Tube(t_cells=8000, blast_share=0.1, car_share=0.05, doublet_share=0.01, stain_index=12.0)
COLOURS = tuple(STAINS.values())
SCATTER = ("FSC-A", "FSC-H", "SSC-A")
LARGEST_ERROR = 0.10
TEMPLATES = ("cart-cd19fc", "cart-cd19fc-fixed")


class Kind(Struct, frozen=True):
    """What is wrong, how much (mildest first), and the tube and the change of its file that show it."""

    strengths: tuple[float, ...]
    tube: Callable[[float], Tube] = lambda strength: TYPICAL
    change: Callable[[float], Change] = lambda strength: odd.as_it_is
    truth_after: bool = False
    """Whether it changes what is in the tube, not only what its file shows."""


class Truth(Struct, frozen=True):
    """T cells and CAR-T cells in the tube, per µL of blood, and CD4/CD8."""

    t_cells: float
    car: float
    ratio: float

    @classmethod
    def of(cls, tube: Odd) -> Truth:
        """Return what is in a tube before anything went wrong."""
        return cls(tube.count(*T_CELLS) / BLOOD_UL, tube.count(*CAR) / BLOOD_UL, tube.count(*CD4) / tube.count(*CD8))


# ---------------------------------------------------------------- what can be wrong


def _apoptotic(share: float) -> Change:
    """Add cells that are dying: 7-AAD between the living and the dead, and a little of the CAR reagent."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        living = np.flatnonzero(np.isin(tube.origin, T_CELLS))
        dying = random.choice(living, int(share * len(living)), replace=False)
        rows = np.r_[np.arange(len(tube.origin)), dying]
        columns = {name: column[rows] for name, column in tube.columns.items()}
        new = slice(len(tube.origin), None)
        columns["PerCP-Cy5-5-A"][new] = np.exp(random.uniform(np.log(500), np.log(7000), len(dying)))
        columns["PE-A"][new] += random.gamma(1.5, 500, len(dying))
        origin = np.r_[tube.origin, np.full(len(dying), "dying")]
        order = random.permutation(len(rows))
        return replace(tube, columns=columns, origin=origin).take(order)

    return change


def _brighter_negatives(factor: float) -> Change:
    """Every cell has more PE autofluorescence than the control's."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        cells = ~np.isin(tube.origin, ("beads",))
        own = np.where(cells, random.normal(60, 70, len(cells)) * (factor - 1), 0.0)
        return replace(tube, columns={**tube.columns, "PE-A": tube.columns["PE-A"] + own})

    return change


def _some_brighter_negatives(factor: float) -> Change:
    """A third of the cells has more PE autofluorescence than the control's: two kinds of negatives."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        some = ~np.isin(tube.origin, ("beads",)) & (random.random(len(tube.origin)) < 1 / 3)
        own = np.where(some, random.gamma(2.0, 45 * (factor - 1), len(some)), 0.0)
        return replace(tube, columns={**tube.columns, "PE-A": tube.columns["PE-A"] + own})

    return change


def _sticky(factor: float) -> Change:
    """All lymphocytes bind the CAR reagent so many times as often as the control's."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        lymphocytes = np.isin(tube.origin, (*T_CELLS, "nk", "b"))
        chosen = np.flatnonzero(lymphocytes & (random.random(len(lymphocytes)) < TYPICAL.sticky_share * factor))
        signal = tube.columns["PE-A"].copy()
        signal[chosen] += random.gamma(1.5, 700, len(chosen))
        return replace(tube, columns={**tube.columns, "PE-A": signal})

    return change


def _exchanged(share: float) -> Change:
    """Exchange the labels of CD4 and CD8; the share is that of CD4 among the T cells (``_with_cd4``)."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        lost = np.isin(tube.origin, CD8) if share > 0.55 else np.isin(tube.origin, CD4)
        kept = ~(lost & (random.random(len(lost)) > (1 - share) / share if share > 0.55 else lost & False))
        other = {"CD4": "CD8", "CD8": "CD4"}
        markers = {detector: other.get(name, name) for detector, name in tube.markers.items()}
        return replace(tube, markers=markers).take(np.flatnonzero(kept))

    return change


def _pairs_in_moved_beads(factor: float) -> Change:
    """A tenth of the bead events are pairs, and the lot is so many times as bright as the template's."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        return brighter(COLOURS, factor, ("beads",))(odd.bead_pairs(0.10)(tube, random), random)

    return change


def _scattered_beads(cv: float) -> Change:
    """Beads that are no longer alike: old, or of a lot that clumps and breaks."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        load = np.where(tube.origin == "beads", random.lognormal(0, cv, len(tube.origin)), 1.0)
        columns = {n: np.minimum(c * load, TOP) if n in COLOURS else c for n, c in tube.columns.items()}
        return replace(tube, columns=columns)

    return change


def _second_beads(share: float) -> Change:
    """Beads of a second kind, 2.6 times as dim, so many for each of the first."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        beads = np.flatnonzero(tube.origin == "beads")
        rows = np.r_[np.arange(len(tube.origin)), beads[: int(share * len(beads))]]
        columns = {name: column[rows] for name, column in tube.columns.items()}
        for name in COLOURS:
            columns[name][len(tube.origin) :] /= 2.6
        origin = np.r_[tube.origin, np.full(len(rows) - len(tube.origin), "other beads")]
        return replace(tube, columns=columns, origin=origin).take(random.permutation(len(rows)))

    return change


def _diffuse_cd45(share: float) -> Change:
    """So many of the lymphocytes lost part of their CD45: no gap to the granulocytes."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        some = np.isin(tube.origin, (*T_CELLS, "nk", "b")) & (random.random(len(tube.origin)) < share)
        factor = np.where(some, np.exp(random.uniform(np.log(0.15), 0, len(some))), 1.0)
        return replace(tube, columns={**tube.columns, "V500-A": tube.columns["V500-A"] * factor})

    return change


def _reagent_of_b_cells(share: float) -> Change:
    """CD19 stains in the CAR's channel: T cells have no signal, B cells (of whom a share is left) do."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        signal, b_cells = tube.columns["PE-A"].copy(), np.flatnonzero(tube.origin == "b")
        car = np.isin(tube.origin, CAR)
        signal[car] = random.normal(60, 70, np.count_nonzero(car))
        signal[b_cells] = 20_000 * np.exp(random.normal(0, 0.3, len(b_cells)))
        left = (tube.origin != "b") | (random.random(len(signal)) < share)
        return replace(tube, columns={**tube.columns, "PE-A": signal}).take(np.flatnonzero(left))

    return change


def _few_t_cells(events: float) -> Change:
    """So many T cells among 300,000 events, and colours at 0.45 of their gain."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        t_cells = random.permutation(np.flatnonzero(np.isin(tube.origin, T_CELLS)))[: int(events)]
        others = np.flatnonzero(np.isin(tube.origin, ("granulocytes", "monocytes", "debris")))
        filled = random.choice(others, 300_000 - len(t_cells) - 8000)
        beads = np.flatnonzero(tube.origin == "beads")
        few = tube.take(random.permutation(np.r_[t_cells, filled, beads]))
        return brighter(COLOURS, 0.45)(few, random)

    return change


def _other_lot(left: float) -> Change:
    """Beads of another lot than the one in the sheet: a third brighter, and only so many of what was written."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        lost = (tube.origin == "beads") & (random.random(len(tube.origin)) > left)
        return brighter(COLOURS, 1.33, ("beads",))(tube.take(np.flatnonzero(~lost)), random)

    return change


def with_car(share: float) -> Tube:
    """Return the typical tube with another share of CAR-T cells."""
    return replace(TYPICAL, car_share=share, blast_share=min(TYPICAL.blast_share, (1 - share) / 2))


TUNED: Mapping[str, Kind] = {
    "beads dimmer or brighter": Kind(
        (0.7, 0.5, 0.25, 2.0, 0.12), change=lambda factor: brighter(COLOURS, factor, ("beads",))
    ),
    "pairs in moved beads": Kind((0.5, 0.4, 1.8), change=_pairs_in_moved_beads),
    "scatter gain": Kind((1.15, 1.4, 1.7, 0.6, 0.35), change=lambda factor: brighter(SCATTER, factor)),
    "gain of all colours": Kind((0.7, 0.4, 0.25, 1.8, 3.0), change=lambda factor: brighter(COLOURS, factor)),
    "blasts at the end of FSC": Kind((1.4, 1.9, 2.6), tube=lambda size: replace(TYPICAL, blast_size=size)),
    "pairs of cells": Kind(
        (0.06, 0.15, 0.3), change=lambda share: pairs_of_cells(share, lambda random, n: random.lognormal(0.06, 0.04, n))
    ),
    "7-AAD between": Kind((0.01, 0.03, 0.10), change=_apoptotic),
    "low stain index": Kind((6.0, 4.0, 3.0), tube=lambda index: replace(TYPICAL, stain_index=index, car_share=0.2)),
    "CD4 and CD8 exchanged": Kind((0.55, 0.75, 0.9), change=_exchanged),
}
HELD_OUT: Mapping[str, Kind] = {
    "beads no longer alike": Kind((0.05, 0.12, 0.3), change=_scattered_beads),
    "a second kind of beads": Kind((0.05, 0.3, 1.0), change=_second_beads),
    "gain of CD4": Kind((0.6, 0.35, 2.5), change=lambda factor: brighter(("V450-A",), factor)),
    "gain of CD45": Kind((0.6, 0.35, 2.5), change=lambda factor: brighter(("V500-A",), factor)),
    "FSC gain alone": Kind((1.3, 1.8, 0.5), change=lambda factor: brighter(("FSC-A", "FSC-H"), factor)),
    "CD45 lost": Kind((0.1, 0.3, 0.6), change=_diffuse_cd45),
    "nearly all CAR+": Kind((0.9, 0.97, 0.995), tube=with_car),
    "brighter negatives, none CAR+": Kind((1.5, 2.0, 4.0), tube=lambda _: with_car(0.0), change=_brighter_negatives),
    "brighter negatives": Kind((1.5, 2.0, 4.0), change=_brighter_negatives),
    "a third brighter, none CAR+": Kind((2.0, 4.0, 8.0), tube=lambda _: with_car(0.0), change=_some_brighter_negatives),
    "sticky, none CAR+": Kind((5.0, 20.0, 60.0), tube=lambda _: with_car(0.0), change=_sticky),
}
UNSEEN: Mapping[str, Kind] = {
    "CAR detector saturated": Kind((4.0, 12.0, 40.0), change=lambda factor: brighter(("PE-A",), factor)),
    "CD19 in the CAR's channel": Kind((1.0, 0.2, 0.02), change=_reagent_of_b_cells),
    "few T cells, colours dim": Kind((2000.0, 600.0, 200.0), change=_few_t_cells),
    "another lot of beads": Kind((0.9, 0.75, 0.5), change=_other_lot),
}
CLEAN: Mapping[str, Tube] = {
    "typical": TYPICAL,
    "no CAR+": replace(TYPICAL, car_share=0.0, t_cells=16_000),
    "0.3 % CAR+": replace(TYPICAL, car_share=0.003, t_cells=16_000),
    "40 % CAR+": with_car(0.4),
    "40 % blasts": replace(TYPICAL, blast_share=0.4),
    "gain 0.85": replace(TYPICAL, gain=0.85),
    "gain 1.15": replace(TYPICAL, gain=1.15),
    "scatter 0.9": replace(TYPICAL, scatter_gain=0.9),
    "beads 1.2": replace(TYPICAL, bead_shift=1.2),
    "no dead cells": replace(TYPICAL, missing=frozenset({"dead"})),
    "no granulocytes": replace(TYPICAL, missing=frozenset({"granulocytes"})),
    "1.5 % doublets": replace(TYPICAL, doublet_share=0.015),
}


# ---------------------------------------------------------------- measured


class Judged(Struct, frozen=True):
    """One tube: its status and codes, T and CAR over the truth, and whether a wrong number is called ok."""

    status: str
    codes: tuple[str, ...]
    t_ratio: float | None
    car_ratio: float | None
    wrong: bool

    @property
    def silent(self) -> bool:
        """Whether a number is wrong and nothing asks for a look."""
        return self.wrong and self.status == "ok"


def rows(seeds: int, kinds: Mapping[str, Kind], series: int = 3) -> Iterator[tuple[str, ...]]:
    """Yield a line per kind and strength and template, and one for all of them; another ``series`` has other seeds."""
    everything: dict[str, list[Judged]] = {template: [] for template in TEMPLATES}
    for template, (name, kind) in product(TEMPLATES, kinds.items()):
        for strength in kind.strengths:
            judged = [
                judge(
                    kind.tube(strength),
                    kind.change(strength),
                    template,
                    seed=(series, seed),
                    truth_after=kind.truth_after,
                )
                for seed in range(seeds)
            ]
            everything[template] += judged
            yield _line(f"{name} ({_short(template)})", f"{strength:g}", judged)
    for template, judged in everything.items():
        yield _line(f"**all ({_short(template)})**", "", judged)


def clean_rows(seeds: int) -> Iterator[tuple[str, ...]]:
    """Yield a line per clean tube and template, and one for all of them."""
    for template in TEMPLATES:
        everything: list[Judged] = []
        for name, tube in CLEAN.items():
            judged = [judge(tube, odd.as_it_is, template, seed=(4, seed)) for seed in range(seeds)]
            everything += judged
            yield _line(f"clean: {name} ({_short(template)})", "", judged)
        yield _line(f"**all clean ({_short(template)})**", "", everything)


def judge(tube: Tube, change: Change, template: str, *, seed: Sequence[int], truth_after: bool = False) -> Judged:
    """Return what is reported about a tube, and whether it is right."""
    random = np.random.default_rng(seed)
    whole = odd.whole(draw(tube, random))
    changed = change(whole, random)
    truth = Truth.of(changed if truth_after else whole)
    result = quantify(
        table(changed),
        load_template(template),
        beads_added=BEADS_ADDED,
        sample_volume_ul=BLOOD_UL,
        references=baseline(template) if template == TEMPLATES[0] else None,
    )
    return _judged(result, truth)


@cache
def baseline(template: str) -> Mapping[str, Sequence[ReferenceEvents]]:
    """Return the T cells of the subject's baseline, gated by a template."""
    control = Tube(t_cells=30_000, blast_share=0.0, doublet_share=0.01)
    drawn = odd.whole(draw(control, np.random.default_rng(11)))
    return references_from([table(drawn)], load_template(template))


def _judged(result: SampleResult, truth: Truth) -> Judged:
    row = result.row()
    number = {name: value for name, value in row.items() if isinstance(value, int | float)}
    t_cells, car = number.get("t_cells_per_ul"), number.get("car_per_ul")
    wrong = _off(t_cells, truth.t_cells) or _off(number.get("cd4_cd8_ratio"), truth.ratio)
    if truth.car == 0:
        wrong |= row["car_result"] == "quantified" or number.get("car_percent_net_low", 0.0) > 0
    else:
        share = 100 * truth.car / truth.t_cells
        net = number.get("car_percent_net_low"), number.get("car_percent_net_high")
        counted = number.get("car_per_ul_low"), number.get("car_per_ul_high")
        wrong |= _missed(net, share) if None not in net else _missed(counted, truth.car)
    codes = tuple(str(row["status_codes"] or "").split())
    return Judged(
        str(row["status"]),
        codes,
        None if t_cells is None else t_cells / truth.t_cells,
        None if car is None or not truth.car else car / truth.car,
        bool(wrong),
    )


def _off(counted: float | None, true: float) -> bool:
    return counted is not None and abs(counted - true) > LARGEST_ERROR * true


def _missed(interval: tuple[float | None, float | None], true: float) -> bool:
    """Return whether the nearer end of an interval is more than a tenth from the truth."""
    low, high = (inf if end is None else end for end in interval)
    return low > (1 + LARGEST_ERROR) * true or high < (1 - LARGEST_ERROR) * true


def _line(name: str, strength: str, judged: Sequence[Judged]) -> tuple[str, ...]:
    statuses = [one.status for one in judged]
    return (
        name,
        strength,
        str(len(judged)),
        *(str(statuses.count(status)) for status in ("ok", "review", "no_count")),
        str(sum(one.silent for one in judged)),
        median_text([one.t_ratio for one in judged]),
        median_text([one.car_ratio for one in judged]),
        commonest(code for one in judged for code in dict.fromkeys(one.codes)),
    )


def _short(template: str) -> str:
    return "fixed" if template.endswith("fixed") else "adapts"
