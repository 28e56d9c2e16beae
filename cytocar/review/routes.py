"""The pages of a review as a WSGI application: addresses in, pages out; what goes wrong is said on the page."""

from __future__ import annotations

import json
import math
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from cytocar.errors.tree import CytocarError, UsageError
from cytocar.report.run import page as report_page
from cytocar.review.access import LARGEST_REQUEST, AccessControl, guarded
from cytocar.review.pages import TEMPLATES, Pages, Said, gates_in_order
from cytocar.review.preview import Drag, PreviewRequest, preview
from cytocar.review.session import GateEdit, ReviewSession
from cytocar.review.worklist import ReviewedRun, WorkItem
from cytocar.run.trail.audit import Meaning

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

CONFLICTS = ("E113", "E180")
"""Another command is at work, or was: to try again is all that it takes."""
FILES: Mapping[str, tuple[Path, str]] = {
    "report.css": (report_page.FOLDER, "text/css"),
    "review.css": (TEMPLATES, "text/css"),
    "review.js": (TEMPLATES, "text/javascript"),
}
FIELD = "number:"
"""What stands before the name of a gate's number in a form."""


class ReviewApp:
    """The application.

    Parameters
    ----------
    redraw : callable
        Called when the report is to be drawn again.
    close : callable
        Called when somebody ends the review on the page.
    """

    def __init__(
        self, session: ReviewSession, access: AccessControl, *, redraw: Callable[[], None], close: Callable[[], None]
    ) -> None:
        self.session = session
        self.access = access
        self.redraw = redraw
        self.close = close
        self.root = f"/{access.token}"
        self.pages = Pages(session, self.root)
        self._rules = Map(
            [
                Rule(f"{self.root}/", endpoint=self._overview, methods=["GET"]),
                Rule(f"{self.root}/sign", endpoint=self._sign, methods=["POST"]),
                Rule(f"{self.root}/close", endpoint=self._close, methods=["POST"]),
                Rule(f"{self.root}/state", endpoint=self._state, methods=["GET"]),
                Rule(f"{self.root}/file/<name>", endpoint=self._file, methods=["GET"]),
                Rule(f"{self.root}/sample/<int:number>/", endpoint=self._sample, methods=["GET"]),
                Rule(f"{self.root}/sample/<int:number>/look", endpoint=self._look, methods=["POST"]),
                Rule(f"{self.root}/sample/<int:number>/<int:gate>", endpoint=self._sample, methods=["GET"]),
                Rule(f"{self.root}/sample/<int:number>/<int:gate>/save", endpoint=self._save, methods=["POST"]),
                Rule(f"{self.root}/sample/<int:number>/<int:gate>/undo", endpoint=self._undo, methods=["POST"]),
                Rule(f"{self.root}/sample/<int:number>/<int:gate>/try", endpoint=self._try, methods=["POST"]),
            ],
            redirect_defaults=False,
        )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        request.max_content_length = LARGEST_REQUEST
        request.max_form_memory_size = LARGEST_REQUEST
        return guarded(self._answer(request))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if why := self.access.refusal(request):
            refused = UsageError(f"refused: {why}", code="E182", hint="open the address that `cytocar review` printed")
            return Response(self.pages.refused(refused, stranger=True), 403, mimetype="text/html")
        try:
            endpoint, values = self._rules.bind_to_environ(request.environ).match()
            response: Response = endpoint(request, **values)
        except (NotFound, MethodNotAllowed) as error:
            return self._problem(
                UsageError("there is no such page", code="E182", hint="start again from the list of samples"),
                error.code or 404,
            )
        except HTTPException as error:
            return Response(error.description or "", error.code or 400, mimetype="text/plain")
        except CytocarError as error:
            return self._problem(error, status_of(error))
        except OSError as error:
            said = f"{error.strerror}: {error.filename or 'while reading or writing'}"
            return self._problem(UsageError(said, code="E109", hint="check the path, rights and space left"), 500)
        except Exception as bug:  # noqa: BLE001 -- what a person has moved must not be lost to a mistake of ours
            place = traceback.extract_tb(bug.__traceback__)[-1]
            said = f"this is a bug in cytocar: {type(bug).__name__}: {bug} ({Path(place.filename).name}:{place.lineno})"
            return self._problem(
                UsageError(said, code="E199", hint="please report it; what was saved before is kept"), 500
            )
        return response

    def _problem(self, error: CytocarError, status: int) -> Response:
        return Response(self.pages.refused(error), status, mimetype="text/html")

    # ------------------------------------------------------------ looking

    def _overview(self, request: Request) -> Response:
        said = Said(entry=request.args.get("entry", type=int))
        return _page(self.pages.overview(self.session.opened(), said))

    def _sample(self, request: Request, number: int, gate: int | None = None) -> Response:
        opened = self.session.opened()
        said = Said(entry=request.args.get("entry", type=int))
        return _page(self.pages.sample(opened, _item(opened, number), gate, said))

    def _file(self, _request: Request, name: str) -> Response:
        if name not in FILES:
            raise NotFound
        folder, kind = FILES[name]
        return Response((folder / name).read_text("utf-8"), mimetype=kind)

    def _state(self, _request: Request) -> Response:
        kind, words = self.pages.report_state(self.session.opened())
        return _json({"report": kind, "words": words})

    def _try(self, request: Request, number: int, gate: int) -> Response:
        """Answer what a moved gate would change; an error is an answer too."""
        opened = self.session.opened()
        try:
            asked = _attempt(number, _population(opened, number, gate), request.get_data(as_text=True))
            return _json(preview(self.session, opened, asked))
        except CytocarError as error:
            return _json({"error": {"code": error.code, "message": error.message, "fix": error.hint}})

    # ------------------------------------------------------------ saving

    def _save(self, request: Request, number: int, gate: int) -> Response:
        form = request.form
        typed = {name.removeprefix(FIELD): text for name, text in form.items() if name.startswith(FIELD)}
        return self._moved(
            request, number, gate, Said(typed=typed, by=form.get("by", ""), reason=form.get("reason", ""))
        )

    def _undo(self, request: Request, number: int, gate: int) -> Response:
        form = request.form
        return self._moved(request, number, gate, Said(by=form.get("by", ""), reason=form.get("reason", "")))

    def _moved(self, request: Request, number: int, gate: int, said: Said) -> Response:
        opened = self.session.opened()
        population = _population(opened, number, gate)
        asked = GateEdit(number, population, said.by or "", said.reason, request.form.get("seen", ""))
        try:
            if request.path.endswith("/undo"):
                self.session.take_back(asked)
            else:
                self.session.save(asked, said.typed)
        except CytocarError as error:
            return self._again(number, gate, _with(said, error))
        self.redraw()
        return self._done(f"sample/{number}/{gate}")

    def _look(self, request: Request, number: int) -> Response:
        form = request.form
        said = Said(by=form.get("by", ""), note=form.get("note", ""))
        try:
            self.session.look(number, by=said.by or "", note=said.note, seen=form.get("seen", ""))
        except CytocarError as error:
            return self._again(number, form.get("gate", type=int), _with(said, error))
        following = self.session.opened().after(number)
        if "next" in form and following is not None:
            return self._done(f"sample/{following.number}/")
        return self._done(f"sample/{number}/{form.get('gate', '')}")

    def _sign(self, request: Request) -> Response:
        form = request.form
        said = Said(by=form.get("by", ""), note=form.get("note", ""))
        try:
            if form.get("meaning") not in tuple(Meaning):
                raise UsageError("nothing was chosen", code="E115", hint="say what the signature means")
            meaning = Meaning(form["meaning"])
            self.session.sign_run(meaning, by=said.by or "", note=said.note, seen=form.get("seen", ""))
        except CytocarError as error:
            return _page(self.pages.overview(self.session.opened(), _with(said, error)), status_of(error))
        return self._done("")

    def _close(self, _request: Request) -> Response:
        page = self.pages.ended(self.session.opened())
        self.close()
        return _page(page)

    def _again(self, number: int, gate: int | None, said: Said) -> Response:
        """Return the sample as it is now, with what was typed and why it was not saved."""
        opened = self.session.opened()
        status = status_of(said.error) if said.error else 200
        return _page(self.pages.sample(opened, _item(opened, number), gate, said), status)

    def _done(self, where: str) -> Response:
        entry = self.session.opened().entries[-1].number
        return Response(status=303, headers={"Location": f"{self.root}/{where}?entry={entry}"})


