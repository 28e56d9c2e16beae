"""Tubes with other cells in them: fewer, dimmer, joined, gated before, or beside what looks like them.

Each change takes a tube and returns it changed, with its truth, or None where the tube has not what it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from msgspec.structs import replace

from benchmarks.validity.originals import Bools, Floats, Original, Rows
from cytocar.signals.scales import LogicleScale

Change = Callable[[Original, np.random.Generator], Original | None]
SUBSETS = ("cd4", "cd8")


def _rows(tube: Original, keep: Bools | Rows, random: np.random.Generator) -> Original:
    return tube.take(random.permutation(np.flatnonzero(keep) if keep.dtype == bool else keep))


def subsampled(events: int) -> Change:
    """Keep so many events; None where there are no more."""

    def change(tube: Original, random: np.random.Generator) -> Original | None:
        return tube.take(random.permutation(tube.events)[:events]) if tube.events > events else None

    return change


def fewer(population: str, share: float) -> Change:
    """Keep a share of a population's events, and of those outside all gates that are as bright as it."""

    def change(tube: Original, random: np.random.Generator) -> Original:
        return _rows(tube, ~_alike(tube, population) | (random.random(tube.events) < share), random)

    return change


def few_t_cells(number: int) -> Change:
    """Keep so many T cells, and as small a share of what is outside all gates and as bright in CD3."""

    def change(tube: Original, random: np.random.Generator) -> Original:
        t_cells = random.permutation(np.flatnonzero(tube.counted["t_cells"]))
        alike = np.flatnonzero(_alike(tube, "t_cells") & ~tube.counted["t_cells"])
        kept = random.permutation(alike)[: round(number / max(1, len(t_cells)) * len(alike))]
        others = np.flatnonzero(~_alike(tube, "t_cells"))
        return _rows(tube, np.r_[others, t_cells[:number], kept], random)

    return change


def _alike(tube: Original, population: str) -> Bools:
    """Return the events of a population, and the dead, joined or stray ones that its line would take in."""
    mine = tube.counted[population]
    alike = mine.copy()
    for name, of in (("CD3", "t_cells"), (population.upper(), population)):
        if name in tube.signals and tube.counted[of].any():
            above = tube.signals[name] >= np.quantile(tube.signals[name][tube.counted[of]], 0.02)
            alike = above if name == "CD3" else alike & above
    return mine | (alike & ~tube.counted["t_cells"])


def gain(factor: float, *markers: str) -> Change:
    """Make markers, or all, brighter or dimmer: signals and their noise alike."""

    def change(tube: Original, random: np.random.Generator) -> Original | None:
        names = markers or tuple(tube.signals)
        if not {*names} <= tube.signals.keys():
            return None
        top = tube.top
        signals = {
            name: np.minimum(factor * values, top) if name in names else values for name, values in tube.signals.items()
        }
        return replace(tube, signals=signals)

    return change


def dimmer(factor: float, *markers: str) -> Change:
    """Make positives dimmer and leave the negatives where they are."""

    def change(tube: Original, random: np.random.Generator) -> Original:
        signals = dict(tube.signals)
        for name in markers:
            mine = tube.counted["t_cells" if name == "CD3" else name.lower()]
            others = signals[name][~mine & ~tube.counted["t_cells"]] if name == "CD3" else signals[name][~mine]
            middle, edge = np.quantile(others, (0.5, 0.84))
            signals[name] = np.where(
                mine,
                middle + factor * (signals[name] - middle) + random.normal(0, 0.3 * (edge - middle), tube.events),
                signals[name],
            )
        return replace(tube, signals=signals)

    return change


