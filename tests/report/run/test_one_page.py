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
from cytocar.simulate import Preparation, blood_tube
from tests.runs import cytocar_command


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


def test_tubes_of_the_same_day_are_no_earlier_results(tmp_path: Path) -> None:
    rows = ["file,sample_id,subject_id,day,template"]
    for seed, (name, day, template) in enumerate((("t", 9, "tcell"), ("a", 9, "cart-cd19fc"), ("b", 2, "cart-cd19fc"))):
        blood_tube(car_per_ul=50, preparation=Preparation(drawn_share=0.1), seed=seed).write(tmp_path / f"{name}.fcs")
        rows.append(f"{name}.fcs,{name},P1,{day},{template}")
    (tmp_path / "sheet.csv").write_text("\n".join(rows) + "\n")
    words = ("--beads-added", "20000", "--sample-volume-ul", "50", "--no-report", "-j", "1")
    cytocar_command("gate", tmp_path / "sheet.csv", "-o", tmp_path / "run", *words)
    (page,) = result_pages(open_finished_run(tmp_path / "run"), Courses())
    assert page.row["sample_id"] == "a"  # the tube that was stained for CAR
    assert [row["sample_id"] for row in page.same_day] == ["t"]
    assert [row["sample_id"] for row in page.earlier] == ["b"]
    text = one_page_files(tmp_path / "run")["one-page.html"].decode()
    assert "<h2>Other tubes of this day</h2>" in text


def test_a_tube_without_a_car_stain_reports_no_car_t_cells(tmp_path: Path) -> None:
    tube = blood_tube(car_per_ul=50, preparation=Preparation(drawn_share=0.1), seed=1)
    tube.write(tmp_path / "a.fcs")
    cytocar_command("gate", tmp_path / "a.fcs", "-t", "tcell", "-o", tmp_path / "run", "--no-report", "-j", "1")
    text = one_page_files(tmp_path / "run")["one-page.html"].decode()
    assert ">Cells in blood by flow cytometry" in text
    assert "no result" not in text
