"""Volume of a run against the time from which its events come."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pytest

from cytocar.errors.findings import Finding, Severity
from cytocar.fcs.events import EventTable
from cytocar.sample.analysis import quantify
from cytocar.sample.quality.clock import clock_findings, unstored_events
from cytocar.simulate import blood_tube
from cytocar.template.load import load_template

RUN = {"$BTIM": "10:00:00", "$ETIM": "10:01:40", "$TIMESTEP": "0.01"}
STEADY = np.sort(np.random.default_rng(3).uniform(0, 10_000, 20_000))


def findings(time: npt.NDArray[np.float64], keywords: Mapping[str, str] = RUN) -> list[Finding]:
    return list(clock_findings(EventTable.from_columns({"Time": time}, keywords=keywords)))


def test_events_of_all_the_run_pass() -> None:
    assert [(one.code, one.outcome) for one in findings(STEADY)] == [("", Severity.PASS)]


@pytest.mark.parametrize("kept", [STEADY < 4500, STEADY > 6000, (STEADY < 3000) | (STEADY > 4000)])
def test_a_run_that_stopped_or_paused_is_looked_at(kept: npt.NDArray[np.bool_]) -> None:
    assert [(one.code, one.outcome) for one in findings(STEADY[kept])] == [("W308", Severity.REVIEW)]


def test_what_instruments_do_by_themselves_is_no_finding() -> None:
    assert findings(STEADY[STEADY < 5700])[0].outcome is Severity.PASS  # MACSQuant: the end is that of the washing
    assert findings(STEADY[(STEADY < 3000) | (STEADY > 3300)])[0].outcome is Severity.PASS


def test_without_a_clock_or_with_few_events_nothing_is_said() -> None:
    assert findings(STEADY[:4000]) == []
    assert findings(STEADY, {"$BTIM": "10:00:00"}) == []
    assert findings(np.zeros(20_000)) == []


@pytest.mark.parametrize(
    ("keywords", "code"),
    [
        ({"$ABRT": "3000", "$LOST": "0"}, ["W308"]),
        ({"$ABRT": "600", "$LOST": "600"}, ["W308"]),
        ({"$ABRT": "800"}, []),  # 4 %, as a real CytoFLEX file says
        ({"$ABRT": "0", "$LOST": "0"}, []),
        ({"$ABRT": "n/a"}, []),
    ],
)
def test_events_that_the_instrument_did_not_store_are_looked_at(keywords: Mapping[str, str], code: list[str]) -> None:
    events = EventTable.from_columns({"Time": STEADY}, keywords=keywords)
    assert [finding.code for finding in unstored_events(events)] == code


@pytest.mark.parametrize(("method", "asked"), [("volumetric", True), ("beads", False)])
def test_only_counts_by_volume_ask(method: str, *, asked: bool) -> None:
    tube = blood_tube(car_per_ul=100, seed=1)
    time = tube.columns["Time"]
    half = time < np.quantile(time, 0.4)
    columns = {name: column[half] for name, column in tube.columns.items()}
    events = EventTable.from_columns(columns, markers=tube.markers, keywords=tube.keywords)
    template = load_template("cart-cd19fc")
    result = quantify(
        events, template, count_method=method, beads_added=50_000, sample_volume_ul=50, dilution_factor=10
    )
    assert ("W308" in {finding.code for finding in result.findings}) is asked
