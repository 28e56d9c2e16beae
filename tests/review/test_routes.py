"""The pages of a review: who may ask, what is said when something is in the way, and that names stay names."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from werkzeug.test import Client

from cytocar.review.access import HEADERS
from cytocar.run.finished.checks import Verdict
from cytocar.run.finished.verify import verify
from cytocar.run.trail.audit import read_trail
from cytocar.run.trail.lock import only_writer
from cytocar.simulate import Preparation, blood_tube
from tests.review.visitor import HERE, Visitor, words
from tests.runs import cytocar_command

ODD = "<script>alert(1)</script>"
ODD_SUBJECT = '"><img src=x onerror=alert(2)>'


@pytest.fixture(scope="module")
def odd_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One tube whose names are pieces of a page."""
    folder = tmp_path_factory.mktemp("odd")
    blood_tube(car_per_ul=100, preparation=Preparation(drawn_share=0.02), seed=1).write(folder / "a&b.fcs")
    quoted = '"' + ODD_SUBJECT.replace('"', '""') + '"'
    sheet = f"file,sample_id,subject_id,day,beads_added,sample_volume_ul\na&b.fcs,{ODD},{quoted},3,20000,50\n"
    (folder / "sheet.csv").write_text(sheet, "utf-8")
    words_of = ("gate", folder / "sheet.csv", "-t", "cart-cd19fc-fixed", "-o", folder / "run", "-j", "1", "-q")
    assert cytocar_command(*words_of, "--no-report").code == 0
    return folder / "run"


def entries(run: Path) -> int:
    return len(read_trail(run).entries)


# ---------------------------------------------------------------- who may ask


def test_without_the_secret_nothing_is_shown_and_the_secret_is_not_told(visitor: Visitor) -> None:
    client = Client(visitor.client.application)
    for path in ("/", "/wrong/", "/wrong/sample/0/", f"/{visitor.access.token[:-1]}/", "/file/review.js"):
        answer = client.get(path, base_url=HERE)
        assert answer.status_code == 403
        assert visitor.access.token not in answer.text
        assert "E182" in answer.text


@pytest.mark.parametrize("host", ["evil.example:4711", "evil.example", "127.0.0.1:4712", "127.0.0.1", ""])
def test_another_name_for_this_computer_is_refused(visitor: Visitor, host: str) -> None:
    assert visitor.get(Host=host).status_code == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:4712", f"{HERE}.evil.example", ""])
def test_a_form_of_another_page_changes_nothing(visitor: Visitor, origin: str) -> None:
    where, before = visitor.gate("d9", "car_t"), entries(visitor.run)
    form = {"seen": visitor.seen(where), "by": "A", "reason": "b", "number:CAR min": "20000"}
    assert visitor.post(f"{where}/save", form, Origin=origin).status_code == 403
    assert visitor.post("close", Origin=origin).status_code == 403
    assert (entries(visitor.run), visitor.ended) == (before, [])


def test_a_form_without_an_origin_is_refused(visitor: Visitor) -> None:
    answer = visitor.client.post(f"/{visitor.access.token}/close", base_url=HERE)
    assert (answer.status_code, visitor.ended) == (403, [])


def test_a_template_is_offered_once_a_gate_was_moved_and_written_beside_the_run_only(visitor: Visitor) -> None:
    assert "become the template" not in visitor.get().text
    where = visitor.gate("d9", "car_t")
    assert visitor.save(where, CAR_min="900").status_code == 303
    assert "Gates were moved in 1 sample of this run" in words(visitor.get())
    for name in ("", "../elsewhere.toml", "/tmp/elsewhere.toml", "a/b.toml"):
        refused = visitor.post("template", {"file": name})
        assert (refused.status_code, visitor.made) == (400, []), name
        assert "E220" in refused.text
    answer = visitor.post("template", {"file": "mine.toml"})
    assert visitor.made == [visitor.run.resolve().parent / "mine.toml"]
    assert "Wrote mine.toml , version 2.0.0, a draft" in words(answer)
    assert visitor.post("template", {"file": "mine.toml"}, Origin="http://evil.example").status_code == 403


@pytest.mark.parametrize("where", ["close", "template", "sign", "sample/0/look", "sample/0/0/save", "sample/0/0/undo"])
def test_nothing_is_changed_or_ended_by_following_a_link(visitor: Visitor, where: str) -> None:
    assert visitor.get(where).status_code in (404, 405)
    assert visitor.ended == []


def test_every_answer_forbids_what_the_page_does_not_need(visitor: Visitor) -> None:
    where = visitor.gate("d9", "car_t")
    for answer in (visitor.get(), visitor.get(where), visitor.get("nothing"), visitor.get("file/review.js")):
        for name, value in HEADERS.items():
            assert answer.headers[name] == value
    policy = visitor.get().headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'")


