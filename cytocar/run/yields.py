"""Beads and cells of each tube against those of the run's other tubes: what they yield must fit together.

A tube that lost beads, whose number of beads is another tube's, or that lost its cells counts as any other does: its
own file holds no trace. Tubes that were made alike do, as does another tube of the same draw.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median

from msgspec import Struct, field

from cytocar.errors.findings import Finding, Severity
from cytocar.sample.result import SampleResult
from cytocar.sheet.rows import CountMethod, SampleType
from cytocar.statistics.estimate import Estimate
from cytocar.statistics.order import MAD_TO_SD

BEADS_CHECK, DRAW_CHECK, VOLUME_CHECK = "run_beads", "run_draw", "run_volume"
FEWEST_OTHERS = 4
"""Other tubes: of four the middle stands whatever one of them does."""
MOST_OTHERS = 384
"""Tubes of a plate: of more, evenly chosen ones stand for all, so that each of ten thousand takes no longer."""
FEWEST_EVENTS = 300
"""Beads: their number is known to 6 %, a third of what is looked for."""
OF_ONE_DRAW = frozenset({SampleType.SAMPLE, SampleType.BASELINE, SampleType.HEALTHY})

SPREADS, SPREADS_OF_FEW, ENOUGH_OTHERS = 4.0, 5.0, 9
"""Robust standard deviations from the others' middle; five beside fewer than nine others, whose own spread is little
known. Of simulated runs of 5 to 96 normal tubes, as far apart as 3 to 12 %, at most 1.4 % of the tubes are named."""
USUAL_CV = {"volume": 0.04, "rate": 0.06, "brightness": 0.05}
"""Of tubes made alike, at the least: beads of a tube 3.6 % (CCQM-P102) and the volume drawn; the speed of a pressurised
sample; the peak of beads from tube to tube."""
LEAST_FACTOR = {"volume": 1.15, "rate": 1.3, "brightness": 1.25}
"""Nearer to the others no tube is named: 15 % is three times what bead tubes of one laboratory differ by; a flow set by
hand holds to a fifth; lots of one product that differ by less in brightness cannot be told apart."""
SAME_NUMBER, OTHER_NUMBER = 0.01, 1.25
"""Of `beads_added`: lots of one product differ by 1 to 10 %, no lot by a quarter."""
SAME_BRIGHTNESS = 0.08
"""Of ln: the beads of one lot, on one instrument, within some days."""
DRAW_FACTOR, DRAW_ERRORS = 1.3, 4.0
"""T cells/µL of two tubes of one draw differ by a third in no laboratory (long-term CV of CD4 at 350/µL: 19 %, within a
run 5 %), nor by four standard errors of both intervals."""

_SMALL_SAMPLE = {4: 1.363, 5: 1.206, 6: 1.2, 7: 1.14, 8: 1.129, 9: 1.107}
"""By what the median deviation of so many is multiplied (Croux and Rousseeuw 1992)."""


class TubeYield(Struct, frozen=True):
    """What one counted tube yields, and what it is compared among.

    ``kind`` is template and instrument; ``draw`` names subject, day and specimen. Volumes are in µL (``typed_ul`` is an
    acquired one that the sheet says and the tube is counted by), ``seconds`` the time from ``$BTIM`` to ``$ETIM``,
    ``brightness`` the places of beads by the names of ``places``; ``t_cells`` are cells/µL with their interval. None
    where it is not known.
    """

    sample_id: str
    kind: tuple[str, ...]
    by_beads: bool
    bead_events: int = 0
    beads_added: float | None = None
    bead_lot: str | None = None
    sample_volume_ul: float | None = None
    drawn_ul: float | None = None
    seconds: float | None = None
    typed_ul: float | None = None
    brightness: Mapping[str, float] = field(default_factory=dict)
    cd3: float | None = None
    draw: tuple[str, ...] | None = None
    t_cells: tuple[float, float, float] | None = None

    @classmethod
    def of(cls, result: SampleResult, brightness: Mapping[str, float], cd3: float | None) -> TubeYield:
        """The yield of a counted tube; ``brightness`` and ``cd3`` are where its beads and its T cells shine."""
        sample, roles, tube = result.sample, result.roles, result.counting
        beads, t_cells = result.population(roles.beads), result.population(roles.t_cells)
        events = beads.events if beads is not None else 0
        per_ul = _known(t_cells.per_ul) if t_cells is not None else None
        of_draw = sample.sample_type in OF_ONE_DRAW and sample.subject_id and sample.val_study is None
        draw = (sample.subject_id, str(sample.day), str(sample.collected_at), str(sample.specimen))
        return cls(
            sample_id=sample.sample_id,
            kind=(result.template.name, result.template.version, result.instrument),
            by_beads=tube.method == CountMethod.BEADS and per_ul is not None and events >= FEWEST_EVENTS,
            bead_events=events,
            beads_added=tube.beads_added,
            bead_lot=sample.bead_lot,
            sample_volume_ul=tube.sample_volume_ul,
            drawn_ul=result.volume_drawn_ul,
            seconds=result.seconds,
            typed_ul=sample.acquired_volume_ul if tube.method == CountMethod.VOLUMETRIC else None,
            brightness=brightness if events >= FEWEST_EVENTS else {},
            cd3=cd3,
            draw=tuple(map(str, draw)) if of_draw and sample.day is not None else None,
            t_cells=per_ul,
        )


def _known(estimate: Estimate) -> tuple[float, float, float] | None:
    value, low, high = estimate.value, estimate.low, estimate.high
    return None if value is None or low is None or high is None else (value, low, high)


def yield_findings(tubes: Sequence[TubeYield]) -> Mapping[str, tuple[Finding, ...]]:
    """Return by sample what its beads and cells say beside those of the other tubes, whether they agree or not."""
    findings: dict[str, list[Finding]] = defaultdict(list)
    kinds: dict[tuple[str, ...], list[TubeYield]] = defaultdict(list)
    for tube in tubes:
        if tube.by_beads or (tube.typed_ul and tube.seconds):
            kinds[(*tube.kind, "beads" if tube.by_beads else "volume")].append(tube)
    for group in kinds.values():
        beside = group[:: -(-len(group) // MOST_OTHERS)]
        for tube in group:
            others = [other for other in beside if other is not tube]
            if len(others) >= FEWEST_OTHERS:
                findings[tube.sample_id] += _of_beads(tube, others) if tube.by_beads else _of_flow(tube, others)
    for name, finding in _of_draws(tubes):
        findings[name].append(finding)
    return {name: tuple(of_one) for name, of_one in findings.items()}


# ---------------------------------------------------------------- beads against those of tubes made alike


class _Apart(Struct, frozen=True):
    """How far a tube lies from the others: its value, their middle, and ln of the ratio beyond which it is odd."""

    value: float
    middle: float
    limit: float

    @property
    def ln(self) -> float:
        return math.log(self.value / self.middle)

    @property
    def is_far(self) -> bool:
        return abs(self.ln) > self.limit


def apart(value: float, others: Sequence[float], what: str) -> _Apart | None:
    """How far a value lies from others of its sort, all above 0; None with fewer than four others.

    Notes
    -----
    The limit is a number of robust standard deviations of the others (and of their middle), no less than what tubes
    that are made alike differ by, and no less than a factor below which nobody is told.

    Examples
    --------
    >>> beside = [100.0, 103.0, 97.0, 101.0, 99.0]
    >>> apart(126.0, beside, "volume").is_far, apart(112.0, beside, "volume").is_far
    (True, False)
    """
    if len(others) < FEWEST_OTHERS:
        return None
    middle = median(others)
    deviation = median(abs(math.log(other / middle)) for other in others)
    n = len(others)
    spread = max(USUAL_CV[what], MAD_TO_SD * _SMALL_SAMPLE.get(n, 1 + 0.9 / n) * deviation)
    times = SPREADS if n >= ENOUGH_OTHERS else SPREADS_OF_FEW
    # pi / 2: the variance of a median over that of a mean
    return _Apart(value, middle, max(math.log(LEAST_FACTOR[what]), times * spread * math.sqrt(1 + math.pi / 2 / n)))


def _of_beads(tube: TubeYield, others: Sequence[TubeYield]) -> Iterator[Finding]:
    by_volume = _by_volume(tube, others)
    lot = _lot(tube, others, has_volume=by_volume is not None)
    findings = [one for one in (by_volume or _by_time(tube, others), lot) if one is not None]
    yield from (finding for finding in findings if finding.code)
    if findings and not any(finding.code for finding in findings):
        yield findings[0]


def _alike(tube: TubeYield, others: Iterable[TubeYield]) -> list[TubeYield]:
    """Tubes with as much specimen: more of it is lysed in more volume."""
    return [other for other in others if other.sample_volume_ul == tube.sample_volume_ul and other.beads_added]


def _by_volume(tube: TubeYield, others: Sequence[TubeYield]) -> Finding | None:
    """Hold the volume in the tube, by its beads and the volume drawn, against that of the others."""
    beside = [_volume(other) for other in _alike(tube, others) if other.drawn_ul]
    distance = apart(_volume(tube), beside, "volume") if tube.drawn_ul and tube.beads_added else None
    if distance is None:
        return None
    others_ul = f"{len(beside)} others {distance.middle:,.0f}"
    where = f"by its beads and the volume drawn the tube held {distance.value:,.0f} µL, {others_ul}"
    if not distance.is_far:
        return Finding(BEADS_CHECK, "", Severity.PASS, where, distance.ln, distance.limit)
    times = math.exp(abs(distance.ln))
    message = (
        f"{where}: if beads are the cause, cells/µL are {times:.2f} times too {'high' if distance.ln > 0 else 'low'}"
    )
    return Finding(BEADS_CHECK, "W255", Severity.REVIEW, message, distance.ln, distance.limit)


def _volume(tube: TubeYield) -> float:
    return (tube.beads_added or 0.0) * (tube.drawn_ul or 0.0) / tube.bead_events


def _by_time(tube: TubeYield, others: Sequence[TubeYield]) -> Finding | None:
    """Hold the beads a second, of those added, against the others'; a faster flow brings more, and is no fault."""
    beside = [_rate(other) for other in _alike(tube, others) if other.seconds]
    distance = apart(_rate(tube), beside, "rate") if tube.seconds and tube.beads_added else None
    if distance is None:
        return None
    times = distance.value / distance.middle
    where = f"beads come at {times:.2f} of the rate of {len(beside)} other tubes"
    if not distance.is_far or distance.ln > 0:
        return Finding(BEADS_CHECK, "", Severity.PASS, where, distance.ln, distance.limit)
    message = f"{where}: the flow was slower, or beads were lost and cells/µL are up to {1 / times:.1f} times too high"
    return Finding(BEADS_CHECK, "W256", Severity.REVIEW, message, distance.ln, distance.limit)


