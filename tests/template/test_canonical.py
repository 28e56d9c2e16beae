"""The hash of a template is the hash of what it says."""

from __future__ import annotations

import pytest

from cytocar.template.canonical import template_sha256
from cytocar.template.load import parse_template

TEXT = """
name = "demo"
version = "1.0.0"
[panel]
CD3 = {}
CD4 = {}
[[populations]]
name = "t_cells"
gate = { kind = "range", marker = "CD3", min = 1200 }
"""


def _hash(text: str) -> str:
    return template_sha256(parse_template(text, source="demo.toml"))


@pytest.mark.parametrize(
    "other",
    [
        "# a comment\n" + TEXT,
        TEXT.replace("1200", "1200.0"),
        TEXT.replace("1200", "1_200"),
        TEXT.replace("CD3 = {}\nCD4 = {}", "CD4 = {}\nCD3 = {}"),
        TEXT.replace('name = "t_cells"', 'parent = "all"\nname = "t_cells"'),
        TEXT.replace('kind = "range", marker = "CD3", min = 1200', 'min = 1200, marker = "CD3", kind = "range"'),
    ],
)
def test_comments_layout_order_of_keys_and_spelt_out_defaults_do_not_count(other: str) -> None:
    assert _hash(other) == _hash(TEXT)


@pytest.mark.parametrize(
    "other",
    [
        TEXT.replace("1200", "1200.0000001"),
        TEXT.replace("min", "max"),
        TEXT.replace("CD4 = {}", 'CD4 = { aliases = ["CD4"] }'),
        TEXT.replace('"1.0.0"', '"1.0.1"'),
        TEXT + '[[populations]]\nname = "b"\ngate = { kind = "range", marker = "CD4", min = 1 }\n',
    ],
)
def test_anything_said_differently_counts(other: str) -> None:
    assert _hash(other) != _hash(TEXT)
