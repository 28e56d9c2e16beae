"""Data-driven gates on blood of real donors: peaks that nobody drew, and known numbers of real cells added."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cytocar.counting.background import net_share
from cytocar.fcs.reader import open_fcs
from cytocar.gates.adaptive import reference
from cytocar.gates.adaptive.density import Floats
from cytocar.gates.adaptive.valley import find_valley
from cytocar.gates.decision import FitInput, ReferenceEvents
from cytocar.regions.boxes import RangeGate
from cytocar.sheet.rows import SampleType
from cytocar.signals.compensation import SpilloverMatrix
from cytocar.template.gate_kinds import ReferenceGate

CD3, CD4, CD8 = "BV785 - CD3", "APCCy7 - CD4", "BV650 - CD8a"


def donor(folder: Path, number: int) -> dict[str, Floats]:
    """Return the compensated signals of a donor by marker, 5000 events (OMIP-021)."""
    events = open_fcs(folder / "tcell_human" / "cytopipeline_omip021" / f"Donor{number}.fcs")
    matrix = SpilloverMatrix.from_keywords(events.keywords)
    assert matrix is not None
    signals = events.columns(matrix.detectors) @ np.linalg.inv(matrix.values)
    names = {channel.detector: channel.marker or channel.detector for channel in events.channels}
    return {names[detector]: signals[:, column] for column, detector in enumerate(matrix.detectors)}


def bright(signals: dict[str, Floats], marker: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    valley = find_valley(signals[marker], window=(150, 20_000))
    assert valley is not None
    return np.asarray(signals[marker] >= valley.at)


@pytest.mark.parametrize("number", [1, 2])
def test_t_cells_of_a_donor_are_parted_where_hardly_any_event_lies(shared_data: Path, number: int) -> None:
    cd3 = donor(shared_data, number)[CD3]
    valley = find_valley(cd3, window=(150, 5000))
    assert valley is not None
    assert valley.prominence > 0.8
    in_the_valley = np.abs(np.arcsinh(cd3 / 150) - np.arcsinh(valley.at / 150)) < 0.1
    assert in_the_valley.mean() < 0.005


@pytest.mark.parametrize("share", [0.1, 0.4])
@pytest.mark.parametrize("gain", [0.8, 1.2])
def test_cd8_cells_added_to_cd4_cells_are_counted(shared_data: Path, share: float, gain: float) -> None:
    """Not the other way round: donor 1 has CD4 cells dim for CD8, which donor 2 as reference does not explain."""
    random = np.random.default_rng(2)
    cells, reference_cells = donor(shared_data, 2), donor(shared_data, 1)
    lacking = [
        signals[CD8][bright(signals, CD3) & bright(signals, CD4) & ~bright(signals, CD8)]
        for signals in (cells, reference_cells)
    ]
    carrying = reference_cells[CD8][bright(reference_cells, CD3) & bright(reference_cells, CD8)]
    added = int(20_000 * share)
    sample = gain * np.concatenate([random.choice(lacking[0], 20_000 - added), random.choice(carrying, added)])
    control = ReferenceEvents("other", SampleType.HEALTHY, "t_cells", {"CD8": random.choice(lacking[1], 20_000)})
    gate = ReferenceGate(marker="CD8", fallback=1000, window=(150, 20_000))
    fitted = reference.fit(gate, FitInput("p", {"CD8": sample}, references=[control], seed=1))
    assert isinstance(fitted.gate, RangeGate)
    assert fitted.gate.min is not None
    events = int((sample >= fitted.gate.min).sum())
    net = net_share(events, 20_000, fitted.background, assumed_percent=0.05, seed=1).net
    assert net.value == pytest.approx(100 * share, rel=0.05)
    assert net.low is not None
    assert net.high is not None
    assert net.low <= 100 * share <= net.high
