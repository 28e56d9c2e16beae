"""A run compared with what was recorded: every change is found and named."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cytocar.errors.tree import UsageError
from cytocar.run.finished.checks import Check, Verdict
from cytocar.run.finished.verify import folder_checks, verify
from cytocar.run.trail.audit import AUDIT, Act, Action, Author, read_trail, trail
from cytocar.run.trail.journal import MANIFEST, amend
from cytocar.run.trail.who import now
from tests.runs import cytocar_command, small_run


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run that was signed."""
    run = small_run(tmp_path_factory.mktemp("verify"))
    amend(run, [Act(Action.SIGNED, "run")], author=Author("A. Muster", "muster"), clock=now)
    return run


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy to be tampered with; the inputs stay where they are."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def changed(run: Path, inputs: Path | None = None) -> list[Check]:
    return [check for check in verify(run, inputs=inputs) if check.verdict is Verdict.CHANGED]


def files_of(run: Path) -> list[Path]:
    return sorted(path for path in run.rglob("*") if path.is_file() and path.stat().st_size)


def test_a_run_that_nobody_touched_is_what_was_recorded(run: Path) -> None:
    assert changed(run) == []
    assert cytocar_command("verify", run).code == 0


def test_verify_writes_nothing(run: Path) -> None:
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files_of(run)}
    verify(run)
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files_of(run)} == before


def test_a_byte_changed_in_any_file_is_found_and_the_file_named(run: Path) -> None:
    chance = random.Random(9)
    for path in files_of(run):
        content = path.read_bytes()
        places = {0, len(content) - 1, *(chance.randrange(len(content)) for _ in range(12))}
        for place in places:
            byte = chance.choice([value for value in range(256) if value != content[place]])
            path.write_bytes(content[:place] + bytes([byte]) + content[place + 1 :])
            found = changed(run)
            assert any(path.name in check.place for check in found), (path, place, byte, found)
        path.write_bytes(content)
    assert changed(run) == []


@pytest.mark.slow
def test_every_byte_of_trail_and_manifest_counts(run: Path) -> None:
    for name in (AUDIT, MANIFEST):
        content = (run / name).read_bytes()
        for place in range(0, len(content), 7):
            (run / name).write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
            assert any(check.verdict is Verdict.CHANGED for check in folder_checks(run)), (name, place)
        (run / name).write_bytes(content)


def test_a_cell_changed_is_named_with_line_and_column(run: Path) -> None:
    counts = run / "counts.csv"
    lines = counts.read_text("utf-8").splitlines()
    header, row = lines[0].split(","), lines[2].split(",")
    column = header.index("car_per_ul")
    was, row[column] = row[column], "9999"
    counts.write_text("\n".join([*lines[:2], ",".join(row), *lines[3:], ""]), "utf-8")
    assert [check.place for check in changed(run)] == ["counts.csv line 3"]
    assert changed(run)[0].message == f"d9: car_per_ul is '9999', was '{was}'"


def test_a_line_removed_from_a_table_is_named(run: Path) -> None:
    gates = run / "gates.csv"
    lines = gates.read_text("utf-8").splitlines(keepends=True)
    gates.write_text("".join(lines[:3] + lines[4:]), "utf-8")
    assert [check.place for check in changed(run)] == ["gates.csv line 4"]
    assert "a line was removed" in changed(run)[0].message


@pytest.mark.parametrize("name", ["counts.csv", "datapackage.json", "parts", MANIFEST, AUDIT])
def test_a_file_removed_is_named(run: Path, name: str) -> None:
    path = run / name if (run / name).is_file() else next((run / name).iterdir())
    path.unlink()
    if name == MANIFEST:
        answer = cytocar_command("verify", run)
        assert (answer.code, "E114" in answer.stderr) == (2, True)
    else:
        assert any(path.name in check.place for check in changed(run))


def removed(lines: list[bytes]) -> list[bytes]:
    return [lines[0], *lines[2:]]


def swapped(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[2], lines[1], *lines[3:]]


def doubled(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[1], *lines[2:]]


def cut_off(lines: list[bytes]) -> list[bytes]:
    return lines[:-1]


@pytest.mark.parametrize("tamper", [removed, swapped, doubled, cut_off])
def test_lines_of_the_trail_cannot_be_moved(run: Path, tamper: Callable[[list[bytes]], list[bytes]]) -> None:
    lines = (run / AUDIT).read_bytes().splitlines(keepends=True)
    (run / AUDIT).write_bytes(b"".join(tamper(lines)))
    assert any(check.place.startswith(AUDIT) for check in changed(run))


def test_a_line_added_with_a_fitting_hash_is_found(run: Path) -> None:
    last = read_trail(run).last
    assert last is not None
    (forged,) = trail(
        [Act(Action.SIGNED, "x")], Author("x", "x"), after=last, now=now(), manifest_sha256=last.manifest_sha256
    )
    with (run / AUDIT).open("ab") as file:
        file.write(forged.line)
    assert any("lines were added at the end" in check.message for check in changed(run))


def test_a_head_from_a_printed_report_must_be_in_the_trail(run: Path) -> None:
    last = read_trail(run).last
    assert last is not None
    assert cytocar_command("verify", run, "--head", last.sha256).code == 0
    assert cytocar_command("verify", run, "--head", "0" * 64).code == 4


def test_an_input_changed_is_named(finished: Path, run: Path, tmp_path: Path) -> None:
    inputs = tmp_path / "inputs"
    shutil.copytree(finished.parent / "inputs", inputs)
    assert changed(run, inputs) == []
    content = bytearray((inputs / "day9.fcs").read_bytes())
    content[-9] ^= 1
    (inputs / "day9.fcs").write_bytes(content)
    assert [check.place for check in changed(run, inputs)] == ["day9.fcs"]
    (inputs / "day9.fcs").unlink()
    assert [check.place for check in changed(run, inputs)] == ["day9.fcs"]


