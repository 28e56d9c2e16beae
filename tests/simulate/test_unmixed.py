"""Tubes as a spectral cytometer writes them: unmixed, to four million, with an identity as matrix."""

from __future__ import annotations

import numpy as np
import pytest

from cytocar import quantify
from cytocar.errors.tree import CompensationError
from cytocar.signals.compensation import carried
from cytocar.simulate import Preparation, blood_tube
from cytocar.simulate.appearance import SPECTRAL_GAIN, Appearance
from cytocar.simulate.instrument import FLUORESCENCE
from cytocar.template.load import load_template


def test_an_unmixed_tube_holds_the_compensated_signals_of_the_tube_it_was() -> None:
    tube = blood_tube(car_per_ul=100, preparation=Preparation(drawn_share=0.02), seed=1)
    unmixed = Appearance(unmixed=True).of(tube)
    matrix = carried(tube.events.keywords).matrix
    assert matrix is not None
    signals = matrix.compensate(np.column_stack([tube.columns[name] for name in matrix.detectors]))
    for name, signal in zip(matrix.detectors, signals.T, strict=True):
        assert unmixed.columns[name] == pytest.approx(SPECTRAL_GAIN * signal, rel=1e-3, abs=2), name
    assert unmixed.columns["FSC-W"] is tube.columns["FSC-W"]
    identity = carried(unmixed.events.keywords).matrix
    assert identity is not None and identity.detectors == FLUORESCENCE and (identity.values == np.eye(8)).all()
    assert Appearance(unmixed=True).template == ""
    with pytest.raises(CompensationError) as caught:
        quantify(unmixed.events, load_template("cart-cd19fc"))
    assert caught.value.code == "E066"
