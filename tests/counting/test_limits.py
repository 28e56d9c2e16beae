"""What may be said about a sample, at and around its limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cytocar.counting.background import NetShare
from cytocar.counting.basis import BeadBasis, NoBasis
from cytocar.counting.limits import CarResult, DetectionLimits, classify, detection_limits, report_text, three_digits
from cytocar.statistics.estimate import UNKNOWN
from cytocar.template.model import Limits

ONE_PER_UL = BeadBasis(bead_events=1000, beads_added=50_000, sample_volume_ul=50)  # one event is 1 cell/µL


def test_the_events_rule_holds_where_few_t_cells_were_acquired() -> None:
    limits = detection_limits(Limits(), 5_000, ONE_PER_UL)
    assert (limits.lod_events, limits.lloq_events) == (13, 22)
    assert limits.lod_percent == pytest.approx(0.26)
    assert limits.lloq_percent == pytest.approx(0.44)
    assert (limits.lod_per_ul, limits.lloq_per_ul) == (13, 22)


def test_the_percent_rule_holds_where_many_were_and_lifts_quantification_too() -> None:
    limits = detection_limits(Limits(), 100_000, ONE_PER_UL)
    assert (limits.lod_events, limits.lloq_events) == (100, 100)
    assert limits.lod_percent == pytest.approx(0.1)
    assert limits.lloq_percent == pytest.approx(0.1)
    assert limits.lod_per_ul == pytest.approx(100)


def test_the_percent_rule_alone_can_lie_between_detection_and_quantification() -> None:
    limits = detection_limits(Limits(), 15_000, ONE_PER_UL)
    assert (limits.lod_events, limits.lloq_events) == (15, 22)


def _net(*, background_percent: float) -> NetShare:
    return NetShare(UNKNOWN, UNKNOWN, background_percent, lob_events=0, lod_percent=None, lloq_percent=None)


def test_the_poisson_rule_holds_where_the_background_is_high() -> None:
    limits = detection_limits(Limits(), 5_000, ONE_PER_UL, net=_net(background_percent=0.26))
    assert limits.lod_events == pytest.approx(27.88, abs=0.005)
    assert limits.lloq_events == limits.lod_events


def test_thirteen_thousand_t_cells_are_just_enough_for_a_tenth_of_a_percent() -> None:
    assert detection_limits(Limits(), 13_000, NoBasis()).lod_percent == pytest.approx(0.1)
    assert detection_limits(Limits(), 12_999, NoBasis()).lod_percent == pytest.approx(0.10000769)


def test_without_t_cells_there_are_no_limits_in_percent_and_no_result() -> None:
    limits = detection_limits(Limits(), 0, ONE_PER_UL)
    assert limits.lod_percent is None
    assert classify(0, limits) is CarResult.NOT_EVALUABLE


def test_fewer_t_cells_than_the_limit_of_detection_cannot_be_evaluated() -> None:
    assert classify(12, detection_limits(Limits(), 12, ONE_PER_UL)) is CarResult.NOT_EVALUABLE
    assert classify(13, detection_limits(Limits(), 13, ONE_PER_UL)) is CarResult.BELOW_LLOQ


def test_without_an_absolute_count_the_limits_are_in_percent_only() -> None:
    limits = detection_limits(Limits(), 50_000, NoBasis())
    assert limits.lod_per_ul is None
    assert limits.lod_percent == pytest.approx(0.1)
    assert classify(50, limits) is CarResult.QUANTIFIED


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
    background=st.none() | st.floats(0, 5),
    detection=st.integers(1, 100),
    above=st.integers(0, 100),
    percent=st.floats(0, 5),
)
def test_quantification_never_begins_below_detection(
    t_cells: int, background: float | None, detection: int, above: int, percent: float
) -> None:
    template = Limits(detection_events=detection, quantification_events=detection + above, detection_percent=percent)
    net = None if background is None else _net(background_percent=background)
    limits = detection_limits(template, t_cells, ONE_PER_UL, net=net)
    assert limits.lod_events <= limits.lloq_events
    assert limits.lod_percent is not None
    assert limits.lod_per_ul == pytest.approx(limits.lod_percent / 100 * t_cells)


LIMITS = DetectionLimits(13, 22, 0.1, 0.17, 0.3, 0.5)


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
    [(0.0, "0"), (999.6, "1000"), (99.96, "100"), (0.0999999, "0.1"), (2.2, "2.2"), (1_234_567.0, "1234567")],
)
def test_three_digits_never_need_an_exponent(value: float, text: str) -> None:
    assert three_digits(value) == text
