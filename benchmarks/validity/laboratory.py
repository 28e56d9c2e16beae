"""What happens to tubes in laboratories, beyond the kinds of ``silent``: each looked at once before a check was made.

``UNKNOWABLE`` leave no trace in the tube: they stand here so that their share is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from msgspec.structs import replace

from benchmarks.validity import odd
from benchmarks.validity.odd import CAR, T_CELLS, Change, Odd, brighter
from benchmarks.validity.silent import COLOURS, Kind, with_car
from benchmarks.validity.tubes import DIM_SPREAD, STAINS, TOP, Floats, draw

LYMPHOCYTES = (*T_CELLS, "nk", "b")


# ---------------------------------------------------------------- beads


def _beads_not_stored(channel: str, *, below: bool) -> Callable[[float], Change]:
    """Store no event below (above) a quantile of the beads in a channel."""

    def by(lost: float) -> Change:
        def change(tube: Odd, random: np.random.Generator) -> Odd:
            signal = tube.columns[channel]
            edge = np.quantile(signal[tube.origin == "beads"], lost if below else 1 - lost)
            if channel in COLOURS:  # an export that cuts the spot of beads
                return tube.take(np.flatnonzero((signal < edge) | (tube.origin != "beads")))
            return tube.take(np.flatnonzero(signal >= edge if below else signal < edge))

        return change

    return by


def _clumps(share: float) -> Change:
    """Join a share of the beads in clumps of four."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        beads = random.permutation(np.flatnonzero(tube.origin == "beads"))
        groups = beads[: 4 * int(share * len(beads) / 4)].reshape(4, -1)
        columns = {name: column.copy() for name, column in tube.columns.items()}
        for name, column in columns.items():
            if name == "FSC-H":
                column[groups[0]] *= 1.6
            elif name != "Time":
                column[groups[0]] = np.minimum(column[groups].sum(axis=0), TOP)
        return replace(tube, columns=columns).take(np.setdiff1d(np.arange(len(tube.origin)), groups[1:]))

    return change


def _cells_on_beads(share: float) -> Change:
    """Let a share of the lymphocytes stick to a bead each."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        cells = random.permutation(np.flatnonzero(np.isin(tube.origin, LYMPHOCYTES)))
        beads = random.permutation(np.flatnonzero(tube.origin == "beads"))
        n = min(int(share * len(cells)), len(beads))
        columns = {name: column.copy() for name, column in tube.columns.items()}
        for name, column in columns.items():
            if name == "FSC-H":
                column[beads[:n]] = np.maximum(column[beads[:n]], column[cells[:n]]) * 1.08
            elif name != "Time":
                column[beads[:n]] = np.minimum(column[beads[:n]] + column[cells[:n]], TOP)
        return replace(tube, columns=columns).take(np.setdiff1d(np.arange(len(tube.origin)), cells[:n]))

    return change


def _beads_of_the_well_before(share: float) -> Change:
    """Let beads of a well without cells come first."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        beads, n = np.flatnonzero(tube.origin == "beads"), len(tube.origin)
        extra = random.choice(beads, int(share * len(beads)), replace=False)
        place = np.r_[np.arange(n, dtype=float), np.minimum(random.exponential(0.01 * n, len(extra)), n)]
        return tube.take(np.r_[np.arange(n), extra][np.argsort(place, kind="stable")])

    return change


# ---------------------------------------------------------------- stains


def _own_light(random: np.random.Generator, n: int) -> Floats:
    return random.normal(60, DIM_SPREAD, n)


def _on_cells(marker: str) -> Change:
    """Leave an antibody, or the viability dye, out."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        own = _own_light(random, len(tube.origin))
        name = STAINS[marker]
        return replace(tube, columns={**tube.columns, name: np.where(tube.origin == "beads", tube.columns[name], own)})

    return change


def _without_viability(dead: float) -> Change:
    """Leave 7-AAD out, and let a share of the T cells be dead: smaller and more granular."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        some = np.isin(tube.origin, T_CELLS) & (random.random(len(tube.origin)) < dead)
        factors = {"FSC-A": 0.72, "FSC-H": 0.72, "SSC-A": 1.35}
        columns = {
            name: np.where(some, factors.get(name, 1.0) * column, column) for name, column in tube.columns.items()
        }
        shrunk = replace(tube, columns=columns, origin=np.where(some, "dead", tube.origin))
        return _on_cells("7-AAD")(shrunk, random)

    return change


