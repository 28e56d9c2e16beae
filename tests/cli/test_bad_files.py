"""What commands do with files that are none, or that bring a library down: a code, and on to the next file."""

from __future__ import annotations

import gc
import os
import warnings
from pathlib import Path

import pytest

from cytocar.cli import app
from cytocar.cli.app import main
from cytocar.simulate import Preparation, blood_tube
from tests.fcs.files import floats


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(words)
    code = ended.value.code
    return code if isinstance(code, int) else 1


@pytest.fixture
def tube(tmp_path: Path) -> Path:
    path = tmp_path / "good.fcs"
    blood_tube(car_per_ul=100, preparation=Preparation(drawn_share=0.02), seed=1).write(path)
    return path


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    if os.name == "nt":
        pytest.skip("named pipes of POSIX")
    os.mkfifo(tmp_path / "pipe.fcs")
    return tmp_path / "pipe.fcs"


@pytest.mark.parametrize("verb", [["inspect"], ["template", "validate", "cart-cd19fc-fixed"]])
def test_one_bad_file_of_many_is_named_and_the_others_are_shown(
    verb: list[str], tube: Path, pipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.fcs").write_bytes(b"no FCS file")
    assert run(*verb, str(pipe), str(tmp_path / "bad.fcs"), str(tube)) == 1
    shown = capsys.readouterr()
    assert "good.fcs" in shown.out
    assert shown.err.count("error[E01") == 2
    assert "a named pipe" in shown.err


@pytest.mark.parametrize(
    "verb",
    [["plot", "-x", "CD3", "-y", "CD4", "-o", "p.png"], ["template", "edit", "new.toml", "--no-browser"]],
)
@pytest.mark.parametrize(("name", "code"), [("gone.fcs", "E010"), ("bad.fcs", "E012")])
def test_a_verb_that_takes_many_files_names_the_one_that_stops_it(
    verb: list[str], name: str, code: str, tube: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.fcs").write_bytes(b"no FCS file")
    assert run(*verb, str(tube), str(tmp_path / name)) == 1
    assert f"error[{code}] {tmp_path / name}: " in capsys.readouterr().err


def test_a_message_that_begins_with_the_file_does_not_name_it_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.fcs").touch()
    monkeypatch.chdir(tmp_path)
    assert run("inspect", "empty.fcs") == 1
    assert "error[E011]: empty.fcs is empty (0 bytes)" in capsys.readouterr().err


def test_a_file_whose_panel_does_not_fit_is_named(
    tube: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.fcs"
    floats([[1.0, 2.0]], names=["FSC-A", "SSC-A"]).write(other)
    assert run("plot", str(tube), str(other), "-t", "tcell", "-g", "t_cells", "-o", str(tmp_path / "p.png")) == 1
    assert f"error[E040] {other}: the panel does not fit" in capsys.readouterr().err


def test_a_mistake_over_one_file_costs_inspect_one_file(
    tube: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from cytocar.sample import inspection

    whole = inspection.inspect_file

    def clumsy(file: Path, **options: bool) -> object:
        if file.name == "odd.fcs":
            raise EOFError
        return whole(file, **options)

    monkeypatch.setattr(inspection, "inspect_file", clumsy)
    assert run("inspect", str(tmp_path / "odd.fcs"), str(tube)) == 1
    shown = capsys.readouterr()
    assert "error[E199]" in shown.err
    assert "good.fcs" in shown.out


@pytest.mark.parametrize("error", [EOFError, AssertionError, MemoryError, RecursionError])
def test_what_escapes_a_verb_is_told_as_a_bug_and_never_as_aborted(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from cytocar.template import load

    def broken() -> None:
        raise error

    monkeypatch.setattr(load, "bundled_templates", broken)
    assert run("template", "list") == app.EXIT_BUG
    shown = capsys.readouterr().err
    assert "error[E199]" in shown
    assert "Aborted" not in shown


def test_a_pipe_in_place_of_a_sheet_or_a_template_is_refused_at_once(
    pipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("sheet.csv", "gates.toml", "clinical.csv"):
        os.mkfifo(tmp_path / name)
    assert run("sheet", "check", str(tmp_path / "sheet.csv")) == 2
    assert run("template", "show", str(tmp_path / "gates.toml")) == 2
    assert run("gate", str(pipe)) in (1, 2)
    assert capsys.readouterr().err.count("error[E") == 3


def test_a_file_name_that_no_system_can_hold_is_a_fault_of_its_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sheet.csv").write_text(f"file,sample_id\n{'a' * 5000}.fcs,d0\n", "utf-8")
    assert run("sheet", "check", str(tmp_path / "sheet.csv")) == 2
    assert run("gate", str(tmp_path / "sheet.csv")) in (1, 2)
    assert "E199" not in capsys.readouterr().err


def test_warnings_of_libraries_do_not_reach_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    from cytocar import __main__

    monkeypatch.setattr(app, "main", lambda: warnings.warn("for developers", stacklevel=1))
    monkeypatch.setattr(gc, "set_threshold", lambda _: None)
    monkeypatch.setattr(gc, "freeze", lambda: None)
    monkeypatch.setattr("sys.warnoptions", [])
    monkeypatch.setenv("PYDANTIC_DISABLE_PLUGINS", "")
    with warnings.catch_warnings():
        __main__.main()  # a warning that is not silenced is an error here
