"""What may be said about a sample, at and around its limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from cytocar.counting.background import NetShare, net_share
from cytocar.counting.basis import BeadBasis, NoBasis
from cytocar.counting.limits import CarResult, DetectionLimits, classify, detection_limits, report_text, three_digits
from cytocar.gates.decision import Background
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
    [(0.0, "0"), (999.6, "1000"), (99.96, "100"), (0.0999999, "0.1"), (2.2, "2.2"), (1_234_567.0, "1234567")],
)
def test_three_digits_never_need_an_exponent(value: float, text: str) -> None:
    assert three_digits(value) == text
