"""A file whose values are shares of the range is judged as the same file on a scale of 262,144 is."""

from __future__ import annotations

import tomllib
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from cytocar.fcs.events import EventTable
from cytocar.sample.analysis import quantify
from cytocar.sample.result import SampleResult
from cytocar.simulate import Blood, Preparation, blood_tube
from cytocar.template.faults import check_document
from cytocar.template.load import template_path
from cytocar.template.model import Template

SCALE = 2.0**18
BLOOD = Blood(cd4_t_cells=500, cd8_t_cells=320, double_negative_t_cells=30, nk_cells=150, granulocytes=1500)
TUBE = blood_tube(car_per_ul=100, blood=BLOOD, preparation=Preparation(drawn_share=0.25, sample_volume_ul=50), seed=9)
RATIOS = {"prominence", "within", "background_percent"}
"""Of a gate: numbers that are in no data unit."""


def _divided(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: one if key in RATIOS else _divided(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_divided(one) for one in value]
    return value / SCALE if isinstance(value, int | float) and not isinstance(value, bool) else value


def _template(name: str, *, shares: bool) -> Template:
    document = tomllib.loads(template_path(name).read_bytes().decode())
    if shares:
        document["scales"]["default"]["T"] /= SCALE
        for population in document["populations"]:
            if population["gate"]["kind"] != "singlets":  # factors of a ratio
                population["gate"] = _divided(population["gate"])
    template, faults = check_document(document)
    assert template is not None, faults
    return template


def _judged(template: str, *, pairs: float, dead: float, shares: bool) -> SampleResult:
    random = np.random.default_rng(3)
    columns = {name: np.array(column, dtype=float) for name, column in TUBE.columns.items()}
    n = len(columns["Time"])
    cells = random.permutation(np.flatnonzero(~TUBE.is_kind("beads")))
    first, second = cells[: int(pairs * n)], cells[int(pairs * n) : 2 * int(pairs * n)]
    for name in set(columns) - {"Time", "FSC-H"}:
        columns[name][first] = np.minimum(columns[name][first] + columns[name][second], SCALE - 1)
    shrunk = random.random(n) < dead
    columns["PerCP-Cy5-5-A"][~TUBE.is_kind("beads")] = 80.0
    columns["FSC-A"][shrunk] *= 0.7
    columns["FSC-H"][shrunk] *= 0.7
    columns["SSC-A"][shrunk] *= 1.4
    ranges = dict.fromkeys(columns, SCALE) | {"Time": float(columns["Time"].max()) + 1}
    if shares:
        columns = {name: column if name == "Time" else column / SCALE for name, column in columns.items()}
        ranges = {name: end if name == "Time" else 1.0 for name, end in ranges.items()}
    events = EventTable.from_columns(columns, markers=TUBE.markers, keywords=TUBE.keywords)
    channels = tuple(replace(one, range=ranges[one.detector]) for one in events.channels)
    tube = replace(events, channels=channels)
    return quantify(tube, _template(template, shares=shares), beads_added=20_000, sample_volume_ul=50)


@pytest.mark.parametrize("template", ["cart-cd19fc-fixed", "cart-cd19fc", "tcell"])
@pytest.mark.parametrize(("pairs", "dead"), [(0.0, 0.0), (0.08, 0.25)])
def test_every_check_says_the_same_of_shares_of_the_range(template: str, pairs: float, dead: float) -> None:
    usual, shares = (_judged(template, pairs=pairs, dead=dead, shares=one) for one in (False, True))
    assert shares.row()["status"] == usual.row()["status"]
    of_shares = {finding.check: finding for finding in shares.findings}
    assert set(of_shares) == {finding.check for finding in usual.findings}
    for finding in usual.findings:
        other = of_shares[finding.check]
        assert (other.code, other.outcome) == (finding.code, finding.outcome), finding.check
        in_data_units = finding.check in {population.name for population in usual.populations}
        if finding.value is not None and not in_data_units:
            assert other.value == pytest.approx(finding.value, rel=1e-3, abs=0.05), finding.check


def test_pairs_and_dying_cells_are_seen_in_shares_of_the_range() -> None:
    codes = {finding.code for finding in _judged("cart-cd19fc-fixed", pairs=0.08, dead=0.25, shares=True).findings}
    assert {"W299", "W311"} <= codes
