"""A template that is written as TOML is the same template when it is read."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from msgspec.structs import replace

from cytocar.template.load import bundled_templates, load_template, parse_template
from cytocar.template.model import Template
from cytocar.template.toml_text import to_toml
from tests.template.gatingml.documents import templates


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(template=templates())
def test_random_templates_survive(template: Template) -> None:
    assert parse_template(to_toml(template), source="x.toml") == template


@pytest.mark.parametrize("name", bundled_templates())
def test_bundled_templates_survive(name: str) -> None:
    template = load_template(name)
    assert parse_template(to_toml(template, comments=["made by a test"]), source="x.toml") == template


def test_odd_text_is_quoted() -> None:
    template = replace(load_template("tcell-basic"), title='a "b" \\ \x7f \n µ', note="# no comment")
    assert parse_template(to_toml(template), source="x.toml") == template
