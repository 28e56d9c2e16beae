"""What may be said about the CAR-T cells of one sample: quantified, below a limit, not detected, not evaluable.

Decided from the template's ``[limits]``, the background that a control shows, and the T cells that were acquired: the
same 0.2 cells/µL is a result in one tube and nothing in another.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from cytocar.statistics.detection import limit_of_detection

if TYPE_CHECKING:
    from cytocar.counting.background import NetShare
    from cytocar.counting.basis import CountBasis
    from cytocar.template.model import Limits


@dataclass(frozen=True, slots=True)
class DetectionLimits:
    """Below these a result of this sample is not detected (LoD), or not quantified (LLOQ).

    In events, in percent of its T cells (``None`` without T cells), and in cells/µL (``None`` without absolute count).
    """

    lod_events: float
    lloq_events: float
    lod_percent: float | None
    lloq_percent: float | None
    lod_per_ul: float | None
    lloq_per_ul: float | None


def detection_limits(
    limits: Limits, t_cells: int, basis: CountBasis, *, net: NetShare | None = None
) -> DetectionLimits:
    """Return the limits that hold for this sample, on the scale of its raw CAR+ events.

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
    The largest rule holds: the template's ``detection_events`` (13 and 22 events after Peinelt et al. 2022, doi
    10.3389/fimmu.2022.830773), ``detection_percent`` of the T cells, and above a background the exact Poisson limit
    and the limits that account for how well the background is known. Quantification never begins below detection.

    Examples
    --------
    >>> from cytocar.counting.basis import VolumetricBasis
    >>> from cytocar.template.model import Limits
    >>> found = detection_limits(Limits(), 50_000, VolumetricBasis(acquired_volume_ul=100))
    >>> found.lod_events, found.lod_percent, found.lod_per_ul
    (50.0, 0.1, 0.5)
    """
    background = (net.background_percent or 0.0) * t_cells / 100 if net else 0.0
    lod = max(
        float(limits.detection_events),
        limit_of_detection(background),
        limits.detection_percent * t_cells / 100,
        _raw_events(net.lod_percent if net else None, background, t_cells),
    )
    lloq = max(
        lod,
        float(limits.quantification_events),
        _raw_events(net.lloq_percent if net else None, background, t_cells),
    )
    per_event = basis.per_event()
    return DetectionLimits(
        lod_events=lod,
        lloq_events=lloq,
        lod_percent=100 * lod / t_cells if t_cells else None,
        lloq_percent=100 * lloq / t_cells if t_cells else None,
        lod_per_ul=None if per_event is None else lod * per_event,
        lloq_per_ul=None if per_event is None else lloq * per_event,
    )


def _raw_events(net_percent: float | None, background_events: float, t_cells: int) -> float:
    """Return how many events the gate holds when so many percent of the T cells are positive; 0 for no rule."""
    return 0.0 if net_percent is None else net_percent * t_cells / 100 + background_events


class CarResult(StrEnum):
    """What may be said about the CAR-T cells of one sample."""

    QUANTIFIED = "quantified"
    BELOW_LLOQ = "below_lloq"
    NOT_DETECTED = "not_detected"
    NOT_EVALUABLE = "not_evaluable"


def classify(car_events: int | None, limits: DetectionLimits | None) -> CarResult:
    """Return what may be said about a sample with so many CAR+ events.

    Not evaluable is a sample without a CAR gate (``None`` events), without limits (the caller's way to say that the
    count or its control failed), or with too few T cells for even one full of CAR to reach the limit of detection.

    Examples
    --------
    >>> limits = DetectionLimits(13, 22, 0.1, 0.17, 0.5, 0.85)
    >>> [classify(events, limits).value for events in (0, 13, 22, None)]
    ['not_detected', 'below_lloq', 'quantified', 'not_evaluable']
    """
    if car_events is None or limits is None or limits.lod_percent is None or limits.lod_percent > 100:
        return CarResult.NOT_EVALUABLE
    if car_events < limits.lod_events:
        return CarResult.NOT_DETECTED
    if car_events < limits.lloq_events:
        return CarResult.BELOW_LLOQ
    return CarResult.QUANTIFIED


def report_text(
    result: CarResult, limits: DetectionLimits | None, *, per_ul: float | None, percent: float | None
) -> str:
    """Return the result as people read it: three significant digits, in cells/µL, else in percent of T cells.

    Examples
    --------
    >>> limits = DetectionLimits(13, 22, 0.1, 0.17, 0.3, 0.5)
    >>> report_text(CarResult.QUANTIFIED, limits, per_ul=604.2, percent=12.0)
    '604'
    >>> report_text(CarResult.BELOW_LLOQ, limits, per_ul=0.4, percent=0.13)
    '<0.5'
    >>> report_text(CarResult.QUANTIFIED, limits, per_ul=None, percent=12.04)
    '12 % of T cells'
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
    return f"{'<' if below else ''}{three_digits(shown)}{unit}"


def three_digits(value: float) -> str:
    """Return a number for people: three significant digits, never an exponent, whole numbers whole.

    Examples
    --------
    >>> [three_digits(value) for value in (1064.4, 24_310.0, 2.2249, 0.5, 0.00012345)]
    ['1064', '24310', '2.22', '0.5', '0.000123']
    """
    if value == 0:
        return "0"
    decimals = max(2 - math.floor(math.log10(abs(float(f"{value:.2e}")))), 0)
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
