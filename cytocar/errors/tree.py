"""Everything that cytocar can say went wrong.

The tree::

    CytocarError                 message, code, hint
    ├── UsageError               nothing was analysed (exit 2)
    │   ├── TemplateError        a gating template cannot be used
    │   ├── SheetError           a sample sheet cannot be used
    │   └── ClinicalError        a table of clinical values or interventions cannot be used
    ├── SampleError              this sample has no result, the others go on (exit 1)
    │   ├── ReadError            the FCS file cannot be read correctly
    │   ├── PanelError           a marker has no channel, or several
    │   ├── CompensationError    the spillover matrix is missing or cannot be used
    │   ├── GateError            a gate cannot be placed or evaluated
    │   └── CountingError        events cannot become cells/µL
    └── IntegrityError           data, template or audit trail are not what was recorded (exit 4)

The message says what is wrong, with the value. The hint says what to do. The code (``E031``) is explained at length by
``cytocar explain E031``; the texts stand in ``codes.toml``. Bugs stay ``ValueError`` and ``TypeError``.
"""

from __future__ import annotations

from collections.abc import Sequence


class CytocarError(Exception):
    """Something that the user can understand and act on.

    Parameters
    ----------
    message : str
        What is wrong, with the value, in one sentence without a full stop.
    code : str
        ``E`` and three digits; a key of ``codes.toml``.
    hint : str
        What to do about it.

    Attributes
    ----------
    where : str
        The file that it is about, where the message need not name it: empty, or what ``str(error)`` starts with.

    Examples
    --------
    >>> error = CytocarError("no counting beads found, so no cells/uL", code="E031", hint="check the bead gate")
    >>> error.code, str(error)
    ('E031', 'no counting beads found, so no cells/uL')
    >>> error.where = "day9.fcs"
    >>> str(error)
    'day9.fcs: no counting beads found, so no cells/uL'
    """

    where = ""

    def __init__(self, message: str, *, code: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the way home from a worker process, notes included."""
        carried = {"__notes__": getattr(self, "__notes__", []), "where": self.where}
        return _rebuild, (type(self), self.message, self.code, self.hint), carried

    def __str__(self) -> str:
        """Return the message, after the file that it is about."""
        return f"{self.where}: {self.message}" if self.where else self.message


def _rebuild(kind: type[CytocarError], message: str, code: str, hint: str) -> CytocarError:
    return kind(message, code=code, hint=hint)


FAULTS_SHOWN = 40
"""A screen; whoever has more faults mends the first ones and looks again."""


def listed(faults: Sequence[object]) -> str:
    """One fault a line, the first 40 of them, and the number of the others; further lines of a fault stand below it.

    >>> listed(["a: does not fit:\\n  no CD3", "b: is empty"])
    '\\n  a: does not fit:\\n    no CD3\\n  b: is empty'
    """
    lines = ["\n  " + str(fault).replace("\n", "\n  ") for fault in faults[:FAULTS_SHOWN]]
    more = len(faults) - FAULTS_SHOWN
    return "".join(lines) + (f"\n  and {more:,} more" if more > 0 else "")


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> counted(1, "sample"), counted(1200, "sample")
    ('1 sample', '1,200 samples')
    """
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


class UsageError(CytocarError):
    """Nothing was analysed: options, sheet or template are wrong."""


class TemplateError(UsageError):
    """A gating template cannot be used."""


class SheetError(UsageError):
    """A sample sheet cannot be used."""


class ClinicalError(UsageError):
    """A table of clinical values or interventions cannot be used."""


class SampleError(CytocarError):
    """This sample has no result; the others go on."""


class ReadError(SampleError):
    """The FCS file cannot be read correctly."""


class PanelError(SampleError):
    """A marker has no channel, or several."""


class CompensationError(SampleError):
    """The spillover matrix is missing or cannot be used."""


class GateError(SampleError):
    """A gate cannot be placed or evaluated."""


class CountingError(SampleError):
    """Events cannot become cells/µL."""


class IntegrityError(CytocarError):
    """Data, template or audit trail are not what was recorded."""
