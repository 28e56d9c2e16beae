"""What goes wrong at a cytometer, one at a time: a recording comes in, the spoilt recording goes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from cytocar.simulate.cells import BRIGHT, car_kinds
from cytocar.simulate.drawing import Mixture, draw, draw_numbers
from cytocar.simulate.instrument import FLOOR, FLUORESCENCE, SPILLOVER, TOP, measure

AUTOFLUORESCENCE_FITC = 60.0
"""Signal of a lymphocyte without CD3 in the CD3 detector: where the B cells of ``cells`` lie."""


class Artefact(StrEnum):
    """A fault that ``cytocar simulate --artefact`` can build in."""

    CLOG = "clog"
    SURGE = "surge"
    DRIFT = "drift"
    VOLTAGE_STEP = "voltage-step"
    SWAPPED_NAMES = "swapped-names"
    MISSING_SPILLOVER = "missing-spillover"
    MISSING_BEADS = "missing-beads"
    CARRY_OVER = "carry-over"
    LOST_CD3 = "lost-cd3"


class Recording(Struct, frozen=True, eq=False):
    """What the cytometer saved: columns and arrival times (seconds), (n_events,) each, and what the header says."""

    columns: Mapping[str, NDArray[np.float32]]
    seconds: NDArray[np.float64]
    origin: NDArray[np.int8]
    kinds: tuple[str, ...]
    duration_seconds: float
    markers: Mapping[str, str]
    spillover: str | None

    def take(self, rows: NDArray[np.intp]) -> Recording:
        """Return the recording of some events only, in their order."""
        columns = {detector: column[rows] for detector, column in self.columns.items()}
        return replace(self, columns=columns, seconds=self.seconds[rows], origin=self.origin[rows])

    def in_order_of_arrival(self) -> Recording:
        """Return the same events as the file lists them."""
        return self.take(np.argsort(self.seconds, kind="stable"))

    def with_gain(self, detectors: tuple[str, ...], gain: NDArray[np.float32]) -> Recording:
        """Return the recording with some detectors multiplied, event by event, inside the scale."""
        changed = {
            detector: np.clip(column * gain, FLOOR, TOP) if detector in detectors else column
            for detector, column in self.columns.items()
        }
        return replace(self, columns=changed)


def _clog(recording: Recording, rng: np.random.Generator) -> Recording:
    """Let a tenth of the sample creep through at an eighth of the speed, badly focused."""
    return _uneven_flow(recording, begin=0.45, share=0.03, slower=8.0, dimmer=0.65, rng=rng)


def _surge(recording: Recording, rng: np.random.Generator) -> Recording:
    """Push a tenth of the sample through at eight times the speed, badly focused."""
    return _uneven_flow(recording, begin=0.6, share=0.10, slower=1 / 8, dimmer=0.8, rng=rng)


def _uneven_flow(
    recording: Recording, *, begin: float, share: float, slower: float, dimmer: float, rng: np.random.Generator
) -> Recording:
    """Stretch or squeeze one part of the run; no particle is lost, so counts by beads stay right."""
    start, end = begin * recording.duration_seconds, (begin + share) * recording.duration_seconds
    seconds = recording.seconds
    inside = (seconds >= start) & (seconds < end)
    shift = (slower - 1) * np.clip(seconds - start, 0, end - start)
    focus = np.where(inside, rng.normal(dimmer, 0.2 * dimmer, len(seconds)), 1.0).astype(np.float32)
    blurred = recording.with_gain((*FLUORESCENCE, "FSC-A", "FSC-H", "SSC-A", "SSC-H"), focus)
    longer = recording.duration_seconds + (slower - 1) * (end - start)
    return replace(blurred, seconds=seconds + shift, duration_seconds=longer)


def _drift(recording: Recording, rng: np.random.Generator) -> Recording:
    """Let the blue laser lose 30 % of its power during the run."""
    gain = 1 - 0.30 * recording.seconds / recording.duration_seconds
    return recording.with_gain(("FITC-A", "PE-A", "PerCP-Cy5-5-A", "PE-Cy7-A"), gain.astype(np.float32))


def _voltage_step(recording: Recording, rng: np.random.Generator) -> Recording:
    """Raise the voltage of the CAR detector after 60 % of the run, as if somebody touched the slider."""
    late = recording.seconds > 0.6 * recording.duration_seconds
    return recording.with_gain(("PE-A",), np.where(late, 1.6, 1.0).astype(np.float32))


def _swapped_names(recording: Recording, rng: np.random.Generator) -> Recording:
    """Exchange the names of CD4 and CD8 in the header, as a wrong acquisition template does."""
    exchanged = {"CD4": "CD8", "CD8": "CD4"}
    return replace(recording, markers={key: exchanged.get(name, name) for key, name in recording.markers.items()})


def _missing_spillover(recording: Recording, rng: np.random.Generator) -> Recording:
    """Forget to save the spillover matrix with the file."""
    return replace(recording, spillover=None)


def _missing_beads(recording: Recording, rng: np.random.Generator) -> Recording:
    """Forget the beads; the sheet says that they are in."""
    beads = [number for number, kind in enumerate(recording.kinds) if kind in {"beads", "bead_doublets"}]
    return recording.take(np.flatnonzero(~np.isin(recording.origin, beads)))


def _carry_over(recording: Recording, rng: np.random.Generator) -> Recording:
    """Wash CAR-T cells of the tube before into the first seconds, ever fewer of them."""
    expected = 0.003 * len(recording.seconds)
    cd4, cd8 = car_kinds(BRIGHT, activation=1.0)
    before = Mixture(kinds=[(cd4, expected / 3), (cd8, 2 * expected / 3)])
    particles, _ = draw(before, draw_numbers(before, rng), rng)
    columns = measure(particles, rng)
    seconds = np.minimum(rng.exponential(0.02 * recording.duration_seconds, len(particles)), recording.duration_seconds)
    origin = np.full(len(particles), recording.kinds.index("carry_over"), dtype=np.int8)
    return replace(
        recording,
        columns={name: np.concatenate([column, columns[name]]) for name, column in recording.columns.items()},
        seconds=np.concatenate([recording.seconds, seconds]),
        origin=np.concatenate([recording.origin, origin]),
    )


def _lost_cd3(recording: Recording, rng: np.random.Generator) -> Recording:
    """Take CD3 from a tenth of the CAR-T cells, as T-cell lymphomas that carry a CAR have lost it."""
    car = [number for number, kind in enumerate(recording.kinds) if kind.startswith("car_cd")]
    rows = np.flatnonzero(np.isin(recording.origin, car))
    lost = rng.choice(rows, len(rows) // 10, replace=False)
    light = np.column_stack([recording.columns[detector][lost] for detector in FLUORESCENCE])
    cd3 = light @ np.linalg.inv(SPILLOVER)[:, 0] - AUTOFLUORESCENCE_FITC
    columns = {name: column.copy() for name, column in recording.columns.items()}
    for index, detector in enumerate(FLUORESCENCE):
        columns[detector][lost] = np.clip(light[:, index] - cd3 * SPILLOVER[0, index], FLOOR, TOP)
    return replace(recording, columns=columns)


SPOIL: Mapping[Artefact, Callable[[Recording, np.random.Generator], Recording]] = MappingProxyType(
    {
        Artefact.CLOG: _clog,
        Artefact.SURGE: _surge,
        Artefact.DRIFT: _drift,
        Artefact.VOLTAGE_STEP: _voltage_step,
        Artefact.SWAPPED_NAMES: _swapped_names,
        Artefact.MISSING_SPILLOVER: _missing_spillover,
        Artefact.MISSING_BEADS: _missing_beads,
        Artefact.CARRY_OVER: _carry_over,
        Artefact.LOST_CD3: _lost_cd3,
    }
)
