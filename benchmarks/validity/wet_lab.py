"""What else goes wrong between a vein and a file: mixes, lysis, lasers, exports, diseases and drugs, on every panel.

Written at once, as ``mishaps`` was, and looked at once before anything was mended; no kind of ``silent``,
``laboratory`` or ``mishaps`` is here again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from msgspec.structs import replace

from benchmarks.validity.mishaps import AREA, HEIGHT, LYMPHOID, SIDE, Mishap, Stains
from benchmarks.validity.odd import Change, Odd
from benchmarks.validity.tubes import TOP, Bools, Floats

Signals = dict[str, Floats]
Edit = Callable[[Odd, Signals, np.random.Generator], None]
RED_LASER, VIOLET_LASER = ("APC-A", "APC-H7-A"), ("V450-A", "V500-A")
WHITE = (*LYMPHOID, "monocytes", "granulocytes")
BLUE_LASER = ("FITC-A", "PE-A", "PerCP-Cy5-5-A", "PE-Cy7-A")


def of_kind(tube: Odd, *starts: str) -> Bools:
    kinds = tube.origin.astype("U24")
    return np.asarray(np.any([np.char.startswith(kinds, start) for start in starts], axis=0))


def _capped(columns: Mapping[str, Floats]) -> Signals:
    return {name: column if name == "Time" else np.minimum(column, TOP) for name, column in columns.items()}


def edited(edit: Edit) -> Change:
    """Return the change that edits copies of a tube's columns in place."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        columns = {name: column.copy() for name, column in tube.columns.items()}
        edit(tube, columns, random)
        return replace(tube, columns=_capped(columns))

    return change


def chosen(choose: Callable[[Odd, np.random.Generator], Bools]) -> Change:
    """Return the change that stores some events only."""
    return lambda tube, random: tube.take(np.flatnonzero(choose(tube, random)))


def _place(tube: Odd) -> Floats:
    return np.arange(len(tube.origin)) / len(tube.origin)


def own_light(random: np.random.Generator, n: int) -> Floats:
    return random.normal(60, 70, n)


def _with_events(kind: str, n: int, values: Mapping[str, Floats], tube: Odd, random: np.random.Generator) -> Odd:
    """Add events of a kind, dark but for ``values``."""
    columns = {
        name: np.r_[column, values.get(name, np.zeros(n) if name == "Time" else own_light(random, n))]
        for name, column in tube.columns.items()
    }
    added = replace(tube, columns=_capped(columns), origin=np.r_[tube.origin.astype("U24"), np.full(n, kind)])
    return added.take(random.permutation(len(added.origin)))


def extra(kind: str, sizes: tuple[float, float], stained: Mapping[str, float], *, of: Sequence[str]) -> Mishap:
    """Add cells of a kind, so many for each of some; their FSC and SSC, and the markers that they carry."""

    def mishap(times: float, stains: Stains) -> Change:
        def change(tube: Odd, random: np.random.Generator) -> Odd:
            n = int(times * np.count_nonzero(of_kind(tube, *of)))
            scale = np.median(tube.columns[SIDE][of_kind(tube, *LYMPHOID)]) / 37e3  # each panel's own side scatter
            fsc = sizes[0] * random.lognormal(0, 0.16, n)
            values = {AREA: fsc, HEIGHT: 0.88 * fsc * random.normal(1, 0.03, n)}
            values[SIDE] = scale * sizes[1] * random.lognormal(0, 0.22, n)
            for marker, median in stained.items():
                if marker in stains:
                    values[stains[marker]] = own_light(random, n) + median * random.lognormal(0, 0.4, n)
            return _with_events(kind, n, values, tube, random)

        return change

    return mishap


# ---------------------------------------------------------------- the bench


def half_the_mix(factor: float, stains: Stains) -> Change:
    """Stain with a part of the antibodies: all cells are dimmer, beads are not."""

    def edit(tube: Odd, columns: Signals, random: np.random.Generator) -> None:
        cells = tube.origin != "beads"
        for name in stains.values():
            columns[name][cells] *= factor

    return edited(edit)


def twice(marker: str) -> Mishap:
    """Add a reagent again: its positives are a third brighter, and it binds to all cells."""

    def mishap(bound: float, stains: Stains) -> Change:
        def edit(tube: Odd, columns: Signals, random: np.random.Generator) -> None:
            cells, name = tube.origin != "beads", stains[marker]
            columns[name][cells] = 1.33 * columns[name][cells] + random.gamma(2, bound / 2, np.count_nonzero(cells))

        return edited(edit)

    return mishap


def three_days_old(share: float, stains: Stains) -> Change:
    """Let granulocytes lose grain and size until they lie among the lymphocytes, and glow in all colours."""

    def edit(tube: Odd, columns: Signals, random: np.random.Generator) -> None:
        some = of_kind(tube, "granulocytes") & (random.random(len(tube.origin)) < share)
        n = np.count_nonzero(some)
        columns[SIDE][some] *= random.uniform(0.2, 0.5, n)
        for name in {AREA, HEIGHT} & {*columns}:
            columns[name][some] *= 0.65
        for name in stains.values():
            columns[name][some] += random.gamma(2, 120, n)

    return edited(edit)