def _rate(tube: TubeYield) -> float:
    return tube.bead_events / (tube.seconds or 1.0) / (tube.beads_added or 1.0)


def _lot(tube: TubeYield, others: Sequence[TubeYield], *, has_volume: bool) -> Finding | None:
    """Hold how bright the beads are against how many the sheet says: another lot has another number."""
    of_lot = [other for other in others if other.beads_added and other.bead_lot == tube.bead_lot]
    names = [name for name in tube.brightness if all(name in other.brightness for other in of_lot)]
    if len(of_lot) < FEWEST_OTHERS or not names or not tube.beads_added:
        return None
    distances = [
        apart(tube.brightness[name], [other.brightness[name] for other in of_lot], "brightness") for name in names
    ]
    shift = median(one.ln for one in distances if one is not None)
    limit = median(one.limit for one in distances if one is not None)
    numbers = [other.beads_added or 1.0 for other in of_lot]
    number = math.log(tube.beads_added / median(numbers))
    if abs(shift) > limit and abs(number) < SAME_NUMBER and not _is_gain(tube, of_lot, shift):
        message = (
            f"its beads are {math.exp(shift):.2f} times as bright as those of {len(of_lot)} other tubes, and the sheet "
            f"says as many of them ({tube.beads_added:,.6g}): another lot has another number"
        )
        return Finding(BEADS_CHECK, "W257", Severity.REVIEW, message, shift, limit)
    if not has_volume and abs(shift) < SAME_BRIGHTNESS and _is_another_number(tube, of_lot):
        message = (
            f"the sheet says {tube.beads_added:,.6g} beads, {median(numbers):,.6g} of {len(of_lot)} other tubes whose "
            "beads are as bright: lots of one product do not differ by as much"
        )
        return Finding(BEADS_CHECK, "W257", Severity.REVIEW, message, number, math.log(OTHER_NUMBER))
    message = f"beads are {math.exp(shift):.2f} times as bright as in {len(of_lot)} other tubes"
    return Finding(BEADS_CHECK, "", Severity.PASS, message, shift, limit)


