"""``cytocar review``: look at every gate of a run on a local page, and move them with a reason."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from cytocar.cli import screen


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run.")],
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="Port to listen at; 0: any free one.")] = 0,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the address, open no browser.")] = False,
    by: Annotated[str, typer.Option(metavar="NAME", help="Who reviews; filled in on the page.")] = "",
    inputs: Annotated[
        str | None, typer.Option("--inputs", metavar="DIR", help="Where the FCS files lie. [as in the run]")
    ] = None,
) -> None:
    """Look at every gate of a run on a local page: drag a threshold, see what the count becomes, save it with a reason.

    Samples that need a look come first. What is saved is an override, as by `cytocar override`: counted again, flagged,
    on record, taken back at will; the report is drawn again. Samples can be marked as looked at and the run signed.

    The page is for this computer and this address only. Ctrl-C, or "end the review" on the page, ends it.

    Example: cytocar review RUN --by "A. Muster"
    """
    from cytocar.editor.from_run import template_of_moved_gates
    from cytocar.files.places import place_of
    from cytocar.review.serve import serve
    from cytocar.review.session import ReviewSession, SessionSettings
    from cytocar.run.trail.who import author, now
    from cytocar.run.workers import process_pool

    session = ReviewSession(
        SessionSettings(run, place_of(inputs) if inputs else None, author, now, process_pool(0)), operator=by.strip()
    )

    def announce(address: str) -> None:
        sys.stdout.write(address + "\n")
        sys.stdout.flush()
        screen.say(f"{opened('review', address, no_browser)}; Ctrl-C ends it, what was saved is kept")

    try:
        serve(session, port=port, announce=announce, make_template=template_of_moved_gates)
    finally:
        if session.finish():
            screen.say("drawing the report again ...")
            session.draw_report()
            if session.report_problem is not None:
                screen.show_error(session.report_problem)


def opened(page: str, address: str, no_browser: bool) -> str:
    """Open a page in the desktop's browser if there is one, never in this terminal, and say what is left to do."""
    import webbrowser

    desktop = sys.platform in ("win32", "darwin") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if no_browser or not desktop or not webbrowser.open(address):
        return f"open the address of the {page} in a browser of this computer"
    return f"the {page} is open in a browser of this computer"