def gated_to(population: str) -> Change:
    """Keep a population only; ``lymphocytes``: what scatters as T cells do."""

    def change(tube: Original, random: np.random.Generator) -> Original | None:
        if population != "lymphocytes":
            return _rows(tube, tube.counted[population], random)
        if not {"FSC-A", "SSC-A"} <= tube.scatter.keys():
            return None
        t_cells = tube.counted["t_cells"]
        keep = np.ones(tube.events, dtype=bool)
        for name in ("FSC-A", "SSC-A"):
            low, high = np.quantile(tube.scatter[name][t_cells], (0.002, 0.998))
            keep &= (tube.scatter[name] >= low) & (tube.scatter[name] <= high)
        return _rows(tube, keep, random)

    return change


def debris(share: float) -> Change:
    """Add small events without stain, so that they are this share of all."""

    def change(tube: Original, random: np.random.Generator) -> Original:
        number = min(int(share / (1 - share) * tube.events), 150_000)
        added = _negatives(tube, number, random)
        size = random.lognormal(np.log(0.2), 0.5, number)
        scatter = {name: values * size for name, values in added.scatter.items()}
        signals = {name: values * np.minimum(size, 1) for name, values in added.signals.items()}
        return _mixed(tube, replace(added, scatter=scatter, signals=signals), random)

    return change


def autofluorescent(share: float, brightness: float) -> Change:
    """Add cells bright in every colour alike: a share of all events; ``brightness`` of CD3 of the T cells.

    They are larger and more granular than lymphocytes, as monocytes, macrophages and dying cells are.
    """

    def change(tube: Original, random: np.random.Generator) -> Original | None:
        if "CD3" not in tube.signals:
            return None
        number = int(share / (1 - share) * tube.events)
        added = _negatives(tube, number, random)
        level = brightness * float(np.median(tube.signals["CD3"][tube.counted["t_cells"]]))
        own = level * random.lognormal(0, 0.45, number)
        signals = {
            name: values + own * random.lognormal(np.log(0.7), 0.35) * random.lognormal(0, 0.2, number)
            for name, values in added.signals.items()
            if name != "CD3"
        }
        signals["CD3"] = added.signals["CD3"] + own
        scatter = {name: values * (1.5 if name[0] == "F" else 2.2) for name, values in added.scatter.items()}
        return _mixed(tube, replace(added, scatter=scatter, signals=signals), random)

    return change


def monocytes(share: float) -> Change:
    """Add large cells that are dim in CD4 and a little sticky for CD3."""

    def change(tube: Original, random: np.random.Generator) -> Original:
        number = int(share / (1 - share) * tube.events)
        added = _negatives(tube, number, random)
        signals = dict(added.signals)
        cd4 = float(np.median(tube.signals["CD4"][tube.counted["cd4"]]))
        signals["CD4"] = signals["CD4"] + 0.15 * cd4 * random.lognormal(0, 0.4, number)
        if "CD3" in signals:
            cd3 = float(np.median(tube.signals["CD3"][tube.counted["t_cells"]]))
            signals["CD3"] = signals["CD3"] + 0.03 * cd3 * random.lognormal(0, 0.5, number)
        scatter = {name: values * (1.4 if name[0] == "F" else 2.0) for name, values in added.scatter.items()}
        return _mixed(tube, replace(added, scatter=scatter, signals=signals), random)

    return change


def granulocytes(share: float) -> Change:
    """Add very granular cells with a little of every colour."""

    def change(tube: Original, random: np.random.Generator) -> Original:
        number = int(share / (1 - share) * tube.events)
        added = _negatives(tube, number, random)
        sizes = {"F": 1.4, "S": 5.0}
        scatter = {name: values * sizes[name[0]] for name, values in added.scatter.items()}
        cells = 0.006 * tube.top * random.lognormal(0, 0.3, number)
        faint = random.uniform(0.05, 0.25, len(added.signals))
        signals = {name: values + one * cells for one, (name, values) in zip(faint, added.signals.items(), strict=True)}
        return _mixed(tube, replace(added, scatter=scatter, signals=signals), random)

    return change


