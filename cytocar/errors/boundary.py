"""The boundary of a library: whatever it raises over a file becomes the error of that file, with a code and a fix.

What a library raises over damaged input is not on any list: openpyxl alone has raised a dozen types, of zipfile, of its
own, of the XML parser below. So nothing is listed here; who calls a library says what its refusal means.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cytocar.errors.tree import CytocarError, ReadError, SampleError

REPORT_IT = "please report it with the command that you ran; the other samples are not affected"


@contextmanager
def boundary(refused: Callable[[str], CytocarError]) -> Iterator[None]:
    """Turn every exception of the library called inside into the error that ``refused`` makes of its reason.

    Errors with a code pass unchanged: they are ours already.

    Examples
    --------
    >>> from cytocar.errors.tree import UsageError
    >>> with boundary(lambda why: UsageError(f"day9.csv cannot be read: {why}", code="E080", hint="save it again")):
    ...     b"\\xff".decode()
    Traceback (most recent call last):
    cytocar.errors.tree.UsageError: day9.csv cannot be read: it is not UTF-8 text (byte 1)
    """
    try:
        yield
    except CytocarError:
        raise
    except Exception as error:
        raise refused(reason(error)) from error


@contextmanager
def one_of_many() -> Iterator[None]:
    """Turn a mistake of cytocar over one file of many into that file's error E199: the others are gone through."""
    try:
        yield
    except CytocarError:
        raise
    except Exception as bug:
        raise ReadError(bug_message(bug), code="E199", hint=REPORT_IT) from bug


@contextmanager
def about(file: object) -> Iterator[None]:
    """Let an error of a sample that is raised inside name its file, unless its message does; None names nothing.

    Examples
    --------
    >>> with about("day9.fcs"):
    ...     raise ReadError("the file does not exist", code="E010")
    Traceback (most recent call last):
    cytocar.errors.tree.ReadError: day9.fcs: the file does not exist
    """
    try:
        yield
    except SampleError as error:
        if file is not None and str(file) not in error.message:
            error.where = error.where or str(file)
        raise


def reason(error: Exception) -> str:
    """The message of an exception, in words that stand behind ``cannot be read:``.

    >>> reason(RecursionError("maximum recursion depth exceeded")), reason(EOFError())
    ('it is nested too deeply', 'EOFError')
    """
    match error:
        case UnicodeDecodeError():
            return f"it is not UTF-8 text (byte {error.start + 1})"
        case RecursionError():
            return "it is nested too deeply"
        case MemoryError():
            return "it takes more memory than there is"
        case OSError(strerror=str(words)):
            return words
    return str(error) or type(error).__name__


def bug_message(bug: Exception) -> str:
    """The report of a mistake of cytocar itself: its kind, its text, the line that met it."""
    place = traceback.extract_tb(bug.__traceback__)[-1]
    return f"this is a bug in cytocar: {type(bug).__name__}: {bug} ({Path(place.filename).name}:{place.lineno})"
