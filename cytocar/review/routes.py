"""The pages of a review as a WSGI application: addresses in, pages out; what goes wrong is said on the page."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

from werkzeug.exceptions import NotFound
from werkzeug.routing import Rule
from werkzeug.wrappers import Request, Response

from cytocar.errors.tree import CytocarError, UsageError
from cytocar.review.access import AccessControl
from cytocar.review.pages import Entered, MadeTemplate, Pages, gates_in_order
from cytocar.review.preview import Drag, PreviewRequest, preview
from cytocar.review.session import GateEdit, ReviewSession
from cytocar.review.site import TEMPLATES, LocalSite, as_json, page, status_of
from cytocar.review.worklist import ReviewedRun, WorkItem
from cytocar.run.trail.audit import Meaning

FIELD = "number:"
"""What stands before the name of a gate's number in a form."""


class ReviewApp(LocalSite):
    """The application.

    Parameters
    ----------
    redraw : callable
        Called when the report is to be drawn again.
    close : callable
        Called when somebody ends the review on the page.
    soon : callable
        Called with the number of a sample whose page was handed out: its gates may be moved next.
    make_template : callable, optional
        Called with the run's folder and the path of a new file to make the gates that were moved a template there.
    """

    def __init__(
        self,
        session: ReviewSession,
        access: AccessControl,
        *,
        redraw: Callable[[], None],
        close: Callable[[], None],
        soon: Callable[[int], None] = lambda _: None,
        make_template: Callable[[Path, Path], MadeTemplate] | None = None,
    ) -> None:
        self.session = session
        self.redraw = redraw
        self.soon = soon
        self.close = close
        root = f"/{access.token}"
        self.make_template = make_template
        self.pages = Pages(session, root, makes_templates=make_template is not None)
        super().__init__(
            access,
            [
                Rule(f"{root}/", endpoint=self._overview, methods=["GET"]),
                Rule(f"{root}/look", endpoint=self._look_at_group, methods=["POST"]),
                Rule(f"{root}/sign", endpoint=self._sign, methods=["POST"]),
                Rule(f"{root}/template", endpoint=self._template, methods=["POST"]),
                Rule(f"{root}/close", endpoint=self._close, methods=["POST"]),
                Rule(f"{root}/state", endpoint=self._state, methods=["GET"]),
                Rule(f"{root}/sample/<int:number>/", endpoint=self._sample, methods=["GET"]),
                Rule(f"{root}/sample/<int:number>/look", endpoint=self._look, methods=["POST"]),
                Rule(f"{root}/sample/<int:number>/<int:gate>", endpoint=self._sample, methods=["GET"]),
                Rule(f"{root}/sample/<int:number>/<int:gate>/save", endpoint=self._save, methods=["POST"]),
                Rule(f"{root}/sample/<int:number>/<int:gate>/undo", endpoint=self._undo, methods=["POST"]),
                Rule(f"{root}/sample/<int:number>/<int:gate>/try", endpoint=self._try, methods=["POST"]),
            ],
            command="cytocar review",
            files={"review.js": (TEMPLATES, "text/javascript")},
        )

    def error_page(self, error: CytocarError, *, stranger: bool = False) -> str:
        """Return a page for an error that leaves nothing else to show; a stranger is not told the address."""
        return self.pages.refused(error, stranger=stranger)

    # ------------------------------------------------------------ looking

    def _overview(self, request: Request) -> Response:
        entered = Entered(entry=request.args.get("entry", type=int))
        return page(self.pages.overview(self.session.opened(), entered))

    def _sample(self, request: Request, number: int, gate: int | None = None) -> Response:
        opened = self.session.opened()
        entered = Entered(entry=request.args.get("entry", type=int))
        shown = page(self.pages.sample(opened, _item(opened, number), gate, entered))
        self.soon(number)
        return shown

    def _state(self, _request: Request) -> Response:
        kind, words = self.pages.report_state(self.session.opened())
        return as_json({"report": kind, "words": words})

    def _try(self, request: Request, number: int, gate: int) -> Response:
        """Answer what a moved gate would change; an error is an answer too."""
        opened = self.session.opened()
        try:
            attempt = _attempt(number, _population(opened, number, gate), request.get_data(as_text=True))
            return as_json(preview(self.session, opened, attempt))
        except CytocarError as error:
            return as_json({"error": {"code": error.code, "message": error.message, "fix": error.hint}})

    # ------------------------------------------------------------ saving

    def _save(self, request: Request, number: int, gate: int) -> Response:
        form = request.form
        typed = {name.removeprefix(FIELD): text for name, text in form.items() if name.startswith(FIELD)}
        return self._moved(
            request, number, gate, Entered(typed=typed, by=form.get("by", ""), reason=form.get("reason", ""))
        )

    def _undo(self, request: Request, number: int, gate: int) -> Response:
        form = request.form
        return self._moved(request, number, gate, Entered(by=form.get("by", ""), reason=form.get("reason", "")))

    def _moved(self, request: Request, number: int, gate: int, entered: Entered) -> Response:
        opened = self.session.opened()
        population = _population(opened, number, gate)
        edit = GateEdit(number, population, entered.by or "", entered.reason, request.form.get("seen", ""))
        try:
            if request.path.endswith("/undo"):
                self.session.take_back(edit)
            else:
                self.session.save(edit, entered.typed)
        except CytocarError as error:
            return self._again(number, gate, _with(entered, error))
        self.redraw()
        return self._done(f"sample/{number}/{gate}")

    def _look(self, request: Request, number: int) -> Response:
        form = request.form
        entered = Entered(by=form.get("by", ""), note=form.get("note", ""))
        try:
            self.session.look(number, by=entered.by or "", note=entered.note, seen=form.get("seen", ""))
        except CytocarError as error:
            return self._again(number, form.get("gate", type=int), _with(entered, error))
        following = self.session.opened().after(number)
        if "next" in form and following is not None:
            return self._done(f"sample/{following.number}/")
        return self._done(f"sample/{number}/{form.get('gate', '')}")

    def _look_at_group(self, request: Request) -> Response:
        form = request.form
        entered = Entered(by=form.get("by", ""), note=form.get("note", ""))
        try:
            entered_by = {"by": entered.by or "", "note": entered.note, "seen": form.get("seen", "")}
            self.session.look_at_group(form.get("cause", ""), **entered_by)
        except CytocarError as error:
            return page(self.pages.overview(self.session.opened(), _with(entered, error)), status_of(error))
        return self._done("")

    def _sign(self, request: Request) -> Response:
        form = request.form
        entered = Entered(by=form.get("by", ""), note=form.get("note", ""))
        try:
            if form.get("meaning") not in tuple(Meaning):
                raise UsageError("nothing was chosen", code="E115", hint="say what the signature means")
            meaning = Meaning(form["meaning"])
            self.session.sign_run(meaning, by=entered.by or "", note=entered.note, seen=form.get("seen", ""))
        except CytocarError as error:
            return page(self.pages.overview(self.session.opened(), _with(entered, error)), status_of(error))
        return self._done("")

    def _template(self, request: Request) -> Response:
        """Write the gates that were moved as a template, a new file beside the run's folder."""
        if self.make_template is None:
            raise NotFound
        folder = self.session.settings.folder.resolve()
        name = request.form.get("file", "").strip()
        try:
            if not name or Path(name).name != name:
                hint = "give a name that ends in .toml; the file is written beside the run's folder"
                raise UsageError(f"{name!r} is no name of a file", code="E220", hint=hint)
            entered = Entered(made=self.make_template(folder, folder.parent / name))
        except CytocarError as error:
            return page(self.pages.overview(self.session.opened(), Entered(error=error)), status_of(error))
        return page(self.pages.overview(self.session.opened(), entered))

    def _close(self, _request: Request) -> Response:
        last = self.pages.ended(self.session.opened())
        self.close()
        return page(last)

    def _again(self, number: int, gate: int | None, entered: Entered) -> Response:
        """Return the sample as it is now, with what was typed and why it was not saved."""
        opened = self.session.opened()
        status = status_of(entered.error) if entered.error else 200
        return page(self.pages.sample(opened, _item(opened, number), gate, entered), status)

    def _done(self, where: str) -> Response:
        entry = self.session.opened().entries[-1].number
        return Response(status=303, headers={"Location": f"{self.root}/{where}?entry={entry}"})


# ---------------------------------------------------------------- requests and responses


def _with(entered: Entered, error: CytocarError) -> Entered:
    return Entered(entered.typed, entered.by, entered.reason, entered.note, error=error)


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
    """What a page's script asks for; what is no such question is a usage error."""
    try:
        sent = json.loads(text)
        drag = sent.get("drag")
        return PreviewRequest(
            number,
            population,
            {str(name): str(value) for name, value in sent.get("typed", {}).items()},
            Drag(int(drag["view"]), str(drag["handle"]), _place_of(drag["x"]), _place_of(drag["y"])) if drag else None,
            whole=bool(sent.get("whole")),
            undo=bool(sent.get("undo")),
        )
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise UsageError("the page asked for something unknown", code="E182", hint="load the page again") from error


def _place_of(text: object) -> float:
    """Return a place on a picture, 0 to 1 and a little beyond; ValueError where it is none."""
    place = float(str(text))
    if not math.isfinite(place):
        raise ValueError("a place is a finite number")
    return min(max(place, -1.0), 2.0)
