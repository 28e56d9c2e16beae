"""The valley that data show beside the borders that a template fixes."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from cytocar.errors.findings import Severity
from cytocar.gates.sampled_events import SampledEvents, sampled_events
from cytocar.gates.walk import walk
from cytocar.regions.ellipse import EllipseGate
from cytocar.regions.polygon import PolygonGate
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
        replace(one, gate=replace(one.gate, min=low)) if one.name == "car_t" else one for one in FIXED.populations
    ]
    return replace(FIXED, populations=tuple(populations))


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


@pytest.mark.parametrize(("low", "code"), [(500.0, ""), (3000.0, "W306")])
@pytest.mark.parametrize("kind", ["polygon", "ellipse"])
def test_drawn_gates_have_shadows_too(kind: str, low: float, code: str) -> None:
    corners = ((low, 200.0), (200_000.0, 200.0), (200_000.0, 100_000.0), (low, 100_000.0))
    polygon = PolygonGate(x="CAR", y="CD3", vertices=corners)
    scales = [FIXED.scale(marker) for marker in ("CAR", "CD3")]
    first, last = (float(scales[0].forward(np.array([place]))[0]) for place in (low, 200_000.0))
    middle = float(scales[1].forward(np.array([5000.0]))[0])
    across = ((last - first) / 2) ** 2
    ellipse = EllipseGate(
        axes=("CAR", "CD3"),
        center=((first + last) / 2, middle),
        covariance=((across, 0.0), (0.0, 0.04)),
        distance_square=1.0,
    )
    gate = polygon if kind == "polygon" else ellipse
    populations = [replace(one, gate=gate) if one.name == "car_t" else one for one in FIXED.populations]
    found = list(shadows(sampled(replace(FIXED, populations=tuple(populations))), ["car_t"]))
    assert [finding.code for finding in shadow_findings(found)] == ([code] if code or found else [])
    assert bool(found) or not code


def test_gates_that_data_placed_have_no_shadow() -> None:
    assert list(shadows(sampled(ADAPTS), ["t_cells", "car_t"])) == []


@pytest.mark.parametrize(("between", "code"), [(0, ""), (9, ""), (25, "W306")])
def test_few_events_between_are_chance(between: int, code: str) -> None:
    (said,) = shadow_findings([Shadow("car_t", "CAR", 500, 300, between, 80)])
    assert said.code == code
    assert shadow_findings([]) == ()
