"""Whatever a library raises over a file becomes that file's error, and one bad file costs one file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cytocar.errors.boundary import boundary, one_of_many
from cytocar.errors.tree import CytocarError, ReadError, UsageError
from cytocar.files.json_object import json_object
from cytocar.files.places import require_regular, whole_bytes


def refused(why: str) -> UsageError:
    return UsageError(f"day9.csv cannot be read: {why}", code="E080", hint="save it again")


@pytest.mark.parametrize("error", [MemoryError(), RecursionError(), EOFError(), KeyError("x"), OSError(5, "I/O error")])
def test_every_kind_of_exception_is_refused_with_the_boundarys_code(error: Exception) -> None:
    with pytest.raises(UsageError, match=r"day9\.csv cannot be read: .") as caught, boundary(refused):
        raise error
    assert caught.value.code == "E080"


def test_an_error_that_has_a_code_passes_a_boundary_unchanged() -> None:
    ours = ReadError("cut short", code="E018", hint="copy it again")
    with pytest.raises(ReadError) as caught, boundary(refused):
        raise ours
    assert caught.value is ours


def test_a_mistake_over_one_file_of_many_names_itself_and_its_line() -> None:
    with (
        pytest.raises(ReadError, match=r"bug in cytocar: AttributeError: .*test_boundary\.py") as caught,
        one_of_many(),
    ):
        raise AttributeError("no such thing")
    assert caught.value.code == "E199"


@pytest.mark.skipif(os.name == "nt", reason="named pipes and devices of POSIX")
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    for place, kind in ((tmp_path / "pipe.csv", "a named pipe"), (Path("/dev/zero"), "a device"),
                        (tmp_path / "folder.csv", "a folder")):  # fmt: skip
        with pytest.raises(OSError, match=kind):
            whole_bytes(place)
    require_regular(tmp_path / "not_there.csv")  # opening it says so


@pytest.mark.parametrize(
    "content", [b"[" * 200_000, b'{"a": "\\ud800"}', b"[]", b"\xff", b'{"a": ' * 100_000, b"", b"{"]
)
def test_json_that_nobody_writes_is_one_kind_of_error(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        json_object(content)


def test_errors_of_both_wrappers_carry_a_hint() -> None:
    with pytest.raises(CytocarError) as caught, one_of_many():
        raise ZeroDivisionError
    assert caught.value.hint
