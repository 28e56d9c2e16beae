"""What is said about a run: steps of a signal, beads that leave the cells, cells of the tube before, and real files."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.validity.tubes import STAINS, Tube, draw
from cytocar.errors.tree import CytocarError
from cytocar.fcs.reader import open_fcs
from cytocar.sample.quality.acquisition import bead_evenness, start_findings
from cytocar.sample.quality.flow import Floats, flow_quality, time_quality

STEPS_HEAD = ("gain after the step", "runs", "a step of that size", "another size", "a drift", "cut only", "nothing")
EVEN_HEAD = ("beads", "1000 beads", "5000 beads", "20,000 beads")
START_HEAD = ("CAR-T cells of the tube, and carried over", "runs", "found")
REAL_HEAD = ("file", "events", "the flow over time")
STRETCHES = 1000
PLACE = np.linspace(0, 1, STRETCHES)
CELLS = 50_000
Rate = npt.NDArray[np.float64]


def step_rows(tubes: int) -> Iterator[tuple[str, ...]]:
    """Yield how often a step of one detector is found, over detectors, places and tubes."""
    detectors = (*STAINS.values(), "FSC-A", "SSC-A")
    for gain in (1.0, 1.1, 1.2, 1.3, 1.6, 0.8, 0.6):
        said: Counter[str] = Counter()
        for number in range(tubes):
            events = draw(Tube(t_cells=(2000, 10_000)[number % 2], car_share=0.05), _random(1, number)).events
            signals = {detector: events.column(detector) for detector in detectors}
            for detector in detectors:
                for at in (0.2, 0.4, 0.6, 0.8):
                    factor = np.where(np.arange(events.n_events) >= at * events.n_events, gain, 1.0)
                    stepped = {**signals, detector: signals[detector] * factor}
                    said[_said(events.column("Time"), stepped, detector, gain)] += 1
        runs = said.total()
        yield (f"{gain:g}", str(runs), *(f"{100 * said[kind] / runs:.0f} %" for kind in STEPS_HEAD[2:]))


def _said(clock: Floats, signals: dict[str, Floats], detector: str, gain: float) -> str:
    """Return what is said about a run, as a column of the table."""
    findings = {finding.code: finding for finding in time_quality(clock, signals).findings}
    step = findings.get("W291")
    if step is not None and detector in step.message:
        return STEPS_HEAD[2] if abs(np.expm1(step.value or 0.0) - (gain - 1)) < 0.05 else STEPS_HEAD[3]
    if "W284" in findings:
        return STEPS_HEAD[4]
    return STEPS_HEAD[5] if {"W282", "W283"} & set(findings) else STEPS_HEAD[6]


BEADS = {
    "with the cells, steady": (np.ones(STRETCHES), np.ones(STRETCHES)),
    "with the cells through a clog": (np.where(np.abs(PLACE - 0.5) < 0.1, 0.1, 1.0),) * 2,
    "settle by 5 %": (1 - 0.05 * PLACE, np.ones(STRETCHES)),
    "settle by 20 %": (1 - 0.2 * PLACE, np.ones(STRETCHES)),
    "settle by 30 %": (1 - 0.3 * PLACE, np.ones(STRETCHES)),
    "settle by 50 %": (1 - 0.5 * PLACE, np.ones(STRETCHES)),
    "stop at half time": (np.where(PLACE < 0.5, 1.0, 0.0), np.ones(STRETCHES)),
    "begin after a tenth": (np.where(PLACE > 0.1, 1.0, 0.0), np.ones(STRETCHES)),
    "a clump of 2 %": (np.where(np.abs(PLACE - 0.4) < 0.005, 3.0, 1.0), np.ones(STRETCHES)),
    "a clump of 5 %": (np.where(np.abs(PLACE - 0.4) < 0.005, 6.0, 1.0), np.ones(STRETCHES)),
    "a clump of 10 %": (np.where(np.abs(PLACE - 0.4) < 0.005, 12.0, 1.0), np.ones(STRETCHES)),
}


def bead_rows(runs: int) -> Iterator[tuple[str, ...]]:
    """Yield in how many runs with 50,000 cells beads are said to have left them."""
    for name, (of_beads, of_cells) in BEADS.items():
        shares = []
        for beads in (1000, 5000, 20_000):
            alarms = 0
            for number in range(runs):
                random = _random(2, number)
                (finding,) = bead_evenness(_drawn(beads, of_beads, random), _drawn(CELLS, of_cells, random))
                alarms += finding.code == "W292"
            shares.append(f"{100 * alarms / runs:.0f} %" if alarms else f"0 of {runs}")
        yield (name, *shares)


def start_rows(runs: int) -> Iterator[tuple[str, ...]]:
    """Yield in how many runs with 20,000 T cells a crowd at the start is found; a mean of 2 % of the run each."""
    for own, carried in (
        (0, 0),
        (10, 0),
        (100, 0),
        (3000, 0),
        (0, 5),
        (10, 5),
        (10, 10),
        (50, 10),
        (50, 50),
        (3000, 50),
    ):
        alarms = 0
        for number in range(runs):
            random = _random(3, number)
            of = _drawn(20_000, np.ones(STRETCHES), random)
            before = _drawn(carried, np.exp(-PLACE / 0.02), random)
            inside = random.multivariate_hypergeometric(of, own) + before
            findings = start_findings({"car": inside, "t": of + before}, car="car", t_cells="t", cells=None)
            alarms += any(finding.code == "W293" for finding in findings)
        yield (f"{own} and {carried}", str(runs), f"{100 * alarms / runs:.1f} %")


def _drawn(total: int, rate: Rate, random: np.random.Generator) -> npt.NDArray[np.int64]:
    return random.multinomial(total, rate / rate.sum())


def _random(*seed: int) -> np.random.Generator:
    return np.random.default_rng((4711, *seed))


def real_rows() -> Iterator[tuple[str, ...]]:
    """Yield what is said about the flow of each real file that can be read and has a clock and 2500 events."""
    folder = Path(os.environ.get("CYTOCAR_SHARED_DATA", "../shared/data"))
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".fcs", ".lmd")):
        try:
            events = open_fcs(path)
            findings = flow_quality(events, [channel for channel in events.channels if not channel.is_time]).findings
        except CytocarError:
            continue
        if "W280" in {finding.code for finding in findings}:
            continue
        said = "; ".join(f"{finding.code} {finding.message}" for finding in findings if finding.code)
        yield (str(path.relative_to(folder)), str(events.n_events), said or "steady")
