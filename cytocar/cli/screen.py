"""What people see: messages on stderr, tables on stdout. The only place that knows about terminals and colour."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from cytocar.errors.tree import CytocarError

if TYPE_CHECKING:
    from rich.console import Console


class _Settings:
    quiet: bool = False
    verbose: bool = False
    color: bool | None = None  # None: as the terminal is


_settings = _Settings()


def configure(*, quiet: bool, verbose: bool, no_color: bool) -> None:
    """Set what the global options say."""
    _settings.quiet, _settings.verbose = quiet, verbose
    _settings.color = False if no_color or os.environ.get("NO_COLOR") else None


def drop_output() -> None:
    """Send what is still to be written to stdout nowhere, so that the interpreter's exit does not stumble over it."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def prepare_streams() -> None:
    """Let any text be written anywhere: into a closed stream, or one that has no letter for µ or for a file's name."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 -- open until the end
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def dumb() -> bool:
    """True if the terminal cannot move its cursor."""
    return os.environ.get("TERM") in ("dumb", "unknown")


def console(stream: TextIO) -> Console | None:
    """Return rich's way to write to a terminal; ``None`` for a pipe or a file, which get plain text and load no rich.

    Text goes to it as ``Text``, never as markup: a gate may be called ``CD3[+]``. Without colour it writes no escape
    codes around words at all.
    """
    if not stream.isatty():
        return None
    from rich.console import Console

    colored = _settings.color is not False and not dumb()
    return Console(file=stream, color_system="auto" if colored else None, markup=False, emoji=False, highlight=False)


def verbose() -> bool:
    """True if ``--verbose`` was given."""
    return _settings.verbose


def quiet() -> bool:
    """True if ``--quiet`` was given."""
    return _settings.quiet


def printable(text: str) -> str:
    """Return text without control characters, so that a sample's name cannot drive the terminal."""
    return "".join(sign if sign.isprintable() or sign == "\n" else "\N{REPLACEMENT CHARACTER}" for sign in text)


def one_line(name: str, *, longest: int = 60) -> str:
    """Return a name that fits into a line of a table: no line break, its middle left out where it is long.

    Examples
    --------
    >>> one_line("a\\nb"), one_line("x" * 40 + "y" * 40, longest=9)
    ('a\N{REPLACEMENT CHARACTER}b', 'xxxx…yyyy')
    """
    flat = printable(name.replace("\n", "\0"))
    half = (longest - 1) // 2
    return flat if len(flat) <= longest else f"{flat[:half]}…{flat[-half:]}"


def few(names: Sequence[str], *, most: int = 4) -> str:
    """Return the first of several names, and how many more there are."""
    shown = ", ".join(one_line(name) for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def _write(*pieces: tuple[str, str]) -> None:
    """Write pieces of text, each with its style, as one message on stderr; a long line is left to the terminal."""
    safe = [(printable(text), style) for text, style in pieces]
    terminal = console(sys.stderr)
    if terminal is None:
        sys.stderr.write("".join(text for text, _ in safe) + "\n")
        return
    from rich.text import Text

    terminal.print(Text.assemble(*safe), soft_wrap=True)


def say(text: str) -> None:
    """Write a line for people, unless ``--quiet``."""
    if not _settings.quiet:
        sys.stderr.write(printable(text) + "\n")


def show_error(error: CytocarError, *, where: str = "") -> None:
    """Write an error: code, place, message, notes, and the fix as last line."""
    place = where or error.where
    if error.message.startswith(place):
        place = ""
    show_problem("error", error.code, error.message, where=place, hint=error.hint, notes=_notes(error))


def _notes(error: BaseException) -> Sequence[str]:
    return getattr(error, "__notes__", ())


def show_losses(losses: Sequence[str]) -> None:
    """Write what an import of gates could not keep."""
    for loss in losses:
        show_problem("warning", "W270", f"not kept: {loss}")


def show_problem(  # each part of a problem is a line of its own
    level: str, code: str, message: str, *, where: str = "", hint: str = "", notes: Sequence[str] = ()
) -> None:
    """Write ``error[E031] D07: message``, what was looked at, and ``fix: ...``."""
    place = f" {where}" if where else ""
    body = "\n".join([f"{place}: {message}", *(f"  {note}" for note in notes)])
    fix = [("\n  ", ""), ("fix:", "bold"), (f" {hint}", "")] if hint else []
    _write((f"{level}[{code}]", "bold red" if level == "error" else "bold yellow"), (body, ""), *fix)


def show_bug(bug: BaseException) -> None:
    """Write that cytocar itself went wrong; the traceback only with ``--verbose``."""
    if _settings.verbose:
        sys.stderr.write("".join(traceback.format_exception(bug)))
    place = traceback.extract_tb(bug.__traceback__)[-1] if bug.__traceback__ else None
    where = f"{os.path.basename(place.filename)}:{place.lineno}" if place else ""  # noqa: PTH119 -- a name to print
    show_problem(
        "error",
        "E199",
        f"this is a bug in cytocar: {type(bug).__name__}: {bug}",
        where=where,
        hint="please report it with the command that you ran; --verbose shows where it happened",
    )
