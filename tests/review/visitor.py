"""Somebody at the pages of a review, without a browser: follows addresses, fills in forms."""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from werkzeug.test import Client, TestResponse

from cytocar.review.access import AccessControl
from cytocar.review.pages import MadeTemplate
from cytocar.review.routes import ReviewApp
from cytocar.review.session import ReviewSession, SessionSettings
from cytocar.run.trail.who import author, now

PORT = 4711
HERE = f"http://127.0.0.1:{PORT}"


@dataclass
class Visitor:
    """A review of a run and the requests of a browser that shows it."""

    run: Path
    inputs: Path | None = None
    redrawn: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    made: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.session = ReviewSession(SessionSettings(self.run, self.inputs, author, now))
        self.access = AccessControl(PORT)
        site = ReviewApp(
            self.session,
            self.access,
            redraw=lambda: self.redrawn.append("redraw"),
            close=lambda: self.ended.append("close"),
            make_template=self.makes,
        )
        self.client = Client(site)

    def makes(self, _run: Path, path: Path) -> MadeTemplate:
        """Take note of a template that is asked for."""
        self.made.append(path)
        return MadeTemplate(path, "2.0.0", ("car_t: moved",))

    def get(self, where: str = "", **headers: str) -> TestResponse:
        """Open a page by its address behind the secret."""
        return self.client.get(f"/{self.access.token}/{where}", base_url=HERE, headers=headers)

    def post(self, where: str, form: dict[str, str] | None = None, **headers: str) -> TestResponse:
        """Send a form as the page does."""
        return self.client.post(
            f"/{self.access.token}/{where}", base_url=HERE, data=form or {}, headers={"Origin": HERE, **headers}
        )

    def attempt(self, where: str, **question: Any) -> dict[str, Any]:
        """Ask what a moved gate would change, as the script of the page does."""
        answer = self.client.post(
            f"/{self.access.token}/{where}/try", base_url=HERE, data=json.dumps(question), headers={"Origin": HERE}
        )
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = json.loads(answer.text)
        return said

    def seen(self, where: str) -> str:
        """Return what a page says about the state that it shows."""
        found = re.search(r'name="seen" value="([^"]*)"', self.get(where).text)
        assert found is not None
        return found[1]

    def save(self, where: str, *, by: str = "A. Muster", reason: str = "dim", **numbers: str) -> TestResponse:
        """Type numbers, a name and a reason, and save; ``_`` in a number's name stands for a space."""
        typed = {f"number:{name.replace('_', ' ')}": text for name, text in numbers.items()}
        return self.post(f"{where}/save", {"seen": self.seen(where), "by": by, "reason": reason, **typed})

    def sample(self, sample_id: str) -> int:
        """Return a sample's number."""
        return next(place.number for place in self.session.opened().items if place.sample_id == sample_id)

    def gate(self, sample_id: str, population: str) -> str:
        """Return the address of a gate."""
        opened = self.session.opened()
        number = self.sample(sample_id)
        result = opened.result(number)
        assert result is not None
        from cytocar.review.pages import gates_in_order

        names = gates_in_order(opened.gallery_of[result.template.sha256])
        return f"sample/{number}/{names.index(population)}"


def words(response: TestResponse) -> str:
    """Return the text of a page, tags left out."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", response.text)).split())
