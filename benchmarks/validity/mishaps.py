"""What a tired technician and an old cytometer do to tubes, on every bundled panel.

Written at once, and looked at once before anything was mended. A change knows a tube by its columns, by what each event
is, and by the detector of each marker, so that it fits the CAR tubes of ``tubes`` as it fits those of ``panels``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from benchmarks.validity.odd import Change, Odd, brighter
from benchmarks.validity.panels import Fault, Panel
from benchmarks.validity.silent import Kind, with_car
from benchmarks.validity.tubes import STAINS, TOP, Bools, Floats

Stains = Mapping[str, str]
"""The detector of each marker."""
Mishap = Callable[[float, Stains], Change]
AREA, HEIGHT, SIDE = "FSC-A", "FSC-H", "SSC-A"
LYMPHOID = ("cd4", "cd8", "neither", "nk", "b")


def _of(tube: Odd, *starts: str) -> Bools:
    """Return the events whose kind begins with one of some words."""
    return np.asarray(np.any([np.char.startswith(tube.origin.astype("U24"), start) for start in starts], axis=0))


def _t_cells(tube: Odd) -> Bools:
    return _of(tube, "cd4", "cd8", "neither")


def _own_light(random: np.random.Generator, n: int) -> Floats:
    return random.normal(60, 70, n)


def _capped(columns: Mapping[str, Floats]) -> dict[str, Floats]:
    return {name: column if name == "Time" else np.minimum(column, TOP) for name, column in columns.items()}


def _some(mask: Bools, share: float, random: np.random.Generator) -> Bools:
    return np.asarray(mask & (random.random(len(mask)) < share))


# ---------------------------------------------------------------- the cytometer


def another_matrix(error: float, stains: Stains, *, transposed: bool = False) -> Change:
    """Compensate with the matrix of another day: each entry off by its own factor, ``error`` its standard deviation.

    Neighbours spill a tenth, dyes further apart less.
    """

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        names = list(stains.values())
        apart = np.abs(np.subtract.outer(np.arange(len(names)), np.arange(len(names))))
        spill = np.where(apart == 0, 1.0, 0.12 * 0.35 ** (apart - 1.0) * random.lognormal(0, 0.4, apart.shape))
        np.fill_diagonal(spill, 1.0)
        off = spill - np.eye(len(names))
        other = error * off.T + (1 - error) * off if transposed else off * (1 + error * random.normal(0, 1, off.shape))
        seen = (
            np.column_stack([tube.columns[name] for name in names]) @ spill @ np.linalg.inv(np.eye(len(names)) + other)
        )
        return replace(tube, columns=_capped({**tube.columns, **dict(zip(names, seen.T, strict=True))}))

    return change


def transposed_matrix(share: float, stains: Stains) -> Change:
    """Compensate with so much of the matrix' transpose."""
    return another_matrix(share, stains, transposed=True)


def half_way(marker: str) -> Mishap:
    """Lower the voltage of one colour half way through the tube."""

    def mishap(factor: float, stains: Stains) -> Change:
        def change(tube: Odd, random: np.random.Generator) -> Odd:
            late = np.arange(len(tube.origin)) > 0.5 * len(tube.origin)
            name = stains[marker]
            column = np.where(late, np.minimum(factor * tube.columns[name], TOP), tube.columns[name])
            return replace(tube, columns={**tube.columns, name: column})

        return change

    return mishap


def clogged(lost: float, stains: Stains) -> Change:
    """Let beads pass and cells not, in a stretch of the run, so that a share of the cells is lost; then all is well."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        place = np.arange(len(tube.origin)) / len(tube.origin)
        stretch = (place > 0.3) & (place < min(0.95, 0.3 + 1.1 * lost))
        return tube.take(np.flatnonzero(~(stretch & (tube.origin != "beads") & (random.random(len(place)) < 0.9))))

    return change


def bubbles(share: float, stains: Stains) -> Change:
    """Scatter a share of the events' scatter: a partly clogged nozzle and an unsteady stream."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        factor = np.where(random.random(len(tube.origin)) < share, random.lognormal(0, 0.5, len(tube.origin)), 1.0)
        columns = {
            name: column * factor if name in (AREA, HEIGHT, SIDE) else column for name, column in tube.columns.items()
        }
        return replace(tube, columns=_capped(columns))

    return change


