"""Counted samples as runs report them, and one sample made of the replicates of a draw.

Replicates are pooled by events, not by averaging concentrations: a tube in which twice the blood was looked at counts
twice, and three tubes with 10 cells each are one with 30. Dilutions of one draw are replicates too: what counts is the
blood examined. The interval is wider by as much as they scatter more than they should; whether they agree is tested.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from cytocar.counting.limits import CarResult
from cytocar.sample.result import Status
from cytocar.sheet.rows import CountMethod, SampleType
from cytocar.sheet.tube import Specimen
from cytocar.statistics.estimate import UNKNOWN, Estimate
from cytocar.statistics.intervals import Share, poisson_interval, ratio_estimate

_ERRORS = re.compile(r"\+ ?[a-z]+ ?([\d.]+) ?%")


class Agreement(Struct, frozen=True):
    """Whether replicates, or dilutions, of one draw agree as well as counting and the method's errors let them.

    ``p`` is the probability of differences as large as these; ``scale`` the factor by which the tubes scatter more
    than expected, 1 or more.
    """

    p: float
    scale: float

    @property
    def holds(self) -> bool:
        """Whether the tubes may be taken for one."""
        return self.p >= DISAGREEMENT


DISAGREEMENT = 0.001
"""Probability below which replicates disagree: among a thousand pairs that differ by chance one is looked at."""


class CountedSample(Struct, frozen=True):
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
    car_per_ul_net: Estimate = UNKNOWN
    car_lob_events: int | None = None
    background_percent: float | None = None
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
    agreement: Agreement | None = None

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
        """The method's errors together, as ``ci_method`` names them (``garwood + beads 3.6 % + pipetting 2.6 %``)."""
        return math.hypot(*(float(percent) / 100 for percent in _ERRORS.findall(self.ci_method)))


def pool(samples: Sequence[CountedSample]) -> CountedSample:
    """Return one sample made of the events of several of the same subject and day.

    Notes
    -----
    Concentration: all events over all blood examined. Its interval is that of the pooled count against the pooled
    beads, or of a Poisson count, with the largest errors of the method, and holds that of the net concentration, where
    there is one; both times the scale of ``agreement``. The net concentration's interval adds what the replicates' own
    net intervals hold beyond counting: background and gates are the same for all, so pooling does not lessen them. The
    limits of detection and quantification are, in percent of T cells, those of the best replicate: pooling can only
    lower them, by how much the runs do not tell.

    A replicate without cells/µL adds to the percentages only, and only if none has cells/µL.
    """
    counted = [sample for sample in samples if sample.blood_examined_ul is not None] or list(samples)
    first = counted[0]
    car, t_cells = _total(counted, _car), _total(counted, _t_cells)
    volumes = [sample.blood_examined_ul for sample in counted]
    blood_ul = sum(volume for volume in volumes if volume is not None) or None
    agreement = agreement_of(counted)
    counting = _pooled_concentration(counted, car, blood_ul)
    net = _pooled_net(counted, counting)
    lod, lloq = _best(counted, lambda sample: sample.car_lod_percent), _best(counted, lambda s: s.car_lloq_percent)
    t_cells_per_ul = t_cells / blood_ul if blood_ul else None
    status = max((sample.status for sample in counted), key=list(Status).index)
    if agreement and not agreement.holds:
        status = max(status, Status.REVIEW, key=list(Status).index)
    return replace(
        first,
        sample_id="+".join(sample.sample_id for sample in counted),
        status=status,
        bead_events=_total(counted, lambda sample: sample.bead_events),
        t_cell_events=t_cells,
        car_events=car,
        car_result=_pooled_result(counted, net, car, t_cells),
        car_per_ul=_scattered(counting.with_limits_of(net), agreement),
        car_per_ul_net=_scattered(net, agreement),
        car_lod_per_ul=_of(lod, t_cells_per_ul),
        car_lloq_per_ul=_of(lloq, t_cells_per_ul),
        car_lod_percent=lod,
        car_lloq_percent=lloq,
        car_percent_of_t_cells=Share(car, t_cells).percent if t_cells >= car else None,
        car_cd4_cd8_ratio=ratio_estimate(
            _total(counted, lambda sample: sample.car_cd4_events), _total(counted, lambda sample: sample.car_cd8_events)
        ),
        t_cells_per_ul=t_cells_per_ul,
        cd4_cd8_ratio=ratio_estimate(
            _total(counted, lambda sample: sample.cd4_events), _total(counted, lambda sample: sample.cd8_events)
        ).value,
        b_cells_per_ul=_pooled_b_cells(counted),
        agreement=agreement,
    )


