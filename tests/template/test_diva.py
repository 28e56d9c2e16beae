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

LOGICLE = LogicleScale(T=262144, W=(4.5 - math.log10(262144 / 500)) / 2, M=4.5, A=0)


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


def _experiment(*gates: str, settings: str = "", before: str = "") -> bytes:
    everything = '<gate fullname="All Events" type="EventSource_Classifier"><num_events>4</num_events></gate>'
    return (
        f'<bdfacs version="Version 8.0"><experiment name="e">{before}<specimen name="s"><tube name="t">'
        f"<data_filename>t.fcs</data_filename>{settings}<gates>{everything}{''.join(gates)}</gates></tube></specimen>"
        "</experiment></bdfacs>"
    ).encode()


def _sample(*gates: str, settings: str = "", before: str = "") -> WorkspaceSample:
    (sample,) = read_experiment(_experiment(*gates, settings=settings, before=before), source="x.xml").samples
    return sample


def _combination(path: str, kind: str, *inputs: str) -> str:
    listed = "".join(f"<input>All Events\\{one}</input>" for one in inputs)
    return f'<gate fullname="All Events\\{path}" type="{kind}_Classifier"><num_events>1</num_events>{listed}</gate>'


def _settings(coefficients: dict[str, list[float]], *, enabled: bool = True) -> str:
    parameters = "".join(
        f'<parameter name="{name}" type="30"><compensation>'
        + "".join(f"<compensation_coefficient>{value}</compensation_coefficient>" for value in row)
        + "</compensation></parameter>"
        for name, row in coefficients.items()
    )
    told = f"<compensation_enabled>{str(enabled).lower()}</compensation_enabled>"
    return f"<instrument_settings>{told}{parameters}</instrument_settings>"


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


def test_the_last_step_of_the_display_is_its_end_and_so_is_the_start_of_a_logarithmic_one() -> None:
    scaled = _sample(_gate("P1", "0:1500 262144:4095", flags=_flags(log=True, scaled=True, value=500)))
    assert _inside(scaled, "P1", [0.0, 262143.0, 1e6]) == [False, True, True]
    start = math.log10(262144) - 4
    log = _sample(_gate("P1", f"0:{start} 262144:3", flags=_flags(log=True)), before="<log_decades>4</log_decades>")
    assert _inside(log, "P1", [-5.0, 20.0, 999.0, 1001.0]) == [True, True, True, False]
    linear = _sample(_gate("P1", "0:50 262144:262143"))
    assert _inside(linear, "P1", [49.0, 262143.0, 3e5]) == [False, True, True]


def test_a_quadrant_is_its_four_parts_and_populations_are_combined() -> None:
    middle = '<gate fullname="All Events\\$1" type="Composite_Classifier"><num_events>0</num_events><bin>x</bin></gate>'
    flags = _flags(log=True, scaled=True, value=500)
    low = _gate("Q3", "0:0 262143:0 262143:2000 0:2000", kind="POLYGON_REGION", flags=flags)
    high = _gate("Q1", "0:2000 262143:2000 262143:4095 0:4095", kind="POLYGON_REGION", flags=flags)
    rest = _combination("Rest", "RestOf", "Q3")
    sample = _sample(
        middle, _gate("Rest\\Below", "0:50 262144:262143"), rest, low, high, _combination("None", "NOT", "Q1", "Q3")
    )
    assert sample.losses == ()
    border = float(LOGICLE.inverse(2000 / 4096))
    values = [-1e5, border - 1, border + 1, 262143.0]
    assert _inside(sample, "Q3", values) == [True, True, False, False]
    assert _inside(sample, "Q1", values) == [False, False, True, True]
    assert _inside(sample, "Rest", values) == [False, False, True, True]
    assert _inside(sample, "Below", values) == [False, False, border > 49, True]
    assert _inside(sample, "None", values) == [False] * 4
    assert _sample(_combination("Rest", "RestOf", "P9")).losses == (
        "Rest and everything under it: refers to P9, which was not read",
    )


def test_the_experiments_coefficients_are_rows_of_the_inverse_and_used_where_they_are_a_compensation() -> None:
    spillover = np.array([[1, 0.2], [0.05, 1]])
    rows = dict(zip(("PE-A", "APC-A"), np.linalg.inv(spillover).T.tolist(), strict=True))
    sample = _sample(_gate("P1", "0:50 262144:150"), settings=_settings(rows))
    assert sample.matrix is not None
    assert np.array(sample.matrix[1].values) == pytest.approx(spillover, abs=1e-12)
    measured = EventTable.from_columns(
        {"FSC-A": np.full(2, 100.0), "PE-A": np.array([60.0, 160.0]), "APC-A": np.array([0.0, 1000.0])},
        keywords={"$SPILLOVER": "2,PE-A,APC-A,1,0,0,1"},
    )
    true = np.column_stack([measured.column("PE-A"), measured.column("APC-A")]) @ np.linalg.inv(spillover)
    inside = walk(measured, sample.template("x", title=""))["P1"].mask
    assert inside.tolist() == [bool(50 <= value < 150) for value in true[:, 0]] == [True, True]

    percent = _sample(_gate("P1", "0:50 262144:150"), settings=_settings({"PE-A": [0, 20], "APC-A": [5, 0]}))
    assert percent.matrix is None
    assert percent.losses == ("the experiment's compensation: its numbers are no matrix; the FCS file's is used",)
    off = _sample(_gate("P1", "0:50 262144:150"), settings=_settings(rows, enabled=False))
    assert off.matrix is None
    assert off.panel["PE-A"].compensation == "none"


def test_a_height_that_is_declared_as_a_width_is_the_width() -> None:
    settings = (
        '<instrument_settings><parameter name="FSC-H" type="10"/><parameter name="FSC-W" type="20"/>'
        '<parameter name="SSC-H" type="20"/></instrument_settings>'
    )
    gates = [
        _gate("P1", "50 150", kind="INTERVAL_REGION", y="").replace("FSC-A", "FSC-H"),
        _gate("P2", "50 150", kind="INTERVAL_REGION", y="").replace("FSC-A", "SSC-H"),
    ]
    sample = _sample(*gates, settings=settings)
    assert sorted(detector for marker in sample.panel.values() for detector in marker.detectors) == ["FSC-W", "SSC-H"]
    assert sample.losses == ("the name FSC-H: its type code says that it is FSC-W, which its gates are put on",)


def test_gates_of_the_one_global_worksheet_hold_for_tubes_without_own_ones() -> None:
    everything = '<gate fullname="All Events" type="EventSource_Classifier"><num_events>9</num_events></gate>'
    sheet = (
        '<acquisition_worksheets><worksheet_template name="{}"><gates>'
        + everything
        + _gate("P1", "0:50 262144:150", count=5)
        + "</gates></worksheet_template></acquisition_worksheets>"
    )
    one = _sample(before=sheet.format("Sheet"))
    assert [population.name for population in one.populations] == ["P1"]
    assert (one.total, one.counts["P1"].events) == (4, None)
    assert "global worksheet Sheet" in one.losses[0]
    with pytest.raises(TemplateError) as caught:
        read_experiment(_experiment(before=sheet.format("A") + sheet.format("B")), source="x.xml").sample(None)
    assert "worksheet A, worksheet B" in caught.value.message


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
