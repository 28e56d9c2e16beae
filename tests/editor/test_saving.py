"""What saving writes: the template that is shown, comments of the file, and nothing over another's work or a lock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cytocar.editor import draft as edits
from cytocar.editor.opening import open_bench
from cytocar.editor.saving import TemplateFile, template_file
from cytocar.editor.session import Bench
from cytocar.errors.tree import CytocarError, UsageError
from cytocar.fit.names import alias_book
from cytocar.template.load import load_template, read_template
from cytocar.template.lock import LockStatus

TEMPLATE = """# drawn by hand
name = "mine"
version = "1.2.0" # of the validation

[panel]
CD3 = { aliases = ["CD3"] }
"SSC-A" = {}

[scales]
CD3 = { kind = "logicle", T = 262144, W = 0.5, M = 4.5, A = 0 }

# what is a T cell
[[populations]]
name = "t_cells"
gate = { kind = "range", marker = "CD3", min = 1200 } # above the isotype control

[report]
t_cells = "t_cells"
"""


def clock() -> datetime:
    return datetime(2026, 5, 4, tzinfo=UTC)


@pytest.fixture
def mine(tubes: tuple[Path, ...], tmp_path: Path) -> tuple[Bench, TemplateFile]:
    """A template with comments on the bench."""
    path = tmp_path / "mine.toml"
    path.write_text(TEMPLATE, "utf-8")
    return open_bench(str(path), tubes, alias_book())


def moved(bench: Bench) -> None:
    gate = {"kind": "range", "marker": "CD3", "min": 1350.0}
    bench.change(edits.set_gate(bench.draft, "t_cells", gate))


def test_nothing_to_save_before_something_was_changed(mine: tuple[Bench, TemplateFile]) -> None:
    bench, file = mine
    difference = file.difference(bench.draft)
    assert difference is not None
    assert difference.changes == ()
    assert {"CD4", "FSC-A"} <= set(bench.template.panel)  # other channels can be looked at


def test_a_moved_gate_is_saved_with_all_comments_and_the_version_proposed(mine: tuple[Bench, TemplateFile]) -> None:
    bench, file = mine
    moved(bench)
    assert file.proposed_version(bench.draft) == "2.0.0"
    file.save(bench.draft, "2.0.0")
    assert file.path.read_text("utf-8") == TEMPLATE.replace("1200", "1350").replace('"1.2.0"', '"2.0.0"')


def test_only_channels_that_gates_look_at_join_the_panel(mine: tuple[Bench, TemplateFile]) -> None:
    bench, file = mine
    bench.enter("t_cells")
    bench.look(x="CD4", y="SSC-A")
    bench.draw("range", [(0.5, 0.5), (1.0, 0.5)], "cd4")
    file.save(bench.draft, file.proposed_version(bench.draft))
    saved = load_template(file.path)
    assert list(saved.panel) == ["CD3", "SSC-A", "CD4"]
    assert not saved.panel["CD4"].optional
    assert (saved.report.cd4, saved.version) == ("cd4", "1.3.0")


def test_a_renamed_population_keeps_its_comments(mine: tuple[Bench, TemplateFile]) -> None:
    bench, file = mine
    bench.rename("t_cells", "CD3+")
    file.save(bench.draft, "2.0.0")
    text = file.path.read_text("utf-8")
    assert '# what is a T cell\n[[populations]]\nname = "CD3+"' in text
    assert "# above the isotype control" in text
    assert load_template(file.path).report.t_cells == "CD3+"


def test_a_file_that_somebody_else_has_changed_is_not_overwritten(mine: tuple[Bench, TemplateFile]) -> None:
    bench, file = mine
    moved(bench)
    file.path.write_text(TEMPLATE + "# mine too\n", "utf-8")
    with pytest.raises(UsageError) as refused:
        file.save(bench.draft, "2.0.0")
    assert refused.value.code == "E222"
    assert file.path.read_text("utf-8").endswith("# mine too\n")


def test_a_locked_template_is_saved_under_a_raised_version_only(mine: tuple[Bench, TemplateFile]) -> None:
    bench, file = mine
    file.lock_it(by="A. Muster", reason="validated", clock=clock)
    moved(bench)
    with pytest.raises(UsageError) as refused:
        file.save(bench.draft, "1.2.1")
    assert (refused.value.code, refused.value.hint) == ("E223", "save it as version 2.0.0")
    file.save(bench.draft, "2.0.0")
    assert file.status() == "changed since it was locked"
    file.lock_it(by="A. Muster", reason="validated again", clock=clock)
    assert read_template(file.path).status is LockStatus.LOCKED


def test_a_template_without_a_gate_is_not_saved(opened: tuple[Bench, TemplateFile]) -> None:
    bench, file = opened
    with pytest.raises(UsageError) as refused:
        file.save(bench.draft, "0.1.0")
    assert refused.value.code == "E223"
    assert not file.path.exists()


@pytest.mark.parametrize("name", ["cart-cd19fc", "gates.xml", "nowhere/mine.toml"])
def test_what_is_no_file_to_edit_is_refused(name: str) -> None:
    with pytest.raises(CytocarError) as refused:
        template_file(name)
    assert refused.value.code == "E220"


DOUBTS = """
[[doubts]] # of the fit
code = "W339"
message = "a third lies outside"

