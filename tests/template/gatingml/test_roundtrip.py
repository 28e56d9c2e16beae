"""Templates survive the way into Gating-ML and back."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from msgspec.structs import replace

from cytocar.errors.tree import TemplateError
from cytocar.fcs.events import EventTable
from cytocar.gates.walk import walk
from cytocar.regions.boolean import BooleanGate
from cytocar.sample.applied_template import applied_to
from cytocar.template.gatingml.merge import Origin
from cytocar.template.gatingml.read import read_gatingml
from cytocar.template.gatingml.round_trip import export_gatingml, reunite
from cytocar.template.model import Population, Template
from tests.template.gatingml.documents import small_table, templates
from tests.template.gatingml.plain_gating import masks

EVENTS = small_table()
slowly = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _exported(template: Template, events: EventTable = EVENTS) -> bytes:
    try:
        return export_gatingml(template, applied_to(events, template))
    except TemplateError as error:
        assume(error.code != "E143")  # a corner at or below 0 on a log axis, which Gating-ML cannot say
        raise


@slowly
@given(template=templates())
def test_import_of_an_export_is_the_identical_template(template: Template) -> None:
    imported = reunite(read_gatingml(_exported(template), source="x.xml", name="x"))
    assert imported.template == template
    assert imported.losses == ()


@slowly
@given(template=templates())
def test_the_document_alone_holds_the_same_events(template: Template) -> None:
    document = read_gatingml(_exported(template), source="x.xml", name="x")
    assert document.note is not None
    origin = Origin.from_json(document.note.text or "")
    assert origin is not None
    before, after = walk(EVENTS, template), walk(EVENTS, document.template)
    for identifier, name in origin.names.items():
        assert np.array_equal(before[name].mask, after[identifier].mask), name


@slowly
@given(template=templates())
def test_a_child_lies_within_its_parent_and_adds_up_with_its_complement(template: Template) -> None:
    complements = tuple(
        Population(name=f"rest of {one.name}", parent=one.parent, gate=BooleanGate(none_of=(one.name,)))
        for one in template.populations
    )
    both = replace(template, populations=template.populations + complements)
    populations = walk(EVENTS, both)
    for one in template.populations:
        child, rest = populations[one.name].mask, populations[f"rest of {one.name}"].mask
        parent = populations[one.parent].mask
        assert not (child & ~parent).any()
        assert not (child & rest).any()
        assert np.array_equal(child | rest, parent)


@slowly
@given(template=templates())
def test_edges_moved_to_data_units_hold_the_events_that_transforming_every_event_holds(template: Template) -> None:
    populations, expected = walk(EVENTS, template), masks(template, EVENTS)
    for name, mask in expected.items():
        assert np.array_equal(populations[name].mask, mask), name