def platelets_on_cells(share: float, stains: Stains) -> Change:
    """Let platelets stick to a share of the lymphocytes: larger, and more granular."""

    def edit(tube: Odd, columns: Signals, random: np.random.Generator) -> None:
        some = of_kind(tube, *LYMPHOID) & (random.random(len(tube.origin)) < share)
        size = random.uniform(1.1, 1.5, np.count_nonzero(some))
        for name in {AREA, SIDE} & {*columns}:
            columns[name][some] *= size
        if HEIGHT in columns:
            columns[HEIGHT][some] *= size**0.7

    return edited(edit)


def no_fc_block(share: float, stains: Stains) -> Change:
    """Let monocytes and granulocytes bind each antibody by their Fc receptors."""

    def edit(tube: Odd, columns: Signals, random: np.random.Generator) -> None:
        some = of_kind(tube, "monocytes", "granulocytes") & (random.random(len(tube.origin)) < share)
        for marker in {"CD3", "CD4", "CD8", "CAR", "CD19"} & {*stains}:
            columns[stains[marker]][some] += random.gamma(2, 900, np.count_nonzero(some))

    return edited(edit)


def fixed_long(factor: float, stains: Stains) -> Change:
    """Fix for days: the light that cells have of their own grows in all colours."""

    def edit(tube: Odd, columns: Signals, random: np.random.Generator) -> None:
        cells = tube.origin != "beads"
        for name in stains.values():
            columns[name][cells] += (factor - 1) * np.abs(own_light(random, int(np.count_nonzero(cells))))

    return edited(edit)


def dye_on_the_living(light: float, stains: Stains) -> Change:
    """Add the viability dye twice, and wait: living cells take some in."""

    def edit(tube: Odd, columns: Signals, random: np.random.Generator) -> None:
        cells = tube.origin != "beads"
        columns[stains["7-AAD"]][cells] += random.gamma(4, light / 4, np.count_nonzero(cells))

    return edited(edit)


# ---------------------------------------------------------------- the cytometer


def ramp(marker: str) -> Mishap:
    """Let one signal drift evenly to a factor at the end of the run; ``scatter`` is both scatters."""

    def mishap(last: float, stains: Stains) -> Change:
        def edit(tube: Odd, columns: Signals, random: np.random.Generator) -> None:
            for name in {AREA, HEIGHT, SIDE} & {*columns} if marker == "scatter" else (stains[marker],):
                columns[name] *= 1 + (last - 1) * _place(tube)

        return edited(edit)

    return mishap


def laser_dies(lasers: Sequence[str]) -> Mishap:
    """Let a laser die with a share of the run still to come."""

    def mishap(share: float, stains: Stains) -> Change:
        def edit(tube: Odd, columns: Signals, random: np.random.Generator) -> None:
            late = _place(tube) > 1 - share
            for name in {*lasers} & {*stains.values()}:
                columns[name][late] = random.normal(0, 40, np.count_nonzero(late))

        return edited(edit)

    return mishap


def delay_off(lasers: Sequence[str]) -> Mishap:
    """Let a laser's delay be off: its light is a part of what it was, another one for each event."""

    def mishap(factor: float, stains: Stains) -> Change:
        def edit(tube: Odd, columns: Signals, random: np.random.Generator) -> None:
            left = factor ** random.uniform(0.4, 1.6, len(tube.origin))
            for name in {*lasers} & {*stains.values()}:
                columns[name] *= left

        return edited(edit)

    return mishap


def filter_of_another(marker: str, source: str) -> Mishap:
    """Exchange a detector's filter: it sees a share of a neighbour's light, that of beads too."""

    def mishap(share: float, stains: Stains) -> Change:
        def edit(tube: Odd, columns: Signals, random: np.random.Generator) -> None:
            columns[stains[marker]] += share * tube.columns[stains[source]]

        return edited(edit)

    return mishap


def air_bubble(share: float, stains: Stains) -> Change:
    """Let a bubble blur a stretch of the run: half of its light is lost, another part for each event."""

    def edit(tube: Odd, columns: Signals, random: np.random.Generator) -> None:
        hit = (_place(tube) > 0.4) & (_place(tube) < 0.4 + share)
        left = random.uniform(0.2, 1.0, len(hit))
        for name, column in columns.items():
            if name != "Time":
                column[hit] *= left[hit]

    return edited(edit)


def tube_empty(share: float, stains: Stains) -> Change:
    """Let the tube run empty: its last part is dark noise of any scatter."""

    def edit(tube: Odd, columns: Signals, random: np.random.Generator) -> None:
        late = _place(tube) > 1 - share
        n = int(np.count_nonzero(late))
        for name, column in columns.items():
            if name != "Time":
                column[late] = own_light(random, n) if name in stains.values() else random.exponential(30e3, n)

    return edited(edit)


