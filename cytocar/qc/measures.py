"""One number per run and quantity, from what a run keeps of its samples.

Control samples one by one; beads, baselines and medians as the median over the run's tubes, which a single odd tube
does not move; detector voltages from the FCS files, where these are still to be found.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from statistics import median

from msgspec import Struct, field
from msgspec.structs import replace

from cytocar.counting.blank_tubes import BlankTube
from cytocar.errors.boundary import one_of_many
from cytocar.errors.tree import SampleError, UsageError
from cytocar.fcs.keywords import cytometer
from cytocar.fcs.reader import open_fcs
from cytocar.files.places import Place
from cytocar.run.finished.recorded_plan import located, recorded_plan
from cytocar.run.parts import PARTS, Parts, require_parts
from cytocar.run.trail.journal import finished_manifest
from cytocar.sample.result import SampleResult, recorded_bytes
from cytocar.sheet.laboratory import LOT_COLUMN
from cytocar.sheet.rows import SampleType

CONTROL_COLUMNS = {
    "t_cells_per_ul": "cells/µL",
    "car_per_ul": "cells/µL",
    "car_percent_of_t_cells": "%",
    "cd4_cd8_ratio": "",
    "viability_percent": "%",
}
"""Columns of counts.csv that are charted for each control sample."""
SETTINGS = frozenset({"voltage"})
"""Measures that a person sets: they do not vary, so each run is compared with the first."""
CAR_NEGATIVE = frozenset({SampleType.BASELINE, SampleType.HEALTHY})
CONTROLS = frozenset({SampleType.PROCESS_CONTROL, *CAR_NEGATIVE})


class Quantity(Struct, frozen=True, order=True):
    """What is watched: a measure, the control that it is of (empty: the whole run), and its unit."""

    measure: str
    control: str = ""
    unit: str = ""

    def __str__(self) -> str:
        unit = f", {self.unit}" if self.unit else ""
        return f"{self.measure}{f' of {self.control}' if self.control else ''}{unit}"


class Measured(Struct, frozen=True):
    """A run's values by quantity, and what could not be looked at."""

    run: str
    values: Mapping[Quantity, float]
    notes: tuple[str, ...] = ()
    blanks: tuple[BlankTube, ...] = ()
    """Its tubes without CAR-T cells."""
    marks: Mapping[str, str] = field(default_factory=dict)
    """What it was made with: instrument, lot of beads, lots of reagents (``x_lot_*`` of the sheet)."""
    files: frozenset[str] = frozenset()
    """Hashes of the FCS files that were counted."""
    tubes: Mapping[Quantity, frozenset[str]] = field(default_factory=dict)
    """The recordings from which the values of controls, beads and medians come."""


def _once(measured: Sequence[Measured]) -> Iterator[Measured]:
    """Yield runs without the values whose tubes an earlier run has: counted again, a recording tells nothing new.

    A baseline that stands in the sheet of every run would give a standard deviation of 0, which any tube exceeds.
    """
    of_tubes: dict[tuple[Quantity, frozenset[str]], str] = {}
    for run in measured:
        again: dict[str, list[Quantity]] = defaultdict(list)
        for quantity, tubes in run.tubes.items():
            first = of_tubes.setdefault((quantity, tubes), run.run)
            if first != run.run:
                again[first].append(quantity)
        repeated = {quantity for several in again.values() for quantity in several}
        notes = [
            f"{run.run}: {', '.join(map(str, sorted(several)))}: of the same FCS files as in {first}, counted once"
            for first, several in again.items()
        ]
        values = {quantity: value for quantity, value in run.values.items() if quantity not in repeated}
        yield replace(run, values=values, notes=(*run.notes, *notes))


def measure_all(runs: Sequence[Path], *, inputs: Place | None = None) -> list[Measured]:
    """What several runs say; runs of one name are told apart by their folders, and a tube of several counts once.

    Raises
    ------
    UsageError
        E256 if two runs are of the same files: their points would be counted twice in mean and SD.
    """
    places = [run.resolve() for run in runs]
    times = Counter(place.name for place in places)
    names = ["/".join(place.parts[-2:]) if times[place.name] > 1 else place.name for place in places]
    measured = [(measure(run, inputs=inputs), name) for run, name in zip(runs, names, strict=True)]
    for (one, _), (other, _) in combinations(measured, 2):
        if one.files and one.files == other.files:
            raise UsageError(
                f"{one.run} and {other.run} are runs of the same {len(one.files)} FCS files",
                code="E256",
                hint="name each run once; of a run that was counted again, the one that holds",
            )
    named = [
        replace(one, run=name, blanks=tuple(replace(tube, run=name) for tube in one.blanks)) for one, name in measured
    ]
    return list(_once(named))