def test_pages_hold_no_script_and_no_style_of_their_own(visitor: Visitor) -> None:
    for where in ("", visitor.gate("d9", "car_t")):
        text = visitor.get(where).text
        assert text.count("<script") == 2
        assert " style=" not in text
        assert "<style" not in text
        assert "http" not in text.replace("http-equiv", "")


@pytest.mark.parametrize(
    "name", ["../session.py", "..%2Fsession.py", "/etc/passwd", "report.html.j2", "review-list.html"]
)
def test_only_the_three_files_of_the_page_are_handed_out(visitor: Visitor, name: str) -> None:
    assert visitor.get(f"file/{name}").status_code == 404


def test_an_unknown_sample_or_gate_is_not_there(visitor: Visitor) -> None:
    number = visitor.sample("d9")
    for where in ("sample/99/", f"sample/{visitor.sample('broken')}/0/try", "sample/x/", "sample/-1/"):
        assert visitor.get(where).status_code in (404, 405)
    assert visitor.post(f"sample/{number}/99/save", {"by": "A", "reason": "b"}).status_code == 404


def test_a_request_that_is_too_large_is_refused(visitor: Visitor) -> None:
    where = visitor.gate("d9", "car_t")
    assert visitor.post(f"{where}/save", {"reason": "x" * 2_000_000}).status_code == 413


@pytest.mark.parametrize(
    "question",
    [
        *("", "[]", "null", '{"typed": 3}', '{"drag": {"view": "a"}}', '{"drag": 7}', "[" * 100_000),
        '{"drag": {"view": 1e400, "handle": "a", "x": 0, "y": 0}}',
        '{"drag": {"view": 0, "handle": "a", "x": NaN, "y": 0}}',
        '{"drag": {"view": 0, "handle": "a", "x": 0, "y": -1e400}}',
    ],
)
def test_a_question_that_makes_no_sense_is_an_answer_with_a_code(visitor: Visitor, question: str) -> None:
    where = visitor.gate("d9", "car_t")
    address = f"/{visitor.access.token}/{where}/try"
    answer = visitor.client.post(address, base_url=HERE, data=question, headers={"Origin": HERE})
    assert json.loads(answer.text)["error"]["code"] == "E182"


# ---------------------------------------------------------------- names stay names


def test_names_and_reasons_are_text_on_every_page(odd_run: Path, tmp_path: Path) -> None:
    visitor = Visitor(Path(shutil.copytree(odd_run, tmp_path / "run")))
    where = visitor.gate(ODD, "car_t")
    evil = "</p><script>alert(3)</script>"
    answer = visitor.save(where, by=evil, reason=evil, CAR_min="900")
    assert answer.status_code == 303
    refused = visitor.save(where, by=evil, reason=evil, CAR_min="<b>x</b>")
    pages = [visitor.get(), visitor.get(where), visitor.get(f"{where}?entry=99"), refused]
    pages.append(visitor.get(answer.headers["Location"].split("/", 2)[2]))
    for page in pages:
        assert page.text.count("<script") == 2
        assert "<img" not in page.text
        assert "<b>x" not in page.text
    assert ODD in words(pages[0])
    assert all(check.verdict is not Verdict.CHANGED for check in verify(visitor.run))


# ---------------------------------------------------------------- what is in the way is said, what was typed is kept


def test_what_was_saved_is_said_with_its_entry_of_the_trail(visitor: Visitor) -> None:
    where = visitor.gate("d9", "car_t")
    answer = visitor.save(where, CAR_min="20000", reason="CAR dim")
    page = words(visitor.get(answer.headers["Location"].split("/", 2)[2]))
    last = read_trail(visitor.run).last
    assert last is not None
    assert f"Saved. Override: d9 / car_t , now CAR min 20000 , by A. Muster ( CAR dim ) entry {last.number}" in page
    assert "Moved by A. Muster" in page


