"""What may be said about a sample, at and around its limits."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import gamma, poisson

from cytocar.counting.background import NetShare, net_share
from cytocar.counting.basis import BeadBasis, NoBasis
from cytocar.counting.limits import (
    CarResult,
    DetectionLimits,
    classify,
    detection_limits,
    rare_cells,
    report_text,
    three_digits,
)
from cytocar.errors.findings import Severity
from cytocar.gates.decision import Background, Flag
from cytocar.statistics.estimate import UNKNOWN
from cytocar.template.model import Limits

ONE_PER_UL = BeadBasis(bead_events=1000, beads_added=50_000, sample_volume_ul=50)  # one event is 1 cell/µL


def test_thirteen_events_decide_and_what_reaches_them_in_95_percent_of_tubes_is_the_limit_of_detection() -> None:
    limits = detection_limits(Limits(), 5_000, ONE_PER_UL)
    assert (limits.detected_from, limits.lloq_events) == (13, 22)
    assert limits.lod_percent is not None and limits.lod_per_ul is not None
    assert poisson.sf(12, limits.lod_percent / 100 * 5_000) == pytest.approx(0.95)
    assert limits.lod_per_ul == pytest.approx(limits.lod_percent / 100 * 5_000)
    assert limits.lloq_percent == pytest.approx(0.44)


def test_without_a_control_the_percent_that_the_assay_was_validated_to_decides_too() -> None:
    limits = detection_limits(Limits(), 100_000, ONE_PER_UL)
    assert limits.detected_from == 100
    assert limits.lod_percent is not None
    assert poisson.sf(99, limits.lod_percent / 100 * 100_000) == pytest.approx(0.95)
    assert limits.lloq_percent == limits.lod_percent
    assert detection_limits(Limits(), 15_000, ONE_PER_UL).detected_from == 15


def _net(background: Background, t_cells: int) -> NetShare:
    return net_share(0, t_cells, background, assumed_percent=0.05, seed=1, fewest_events=13)


def test_with_a_control_the_limit_of_blank_and_the_net_share_decide_and_not_the_template_s_percent() -> None:
    clean = _net(Background(0, 100_000, ("B",)), 100_000)
    assert detection_limits(Limits(), 100_000, ONE_PER_UL, net=clean).detected_from == 13
    sticky = _net(Background(300, 100_000, ("B",)), 100_000)
    limits = detection_limits(Limits(), 100_000, ONE_PER_UL, net=sticky)
    assert limits.lob_events == sticky.lob_events > 300
    assert limits.detected_from == max(sticky.lob_events + 1, sticky.first_above)
    assert limits.lloq_events is not None
    assert limits.lloq_events >= limits.detected_from


def test_without_t_cells_there_are_no_limits_in_percent_and_no_result() -> None:
    limits = detection_limits(Limits(), 0, ONE_PER_UL)
    assert limits.lod_percent is None
    assert classify(0, limits) is CarResult.NOT_EVALUABLE


def test_fewer_t_cells_than_the_limit_of_detection_cannot_be_evaluated() -> None:
    assert classify(19, detection_limits(Limits(), 19, ONE_PER_UL)) is CarResult.NOT_EVALUABLE
    assert classify(13, detection_limits(Limits(), 20, ONE_PER_UL)) is CarResult.BELOW_LLOQ


def test_without_an_absolute_count_the_limits_are_in_percent_only() -> None:
    limits = detection_limits(Limits(), 50_000, NoBasis())
    assert limits.lod_per_ul is None
    assert limits.lod_percent == pytest.approx(0.12434, abs=1e-4)
    assert classify(50, limits) is CarResult.BELOW_LLOQ
    assert classify(63, limits) is CarResult.QUANTIFIED


@pytest.mark.parametrize(
    ("events", "result"),
    [(0, "not_detected"), (12, "not_detected"), (13, "below_lloq"), (21, "below_lloq"), (22, "quantified")],
)
def test_a_count_at_a_limit_has_reached_it(events: int, result: str) -> None:
    assert classify(events, detection_limits(Limits(), 5000, ONE_PER_UL)) == result


def test_a_sample_without_car_gate_or_without_limits_cannot_be_evaluated() -> None:
    assert classify(None, detection_limits(Limits(), 5000, ONE_PER_UL)) is CarResult.NOT_EVALUABLE
    assert classify(50, None) is CarResult.NOT_EVALUABLE


@given(
    t_cells=st.integers(1, 500_000),
    background=st.none() | st.integers(0, 5000),
    detection=st.integers(1, 100),
    above=st.integers(0, 100),
    percent=st.floats(0, 5),
)
def test_quantification_never_begins_below_detection(
    t_cells: int, background: int | None, detection: int, above: int, percent: float
) -> None:
    template = Limits(detection_events=detection, quantification_events=detection + above, detection_percent=percent)
    net = None if background is None else _net(Background(background, 100_000, ("B",)), t_cells)
    limits = detection_limits(template, t_cells, ONE_PER_UL, net=net)
    assert limits.lloq_events is None or limits.detected_from <= limits.lloq_events
    if limits.lod_percent is not None and limits.lloq_percent is not None:
        assert limits.lod_percent <= limits.lloq_percent
        assert limits.lod_per_ul == pytest.approx(limits.lod_percent / 100 * t_cells)


LIMITS = DetectionLimits(3, 13, 22, 0.15, 0.17, 0.44, 0.5)


@pytest.mark.parametrize(
    ("result", "per_ul", "percent", "text"),
    [
        (CarResult.QUANTIFIED, 604.4, 12.0, "604"),
        (CarResult.QUANTIFIED, 1064.0, 12.0, "1064"),
        (CarResult.BELOW_LLOQ, 0.4, 0.15, "<0.5"),
        (CarResult.NOT_DETECTED, 0.0, 0.0, "not detected"),
        (CarResult.NOT_EVALUABLE, None, None, "not evaluable"),
        (CarResult.QUANTIFIED, None, 0.1234, "0.123 % of T cells"),
        (CarResult.BELOW_LLOQ, None, 0.15, "<0.17 % of T cells"),
    ],
)
def test_people_read_three_digits_or_the_limit(
    result: CarResult, per_ul: float | None, percent: float | None, text: str
) -> None:
    assert report_text(result, LIMITS, per_ul=per_ul, percent=percent) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (999.6, "1000"), (99.96, "100"), (0.0999999, "0.100"), (2.2, "2.20"), (1_234_567.0, "1234567")],
)
def test_three_digits_never_need_an_exponent(value: float, text: str) -> None:
    assert three_digits(value) == text


def net(
    lob: int, first: int, lod: float | None, lloq: float | None, percent: float | None = None, **about: Any
) -> NetShare:
    return NetShare(UNKNOWN, UNKNOWN, percent, lob, first, lod, lloq, **about)


@pytest.mark.parametrize(
    ("share", "t_cells", "detected_from", "lod", "lloq", "lloq_events"),
    [
        pytest.param(net(3, 2, 0.2, 0.3), 20_000, 13, 0.2, 0.3, 60, id="the template's events are more"),
        pytest.param(net(12, 2, 0.2, 0.3), 20_000, 13, 0.2, 0.3, 60, id="one more than the limit of blank"),
        pytest.param(net(13, 2, 0.2, 0.3), 20_000, 14, 0.2, 0.3, 60, id="one more than the limit of blank is more"),
        pytest.param(net(3, 20, 0.2, 0.3), 20_000, 20, 0.2, 0.3, 60, id="the net share's first is more"),
        pytest.param(net(3, 2, 0.2, 0.3, 0.05), 20_000, 13, 0.2, 0.3, 70, id="the background lies in the gate besides"),
        pytest.param(net(3, 2, 0.2, 0.1), 20_000, 13, 0.2, 0.2, 40, id="never below the limit of detection"),
        pytest.param(net(3, 2, 0.2, 0.3), 5_000, 13, 0.2, 0.44, 22, id="22 events of few T cells"),
        pytest.param(net(90, 2, 0.2, 0.3), 20_000, 91, 0.2, 0.3, 91, id="none is quantified and not detected"),
        pytest.param(net(3, 2, 0.2, None), 20_000, 13, 0.2, None, None, id="none of quantification"),
        pytest.param(net(3, 2, None, 0.3), 20_000, 13, None, None, None, id="none of detection"),
        pytest.param(
            net(3, 2, 0.2, 0.3, flags=(Flag.NO_REFERENCE,)), 20_100, 21, 0.2, 0.3, 60.3, id="without a control 0.1 %"
        ),
        pytest.param(None, 0, 13, None, None, None, id="no T cells"),
        pytest.param(
            None,
            20_000,
            20,
            100 * gamma.ppf(0.95, 20) / 20_000,
            100 * gamma.ppf(0.95, 20) / 20_000,
            gamma.ppf(0.95, 20),
            id="no share: 0.1 % of T cells",
        ),
        pytest.param(None, 20, 13, 100 * gamma.ppf(0.95, 13) / 20, 110, 22, id="nearly all must be CAR+"),
        pytest.param(None, 19, 13, None, None, None, id="all are too few"),
    ],
)
def test_the_largest_of_what_a_claim_needs_decides(
    share: NetShare | None,
    t_cells: int,
    detected_from: int,
    lod: float | None,
    lloq: float | None,
    lloq_events: float | None,
) -> None:
    found = detection_limits(Limits(), t_cells, ONE_PER_UL, net=share)
    assert found.lob_events == (None if share is None else share.lob_events)
    assert found.detected_from == detected_from
    expected = (lod, lloq, lloq_events)
    for value, wanted in zip((found.lod_percent, found.lloq_percent, found.lloq_events), expected, strict=True):
        assert value == (None if wanted is None else pytest.approx(wanted))
    for per_ul, percent in ((found.lod_per_ul, lod), (found.lloq_per_ul, lloq)):
        assert per_ul == (None if percent is None else pytest.approx(percent / 100 * t_cells))


@pytest.mark.parametrize(
    ("limits", "result"),
    [
        (DetectionLimits(3, 13, 22.5, 0.1, 0.2, None, None), CarResult.BELOW_LLOQ),
        (DetectionLimits(3, 13, 22.0, 0.1, 0.2, None, None), CarResult.QUANTIFIED),
        (DetectionLimits(3, 23, 30.0, 0.1, 0.2, None, None), CarResult.NOT_DETECTED),
        (DetectionLimits(3, 13, None, 0.1, 0.2, None, None), CarResult.BELOW_LLOQ),
        (DetectionLimits(3, 13, 22.0, None, 0.2, None, None), CarResult.NOT_EVALUABLE),
        (DetectionLimits(3, 13, 22.0, 0.1, None, None, None), CarResult.NOT_EVALUABLE),
    ],
)
def test_twenty_two_events_are_what_the_limits_make_of_them(limits: DetectionLimits, result: CarResult) -> None:
    assert classify(22, limits) is result


def test_a_result_without_the_number_that_it_shows_is_not_evaluable() -> None:
    no_limit = DetectionLimits(3, 13, 22, None, None, None, None)
    assert report_text(CarResult.BELOW_LLOQ, no_limit, per_ul=0.4, percent=0.1) == "not evaluable"
    assert report_text(CarResult.QUANTIFIED, LIMITS, per_ul=None, percent=None) == "not evaluable"
    assert report_text(CarResult.QUANTIFIED, None, per_ul=5.0, percent=1.0) == "not evaluable"
    assert report_text(CarResult.NOT_DETECTED, None, per_ul=5.0, percent=1.0) == "not detected"
    assert three_digits(-0.01234) == "-0.0123"


@pytest.mark.parametrize(
    ("events", "limit", "words"),
    [
        (0, 13, "B cells: 0 events, not detected (the limit is 13 events, 13 cells/µL in this tube)"),
        (12, 13, "B cells: 12 events, not detected (the limit is 13 events, 13 cells/µL in this tube)"),
        (
            13,
            22,
            "B cells: 13 events, detected, too few for a number (the limit is 22 events, 22 cells/µL in this tube)",
        ),
        (
            21,
            22,
            "B cells: 21 events, detected, too few for a number (the limit is 22 events, 22 cells/µL in this tube)",
        ),
    ],
)
def test_cells_that_may_be_absent_are_noted_with_the_limit_that_they_miss(events: int, limit: int, words: str) -> None:
    (finding,) = rare_cells("B cells", events, Limits(), ONE_PER_UL)
    assert (finding.check, finding.code, finding.outcome) == ("B cells", "W223", Severity.NOTE)
    assert (finding.message, finding.value, finding.limit) == (words, events, limit)
    (finding,) = rare_cells("B cells", events, Limits(), NoBasis())
    assert finding.message == words.replace(f", {limit} cells/µL in this tube", "")
    assert rare_cells("B cells", 22, Limits(), ONE_PER_UL) == ()
