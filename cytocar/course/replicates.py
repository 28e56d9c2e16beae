"""Counted samples as runs report them, and one sample made of the replicates of a draw.

Replicates are pooled by events, not by averaging concentrations: a tube in which twice the blood was looked at counts
twice, and three tubes with 10 cells each are one with 30.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from cytocar.counting.limits import CarResult, DetectionLimits, classify
from cytocar.sample.result import Status
from cytocar.sheet.rows import CountMethod, SampleType
from cytocar.sheet.tube import Specimen
from cytocar.statistics.estimate import UNKNOWN, Estimate
from cytocar.statistics.intervals import Share, poisson_interval, ratio_estimate


@dataclass(frozen=True, slots=True)
class CountedSample:
    """What the course needs of one line of ``counts.csv``; ``None`` where it is empty."""

    sample_id: str
    subject_id: str
    day: float | None
    sample_type: SampleType
    specimen: Specimen
    status: Status
    file_sha256: str
    bead_events: int | None = None
    t_cell_events: int | None = None
    car_events: int | None = None
    car_cd4_events: int | None = None
    car_cd8_events: int | None = None
    cd4_events: int | None = None
    cd8_events: int | None = None
    car_result: CarResult = CarResult.NOT_EVALUABLE
    car_per_ul: Estimate = UNKNOWN
    car_lod_per_ul: float | None = None
    car_lloq_per_ul: float | None = None
    car_lod_percent: float | None = None
    car_lloq_percent: float | None = None
    car_percent_of_t_cells: float | None = None
    car_cd4_cd8_ratio: Estimate = UNKNOWN
    t_cells_per_ul: float | None = None
    cd4_cd8_ratio: float | None = None
    b_cells_per_ul: float | None = None
    count_method: CountMethod | None = None
    ci_method: str = ""

    @property
    def has_numbers(self) -> bool:
        """Whether the sample was gated: ``failed`` and ``excluded`` ones were not."""
        return self.car_events is not None

    @property
    def blood_examined_ul(self) -> float | None:
        """Blood whose cells were acquired, µL: T-cell events over T cells/µL; any population gives the same."""
        for events, per_ul in ((self.t_cell_events, self.t_cells_per_ul), (self.car_events, self.car_per_ul.value)):
            if events and per_ul:
                return events / per_ul
        return None

    @property
    def cv(self) -> float:
        """The systematic term of the interval, as ``ci_method`` names it (``garwood+cv5%``)."""
        _, _, percent = self.ci_method.partition("+cv")
        return float(percent.rstrip("%")) / 100 if percent else 0.0


def pool(samples: Sequence[CountedSample]) -> CountedSample:
    """Return one sample made of the events of several of the same subject and day.

    Notes
    -----
    Concentration: all events over all blood examined. Its interval is that of the pooled count against the pooled
    beads, or of a Poisson count, with the largest systematic term. The limits of detection and quantification are, in
    percent of T cells, those of the best replicate: pooling can only lower them, by how much the runs do not tell.

    A replicate without cells/µL adds to the percentages only, and only if none has cells/µL.
    """
    counted = [sample for sample in samples if sample.blood_examined_ul is not None] or list(samples)
    first = counted[0]
    car, t_cells = _total(counted, _car), _total(counted, _t_cells)
    volumes = [sample.blood_examined_ul for sample in counted]
    blood_ul = sum(volume for volume in volumes if volume is not None) or None
    share = Share(car, t_cells).percent if t_cells >= car else None
    t_cells_per_ul = t_cells / blood_ul if blood_ul else None
    lod, lloq = _best(counted, lambda sample: sample.car_lod_percent), _best(counted, lambda s: s.car_lloq_percent)
    limits = DetectionLimits(
        lod_events=(lod or 0.0) / 100 * t_cells,
        lloq_events=(lloq or 0.0) / 100 * t_cells,
        lod_percent=lod,
        lloq_percent=lloq,
        lod_per_ul=_of(lod, t_cells_per_ul),
        lloq_per_ul=_of(lloq, t_cells_per_ul),
    )
    evaluable = any(sample.car_result is not CarResult.NOT_EVALUABLE for sample in counted)
    return replace(
        first,
        sample_id="+".join(sample.sample_id for sample in counted),
        status=max((sample.status for sample in counted), key=list(Status).index),
        bead_events=_total(counted, lambda sample: sample.bead_events),
        t_cell_events=t_cells,
        car_events=car,
        car_result=classify(car, limits) if evaluable else CarResult.NOT_EVALUABLE,
        car_per_ul=_pooled_concentration(counted, car, blood_ul),
        car_lod_per_ul=limits.lod_per_ul,
        car_lloq_per_ul=limits.lloq_per_ul,
        car_lod_percent=lod,
        car_lloq_percent=lloq,
        car_percent_of_t_cells=share,
        car_cd4_cd8_ratio=ratio_estimate(
            _total(counted, lambda sample: sample.car_cd4_events), _total(counted, lambda sample: sample.car_cd8_events)
        ),
        t_cells_per_ul=t_cells_per_ul,
        cd4_cd8_ratio=ratio_estimate(
            _total(counted, lambda sample: sample.cd4_events), _total(counted, lambda sample: sample.cd8_events)
        ).value,
        b_cells_per_ul=_pooled_b_cells(counted),
    )


def _car(sample: CountedSample) -> int | None:
    return sample.car_events


def _t_cells(sample: CountedSample) -> int | None:
    return sample.t_cell_events


def _total(samples: Sequence[CountedSample], events: Callable[[CountedSample], int | None]) -> int:
    return sum(events(sample) or 0 for sample in samples)


def _best(samples: Sequence[CountedSample], limit: Callable[[CountedSample], float | None]) -> float | None:
    return min((value for value in map(limit, samples) if value is not None), default=None)


def _of(percent: float | None, per_ul: float | None) -> float | None:
    return None if percent is None or per_ul is None else percent / 100 * per_ul


def _pooled_concentration(samples: Sequence[CountedSample], car: int, blood_ul: float | None) -> Estimate:
    if blood_ul is None:
        return UNKNOWN
    beads = _total(samples, lambda sample: sample.bead_events)
    cv = max(sample.cv for sample in samples)
    if beads and all(sample.count_method is CountMethod.BEADS for sample in samples):
        return ratio_estimate(car, beads).scaled(beads / blood_ul).widened(cv)
    low, high = poisson_interval(car)
    return Estimate(car, low, high).scaled(1 / blood_ul).widened(cv)


def _pooled_b_cells(samples: Sequence[CountedSample]) -> float | None:
    """Return B cells/µL of the replicates, weighed by the blood examined in each."""
    weighed = [
        (sample.b_cells_per_ul, sample.blood_examined_ul)
        for sample in samples
        if sample.b_cells_per_ul is not None and sample.blood_examined_ul
    ]
    total = sum(volume for _, volume in weighed)
    return sum(per_ul * volume for per_ul, volume in weighed) / total if total else None
