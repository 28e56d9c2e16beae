"""One stained tube of blood, acquired: events as a cytometer would save them, and the truth that it cannot know.

Blood is pipetted, beads are added, red cells are lysed, part of the volume is drawn. Cells in the drawn part are
Poisson numbers, beads a binomial part of those added; everything else follows from them.

What counts as truth: viable single cells per µL of blood. Doublets and dead cells come on top of them, so a gate that
drops every doublet loses nothing, and one that keeps doublets counts too many.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from math import isfinite
from pathlib import Path

import numpy as np
from msgspec import Struct
from msgspec.structs import asdict
from numpy.typing import NDArray

from cytocar.fcs.events import EventTable
from cytocar.fcs.write import write_fcs
from cytocar.simulate.artefacts import SPOIL, Artefact, Recording
from cytocar.simulate.cells import BACKGROUND_KINDS, BRIGHT, Blood, CarStain, CellKind, car_kinds
from cytocar.simulate.drawing import Mixture, draw, draw_numbers
from cytocar.simulate.instrument import (
    FLUORESCENCE,
    SCATTER,
    THRESHOLD_FSC,
    measure,
    spillover_keyword,
)
from cytocar.simulate.particles import Particles
from cytocar.simulate.preparation import Preparation, Volumes

MARKERS = dict(zip(FLUORESCENCE, ("CD3", "CD19-Fc", "7-AAD", "CD2", "CD56", "CD8", "CD4", "CD45"), strict=True))
_SECONDS_PER_TICK = 0.01
_FIRST_TUBE = datetime(2024, 3, 4, 9, 30)  # a cytometer's $DATE and $BTIM carry no time zone


class Truth(Struct, frozen=True):
    """Viable single cells per µL of blood, by kind and by the populations that a template gates."""

    cells_per_ul: Mapping[str, float]
    viability_percent: float

    @property
    def car_per_ul(self) -> float:
        """CAR-T cells per µL of blood."""
        return self.cells_per_ul["car_t"]

    @property
    def car_cd4_cd8_ratio(self) -> float | None:
        """CD4 to CD8 among CAR-T cells; None without CD8 CAR-T cells."""
        cd8 = self.cells_per_ul["car_cd8"]
        return self.cells_per_ul["car_cd4"] / cd8 if cd8 else None


class Drawn(Struct, frozen=True):
    """What went through the laser, and what the sheet's row should say about it."""

    events: Mapping[str, int]
    sample_volume_ul: float
    final_volume_ul: float
    beads_added: float
    acquired_volume_ul: float
    duration_seconds: float
    artefacts: tuple[str, ...]


