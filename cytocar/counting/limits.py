"""What may be said about the CAR-T cells of one sample: quantified, below a limit, not detected, not evaluable.

Decided from the template's ``[limits]``, the background that a control shows, and the T cells that were acquired: the
same 0.2 cells/µL is a result in one tube and nothing in another.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from cytocar.errors.findings import Finding, Severity
from cytocar.gates.decision import Flag
from cytocar.statistics.estimate import LEVEL

if TYPE_CHECKING:
    from cytocar.counting.background import NetShare
    from cytocar.counting.basis import CountBasis
    from cytocar.template.model import Limits


class DetectionLimits(Struct, frozen=True):
    """What decides and what describes detection in this sample.

    Parameters
    ----------
    lob_events : int, optional
        Limit of blank: events in the gate that 95 % of tubes without positives do not exceed; ``None`` where the
        background is unknown.
    detected_from : int
        Fewest events in the gate with which cells are detected.
    lloq_events : float, optional
        Fewest events with which they are quantified; ``None`` where no number of them would do.
    lod_percent, lloq_percent : float, optional
        Smallest true share of T cells that 95 % of tubes like this one detect, and that is quantified; ``None``
        without T cells, or where half of all T cells would not do.
    lod_per_ul, lloq_per_ul : float, optional
        The same in cells/µL; ``None`` without absolute count.
    """

    lob_events: int | None
    detected_from: int
    lloq_events: float | None
    lod_percent: float | None
    lloq_percent: float | None
    lod_per_ul: float | None
    lloq_per_ul: float | None


def detection_limits(
    limits: Limits, t_cells: int, basis: CountBasis, *, net: NetShare | None = None
) -> DetectionLimits:
    """Return the limits that hold for this sample.

    Parameters
    ----------
    limits : Limits
        The template's ``[limits]``.
    t_cells : int
        T-cell events acquired.
    basis : CountBasis
        How events become cells/µL.
    net : NetShare, optional
        What the controls say about the background among these T cells, where the gate is placed by controls.

    Notes
    -----
    **The limit of blank decides**: detected are ``detection_events`` or more (13 and 22 events after Peinelt et al.
    2022, doi 10.3389/fimmu.2022.830773), more than the limit of blank, and so many that the lower limit of the net
    share is above 0. Where no control shows the background, ``detection_percent`` of the T cells besides: the
    sensitivity that the assay was validated to. **The limit of detection describes**: the share that 95 % of tubes
    like this one detect (CLSI EP17). Quantified are ``quantification_events`` and what is measured with a coefficient
    of variation of 25 %, and no less than the limit of detection.

    Examples
    --------
    >>> from cytocar.counting.basis import VolumetricBasis
    >>> from cytocar.template.model import Limits
    >>> found = detection_limits(Limits(), 50_000, VolumetricBasis(acquired_volume_ul=100))
    >>> found.detected_from, round(found.lod_percent, 3), round(found.lod_per_ul, 3)
    (50, 0.124, 0.622)
    """
    from scipy.special import gammaincinv

    measured = net is not None and Flag.NO_REFERENCE not in net.flags
    blank = 0 if net is None else max(net.lob_events + 1, net.first_above)
    assay = 0 if measured else math.ceil(round(limits.detection_percent * t_cells / 100, 6))
    needed = max(limits.detection_events, blank, assay)
    if net is None:
        lod = 100 * float(gammaincinv(needed, LEVEL)) / t_cells if t_cells else None
        lod = None if lod is None or lod > 100 else lod
        lloq = None if lod is None else max(lod, 100 * limits.quantification_events / t_cells)
        background = 0.0
    else:
        lod, background = net.lod_percent, (net.background_percent or 0.0) * t_cells / 100
        lloq = _net_lloq(net, limits, t_cells)
    lloq_events = None
    if lloq is not None:
        lloq_events = max(lloq / 100 * t_cells + background, limits.quantification_events, needed)
    per_event = basis.per_event()
    return DetectionLimits(
        lob_events=None if net is None else net.lob_events,
        detected_from=needed,
        lloq_events=lloq_events,
        lod_percent=lod,
        lloq_percent=lloq,
        lod_per_ul=_of(lod, t_cells, per_event),
        lloq_per_ul=_of(lloq, t_cells, per_event),
    )


def _net_lloq(net: NetShare, limits: Limits, t_cells: int) -> float | None:
    if net.lod_percent is None or net.lloq_percent is None:
        return None
    return max(net.lod_percent, net.lloq_percent, 100 * limits.quantification_events / t_cells)


def _of(percent: float | None, t_cells: int, per_event: float | None) -> float | None:
    return None if percent is None or per_event is None else percent / 100 * t_cells * per_event


class CarResult(StrEnum):
    """What may be said about the CAR-T cells of one sample."""

    QUANTIFIED = "quantified"
    BELOW_LLOQ = "below_lloq"
    NOT_DETECTED = "not_detected"
    NOT_EVALUABLE = "not_evaluable"


def classify(car_events: int | None, limits: DetectionLimits | None) -> CarResult:
    """What may be said about a sample with so many CAR+ events.

    Not evaluable is a sample without a CAR gate (``None`` events), without limits (the caller's way to say that the
    count or its control failed), or with too few T cells for even one full of CAR to reach the limit of detection.

    Examples
    --------
    >>> limits = DetectionLimits(3, 13, 22, 0.15, 0.17, 0.75, 0.85)
    >>> [classify(events, limits).value for events in (0, 13, 22, None)]
    ['not_detected', 'below_lloq', 'quantified', 'not_evaluable']
    """
    if car_events is None or limits is None or limits.lod_percent is None or limits.lloq_percent is None:
        return CarResult.NOT_EVALUABLE
    if car_events < limits.detected_from:
        return CarResult.NOT_DETECTED
    if limits.lloq_events is None or car_events < limits.lloq_events:
        return CarResult.BELOW_LLOQ
    return CarResult.QUANTIFIED


def report_text(
    result: CarResult, limits: DetectionLimits | None, *, per_ul: float | None, percent: float | None
) -> str:
    """Return the result as people read it: three significant digits, in cells/µL, else in percent of T cells.

    Examples
    --------
    >>> limits = DetectionLimits(3, 13, 22, 0.15, 0.17, 0.44, 0.5)
    >>> report_text(CarResult.QUANTIFIED, limits, per_ul=604.2, percent=12.0)
    '604'
    >>> report_text(CarResult.BELOW_LLOQ, limits, per_ul=0.4, percent=0.13)
    '<0.5'
    >>> report_text(CarResult.QUANTIFIED, limits, per_ul=None, percent=12.04)
    '12.0 % of T cells'
    """
    if result is CarResult.NOT_DETECTED:
        return "not detected"
    if result is CarResult.NOT_EVALUABLE or limits is None:
        return "not evaluable"
    below = result is CarResult.BELOW_LLOQ
    if per_ul is not None:
        shown = limits.lloq_per_ul if below else per_ul
        unit = ""
    else:
        shown = limits.lloq_percent if below else percent
        unit = " % of T cells"
    if shown is None:
        return "not evaluable"
    return f"{less_than(shown) if below else three_digits(shown)}{unit}"


def less_than(limit: float) -> str:
    """Return a limit that was not reached: a bound has no digits to keep, so ``<0.5`` and not ``<0.500``.

    >>> less_than(0.5), less_than(1.216), less_than(20)
    ('<0.5', '<1.22', '<20')
    """
    text = three_digits(limit)
    return f"<{text.rstrip('0').rstrip('.') if '.' in text else text}"


def three_digits(value: float) -> str:
    """Return a number for people: three significant digits, zeros at the end too, and never an exponent.

    Examples
    --------
    >>> [three_digits(value) for value in (1064.4, 24_310.0, 2.2249, 0.5, 0.00012345)]
    ['1064', '24310', '2.22', '0.500', '0.000123']
    """
    if value == 0:
        return "0"
    decimals = max(2 - math.floor(math.log10(abs(float(f"{value:.2e}")))), 0)
    return f"{value:.{decimals}f}"


def rare_cells(name: str, events: int, limits: Limits, basis: CountBasis) -> tuple[Finding, ...]:
    """Return a note on cells that may be absent, where they are too few to be detected or counted.

    B cells in aplasia, T cells after lymphodepletion, CD4 or CD8 T cells of a product of one kind.

    Parameters
    ----------
    name : str
        The population.
    events : int
        Its events. A border that lies between two populations has hardly a background, so events alone decide.
    """
    if events >= limits.quantification_events:
        return ()
    detected = events >= limits.detection_events
    limit = limits.quantification_events if detected else limits.detection_events
    per_ul = basis.concentration(limit).value
    of_tube = f", {per_ul:.3g} cells/µL in this tube" if per_ul is not None else ""
    what = "detected, too few for a number" if detected else "not detected"
    message = f"{name}: {events} events, {what} (the limit is {limit} events{of_tube})"
    return (Finding(name, "W223", Severity.NOTE, message, float(events), float(limit)),)
