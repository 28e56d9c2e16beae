"""Rare T cells in a large file are judged on as many of them as there are, not on a few of the evenly chosen events."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from msgspec.structs import replace

from cytocar.fcs.events import EventTable
from cytocar.gates.sampled_events import events_like, sampled_events
from cytocar.gates.walk import walk
from cytocar.sample.analysis import quantify
from cytocar.simulate import Blood, Preparation, blood_tube
from cytocar.template.load import load_template

FIXED = load_template("cart-cd19fc-fixed")
T_CELLS = ("cd4_t_cells", "cd8_t_cells", "double_negative_t_cells")
BLOOD = Blood(
    cd4_t_cells=40, cd8_t_cells=30, double_negative_t_cells=3, nk_cells=8, cd8_nk_cells=2, granulocytes=12_000
)
TUBE = blood_tube(car_per_ul=0, blood=BLOOD, preparation=Preparation(drawn_share=0.5, sample_volume_ul=50), seed=6)


def events(*, dead_share: float = 0.0, cd4: float = 1.0) -> EventTable:
    """300,000 events with 1800 T cells; a share of these between the living and the dead, CD4 at another gain."""
    random = np.random.default_rng(1)
    is_t = np.isin(TUBE.origin, [number for number, kind in enumerate(TUBE.kinds) if kind in T_CELLS])
    columns: dict[str, npt.NDArray[np.floating]] = dict(TUBE.columns)
    between = is_t & (random.random(len(is_t)) < dead_share)
    dye = columns["PerCP-Cy5-5-A"]
    columns["PerCP-Cy5-5-A"] = np.where(between, dye + random.uniform(1200, 2500, len(dye)), dye)
    columns["V450-A"] = cd4 * columns["V450-A"]
    table = EventTable.from_columns(columns, markers=TUBE.markers, keywords=TUBE.keywords)
    ranges = {"Time": float(columns["Time"].max()) + 1}
    channels = tuple(replace(one, range=ranges.get(one.detector, 262_144.0)) for one in table.channels)
    return replace(table, channels=channels)


def codes(table: EventTable) -> set[str]:
    result = quantify(table, FIXED, beads_added=20_000, sample_volume_ul=50)
    return set(str(result.row()["status_codes"]).split())


def test_all_events_that_may_be_t_cells_are_looked_at() -> None:
    populations = walk(events(), FIXED)
    even = sampled_events(populations.gated)
    close = events_like(populations.gated, "t_cells", "CD3")
    assert close is not None
    assert even.frame.mask("t_cells").sum() < 500
    assert close.frame.mask("t_cells").sum() == populations["t_cells"].events
    assert close.frame.mask("cd4").sum() == populations["cd4"].events
    assert events_like(populations.gated, "viable", "7-AAD") is None  # no lower bound


@pytest.mark.parametrize(("dead_share", "cd4", "code"), [(0.0, 1.0, ""), (0.06, 1.0, "W301"), (0.0, 0.4, "W297")])
def test_what_is_wrong_with_rare_t_cells_is_seen(dead_share: float, cd4: float, code: str) -> None:
    assert code in codes(events(dead_share=dead_share, cd4=cd4)) or not code
    if not code:
        assert codes(events()) == set()
