"""FACSDiva experiments become templates that count what FACSDiva drew."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from cytocar.errors.tree import TemplateError
from cytocar.fcs.events import EventTable
from cytocar.gates.walk import walk
from cytocar.run.comparison.counts import read_counts
from cytocar.signals.scales import LogicleScale
from cytocar.template.diva import read_experiment
from cytocar.template.flowjo.samples import WorkspaceSample
from cytocar.template.load import import_document

LOGICLE = LogicleScale(kind="logicle", T=262144, W=(4.5 - math.log10(262144 / 500)) / 2, M=4.5, A=0)


def _gate(  # one keyword for each thing that FACSDiva writes of a gate
    path: str, points: str, *, kind: str = "RECTANGLE_REGION", y: str = ' yparm="PE-A"', flags: str = "", count: int = 7
) -> str:
    told = flags or _flags()
    listed = "".join(
        f'<point x="{point.partition(":")[0]}" y="{point.partition(":")[2] or 0}"/>' for point in points.split()
    )
    return (
        f'<gate fullname="All Events\\{path}" type="Region_Classifier">'
        f"<num_events>{count}</num_events>{told}"
        f'<region xparm="FSC-A"{y} type="{kind}"><points>{listed}</points></region></gate>'
    )


def _flags(*, log: bool = False, scaled: bool = False, value: float = 0) -> str:
    x = "<is_x_parameter_log>false</is_x_parameter_log><is_x_parameter_scaled>false</is_x_parameter_scaled>"
    y = (
        f"<is_y_parameter_log>{str(log).lower()}</is_y_parameter_log>"
        f"<is_y_parameter_scaled>{str(scaled).lower()}</is_y_parameter_scaled>"
        f"<y_parameter_scale_value>{value}</y_parameter_scale_value>"
    )
    return x + y


def _experiment(*gates: str) -> bytes:
    everything = '<gate fullname="All Events" type="EventSource_Classifier"><num_events>4</num_events></gate>'
    return (
        '<bdfacs version="Version 8.0"><experiment name="e"><specimen name="s"><tube name="t">'
        f"<data_filename>t.fcs</data_filename><gates>{everything}{''.join(gates)}</gates></tube></specimen>"
        "</experiment></bdfacs>"
    ).encode()


def _sample(*gates: str) -> WorkspaceSample:
    (sample,) = read_experiment(_experiment(*gates), source="x.xml").samples
    return sample


def _inside(sample: WorkspaceSample, name: str, pe: list[float]) -> list[bool]:
    events = EventTable.from_columns(
        {"FSC-A": np.full(len(pe), 100.0), "PE-A": np.array(pe), "APC-A": np.zeros(len(pe))},
        keywords={"$SPILLOVER": "2,PE-A,APC-A,1,0.1,0.1,1"},
    )
    inverse = np.linalg.inv([[1, 0.1], [0.1, 1]])
    measured = EventTable.from_columns(
        {"FSC-A": events.column("FSC-A"), "PE-A": np.array(pe) / inverse[0, 0], "APC-A": np.zeros(len(pe))},
        keywords=dict(events.keywords),
    )
    found: list[bool] = walk(measured, sample.template("x", title=""))[name].mask.tolist()
    return found


def test_a_scaled_gate_stands_on_the_biexponential_scale_of_its_value_in_4096_steps() -> None:
    sample = _sample(_gate("P1", "0:1500 262144:2500", flags=_flags(log=True, scaled=True, value=500)))
    low, high = (float(LOGICLE.inverse(step / 4096)) for step in (1500, 2500))
    assert _inside(sample, "P1", [low - 1, low + 1, high - 1, high + 1]) == [False, True, True, False]


def test_gates_that_are_not_scaled_hold_data_values_or_their_logarithms() -> None:
    linear = _sample(_gate("P1", "0:50 262144:150"))
    log = _sample(_gate("P1", "0:2 262144:3", flags=_flags(log=True)))
    assert _inside(linear, "P1", [49, 51, 149, 151]) == [False, True, True, False]
    assert _inside(log, "P1", [99, 101, 999, 1001]) == [False, True, True, False]


def test_a_gate_at_the_end_of_the_display_is_open_there() -> None:
    sample = _sample(_gate("P1", "0:0 262144:2000", flags=_flags(log=True, scaled=True, value=500)))
    assert _inside(sample, "P1", [-1e5, 0, 1e5]) == [True, True, False]


def test_polygons_intervals_and_paths_are_read_and_counts_kept() -> None:
    polygon = _gate("P1", "0:0 0:200 262144:200", kind="POLYGON_REGION", count=3)
    interval = _gate("P1\\P2", "50 150", kind="INTERVAL_REGION", y="", count=2)
    sample = _sample(polygon, interval)
    assert [(one.name, one.parent) for one in sample.populations] == [("P1", "all"), ("P2", "P1")]
    assert [counted.events for counted in sample.counts.values()] == [3, 2]
    assert sample.total == 4
    assert _inside(sample, "P2", [150, 250]) == [True, False]


def test_what_has_no_equivalent_is_named_with_what_stands_under_it() -> None:
    binner = _gate("Q1", "0:0 5:5", kind="BINNER_REGION")
    assert _sample(binner, _gate("Q1\\P2", "0:0 5:5")).losses == (
        "Q1 and everything under it: BINNER_REGION has no equivalent",
        "Q1/P2 and everything under it: its parent was left out",
    )


def test_a_document_without_tubes_gates_is_refused_and_so_is_another_one() -> None:
    with pytest.raises(TemplateError) as caught:
        read_experiment(b"<a/>", source="x.xml")
    assert caught.value.code == "E145"
    with pytest.raises(TemplateError) as caught:
        read_experiment(_experiment(), source="x.xml").sample(None)
    assert caught.value.code == "E144"


def test_an_experiment_is_told_by_its_content_for_import_and_comparison(tmp_path: Path) -> None:
    path = tmp_path / "experiment.xml"
    path.write_bytes(_experiment(_gate("P1", "0:50 262144:150")))
    assert [one.name for one in import_document(path).template.populations] == ["P1"]
    assert read_counts(path).samples["t"].events == {"all": 4, "P1": 7}
