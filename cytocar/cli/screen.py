"""What people see: messages on stderr, tables on stdout. The only place that knows about terminals and colour."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

from cytocar.errors.tree import CytocarError


@dataclass(slots=True)
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


def colored(stream: TextIO) -> bool:
    """Return whether colour may be written to a stream."""
    return _settings.color is not False and stream.isatty() and os.environ.get("TERM") != "dumb"


def verbose() -> bool:
    """Return whether ``--verbose`` was given."""
    return _settings.verbose


def quiet() -> bool:
    """Return whether ``--quiet`` was given."""
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


def counted(number: int, noun: str) -> str:
    """Return ``1 sample``, ``2 samples``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _paint(text: str, code: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if colored(sys.stderr) else text


def say(text: str) -> None:
    """Write a line for people, unless ``--quiet``."""
    if not _settings.quiet:
        sys.stderr.write(printable(text) + "\n")


def show_error(error: CytocarError, *, where: str = "") -> None:
    """Write an error: code, place, message, notes, and the fix as last line."""
    show_problem("error", error.code, error.message, where=where, hint=error.hint, notes=_notes(error))


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
    head = _paint(f"{level}[{code}]", "1;31" if level == "error" else "1;33")
    place = f" {where}" if where else ""
    lines = [f"{head}{printable(place)}: {printable(message)}", *(f"  {printable(note)}" for note in notes)]
    if hint:
        lines.append(f"  {_paint('fix:', '1')} {printable(hint)}")
    sys.stderr.write("\n".join(lines) + "\n")


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