def noisy(marker: str) -> Mishap:
    """Let stray light, or a bad detector, add noise to one colour."""

    def mishap(spread: float, stains: Stains) -> Change:
        def edit(tube: Odd, columns: Signals, random: np.random.Generator) -> None:
            columns[stains[marker]] += random.normal(0, spread, len(tube.origin))

        return edited(edit)

    return mishap


def offset(marker: str) -> Mishap:
    """Let the electronics add a constant to one colour."""

    def mishap(added: float, stains: Stains) -> Change:
        def edit(tube: Odd, columns: Signals, random: np.random.Generator) -> None:
            columns[stains[marker]] += added

        return edited(edit)

    return mishap


def coincident(share: float, stains: Stains) -> Change:
    """Run too fast: a share of all events pass two at a time, beads too."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        pairs = random.permutation(len(tube.origin))[: 2 * int(share * len(tube.origin) / 2)].reshape(2, -1)
        columns = {name: column.copy() for name, column in tube.columns.items()}
        for name, column in columns.items():
            if name == HEIGHT:
                column[pairs[0]] = 1.06 * np.maximum(column[pairs[0]], column[pairs[1]])
            elif name != "Time":
                column[pairs[0]] += column[pairs[1]]
        return replace(tube, columns=_capped(columns)).take(np.setdiff1d(np.arange(len(tube.origin)), pairs[1]))

    return change


# ---------------------------------------------------------------- stored, exported


def above(marker: str) -> Mishap:
    """Store by a threshold on a colour that loses a share of the T cells."""

    def mishap(lost: float, stains: Stains) -> Change:
        def choose(tube: Odd, random: np.random.Generator) -> Bools:
            signal = tube.columns[stains[marker]]
            return np.asarray(signal > np.quantile(signal[of_kind(tube, "cd4", "cd8", "neither")], lost))

        return chosen(choose)

    return mishap


def within_scatter(lost: float, stains: Stains) -> Change:
    """Export a scatter gate of lymphocytes that loses a share of the T cells, and the beads beside it."""

    def choose(tube: Odd, random: np.random.Generator) -> Bools:
        t_cells = of_kind(tube, "cd4", "cd8", "neither")
        logs = [np.log(np.maximum(tube.columns[name], 1.0)) for name in (AREA, SIDE)]
        apart = sum(((one - np.median(one[t_cells])) / one[t_cells].std()) ** 2 for one in logs)
        return np.asarray((apart < np.quantile(apart[t_cells], 1 - lost)) | (tube.origin == "beads"))

    return chosen(choose)


def single_by_height(lost: float, stains: Stains) -> Change:
    """Export a narrow gate of single cells, with all beads."""

    def choose(tube: Odd, random: np.random.Generator) -> Bools:
        if HEIGHT not in tube.columns:
            return np.ones(len(tube.origin), dtype=bool)
        ratio = tube.columns[HEIGHT] / np.maximum(tube.columns[AREA], 1.0)
        low, high = np.quantile(ratio[of_kind(tube, "cd4", "cd8", "neither")], (lost / 2, 1 - lost / 2))
        return np.asarray(((ratio > low) & (ratio < high)) | (tube.origin == "beads"))

    return chosen(choose)


def only(marker: str) -> Mishap:
    """Export the cells that carry a marker, and the beads, as the tube."""

    def mishap(above: float, stains: Stains) -> Change:
        return chosen(lambda tube, random: (tube.columns[stains[marker]] > above) | (tube.origin == "beads"))

    return mishap


def compensated_again(share: float, stains: Stains) -> Change:
    """Take neighbours' light away once more: a tenth of it, a thirtieth of the next one's, times a share."""

    def edit(tube: Odd, columns: Signals, random: np.random.Generator) -> None:
        names = list(stains.values())
        apart = np.abs(np.subtract.outer(np.arange(len(names)), np.arange(len(names))))
        matrix = np.where(apart == 0, 1.0, share * 0.12 * 0.35 ** (apart - 1.0))
        seen = np.column_stack([columns[name] for name in names]) @ np.linalg.inv(matrix)
        columns |= dict(zip(names, seen.T, strict=True))

    return edited(edit)


def thinned(share: float, stains: Stains) -> Change:
    """Export a share of the events, drawn by chance."""
    return chosen(lambda tube, random: random.random(len(tube.origin)) < share)


def twice_in_the_file(share: float, stains: Stains) -> Change:
    """Append a share of the file to itself."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        n = len(tube.origin)
        return tube.take(np.r_[np.arange(n), np.arange(int(share * n))])

    return change


def clipped(floor: float, stains: Stains) -> Change:
    """Export values that end at a floor, as a log axis does."""

    def edit(tube: Odd, columns: Signals, random: np.random.Generator) -> None:
        for name in stains.values():
            columns[name] = np.maximum(columns[name], floor)

    return edited(edit)
