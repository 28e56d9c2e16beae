"""Runs in which one tube is wrong and its file shows nothing: what the other tubes tell, and how often falsely.

A dozen drawn tubes are counted once; runs are made of them, with beads, volumes, speed and brightness that err as a
laboratory's do. One tube of a run is wrong; the others say how often a clean tube is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from benchmarks.validity import odd, silent
from benchmarks.validity.tubes import draw
from cytocar.run.beside_counted import CountedTube, findings_beside_counted
from cytocar.sample.analysis import quantify
from cytocar.sample.quality.stain_levels import StainLevel
from cytocar.sample.result import SampleResult
from cytocar.template.load import load_template

HEAD = ("one tube of the run", "tubes of the run, CV between them", "runs", "told", "by", "clean tubes told")
DRAWN_UL, SECONDS = 400.0, 200.0
RUNS = ((6, 0.05), (12, 0.05), (24, 0.05), (24, 0.10))
"""Tubes of a run, and the coefficient of variation of their beads and volumes."""


class Wrong(Struct, frozen=True):
    """What is wrong with a tube, and what its file and its sheet say: a volume, the time, another tube of the draw."""

    change: Callable[[SampleResult], SampleResult]
    volume: bool = True
    time: bool = True
    of_draw: bool = False


def _with_beads(factor: float) -> Callable[[SampleResult], SampleResult]:
    """Lose beads (or add them twice): the count per µL goes the other way."""

    def change(result: SampleResult) -> SampleResult:
        beads = result.roles.beads
        populations = tuple(
            replace(one, events=round(one.events * factor))
            if one.name == beads
            else replace(one, per_ul=one.per_ul.scaled(1 / factor))
            for one in result.populations
        )
        return replace(result, populations=populations)

    return change


def _with_cells(factor: float) -> Callable[[SampleResult], SampleResult]:
    """Lose cells while all beads stay."""

    def change(result: SampleResult) -> SampleResult:
        populations = (replace(one, per_ul=one.per_ul.scaled(factor)) for one in result.populations)
        return replace(result, populations=tuple(populations))

    return change


def _of_brightness(factor: float) -> Callable[[SampleResult], SampleResult]:
    """Take beads of another lot, so much brighter, under the number of the first."""

    def change(result: SampleResult) -> SampleResult:
        beads = result.roles.beads
        populations = tuple(
            replace(one, medians={name: value and factor * value for name, value in one.medians.items()})
            if one.name == beads
            else one
            for one in result.populations
        )
        return replace(result, populations=populations)

    return change


def _mistyped(result: SampleResult) -> SampleResult:
    """Write 20,000 where 8000 beads are."""
    return replace(result, counting=replace(result.counting, beads_added=20_000.0))


def _without_reagent(bound: float) -> Callable[[SampleResult], SampleResult]:
    """Leave the CAR reagent out: ``bound`` is what it adds to negatives, in spreads; to granulocytes six times that."""

    def change(result: SampleResult) -> SampleResult:
        levels = tuple(
            replace(
                level,
                positive_percent=0.0,
                negatives=level.negatives - bound * level.spread,
                granulocytes=level.granulocytes and level.granulocytes / (1 + 6 * bound),
            )
            if level.marker == "CAR"
            else level
            for level in result.stain_levels
        )
        return replace(result, stain_levels=levels)

    return change


KINDS: Mapping[str, Wrong] = {
    "half of the beads lost": Wrong(_with_beads(0.5)),
    "30 % of the beads lost": Wrong(_with_beads(0.7)),
    "20 % of the beads lost": Wrong(_with_beads(0.8)),
    "10 % of the beads lost": Wrong(_with_beads(0.9)),
    "beads added twice": Wrong(_with_beads(2.0)),
    "half of the beads lost, no volume": Wrong(_with_beads(0.5), volume=False),
    "20 % of the beads lost, no volume": Wrong(_with_beads(0.8), volume=False),
    "half of the beads lost, neither volume nor time": Wrong(_with_beads(0.5), volume=False, time=False),
    "half of the beads lost, a second tube of the draw": Wrong(
        _with_beads(0.5), volume=False, time=False, of_draw=True
    ),
    "half of the cells lost": Wrong(_with_cells(0.5)),
    "half of the cells lost, a second tube of the draw": Wrong(_with_cells(0.5), of_draw=True),
    "20 % of the cells lost, a second tube of the draw": Wrong(_with_cells(0.8), of_draw=True),
    "a lot 1.4 times as bright, the number of the first": Wrong(_of_brightness(1.4), volume=False),
    "a lot as bright with 20 % fewer beads": Wrong(_with_beads(0.8), volume=False, time=False),
    "beads mistyped, no volume": Wrong(_mistyped, volume=False, time=False),
    "CAR reagent left out": Wrong(_without_reagent(0.25)),
    "CAR reagent left out, it binds to few other cells": Wrong(_without_reagent(0.12)),
    "CAR reagent left out, it binds to hardly any other cell": Wrong(_without_reagent(0.05)),
}


def rows(runs: int) -> Iterator[tuple[str, ...]]:
    """Yield how often each kind is told, and how often another tube of its run."""
    for name, wrong in KINDS.items():
        for tubes, cv in RUNS:
            random = np.random.default_rng((6, tubes, *name.encode()))
            codes: Counter[str] = Counter()
            told = clean = 0
            for _ in range(runs):
                findings = _run(tubes, cv, wrong, random)
                own = {code for sample in ("T0", "second") for code in findings.get(sample, ())}
                codes.update(own)
                told += bool(findings.get("T0"))
                clean += sum(bool(of_one) for sample, of_one in findings.items() if sample not in ("T0", "second"))
            others = runs * (tubes - 1)
            by = " ".join(code for code, _ in codes.most_common(2)) or "-"
            yield (
                name,
                f"{tubes}, {100 * cv:.0f} %",
                str(runs),
                f"{100 * told / runs:.0f} %",
                by,
                f"{clean} of {others}",
            )


def _run(tubes: int, cv: float, wrong: Wrong, random: np.random.Generator) -> dict[str, tuple[str, ...]]:
    """Return the codes of each tube of a run that asks for a look; tube T0 is the wrong one."""
    results = [_vary(f"T{number}", cv, wrong, random) for number in range(tubes)]
    if wrong.of_draw:
        second = replace(results[0], sample=replace(results[0].sample, sample_id="second"))
        results.append(_with_cells(float(np.exp(random.normal(0, cv))))(second))
    results[0] = wrong.change(results[0])
    counted = [tube for result in results if (tube := CountedTube.of(result)) is not None]
    return {
        sample: codes
        for sample, findings in findings_beside_counted(counted).items()
        if (codes := tuple(finding.code for finding in findings if finding.outcome == "review"))
    }


def _vary(name: str, cv: float, wrong: Wrong, random: np.random.Generator) -> SampleResult:
    """Return one of the counted tubes under another name, with what differs from tube to tube."""
    counted = _counted()
    result = counted[int(random.integers(len(counted)))]
    beads, volume, speed, light = np.exp(random.normal(0, (cv / 1.4, cv / 1.4, 0.06, 0.04)))
    result = _of_brightness(float(light))(_with_beads(float(beads))(result))
    result = replace(result, stain_levels=tuple(_other_level(level, cv, random) for level in result.stain_levels))
    sample = replace(result.sample, sample_id=name, subject_id=f"P{name}", day=1.0)
    return replace(
        result,
        sample=sample,
        volume_drawn_ul=DRAWN_UL * float(volume) if wrong.volume else None,
        seconds=SECONDS * float(speed) if wrong.time else None,
    )


def _other_level(level: StainLevel, cv: float, random: np.random.Generator) -> StainLevel:
    """Return a level as another tube of the staining shows it; half of the tubes have no CAR-T cells."""
    shift, light = random.normal(0, (cv, 3 * cv))
    return replace(
        level,
        positive_percent=0.0 if random.random() < 0.5 else level.positive_percent,
        negatives=level.negatives + float(shift) * level.spread,
        granulocytes=level.granulocytes and level.granulocytes * float(np.exp(light)),
    )


@cache
def _counted() -> tuple[SampleResult, ...]:
    """Return drawn clean tubes of a dozen sorts, counted."""
    results = []
    for number, tube in enumerate(silent.CLEAN.values()):
        if tube.bead_shift == 1.0 and tube.gain == 1.0:  # one lot and one setting: ``_vary`` moves both
            table = odd.table(odd.whole(draw(tube, np.random.default_rng((5, number)))))
            template = load_template("cart-cd19fc-fixed")
            results.append(quantify(table, template, beads_added=odd.BEADS_ADDED, sample_volume_ul=odd.BLOOD_UL))
    return tuple(results)
