"""Tubes in which something is absent or wrong, through the whole of ``cytocar gate``: what is reported about them.

Nothing here is tuned on. A row is right if its numbers are near the truth, or if it says that somebody must look.
"""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from benchmarks.validity.tubes import STAINS, TOP, Drawn, Floats, Tube, draw, spillover
from cytocar.fcs.events import EventTable
from cytocar.fcs.write import write_fcs

CD4, CD8 = ("cd4", "cd4_blasts", "cd4_car"), ("cd8", "cd8_dim_cd3", "cd8_blasts", "cd8_car")
CAR, T_CELLS = ("cd4_car", "cd8_car"), (*CD4, *CD8)
WHITE = (*T_CELLS, "nk", "b", "monocytes", "granulocytes")
NOT_LYMPHOCYTES = ("monocytes", "granulocytes")
BEADS_ADDED, BLOOD_UL = 8000.0, 50.0
"""All beads are drawn, so that a cell in the file is 1/50 cell/µL."""
MARKERS = {detector: "CD19-Fc" if marker == "CAR" else marker for marker, detector in STAINS.items()}
HEAD = (
    "tube",
    "true T and CAR+/µL",
    "T cells/µL",
    "CAR+/µL, alone and with a baseline",
    "result, alone and with a baseline",
    "status and codes",
    "off, and ok",
)
TYPICAL = Tube(t_cells=24_000, blast_share=0.1, car_share=0.02, doublet_share=0.015)


class Odd(Struct, frozen=True, eq=False):
    """A tube as its file will show it: columns, what each event is, and the file's names and keywords."""

    columns: Mapping[str, Floats]
    origin: np.ndarray
    markers: Mapping[str, str]
    spillover: bool = True

    def take(self, rows: np.ndarray) -> Odd:
        """Return some events only, on a clock of their own."""
        columns = {name: column[rows] for name, column in self.columns.items()}
        columns["Time"] = np.arange(len(columns["Time"]), dtype=float)
        return replace(self, columns=columns, origin=self.origin[rows])

    def count(self, *kinds: str) -> int:
        """Return the events of some kinds."""
        return int(np.isin(self.origin, kinds).sum())


Change = Callable[[Odd, np.random.Generator], Odd]


def brighter(detectors: Sequence[str], factor: float, kinds: Sequence[str] = ()) -> Change:
    """Return the change that makes some (or all) events brighter, and cuts at the end of the range."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        chosen = np.isin(tube.origin, kinds) if kinds else np.ones(len(tube.origin), dtype=bool)
        columns = {
            name: np.where(chosen, np.minimum(factor * column, TOP), column) if name in detectors else column
            for name, column in tube.columns.items()
        }
        return replace(tube, columns=columns)

    return change


def pairs_of_cells(share: float, height: Callable[[np.random.Generator, int], Floats | float]) -> Change:
    """Join a share of the cells two by two: areas and stains add, ``height`` is how much taller a pair is."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        cells = random.permutation(np.flatnonzero(~np.isin(tube.origin, ("beads", "debris", "doublets"))))
        first, second = np.split(cells[: 2 * int(share * len(cells) / 2)], 2)
        columns = {name: column.copy() for name, column in tube.columns.items()}
        for name, column in columns.items():
            if name == "FSC-H":
                column[first] = np.maximum(column[first], column[second]) * height(random, len(first))
            elif name != "Time":
                column[first] = np.minimum(column[first] + column[second], TOP)
        left = np.ones(len(tube.origin), dtype=bool)
        left[second] = False
        return replace(tube, columns=columns).take(np.flatnonzero(left))

    return change


def table(tube: Odd, matrix: str | None = None, *, last_tick: float | None = None) -> EventTable:
    """Return a tube's events as they would be read from its file; by itself with the matrix of the usual panel."""
    keywords = {"$TIMESTEP": "0.00001", "$SPILLOVER": spillover() if matrix is None else matrix}
    events = EventTable.from_columns(tube.columns, markers=tube.markers, keywords=keywords)
    ranges = {"Time": len(tube.origin) + 1.0 if last_tick is None else last_tick}
    channels = (replace(channel, range=ranges.get(channel.detector, TOP + 1)) for channel in events.channels)
    return replace(events, channels=tuple(channels))


def median_text(values: Sequence[float | None]) -> str:
    """Return the median of what is known, for a table."""
    known = [value for value in values if value is not None]
    return f"{np.median(known):.3f}" if known else "none"


def commonest(codes: Iterable[str]) -> str:
    """Return the five commonest codes with their numbers, for a table."""
    return " ".join(f"{code} ({count})" for code, count in Counter(codes).most_common(5))


def _only(*kinds: str) -> Change:
    return lambda odd, random: odd.take(np.flatnonzero(np.isin(odd.origin, kinds)))


