"""A template file after a change: everything else stays as it was typed, and the file says what the template says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from cytocar.editor import draft as edits
from cytocar.editor.draft import Draft
from cytocar.errors.tree import TemplateError
from cytocar.files.bundled import template_folder
from cytocar.template.load import bundled_templates, parse_template, read_template
from cytocar.template.model import Template
from cytocar.template.toml_edit import edited

WRITTEN = """# mine
name = "demo"
version = "1.0.0" # of May
[panel]
CD3 = {}
CD4 = { aliases = ["CD4"] } # clone SK3

# ---- cells
# all of them
[[populations]]
name = "t_cells"
# a valley in 3 of 3 files
gate = { kind = "range", marker = "CD3", min = 1200 } # isotype ends at 1000

[[populations]]
name = "cd4"
parent = "t_cells"
[populations.gate]
kind = "polygon"
x = "CD3"
y = "CD4"
vertices = [
  [1000, 1000], # lowest
  [5000, 1000],
  [5000, 5000],
]
# the end
"""


def after(change: Callable[[Draft], Draft]) -> str:
    """The text after an edit; it says what the edited template says."""
    before = parse_template(WRITTEN, source="demo.toml")
    draft = change(Draft.of_template(before))
    text = edited(WRITTEN, before, draft.template, names=draft.names)
    assert parse_template(text, source="demo.toml") == draft.template
    return text


def test_a_number_is_replaced_where_it_stands() -> None:
    gate = {"kind": "range", "marker": "CD3", "min": 1350.5}
    assert after(lambda draft: edits.set_gate(draft, "t_cells", gate)) == WRITTEN.replace("min = 1200", "min = 1350.5")


def test_a_gate_of_another_kind_stands_in_the_same_place() -> None:
    gate = {"kind": "valley", "marker": "CD3", "keep": "above", "fallback": 1200.0, "window": [500.0, 3000.0]}
    text = after(lambda draft: edits.set_gate(draft, "t_cells", gate))
    assert "# a valley in 3 of 3 files\ngate = {kind" in text.replace("{ kind", "{kind")
    rectangle = {"kind": "rectangle", "bounds": {"CD3": {"min": 1.0}, "CD4": {"min": 2.0}}}
    assert "# the end" in after(lambda draft: edits.set_gate(draft, "cd4", rectangle))


def test_comments_follow_a_population_that_moves_or_is_renamed() -> None:
    text = after(lambda draft: edits.rename(draft, "t_cells", "CD3+"))
    assert '# all of them\n[[populations]]\nname = "CD3+"\n# a valley in 3 of 3 files\n' in text
    gate = {"kind": "range", "marker": "CD4", "min": 5.0}
    added = [{"name": "other", "gate": gate}]
    text = after(lambda draft: edits.reorder(edits.add(draft, added), "other", -1))
    assert text.index('name = "other"') < text.index("# all of them\n[[populations]]")


def test_what_was_deleted_is_gone_and_what_is_new_stands_behind() -> None:
    text = after(lambda draft: edits.delete(draft, "cd4"))
    assert "polygon" not in text
    assert text.startswith(WRITTEN[: WRITTEN.index('[[populations]]\nname = "cd4"')].rstrip())
    text = after(lambda draft: edits.set_role(draft, "cd4", "cd4"))
    assert text.endswith('[report]\ncd4 = "cd4"\n')


@pytest.mark.parametrize("name", bundled_templates())
def test_a_bundled_template_that_is_left_alone_stays_byte_for_byte(name: str) -> None:
    text = (template_folder() / f"{name}.toml").read_text("utf-8")
    template = read_template(name).template
    assert edited(text, template, template) == text


@pytest.mark.parametrize("name", bundled_templates())
def test_every_population_of_a_bundled_template_can_be_renamed_in_place(name: str) -> None:
    text = (template_folder() / f"{name}.toml").read_text("utf-8")
    before = read_template(name).template
    draft = Draft.of_template(before)
    for population in before.populations:
        draft = edits.rename(draft, population.name, f"{population.name} now")
    made = edited(text, before, draft.template, names=draft.names)
    assert parse_template(made, source=name, folder=template_folder()) == draft.template
    assert made.count("#") == text.count("#")


def test_a_new_template_is_written_whole() -> None:
    template: Template = parse_template(WRITTEN, source="demo.toml")
    assert parse_template(edited("", None, template), source="demo.toml") == template


def test_populations_as_one_inline_list_are_refused() -> None:
    listed = """name = "demo"
version = "1.0.0"
populations = [{ name = "t", gate = { kind = "range", marker = "CD3", min = 1 } }]
[panel]
CD3 = {}
"""
    before = parse_template(listed, source="demo.toml")
    draft = edits.rename(Draft.of_template(before), "t", "T")
    try:
        made = edited(listed, before, draft.template, names=draft.names)
    except TemplateError as error:
        assert error.code == "E224"
    else:
        with pytest.raises(TemplateError):
            parse_template(made, source="demo.toml")


def test_an_entry_of_a_list_of_tables_changes_where_it_stands() -> None:
    doubts = '[[doubts]]\ncode = "W338"\nmessage = "no CD3"\n# of May\n[[doubts]]\ncode = "W340"\nmessage = "few"\n'
    before = parse_template(WRITTEN + doubts, source="demo.toml")
    first, second = before.doubts
    accepted = replace(second, accepted_by="A", reason="B")
    text = edited(WRITTEN + doubts, before, replace(before, doubts=(first, accepted)))
    assert text == WRITTEN + doubts + 'accepted_by = "A"\nreason = "B"\n'
    with pytest.raises(TemplateError, match=r"\[\[doubts\]\] changes"):
        edited(WRITTEN + doubts, before, replace(before, doubts=(first,)))
