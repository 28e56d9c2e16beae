"""Tubes of the other bundled templates in which one thing is wrong: TBNK, T and B cells, memory, exhaustion, products.

Two generators: panels of stained cells drawn here, and, where its panel serves, ``cytocar.simulate`` with other labels.
A tube is silently wrong if it is ``ok`` and T cells, CD4/CD8, or a population of ``ALSO`` is off.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache

import numpy as np
from msgspec import Struct, field
from msgspec.structs import replace

from benchmarks.validity import odd
from benchmarks.validity.odd import Change, Odd, brighter, commonest, median_text, pairs_of_cells, table
from benchmarks.validity.tubes import TOP, Floats
from cytocar.errors.tree import SampleError
from cytocar.gates.decision import ReferenceEvents
from cytocar.sample.analysis import quantify
from cytocar.sample.control_signals import references_from
from cytocar.sample.result import SampleResult
from cytocar.sheet.rows import SampleType
from cytocar.simulate import Blood, Preparation, blood_tube
from cytocar.template.load import load_template

HEAD = (
    "template",
    "kind",
    "strength",
    "tubes",
    "ok",
    "review",
    "no count",
    "silent errors",
    "T/true",
    "CD4/CD8",
    "codes",
)
VOLUME_UL, BEADS = 50.0, 6000
LARGEST_ERROR, LARGEST_POINTS = 0.10, 5.0
"""Of T cells, of CD4/CD8, of B and NK cells; percentage points of the subsets of T cells."""
CD4, CD8 = ("cd4", "cd4_car"), ("cd8", "cd8_car")
T_CELLS = (*CD4, *CD8, "neither")
SCATTER = ("FSC-A", "FSC-H", "SSC-A")


class Cells(Struct, frozen=True):
    """One kind of cell: how many, where it scatters (median FSC and SSC, their CV), what it carries (medians).

    ``shares`` are of a marker that part of the cells carry, each with its median; ``spread`` is that of ln of stains.
    """

    events: int
    fsc: float
    ssc: float
    stains: Mapping[str, float]
    shares: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    cv: float = 0.12
    spread: float = 0.28


class Panel(Struct, frozen=True):
    """A template's stains by detector, the cells of its tube, and what else is compared with the truth."""

    template: str
    detectors: Mapping[str, str]
    cells: Mapping[str, Cells]
    labels: Mapping[str, str] = field(default_factory=dict)
    heights: bool = True
    beads: bool = True
    specimen: str = "blood"
    also: tuple[str, ...] = ()
    control: tuple[str, ...] = ()
    """Markers that a control tube lacks."""
    counted: tuple[str, ...] = T_CELLS
    """The cells whose number per µL is looked at."""

    @property
    def colours(self) -> tuple[str, ...]:
        """Detectors of all stains."""
        return tuple(self.detectors.values())


def _t_cells(
    cd4: Mapping[str, float], cd8: Mapping[str, float], n: int, **shares: tuple[float, float]
) -> dict[str, Cells]:
    return {
        "cd4": Cells(int(0.58 * n), 92e3, 36e3, cd4, shares),
        "cd8": Cells(int(0.36 * n), 92e3, 37e3, cd8, shares, spread=0.35),
        "neither": Cells(int(0.06 * n), 95e3, 40e3, {name: v for name, v in cd4.items() if name != "CD4"}, shares),
    }


