"""FlowJo workspaces become templates that count what FlowJo counted."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

import cytocar
from cytocar.errors.tree import CompensationError, TemplateError
from cytocar.fcs.events import EventTable
from cytocar.gates.walk import walk
from cytocar.regions.boxes import Bounds, RectangleGate
from cytocar.signals.compensation import SpilloverMatrix
from cytocar.signals.marker import Marker
from cytocar.signals.scales import LogicleScale, LogScale
from cytocar.template.flowjo.document import document_of, open_workspace
from cytocar.template.gatingml.read import Document
from cytocar.template.load import import_document
from cytocar.template.model import Template

SPACES = (
    'xmlns:gating="http://www.isac-net.org/std/Gating-ML/v2.0/gating" '
    'xmlns:transforms="http://www.isac-net.org/std/Gating-ML/v2.0/transformations" '
    'xmlns:data-type="http://www.isac-net.org/std/Gating-ML/v2.0/datatypes"'
)


def _sample(populations: str, *, name: str = "a.fcs", head: str = "", more: str = "", number: str = "1") -> str:
    return (
        f'<Sample>{head}<Keywords>{more}<Keyword name="$P1N" value="FITC-A"/><Keyword name="$P1S" value="CD3"/>'
        '<Keyword name="$P2N" value="PE-A"/></Keywords>'
        f'<SampleNode name="{name}" sampleID="{number}"><Subpopulations>{populations}</Subpopulations></SampleNode>'
        "</Sample>"
    )


def _read(*samples: str, sample: str | None = None, before: str = "") -> Document:
    text = f"<Workspace {SPACES}>{before}<SampleList>{''.join(samples)}</SampleList></Workspace>"
    return document_of(open_workspace(text.encode(), source="x.wsp"), name="x", sample=sample)


def _above(low: float, *, name: str = "p", channel: str = "FITC-A", under: str = "", inside: str = "1") -> str:
    return (
        f'<Population name="{name}"><Gate><gating:RectangleGate eventsInside="{inside}">'
        f'<gating:dimension gating:min="{low}"><data-type:fcs-dimension data-type:name="{channel}"/></gating:dimension>'
        f"</gating:RectangleGate></Gate><Subpopulations>{under}</Subpopulations></Population>"
    )


def _node(kind: str, name: str, *paths: str) -> str:
    dependents = "".join(f'<Dependent name="{path}"/>' for path in paths)
    return f'<{kind} name="{name}"><Dependents>{dependents}</Dependents></{kind}>'


EVENTS = EventTable.from_columns(
    {"FITC-A": np.array([0.0, 10.0, 20.0, 30.0]), "PE-A": np.array([5.0, 5.0, 25.0, 5.0])},
    keywords={"$SPILLOVER": "2,FITC-A,PE-A,1,0.5,0,1"},
)


def _inside(document: Document, name: str) -> list[bool]:
    found: list[bool] = walk(EVENTS, document.template)[name].mask.tolist()
    return found


def test_every_population_of_real_workspaces_counts_what_flowjo_stored(shared_data: Path) -> None:
    compared = 0
    for path in sorted((shared_data / "flowjo_wsp").glob("*/*.wsp")):
        if path.name.startswith("simple_poly_and_rect"):
            continue  # stored before FlowJo had counted
        text = path.read_text("utf-8")
        sample = text[text.index("<SampleNode") : text.index("</SampleNode>")]
        stored = dict(re.findall(r'<Population name="([^"]*)"[^>]*count="(\d+)"', sample))
        populations = walk(cytocar.open_fcs(next(path.parent.glob("*.fcs"))), import_document(path).template)
        assert {name: str(populations[name].events) for name in stored} == stored
        compared += len(stored)
    assert compared == 8


def test_the_biexponential_scale_is_a_logicle_to_one_of_its_4096_steps(shared_data: Path) -> None:
    table = np.loadtxt(next((shared_data / "transforms_ref").glob("*biex*.csv")), delimiter=",", skiprows=1)
    scale = LogicleScale(T=262144, W=math.log10(7.943282) / 2, M=4.418540, A=1)
    assert np.abs(scale.forward(table[:, 1]) * 4096 - table[:, 0]).max() < 1


def test_a_gate_may_hold_the_events_outside_its_region() -> None:
    document = _read(_sample(_above(20, inside="0")))
    assert _inside(document, "p") == [True, True, False, False]


def test_boolean_populations_refer_to_others_by_their_path() -> None:
    tree = _above(10, name="a", under=_above(20, name="b")) + _above(30, name="c")
    both = _node("AndNode", "and", "a/b", "c") + _node("OrNode", "or", "a/b", "c") + _node("NotNode", "not", "a")
    document = _read(_sample(tree + both))
    assert _inside(document, "and") == [False, False, False, True]
    assert _inside(document, "or") == [False, False, True, True]
    assert _inside(document, "not") == [True, False, False, False]


def test_a_name_that_repeats_in_another_branch_gets_its_parents() -> None:
    tree = _above(10, name="a", under=_above(20, name="x")) + _above(30, name="b", under=_above(0, name="x"))
    names = [population.name for population in _read(_sample(tree)).template.populations]
    assert names == ["a", "a/x", "b", "b/x"]


def test_channels_behind_the_prefix_are_compensated_by_the_matrix_of_the_workspace() -> None:
    def matrix(name: str) -> str:
        rows = "".join(
            "<transforms:spillover>"
            + "".join(f'<transforms:coefficient transforms:value="{value}"/>' for value in row)
            + "</transforms:spillover>"
            for row in ((1, 0.25), (0, 1))
        )
        listed = "".join(f'<data-type:parameter data-type:name="{name}"/>' for name in ("FITC-A", "PE-A"))
        return (
            f'<transforms:spilloverMatrix name="{name}" prefix="Comp-" suffix=""><data-type:parameters>{listed}'
            f"</data-type:parameters>{rows}</transforms:spilloverMatrix>"
        )

    gates = _above(0, name="own", channel="Comp-PE-A") + _above(0, name="raw", channel="PE-A")
    edited, acquired = (_read(_sample(gates, head=matrix(name))) for name in ("edited", "Acquisition-defined"))
    assert edited.template.compensation.source == "edited"
    assert acquired.template.compensation.source == "Acquisition-defined"
    assert _inside(edited, "own") == [True, True, True, False]
    assert _inside(acquired, "own") == [True, True, True, False]
    assert _inside(edited, "raw") == [True, True, True, True]


def test_markers_are_named_by_the_label_of_their_channel() -> None:
    assert list(_read(_sample(_above(1))).template.panel) == ["CD3"]


def test_a_log_axis_stands_at_its_lower_end_for_everything_below() -> None:
    head = (
        '<Transformations><transforms:log transforms:offset="10" transforms:decades="3">'
        '<data-type:parameter data-type:name="FITC-A"/></transforms:log></Transformations>'
    )
    scale = _read(_sample(_above(1), head=head)).template.scale("CD3")
    assert scale == LogScale(T=10_000, M=3, bound_min=0)


def test_the_first_sample_with_gates_is_taken_and_the_others_are_listed() -> None:
    samples = (_sample("", name="none.fcs"), _sample(_above(1), name="a.fcs"), _sample(_above(20), name="b.fcs"))
    assert _read(*samples).losses == (
        "gates of 1 other samples (b.fcs ...): these are of a.fcs; --files FOLDER imports all of them",
    )
    chosen = _read(*samples, sample="b.fcs")
    assert chosen.losses == ()
    assert _inside(chosen, "p") == [False, False, True, True]
    with pytest.raises(TemplateError, match=r"sample 'none.fcs' of x.wsp has no gates"):
        _read(*samples, sample="none.fcs")


def test_a_gate_without_an_equivalent_is_listed_with_everything_under_it() -> None:
    odd = '<Population name="odd"><Gate><gating:CurlyQuad/></Gate></Population>'
    document = _read(_sample(odd + _above(1) + _node("NotNode", "not", "odd")))
    assert [population.name for population in document.template.populations] == ["p"]
    assert document.losses == (
        "odd and everything under it: CurlyQuad has no equivalent",
        "not and everything under it: refers to odd, which was not read",
    )


def test_another_file_is_no_workspace() -> None:
    with pytest.raises(TemplateError) as caught:
        open_workspace(b"<a/>", source="x.wsp")
    assert caught.value.code == "E145"


# ---------------------------------------------------------------- numbers that FlowJo shows in other units


def _linear(channel: str, *, top: float, gain: str = "1") -> str:
    return (
        f'<transforms:linear transforms:minRange="0" transforms:maxRange="{top}" gain="{gain}">'
        f'<data-type:parameter data-type:name="{channel}"/></transforms:linear>'
    )


def _biex(channel: str, kind: str = "biex") -> str:
    numbers = 'transforms:maxRange="262144" transforms:neg="0" transforms:width="-100" transforms:pos="4.41854"'
    return (
        f'<transforms:{kind} transforms:length="256" {numbers}>'
        f'<data-type:parameter data-type:name="{channel}"/></transforms:{kind}>'
    )


def _drawn(*entries: str) -> str:
    return f"<Transformations>{''.join(entries)}</Transformations>"


TIME = '<Keyword name="$P3N" value="Time"/><Keyword name="$TIMESTEP" value="0.01"/>'


def test_bounds_of_time_are_seconds_by_the_gain_of_the_workspace() -> None:
    head = _drawn(_linear("Time", top=60, gain="0.02"))
    gate = _read(_sample(_above(5, channel="Time"), head=head, more=TIME)).template.population("p").gate
    assert gate == RectangleGate(bounds={"Time": Bounds(min=250)})


def test_bounds_of_time_are_seconds_by_the_time_step_where_the_workspace_has_no_gain() -> None:
    gate = _read(_sample(_above(5, channel="Time"), more=TIME)).template.population("p").gate
    assert isinstance(gate, RectangleGate)
    assert gate.bounds["Time"].min == 500


@pytest.mark.parametrize(("uses_gain", "bound"), [("0", 5.0), ("1", 20.0)])
def test_numbers_are_as_stored_unless_the_cytometer_uses_the_gain(uses_gain: str, bound: float) -> None:
    more = '<Keyword name="$P1G" value="4"/><Keyword name="$DATATYPE" value="F"/>'
    before = f'<Cytometers><Cytometer name="any" cyt="" useGain="{uses_gain}"/></Cytometers>'
    gate = _read(_sample(_above(20), more=more), before=before).template.population("p").gate
    assert isinstance(gate, RectangleGate)
    assert gate.bounds["CD3"].min == bound


# ---------------------------------------------------------------- the ends of the display


def _between(low: float, high: float, channel: str = "FITC-A") -> str:
    return _above(low, channel=channel).replace("><data-type", f' gating:max="{high}"><data-type', 1)


def test_a_rectangle_is_open_where_it_ends_at_the_displays_end() -> None:
    head = _drawn(_biex("FITC-A"), _linear("PE-A", top=262144))
    low_end = float(LogicleScale(T=262144, W=1, M=4.41854, A=0).inverse(0))
    assert _bounds(_between(low_end - 5, 100), head) == {"CD3": Bounds(max=100)}
    assert _bounds(_between(-100, 262144), head) == {"CD3": Bounds(min=-100)}
    assert _bounds(_between(0, 262144, "PE-A"), head) == {"PE-A": Bounds()}
    assert _bounds(_between(1, 262143, "PE-A"), head) == {"PE-A": Bounds(min=1, max=262143)}


def _bounds(populations: str, head: str) -> dict[str, Bounds]:
    gate = _read(_sample(populations, head=head)).template.population("p").gate
    assert isinstance(gate, RectangleGate)
    return gate.bounds


def test_a_corner_at_the_displays_end_takes_in_what_lies_beyond_and_moves_no_edge_within() -> None:
    corners = ((0, 0), (0, 100), (50, 50))
    vertices = "".join(
        f'<gating:vertex><gating:coordinate data-type:value="{x}"/><gating:coordinate data-type:value="{y}"/>'
        "</gating:vertex>"
        for x, y in corners
    )
    sides = "".join(
        f'<gating:dimension><data-type:fcs-dimension data-type:name="{name}"/></gating:dimension>'
        for name in ("FITC-A", "PE-A")
    )
    polygon = (
        f'<Population name="p"><Gate><gating:PolygonGate>{sides}{vertices}</gating:PolygonGate></Gate></Population>'
    )
    head = _drawn(_linear("FITC-A", top=100), _linear("PE-A", top=200))
    document = _read(_sample(polygon, head=head))
    events = EventTable.from_columns(
        {"FITC-A": np.array([-30.0, -30.0, 25.0, 25.0, 60.0]), "PE-A": np.array([50.0, 150.0, 26.0, 24.0, 50.0])}
    )
    assert walk(events, document.template)["p"].mask.tolist() == [True, False, True, False, False]


# ---------------------------------------------------------------- names of channels


def _matrix(prefix: str = "Comp-", suffix: str = "") -> str:
    rows = "".join(
        "<transforms:spillover>"
        + "".join(f'<transforms:coefficient transforms:value="{value}"/>' for value in row)
        + "</transforms:spillover>"
        for row in ((1, 0.25), (0, 1))
    )
    listed = "".join(f'<data-type:parameter data-type:name="{one}"/>' for one in ("FITC-A", "PE-A"))
    return (
        f'<transforms:spilloverMatrix name="m" prefix="{prefix}" suffix="{suffix}"><data-type:parameters>{listed}'
        f"</data-type:parameters>{rows}</transforms:spilloverMatrix>"
    )


@pytest.mark.parametrize(
    ("prefix", "suffix", "written"),
    [("Comp-", "", "Comp-PE-A"), ("&lt;", "&gt;", "&lt;PE-A&gt;"), ("", " comp", "PE-A comp"), ("x", "", "Comp-PE-A")],
)
def test_compensated_channels_are_known_by_prefix_and_suffix(prefix: str, suffix: str, written: str) -> None:
    document = _read(_sample(_above(0, channel=written), head=_matrix(prefix, suffix)))
    assert document.template.panel["PE-A"] == Marker(detectors=("PE-A",))
    assert document.template.compensation.source == "m"
    assert _inside(document, "p") == [True, True, True, False]


def test_a_compensated_name_without_any_matrix_never_counts_the_raw_channel() -> None:
    document = _read(_sample(_above(0, channel="Comp-PE-A")))
    bare = EventTable.from_columns({"FITC-A": np.array([1.0]), "PE-A": np.array([5.0])})
    with pytest.raises(CompensationError, match="no spillover matrix"):
        walk(bare, document.template)
    assert _inside(document, "p") == [True, True, True, False]  # compensated by the file's matrix


def test_a_channel_that_the_file_calls_compensated_is_taken_as_it_is() -> None:
    gates = _above(4, channel="Comp-X-A")
    document = _read(_sample(gates, more='<Keyword name="$P9N" value="Comp-X-A"/>'))
    events = EventTable.from_columns({"Comp-X-A": np.array([3.0, 5.0])})
    assert walk(events, document.template)["p"].mask.tolist() == [False, True]


# ---------------------------------------------------------------- what is left out, by its name


def test_a_branch_on_a_derived_parameter_is_named() -> None:
    derived = _above(1, name="ratio", channel="Derived", under=_above(2, name="child"))
    document = _read(_sample(derived + _above(1)))
    assert [population.name for population in document.template.populations] == ["p"]
    assert document.losses == (
        "ratio and everything under it: Derived is a derived parameter, which the FCS file does not have",
    )


def test_a_boolean_population_may_refer_to_a_later_one_and_a_circle_is_named() -> None:
    tree = _node("OrNode", "z1", "z2", "a") + _node("NotNode", "z2", "a") + _above(20, name="a")
    assert _inside(_read(_sample(tree)), "z1") == [True] * 4
    circle = _node("NotNode", "x", "y") + _node("NotNode", "y", "x") + _above(1)
    assert _read(_sample(circle)).losses == (
        "x and everything under it: refers to y, which was not read",
        "y and everything under it: refers to x, which was not read",
    )


def test_boolean_populations_may_stand_under_boolean_populations() -> None:
    inner = _node("NotNode", "inner", "b").replace("</NotNode>", "<Subpopulations/></NotNode>")
    outer = _node("NotNode", "outer", "a").replace("</NotNode>", f"<Subpopulations>{inner}</Subpopulations></NotNode>")
    document = _read(_sample(outer + _above(20, name="a") + _above(10, name="b")))
    assert document.losses == ()
    assert _inside(document, "inner") == [True, False, False, False]


def test_names_with_slashes_do_not_confuse_boolean_populations() -> None:
    tree = _above(10, name="CD4/CD8", under=_above(20, name="b")) + _node("NotNode", "n", "CD4/CD8/b")
    assert _inside(_read(_sample(tree)), "n") == [True, True, False, False]


def test_a_scale_is_read_where_a_gate_needs_it() -> None:
    unused = '<transforms:linear><data-type:parameter data-type:name="PE-A"/></transforms:linear>'
    assert _inside(_read(_sample(_above(20), head=_drawn(unused))), "p") == [False, False, True, True]


def test_an_unknown_scale_leaves_out_what_is_drawn_on_it_and_is_named() -> None:
    ellipse = (
        '<Population name="e"><Gate><gating:EllipsoidGate>'
        '<gating:dimension><data-type:fcs-dimension data-type:name="FITC-A"/></gating:dimension>'
        '<gating:dimension><data-type:fcs-dimension data-type:name="PE-A"/></gating:dimension>'
        "</gating:EllipsoidGate></Gate></Population>"
    )
    document = _read(_sample(ellipse + _above(20), head=_drawn(_biex("FITC-A", "miltenyi"))))
    assert [population.name for population in document.template.populations] == ["p"]
    assert document.losses[0] == (
        "e and everything under it: its edge is drawn on CD3's scale 'miltenyi', which has no equivalent"
    )
    assert document.losses[1].startswith("the scale 'miltenyi' of CD3 has no equivalent: bounds hold")


def test_samples_of_one_name_are_told_apart_by_their_number() -> None:
    samples = (_sample(_above(1)), _sample(_above(20), number="2"))
    with pytest.raises(TemplateError, match=r"2 samples of x.wsp are called 'a.fcs'") as caught:
        _read(*samples, sample="a.fcs")
    assert caught.value.hint == "give the sampleID: 1, 2"
    assert "a.fcs (sampleID 2) ...): these are of a.fcs (sampleID 1)" in _read(*samples).losses[0]
    assert _inside(_read(*samples, sample="2"), "p") == [False, False, True, True]


# ---------------------------------------------------------------- documents that are something else


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"<!DOCTYPE html><html><body>", "E145", "a web page"),
        (b"<html><br></html>", "E145", "a web page"),
        (b"<bdfacs version='1'/>", "E145", "a FACSDiva experiment"),
        (b'<Workspace version="2.0"/>', "E145", "FlowJo 7 to 9"),
        (b'<Workspace version="20.0" flowJoVersion="9.9"/>', "E145", "FlowJo 9.9"),
        (b"<!DOCTYPE Workspace><Workspace/>", "E140", "a FlowJo workspace with a document type"),
        (b"<Workspace>", "E140", "not valid XML"),
        (b"", "E140", "not valid XML"),
    ],
)
def test_a_document_is_named_for_what_it_is(data: bytes, code: str, words: str) -> None:
    with pytest.raises(TemplateError, match=words) as caught:
        open_workspace(data, source="x.wsp")
    assert caught.value.code == code


def test_gates_on_a_group_alone_are_named() -> None:
    before = f'<Groups><GroupNode name="T tubes"><Subpopulations>{_above(1)}</Subpopulations></GroupNode></Groups>'
    with pytest.raises(TemplateError, match="they stand on the group T tubes only"):
        _read(_sample(""), before=before)


def test_a_workspace_may_be_called_xml(tmp_path: Path) -> None:
    text = f"<Workspace {SPACES}><SampleList>{_sample(_above(20))}</SampleList></Workspace>"
    (tmp_path / "x.xml").write_text(text)
    assert [one.name for one in import_document(tmp_path / "x.xml").template.populations] == ["p"]


def test_the_workspaces_of_a_study_count_as_they_should(shared_data: Path) -> None:
    studies = shared_data / "flowjo_studies"
    events = cytocar.open_fcs(studies / "flowsom_68983" / "68983.fcs")
    made = {
        name: import_document(studies / "made" / f"{name}.wsp").template for name in ("time_gate", "edge", "suffix")
    }
    assert walk(events, made["time_gate"])["Time"].events == 15_033  # counted from the file's ticks and the gain
    edge = walk(events, made["edge"])
    assert edge["PE neg to axis"].events == int((_compensated(events, made["edge"]) < 2277).sum())
    assert walk(events, made["suffix"])["CD4 T cells"].events == 7482
    plain = import_document(studies / "flowsom_68983" / "manualGating.xml").template
    assert 10_777 in [population.events for population in walk(events, plain).values()]  # T cells


def _compensated(events: EventTable, template: Template) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    matrix = SpilloverMatrix.from_model(template.compensation.matrices["Acquisition-defined"])
    measured = np.column_stack([events.column(name) for name in matrix.detectors])
    return matrix.compensate(measured)[:, matrix.detectors.index("PE-A")]