def doublets(share: float) -> Change:
    """Join a share of the events two by two: areas add, heights hardly; pairs are nobody that is counted."""

    def change(tube: Original, random: np.random.Generator) -> Original:
        pairs = int(share * tube.events / 2)
        first, second = np.split(random.permutation(tube.events)[: 2 * pairs], 2)
        scatter = {name: values.copy() for name, values in tube.scatter.items()}
        signals = {name: values.copy() for name, values in tube.signals.items()}
        for name, values in scatter.items():
            if name.endswith("-H"):
                values[first] = 1.06 * np.maximum(values[first], values[second])
            else:
                values[first] += values[second]
        for values in signals.values():
            values[first] = np.minimum(values[first] + values[second], tube.top)
        counted = {name: mask.copy() for name, mask in tube.counted.items()}
        for mask in counted.values():
            mask[first] = False
        joined = replace(tube, scatter=scatter, signals=signals, counted=counted)
        left = np.ones(tube.events, dtype=bool)
        left[second] = False
        return joined.take(np.flatnonzero(left))

    return change


def offset(share: float) -> Change:
    """Add a constant to every colour: a share of what T cells have of CD3, as a baseline that was not restored."""

    def change(tube: Original, random: np.random.Generator) -> Original | None:
        if "CD3" not in tube.signals:
            return None
        shift = share * float(np.median(tube.signals["CD3"][tube.counted["t_cells"]]))
        return replace(tube, signals={name: values + shift for name, values in tube.signals.items()})

    return change


def compressed(power: float) -> Change:
    """Bend every colour by a power, as an amplifier that is not linear does."""

    def change(tube: Original, random: np.random.Generator) -> Original:
        def bent(values: Floats) -> Floats:
            return np.sign(values) * np.abs(values / tube.top) ** power * tube.top

        return replace(tube, signals={name: bent(values) for name, values in tube.signals.items()})

    return change


def transformed(kind: str) -> Change:
    """Store every colour on a scale, 256 channels a decade or a logicle over the range, and no keyword says so."""

    def change(tube: Original, random: np.random.Generator) -> Original:
        logicle = LogicleScale(T=tube.top, W=0.5, M=4.5)

        def stored(values: Floats) -> Floats:
            if kind == "logicle":
                return tube.top * logicle.unbounded(values)
            return tube.top / 1024 * np.round(256 * np.log10(np.clip(values / tube.top * 1e4, 1, None)))

        return replace(tube, signals={name: stored(values) for name, values in tube.signals.items()})

    return change


def cut_off(share: float) -> Change:
    """Let the range end at a share of the brightest median of T cells' CD3, CD4 and CD8: a voltage too high."""

    def change(tube: Original, random: np.random.Generator) -> Original:
        signals = dict(tube.signals)
        for name, population in (("CD3", "t_cells"), ("CD4", "cd4"), ("CD8", "cd8")):
            if name in signals:
                end = share * float(np.median(tube.signals[name][tube.counted[population]]))
                signals[name] = np.minimum(signals[name], end) / share
        return replace(tube, signals=signals)

    return change


def exchanged(one: str, other: str) -> Change:
    """Exchange two labels."""

    def change(tube: Original, random: np.random.Generator) -> Original | None:
        if not {one, other} <= tube.signals.keys():
            return None
        names = {one: other, other: one}
        return replace(tube, signals={names.get(name, name): values for name, values in tube.signals.items()})

    return change


def lacking(*names: str) -> Change:
    """Leave channels out."""

    def change(tube: Original, random: np.random.Generator) -> Original | None:
        return tube.without(*names) if {*names} & {*tube.signals, *tube.scatter} else None

    return change


def after(*changes: Change) -> Change:
    """One change after another."""

    def change(tube: Original, random: np.random.Generator) -> Original | None:
        for one in changes:
            following = one(tube, random)
            if following is None:
                return None
            tube = following
        return tube

    return change