class SimulatedTube(Struct, frozen=True, eq=False):
    """A tube's events, how they are labelled, and what is true about them.

    ``origin`` (n_events,) is an index into ``kinds``: what each event really is.
    """

    columns: Mapping[str, NDArray[np.float32]]
    markers: Mapping[str, str]
    keywords: Mapping[str, str]
    origin: NDArray[np.int8]
    kinds: tuple[str, ...]
    truth: Truth
    drawn: Drawn

    @property
    def events(self) -> EventTable:
        """The events as ``cytocar.open_fcs`` would read them from the file."""
        return EventTable.from_columns(self.columns, markers=self.markers, keywords=self.keywords)

    def is_kind(self, *kinds: str) -> NDArray[np.bool_]:
        """Return the mask of the events that are really of one of these kinds."""
        return np.isin(self.origin, [self.kinds.index(kind) for kind in kinds])

    def write(self, path: Path | str) -> Path:
        """Write the FCS file and ``NAME.truth.json`` beside it; return the FCS file's path."""
        path = Path(path)
        last = float(self.columns["Time"].max(initial=0.0))
        write_fcs(path, self.columns, markers=self.markers, ranges={"Time": last + 1}, keywords=self.keywords)
        content = {"truth": asdict(self.truth), "drawn": asdict(self.drawn)}
        content["truth"]["car_cd4_cd8_ratio"] = self.truth.car_cd4_cd8_ratio
        path.with_suffix(".truth.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        return path


def blood_tube(
    *,
    car_per_ul: float,
    car_cd4_cd8: float = 1.0,
    blood: Blood | None = None,
    preparation: Preparation | None = None,
    stain: CarStain = BRIGHT,
    artefacts: Collection[Artefact] = (),
    seed: int | np.random.SeedSequence,
    acquired_at: datetime = _FIRST_TUBE,
) -> SimulatedTube:
    """Return one simulated tube of stained blood with counting beads.

    Parameters
    ----------
    car_per_ul : float
        True CAR-T cells per µL of blood.
    car_cd4_cd8 : float
        CD4 to CD8 among them.
    blood : Blood, optional
        The other cells; without it a patient in the weeks after lymphodepletion.
    preparation : Preparation, optional
        Volumes, beads, and how clean the preparation is.
    stain : CarStain
        How bright CAR-T cells are: ``BRIGHT``, ``TYPICAL``, ``DIM``, or your own.
    artefacts : collection of Artefact
        What goes wrong.
    seed : int or SeedSequence
        Same arguments and seed, same events.
    acquired_at : datetime
        Becomes ``$DATE`` and ``$BTIM``.

    Examples
    --------
    >>> tube = blood_tube(car_per_ul=100, seed=1)
    >>> tube.truth.car_per_ul, tube.drawn.sample_volume_ul
    (100.0, 50.0)
    >>> bool(np.array_equal(tube.origin, blood_tube(car_per_ul=100, seed=1).origin))
    True
    """
    blood, preparation = blood or Blood(), preparation or Preparation()
    volumes = preparation.volumes(car_per_ul)
    kinds = _kinds_per_ul(car_per_ul, car_cd4_cd8, blood, stain)
    streams = _streams(seed)
    mixture = _mixture(kinds, blood, preparation, volumes)
    particles, names = draw(mixture, draw_numbers(mixture, streams.numbers), streams.particles)
    particles = particles.take(np.flatnonzero(_is_stored(particles, preparation)))
    duration = 60 * volumes.acquired_ul / preparation.flow_ul_per_min
    recording = Recording(
        columns=measure(particles, streams.noise),
        seconds=streams.arrival.uniform(0, duration, len(particles)),
        origin=particles.origin,
        kinds=names,
        duration_seconds=duration,
        markers=MARKERS,
        spillover=spillover_keyword(),
    )
    wanted = [artefact for artefact in Artefact if artefact in set(artefacts)]
    for artefact in wanted:
        recording = SPOIL[artefact](recording, streams.artefacts)
    drawn = Drawn(
        events=_by_kind(recording),
        sample_volume_ul=volumes.sample_ul,
        final_volume_ul=volumes.final_ul,
        beads_added=preparation.beads_added,
        acquired_volume_ul=volumes.acquired_ul,
        duration_seconds=recording.duration_seconds,
        artefacts=tuple(wanted),
    )
    return _saved(recording.in_order_of_arrival(), _truth(kinds, blood.dead_share), drawn, acquired_at)


class _Streams(Struct, frozen=True):
    """A random stream for each stage: a tube with an artefact holds the very cells of the tube without it."""

    numbers: np.random.Generator
    particles: np.random.Generator
    noise: np.random.Generator
    arrival: np.random.Generator
    artefacts: np.random.Generator


def _streams(seed: int | np.random.SeedSequence) -> _Streams:
    """Return the streams of a seed. A SeedSequence is not counted as having spawned, so that it may be used twice."""
    root = np.random.SeedSequence(seed) if isinstance(seed, int) else seed
    children = (
        np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, stage), pool_size=root.pool_size)
        for stage in range(5)
    )
    return _Streams(*(np.random.Generator(np.random.PCG64DXSM(child)) for child in children))


def _kinds_per_ul(
    car_per_ul: float, car_cd4_cd8: float, blood: Blood, stain: CarStain
) -> tuple[tuple[CellKind, float], ...]:
    """Return every kind of cell in the blood with its concentration."""
    for name, value in (("car_per_ul", car_per_ul), ("car_cd4_cd8", car_cd4_cd8), *blood.per_ul().items()):
        if not (isfinite(value) and value >= 0):
            raise ValueError(f"{name} is {value}, and must be 0 or more")
    cd4, cd8 = car_kinds(stain, activation=blood.activation)
    cd4_per_ul = car_per_ul * car_cd4_cd8 / (1 + car_cd4_cd8)
    others = blood.per_ul()
    return (
        (cd4, cd4_per_ul),
        (cd8, car_per_ul - cd4_per_ul),
        *((kind, others[kind.name]) for kind in BACKGROUND_KINDS),
    )