[[doubts]]
code = "W351"
message = "some are large"
"""


@pytest.fixture
def doubted(tubes: tuple[Path, ...], tmp_path: Path) -> tuple[Bench, TemplateFile]:
    """A template with two doubts of its fit on the bench."""
    path = tmp_path / "mine.toml"
    path.write_text(TEMPLATE + DOUBTS, "utf-8")
    return open_bench(str(path), tubes, alias_book())


def test_an_accepted_doubt_stays_accepted_when_gates_are_moved_undone_and_saved(
    doubted: tuple[Bench, TemplateFile],
) -> None:
    bench, file = doubted
    moved(bench)
    bench.undo()
    bench.accepted_as(file.accept(bench.draft, ["W339"], by="A. Muster", reason="dead cells, seen"))
    assert "# of the fit" in file.path.read_text("utf-8")
    bench.redo()
    file.save(bench.draft, "2.0.0")
    bench.undo()
    saved = load_template(file.path)
    assert [(doubt.code, doubt.accepted_by) for doubt in saved.doubts] == [("W339", "A. Muster"), ("W351", "")]
    assert [doubt.accepted_by for doubt in bench.template.doubts] == ["A. Muster", ""]
    assert [doubt.code for doubt in saved.open_doubts] == ["W351"]


def test_an_acceptance_raises_the_version_of_a_locked_template(doubted: tuple[Bench, TemplateFile]) -> None:
    bench, file = doubted
    file.lock_it(by="A. Muster", reason="validated", clock=clock)
    bench.accepted_as(file.accept(bench.draft, ["W339", "W351"], by="A. Muster", reason="seen"))
    assert file.status() == "changed since it was locked"
    assert bench.template.version == read_template(file.path, check_lock=False).template.version != "1.2.0"
    difference = file.difference(bench.draft)
    assert difference is not None
    assert difference.changes == ()


@pytest.mark.parametrize(
    ("codes", "by", "change", "code"),
    [
        ([], "A. Muster", None, "E223"),
        (["W339"], "A. Muster", moved, "E223"),
        (["W338"], "A. Muster", None, "E111"),
        (["W339"], " ", None, "E111"),
    ],
)
def test_nothing_is_accepted_without_a_doubt_a_name_and_what_is_shown_being_saved(
    codes: list[str],
    by: str,
    change: Callable[[Bench], None] | None,
    code: str,
    doubted: tuple[Bench, TemplateFile],
) -> None:
    bench, file = doubted
    if change is not None:
        change(bench)
    with pytest.raises(UsageError) as refused:
        file.accept(bench.draft, codes, by=by, reason="seen")
    assert refused.value.code == code
    assert file.path.read_text("utf-8") == TEMPLATE + DOUBTS