def _blood(n: int, cd45: float | None, **stains: float) -> dict[str, Cells]:
    """The cells beside the T cells of lysed blood."""

    def with_45(part: float) -> dict[str, float]:
        return {} if cd45 is None else {"CD45": part * cd45}

    return {
        "nk": Cells(
            n // 6, 96e3, 39e3, {**with_45(1.05), **{m: v for m, v in stains.items() if m == "CD16+56"}, "CD8": 260}
        ),
        "b": Cells(n // 7, 86e3, 34e3, {**with_45(0.8), **{m: v for m, v in stains.items() if m == "CD19"}}),
        "monocytes": Cells(n // 4, 150e3, 90e3, {**with_45(0.6), "CD4": 500, "CD3": 90}),
        "granulocytes": Cells(2 * n, 160e3, 180e3, {**with_45(0.18), "CD3": 220}, cv=0.16),
        "debris": Cells(n // 3, 14e3, 10e3, with_45(0.006), cv=0.5),
    }


PANELS: Mapping[str, Panel] = {
    "tbnk": Panel(
        "tbnk",
        {
            "CD3": "FITC-A",
            "CD16+56": "PE-A",
            "CD45": "PerCP-Cy5-5-A",
            "CD4": "PE-Cy7-A",
            "CD19": "APC-A",
            "CD8": "APC-H7-A",
        },
        {
            name: replace(cells, ssc=cells.ssc / 3)
            for name, cells in {
                **_t_cells(
                    {"CD3": 4800, "CD45": 11_600, "CD4": 3600}, {"CD3": 4300, "CD45": 11_600, "CD8": 5200}, 7000
                ),
                **_blood(7000, 11_600, **{"CD16+56": 3200, "CD19": 5500}),
            }.items()
        },
        also=("b_cells", "nk_cells"),
    ),
    "tcell": Panel(
        "tcell",
        {"CD3": "FITC-A", "CD4": "PE-A", "CD8": "APC-A"},
        {
            **_t_cells({"CD3": 5200, "CD4": 4200}, {"CD3": 4600, "CD8": 11_000}, 8000),
            **_blood(8000, None),
        },
        heights=False,
    ),
    "t-memory": Panel(
        "t-memory",
        {
            "CD3": "FITC-A",
            "CCR7": "PE-A",
            "7-AAD": "PerCP-Cy5-5-A",
            "CD45RA": "APC-A",
            "CD8": "APC-H7-A",
            "CD4": "V450-A",
        },
        {
            **_t_cells(
                {"CD3": 5200, "CD4": 4200},
                {"CD3": 4600, "CD8": 11_000},
                9000,
                CD45RA=(0.45, 4500),
                CCR7=(0.55, 6000),
            ),
            **{name: cells for name, cells in _blood(9000, None).items() if name != "granulocytes"},
            "dead": Cells(700, 70e3, 55e3, {"CD3": 1500, "7-AAD": 15_000}, cv=0.22),
        },
        also=("naive", "central_memory", "effector_memory", "emra"),
    ),
    "exhaustion": Panel(
        "exhaustion",
        {
            "CD3": "FITC-A",
            "PD-1": "PE-A",
            "7-AAD": "PerCP-Cy5-5-A",
            "TIM-3": "APC-A",
            "CD8": "APC-H7-A",
            "CD4": "V450-A",
        },
        {
            **_t_cells(
                {"CD3": 5200, "CD4": 4200},
                {"CD3": 4600, "CD8": 11_000},
                9000,
                **{"PD-1": (0.35, 2600), "TIM-3": (0.15, 2200)},
            ),
            **{name: cells for name, cells in _blood(9000, None).items() if name != "granulocytes"},
            "dead": Cells(700, 70e3, 55e3, {"CD3": 1500, "7-AAD": 15_000}, cv=0.22),
        },
        also=("pd1_positive", "tim3_positive"),
        control=("PD-1", "TIM-3"),
    ),
    "product-release": Panel(
        "product-release",
        {"CD3": "FITC-A", "CAR": "PE-A", "7-AAD": "PerCP-Cy5-5-A", "CD19": "APC-A", "CD8": "APC-H7-A", "CD4": "V450-A"},
        {
            **{
                name: replace(cells, fsc=1.25 * cells.fsc, ssc=1.5 * cells.ssc, cv=0.18)
                for name, cells in _t_cells(
                    {"CD3": 5400, "CD4": 3800}, {"CD3": 4600, "CD8": 12_000}, 12_000, CAR=(0.4, 3800)
                ).items()
            },
            "nk": Cells(500, 112e3, 60e3, {"CD8": 300}, cv=0.18),
            "dead": Cells(1800, 62e3, 62e3, {"CD3": 1500, "7-AAD": 15_000}, cv=0.2),
            "debris": Cells(3000, 13e3, 10e3, {}, cv=0.5),
        },
        labels={"CAR": "CD19-Fc"},
        specimen="product",
        also=("car_t",),
        control=("CAR",),
    ),
    "bcell-aplasia": Panel(
        "bcell-aplasia",
        {"CD19": "APC-A", "CD20": "V450-A", "CD45": "V500-A", "7-AAD": "PerCP-Cy5-5-A"},
        {
            **_t_cells({"CD45": 11_600}, {"CD45": 11_600}, 7000),
            **_blood(7000, 11_600, CD19=5500),
            "b": Cells(1500, 86e3, 34e3, {"CD45": 9300, "CD19": 6000, "CD20": 8000}),
            "dead": Cells(500, 70e3, 55e3, {"CD45": 6000, "7-AAD": 15_000}, cv=0.22),
        },
        counted=("b",),
    ),
}


# ---------------------------------------------------------------- drawn


def draw(panel: Panel, random: np.random.Generator, *, stained: bool = True) -> Odd:
    """Return a tube as its file shows it; one that is not ``stained`` lacks the markers of the control."""
    parts = {name: _cells(cells, panel, random, stained=stained) for name, cells in panel.cells.items()}
    if panel.beads:
        parts["beads"] = _beads(panel, random)
    parts["doublets"] = _doublets(parts, random)
    origin = np.concatenate([np.full(len(part["FSC-A"]), name) for name, part in parts.items()])
    order = random.permutation(len(origin))
    columns = {name: np.concatenate([part[name] for part in parts.values()])[order] for name in parts["debris"]}
    columns = {name: np.minimum(column, TOP) for name, column in columns.items()}
    columns["Time"] = np.arange(len(order), dtype=float)
    if not panel.heights:
        del columns["FSC-H"]
    markers = {detector: panel.labels.get(marker, marker) for marker, detector in panel.detectors.items()}
    return Odd(columns, origin[order], markers)


def _cells(cells: Cells, panel: Panel, random: np.random.Generator, *, stained: bool) -> dict[str, Floats]:
    n = cells.events
    size = np.exp(random.logistic(0, 0.55 * cells.cv, n))  # the tails of a logistic distribution
    fsc, ssc = cells.fsc * size, cells.ssc * size**0.7 * random.lognormal(0, cells.cv, n)
    columns = {"FSC-A": fsc, "FSC-H": 0.88 * fsc * random.normal(1, 0.035, n), "SSC-A": ssc}
    for marker, detector in panel.detectors.items():
        own = random.normal(50, 60, n) + random.exponential(30, n)
        median, share = cells.stains.get(marker, 0.0), 1.0
        if marker in cells.shares:
            share, median = cells.shares[marker]
        if median and (stained or marker not in panel.control):
            shape = random.gumbel(0, 0.78 * cells.spread, n) * -1 - 0.29 * cells.spread  # a tail of dim cells
            own += np.where(random.random(n) < share, median * np.exp(shape), 0.0)
        columns[detector] = own
    return columns


def _beads(panel: Panel, random: np.random.Generator) -> dict[str, Floats]:
    load = random.lognormal(0, 0.04, BEADS)
    fsc = 34e3 * random.normal(1, 0.05, BEADS)
    columns = {"FSC-A": fsc, "FSC-H": 0.92 * fsc, "SSC-A": 85e3 * random.normal(1, 0.06, BEADS)}
    return columns | {name: 60e3 * load * random.normal(1, 0.02, BEADS) for name in panel.colours}


def _doublets(
    parts: Mapping[str, dict[str, Floats]], random: np.random.Generator, share: float = 0.008
) -> dict[str, Floats]:
    cells = [part for name, part in parts.items() if name not in ("beads", "debris")]
    pool = {name: np.concatenate([part[name] for part in cells]) for name in cells[0]}
    first, second = random.integers(0, len(pool["FSC-A"]), (2, int(share * len(pool["FSC-A"]))))
    joined = {name: column[first] + column[second] for name, column in pool.items()}
    return {**joined, "FSC-H": 1.06 * np.maximum(pool["FSC-H"][first], pool["FSC-H"][second])}


class Whole(Struct, frozen=True):
    """A tube, the panel of its file, and its matrix as the keyword holds it."""

    tube: Odd
    panel: Panel
    spillover: str


def drawn(panel: Panel, random: np.random.Generator) -> Whole:
    """Return a tube drawn here."""
    return Whole(draw(panel, random), panel, _spillover(panel))


def _spillover(panel: Panel) -> str:
    """Return a matrix that takes next to nothing away: no file has none at all, and no tube here has any spillover."""
    n = len(panel.colours)
    matrix = np.eye(n)
    matrix[0, 1] = 0.006
    return ",".join([str(n), *panel.colours, *(f"{value:g}" for value in matrix.ravel())])


def simulated(panel: Panel, seed: int) -> Whole:
    """Return a tube of ``cytocar.simulate`` under the panel's labels."""
    blood = Blood(cd4_t_cells=500, cd8_t_cells=320, double_negative_t_cells=30, nk_cells=150, granulocytes=1500)
    car = 0.0
    if panel.specimen == "product":
        blood = replace(blood, nk_cells=20, cd8_nk_cells=5, monocytes=0, granulocytes=0, activation=0.5)
        car = 500.0
    few = Preparation(drawn_share=0.25, sample_volume_ul=50)
    tube = blood_tube(car_per_ul=car, blood=blood, preparation=few, seed=seed)
    names = np.array([_kind(kind) for kind in tube.kinds], dtype="U24")
    columns = {name: column.astype(float) for name, column in tube.columns.items()}
    if (
        panel.template == "tbnk"
    ):  # at that instrument's voltage, where lymphocytes, monocytes and others lie at 1:3.6:10
        times = {"monocytes": 1.6, "granulocytes": 2.0}
        columns["SSC-A"] = columns["SSC-A"] / 3 * np.array([times.get(name, 1.0) for name in names])[tube.origin]
    if not panel.heights:
        del columns["FSC-H"]
    detectors = {marker: detector for detector, marker in tube.markers.items()}
    labels = {"tbnk": {"CD56": "CD16+56", "CD19-Fc": "CD19"}}.get(panel.template, {})
    markers = {detector: labels.get(marker, marker) for detector, marker in tube.markers.items()}
    names_of = labels or {"CD19-Fc": "CAR"}
    own = {names_of.get(marker, marker): detector for marker, detector in detectors.items()}
    seen = Odd(columns, names[tube.origin], markers)
    return Whole(
        seen,
        replace(panel, detectors=own, also=() if panel.template == "tbnk" else panel.also),
        tube.keywords["$SPILLOVER"],
    )


def _kind(kind: str) -> str:
    """Return the name that a simulator's kind of event has here."""
    for words, name in _KINDS.items():
        if kind.startswith(words):
            return name
    return kind


_KINDS = {
    "car_cd4": "cd4_car",
    "car_cd8": "cd8_car",
    "cd4_t": "cd4",
    "cd8_t": "cd8",
    "double_negative": "neither",
    "bead": "beads",
}
SIMULATED = frozenset({"tbnk", "tcell", "product-release"})
"""Panels whose markers the simulator's eight colours hold."""


# ---------------------------------------------------------------- what can be wrong

Fault = Callable[[float], Callable[[Panel], Change]]
TRUTH_AFTER = frozenset({"dead T cells", "few T cells, CD3 and CD4 dim"})
"""Kinds that change what is in the tube, not only what its file shows."""


def _gain(marker: str | None) -> Fault:
    """Make one marker, or all colours, brighter."""

    def by(factor: float) -> Callable[[Panel], Change]:
        def on(panel: Panel) -> Change:
            return brighter(panel.colours if marker is None else (panel.detectors[marker],), factor)

        return on

    return by


def _lost(marker: str, kinds: Sequence[str]) -> Fault:
    """Let a share of some cells lose a marker."""

    def by(share: float) -> Callable[[Panel], Change]:
        def on(panel: Panel) -> Change:
            def change(tube: Odd, random: np.random.Generator) -> Odd:
                some = np.isin(tube.origin, kinds) & (random.random(len(tube.origin)) < share)
                negatives = random.normal(50, 60, len(some)) + random.exponential(30, len(some))
                name = panel.detectors[marker]
                return replace(tube, columns={**tube.columns, name: np.where(some, negatives, tube.columns[name])})

            return change

        return on

    return by


def _stored_below(channel: str, *, above: bool = False) -> Fault:
    """Store no cell whose scatter is above (below) a quantile of the T cells'; beads are stored."""

    def by(lost: float) -> Callable[[Panel], Change]:
        def on(panel: Panel) -> Change:
            def change(tube: Odd, random: np.random.Generator) -> Odd:
                t_cells = np.isin(tube.origin, T_CELLS)
                signal = tube.columns[channel]
                edge = np.quantile(signal[t_cells], lost if above else 1 - lost)
                kept = (signal > edge if above else signal < edge) | (tube.origin == "beads")
                return tube.take(np.flatnonzero(kept))

            return change

        return on

    return by


def _dead(share: float) -> Callable[[Panel], Change]:
    """Let a share of the T cells be dead ones: smaller, dimmer, and bright in a viability dye where there is one."""

    def on(panel: Panel) -> Change:
        def change(tube: Odd, random: np.random.Generator) -> Odd:
            some = np.isin(tube.origin, T_CELLS) & (random.random(len(tube.origin)) < share)
            columns = dict(tube.columns)
            for name in ("FSC-A", "FSC-H"):
                if name in columns:
                    columns[name] = np.where(some, 0.7 * columns[name], columns[name])
            if "7-AAD" in panel.detectors:
                dye = panel.detectors["7-AAD"]
                columns[dye] = np.where(some, 15_000 * random.lognormal(0, 0.3, len(some)), columns[dye])
            return replace(tube, columns=columns, origin=np.where(some, "dead", tube.origin))

        return change

    return on


def _exchanged(_: float) -> Callable[[Panel], Change]:
    def on(panel: Panel) -> Change:
        def change(tube: Odd, random: np.random.Generator) -> Odd:
            other = {"CD4": "CD8", "CD8": "CD4"}
            return replace(tube, markers={name: other.get(label, label) for name, label in tube.markers.items()})

        return change

    return on


def _bead_light(factor: float) -> Callable[[Panel], Change]:
    return lambda panel: brighter(panel.colours, factor, ("beads",))


def _scatter(factor: float) -> Callable[[Panel], Change]:
    return lambda panel: brighter(SCATTER, factor)


def _few_t_cells(events: float) -> Callable[[Panel], Change]:
    """Leave so many T cells among 200,000 other events."""

    def on(panel: Panel) -> Change:
        def change(tube: Odd, random: np.random.Generator) -> Odd:
            t_cells = random.permutation(np.flatnonzero(np.isin(tube.origin, T_CELLS)))[: int(events)]
            others = np.flatnonzero(~np.isin(tube.origin, (*T_CELLS, "beads", "doublets")))
            beads = np.flatnonzero(tube.origin == "beads")
            rows = random.permutation(np.r_[t_cells, random.choice(others, 200_000), beads])
            return brighter((panel.detectors["CD3"], panel.detectors["CD4"]), 0.4)(tube.take(rows), random)

        return change

    return on


FAULTS: Mapping[str, tuple[Fault, tuple[float, ...]]] = {
    "gain of all colours": (_gain(None), (0.7, 0.4, 2.5)),
    "gain of CD3": (_gain("CD3"), (0.6, 0.3, 2.5)),
    "gain of CD4": (_gain("CD4"), (0.6, 0.3, 2.5)),
    "gain of CD8": (_gain("CD8"), (0.6, 0.3, 2.5)),
    "scatter gain": (_scatter, (0.6, 1.4, 1.8)),
    "CD3 lost": (_lost("CD3", (*CD4, *CD8)), (0.12, 0.2, 0.4)),
    "CD4 lost": (_lost("CD4", CD4), (0.15, 0.3, 0.5)),
    "CD8 lost": (_lost("CD8", CD8), (0.15, 0.3, 0.5)),
    "SSC storage gate": (_stored_below("SSC-A"), (0.12, 0.2, 0.4)),
    "FSC threshold": (_stored_below("FSC-A", above=True), (0.12, 0.2, 0.4)),
    "dead T cells": (_dead, (0.12, 0.25, 0.5)),
    "pairs of cells": (lambda share: lambda panel: pairs_of_cells(share, lambda random, n: 1.06), (0.12, 0.2, 0.35)),
    "CD4 and CD8 exchanged": (_exchanged, (1.0,)),
    "beads dimmer or brighter": (_bead_light, (0.5, 0.25, 1.8)),
    "few T cells, CD3 and CD4 dim": (_few_t_cells, (2000.0, 800.0, 300.0)),
}


def _faults(panel: Panel) -> Mapping[str, tuple[Fault, tuple[float, ...]]]:
    """Return the kinds whose markers a panel has."""
    lacks = {marker for marker in ("CD3", "CD4", "CD8") if marker not in panel.detectors}
    return {kind: fault for kind, fault in FAULTS.items() if not any(marker in kind for marker in lacks)}


# ---------------------------------------------------------------- measured


class Judged(Struct, frozen=True):
    """One tube: its status, the codes behind it, T cells and CD4/CD8 over the truth, what is wrong."""

    status: str
    codes: tuple[str, ...]
    t_ratio: float | None
    ratio: float | None
    wrong: tuple[str, ...]

    @property
    def silent(self) -> bool:
        """Whether a number is wrong and nothing asks for a look."""
        return bool(self.wrong) and self.status == "ok"


def rows(
    seeds: int,
    panels: Sequence[str] = tuple(PANELS),
    *,
    series: int = 7,
    faults: Callable[[Panel], Mapping[str, tuple[Fault, tuple[float, ...]]]] | None = None,
    truth_after: Collection[str] = TRUTH_AFTER,
    drawn_here: bool = False,
) -> Iterator[tuple[str, ...]]:
    """Yield a line per template, kind and strength, and one for all of each template."""
    for name in panels:
        panel, everything = PANELS[name], list[Judged]()
        for kind, (fault, strengths) in (faults or _faults)(panel).items():
            if (panel.beads or not kind.startswith("beads")) and (panel.heights or not kind.startswith("pairs")):
                for strength in strengths:
                    judged = [
                        judge(
                            panel,
                            fault(strength),
                            (series, seed),
                            truth_after=kind in truth_after,
                            drawn_here=drawn_here,
                        )
                        for seed in range(seeds)
                    ]
                    everything += judged
                    yield _line(name, kind, f"{strength:g}", judged)
        yield _line(name, "**all**", "", everything)


def clean_rows(seeds: int, panels: Sequence[str] = tuple(PANELS), *, series: int = 8) -> Iterator[tuple[str, ...]]:
    """Yield a line of clean tubes per template."""
    for name in panels:
        tubes = [judge(PANELS[name], lambda panel: odd.as_it_is, (series, seed)) for seed in range(seeds)]
        yield _line(name, "clean", "", tubes)


def judge(
    panel: Panel,
    fault: Callable[[Panel], Change],
    seed: tuple[int, int],
    *,
    truth_after: bool = False,
    drawn_here: bool = False,
) -> Judged:
    """Return what is reported about a tube, and what of it is wrong; every other one is of the other generator.

    But for those that are to be ``drawn_here``: the other generator's have spillover, and no stain changes alone.
    """
    random = np.random.default_rng((*seed, *panel.template.encode()))
    by_simulator = panel.template in SIMULATED and seed[1] % 2 == 1 and not drawn_here
    whole = simulated(panel, int(random.integers(2**31))) if by_simulator else drawn(panel, random)
    changed = fault(whole.panel)(whole.tube, random)
    truth = changed if truth_after else whole.tube
    added = 1.02 * whole.tube.count("beads")
    try:
        result = quantify(
            table(changed, whole.spillover, last_tick=float(changed.columns["Time"].max()) + 1.0),
            load_template(panel.template),
            specimen=panel.specimen,
            count_method="beads" if panel.beads else "none",
            beads_added=added if panel.beads else None,
            sample_volume_ul=VOLUME_UL if panel.beads else None,
            references=control(panel.template, by_simulator=by_simulator),
        )
    except SampleError as error:
        return Judged("failed", (error.code,), None, None, ())
    return _judged(whole.panel, result, truth, changed)


@cache
def control(template: str, *, by_simulator: bool) -> Mapping[str, Sequence[ReferenceEvents]] | None:
    """Return what a tube without the control's markers says; None where the template asks for none."""
    panel = PANELS[template]
    if not panel.control:
        return None
    random = np.random.default_rng(17)
    if by_simulator:
        blood = Blood(cd4_t_cells=500, cd8_t_cells=320, nk_cells=20, cd8_nk_cells=5, monocytes=0, granulocytes=0)
        few = Preparation(drawn_share=0.5, sample_volume_ul=50)
        tube = blood_tube(car_per_ul=0, blood=blood, preparation=few, seed=5).events
    else:
        drawn = draw(panel, random, stained=False)
        tube = table(drawn, _spillover(panel), last_tick=float(drawn.columns["Time"].max()) + 1.0)
    kind = SampleType.BASELINE if template == "product-release" else SampleType.FMO
    found = references_from([tube], load_template(template))
    return {name: [replace(one, kind=kind) for one in ones] for name, ones in found.items()}


def _judged(panel: Panel, result: SampleResult, truth: Odd, changed: Odd) -> Judged:
    row = result.row()
    codes = tuple(str(row["status_codes"] or "").split())
    true_t, true_ratio = truth.count(*panel.counted), truth.count(*CD4) / max(1, truth.count(*CD8))
    number = {name: value for name, value in row.items() if isinstance(value, int | float)}
    if panel.beads:
        t_cells = number.get("t_cells_per_ul" if panel.counted == T_CELLS else "b_cells_per_ul")
        t_ratio = None if t_cells is None else t_cells * VOLUME_UL / 1.02 / true_t
    else:
        t_ratio = number.get("t_cell_events", 0.0) / true_t
    ratio = number.get("cd4_cd8_ratio")
    ratio = None if ratio is None else ratio / true_ratio
    events = {one.name: one for one in result.populations}
    whole = events["t_cells"].events if "t_cells" in events else 0
    wrong = [
        name for name, one in (("T", t_ratio), ("CD4/CD8", ratio)) if one is not None and abs(one - 1) > LARGEST_ERROR
    ]
    for name in panel.also:
        if name in events and whole:
            wrong += [name] if _is_off(panel, name, events[name].events, whole, truth, t_ratio) else []
    return Judged(str(row["status"]), codes, t_ratio, ratio, tuple(wrong))


def _is_off(panel: Panel, name: str, events: int, whole: int, truth: Odd, t_ratio: float | None) -> bool:
    """Return whether a population is off: B and NK cells against T cells, subsets in points of the T cells."""
    of_kind = {"b_cells": ("b",), "nk_cells": ("nk",)}.get(name)
    if of_kind is not None:
        true = truth.count(*of_kind) / truth.count(*T_CELLS)
        return abs(events / whole / true - 1) > 1.5 * LARGEST_ERROR
    share = _true_share(panel, name, truth)
    return share is not None and abs(100 * events / whole - share) > LARGEST_POINTS


def _true_share(panel: Panel, name: str, truth: Odd) -> float | None:
    """Return the percent of the T cells that a subset is, as it was drawn."""
    if name == "car_t" and truth.count("cd4_car", "cd8_car"):
        return 100 * truth.count("cd4_car", "cd8_car") / truth.count(*T_CELLS)
    shares = {marker: share for marker, (share, _) in panel.cells["cd4"].shares.items()}
    if name in ("car_t", "pd1_positive", "tim3_positive"):
        return 100 * shares[{"car_t": "CAR", "pd1_positive": "PD-1", "tim3_positive": "TIM-3"}[name]]
    ra, homing = shares["CD45RA"], shares["CCR7"]
    return (
        100
        * {
            "naive": ra * homing,
            "central_memory": (1 - ra) * homing,
            "effector_memory": (1 - ra) * (1 - homing),
            "emra": ra * (1 - homing),
        }[name]
    )


def _line(template: str, kind: str, strength: str, judged: Sequence[Judged]) -> tuple[str, ...]:
    statuses = [one.status for one in judged]
    silent = [one for one in judged if one.silent]
    what = ", ".join(dict.fromkeys(name for one in silent for name in one.wrong))
    return (
        template,
        kind,
        strength,
        str(len(judged)),
        str(statuses.count("ok")),
        str(statuses.count("review")),
        str(len(judged) - statuses.count("ok") - statuses.count("review")),
        f"{len(silent)}{f' ({what})' if what else ''}",
        median_text([one.t_ratio for one in judged]),
        median_text([one.ratio for one in judged]),
        commonest(code for one in judged for code in dict.fromkeys(one.codes)),
    )