def measure(run: Path, *, inputs: Place | None = None) -> Measured:
    """What a finished run says about its controls and its instrument.

    Parameters
    ----------
    run : Path
        The run folder; its name becomes the run's name.
    inputs : Path, optional
        Where the FCS files lie now, for the voltages.
    """
    manifest = finished_manifest(run)
    plan = recorded_plan(manifest, run)
    require_parts(run, manifest, plan.sample_ids)
    outcomes = Parts(run / PARTS).in_order(plan.sample_ids)
    samples = [outcome for outcome in outcomes if isinstance(outcome, SampleResult)]
    controls = {one[0]: one for one in _of_controls(samples)}
    of_tubes = [*controls.values(), *_recoveries(samples), *_backgrounds(samples), *_fluorescence(samples)]
    values = _medians_over_tubes((quantity, value) for quantity, value, _ in of_tubes)
    files = [row.file for row in located(plan.only([sample.sample.sample_id for sample in samples]).samples, inputs)]
    instrument = _instrument(files)
    voltages = _medians_over_tubes(instrument.voltages)
    notes = () if voltages else (f"{run}: no detector voltages: the FCS files are not here, or name none",)
    blanks = tuple(sample.blank for sample in samples if sample.blank is not None)
    hashes = frozenset(sample.file_sha256 for sample in samples if sample.file_sha256)
    return Measured(
        run.resolve().name,
        values | voltages,
        notes,
        blanks,
        _marks(samples, instrument.types),
        hashes,
        _tubes_of(of_tubes),
    )


_Value = tuple[Quantity, float]
_OfTube = tuple[Quantity, float, str | None]
"""A value, and the recording that it comes from."""


def _tubes_of(values: Sequence[_OfTube]) -> dict[Quantity, frozenset[str]]:
    """Return the recordings behind each quantity; none of one that comes from a recording without a hash."""
    gathered: dict[Quantity, set[str | None]] = defaultdict(set)
    for quantity, _, tube in values:
        gathered[quantity].add(tube)
    return {
        quantity: frozenset(tube for tube in tubes if tube is not None)
        for quantity, tubes in gathered.items()
        if None not in tubes
    }


def _medians_over_tubes(values: Iterable[_Value]) -> dict[Quantity, float]:
    gathered: dict[Quantity, list[float]] = defaultdict(list)
    for quantity, value in values:
        gathered[quantity].append(value)
    return {quantity: median(several) for quantity, several in gathered.items()}


def _of_controls(samples: Sequence[SampleResult]) -> Iterator[_OfTube]:
    """Yield the numbers of process controls and healthy donors; one control goes by one name in every run."""
    for sample in samples:
        if sample.sample.sample_type not in (SampleType.PROCESS_CONTROL, SampleType.HEALTHY):
            continue
        row = sample.row()
        for column, unit in CONTROL_COLUMNS.items():
            value = row[column]
            if isinstance(value, int | float):
                control = sample.sample.subject_id or sample.sample.sample_id
                yield Quantity(column, control, unit), float(value), recorded_bytes(sample)


def _recoveries(samples: Sequence[SampleResult]) -> Iterator[_OfTube]:
    """Yield the share of the tube's beads that were acquired: it falls when a sample clogs or beads are pipetted short.

    Comparable between runs that draw the same share of each tube.
    """
    for sample in samples:
        beads = sample.population(sample.roles.beads)
        if beads is not None and sample.counting.beads_added:
            recovery = 100 * beads.events / sample.counting.beads_added
            yield Quantity("bead_recovery_percent", unit="%"), recovery, recorded_bytes(sample)


def _backgrounds(samples: Sequence[SampleResult]) -> Iterator[_OfTube]:
    for sample in samples:
        if (
            sample.sample.sample_type in CAR_NEGATIVE
            and sample.car is not None
            and sample.car.percent.value is not None
        ):
            yield Quantity("baseline_car_percent", unit="%"), sample.car.percent.value, recorded_bytes(sample)


def _fluorescence(samples: Sequence[SampleResult]) -> Iterator[_OfTube]:
    """Yield the median fluorescence of beads, T cells and CAR-T cells: of controls if there are any, else of all."""
    controls = [sample for sample in samples if sample.sample.sample_type in CONTROLS] or samples
    for sample in controls:
        roles = sample.roles
        for name in (roles.beads, roles.t_cells, roles.car):
            population = sample.population(name)
            for marker, value in (population.medians if population else {}).items():
                if value is not None:
                    yield Quantity(f"median_{marker}", str(name)), value, recorded_bytes(sample)


class _Instrument(Struct):
    """What files say of the instrument: voltages by detector, and its type."""

    voltages: list[_Value] = field(default_factory=list)
    types: set[str] = field(default_factory=set)


def _instrument(files: Sequence[Place]) -> _Instrument:
    """What the files that are still to be found say."""
    instrument = _Instrument()
    for file in files:
        try:
            with one_of_many():
                events = open_fcs(file)
        except SampleError:
            continue
        instrument.types.update(filter(None, [cytometer(events)]))
        for channel in events.channels:
            if channel.voltage is not None:
                instrument.voltages.append((Quantity("voltage", channel.detector, "V"), channel.voltage))
    return instrument


def _marks(samples: Sequence[SampleResult], instruments: Collection[str]) -> dict[str, str]:
    """What a run was made with; several of a kind in one run stand side by side."""
    marks: dict[str, set[str]] = defaultdict(set)
    if instruments:
        marks["instrument"].update(instruments)
    for sample in samples:
        if sample.sample.bead_lot:
            marks["bead lot"].add(sample.sample.bead_lot)
        for column, lot in sample.sample.extra.items():
            if column.startswith(LOT_COLUMN) and lot:
                marks[f"lot of {column.removeprefix(LOT_COLUMN)}"].add(lot)
    return {name: ", ".join(sorted(names)) for name, names in sorted(marks.items())}
