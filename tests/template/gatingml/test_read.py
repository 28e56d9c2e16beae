"""Documents of the standard, and documents that are not: what is read, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import cytocar
from cytocar.errors.tree import TemplateError
from cytocar.fcs.events import EventTable
from cytocar.gates.walk import walk
from cytocar.regions.boolean import BooleanGate
from cytocar.signals.scales import LogScale
from cytocar.template.gatingml import xml
from cytocar.template.gatingml.read import read_gatingml
from cytocar.template.model import Template
from tests.template.gatingml.documents import document

EVERY_GATE = Path(__file__).with_name("every_gate.xml")
# Counted on data1.fcs of the reference suite by FlowKit 1.3.2, which agrees event for event.
COUNTED = {
    "QPP": 620, "ChildOfQuad": 430, "QNP": 238, "QNN": 5148, "QPN": 7361, "R3D": 10073, "M00": 1713, "M01": 103,
    "M10": 7831, "M11": 368, "M20": 0, "M21": 58, "HypM": 6768, "Hyp2M": 11870, "Log1M": 1436, "LogW0g": 12778,
    "FlogM": 11733, "TimeT": 10922, "RatFCS": 7417, "RatUn": 10897, "RatMix": 9942, "PolyLog": 7380, "Bow": 8353,
    "Star": 2848, "Ints": 3463, "E2": 8902, "E3": 9053, "And": 2122, "NotNot": 11245, "OrC": 9370, "NotC": 10073,
    "AndQ": 620, "InBool": 412,
}  # fmt: skip

FL1 = '<data-type:fcs-dimension data-type:name="FL1"/>'
FL2 = '<data-type:fcs-dimension data-type:name="FL2"/>'


def _read(body: str) -> Template:
    return read_gatingml(document(body), source="x.xml", name="x").template


def _range(identifier: str, attributes: str = 'gating:min="1"', more: str = "") -> str:
    return (
        f'<gating:RectangleGate gating:id="{identifier}" {more}>'
        f'<gating:dimension gating:compensation-ref="uncompensated" {attributes}>{FL1}</gating:dimension>'
        "</gating:RectangleGate>"
    )


def _boolean(identifier: str, operation: str, *operands: str) -> str:
    references = "".join(
        f'<gating:gateReference gating:ref="{name.removeprefix("!")}" '
        f'gating:use-as-complement="{str(name.startswith("!")).lower()}"/>'
        for name in operands
    )
    inside = f"<gating:{operation}>{references}</gating:{operation}>"
    return f'<gating:BooleanGate gating:id="{identifier}">{inside}</gating:BooleanGate>'


def _events(**columns: list[float]) -> EventTable:
    return EventTable.from_columns({name: np.array(values, dtype=np.float64) for name, values in columns.items()})


def _inside(template: Template, name: str, events: EventTable) -> list[bool]:
    found: list[bool] = walk(events, template)[name].mask.tolist()
    return found


def test_a_document_with_every_kind_of_gate_holds_the_events_that_flowkit_counts(shared_data: Path) -> None:
    events = cytocar.open_fcs(shared_data / "gatingml" / "data1.fcs")
    populations = walk(events, cytocar.load_template(EVERY_GATE))
    assert {name: populations[name].events for name in COUNTED} == COUNTED


def test_the_lower_bound_is_inside_and_the_upper_bound_outside() -> None:
    template = _read(_range("g", 'gating:min="1" gating:max="3"'))
    assert _inside(template, "g", _events(FL1=[0.9, 1.0, 2.0, 3.0, np.nan])) == [False, True, True, False, False]


def test_gates_may_stand_in_any_order() -> None:
    template = _read(_boolean("b", "and", "c", "a") + _range("c", more='gating:parent_id="a"') + _range("a"))
    assert [population.name for population in template.populations] == ["a", "c", "b"]


def test_not_of_a_complement_is_the_gate_itself() -> None:
    gate = _read(_range("a") + _boolean("b", "not", "!a")).population("b").gate
    assert gate == BooleanGate(all_of=("a",))


def test_any_of_a_complement_becomes_a_population_of_its_own() -> None:
    template = _read(_range("a", 'gating:max="5"') + _range("b", 'gating:min="8"') + _boolean("c", "or", "!a", "b"))
    assert template.population("c").gate == BooleanGate(any_of=("b", "not a"))
    assert _inside(template, "c", _events(FL1=[4.0, 6.0, 9.0])) == [False, True, True]


def test_bounds_of_a_transformation_move_values_to_the_bound() -> None:
    scale = (
        '<transforms:transformation transforms:id="t" transforms:boundMin="0.2" transforms:boundMax="0.9">'
        '<transforms:flog transforms:T="100" transforms:M="2"/></transforms:transformation>'
    )
    gate = _range("low", 'gating:transformation-ref="t" gating:min="0.2" gating:max="0.3"')
    template = _read(scale + gate + _range("top", 'gating:transformation-ref="t" gating:min="0.9"'))
    assert template.scale("FL1") == LogScale(T=100, M=2, bound_min=0.2, bound_max=0.9)
    events = _events(FL1=[1.5, 3.0, 10.0, 99.0, 1000.0])
    assert _inside(template, "low", events) == [True, True, False, False, False]
    assert _inside(template, "top", events) == [False, False, False, True, True]


def _matrix(rows: list[tuple[float, ...]], detectors: str, *, inverted: bool = False) -> str:
    def listed(names: str) -> str:
        return "".join(f'<data-type:fcs-dimension data-type:name="{name}"/>' for name in names.split())

    spectra = "".join(
        "<transforms:spectrum>"
        + "".join(f'<transforms:coefficient transforms:value="{value}"/>' for value in row)
        + "</transforms:spectrum>"
        for row in rows
    )
    return (
        f'<transforms:spectrumMatrix transforms:id="m" transforms:matrix-inverted-already="{str(inverted).lower()}">'
        f"<transforms:fluorochromes>{listed('FITC PE')}</transforms:fluorochromes>"
        f"<transforms:detectors>{listed(detectors)}</transforms:detectors>{spectra}</transforms:spectrumMatrix>"
    )


def _dye_gate(low: float, high: float) -> str:
    return (
        f'<gating:RectangleGate gating:id="g"><gating:dimension gating:compensation-ref="m" gating:min="{low}" '
        f'gating:max="{high}"><data-type:fcs-dimension data-type:name="PE"/></gating:dimension></gating:RectangleGate>'
    )


def test_a_spectrum_matrix_with_more_detectors_than_dyes_is_unmixed_by_least_squares() -> None:
    spectra = np.array([(1.0, 0.2, 0.1), (0.3, 1.0, 0.5)])
    measured = np.array([(100.0, 220.0, 90.0), (50.0, 10.0, 300.0)])
    expected = np.linalg.lstsq(spectra.T, measured.T, rcond=None)[0][1]
    events = _events(FL1=measured[:, 0].tolist(), FL2=measured[:, 1].tolist(), FL3=measured[:, 2].tolist())
    for value, which in zip(expected, ([True, False], [False, True]), strict=True):
        template = _read(
            _matrix([tuple(row) for row in spectra], "FL1 FL2 FL3") + _dye_gate(value - 1e-6, value + 1e-6)
        )
        assert _inside(template, "g", events) == which


def test_a_matrix_that_is_inverted_already_is_applied_as_it_stands() -> None:
    inverse = np.linalg.inv(np.array([(1.0, 0.2), (0.1, 1.0)]))
    value = float((np.array([100.0, 60.0]) @ inverse)[1])
    template = _read(
        _matrix([tuple(row) for row in inverse], "FL1 FL2", inverted=True) + _dye_gate(value - 1e-6, value + 1e-6)
    )
    assert _inside(template, "g", _events(FL1=[100.0], FL2=[60.0])) == [True]


def test_two_divider_on_one_axis_and_one_on_the_other_make_six_fields() -> None:
    divided = (
        '<gating:QuadrantGate gating:id="q">'
        f'<gating:divider gating:id="d1" gating:compensation-ref="uncompensated">{FL1}'
        "<gating:value>20</gating:value><gating:value>10</gating:value></gating:divider>"
        f'<gating:divider gating:id="d2" gating:compensation-ref="uncompensated">{FL2}'
        "<gating:value>5</gating:value></gating:divider>"
        '<gating:Quadrant gating:id="middle"><gating:position gating:divider_ref="d1" gating:location="10"/>'
        '<gating:position gating:divider_ref="d2" gating:location="0"/></gating:Quadrant>'
        '<gating:Quadrant gating:id="right"><gating:position gating:divider_ref="d1" gating:location="30"/>'
        "</gating:Quadrant></gating:QuadrantGate>"
    )
    template = _read(divided)
    events = _events(FL1=[9.0, 10.0, 19.0, 20.0, 25.0], FL2=[0.0, 4.0, 5.0, 0.0, 9.0])
    assert _inside(template, "middle", events) == [False, True, False, False, False]
    assert _inside(template, "right", events) == [False, False, False, True, True]


def test_text_of_custom_info_becomes_the_note() -> None:
    gate = _range("a").replace(
        "<gating:dimension", "<data-type:custom_info> Half  a\nnote </data-type:custom_info><gating:dimension"
    )
    assert _read(gate).population("a").note == "Half a note"


def test_attributes_without_a_namespace_are_read_too() -> None:
    assert _read(_range("a").replace("gating:id", "id").replace("gating:min", "min")) == _read(_range("a"))


def test_a_gate_called_all_is_not_every_event() -> None:
    template = _read(_range("all") + _range("b", 'gating:max="5"', 'gating:parent_id="all"'))
    assert template.population("b").parent == "all_gate"
    assert _inside(template, "b", _events(FL1=[0.0, 2.0, 7.0])) == [False, True, False]


def test_bounds_that_leave_nothing_make_an_empty_gate_and_are_listed() -> None:
    read = read_gatingml(document(_range("a", 'gating:min="3" gating:max="3"')), source="x.xml", name="x")
    assert _inside(read.template, "a", _events(FL1=[3.0])) == [False]
    assert read.losses == ("a: min is not below max, so it holds no event",)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("", "holds no gate"),
        (_range("a") + _range("a"), "'a' has the id of another element"),
        (_range("a", more='gating:parent_id="b"'), "'a' refers to 'b', which the document does not have"),
        (_boolean("a", "and", "b", "c") + _boolean("b", "not", "a") + _range("c"), "in a circle: a > b > a"),
        (_boolean("a", "and") + _range("b"), "has 0 <gateReference> in <and>"),
        (_boolean("a", "not", "b", "b") + _range("b"), "has 2 <gateReference> in <not>"),
        (_range("a", 'gating:min="x"'), "'x' where a number belongs"),
        (_range("a", 'gating:min="NaN"'), "where a finite number belongs"),
        (_range("a", 'gating:transformation-ref="t"'), "a transformation 't' that the document does not have"),
        (_range("a").replace("uncompensated", "m"), "a spectrum matrix 'm' that the document does not have"),
        (_range("a").replace(FL1, ""), "neither <fcs-dimension> nor <new-dimension>"),
        (_matrix([(1.0, 0.2), (1.0, 0.2)], "FL1 FL2") + _range("a"), "cannot be inverted"),
    ],
)  # fmt: skip
def test_a_document_against_the_standard_is_refused_with_the_element(body: str, told: str) -> None:
    with pytest.raises(TemplateError) as caught:
        _read(body)
    assert caught.value.code == "E142"
    assert told in str(caught.value)


BOMB = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "ha"}">' for n in range(12))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "E140"),
        (b"no xml", "E140"),
        (f"<!DOCTYPE a [{BOMB}]><a>&e11;</a>".encode(), "E140"),
        (b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>', "E140"),
        (b'<!DOCTYPE a SYSTEM "http://example.org/a.dtd"><a/>', "E140"),
        (b'<?xml version="1.0" encoding="klingon"?><a/>', "E140"),
        (b"<a/>", "E141"),
        (b'<Gating-ML xmlns="http://www.isac-net.org/std/Gating-ML/v1.5/gating"/>', "E141"),
    ],
)
def test_what_is_not_safe_or_not_gating_ml_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(TemplateError) as caught:
        read_gatingml(data, source="x.xml", name="x")
    assert caught.value.code == code


def test_a_document_beyond_any_need_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml, "MAXIMUM_BYTES", 100)
    with pytest.raises(TemplateError, match="larger than"):
        _read(_range("a"))
    monkeypatch.setattr(xml, "MAXIMUM_BYTES", 10_000)
    monkeypatch.setattr(xml, "MAXIMUM_ELEMENTS", 2)
    with pytest.raises(TemplateError, match="more than 2 elements"):
        _read(_range("a"))