def _antibodies_exchanged(_: float) -> Change:
    """Pipette the CD4 antibody of the CD8 dye, and the other way round."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        cd4, cd8, beads = tube.columns["V450-A"], tube.columns["APC-H7-A"], tube.origin == "beads"
        columns = {"V450-A": np.where(beads, cd4, 0.5 * cd8), "APC-H7-A": np.where(beads, cd8, 2 * cd4)}
        return replace(tube, columns={**tube.columns, **columns})

    return change


def _light(source: str, into: str, *, taken: bool = False) -> Callable[[float], Change]:
    """Add a share of one dye's light to another detector: a tandem that breaks (``taken``), or a wrong matrix."""

    def by(share: float) -> Change:
        def change(tube: Odd, random: np.random.Generator) -> Odd:
            light = share * np.maximum(tube.columns[source], 0) * random.lognormal(0, 0.15, len(tube.origin))
            light = np.where(tube.origin == "beads", 0.0, light)
            columns = {**tube.columns, into: np.minimum(tube.columns[into] + light, TOP)}
            if taken:
                columns[source] = columns[source] - light
            return replace(tube, columns=columns)

        return change

    return by


def _part_unstained(share: float) -> Change:
    """Let no antibody reach a share of the cells: blood at the wall of the tube."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        n = len(tube.origin)
        some = (tube.origin != "beads") & (random.random(n) < share)
        columns = {
            name: np.where(some, _own_light(random, n), column) if name in COLOURS else column
            for name, column in tube.columns.items()
        }
        return replace(tube, columns=columns)

    return change


def _part_dim(share: float) -> Change:
    """Stain a share of the cells with a twentieth to all of the antibodies."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        some = (tube.origin != "beads") & (random.random(len(tube.origin)) < share)
        factor = np.where(some, np.exp(random.uniform(np.log(0.05), 0, len(some))), 1.0)
        dyes = set(COLOURS) - {STAINS["7-AAD"]}
        return replace(tube, columns={n: c * factor if n in dyes else c for n, c in tube.columns.items()})

    return change


def _cells_of_gain(detectors: Sequence[str]) -> Callable[[float], Change]:
    """Stain cells so much brighter, and leave beads as they are: another amount of antibody."""

    def by(factor: float) -> Change:
        def change(tube: Odd, random: np.random.Generator) -> Odd:
            return brighter(detectors, factor, tuple(set(tube.origin.tolist()) - {"beads"}))(tube, random)

        return change

    return by


def _unwashed(scale: float) -> Change:
    """Leave free CAR reagent in the tube: every cell gains some."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        light = np.where(tube.origin == "beads", 0.0, random.gamma(1.2, scale, len(tube.origin)))
        return replace(tube, columns={**tube.columns, "PE-A": tube.columns["PE-A"] + light})

    return change


def _noise(spread: float) -> Change:
    """Widen the CAR detector's noise."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        return replace(
            tube, columns={**tube.columns, "PE-A": tube.columns["PE-A"] + random.normal(0, spread, len(tube.origin))}
        )

    return change


def _car_taken_in(share: float) -> Change:
    """Let a share of the CAR-T cells have taken in their CAR."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        some = np.isin(tube.origin, CAR) & (random.random(len(tube.origin)) < share)
        own = _own_light(random, len(some))
        return replace(tube, columns={**tube.columns, "PE-A": np.where(some, own, tube.columns["PE-A"])})

    return change


def _cd3_on_b_cells(share: float) -> Change:
    """Let a share of the B and NK cells carry half of a T cell's CD3."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        some = np.isin(tube.origin, ("b", "nk")) & (random.random(len(tube.origin)) < share)
        cd3 = np.where(some, 2600 * random.lognormal(0, 0.3, len(some)), 0.0)
        return replace(tube, columns={**tube.columns, "FITC-A": tube.columns["FITC-A"] + cd3})

    return change


# ---------------------------------------------------------------- what was acquired


def _with_red_cells(share: float) -> Change:
    """Let a share of the T cells pass the laser with a red cell."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        some = np.isin(tube.origin, T_CELLS) & (random.random(len(tube.origin)) < share)
        added = {"FSC-A": 45e3 * random.lognormal(0, 0.3, len(some)), "SSC-A": np.full(len(some), 12e3)}
        columns = {name: column + np.where(some, added.get(name, 0.0), 0.0) for name, column in tube.columns.items()}
        return replace(tube, columns=columns)

    return change


def _cells_settle(share: float) -> Change:
    """Let cells settle while beads stay: ever fewer of them are drawn."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        place = np.arange(len(tube.origin)) / len(tube.origin)
        lost = (tube.origin != "beads") & (random.random(len(place)) < 2 * share * place)
        return tube.take(np.flatnonzero(~lost))

    return change


