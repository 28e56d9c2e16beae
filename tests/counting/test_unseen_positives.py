from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace
from scipy import stats

from benchmarks.validity import at_the_limit
from benchmarks.validity.shapes import NEGATIVES, POSITIVES
from benchmarks.validity.strata import Stratum
from cytocar.counting.background import net_share
from cytocar.counting.unseen_positives import USUAL_LOG_SD, usual_sensitivity
from cytocar.gates.decision import Background

CONTROL = Background(20, 100_000, ("B1",), sensitivity=0.78, sensitivity_sd=0.2)


@pytest.mark.parametrize("place", [2.0, 4.3, 7.0])
@pytest.mark.parametrize("stain_index", [3.0, 6.0, 12.0])
def test_usual_positives_are_lognormal_about_their_stain_index(place: float, stain_index: float) -> None:
    signals = stats.lognorm(USUAL_LOG_SD, scale=2 * stain_index)
    assert usual_sensitivity(place, stain_index) == pytest.approx(signals.sf(place))
    drawn = 2 * stain_index * 10 ** np.random.default_rng(1).normal(0, 0.39, 100_000)
    assert usual_sensitivity(place, stain_index) == pytest.approx((drawn > place).mean(), abs=0.01)


def test_all_positives_lie_above_a_threshold_in_the_middle_of_the_negatives() -> None:
    assert usual_sensitivity(-3.0, 6.0) == pytest.approx(1, abs=1e-6)


def limit(background: Background | None, **named: object) -> float:
    net = net_share(0, 20_000, background, assumed_percent=0.05, seed=1, fewest_events=13, **named)  # type: ignore[arg-type]
    assert net.lod_percent is not None
    return net.lod_percent * net.limit_sensitivity


def test_limits_suppose_what_is_usual_only_where_the_tube_s_positives_do_not_tell() -> None:
    unresolved, nothing = replace(CONTROL, resolved=False), {"usual": None}
    shares = {
        (name, usual): net_share(0, 20_000, background, assumed_percent=0.05, seed=1, unaided=unaided, usual=usual)
        for name, background, unaided in (
            ("resolved", CONTROL, None),
            ("unresolved", unresolved, None),
            ("none", None, None),
            ("unaided", None, (0.7, 0.1)),
        )
        for usual in (None, 0.9, 0.1)
    }
    above = {key: round(share.limit_sensitivity, 2) for key, share in shares.items()}
    supposed = above["resolved", None]
    assert supposed == pytest.approx(0.78, abs=0.02)
    assert [above["resolved", usual] for usual in (0.9, 0.1)] == [supposed] * 2
    assert [above["unresolved", usual] for usual in (None, 0.9, 0.1)] == [supposed, 0.9, 0.3]
    assert [above["none", usual] for usual in (None, 0.9, 0.1)] == [1.0, 0.9, 0.3]
    assert [above["unaided", usual] for usual in (None, 0.9, 0.1)] == [0.7] * 3
    assert shares["none", 0.9].net == shares["none", None].net  # the number is not the limit's
    assert limit(unresolved, usual=0.9) == pytest.approx(limit(unresolved, **nothing), rel=0.01)
    assert shares["none", 0.9].lloq_percent == pytest.approx((shares["none", None].lloq_percent or 0) / 0.9, rel=0.01)


@pytest.mark.parametrize(("stain_index", "limit_percent"), [(6.0, 0.385), (3.0, 0.59)])
def test_tubes_at_the_limit_of_a_blank_without_a_control_are_detected_at_the_index_that_is_supposed(
    stain_index: float, limit_percent: float
) -> None:
    """benchmarks/validity has 400 tubes a line; supposed that all positives lie above it is 75 and 40 %."""
    stratum, halves = Stratum(stain_index, 0, "none"), (NEGATIVES, POSITIVES)
    trials = [at_the_limit.trial(stratum, stain_index, halves, (3, number)) for number in range(120)]
    assert np.mean([at_limit.detected for _, at_limit in trials]) >= 0.9
    assert np.median([blank.lod_percent for blank, _ in trials]) == pytest.approx(limit_percent, rel=0.1)