def _is_another_number(tube: TubeYield, others: Sequence[TubeYield]) -> bool:
    """True if the sheet says another number of beads than of all others, in the tube and for each µL of specimen."""
    numbers = [other.beads_added or 1.0 for other in others]
    if max(numbers) > (1 + SAME_NUMBER) * min(numbers):
        return False
    a_ul = [_per_ul(other) for other in (tube, *others)]
    return all(
        abs(math.log(one[0] / median(one[1:]))) > math.log(OTHER_NUMBER)
        for one in ([tube.beads_added or 1.0, *numbers], a_ul)
    )


def _per_ul(tube: TubeYield) -> float:
    return (tube.beads_added or 1.0) / (tube.sample_volume_ul or 1.0)


def _is_gain(tube: TubeYield, others: Sequence[TubeYield], shift: float) -> bool:
    """True if T cells shine as much brighter or dimmer as the beads do: then it is the detector, not the lot."""
    known = [other.cd3 for other in others if other.cd3]
    if not tube.cd3 or not known:
        return False
    of_cells = math.log(tube.cd3 / median(known))
    return of_cells * shift > 0 and abs(of_cells) > 0.5 * abs(shift)


# ---------------------------------------------------------------- volumes that were typed


def _of_flow(tube: TubeYield, others: Sequence[TubeYield]) -> Iterator[Finding]:
    """Hold the volume that the sheet says, for the time of the run, against the flow of the others."""
    distance = apart(_flow(tube), [_flow(other) for other in others], "rate")
    if distance is None:
        return
    where = f"{distance.value:.3g} µL/min by the sheet's volume, {distance.middle:.3g} in {len(others)} other tubes"
    if not distance.is_far:
        yield Finding(VOLUME_CHECK, "", Severity.PASS, where, distance.ln, distance.limit)
        return
    message = f"{where}: the flow was set otherwise, or the volume is another tube's"
    yield Finding(VOLUME_CHECK, "W262", Severity.REVIEW, message, distance.ln, distance.limit)


