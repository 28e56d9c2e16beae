"""``cytocar explain``: the long text behind a code."""

from __future__ import annotations

import sys
import textwrap
from typing import Annotated

import typer

from cytocar.errors.codes import explanations
from cytocar.errors.near_names import near_names
from cytocar.errors.tree import UsageError


def command(
    code: Annotated[str | None, typer.Argument(help="A code such as E031, or a flag such as NO_VALLEY.")] = None,
) -> None:
    """Explain a warning or error code: what it means, the usual cause, what to do. Without a code: list all."""
    known = explanations()
    if code is None:
        sys.stdout.write("".join(f"{name}  {text.title}\n" for name, text in sorted(known.items(), key=_codes_first)))
        return
    name = code.strip().strip("[]").upper()
    if name not in known:
        near = near_names(name, known, most=3)
        raise UsageError(
            f"there is no code {code!r}",
            code="E101",
            hint=f"near it: {', '.join(near)}" if near else "`cytocar explain` lists all codes",
        )
    text = known[name]
    sys.stdout.write(f"{name}: {text.title}\n")
    for head, body in (("", text.meaning), ("Cause", text.cause), ("Fix", text.fix)):
        sys.stdout.write("\n" + textwrap.fill(f"{head}: {body}" if head else body, 79) + "\n")


def _codes_first(entry: tuple[str, object]) -> tuple[bool, str]:
    """Order codes by letter and number, and behind them the flags of gates by name."""
    return not entry[0][-1].isdigit(), entry[0]
