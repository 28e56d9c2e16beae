"""The server of a local page: on this computer only, until somebody ends it."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from werkzeug.serving import WSGIRequestHandler, make_server

from cytocar.errors.tree import UsageError
from cytocar.review.access import AccessControl
from cytocar.review.pages import MadeTemplate
from cytocar.review.routes import ReviewApp
from cytocar.review.session import ReviewSession
from cytocar.review.site import LocalSite
from cytocar.statistics.special import load_special_functions

HOST = "127.0.0.1"
CLOSING_SECONDS = 0.3
"""How long the last page has to reach the browser."""
LOOKED_AT_S = 0.3
"""A sample whose page is shown for so long is opened: who turns pages does not wait for each."""


class _Quiet(WSGIRequestHandler):
    """A handler that says nothing on the terminal, and nothing about itself to others."""

    server_version, sys_version = "cytocar", ""

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 -- the library's name
        """Say nothing."""

    def version_string(self) -> str:
        """What the header ``Server`` says."""
        return "cytocar"


def serve(
    session: ReviewSession,
    *,
    port: int,
    announce: Callable[[str], None],
    make_template: Callable[[Path, Path], MadeTemplate] | None = None,
) -> None:
    """Serve a review until it is ended on its page, or interrupted.

    Parameters
    ----------
    port : int
        0 takes any free one.
    announce : callable
        Called with the address as soon as it can be opened.
    make_template : callable, optional
        As of ``ReviewApp``.

    Raises
    ------
    UsageError
        E181 if the port is in use; E114 and others if the run cannot be read.
    """
    session.opened()
    wanted = threading.Event()
    threading.Thread(target=_redraw, args=(session, wanted), daemon=True).start()
    shown: queue.SimpleQueue[int] = queue.SimpleQueue()
    threading.Thread(target=_make_ready, args=(session, shown), daemon=True).start()
    serve_site(
        lambda access, close: ReviewApp(
            session, access, redraw=wanted.set, close=close, soon=shown.put, make_template=make_template
        ),
        port=port,
        announce=announce,
    )


def serve_site(
    make: Callable[[AccessControl, Callable[[], None]], LocalSite], *, port: int, announce: Callable[[str], None]
) -> None:
    """Serve a local page until it is ended on the page, or interrupted.

    Parameters
    ----------
    make : callable
        Called with who may ask, and with what ends the server; returns the page's application.
    port : int
        0 takes any free one.
    announce : callable
        Called with the address as soon as it can be opened.

    Raises
    ------
    UsageError
        E181 if the port is in use.
    """
    ended = threading.Event()
    with _listening(port) as place:
        access = AccessControl(place.getsockname()[1])
        site = make(access, ended.set)
        server = make_server(HOST, access.port, site, threaded=True, request_handler=_Quiet, fd=place.fileno())
        threading.Thread(target=_end, args=(server.shutdown, ended), daemon=True).start()
        announce(access.address)
        server.serve_forever()


def _listening(port: int) -> socket.socket:
    place = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        place.bind((HOST, port))
        place.listen()
    except OSError as error:
        place.close()
        raise UsageError(
            f"port {port} cannot be used: {error.strerror}", code="E181", hint="leave out --port: any free one is taken"
        ) from error
    return place


def _redraw(session: ReviewSession, wanted: threading.Event) -> None:
    while wanted.wait():
        wanted.clear()
        session.draw_report()


def _make_ready(session: ReviewSession, shown: queue.SimpleQueue[int]) -> None:
    """Open the sample that is looked at, once it is looked at for a moment; libraries that counting needs go first."""
    load_special_functions()
    import_module("cytocar.gates.adaptive")
    while True:
        number = shown.get()
        with suppress(queue.Empty):
            while True:  # pages that are only turned over are not opened
                number = shown.get(timeout=LOOKED_AT_S)
        session.make_ready(number)


def _end(shutdown: Callable[[], None], ended: threading.Event) -> None:
    ended.wait()
    threading.Event().wait(CLOSING_SECONDS)
    shutdown()
