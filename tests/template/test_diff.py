"""A diff of templates says what changed and what the version should do."""

from __future__ import annotations

import pytest

from cytocar.template.diff import compare
from cytocar.template.load import parse_template
from cytocar.template.model import Template

TEXT = """
name = "demo"
version = "1.0.0"
[panel]
CD3 = { aliases = ["CD3"] }
CD4 = {}
[scales]
default = { kind = "logicle" }
[[populations]]
name = "t_cells"
gate = { kind = "range", marker = "CD3", min = 1200 }
[[populations]]
name = "cd4"
parent = "t_cells"
gate = { kind = "polygon", x = "CD3", y = "CD4", vertices = [[1, 2], [3, 4], [5, 2]] }
[report]
t_cells = "t_cells"
"""


def _template(text: str = TEXT) -> Template:
    return parse_template(text, source="demo.toml")


@pytest.mark.parametrize(
    ("old", "new", "step", "words"),
    [
        ('["CD3"]', '["CD3", "CD3e"]', "patch", "marker CD3: aliases ['CD3'] -> ['CD3', 'CD3e']"),
        ("CD4 = {}", "CD4 = {}\nCD8 = {}", "minor", "marker CD8: added"),
        ("CD4 = {}", 'CD4 = { compensation = "none" }', "major", "marker CD4: compensation nothing -> 'none'"),
        ("min = 1200", "min = 1300", "major", "population t_cells: gate min 1200 -> 1300"),
        ("min = 1200", "max = 1200", "major", "population t_cells: gate max nothing -> 1200"),
        ("[5, 2]]", "[5, 2], [6, 1]]", "major", "population cd4: gate vertices 3 corners -> 4 corners"),
        ('parent = "t_cells"', "", "major", "population cd4: parent 't_cells' -> all"),
        ('kind = "logicle"', 'kind = "asinh"', "major", "scale of CD3: kind 'logicle' -> 'asinh'"),
        ("[report]", '[report]\ncd4 = "cd4"', "minor", "report cd4: nothing -> 'cd4'"),
        ('t_cells = "t_cells"', 't_cells = "cd4"', "major", "report t_cells: 't_cells' -> 'cd4'"),
        ("[report]", "[limits]\ndetection_events = 20\n[report]", "major", "limits detection_events: nothing -> 20"),
        ("[report]", '[quality]\nunsteady_flow = "cut"\n[report]', "major", "quality unsteady_flow: nothing -> 'cut'"),
        ('version = "1.0.0"', 'version = "1.0.0"\ntitle = "x"', "patch", "title: nothing -> 'x'"),
    ],
)
def test_each_kind_of_change_asks_for_its_version_step(old: str, new: str, step: str, words: str) -> None:
    assert old in TEXT
    difference = compare(_template(), _template(TEXT.replace(old, new, 1)))
    assert words in [change.text for change in difference.changes]
    assert str(difference.needed) == step
    assert not difference.fits


def test_a_new_population_is_a_minor_and_a_lost_one_a_major_step() -> None:
    more = TEXT.replace(
        "[report]", '[[populations]]\nname = "x"\ngate = { kind = "range", marker = "CD3", min = 1 }\n[report]'
    )
    assert str(compare(_template(), _template(more)).needed) == "minor"
    assert str(compare(_template(more), _template()).needed) == "major"


def test_a_scale_that_no_gate_is_drawn_on_moves_no_count() -> None:
    text = TEXT.replace("[scales]", '[scales]\nCD8 = { kind = "log" }').replace("CD4 = {}", "CD4 = {}\nCD8 = {}")
    other = text.replace('kind = "log" }', 'kind = "log", T = 1000 }')
    assert str(compare(_template(text), _template(other)).needed) == "patch"


@pytest.mark.parametrize(("version", "fits"), [("1.0.1", False), ("1.1.0", False), ("2.0.0", True), ("0.9.0", False)])
def test_the_verdict_compares_the_step_of_the_version_with_the_changes(version: str, fits: bool) -> None:
    changed = TEXT.replace("1200", "1300").replace("1.0.0", version)
    difference = compare(_template(), _template(changed))
    assert difference.fits is fits
    assert ("does not fit" in difference.verdict()) is not fits


def test_the_same_template_has_no_difference() -> None:
    assert compare(_template(), _template("# hello\n" + TEXT)).verdict() == "the templates say the same"
