"""FlowJo workspaces become templates that count what FlowJo counted."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

import cytocar
from cytocar.errors.tree import TemplateError
from cytocar.fcs.events import EventTable
from cytocar.gates.walk import walk
from cytocar.signals.scales import LogicleScale, LogScale
from cytocar.template.flowjo import read_workspace
from cytocar.template.gatingml.read import Document
from cytocar.template.load import import_workspace

SPACES = (
    'xmlns:gating="http://www.isac-net.org/std/Gating-ML/v2.0/gating" '
    'xmlns:transforms="http://www.isac-net.org/std/Gating-ML/v2.0/transformations" '
    'xmlns:data-type="http://www.isac-net.org/std/Gating-ML/v2.0/datatypes"'
)


def _sample(populations: str, *, name: str = "a.fcs", head: str = "") -> str:
    return (
        f'<Sample>{head}<Keywords><Keyword name="$P1N" value="FITC-A"/><Keyword name="$P1S" value="CD3"/>'
        '<Keyword name="$P2N" value="PE-A"/></Keywords>'
        f'<SampleNode name="{name}"><Subpopulations>{populations}</Subpopulations></SampleNode></Sample>'
    )


def _read(*samples: str, sample: str | None = None) -> Document:
    text = f"<Workspace {SPACES}><SampleList>{''.join(samples)}</SampleList></Workspace>"
    return read_workspace(text.encode(), source="x.wsp", name="x", sample=sample)


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
        populations = walk(cytocar.open_fcs(next(path.parent.glob("*.fcs"))), import_workspace(path).template)
        assert {name: str(populations[name].events) for name in stored} == stored
        compared += len(stored)
    assert compared == 8


def test_the_biexponential_scale_is_a_logicle_to_one_of_its_4096_steps(shared_data: Path) -> None:
    table = np.loadtxt(next((shared_data / "transforms_ref").glob("*biex*.csv")), delimiter=",", skiprows=1)
    scale = LogicleScale(kind="logicle", T=262144, W=math.log10(7.943282) / 2, M=4.418540, A=1)
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
    assert names == ["a", "x", "b", "b/x"]


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
    assert edited.template.panel["PE-A"].compensation == "edited"
    assert acquired.template.panel["PE-A"].compensation == "file"
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
    assert scale == LogScale(kind="log", T=10_000, M=3, bound_min=0)


def test_the_first_sample_with_gates_is_taken_and_the_others_are_listed() -> None:
    samples = (_sample("", name="none.fcs"), _sample(_above(1), name="a.fcs"), _sample(_above(20), name="b.fcs"))
    assert _read(*samples).losses == ("gates of 1 other samples (b.fcs ...): these are of a.fcs",)
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
        "not and everything under it: refers to a gate that was not read",
    )


def test_another_file_is_no_workspace() -> None:
    with pytest.raises(TemplateError) as caught:
        read_workspace(b"<a/>", source="x.wsp", name="x")
    assert caught.value.code == "E144"