# ---------------------------------------------------------------- requests and responses


def status_of(error: CytocarError) -> int:
    """Return the HTTP status for an error: 409 where trying again may do."""
    return 409 if error.code in CONFLICTS else 400


def _page(text: str, status: int = 200) -> Response:
    return Response(text, status, mimetype="text/html")


def _json(said: Mapping[str, object]) -> Response:
    return Response(json.dumps(said), mimetype="application/json")


def _with(said: Said, error: CytocarError) -> Said:
    return Said(said.typed, said.by, said.reason, said.note, error=error)


def _item(opened: ReviewedRun, number: int) -> WorkItem:
    item = opened.item(number)
    if item is None:
        raise NotFound
    return item


def _population(opened: ReviewedRun, number: int, gate: int) -> str:
    result = opened.result(number)
    names = gates_in_order(opened.gallery_of[result.template.sha256]) if result is not None else ()
    if not 0 <= gate < len(names):
        raise NotFound
    return names[gate]


def _attempt(number: int, population: str, text: str) -> PreviewRequest:
    """Return what a page's script asks for; what is no such question is a usage error."""
    try:
        asked = json.loads(text)
        drag = asked.get("drag")
        return PreviewRequest(
            number,
            population,
            {str(name): str(value) for name, value in asked.get("typed", {}).items()},
            Drag(int(drag["view"]), str(drag["handle"]), _place_of(drag["x"]), _place_of(drag["y"])) if drag else None,
            whole=bool(asked.get("whole")),
            undo=bool(asked.get("undo")),
        )
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise UsageError("the page asked for something unknown", code="E182", hint="load the page again") from error


def _place_of(asked: object) -> float:
    """Return a place on a picture, 0 to 1 and a little beyond; ValueError where it is none."""
    place = float(str(asked))
    if not math.isfinite(place):
        raise ValueError("a place is a finite number")
    return min(max(place, -1.0), 2.0)
