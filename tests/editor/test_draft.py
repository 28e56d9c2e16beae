"""Edits of the tree: names and roles follow, children go with their parents, and the order stays one that counts."""

from __future__ import annotations

import pytest

from cytocar.editor import draft as edits
from cytocar.editor.draft import Draft
from cytocar.errors.tree import UsageError
from cytocar.template.load import load_template


@pytest.fixture
def draft() -> Draft:
    """A bundled template."""
    return Draft.of_template(load_template("cart-cd19fc-fixed"))


def names(draft: Draft) -> list[str]:
    return [one.name for one in draft.template.populations]


def test_a_draft_says_what_its_template_says(draft: Draft) -> None:
    assert Draft.of(draft.document).template == load_template("cart-cd19fc-fixed")


def test_a_new_name_goes_wherever_the_old_one_stood(draft: Draft) -> None:
    renamed = edits.rename(draft, "t_cells", "CD3+")
    assert renamed.template.report.t_cells == "CD3+"
    assert all(one.parent != "t_cells" for one in renamed.template.populations)
    assert renamed.names["CD3+"] == "t_cells"
    assert edits.rename(renamed, "CD3+", "T").names == {"T": "t_cells"}


def test_a_name_that_is_taken_or_empty_is_refused(draft: Draft) -> None:
    for new in ("viable", " ", "all"):
        with pytest.raises(UsageError) as refused:
            edits.rename(draft, "t_cells", new)
        assert refused.value.code == "E221"


def test_what_hangs_on_a_population_goes_with_it(draft: Draft) -> None:
    without = edits.delete(draft, "t_cells")
    assert "car_t" not in names(without)
    assert without.template.report.t_cells is None
    assert without.template.report.cd4 is None


def test_beads_that_go_take_the_count_method_with_them(draft: Draft) -> None:
    assert edits.delete(draft, "beads").template.counting.method == "none"


def test_siblings_change_places_with_their_children(draft: Draft) -> None:
    moved = edits.reorder(draft, "cd4", 1)
    order = [one.name for one in moved.template.populations if one.parent == "t_cells"]
    before = [one.name for one in draft.template.populations if one.parent == "t_cells"]
    assert order != before
    assert sorted(order) == sorted(before)
    assert names(edits.reorder(moved, "cd4", -1)) == names(draft)


def test_a_role_belongs_to_one_population_and_a_population_to_one_role(draft: Draft) -> None:
    changed = edits.set_role(draft, "cd8", "cd4")
    assert (changed.template.report.cd4, changed.template.report.cd8) == ("cd8", None)
    assert edits.role_of(changed, "cd4") is None
    with pytest.raises(UsageError):
        edits.set_role(draft, "cd8", "emperor")


def test_a_population_named_after_a_free_role_takes_it(draft: Draft) -> None:
    freed = edits.set_role(draft, "cd8", None)
    gate = {"kind": "range", "marker": "CD8", "min": 1.0}
    held = edits.add(draft, [{"name": "again", "parent": "all", "gate": gate}])
    assert held.template.report.cd8 == "cd8"
    renamed = edits.rename(freed, "cd8", "CD8")
    assert renamed.template.report.cd8 is None
    assert edits.rename(renamed, "CD8", "cd8").template.report.cd8 == "cd8"
