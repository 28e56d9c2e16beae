"""The server of an editor."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from cytocar.editor.routes import EditorApp
from cytocar.editor.saving import TemplateFile
from cytocar.editor.session import Bench
from cytocar.review.serve import serve_site


def serve(
    bench: Bench,
    file: TemplateFile,
    *,
    port: int,
    clock: Callable[[], datetime],
    announce: Callable[[str], None],
) -> None:
    """Serve an editor until it is ended on its page, or interrupted; raises as ``serve_site``."""
    serve_site(
        lambda access, close: EditorApp(bench, file, access, clock=clock, close=close), port=port, announce=announce
    )
