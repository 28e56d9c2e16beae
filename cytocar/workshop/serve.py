"""The server of a workshop."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from cytocar.review.serve import serve_site
from cytocar.workshop.routes import WorkshopApp
from cytocar.workshop.saving import TemplateFile
from cytocar.workshop.session import Bench


def serve(
    bench: Bench,
    file: TemplateFile,
    *,
    port: int,
    clock: Callable[[], datetime],
    announce: Callable[[str], None],
) -> None:
    """Serve a workshop until it is ended on its page, or interrupted; raises as ``serve_site``."""
    serve_site(
        lambda access, close: WorkshopApp(bench, file, access, clock=clock, close=close), port=port, announce=announce
    )