def _negatives(tube: Original, number: int, random: np.random.Generator) -> Original:
    """Return cells that scatter like T cells and are stained like the lower half of everything else."""
    t_cells = np.flatnonzero(tube.counted["t_cells"])
    like = tube.take(random.choice(t_cells, number))
    signals = {}
    for name, values in tube.signals.items():
        lower = values[values <= np.quantile(values, 0.3)]
        signals[name] = random.choice(lower, number)
    scatter = {name: values * random.lognormal(0, 0.08, number) for name, values in like.scatter.items()}
    for kind in ("FSC", "SSC"):
        if {f"{kind}-A", f"{kind}-H"} <= scatter.keys():  # the height goes with the area
            area = np.maximum(like.scatter[f"{kind}-A"], 1e-9)
            height = float(np.median(like.scatter[f"{kind}-H"] / area))
            scatter[f"{kind}-H"] = scatter[f"{kind}-A"] * height * random.lognormal(0, 0.02, number)
    nobody = {name: np.zeros(number, dtype=bool) for name in tube.counted}
    return replace(like, signals=signals, scatter=scatter, counted=nobody)


def _mixed(tube: Original, added: Original, random: np.random.Generator) -> Original:
    whole = tube.joined(added)
    return whole.take(random.permutation(whole.events))


CHANGES: Mapping[str, Change] = {
    "1500 events": subsampled(1500),
    "5000 events": subsampled(5000),
    "half of the T cells": fewer("t_cells", 0.5),
    "3 % of the T cells": fewer("t_cells", 0.03),
    "200 T cells": few_t_cells(200),
    "no T cells": few_t_cells(0),
    "5 % of CD8": fewer("cd8", 0.05),
    "no CD8": fewer("cd8", 0.0),
    "5 % of CD4": fewer("cd4", 0.05),
    "no CD4": fewer("cd4", 0.0),
    "half debris": debris(0.5),
    "90 % debris": debris(0.9),
    "5 % autofluorescent, dim": autofluorescent(0.05, 0.1),
    "5 % autofluorescent, as CD3": autofluorescent(0.05, 0.5),
    "20 % autofluorescent, dim": autofluorescent(0.2, 0.1),
    "20 % autofluorescent, as CD3": autofluorescent(0.2, 0.5),
    "30 % monocytes": monocytes(0.3),
    "60 % granulocytes": granulocytes(0.6),
    "gain 0.3": gain(0.3),
    "gain 3": gain(3.0),
    "CD3 a third": gain(1 / 3, "CD3"),
    "CD3 positives a third": dimmer(1 / 3, "CD3"),
    "CD3 positives a tenth": dimmer(0.1, "CD3"),
    "CD4 and CD8 positives a third": dimmer(1 / 3, "CD4", "CD8"),
    "CD3 a tenth and autofluorescence": after(dimmer(0.1, "CD3"), autofluorescent(0.1, 0.6)),
    "gated to lymphocytes": gated_to("lymphocytes"),
    "gated to T cells": gated_to("t_cells"),
    "20 % doublets": doublets(0.2),
    "offset of 5 %": offset(0.05),
    "offset of -5 %": offset(-0.05),
    "bent by 0.8": compressed(0.8),
    "range ends at 0.7 of the T cells": cut_off(0.7),
    "no CD3": lacking("CD3"),
    "no CD3, gated to T cells": after(gated_to("t_cells"), lacking("CD3")),
    "no CD3, no scatter": lacking("CD3", "FSC-A", "SSC-A", "FSC-H"),
    "no CD3, monocytes": after(lacking("CD3"), monocytes(0.3)),
    "no CD4 in the panel": lacking("CD4"),
    "no CD8 in the panel": lacking("CD8"),
    "CD4 and CD8 exchanged": exchanged("CD4", "CD8"),
    "CD3 and CD4 exchanged": exchanged("CD3", "CD4"),
    "CD3 and CD8 exchanged": exchanged("CD3", "CD8"),
    "stored on a log scale": transformed("log"),
    "stored on a logicle scale": transformed("logicle"),
}
"""What can be in a tube. Two labels exchanged cannot be seen in one file as long as their cells look alike."""
