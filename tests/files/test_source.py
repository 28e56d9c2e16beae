"""The file of a sample as bytes: its hash is the same whether it is made first or beside the counting."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest

from cytocar.errors.tree import ReadError
from cytocar.files import source as source_file
from cytocar.files.source import hashing
from cytocar.run.plan import make_plan
from cytocar.sample.analysis import analyse
from cytocar.sample.result import SampleFailure, SampleOutcome
from cytocar.sheet.inputs import collect
from tests.runs import small_inputs


def _outcomes(sheet: Path) -> list[SampleOutcome]:
    plan = make_plan(collect([str(sheet)]), template="cart-cd19fc-fixed")
    return [analyse(row, plan.protocols[row.sample_id]) for row in plan.samples]


def test_a_sample_is_the_same_whether_its_file_is_hashed_first_or_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheet = small_inputs(tmp_path)
    first = _outcomes(sheet)
    monkeypatch.setattr(source_file, "LARGE", 0)
    assert _outcomes(sheet) == first
    for outcome in first:
        assert outcome.file_sha256 == hashlib.sha256(outcome.sample.file.read_bytes()).hexdigest()
    assert isinstance(first[-1], SampleFailure)  # a file that cannot be read has its hash all the same


def test_no_thread_is_left_behind_so_that_workers_can_be_forked(tmp_path: Path) -> None:
    path = tmp_path / "large.fcs"
    path.write_bytes(bytes(source_file.LARGE))
    before = threading.active_count()
    assert hashing(path)() == hashlib.sha256(bytes(source_file.LARGE)).hexdigest()
    assert threading.active_count() == before


def test_a_large_file_that_went_away_is_said_where_its_hash_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_file, "LARGE", 0)
    path = tmp_path / "gone.fcs"
    path.write_bytes(b"FCS3.1")
    hash_it = source_file.file_sha256

    def after_it_went(file: Path) -> str:
        file.unlink()
        return hash_it(file)

    monkeypatch.setattr(source_file, "file_sha256", after_it_went)
    hashed = hashing(path)
    with pytest.raises(ReadError, match="does not exist"):
        hashed()
