"""``cytocar template`` as a user meets it: lock, diff, import, export."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cytocar.template.load import load_template
from tests.cli.conftest import Cytocar


@pytest.fixture
def mine(cytocar: Cytocar, tmp_path: Path) -> Path:
    """A template of one's own."""
    path = tmp_path / "mine.toml"
    assert cytocar("template", "new", path, "--from", "cart-cd19fc-fixed").returncode == 0
    return path


def test_a_new_template_says_which_one_it_is_a_copy_of(cytocar: Cytocar, tmp_path: Path) -> None:
    plain = cytocar("template", "new", tmp_path / "a.toml").stderr
    assert "a copy of cart-cd19fc-fixed" in plain
    assert "--from NAME copies another one" in plain
    assert "a copy of tbnk" in cytocar("template", "new", tmp_path / "b.toml", "--from", "tbnk").stderr


@pytest.mark.parametrize("verb", ["template", "sheet", "qc", "validate"])
def test_lists_of_commands_cut_no_sentence(cytocar: Cytocar, verb: str) -> None:
    shown = cytocar(verb, "--help").stdout.partition("Commands:")[2]
    assert shown
    assert "..." not in shown.replace("[OPTIONS]...", "")
    assert all(len(line) <= 80 for line in shown.splitlines())


def _raise_a_number(path: Path, version: str) -> None:
    text = path.read_text("utf-8").replace('version = "0.1.0"', f'version = "{version}"')
    path.write_text(text.replace("detection_percent = 0.1", "detection_percent = 0.2"), "utf-8")


def test_a_locked_template_that_was_changed_stops_with_exit_code_4(cytocar: Cytocar, mine: Path) -> None:
    locked = cytocar("template", "lock", mine, "--by", "A. Muster", "--reason", "validated")
    assert locked.returncode == 0
    assert "locked" in cytocar("template", "validate", mine).stdout
    text = mine.read_text("utf-8")
    mine.write_text("# a comment says nothing\n" + text, "utf-8")
    assert cytocar("template", "validate", mine).returncode == 0
    _raise_a_number(mine, "0.1.0")
    changed = cytocar("template", "validate", mine)
    assert changed.returncode == 4
    assert "error[E120]" in changed.stderr
    assert "A. Muster" in changed.stderr


def test_a_lock_gives_way_only_to_a_higher_version_and_remembers_the_earlier(cytocar: Cytocar, mine: Path) -> None:
    lock = ("template", "lock", mine, "--by", "A", "--reason", "first")
    assert cytocar(*lock).returncode == 0
    assert "locked already by A" in cytocar(*lock).stderr
    _raise_a_number(mine, "0.1.0")
    assert cytocar(*lock).returncode == 4
    mine.write_text(mine.read_text("utf-8").replace('version = "0.1.0"', 'version = "1.0.0"'), "utf-8")
    assert cytocar("template", "lock", mine, "--by", "B", "--reason", "second").returncode == 0
    content = json.loads(mine.with_suffix(".lock.json").read_text("utf-8"))
    assert (content["locked_by"], content["version"], content["reason"]) == ("B", "1.0.0", "second")
    assert [earlier["reason"] for earlier in content["previous"]] == ["first"]


def test_a_damaged_lock_stops_too(cytocar: Cytocar, mine: Path) -> None:
    mine.with_suffix(".lock.json").write_text("{", "utf-8")
    damaged = cytocar("template", "validate", mine)
    assert damaged.returncode == 4
    assert "error[E121]" in damaged.stderr


def test_a_lock_needs_a_reason(cytocar: Cytocar, mine: Path) -> None:
    assert cytocar("template", "lock", mine, "--by", "A", "--reason", " ").returncode == 2
    assert cytocar("template", "lock", mine, "--by", "A").returncode == 2


def test_diff_says_what_changed_and_how_far_the_version_should_move(cytocar: Cytocar, mine: Path) -> None:
    other = mine.with_name("other.toml")
    other.write_text(mine.read_text("utf-8"), "utf-8")
    assert cytocar("template", "diff", mine, other).stdout == "the templates say the same\n"
    _raise_a_number(other, "0.1.1")
    told = cytocar("template", "diff", mine, other).stdout
    assert "major  limits detection_percent" in told
    assert "does not fit: the changes ask for a major step, at least 1.0.0" in told


def test_export_and_import_give_the_identical_template(cytocar: Cytocar, tubes: Path, tmp_path: Path) -> None:
    document, back = tmp_path / "gates.xml", tmp_path / "back.toml"
    exported = cytocar("template", "export", "cart-cd19fc", "--sample", tubes / "day9.fcs", "-o", document)
    assert exported.returncode == 0, exported.stderr
    assert "gate car_t was placed with NO_REFERENCE" in exported.stderr
    imported = cytocar("template", "import", document, "-o", back)
    assert imported.returncode == 0
    assert "not kept" not in imported.stderr
    assert load_template(back) == load_template("cart-cd19fc")
    assert cytocar("template", "import", document, "-o", back).returncode == 2
    assert cytocar("template", "import", document, "-o", back, "--force").returncode == 0


def test_what_was_edited_elsewhere_is_listed(cytocar: Cytocar, tubes: Path, tmp_path: Path) -> None:
    document = tmp_path / "gates.xml"
    cytocar("template", "export", "cart-cd19fc-fixed", "--sample", tubes / "day9.fcs", "-o", document)
    text = document.read_text("utf-8")
    place = text.index('gating:min="') + len('gating:min="')
    document.write_text(text[:place] + "1" + text[place:], "utf-8")
    imported = cytocar("template", "import", document)
    assert imported.returncode == 0
    assert "warning[W270]: not kept: " in imported.stderr
    assert "edited elsewhere" in imported.stderr
    gated = cytocar("gate", tubes / "day9.fcs", "-t", document)
    assert "warning[W270]: not kept: " in gated.stderr


def test_gates_of_a_document_gate_a_file(cytocar: Cytocar, tubes: Path, tmp_path: Path) -> None:
    document = tmp_path / "gates.xml"
    cytocar("template", "export", "cart-cd19fc-fixed", "--sample", tubes / "day9.fcs", "-o", document)
    ours, theirs = (
        cytocar("gate", tubes / "day9.fcs", "-t", template, "--format", "json")
        for template in ("cart-cd19fc-fixed", document)
    )
    assert theirs.returncode == ours.returncode
    assert json.loads(theirs.stdout)[0]["car_events"] == json.loads(ours.stdout)[0]["car_events"]


@pytest.mark.parametrize("content", ["", "<a>", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "\x00\x01", "<a/>"])
def test_a_document_that_is_no_gating_ml_is_refused(cytocar: Cytocar, tmp_path: Path, content: str) -> None:
    document = tmp_path / "bad.xml"
    document.write_text(content, "utf-8")
    refused = cytocar("template", "import", document)
    assert refused.returncode == 2
    assert "error[E14" in refused.stderr


def test_a_flowjo_workspace_is_imported_by_its_ending(cytocar: Cytocar, tmp_path: Path) -> None:
    workspace = tmp_path / "study.wsp"
    workspace.write_text("<Workspace><SampleList/></Workspace>", "utf-8")
    refused = cytocar("template", "import", workspace)
    assert refused.returncode == 2
    assert "error[E144]: no sample of study.wsp has gates" in refused.stderr
    assert cytocar("template", "import", tmp_path / "gates.txt").returncode == 2
