"""The editor as a WSGI application: one page, and one address that its script sends every action to."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from werkzeug.routing import Rule
from werkzeug.wrappers import Request, Response

from cytocar.editor import draft as edits
from cytocar.editor.pages import TEMPLATES, EditorPages
from cytocar.editor.saving import TemplateFile
from cytocar.editor.session import Bench
from cytocar.errors.tree import CytocarError, UsageError
from cytocar.review.access import AccessControl
from cytocar.review.handles import Place
from cytocar.review.site import LocalSite, as_json, page

Order = Mapping[str, Any]
LARGEST_T, SMALLEST_T = 1e8, 10.0


class EditorApp(LocalSite):
    """The application.

    Parameters
    ----------
    clock : callable
        The time, for a lock.
    close : callable
        Called when somebody ends the editor on the page.
    """

    def __init__(
        self,
        bench: Bench,
        file: TemplateFile,
        access: AccessControl,
        *,
        clock: Callable[[], datetime],
        close: Callable[[], None],
    ) -> None:
        self.bench = bench
        self.file = file
        self.clock = clock
        self.close = close
        root = f"/{access.token}"
        self.pages = EditorPages(bench, file, root)
        super().__init__(
            access,
            [
                Rule(f"{root}/", endpoint=self._page, methods=["GET"]),
                Rule(f"{root}/do", endpoint=self._do, methods=["POST"]),
                Rule(f"{root}/close", endpoint=self._close, methods=["POST"]),
            ],
            command="cytocar template edit",
            files={"editor.css": (TEMPLATES, "text/css"), "editor.js": (TEMPLATES, "text/javascript")},
        )
        self.actions: Mapping[str, Callable[[Order], None]] = {
            "show": lambda order: None,
            "look": lambda order: bench.look(
                x=_text(order, "x"),
                y=_text(order, "y"),
                tube=_whole(order, "tube"),
                dots=bool(order["dots"]) if "dots" in order else None,
                back=_text(order, "back"),
            ),
            "take": lambda order: bench.take(str(order["name"])),
            "enter": lambda order: bench.enter(str(order["name"])),
            "draw": lambda order: bench.draw(str(order["tool"]), _places(order["points"]), str(order.get("name", ""))),
            "drag": lambda order: bench.change(bench.drag(str(order["handle"]), _place(order))),
            "rename": lambda order: bench.rename(str(order["name"]), str(order["new"])),
            "delete": lambda order: bench.delete(str(order["name"])),
            "reorder": lambda order: bench.change(edits.reorder(bench.draft, str(order["name"]), int(order["by"]))),
            "role": lambda order: bench.change(
                edits.set_role(bench.draft, str(order["name"]), str(order["role"]) or None)
            ),
            "exclude": lambda order: bench.change(
                edits.set_excluded(bench.draft, str(order["name"]), [str(one) for one in order["excluded"]])
            ),
            "combine": lambda order: bench.combine(str(order["name"])),
            "parts": lambda order: bench.change(
                edits.set_parts(bench.draft, str(order["name"]), {str(k): str(v) for k, v in order["parts"].items()})
            ),
            "number": lambda order: bench.change(
                edits.set_number(bench.draft, str(order["name"]), str(order["number"]), _finite(order["value"]))
            ),
            "switch": lambda order: bench.switch(str(order["name"])),
            "scale": lambda order: bench.set_scale(str(order["marker"]), _scale_numbers(order)),
            "undo": lambda order: bench.undo(),
            "redo": lambda order: bench.redo(),
        }

    def error_page(self, error: CytocarError, *, stranger: bool = False) -> str:
        """Return a page for an error that leaves nothing else to show; a stranger is not told the address."""
        return self.pages.refused(error, stranger=stranger)

    def _page(self, _request: Request) -> Response:
        with self.bench.at_work:
            return page(self.pages.first())

    def _close(self, _request: Request) -> Response:
        last = self.pages.ended()
        self.close()
        return page(last)

    def _do(self, request: Request) -> Response:
        """Do one thing and answer with what the page shows then; an error is an answer too."""
        with self.bench.at_work:
            try:
                return as_json(self._done(_read(request.get_data(as_text=True))))
            except CytocarError as error:
                shown = {"code": error.code, "message": error.message, "fix": error.hint}
                return as_json({"error": shown, "fragments": self.pages.fragments()})

    def _done(self, order: Order) -> dict[str, object]:
        try:
            action = order["action"]
            if action == "drag" and order.get("trial"):
                return self._tried(order)
            if action == "saving":
                return {"saving": self.pages.saving()}
            if action == "save":
                return self._saved(order)
            if action == "lock":
                lock = self.file.lock_it(by=str(order["by"]), reason=str(order["reason"]), clock=self.clock)
                return self._shown(f"Locked: {lock.template} {lock.version}, by {lock.locked_by}.")
            if action == "accept":
                return self._accepted(order)
            self.actions[action](order)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            if isinstance(error, CytocarError):
                raise
            raise UsageError("the page asked for something unknown", code="E182", hint="load the page again") from error
        return self._shown()

    def _shown(self, notice: str = "") -> dict[str, object]:
        return {"fragments": self.pages.fragments(), "notice": notice}

    def _tried(self, order: Order) -> dict[str, object]:
        """Return the changes that a drag would make: lines, places and counts; nothing is kept."""
        trial = self.bench.trial(self.bench.drag(str(order["handle"]), _place(order)))
        return {
            "outlines": [
                [{"gate": one.population, "path": one.path} for one in trial.outlines(tube)] for tube in trial.tubes
            ],
            "grips": [
                {"id": one.handle.id, "x": one.handle.x, "y": one.handle.y, "value": one.value} for one in trial.grips()
            ],
            "counts": self.pages.counts(trial),
        }

    def _accepted(self, order: Order) -> dict[str, object]:
        codes = [str(code) for code in order["codes"]]
        by, reason = str(order["by"]), str(order["reason"])
        saved = self.file.accept(self.bench.draft, codes, by=by, reason=reason)
        self.bench.accepted_as(saved)
        return self._shown(f"Accepted: {', '.join(codes)}, by {by.strip()}.") | {"saving": self.pages.saving()}

    def _saved(self, order: Order) -> dict[str, object]:
        saved = self.file.save(self.bench.draft, str(order["version"]))
        self.bench.saved_as(saved.version)
        return self._shown(f"Saved: {self.file.path.name}, version {saved.version}.") | {"saving": self.pages.saving()}


def _read(text: str) -> Order:
    try:
        order = json.loads(text)
    except (ValueError, RecursionError):
        order = None
    if not isinstance(order, dict):
        raise UsageError("the page asked for something unknown", code="E182", hint="load the page again")
    return order


def _text(order: Order, key: str) -> str | None:
    return str(order[key]) if key in order else None


def _whole(order: Order, key: str) -> int | None:
    return int(order[key]) if key in order else None


def _finite(value: Any) -> float:
    """Return a number; ValueError where it is none, or not finite."""
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("a number is finite")
    return number


def _place(order: Order) -> Place:
    """Return a place on the picture, 0 to 1 and a little beyond; ValueError where it is none."""
    numbers = float(order["x"]), float(order["y"])
    if not all(map(math.isfinite, numbers)):
        raise ValueError("a place is two finite numbers")
    x, y = (min(max(number, -1.0), 2.0) for number in numbers)
    return x, y


def _places(order: Any) -> list[Place]:
    return [_place({"x": x, "y": y}) for x, y in order]


def _scale_numbers(order: Order) -> dict[str, float]:
    """Return the number of a scale that a slider stands at; the top is slid by its logarithm."""
    name, value = str(order["number"]), float(order["value"])
    if name == "T":
        return {"T": float(f"{min(max(10**value, SMALLEST_T), LARGEST_T):.4g}")}
    if name == "W":
        return {"W": value}
    raise KeyError(name)
