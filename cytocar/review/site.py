"""A local page as a WSGI application: who may ask, addresses to answers, and what goes wrong is shown on the page.

The review and the editor are made of this; each adds its own addresses.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from cytocar.errors.tree import CytocarError, UsageError
from cytocar.report.run.templating import FOLDER
from cytocar.review.access import LARGEST_REQUEST, AccessControl, guarded

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

CONFLICTS = ("E113", "E180", "E222")
"""Another command is at work, or was: to try again is all that it takes."""
TEMPLATES = Path(__file__).parent / "templates"
FILES: Mapping[str, tuple[Path, str]] = {
    "report.css": (FOLDER, "text/css"),
    "review.css": (TEMPLATES, "text/css"),
    "local.js": (TEMPLATES, "text/javascript"),
}
"""What every local page loads; a page adds its own."""


class LocalSite:
    """The application of one local page.

    Parameters
    ----------
    command : str
        What printed the address: ``cytocar review``.
    rules : sequence of Rule
        The addresses of the page, each with the function that answers it.
    files : mapping
        Name to folder and media type of what the page loads beside ``FILES``.
    """

    def __init__(
        self,
        access: AccessControl,
        rules: Iterable[Rule],
        *,
        command: str,
        files: Mapping[str, tuple[Path, str]],
    ) -> None:
        self.access = access
        self.command = command
        self.root = f"/{access.token}"
        self._files = {**FILES, **files}
        shared = Rule(f"{self.root}/file/<name>", endpoint=self._file, methods=["GET"])
        self._rules = Map([*rules, shared], redirect_defaults=False)

    def error_page(self, error: CytocarError, *, stranger: bool = False) -> str:
        """Return a page for an error that leaves nothing else to show; a stranger is not told the address."""
        raise NotImplementedError

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        request.max_content_length = LARGEST_REQUEST
        request.max_form_memory_size = LARGEST_REQUEST
        return guarded(self._answer(request))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if why := self.access.refusal(request):
            refused = UsageError(f"refused: {why}", code="E182", hint=f"open the address that `{self.command}` printed")
            return Response(self.error_page(refused, stranger=True), 403, mimetype="text/html")
        try:
            endpoint, values = self._rules.bind_to_environ(request.environ).match()
            response: Response = endpoint(request, **values)
        except (NotFound, MethodNotAllowed) as error:
            return self._problem(
                UsageError("there is no such page", code="E182", hint="start again from the first page"),
                error.code or 404,
            )
        except HTTPException as error:
            return Response(error.description or "", error.code or 400, mimetype="text/plain")
        except CytocarError as error:
            return self._problem(error, status_of(error))
        except OSError as error:
            why = f"{error.strerror}: {error.filename or 'while reading or writing'}"
            return self._problem(UsageError(why, code="E109", hint="check the path, rights and space left"), 500)
        except Exception as bug:  # noqa: BLE001 -- what a person has moved must not be lost to a mistake of ours
            place = traceback.extract_tb(bug.__traceback__)[-1]
            why = f"this is a bug in cytocar: {type(bug).__name__}: {bug} ({Path(place.filename).name}:{place.lineno})"
            return self._problem(
                UsageError(why, code="E199", hint="please report it; what was saved before is kept"), 500
            )
        return response

    def _problem(self, error: CytocarError, status: int) -> Response:
        return Response(self.error_page(error), status, mimetype="text/html")

    def _file(self, _request: Request, name: str) -> Response:
        if name not in self._files:
            raise NotFound
        folder, kind = self._files[name]
        return Response((folder / name).read_text("utf-8"), mimetype=kind)


def status_of(error: CytocarError) -> int:
    """Return the HTTP status for an error: 409 where trying again may do."""
    return 409 if error.code in CONFLICTS else 400


def page(text: str, status: int = 200) -> Response:
    """Return a page as a response."""
    return Response(text, status, mimetype="text/html")


def as_json(content: Mapping[str, object]) -> Response:
    """What a script asked for as a response."""
    return Response(json.dumps(content), mimetype="application/json")