def test_while_another_command_holds_the_run_nothing_is_saved_and_the_typed_is_kept(visitor: Visitor) -> None:
    where, before = visitor.gate("d9", "car_t"), entries(visitor.run)
    with only_writer(visitor.run):
        answer = visitor.save(where, CAR_min="20000", reason="CAR dim on day 9", by="Dr. B")
    assert answer.status_code == 409
    for kept in ('value="20000"', 'value="CAR dim on day 9"', 'value="Dr. B"', "E113", "Not saved."):
        assert kept in answer.text
    assert entries(visitor.run) == before
    assert visitor.save(where, CAR_min="20000").status_code == 303


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"by": "", "reason": "b", "number:CAR min": "20000"}, "E115"),
        ({"by": "A", "reason": " ", "number:CAR min": "20000"}, "E115"),
        ({"by": "A", "reason": "b", "number:CAR min": "many"}, "E115"),
        ({"by": "A", "reason": "b", "number:CAR min": "nan"}, "E115"),
        ({"by": "A", "reason": "b", "number:CD3 min": "1"}, "E115"),
        ({"by": "A", "reason": "b"}, "E115"),
        ({"by": "A", "reason": "b", "number:CAR min": "20000", "seen": "older"}, "E180"),
    ],
)
def test_what_cannot_be_saved_is_refused_with_its_code(visitor: Visitor, form: dict[str, str], code: str) -> None:
    where, before = visitor.gate("d9", "car_t"), entries(visitor.run)
    answer = visitor.post(f"{where}/save", {"seen": visitor.seen(where), **form})
    assert (answer.status_code in (400, 409), code in answer.text) == (True, True)
    assert entries(visitor.run) == before


def test_a_move_by_another_command_is_seen_before_anything_is_saved(visitor: Visitor) -> None:
    where = visitor.gate("d9", "car_t")
    seen = visitor.seen(where)
    by_command = ("override", visitor.run, "d9", "car_t", "--value", "30000", "--reason", "r", "--by", "B")
    assert cytocar_command(*by_command).code == 0
    form = {"seen": seen, "by": "A", "reason": "mine", "number:CAR min": "20000"}
    answer = visitor.post(f"{where}/save", form)
    assert (answer.status_code, "E180" in answer.text, 'value="20000"' in answer.text) == (409, True, True)
    assert 'data-was="30000"' in answer.text
    assert visitor.post(f"sample/{visitor.sample('d9')}/look", {"seen": seen, "by": "A"}).status_code == 409


def test_a_missing_or_changed_file_costs_the_gates_of_its_sample_alone(fixed_run: Path, tmp_path: Path) -> None:
    inputs = Path(shutil.copytree(fixed_run.parent / "inputs", tmp_path / "inputs"))
    visitor = Visitor(Path(shutil.copytree(fixed_run, tmp_path / "run")), inputs)
    where = visitor.gate("d9", "car_t")
    assert visitor.attempt(where, typed={"CAR min": "20000"}, whole=True)["changed"] is True
    shutil.copy(inputs / "day0.fcs", inputs / "day9.fcs")
    assert "E126" in visitor.get(where).text
    assert visitor.attempt(where, typed={"CAR min": "20000"})["error"]["code"] == "E126"
    assert visitor.save(where, CAR_min="20000").status_code == 400
    (inputs / "day9.fcs").unlink()
    page = visitor.get(where)
    assert (page.status_code, "E103" in page.text, "--inputs" in page.text) == (200, True, True)
    assert visitor.attempt(where, typed={"CAR min": "20000"})["error"]["code"] == "E103"
    assert visitor.attempt(visitor.gate("d0", "car_t"), typed={"CAR min": "20000"})["changed"] is True
    assert visitor.save(visitor.gate("d0", "car_t"), CAR_min="20000").status_code == 303


def test_a_control_that_is_missing_is_said_too(course_run: Path, tmp_path: Path) -> None:
    inputs = Path(shutil.copytree(course_run.parent / "inputs", tmp_path / "inputs"))
    visitor = Visitor(Path(shutil.copytree(course_run, tmp_path / "run")), inputs)
    assert "Control" in words(visitor.get(visitor.gate("day09", "car_t")))
    (inputs / "baseline.fcs").unlink()
    page = visitor.get(visitor.gate("day09", "car_t"))
    assert (page.status_code, "E103" in page.text) == (200, True)


def test_a_run_of_another_version_says_so_when_a_gate_is_saved(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = visitor.gate("d9", "car_t")
    monkeypatch.setattr("cytocar.run.finished.override.__version__", "99.0")
    answer = visitor.save(where, CAR_min="20000")
    assert (answer.status_code, "E116" in answer.text) == (400, True)


def test_a_bug_costs_one_answer_and_shows_no_traceback(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("lost")

    where = visitor.gate("d9", "car_t")
    monkeypatch.setattr(visitor.session, "pictures", broken)
    answer = visitor.get(where)
    assert (answer.status_code, "E199" in answer.text, "Traceback" in answer.text) == (500, True, False)
    assert visitor.get().status_code == 200


def test_the_review_is_ended_on_its_page(visitor: Visitor) -> None:
    answer = visitor.post("close")
    assert (answer.status_code, visitor.ended) == (200, ["close"])
    assert "The review has ended" in answer.text