def _mixture(
    kinds: Sequence[tuple[CellKind, float]], blood: Blood, preparation: Preparation, volumes: Volumes
) -> Mixture:
    drawn_blood_ul = volumes.sample_ul * preparation.drawn_share
    return Mixture(
        kinds=[(kind, per_ul * drawn_blood_ul) for kind, per_ul in kinds],
        beads=round(preparation.beads_added),
        drawn_share=preparation.drawn_share,
        dead_share=blood.dead_share,
        doublet_share=preparation.doublet_share,
        bead_doublet_share=preparation.bead_doublet_share,
        debris_share=preparation.debris_share,
        sticky_share=preparation.sticky_share,
    )


def _is_stored(particles: Particles, preparation: Preparation) -> NDArray[np.bool_]:
    triggered = particles.fsc > THRESHOLD_FSC
    limit = preparation.stored_below_ssc
    return triggered if limit is None else triggered & (particles.ssc < limit)


def _by_kind(recording: Recording) -> dict[str, int]:
    counts = np.bincount(recording.origin, minlength=len(recording.kinds))
    return {kind: int(count) for kind, count in zip(recording.kinds, counts, strict=True)}


def _truth(kinds: Sequence[tuple[CellKind, float]], dead_share: float) -> Truth:
    """The events of each population that a perfect gate would count, under the templates' names."""
    per_ul = {kind.name: concentration for kind, concentration in kinds}

    def total(*kinds: str) -> float:
        return sum(per_ul[kind] for kind in kinds)

    car_cd4, car_cd8 = per_ul["car_cd4_t_cells"], per_ul["car_cd8_t_cells"]
    t_cells = total("car_cd4_t_cells", "car_cd8_t_cells", "cd4_t_cells", "cd8_t_cells", "double_negative_t_cells")
    lymphocytes = t_cells + total("nk_cells", "cd8_nk_cells", "b_cells")
    sums = {
        "car_t": car_cd4 + car_cd8,
        "car_cd4": car_cd4,
        "car_cd8": car_cd8,
        "cd4": car_cd4 + per_ul["cd4_t_cells"],
        "cd8": car_cd8 + per_ul["cd8_t_cells"],
        "t_cells": t_cells,
        "lymphocytes": lymphocytes,
        "leukocytes": lymphocytes + total("monocytes", "granulocytes"),
    }
    return Truth(cells_per_ul=sums | per_ul, viability_percent=100 * (1 - dead_share))


def _saved(recording: Recording, truth: Truth, drawn: Drawn, acquired_at: datetime) -> SimulatedTube:
    ticks = np.floor(recording.seconds / _SECONDS_PER_TICK).astype(np.float32)
    ended_at = acquired_at + timedelta(seconds=recording.duration_seconds)
    keywords = {
        "$CYT": "cytocar simulator",
        "$DATE": acquired_at.strftime("%d-%b-%Y").upper(),
        "$BTIM": acquired_at.strftime("%H:%M:%S"),
        "$ETIM": ended_at.strftime("%H:%M:%S"),
        "$TIMESTEP": f"{_SECONDS_PER_TICK:g}",
        "$VOL": f"{1000 * drawn.acquired_volume_ul:.0f}",  # nanolitres (FCS 3.1, 3.2.20)
    }
    if recording.spillover is not None:
        keywords["$SPILLOVER"] = recording.spillover
    order = (*SCATTER, *FLUORESCENCE)
    columns = {detector: recording.columns[detector] for detector in order} | {"Time": ticks}
    return SimulatedTube(
        columns=columns,
        markers=recording.markers,
        keywords=keywords,
        origin=recording.origin,
        kinds=recording.kinds,
        truth=truth,
        drawn=drawn,
    )