def _another_tube_first(share: float) -> Change:
    """Begin the file with cells and beads of another tube."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        other = odd.whole(draw(with_car(0.4), random))
        first = np.arange(int(share * len(tube.origin)))
        columns = {name: np.r_[other.columns[name][first], column] for name, column in tube.columns.items()}
        origin = np.r_[np.char.add("other ", other.origin[first].astype("U20")), tube.origin.astype("U26")]
        return replace(tube, columns=columns, origin=origin).take(np.arange(len(origin)))

    return change


def _fragments(share: float) -> Change:
    """Add fragments of T cells, as many as a share of these, of two fifths of their size and stains."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        t_cells = np.flatnonzero(np.isin(tube.origin, T_CELLS))
        rows = np.r_[np.arange(len(tube.origin)), random.choice(t_cells, int(share * len(t_cells)))]
        factor = np.where(np.arange(len(rows)) < len(tube.origin), 1.0, 0.4)
        columns = {name: column[rows] * factor for name, column in tube.columns.items()}
        origin = np.where(factor < 1, "fragments", tube.origin[rows])
        return replace(tube, columns=columns, origin=origin).take(random.permutation(len(rows)))

    return change


def _none(kind: Kind) -> Kind:
    """Return the kind in tubes without CAR-T cells."""
    return replace(kind, tube=lambda _: with_car(0.0))


def _of(strengths: tuple[float, ...], change: Callable[[float], Change]) -> Kind:
    return Kind(strengths, change=change)


_PE_CY7 = _of((0.02, 0.05, 0.15), _light("PE-Cy7-A", "PE-A", taken=True))
_FITC = _of((0.01, 0.03, 0.08), _light("FITC-A", "PE-A"))
KINDS: Mapping[str, Kind] = {
    "beads below the threshold": _of((0.15, 0.3, 0.5), _beads_not_stored("FSC-H", below=True)),
    "beads above a storage gate": _of((0.15, 0.3, 0.5), _beads_not_stored("SSC-A", below=False)),
    "beads cut by an export": _of((0.15, 0.3, 0.5), _beads_not_stored("V450-A", below=False)),
    "beads in clumps of four": _of((0.12, 0.25, 0.5), _clumps),
    "cells on beads": _of((0.06, 0.12, 0.25), _cells_on_beads),
    "beads of the well before": _of((0.15, 0.3, 1.0), _beads_of_the_well_before),
    "viability dye left out": replace(_of((0.15, 0.3, 0.6), _without_viability), truth_after=True),
    "CD4 left out": _of((1.0,), lambda _: _on_cells("CD4")),
    "CD8 left out": _of((1.0,), lambda _: _on_cells("CD8")),
    "CD3 left out": _of((1.0,), lambda _: _on_cells("CD3")),
    "antibodies of CD4 and CD8 exchanged": _of((1.0,), _antibodies_exchanged),
    "PE-Cy7 breaks down": _PE_CY7,
    "PE-Cy7 breaks down, none CAR+": _none(_PE_CY7),
    "FITC into the CAR's detector": _FITC,
    "FITC into the CAR's detector, none CAR+": _none(_FITC),
    "APC-H7 into the viability detector": _of((0.03, 0.1, 0.3), _light("APC-H7-A", "PerCP-Cy5-5-A")),
    "APC-H7 into the CAR's detector": _of((0.005, 0.02, 0.05), _light("APC-H7-A", "PE-A")),
    "a part not stained": _of((0.12, 0.25, 0.5), _part_unstained),
    "a part dimly stained": _of((0.12, 0.25, 0.5), _part_dim),
    "all antibodies of another amount": _of((0.6, 0.35, 0.2, 1.7, 3.0), _cells_of_gain(COLOURS)),
    "CAR reagent of another amount": _of((0.6, 0.4, 0.25), _cells_of_gain(("PE-A",))),
    "reagent not washed off": _of((30.0, 100.0, 300.0), _unwashed),
    "reagent not washed off, none CAR+": _none(_of((30.0, 100.0, 300.0), _unwashed)),
    "noise of the CAR's detector, none CAR+": _none(_of((100.0, 200.0, 400.0), _noise)),
    "CD3 on B and NK cells": _of((0.3, 0.6, 1.0), _cd3_on_b_cells),
    "cells with red cells": _of((0.12, 0.25, 0.5), _with_red_cells),
    "cells settle": _of((0.12, 0.25, 0.4), _cells_settle),
    "another tube first": _of((0.1, 0.2, 0.4), _another_tube_first),
    "fragments": _of((0.15, 0.3, 0.6), _fragments),
}
UNKNOWABLE: Mapping[str, Kind] = {
    "CAR taken in": _of((0.15, 0.3, 0.6), _car_taken_in),
    "CAR reagent left out": _of((1.0,), lambda _: _on_cells("CAR")),
}