def _flow(tube: TubeYield) -> float:
    return 60 * (tube.typed_ul or 0.0) / (tube.seconds or 1.0)


# ---------------------------------------------------------------- two tubes of one draw


def _of_draws(tubes: Sequence[TubeYield]) -> Iterator[tuple[str, Finding]]:
    """Yield for each tube whether its T cells/µL are those of the other tubes of its draw.

    Of two that differ nobody can say which is wrong; of three or more, one that differs from most of the rest.
    """
    draws: dict[tuple[str, ...], list[TubeYield]] = defaultdict(list)
    for tube in tubes:
        if tube.draw is not None and tube.t_cells is not None and tube.t_cells[1] > 0:
            draws[tube.draw].append(tube)
    for group in draws.values():
        for tube in group if len(group) > 1 else ():
            yield tube.sample_id, _beside_draw(tube, [other for other in group if other is not tube])


def _beside_draw(tube: TubeYield, others: Sequence[TubeYield]) -> Finding:
    compared = [_beside_one(tube, other) for other in others]
    agreeing = [finding for finding in compared if not finding.code]
    return agreeing[0] if 2 * len(agreeing) >= len(others) else next(finding for finding in compared if finding.code)


def _beside_one(tube: TubeYield, other: TubeYield) -> Finding:
    assert tube.t_cells is not None and other.t_cells is not None
    own, its = tube.t_cells[0], other.t_cells[0]
    difference = math.log(own / its)
    error = math.hypot(*(math.log(high / low) / (2 * 1.96) for _, low, high in (tube.t_cells, other.t_cells)))
    limit = max(math.log(DRAW_FACTOR), DRAW_ERRORS * error)
    where = f"{own:,.4g} T cells/µL, {its:,.4g} in {other.sample_id} of the same draw"
    if abs(difference) <= limit:
        return Finding(DRAW_CHECK, "", Severity.PASS, where, difference, limit)
    message = f"{where}: cells or beads were lost in one of them, or a number of the sheet is another tube's"
    return Finding(DRAW_CHECK, "W258", Severity.REVIEW, message, difference, limit)
