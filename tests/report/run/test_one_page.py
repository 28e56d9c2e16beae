"""The one-page report: one page for each subject, with what a person who signs it must see."""

from __future__ import annotations

from pathlib import Path
from shutil import copytree

import pytest

from cytocar.report.run.courses import Courses
from cytocar.report.run.one_page import one_page_files, result_pages
from cytocar.report.run.source import open_finished_run
from cytocar.run.trail.audit import RUN, Act, Action, Author, Meaning
from cytocar.run.trail.journal import amend
from cytocar.run.trail.who import now


def test_a_subject_has_one_page_with_its_newest_sample_and_the_earlier_ones_below(run: Path) -> None:
    (page,) = result_pages(open_finished_run(run), Courses())
    days = [page.row["day"], *(row["day"] for row in page.earlier)]
    assert days == [30, 15, 8, 1]  # the newest failed, which is a result too
    assert page.outcome.kind == "not_counted"
    assert [remark.code for remark in page.remarks] == ["E012"]


def test_the_page_holds_result_limits_template_and_a_line_to_sign(run: Path) -> None:
    text = one_page_files(run)["one-page.html"].decode()
    assert text.count("<article>") == 1
    for words in ("Signature", "DRAFT", "Earlier results", "research use, not for diagnosis", "data:image/svg+xml"):
        assert words in text
    assert "<script" not in text.replace("&lt;script", "")


def test_a_signature_stands_on_the_page_until_results_change(run: Path, tmp_path: Path) -> None:
    signed = Path(copytree(run, tmp_path / "run"))
    amend(signed, [Act(Action.SIGNED, RUN, after=Meaning.APPROVED)], author=Author("A. Muster", "am"), clock=now)
    page = one_page_files(signed)["one-page.html"].decode()
    assert "approved by <b><bdi>A. Muster</bdi></b> on 20" in page
    amend(signed, [Act(Action.OVERRIDE, "a gate")], author=Author("A. Muster", "am"), clock=now)
    assert "A. Muster" not in one_page_files(signed)["one-page.html"].decode()


def test_a_page_without_room_for_all_earlier_results_says_how_many_there_are(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "<h2>Earlier results</h2>" in one_page_files(run)["one-page.html"].decode()
    monkeypatch.setattr("cytocar.report.run.one_page.EARLIER_ROWS", 2)
    assert "<h2>Earlier results: the last 2 of 3</h2>" in one_page_files(run)["one-page.html"].decode()


def test_the_same_run_gives_the_same_page(run: Path) -> None:
    assert one_page_files(run) == one_page_files(run)
