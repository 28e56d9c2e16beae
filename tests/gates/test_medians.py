"""Medians of signals that stream past: exact, and in memory that hardly grows with the file."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from cytocar.fcs.events import BLOCK_EVENTS, EventTable
from cytocar.gates.medians import KEPT_ON_EITHER_SIDE, StreamingMedian
from cytocar.gates.walk import walk
from cytocar.signals.declaration import declare
from cytocar.template.model import Template

Draw = Callable[[np.random.Generator, int], npt.NDArray[np.float64]]
SHAPES: dict[str, Draw] = {
    "normal": lambda random, n: random.normal(100, 30, n),
    "far apart": lambda random, n: np.where(random.random(n) < 0.5, random.normal(0, 1, n), random.normal(1e5, 1, n)),
    "few levels": lambda random, n: random.integers(0, 7, n).astype(float),
    "one level": lambda random, n: np.full(n, 3.5),
    "with holes": lambda random, n: np.where(random.random(n) < 0.01, np.nan, random.normal(0, 1, n)),
}


def streamed(values: npt.NDArray[np.float64]) -> StreamingMedian:
    middle = StreamingMedian()
    for start in range(0, values.size, BLOCK_EVENTS):
        middle.add(values[start : start + BLOCK_EVENTS])
    return middle


@pytest.mark.parametrize("n", [1, 2, 999, 70_000, 1_500_000])
@pytest.mark.parametrize("shape", list(SHAPES))
def test_the_streamed_median_is_the_median(shape: str, n: int) -> None:
    values = SHAPES[shape](np.random.default_rng(n), n)
    median, known = streamed(values).median()
    assert known
    assert median == np.nanmedian(values.astype(np.float32).astype(np.float64))


def test_signals_are_let_go_of_but_those_around_the_middle() -> None:
    middle = streamed(np.random.default_rng(1).normal(size=2_000_000))
    assert middle.held <= 16 * KEPT_ON_EITHER_SIDE


def test_nothing_has_no_median() -> None:
    assert StreamingMedian().median() == (None, True)
    assert streamed(np.full(10, np.nan)).median() == (None, True)


def test_a_median_that_moved_away_is_looked_up_again() -> None:
    rising = np.sort(np.random.default_rng(2).normal(5000, 900, 300_000))
    assert streamed(rising).median() == (None, False)
    template = declare(
        Template,
        {
            "name": "test",
            "version": "1.0.0",
            "panel": {"A": {}},
            "compensation": {"source": "none"},
            "populations": [{"name": "a", "parent": "all", "gate": {"kind": "range", "marker": "A", "min": 4000}}],
        },
    )
    found = walk(EventTable.from_columns({"A": rising}), template, medians=["A"])
    assert found.median("a", "A") == pytest.approx(np.median(rising[rising >= 4000]), rel=1e-6)
