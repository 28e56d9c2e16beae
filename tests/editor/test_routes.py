"""The page of the editor: who may ask, what is said when something is in the way, and that names stay names."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

from cytocar.editor.routes import EditorApp
from cytocar.editor.saving import TemplateFile
from cytocar.editor.session import Bench
from cytocar.review.access import HEADERS, AccessControl

HERE = "http://127.0.0.1:4711"
EVIL = '"><script>alert(1)</script>'


class Visitor:
    """Requests of a browser that shows the page."""

    def __init__(self, bench: Bench, file: TemplateFile) -> None:
        self.bench = bench
        self.ended: list[str] = []
        self.access = AccessControl(4711)
        site = EditorApp(
            bench,
            file,
            self.access,
            clock=lambda: datetime(2026, 5, 4, tzinfo=UTC),
            close=lambda: self.ended.append("close"),
        )
        self.client = Client(site)

    def get(self, where: str = "", **headers: str) -> TestResponse:
        return self.client.get(f"/{self.access.token}/{where}", base_url=HERE, headers=headers)

    def post(self, where: str, content: str = "", **headers: str) -> TestResponse:
        sent = {"Origin": HERE, **headers}
        return self.client.post(f"/{self.access.token}/{where}", base_url=HERE, data=content, headers=sent)

    def do(self, **asked: Any) -> dict[str, Any]:
        answer = self.post("do", json.dumps(asked))
        assert answer.status_code == 200, answer.text
        content: dict[str, Any] = json.loads(answer.text)
        return content


@pytest.fixture
def visitor(opened: tuple[Bench, TemplateFile]) -> Visitor:
    """Somebody at the page of a new template."""
    return Visitor(*opened)


def test_without_the_secret_another_name_or_another_page_nothing_is_shown_or_done(visitor: Visitor) -> None:
    client = Client(visitor.client.application)
    for path in ("/", "/wrong/", "/file/editor.js"):
        answer = client.get(path, base_url=HERE)
        assert answer.status_code == 403
        assert visitor.access.token not in answer.text
    assert visitor.get(Host="evil.example:4711").status_code == 403
    for origin in ("http://evil.example", "null", ""):
        draw = json.dumps({"action": "draw", "tool": "range", "points": [[0.2, 0.2], [0.5, 0.5]]})
        assert visitor.post("do", draw, Origin=origin).status_code == 403
        assert visitor.post("close", Origin=origin).status_code == 403
    assert (visitor.bench.template.populations, visitor.ended) == ((), [])


def test_every_answer_forbids_what_the_page_does_not_need(visitor: Visitor) -> None:
    for answer in (visitor.get(), visitor.get("nothing"), visitor.get("file/editor.js"), visitor.post("do", "{}")):
        for name, value in HEADERS.items():
            assert answer.headers[name] == value
    page = visitor.get().text
    assert page.count("<script") == 2
    assert "<style" not in page
    assert " style=" not in page
    assert " onclick=" not in page


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"action": "fly"}',
        '{"action": "draw", "tool": "range", "points": 3}',
        '{"action": "draw", "tool": "range", "points": [[0, 0], [NaN, 1]]}',
        '{"action": "look", "tube": "many"}',
        '{"action": "scale", "marker": "CD3", "number": "Q", "value": 1}',
        '{"action": "save"}',
    ],
)
def test_what_the_page_never_asks_for_is_refused_and_changes_nothing(visitor: Visitor, content: str) -> None:
    answer = json.loads(visitor.post("do", content).text)
    assert answer["error"]["code"] == "E182"
    assert visitor.bench.done == []


def test_an_impossible_wish_is_an_answer_with_its_fix(visitor: Visitor) -> None:
    answer = visitor.do(action="draw", tool="rectangle", points=[[0.5, 0.5], [0.5, 0.5]])
    assert answer["error"]["code"] == "E221"
    assert answer["error"]["fix"]
    assert "stage" in answer["fragments"]


def test_names_are_text_wherever_they_are_shown(visitor: Visitor) -> None:
    answer = visitor.do(action="draw", tool="range", points=[[0.2, 0.2], [0.5, 0.5]], name=EVIL)
    everything = "".join(answer["fragments"].values()) + visitor.get().text
    assert "<script>alert" not in everything
    assert "&lt;script&gt;alert" in everything


def test_a_drag_on_trial_answers_with_lines_places_and_counts_and_keeps_nothing(visitor: Visitor) -> None:
    visitor.do(action="look", x="CD3", y="SSC-A")
    visitor.do(action="draw", tool="range", points=[[0.5, 0.5], [1, 0.5]], name="t_cells")
    before = visitor.bench.template
    answer = visitor.do(action="drag", trial=True, handle="edge CD3 min", x=0.6, y=0)
    assert [len(gates) for gates in answer["outlines"]] == [1, 1]
    assert answer["grips"][0]["x"] == pytest.approx(0.6, abs=0.01)
    assert "t_cells" in answer["counts"]
    assert visitor.bench.template is before


def test_the_page_is_drawn_saved_locked_and_ended(visitor: Visitor, opened: tuple[Bench, TemplateFile]) -> None:
    _, file = opened
    visitor.do(action="look", x="CD3", y="SSC-A")
    visitor.do(action="draw", tool="range", points=[[0.5, 0.5], [1, 0.5]], name="t_cells")
    assert "A new template" in visitor.do(action="saving")["saving"]
    assert visitor.do(action="save", version="many")["error"]["code"] == "E062"
    assert visitor.do(action="lock", by="A", reason="b")["error"]["code"] == "E064"
    assert visitor.do(action="save", version="0.1.0")["notice"].startswith("Saved")
    assert visitor.do(action="lock", by="A. Muster", reason="validated")["notice"].startswith("Locked")
    assert file.status() == "locked"
    assert "has ended" in visitor.post("close").text
    assert visitor.ended == ["close"]
