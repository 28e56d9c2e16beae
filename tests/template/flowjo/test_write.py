"""Samples written as a FlowJo workspace come back with the same gates and the same events."""

from __future__ import annotations

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from cytocar.fcs.events import EventTable
from cytocar.gates.walk import walk
from cytocar.regions.boxes import RectangleGate
from cytocar.regions.ellipse import EllipseGate
from cytocar.signals.compensation import SpilloverMatrix
from cytocar.signals.declaration import declare
from cytocar.signals.marker import Marker
from cytocar.signals.panel import resolve
from cytocar.signals.scales import AsinhScale, LinearScale, LogicleScale
from cytocar.template.flowjo.document import open_workspace
from cytocar.template.flowjo.logicle_as import LogicleAs
from cytocar.template.flowjo.write import GatedFile, write_workspace
from cytocar.template.gatingml.xml import local_name
from cytocar.template.model import Population, Template
from tests.template.gatingml.documents import small_table, templates

EVENTS = small_table()
SCALES = (
    LinearScale(),
    AsinhScale(T=1000.0, M=4.0, A=1.0),
    LogicleScale(T=1000.0, W=0.5, M=4.5, A=0.0),
)


def _file(template: Template, events: EventTable = EVENTS) -> GatedFile:
    panel = resolve(template.panel, events.channels)
    populations = walk(events, template)
    keywords = {f"$P{channel.index + 1}N": channel.detector for channel in events.channels}
    return GatedFile(
        name="a.fcs",
        uri="a.fcs",
        template=template,
        gates=populations.fitted,
        channels={marker: channel.detector for marker, channel in panel.items()},
        keywords={"$PAR": str(len(events.channels)), "$DATATYPE": "F", **keywords, "$TIMESTEP": "0.01"},
        ranges={channel.detector: channel.range for channel in events.channels},
        matrix=SpilloverMatrix.from_keywords(events.keywords),
        counts={name: populations[name].events for name in (one.name for one in template.populations)},
        total=events.n_events,
    )


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(templates(markers=("FSC-A", "CD3", "CAR"), scales=SCALES), st.sampled_from(LogicleAs))
def test_whatever_is_written_comes_back_with_the_same_events(template: Template, logicle_as: LogicleAs) -> None:
    file = _file(template)
    data, losses = write_workspace([file], logicle_as=logicle_as)
    (sample,) = open_workspace(data, source="x.wsp").samples
    if not sample.populations:
        assert losses
        return
    came_back = walk(EVENTS, sample.template("x", title=""))
    stored = {name: counted.events for name, counted in sample.counts.items() if counted.events is not None}
    open_there = any("are open there in FlowJo" in loss for loss in losses)
    assert len(stored) + sum("everything under it" in loss for loss in losses) > 0
    if not open_there:
        assert {name: came_back[name].events for name in stored} == stored


def _template(gate: object, *, scale: object = None, name: str = "p") -> Template:
    population = declare(Population, {"name": name, "gate": gate})
    scales = {} if scale is None else {"FSC-A": scale}
    return declare(
        Template,
        {"name": "x", "version": "1.0.0", "panel": {"FSC-A": Marker(), "CAR": Marker(detectors=("PE-A",))}}
        | {"scales": scales, "populations": (population,)},
    )


def test_a_bound_at_the_end_of_the_display_is_told_because_flowjo_takes_it_as_open() -> None:
    scale = LogicleScale(T=1000.0, W=0.5, M=4.5, A=0.0)
    _, losses = write_workspace([_file(_template({"kind": "range", "marker": "FSC-A", "max": 1000.0}, scale=scale))])
    assert losses == ("a.fcs: gates that end at the end of FSC-A's display, at 1000, are open there in FlowJo",)


@pytest.mark.parametrize(
    ("logicle_as", "element"),
    [
        (LogicleAs.LOGICLE, {"tag": "logicle", "length": "256", "T": "1000.0", "W": "0.5", "M": "4.5", "A": "0.25"}),
        (
            LogicleAs.BIEX,
            {"tag": "biex", "length": "256", "maxRange": "1000.0", "neg": "0.25", "width": "-10.0", "pos": "4.5"},
        ),
    ],
)
def test_a_compensated_channel_has_its_scale_under_both_names_because_flowkit_looks_for_the_raw_one(
    logicle_as: LogicleAs, element: dict[str, str]
) -> None:
    scale = LogicleScale(T=1000.0, W=0.5, M=4.5, A=0.25)
    template = replace(_template({"kind": "range", "marker": "CAR", "max": 100.0}), scales={"CAR": scale})
    data, _ = write_workspace([_file(template)], logicle_as=logicle_as)
    (transformations,) = (one for one in fromstring(data).iter() if local_name(one) == "Transformations")
    written = {
        next(iter(entry[0].attrib.values())): {
            "tag": local_name(entry),
            **{name.rpartition("}")[2]: value for name, value in entry.attrib.items()},
        }
        for entry in transformations
    }
    assert written == {"Comp-PE-A": element, "PE-A": element}


def test_what_flowjo_has_no_word_for_is_left_out_and_named() -> None:
    gate = EllipseGate(axes=("FSC-A",), center=(100.0,), covariance=((2500.0,),), distance_square=1.0)
    data, losses = write_workspace([_file(_template(gate))])
    assert losses == ("a.fcs: p and everything under it: FlowJo has ellipses on two axes only, this one is on 1",)
    assert not open_workspace(data, source="x").samples[0].populations


@pytest.mark.parametrize("low", [100.0, 3.3, 7.0, 12345.678])
def test_time_is_written_in_seconds_and_comes_back(low: float) -> None:
    events = EventTable.from_columns({"Time": EVENTS.column("FSC-A"), "PE-A": EVENTS.column("PE-A")})
    template = declare(
        Template,
        {
            "name": "x",
            "version": "1.0.0",
            "panel": {"Time": Marker()},
            "compensation": {"source": "none"},
            "populations": ({"name": "p", "gate": {"kind": "rectangle", "bounds": {"Time": {"min": low}}}},),
        },
    )
    data, _ = write_workspace([_file(template, events)])
    assert f'min="{low * 0.01!r}"'[:9].encode() in data
    (sample,) = open_workspace(data, source="x").samples
    gate = sample.populations[0].gate
    assert isinstance(gate, RectangleGate)
    assert gate.bounds["Time"].min == pytest.approx(low, rel=1e-15)
