"""A run that was edited, re-saved by a spreadsheet or moved: what commands make of it, and what they refuse to."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cytocar.cli.app import main
from cytocar.run.finished.checks import Verdict
from cytocar.run.finished.verify import verify
from cytocar.simulate import Preparation, blood_tube


def cytocar(*words: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    code = ended.value.code
    return code if isinstance(code, int) else 1


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two tubes, their sheet and their run."""
    folder = tmp_path_factory.mktemp("checked") / "study"
    folder.mkdir()
    lines = ["file,sample_id,subject_id,day,beads_added,sample_volume_ul"]
    for day in (0, 9):
        tube = blood_tube(car_per_ul=100, preparation=Preparation(drawn_share=0.03), seed=day)
        tube.write(folder / f"d{day}.fcs")
        lines.append(f"d{day}.fcs,d{day},P1,{day},20000,50")
    (folder / "sheet.csv").write_text("\n".join(lines) + "\n", "utf-8")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder.parent)
        assert cytocar("gate", "study/sheet.csv", "-t", "cart-cd19fc-fixed", "-o", "study/run", "-j", "1", "-q") == 0
    return folder


@pytest.fixture
def run(study: Path, tmp_path: Path) -> Path:
    shutil.copytree(study, tmp_path / "moved")
    return tmp_path / "moved" / "run"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


@pytest.mark.parametrize("verb", ["series", "export"])
def test_a_table_that_a_spreadsheet_saved_again_is_refused_and_named(
    verb: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = (run / "counts.csv").read_bytes()
    (run / "counts.csv").write_bytes(b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n"))
    assert cytocar(verb, run, "-o", tmp_path / "out") == 4
    said = capsys.readouterr().err
    assert "error[E123]" in said
    assert "counts.csv was saved again by a spreadsheet" in said
    assert not (tmp_path / "out").exists()


def test_unverified_goes_on_and_marks_the_result(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(run / "counts.csv", "P1", "P7")
    assert cytocar("series", run, "-o", tmp_path / "out", "--unverified") == 0
    assert "warning[W370] " in capsys.readouterr().err.replace("W370]:", "W370] :")
    assert "UNVERIFIED" in (tmp_path / "out" / "course.html").read_text("utf-8")
    assert cytocar("export", run, "-o", tmp_path / "tables", "--unverified") == 0
    assert "unverified: in " in (run / "audit.jsonl").read_text("utf-8").splitlines()[-1]


@pytest.mark.parametrize("verb", ["qc", "report"])
def test_a_kept_sample_that_was_edited_is_refused(verb: str, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    part = next(run.glob("parts/d9-*.json"))
    edit(part, '"day":9.0', '"day":8.0')
    assert cytocar(verb, run) == 4
    assert f"parts/{part.name} was changed" in capsys.readouterr().err
    assert "the kept result of sample d9 was changed" in [check.message for check in verify(run)]


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b'{"files": []}', b'{"a": "\\ud800"}', b'{"files": {"a": 1}}', b'{"samples": 3}']
)
def test_a_manifest_of_nonsense_is_an_integrity_fault_and_no_bug(
    content: bytes, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run / "manifest.json").write_bytes(content)
    for words in (["verify", run], ["report", run], ["series", run], ["export", run, "-o", run.parent / "x"]):
        assert cytocar(*words) == 4, words
    assert "E199" not in capsys.readouterr().err


def test_an_entry_of_nonsense_in_the_trail_is_an_integrity_fault(run: Path) -> None:
    for line in (b'{"a": ' * 50_000, b'{"what": "\\ud800"}', b"3"):
        (run / "audit.jsonl").write_bytes(line + b"\n")
        assert any(check.verdict is Verdict.CHANGED for check in verify(run))


def test_tables_are_held_against_the_kept_samples(run: Path) -> None:
    """Who writes the new hash of a table into the manifest is found out all the same."""
    import hashlib

    edit(run / "counts.csv", "P1", "P7")
    manifest = json.loads((run / "manifest.json").read_text("utf-8"))
    manifest["files"]["counts.csv"] = hashlib.sha256((run / "counts.csv").read_bytes()).hexdigest()
    (run / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    assert any("is not what the kept samples give" in check.message for check in verify(run))


def test_a_run_that_moved_with_its_data_is_opened_from_anywhere(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    checks = {check.place: check for check in verify(run)}
    assert checks["inputs"].message.startswith("2 of 2")
    assert checks["sheet.csv"].verdict is Verdict.OK
    before = (run / "report.html").read_text("utf-8").count("<image")
    assert cytocar("report", run, "-q") == 0
    assert (run / "report.html").read_text("utf-8").count("<image") == before


def test_a_report_without_its_files_is_an_error_and_leaves_the_old_page(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    for path in run.parent.glob("*.fcs"):
        path.rename(tmp_path / "data" / path.name)
    before = (run / "report.html").read_bytes()
    assert cytocar("report", run) == 2
    assert "error[E103]" in capsys.readouterr().err
    assert (run / "report.html").read_bytes() == before
    assert cytocar("report", run, "--inputs", tmp_path / "data") == 0
    (tmp_path / "data" / "d0.fcs").unlink()
    assert cytocar("report", run, "--inputs", tmp_path / "data") == 1
    assert "1 of 2 samples" in capsys.readouterr().err
    assert cytocar("report", run, "--numbers-only") == 0


def test_a_file_that_the_run_could_not_read_either_is_not_missed_by_the_report(run: Path) -> None:
    edit(
        run.parent / "sheet.csv", "d9.fcs,d9,P1,9,20000,50\n", "d9.fcs,d9,P1,9,20000,50\ngone.fcs,gone,P1,10,20000,50\n"
    )
    again = run.with_name("again")
    words = ("-t", "cart-cd19fc-fixed", "-o", again, "-j", "1", "-q")
    assert cytocar("gate", run.parent / "sheet.csv", *words) == 1
    assert cytocar("report", again, "-q") == 0
    (run.parent / "d0.fcs").unlink()
    assert cytocar("report", again, "-q") == 1


def test_a_mistyped_folder_of_inputs_is_no_change_of_the_files(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cytocar("verify", run, "--inputs", run / "nowhere") == 2
    assert "error[E103]: there is no folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (["samples", 0, "sample_id"], None),
        (["settings", "markers"], 5),
        (["sheet", "sha256"], None),
        (["sheet"], "x"),
        (["plan_sha256"], None),
        (["templates", "cart-cd19fc-fixed", "sha256"], []),
        (["templates", "cart-cd19fc-fixed", "sha256"], "x"),
    ],
)
def test_a_manifest_that_holds_something_else_is_refused_by_every_command(
    run: Path, place: list[str | int], value: object, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = json.loads((run / "manifest.json").read_text("utf-8"))
    entry = manifest
    for key in place[:-1]:
        entry = entry[key]
    entry[place[-1]] = value
    (run / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    for words in (
        ["reproduce", run],
        ["report", run],
        ["sign", run, "--by", "A", "--meaning", "approved", "--reason", "x"],
    ):
        assert cytocar(*words) == 4, words
        assert "error[E12" in capsys.readouterr().err


def test_a_manifest_that_lost_its_hashes_is_refused_and_named(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = json.loads((run / "manifest.json").read_text("utf-8"))
    del manifest["files"]
    (run / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    assert cytocar("series", run, "-o", tmp_path / "out") == 4
    assert "missing required field `files`" in capsys.readouterr().err