def agreement_of(samples: Sequence[CountedSample]) -> Agreement | None:
    """Return whether replicates agree; None for fewer than two with cells/µL, or without any CAR+ event.

    Notes
    -----
    The chi-square of the counts given the blood examined, ``sum (k - m)^2 / v`` with the expected count m of each tube
    and ``v = m + m^2 (1 / beads + CV^2)``: its cells and beads are counted, and lot and pipette err from tube to tube.
    The scale is ``sqrt(chi-square / (n - 1))``, at least 1 (Birge 1932, Phys Rev 40:207).
    """
    tubes = [(sample, sample.blood_examined_ul or 0.0) for sample in samples if sample.blood_examined_ul]
    car = sum(sample.car_events or 0 for sample, _ in tubes)
    if len(tubes) < 2 or not car:
        return None
    per_ul = car / sum(blood for _, blood in tubes)
    chi_square = 0.0
    for sample, blood in tubes:
        expected = per_ul * blood
        beads = 1 / sample.bead_events if sample.bead_events and sample.count_method is CountMethod.BEADS else 0.0
        chi_square += ((sample.car_events or 0) - expected) ** 2 / (expected + expected**2 * (beads + sample.cv**2))
    from scipy.special import gammainc

    freedom = len(tubes) - 1
    p = 1 - float(gammainc(freedom / 2, chi_square / 2))
    return Agreement(p=p, scale=max(1.0, math.sqrt(chi_square / freedom)))


def _scattered(estimate: Estimate, agreement: Agreement | None) -> Estimate:
    """Return an estimate whose interval is as many times wider, in logarithms, as the replicates scatter too much.

    Also where that may be chance: three tubes that scatter by 20 % more than they should disagree in one draw of four.
    """
    if agreement is None or not estimate.value:
        return estimate
    value, scale = estimate.value, agreement.scale
    low, high = (limit and value * (limit / value) ** scale for limit in (estimate.low, estimate.high))
    return Estimate(value, low, high)


def _pooled_net(samples: Sequence[CountedSample], counting: Estimate) -> Estimate:
    """Return the net concentration of all blood examined; unknown where one replicate has none."""
    tubes = [(sample.car_per_ul_net, _counting_alone(sample), sample.blood_examined_ul or 0.0) for sample in samples]
    total = sum(blood for *_, blood in tubes)
    if not total or any(net.value is None for net, *_ in tubes):
        return UNKNOWN
    value = sum((net.value or 0.0) * blood for net, _, blood in tubes) / total
    beyond = [
        sum(_beyond_counting(net, alone, side) * blood for net, alone, blood in tubes) / total
        for side in ("low", "high")
    ]
    low, high = (
        math.hypot(_distance(counting, side), part) for side, part in zip(("low", "high"), beyond, strict=True)
    )
    return Estimate(value, max(value - low, 0.0), value + high)


def _distance(estimate: Estimate, side: str) -> float:
    limit = getattr(estimate, side)
    return 0.0 if limit is None or estimate.value is None else abs(float(limit) - estimate.value)


def _counting_alone(sample: CountedSample) -> Estimate:
    """Return the gated concentration of one tube with what counting and the method's errors leave open."""
    return _pooled_concentration([sample], sample.car_events or 0, sample.blood_examined_ul)


def _beyond_counting(net: Estimate, counting: Estimate, side: str) -> float:
    """What a limit of the net concentration lies away from it for other reasons than counting, cells/µL."""
    return math.sqrt(max(_distance(net, side) ** 2 - _distance(counting, side) ** 2, 0.0))


FEWEST_EVENTS = 13
"""Events that a claim needs (Peinelt et al. 2022); what a template asks besides is not in the tables."""


def _pooled_result(samples: Sequence[CountedSample], net: Estimate, car: int, t_cells: int) -> CarResult:
    """What may be said of the pooled events, by the rules of ``counting.limits``.

    Where controls show the background: more events than all limits of blank together, and a net concentration whose
    lower limit is above 0; else as many as the limit of detection in percent asks for.
    """
    lod, lloq = _best(samples, lambda sample: sample.car_lod_percent), _best(samples, lambda s: s.car_lloq_percent)
    if all(sample.car_result is CarResult.NOT_EVALUABLE for sample in samples) or lod is None or lloq is None:
        return CarResult.NOT_EVALUABLE
    background = sum((sample.background_percent or 0.0) / 100 * (sample.t_cell_events or 0) for sample in samples)
    if net.value is not None and all(sample.car_lob_events is not None for sample in samples):
        above = car > sum(sample.car_lob_events or 0 for sample in samples) and bool(net.low)
        detected = car >= FEWEST_EVENTS and above
    else:
        detected = car >= lod / 100 * t_cells
    if not detected:
        return CarResult.NOT_DETECTED
    return CarResult.QUANTIFIED if car >= lloq / 100 * t_cells + background else CarResult.BELOW_LLOQ


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
