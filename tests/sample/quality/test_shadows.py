"""The valley that data show beside the borders that a template fixes."""

from __future__ import annotations

import pytest

from cytocar.errors.findings import Severity
from cytocar.gates.sampled_events import SampledEvents, sampled_events
from cytocar.gates.walk import walk
from cytocar.sample.analysis import quantify
from cytocar.sample.quality.shadows import Shadow, shadow_findings, shadows
from cytocar.simulate import blood_tube
from cytocar.template.load import load_template
from cytocar.template.model import Template

TUBE = blood_tube(car_per_ul=100, seed=1)
FIXED, ADAPTS = load_template("cart-cd19fc-fixed"), load_template("cart-cd19fc")


def sampled(template: Template) -> SampledEvents:
    return sampled_events(walk(TUBE.events, template).gated)


def moved(low: float) -> Template:
    """Return the fixed template with its CAR gate elsewhere."""
    populations = [
        one.model_copy(update={"gate": one.gate.model_copy(update={"min": low})}) if one.name == "car_t" else one
        for one in FIXED.populations
    ]
    return FIXED.model_copy(update={"populations": tuple(populations)})


def test_a_border_in_its_valley_agrees_with_the_data() -> None:
    found = list(shadows(sampled(FIXED), ["car_t", "t_cells"]))
    assert {one.marker for one in found} >= {"CD3"}
    (said,) = shadow_findings(found)
    assert said.outcome is Severity.PASS


def test_a_border_in_the_positives_is_contradicted() -> None:
    (shadow,) = shadows(sampled(moved(3000)), ["car_t"])
    assert shadow.valley < 1000
    assert shadow.percent > 10
    (said,) = shadow_findings([shadow])
    assert (said.code, said.outcome) == ("W306", Severity.REVIEW)
    result = quantify(TUBE.events, moved(3000), beads_added=50_000)
    assert "W306" in result.row()["status_codes"].split()  # type: ignore[union-attr]  # a text


def test_gates_that_data_placed_have_no_shadow() -> None:
    assert list(shadows(sampled(ADAPTS), ["t_cells", "car_t"])) == []


@pytest.mark.parametrize(("between", "code"), [(0, ""), (9, ""), (25, "W306")])
def test_few_events_between_are_chance(between: int, code: str) -> None:
    (said,) = shadow_findings([Shadow("car_t", "CAR", 500, 300, between, 80)])
    assert said.code == code
    assert shadow_findings([]) == ()
