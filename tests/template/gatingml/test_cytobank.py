"""Gates in Cytobank's form come back under their titles with the same events."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

from cytocar.errors.tree import TemplateError
from cytocar.gates.walk import walk
from cytocar.sample.applied_template import applied_to
from cytocar.signals.declaration import declare
from cytocar.template.gatingml.cytobank import export_cytobank
from cytocar.template.gatingml.read import read_gatingml
from cytocar.template.model import Template
from tests.template.gatingml.documents import small_table, templates

EVENTS = small_table()


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(templates())
def test_every_population_comes_back_under_its_title(template: Template) -> None:
    populations = walk(EVENTS, template)
    try:
        data = export_cytobank(template, applied_to(EVENTS, template, populations=populations))
    except TemplateError as error:
        assert error.code == "E143"
        return
    came_back = walk(EVENTS, read_gatingml(data, source="x", name="x").template)
    names = [population.name for population in template.populations]
    assert {name: came_back[name].events for name in names} == {name: populations[name].events for name in names}


def test_gates_have_no_parents_and_sets_list_the_gates_on_their_way() -> None:
    template = declare(
        Template,
        {
            "name": "x",
            "version": "1.0.0",
            "panel": {"FSC-A": {}, "PE-A": {"compensation": "none"}},
            "populations": (
                {"name": "cells", "gate": {"kind": "range", "marker": "FSC-A", "min": 100.0}},
                {"name": "CAR+", "parent": "cells", "gate": {"kind": "range", "marker": "PE-A", "min": 50.0}},
            ),
        },
    )
    text = export_cytobank(template, applied_to(EVENTS, template)).decode()
    assert "parent_id" not in text
    assert '"gates": [1, 2]' in text
    assert "<name>CAR+</name>" in text
    tree = {one.name: one.parent for one in read_gatingml(text.encode(), source="x", name="x").template.populations}
    assert tree["CAR+"] == "cells"
