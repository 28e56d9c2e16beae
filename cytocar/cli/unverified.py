"""``--unverified``: go on with files of a run that are not what it recorded, and say so where the result is seen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from cytocar.cli import screen


@contextmanager
def _taking() -> Iterator[None]:
    """Take whatever is read from runs inside, and say at the end what was taken though it is not what was recorded."""
    from cytocar.run.trail.recorded import unverified

    with unverified() as taken:
        try:
            yield
        finally:
            for what in dict.fromkeys(taken):
                screen.show_problem("warning", "W370", f"taken unverified: {what}")


def _for_the_command(context: typer.Context, given: bool) -> bool:
    if given:
        context.with_resource(_taking())
    return given


Unverified = Annotated[
    bool,
    typer.Option(
        "--unverified",
        callback=_for_the_command,
        help="Go on with files that are not what the run recorded; the result says so.",
    ),
]
"""The option of a verb that reads runs: given, it holds for the whole command."""