def heights_spread(spread: float, stains: Stains) -> Change:
    """Let the laser's delay drift: height over area varies by so much (of ln)."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        if HEIGHT not in tube.columns:
            return tube
        height = tube.columns[HEIGHT] * random.lognormal(0, spread, len(tube.origin))
        return replace(tube, columns=_capped({**tube.columns, HEIGHT: height}))

    return change


def blue_laser_weak(factor: float, stains: Stains) -> Change:
    """Let the laser that excites CD3 and its neighbour be weaker: cells and beads alike."""
    names = list(stains.values())
    return brighter(names[: max(2, len(names) // 2)], factor)


# ---------------------------------------------------------------- the bench


def beads_settled(lost: float, stains: Stains) -> Change:
    """Vortex the beads badly: a share of them stays at the bottom, and is drawn last."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        place = np.arange(len(tube.origin)) / len(tube.origin)
        missing = (tube.origin == "beads") & (random.random(len(place)) < np.clip(2 * lost * (1 - place), 0, 1))
        return tube.take(np.flatnonzero(~missing))

    return change


def stains_exchanged(first: str, second: str) -> Mishap:
    """Pipette two antibodies into each other's place: ``share`` is how bright the first dye is beside the second."""

    def mishap(share: float, stains: Stains) -> Change:
        def change(tube: Odd, random: np.random.Generator) -> Odd:
            one, other, beads = stains[first], stains[second], tube.origin == "beads"
            a, b = tube.columns[one], tube.columns[other]
            columns = {one: np.where(beads, a, share * b), other: np.where(beads, b, a / share)}
            return replace(tube, columns=_capped({**tube.columns, **columns}))

        return change

    return mishap


def tandem_breaks(tandem: str, into: str) -> Mishap:
    """Let an expired tandem shine in its donor's detector: a share of its light, by another factor in each cell."""

    def mishap(share: float, stains: Stains) -> Change:
        def change(tube: Odd, random: np.random.Generator) -> Odd:
            source, cells = tube.columns[stains[tandem]], tube.origin != "beads"
            light = share * np.where(cells, np.maximum(source, 0), 0) * random.lognormal(0, 0.4, len(source))
            columns = {stains[into]: tube.columns[stains[into]] + light, stains[tandem]: source - light}
            return replace(tube, columns=_capped({**tube.columns, **columns}))

        return change

    return mishap


def aggregates(marker: str) -> Mishap:
    """Let clumps of a reagent stick to a share of all leukocytes, whatever they are."""

    def mishap(share: float, stains: Stains) -> Change:
        def change(tube: Odd, random: np.random.Generator) -> Odd:
            hit = _some(~_of(tube, "beads", "debris"), share, random)
            light = np.where(hit, random.gamma(2.0, 1500, len(hit)), 0.0)
            name = stains[marker]
            return replace(tube, columns=_capped({**tube.columns, name: tube.columns[name] + light}))

        return change

    return mishap


def one_marker_left_out(marker: str) -> Mishap:
    """File the tube that lacks one antibody (its FMO) as the sample."""

    def mishap(_: float, stains: Stains) -> Change:
        def change(tube: Odd, random: np.random.Generator) -> Odd:
            name = stains[marker]
            bare = np.where(tube.origin == "beads", tube.columns[name], _own_light(random, len(tube.origin)))
            return replace(tube, columns={**tube.columns, name: bare})

        return change

    return mishap