def _without(*kinds: str) -> Change:
    return lambda odd, random: odd.take(np.flatnonzero(~np.isin(odd.origin, kinds)))


def _scaled(detectors: tuple[str, ...], gain: Callable[[Odd], Floats | float]) -> Change:
    def change(odd: Odd, random: np.random.Generator) -> Odd:
        factor = gain(odd)
        return replace(
            odd, columns={n: np.minimum(c * factor, TOP) if n in detectors else c for n, c in odd.columns.items()}
        )

    return change


def _unstained(odd: Odd, random: np.random.Generator) -> Odd:
    cells = ~np.isin(odd.origin, ("beads",))
    columns = dict(odd.columns)
    for detector in STAINS.values():
        columns[detector] = np.where(cells, random.normal(60, 70, len(cells)), columns[detector])
    return replace(odd, columns=columns)


def _all_dead(odd: Odd, random: np.random.Generator) -> Odd:
    cells = ~np.isin(odd.origin, ("beads", "debris"))
    seven = np.where(cells, 16_000 * np.exp(random.normal(0, 0.3, len(cells))), odd.columns["PerCP-Cy5-5-A"])
    origin = np.where(cells, "dead", odd.origin)
    return replace(odd, columns={**odd.columns, "PerCP-Cy5-5-A": seven}, origin=origin)


def _swapped(first: str, second: str) -> Change:
    def change(odd: Odd, random: np.random.Generator) -> Odd:
        other = {first: second, second: first}
        return replace(odd, markers={detector: other.get(name, name) for detector, name in odd.markers.items()})

    return change


def _swapped_names_of_detectors(odd: Odd, random: np.random.Generator) -> Odd:
    columns = {**odd.columns, "PE-A": odd.columns["APC-A"], "APC-A": odd.columns["PE-A"]}
    return replace(odd, columns=columns)


def _saturated(odd: Odd, random: np.random.Generator) -> Odd:
    car = np.isin(odd.origin, CAR)
    return replace(odd, columns={**odd.columns, "PE-A": np.where(car, TOP, odd.columns["PE-A"])})


def _identical(odd: Odd, random: np.random.Generator) -> Odd:
    first = int(np.flatnonzero(odd.origin == "cd4")[0])
    columns = {n: np.full(len(c), c[first]) if n != "Time" else c for n, c in odd.columns.items()}
    return replace(odd, columns=columns, origin=np.full(len(odd.origin), "debris"))


def _some(n: int) -> Change:
    return lambda odd, random: odd.take(np.sort(random.choice(len(odd.origin), n, replace=False)))


def bead_pairs(share: float) -> Change:
    """Join ``share`` of the bead events to pairs: each is two beads, at twice the signal."""

    def change(odd: Odd, random: np.random.Generator) -> Odd:
        beads = random.permutation(np.flatnonzero(odd.origin == "beads"))
        # of b beads, x pairs are x / (b - x) of the events
        pairs = beads[: int(share * len(beads) / (1 + share))]
        lost = beads[len(beads) - len(pairs) :]
        columns = {name: column.copy() for name, column in odd.columns.items()}
        for name, column in columns.items():
            if name != "Time":
                factor = 1.15 if name == "FSC-H" else 2.0
                column[pairs] = np.minimum(column[pairs] * factor, TOP)
        keep = np.ones(len(odd.origin), dtype=bool)
        keep[lost] = False
        return replace(odd, columns=columns).take(np.flatnonzero(keep))

    return change


def _beads_like_lymphocytes(odd: Odd, random: np.random.Generator) -> Odd:
    beads = odd.origin == "beads"
    columns = dict(odd.columns)
    for name, factor in (("FSC-A", 95 / 36), ("FSC-H", 95 / 36), ("SSC-A", 37 / 90)):
        columns[name] = np.where(beads, columns[name] * factor, columns[name])
    return replace(odd, columns=columns)


def _dim_beads(odd: Odd, random: np.random.Generator) -> Odd:
    """Beads as bright as T cells are in CD4 and CD8: the lot of another kit."""
    return _scale_kinds(odd, ("beads",), tuple(STAINS.values()), 0.2)


def _scale_kinds(odd: Odd, kinds: tuple[str, ...], detectors: tuple[str, ...], factor: float) -> Odd:
    chosen = np.isin(odd.origin, kinds)
    return replace(
        odd, columns={n: np.where(chosen, c * factor, c) if n in detectors else c for n, c in odd.columns.items()}
    )


def _beads_stop(odd: Odd, random: np.random.Generator) -> Odd:
    late = np.arange(len(odd.origin)) > 0.5 * len(odd.origin)
    return odd.take(np.flatnonzero(~(late & (odd.origin == "beads"))))