def test_files_that_are_not_here_are_one_note_and_never_ok(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    shutil.rmtree(tmp_path / "inputs")
    about_inputs = [check for check in verify(run) if check.place == "inputs"]
    assert [check.verdict for check in about_inputs] == [Verdict.NOTE]
    assert "so they were not checked" in about_inputs[0].message


def test_a_run_that_moved_beside_its_inputs_finds_them(run: Path) -> None:
    manifest = json.loads((run / MANIFEST).read_text("utf-8"))
    assert all("inputs" in row["file"] for row in manifest["samples"])
    os.rename(run, run.parent / "moved")  # noqa: PTH104 -- of a folder
    notes = [check for check in verify(run.parent / "moved") if check.verdict is Verdict.NOTE]
    assert notes == []


def test_a_sheet_changed_is_named(finished: Path, run: Path, tmp_path: Path) -> None:
    inputs = tmp_path / "inputs"
    shutil.copytree(finished.parent / "inputs", inputs)
    with (inputs / "sheet.csv").open("a", encoding="utf-8") as sheet:
        sheet.write("\n")
    assert [check.place for check in changed(run, inputs)] == ["sheet.csv"]


def test_a_file_of_somebody_else_is_a_note(run: Path) -> None:
    (run / "thoughts.txt").write_text("look at d9 again")
    assert Check(Verdict.NOTE, "thoughts.txt", "is not part of the run") in verify(run)
    assert changed(run) == []


def test_a_run_set_aside_is_verified_too(run: Path, finished: Path) -> None:
    sheet = finished.parent / "inputs" / "sheet.csv"
    answer = cytocar_command(
        "gate", sheet, "-t", "cart-cd19fc-fixed", "-o", run, "-j", "1", "-q", "--no-report", "--force"
    )
    assert answer.code == 1
    assert changed(run) == []
    old = run / "revisions" / "1" / "counts.csv"
    old.write_bytes(old.read_bytes().replace(b"quantified", b"QUANTIFIED"))
    assert [check.place for check in changed(run)] == ["revisions/1/counts.csv line 3"]


def test_an_unfinished_run_is_not_taken_for_whole(run: Path) -> None:
    manifest = json.loads((run / MANIFEST).read_text("utf-8"))
    manifest["state"] = "running"
    (run / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    assert [check.message for check in verify(run) if check.verdict is Verdict.UNFINISHED] == [
        "the run is not finished: repeat its `cytocar gate` command"
    ]
    assert changed(run)


def test_a_run_that_stopped_is_told_from_one_that_was_changed(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise UsageError("stopped", code="E108")

    run, sheet = tmp_path / "stopped", finished.parent / "inputs" / "sheet.csv"
    with monkeypatch.context() as patch:
        patch.setattr("cytocar.run.count.count", stop)
        assert cytocar_command("gate", sheet, "-t", "cart-cd19fc-fixed", "-o", run, "-q", "--no-report").code == 2
    answer = cytocar_command("verify", run)
    assert (answer.code, "error[E114]" in answer.stderr, "changed" in answer.stdout) == (2, True, False), answer
    assert "unfinished manifest.json: the run is not finished" in answer.stdout
    refused = cytocar_command("sign", run, "--by", "A. Muster", "--meaning", "reviewed")
    assert (refused.code, "error[E114]" in refused.stderr) == (2, True)
    (run / MANIFEST).write_text((run / MANIFEST).read_text("utf-8").replace("cart-cd19fc-fixed", "other"), "utf-8")
    answer = cytocar_command("verify", run)
    assert (answer.code, "error[E123]" in answer.stderr) == (4, True)


def test_the_command_names_each_change_and_exits_with_4(run: Path) -> None:
    (run / "quality.csv").write_text("gone\n", "utf-8")
    answer = cytocar_command("verify", run)
    assert answer.code == 4
    assert "changed  quality.csv line 1" in answer.stdout
    assert "error[E123]" in answer.stderr
    assert cytocar_command("verify", run / "nowhere").code == 2


def test_a_draft_that_a_killed_command_left_changes_nothing(run: Path) -> None:
    (run / ".pending.tmp").mkdir()
    (run / ".pending.tmp" / "report.html").write_text("half a page")
    assert changed(run) == []
    assert any(check.place == ".pending.tmp" and check.verdict is Verdict.NOTE for check in verify(run))


def test_a_report_that_is_older_than_the_results_is_a_note(run: Path) -> None:
    drawn = Act(Action.REPORT_BUILT, "report.html")
    author = Author("A. Muster", "muster")
    amend(run, [drawn], author=author, clock=now, files={"report.html": b"<html>"})
    notes = [check.message for check in verify(run) if check.verdict is Verdict.NOTE]
    assert not any("the report was drawn" in note for note in notes)
    amend(run, [Act(Action.OVERRIDE, "d9 / t_cells", why="CD3 dim")], author=author, clock=now)
    notes = [check.message for check in verify(run) if check.verdict is Verdict.NOTE]
    assert any("before results were last changed" in note for note in notes)
    assert changed(run) == []
    amend(run, [drawn], author=author, clock=now, files={"report.html": b"<html>"})
    assert not any("the report was drawn" in check.message for check in verify(run))


def test_a_run_that_lies_in_two_places_is_named_as_that(run: Path) -> None:
    moving = run / "revisions" / "1.moving"
    moving.mkdir(parents=True)
    (run / AUDIT).rename(moving / AUDIT)
    assert [check.place for check in changed(run)] == ["revisions"]
    amend(run, [Act(Action.SIGNED, "run")], author=Author("A. Muster", "muster"), clock=now)
    assert changed(run) == []