def red_cells(times: float, stains: Stains) -> Change:
    """Let lysis fail: so many red cells for each leukocyte, and of the leukocytes an eighth as many pass with one."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        cells = np.flatnonzero(~_of(tube, "beads", "debris"))
        n, old = int(times * len(cells)), len(tube.origin)
        rows = np.r_[np.arange(old), random.choice(cells, n)]
        columns = {name: column[rows].copy() for name, column in tube.columns.items()}
        fsc = 38e3 * random.lognormal(0, 0.28, n)
        new = {AREA: fsc, HEIGHT: 0.88 * fsc, SIDE: 11e3 * random.lognormal(0, 0.3, n)}
        beside = cells[random.random(len(cells)) < min(0.5, times / 8)]
        for name, column in columns.items():
            if name in new:
                column[old:] = new[name]
                column[beside] += (
                    38e3
                    * random.lognormal(0, 0.28, len(beside))
                    * (0.25 if name == SIDE else 1.0)
                    * (0.15 if name == HEIGHT else 1.0)
                )
            elif name != "Time":
                column[old:] = _own_light(random, n)
        origin = np.r_[tube.origin, np.full(n, "red cells")]
        return replace(tube, columns=_capped(columns), origin=origin).take(random.permutation(len(rows)))

    return change


def clotted(lost: float, stains: Stains) -> Change:
    """Let a share of the leukocytes lie in clots, of which small ones, off the scale, pass."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        gone = random.permutation(np.flatnonzero(_some(~_of(tube, "beads", "debris"), lost, random)))
        seen = gone[: len(gone) // 12]
        columns = {name: column.copy() for name, column in tube.columns.items()}
        for name, column in columns.items():
            if name != "Time":
                column[seen] = TOP if name == AREA else np.minimum(column[seen] * random.uniform(2, 8, len(seen)), TOP)
        return replace(tube, columns=columns).take(np.setdiff1d(np.arange(len(tube.origin)), gone[len(seen) :]))

    return change


# ---------------------------------------------------------------- the specimen


def aged(share: float, stains: Stains) -> Change:
    """Let the specimen stand for two days: granulocytes lose grain, T cells CD3, a share of all dies or falls apart."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        granulocytes, lymphoid = _of(tube, "granulocytes"), _of(tube, *LYMPHOID)
        columns = {name: column.copy() for name, column in tube.columns.items()}
        columns[SIDE][granulocytes] *= 1 - 0.7 * share * random.random(np.count_nonzero(granulocytes))
        dying = _some(lymphoid | granulocytes, share / 3, random)
        for name, factor in {AREA: 0.75, HEIGHT: 0.75, SIDE: 1.3}.items():
            if name in columns:
                columns[name][dying] *= factor
        if "7-AAD" in stains:
            columns[stains["7-AAD"]][dying] += np.exp(
                random.uniform(np.log(400), np.log(20_000), np.count_nonzero(dying))
            )
        if "CD3" in stains:
            columns[stains["CD3"]] *= np.where(lymphoid, 1 - 0.6 * share * random.random(len(lymphoid)), 1.0)
        return replace(tube, columns=_capped(columns), origin=np.where(dying, "dead", tube.origin))

    return change


def with_monocytes(share: float, stains: Stains) -> Change:
    """Let a share of the T cells lie beside a monocyte (or a granulocyte, where there is none)."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        others = np.flatnonzero(_of(tube, "monocytes"))
        others = others if len(others) else np.flatnonzero(_of(tube, "nk", "dead"))
        t_cells = random.permutation(np.flatnonzero(_t_cells(tube)))
        first = t_cells[: int(share * len(t_cells))]
        second = random.choice(others, len(first)) if len(others) else first
        columns = {name: column.copy() for name, column in tube.columns.items()}
        for name, column in columns.items():
            if name == HEIGHT:
                column[first] = 1.06 * np.maximum(column[first], tube.columns[name][second])
            elif name != "Time":
                column[first] += tube.columns[name][second]
        return replace(tube, columns=_capped(columns))

    return change


def cd3_taken_in(share: float, stains: Stains) -> Change:
    """Let a share of the T cells that carry the CAR have taken in their CD3, down to a twentieth."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        some = _some(np.char.endswith(tube.origin.astype("U24"), "_car"), share, random)
        factor = np.where(some, 0.05, 1.0)
        return replace(tube, columns={**tube.columns, stains["CD3"]: tube.columns[stains["CD3"]] * factor})

    return change


def carried_over(share: float, stains: Stains) -> Change:
    """Begin with CAR-T cells and B cells of a tube before: a twentieth of a share of all events."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        wanted = np.flatnonzero(_of(tube, "cd8_car", "cd4_car", "b"))
        n = len(tube.origin)
        extra = random.choice(wanted, int(share * n / 20)) if len(wanted) else wanted
        place = np.r_[np.arange(n, dtype=float), np.minimum(random.exponential(0.01 * n, len(extra)), n)]
        order = np.argsort(place, kind="stable")
        columns = {name: np.r_[column, column[extra]][order] for name, column in tube.columns.items()}
        columns["Time"] = np.arange(len(order), dtype=float)
        return replace(tube, columns=columns, origin=np.r_[tube.origin, np.full(len(extra), "carried")][order])

    return change


def cd4_or_cd8_dim(marker: str) -> Mishap:
    """Stain a share of the cells that carry a marker with a fifth of it: too little antibody for so many cells."""

    def mishap(share: float, stains: Stains) -> Change:
        def change(tube: Odd, random: np.random.Generator) -> Odd:
            factor = np.where((tube.origin != "beads") & (random.random(len(tube.origin)) < share), 0.2, 1.0)
            name = stains[marker]
            return replace(tube, columns={**tube.columns, name: tube.columns[name] * factor})

        return change

    return mishap


class Listed(Struct, frozen=True):
    """A mishap, its strengths (mildest first), the panels it is of, and whether it changes what is in the tube."""

    mishap: Mishap
    strengths: tuple[float, ...]
    markers: Sequence[str] = ()
    truth_after: bool = False
    none: bool = False
    """Also in tubes without CAR-T cells."""


MISHAPS: Mapping[str, Listed] = {
    "matrix of another day": Listed(another_matrix, (0.15, 0.3, 0.6), none=True),
    "matrix transposed": Listed(transposed_matrix, (0.3, 0.6, 1.0), none=True),
    "CD3 lowered half way": Listed(half_way("CD3"), (0.7, 0.4, 0.2), ("CD3",)),
    "CD4 lowered half way": Listed(half_way("CD4"), (0.7, 0.4, 0.2), ("CD4",)),
    "CD8 lowered half way": Listed(half_way("CD8"), (0.7, 0.4, 0.2), ("CD8",)),
    "CD19 lowered half way": Listed(half_way("CD19"), (0.7, 0.4, 0.2), ("CD19",)),
    "CAR lowered half way": Listed(half_way("CAR"), (0.6, 0.3, 0.1), ("CAR",)),
    "CAR raised half way": Listed(half_way("CAR"), (1.5, 2.5, 5.0), ("CAR",), none=True),
    "clogged, then well": Listed(clogged, (0.12, 0.25, 0.4)),
    "bubbles": Listed(bubbles, (0.12, 0.3, 0.6)),
    "heights spread": Listed(heights_spread, (0.06, 0.12, 0.2)),
    "a laser is weak": Listed(blue_laser_weak, (0.6, 0.35, 0.15)),
    "beads vortexed badly": Listed(beads_settled, (0.12, 0.25, 0.4)),
    "CD4 and CD8 antibodies exchanged": Listed(stains_exchanged("CD4", "CD8"), (0.3, 0.6, 1.0), ("CD4", "CD8")),
    "CD3 and CD4 antibodies exchanged": Listed(stains_exchanged("CD3", "CD4"), (0.6, 1.0, 1.6), ("CD3", "CD4")),
    "CAR and CD56 antibodies exchanged": Listed(
        stains_exchanged("CAR", "CD56"), (0.6, 1.0, 1.6), ("CAR", "CD56"), none=True
    ),
    "CD45RA and CCR7 antibodies exchanged": Listed(
        stains_exchanged("CD45RA", "CCR7"), (0.6, 1.0, 1.6), ("CD45RA", "CCR7")
    ),
    "CD2's tandem breaks into the CAR": Listed(
        tandem_breaks("CD2", "CAR"), (0.02, 0.06, 0.2), ("CD2", "CAR"), none=True
    ),
    "CD4's tandem breaks into CD16+56": Listed(tandem_breaks("CD4", "CD16+56"), (0.05, 0.15, 0.4), ("CD4", "CD16+56")),
    "CD8's tandem breaks into its donor": Listed(tandem_breaks("CD8", "CD19"), (0.05, 0.15, 0.4), ("CD8", "CD19")),
    "CD8's tandem breaks into CD45RA": Listed(tandem_breaks("CD8", "CD45RA"), (0.05, 0.15, 0.4), ("CD8", "CD45RA")),
    "CD8's tandem breaks into TIM-3": Listed(tandem_breaks("CD8", "TIM-3"), (0.05, 0.15, 0.4), ("CD8", "TIM-3")),
    "clumps of the CAR reagent": Listed(aggregates("CAR"), (0.003, 0.01, 0.05), ("CAR",), none=True),
    "clumps of PD-1": Listed(aggregates("PD-1"), (0.06, 0.12, 0.3), ("PD-1",)),
    "CD4 left out": Listed(one_marker_left_out("CD4"), (1.0,), ("CD4",)),
    "CD45RA left out": Listed(one_marker_left_out("CD45RA"), (1.0,), ("CD45RA",)),
    "CD45 left out": Listed(one_marker_left_out("CD45"), (1.0,), ("CD45",)),
    "CD20 left out": Listed(one_marker_left_out("CD20"), (1.0,), ("CD20",)),
    "lysis failed": Listed(red_cells, (0.5, 2.0, 6.0)),
    "clotted": Listed(clotted, (0.15, 0.3, 0.6)),
    "two days old": Listed(aged, (0.3, 0.6, 1.0), truth_after=True),
    "T cells beside monocytes": Listed(with_monocytes, (0.12, 0.25, 0.5)),
    "CAR+ cells took in CD3": Listed(cd3_taken_in, (0.2, 0.5, 0.9), ("CAR", "CD3")),
    "carried over": Listed(carried_over, (0.01, 0.03, 0.1), ("CAR",)),
    "too little CD4": Listed(cd4_or_cd8_dim("CD4"), (0.15, 0.3, 0.6), ("CD4",)),
    "too little CD8": Listed(cd4_or_cd8_dim("CD8"), (0.15, 0.3, 0.6), ("CD8",)),
    "too little CD3": Listed(cd4_or_cd8_dim("CD3"), (0.15, 0.3, 0.6), ("CD3",)),
    "too little CD19": Listed(cd4_or_cd8_dim("CD19"), (0.15, 0.3, 0.6), ("CD19",)),
}


def on_car_tubes(mishaps: Mapping[str, Listed] = MISHAPS) -> dict[str, Kind]:
    """Return the mishaps of the CAR panel, as ``silent`` takes them; some in tubes without CAR-T cells as well."""
    kinds: dict[str, Kind] = {}
    for name, listed in mishaps.items():
        if set(listed.markers) <= set(STAINS):
            kind = Kind(listed.strengths, change=_with_stains(listed.mishap, STAINS), truth_after=listed.truth_after)
            kinds[name] = kind
            if listed.none:
                kinds[f"{name}, none CAR+"] = replace(kind, tube=lambda _: with_car(0.0))
    return kinds


def _with_stains(mishap: Mishap, stains: Stains) -> Callable[[float], Change]:
    return lambda strength: mishap(strength, stains)


def on_panel(panel: Panel, mishaps: Mapping[str, Listed] = MISHAPS) -> dict[str, tuple[Fault, tuple[float, ...]]]:
    """Return the mishaps of a panel with their strengths, as ``panels`` takes them."""

    def fault(mishap: Mishap) -> Fault:
        def of(strength: float) -> Callable[[Panel], Change]:
            return lambda own: mishap(strength, own.detectors)

        return of

    return {
        name: (fault(listed.mishap), listed.strengths)
        for name, listed in mishaps.items()
        if {*listed.markers} <= {*panel.detectors}
    }


TRUTH_AFTER = frozenset(name for name, listed in MISHAPS.items() if listed.truth_after)