def _bead_clump(odd: Odd, random: np.random.Generator) -> Odd:
    """A quarter more beads than were counted into the tube, within a hundredth of the run."""
    rows = np.flatnonzero(odd.origin == "beads")
    clump = random.choice(rows, len(rows) // 4, replace=False)
    place = np.r_[np.arange(len(odd.origin), dtype=float), random.uniform(0.40, 0.41, len(clump)) * len(odd.origin)]
    everything = np.r_[np.arange(len(odd.origin)), clump]
    return odd.take(everything[np.argsort(place, kind="stable")])


def _carried_over(odd: Odd, random: np.random.Generator) -> Odd:
    """150 CAR-T cells of the tube before, within the first fiftieth of the run."""
    before = draw(Tube(t_cells=24_000, car_share=0.4), random)
    rows = np.flatnonzero(before.is_one_of(*CAR))[:150]
    n = len(odd.origin)
    place = np.r_[np.arange(n, dtype=float), np.minimum(random.exponential(0.01 * n, len(rows)), n)]
    order = np.argsort(place, kind="stable")
    columns = {name: np.r_[column, before.events.column(name)[rows]][order] for name, column in odd.columns.items()}
    columns["Time"] = np.arange(len(order), dtype=float)
    return replace(odd, columns=columns, origin=np.r_[odd.origin, np.full(len(rows), "carried")][order])


def _ramp(detectors: tuple[str, ...], last: float) -> Change:
    return _scaled(detectors, lambda odd: np.linspace(1.0, last, len(odd.origin)))


def _step(detectors: tuple[str, ...], factor: float, *, at: float) -> Change:
    return _scaled(detectors, lambda odd: np.where(np.arange(len(odd.origin)) > at * len(odd.origin), factor, 1.0))


def _spillover_missing(odd: Odd, random: np.random.Generator) -> Odd:
    return replace(odd, spillover=False)


def as_it_is(odd: Odd, random: np.random.Generator) -> Odd:
    """Change nothing."""
    return odd


COLOURS = tuple(STAINS.values())
CASES: Mapping[str, tuple[Tube, Change]] = {
    "clean, 2 % CAR+": (TYPICAL, as_it_is),
    "clean, no CAR+": (replace(TYPICAL, car_share=0.0), as_it_is),
    "clean, 0.1 % CAR+": (replace(TYPICAL, car_share=0.001), as_it_is),
    "90 % CAR+": (replace(TYPICAL, car_share=0.9, blast_share=0.05), as_it_is),
    "no beads": (TYPICAL, _without("beads")),
    "no lymphocytes": (TYPICAL, _without(*T_CELLS, "nk", "b", "doublets")),
    "no T cells": (TYPICAL, _without(*T_CELLS, "doublets")),
    "no CD4": (TYPICAL, _without(*CD4)),
    "no CD8": (TYPICAL, _without(*CD8)),
    "nothing bright in CD45": (TYPICAL, _only("granulocytes", "debris", "beads")),
    "no dead cells": (TYPICAL, _without("dead")),
    "only dead cells": (TYPICAL, _all_dead),
    "only beads": (TYPICAL, _only("beads")),
    "only debris": (TYPICAL, _only("debris")),
    "unstained": (TYPICAL, _unstained),
    "CAR and CD56 swapped in $PnS": (TYPICAL, _swapped("CD19-Fc", "CD56")),
    "PE and APC swapped in $PnN": (TYPICAL, _swapped_names_of_detectors),
    "CD4 and CD8 swapped": (TYPICAL, _swapped("CD4", "CD8")),
    "spillover missing": (TYPICAL, _spillover_missing),
    "CAR channel saturated": (TYPICAL, _saturated),
    "all events identical": (TYPICAL, _identical),
    "200 events in all": (TYPICAL, _some(200)),
    "30 % doublets": (replace(TYPICAL, doublet_share=0.43), as_it_is),
    "gain drifts by -20 %": (TYPICAL, _ramp(COLOURS, 0.8)),
    "gain drifts by -40 %": (TYPICAL, _ramp(COLOURS, 0.6)),
    "CAR gain x1.6 from 60 % on": (TYPICAL, _step(("PE-A",), 1.6, at=0.6)),
    "CAR gain x1.6 from 60 % on, no CAR+": (replace(TYPICAL, car_share=0.0), _step(("PE-A",), 1.6, at=0.6)),
    "all gains x0.7 from 40 % on": (TYPICAL, _step(COLOURS, 0.7, at=0.4)),
    "10 % of bead events are pairs": (TYPICAL, bead_pairs(0.10)),
    "beads x1.5": (replace(TYPICAL, bead_shift=1.5), as_it_is),
    "beads x2": (replace(TYPICAL, bead_shift=2.0), as_it_is),
    "beads x0.5": (replace(TYPICAL, bead_shift=0.5), as_it_is),
    "beads x3": (replace(TYPICAL, bead_shift=3.0), as_it_is),
    "beads as dim as T cells": (TYPICAL, _dim_beads),
    "beads scatter like lymphocytes": (TYPICAL, _beads_like_lymphocytes),
    "beads stop at half time": (TYPICAL, _beads_stop),
    "a clump of beads": (TYPICAL, _bead_clump),
    "carry-over into 0.1 % CAR+": (replace(TYPICAL, car_share=0.001), _carried_over),
    "carry-over into no CAR+": (replace(TYPICAL, car_share=0.0), _carried_over),
}


def make(name: str, seed: int = 5) -> Odd:
    """Return a case's tube."""
    tube, change = CASES[name]
    random = np.random.default_rng((seed, *name.encode()))
    return change(whole(draw(tube, random)), random)


def whole(drawn: Drawn) -> Odd:
    """Return a drawn tube with the columns and names of its file."""
    columns = {channel.detector: drawn.events.column(channel) for channel in drawn.events.channels}
    return Odd(columns, drawn.origin, MARKERS)


def write(odd: Odd, path: Path) -> None:
    """Write the tube as an FCS file of 100,000 ticks a second."""
    keywords = {"$TIMESTEP": "0.00001"}
    if odd.spillover:
        keywords["$SPILLOVER"] = spillover()
    write_fcs(path, odd.columns, markers=odd.markers, ranges={"Time": len(odd.origin) + 1.0}, keywords=keywords)


def rows() -> Iterator[tuple[str, ...]]:
    """Yield the line of each case, gated without and with a baseline of the same subject."""
    with TemporaryDirectory() as folder:
        tubes = {name: make(name) for name in CASES}
        alone, paired = (_gated(tubes, Path(folder), with_baseline=wanted) for wanted in (False, True))
        for name, odd in tubes.items():
            yield _line(name, odd, (alone[name], paired[name]))


def _gated(tubes: Mapping[str, Odd], folder: Path, *, with_baseline: bool) -> Mapping[str, Mapping[str, str]]:
    """Return the lines of counts.csv by case."""
    sheet = ["file,sample_id,sample_type,subject_id,day,count_method,sample_volume_ul,beads_added"]
    subject = "P1" if with_baseline else ""
    if with_baseline:
        control = Tube(t_cells=60_000, blast_share=0.0)
        write(whole(draw(control, np.random.default_rng(11))), folder / "baseline.fcs")
        sheet.append(f"baseline.fcs,baseline,baseline,{subject},-7,beads,{BLOOD_UL:g},{BEADS_ADDED:g}")
    for number, (name, odd) in enumerate(tubes.items()):
        write(odd, folder / f"{number}.fcs")
        sheet.append(f'{number}.fcs,"{name}",sample,{subject},{number},beads,{BLOOD_UL:g},{BEADS_ADDED:g}')
    (folder / "sheet.csv").write_text("\n".join(sheet) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "cytocar", "gate", "sheet.csv", "-t", "cart-cd19fc", "--format", "csv", "-q"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if "Traceback" in done.stderr:
        raise RuntimeError(done.stderr)
    return {row["sample_id"]: row for row in csv.DictReader(done.stdout.splitlines())}


def _line(name: str, odd: Odd, found: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    true_t, true_car = odd.count(*T_CELLS) / BLOOD_UL, odd.count(*CAR) / BLOOD_UL
    off = [
        row["status"] == "ok"
        and (_off(row["t_cells_per_ul"], true_t, 0.05) or _off(row["car_per_ul"], true_car, 0.10, slack=0.3))
        for row in found
    ]
    return (
        name,
        f"{true_t:.4g}, {true_car:.3g}",
        _both(_short(row["t_cells_per_ul"], 4) for row in found),
        ", ".join(_short(row["car_per_ul"], 3) for row in found),
        _both(row["car_result"] or "none" for row in found),
        _both(f"{row['status']} {row['status_codes']}".strip() for row in found),
        _both("OFF" if one else "" for one in off) if any(off) else "",
    )


def _both(words: Iterable[str]) -> str:
    """Return what is said without and with a baseline, once where it is the same."""
    return ", ".join(word or "-" for word in dict.fromkeys(words))


def _off(counted: str, true: float, tolerance: float, *, slack: float = 0.0) -> bool:
    """Return whether a count is off by more than a share of the truth, and a slack in cells/µL."""
    return bool(counted) and abs(float(counted) - true) > tolerance * true + slack


def _short(number: str, digits: int) -> str:
    return f"{float(number):.{digits}g}" if number else "none"
