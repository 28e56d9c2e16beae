"""The second reader: fcsparser, where the extra is installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from cytocar import open_fcs
from cytocar.errors.tree import CytocarError, UsageError
from cytocar.fcs.crosscheck import crosscheck
from tests.fcs.files import SmallFile, floats, integers

installed = importlib.util.find_spec("fcsparser") is not None
needs_fcsparser = pytest.mark.skipif(not installed, reason="fcsparser is not installed (the extra crosscheck)")


@pytest.mark.skipif(installed, reason="fcsparser is installed")
def test_without_the_extra_the_message_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not installed") as caught:
        crosscheck(open_fcs(floats([[1, 2]]).write(tmp_path / "a.fcs")))
    assert caught.value.code == "E026"
    assert ".[crosscheck]" in caught.value.hint


@needs_fcsparser
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_plain_files_read_the_same(tmp_path: Path) -> None:
    assert crosscheck(open_fcs(floats([[1.5, -2.0], [3.0, 4.0]]).write(tmp_path / "a.fcs"))).agrees
    assert crosscheck(open_fcs(integers([[1, 2], [3, 4]], ">u2").write(tmp_path / "b.fcs"))).agrees


@needs_fcsparser
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_differences_are_named(tmp_path: Path) -> None:
    file = floats([[1, 2], [3, 4]], header_data=(2040, 2055))
    differences = crosscheck(open_fcs(file.write(tmp_path / "a.fcs"))).differences
    assert "sum is" in str(differences[0])


@needs_fcsparser
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_refusal_is_reported_and_not_raised(tmp_path: Path) -> None:
    file = SmallFile(data=b"1 2 3 4 ", total=2, datatype="A", keywords={"$P1B": "*", "$P2B": "*"})
    found = crosscheck(open_fcs(file.write(tmp_path / "a.fcs")))
    assert not found.agrees
    assert found.refusal


@needs_fcsparser
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_files_that_fcsparser_ships_read_the_same() -> None:
    spec = importlib.util.find_spec("fcsparser")
    assert spec is not None and spec.origin is not None
    files = sorted(Path(spec.origin).parent.rglob("*.[fl][cm][sd]"))
    refused, differing = {}, {}
    for path in files:
        try:
            found = crosscheck(open_fcs(path))
        except CytocarError as error:
            refused[path.name] = error.code
        else:
            if not found.agrees:
                differing[path.name] = found
    assert refused == {"corrupted.fcs": "E012", "sample_header.fcs": "E018"}
    assert differing == {}
    assert len(files) >= 17
