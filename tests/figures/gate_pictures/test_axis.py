"""Axes of gate pictures."""

import numpy as np
import pytest

from cytocar.figures.gate_pictures.axis import CLOSEST_LABELS, PictureAxis
from cytocar.signals.scales import AnyScale, AsinhScale, HyperlogScale, LinearScale, LogicleScale, LogScale

ALL_SCALES: list[AnyScale] = [
    LinearScale(),
    LinearScale(T=1000.0, A=100.0),
    LogScale(T=262144.0, M=4.5),
    AsinhScale(T=262144.0, M=4.5, A=0.5),
    AsinhScale(T=4096.0, M=4.0),
    LogicleScale(),
    LogicleScale(T=16_777_216.0, W=1.0, M=5.4),
    HyperlogScale(),
]


@pytest.mark.parametrize("scale", ALL_SCALES, ids=lambda scale: f"{scale.kind}-{scale.T}")
def test_every_scale_has_ticks_where_its_values_stand_and_labels_that_do_not_overlap(scale: AnyScale) -> None:
    axis = PictureAxis.of("CD3", scale, top=262_144)
    labelled = [tick.place for tick in axis.ticks if tick.label]
    assert len(labelled) >= 2
    assert np.diff(labelled).min() >= CLOSEST_LABELS - 1e-9
    assert all(0 <= tick.place <= 1 for tick in axis.ticks)


def test_a_tick_stands_where_the_templates_scale_puts_its_value() -> None:
    axis = PictureAxis.of("CAR", LogicleScale(), top=262_144)
    by_label = {tick.label: tick.place for tick in axis.ticks if tick.label}
    on_scale = {"10³": float(LogicleScale().forward(1000.0)), "0": 1 / 9}
    for label, value in on_scale.items():
        assert by_label[label] == pytest.approx((value - axis.low) / (axis.high - axis.low), abs=1e-4)


def test_values_beyond_an_axis_and_values_without_a_place_are_drawn_at_its_ends() -> None:
    axis = PictureAxis.of("CAR", LogScale(T=1000.0, M=3.0), top=1000)
    assert axis.place([-5.0, 0.0, np.nan, np.inf, 31.622776601683793, 5000.0]).tolist() == pytest.approx(
        [0, 0, 0, 1, 0.5, 1]
    )
