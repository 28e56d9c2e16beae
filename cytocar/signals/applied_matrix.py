"""What a spillover matrix does to the signals of a panel, as findings: what was applied, and its faults."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from cytocar.errors.findings import Finding, Severity
from cytocar.errors.tree import CompensationError
from cytocar.signals.compensation import (
    KEYWORDS,
    LARGEST_ENTRY,
    LEAVES_AS_IT_IS,
    SpilloverMatrix,
    is_square,
    off_diagonal,
)

if TYPE_CHECKING:
    from cytocar.signals.panel import Panel

CHECK = "compensation"
UNMIXED = "unmixed"
"""What template or sheet say of spectral data whose channels are dyes already: there is nothing to compensate."""

COMPENSATED = "already compensated"
"""What counts.csv says where the names of the channels do."""

_WRAPPED = re.compile(r"(?i)\s*((fj)?comp[-_ ]|<.+>\s*$)")


def already_compensated(panel: Panel) -> tuple[str, ...]:
    """Return the channels of a panel that an analysis program has compensated and named so (``Comp-``, ``FJComp-``)."""
    return tuple(channel.detector for channel in panel.values() if _WRAPPED.match(channel.detector))


def applied(matrix: SpilloverMatrix) -> Finding:
    """Return the finding that says which matrix was applied, and how large it is."""
    if not is_square(matrix):
        message = f"unmixed with {matrix.origin}: {len(matrix.fluorochromes)} dyes on {len(matrix.detectors)} detectors"
        return Finding(CHECK, "", Severity.PASS, message)
    largest = float(np.abs(off_diagonal(matrix)).max())
    message = (
        f"compensated with {matrix.origin}: {len(matrix.detectors)} detectors, largest entry off the diagonal "
        f"{largest:.3g}, condition {np.linalg.cond(matrix.values):.3g}"
    )
    return Finding(CHECK, "", Severity.PASS, message, largest, LARGEST_ENTRY)


def not_applied(source: str, *, missing: Literal["fail", "none"]) -> Finding:
    """Return the finding on signals without a matrix that template or sheet accept."""
    if source in ("none", UNMIXED):
        message = f"{'not compensated' if source == 'none' else 'unmixed already'}, as template or sheet say"
        return Finding(CHECK, "", Severity.PASS, message)
    message = f"not compensated: the file holds no spillover matrix, which the template accepts (missing = {missing!r})"
    return Finding(CHECK, "W243", Severity.NOTE, message)


def changes_nothing(matrix: SpilloverMatrix, *, missing: Literal["fail", "none"]) -> Finding:
    """Return the finding on a matrix that is the identity, or as good as it.

    Raises
    ------
    CompensationError
        E066, where the template does not accept data without a matrix.
    """
    message = (
        f"{matrix.origin} is the identity on the panel's detectors (no entry off the diagonal above "
        f"{LEAVES_AS_IT_IS:g}): it compensates nothing"
    )
    if missing == "none":
        return Finding(CHECK, "W243", Severity.NOTE, f"not compensated: {message}, which the template accepts")
    raise CompensationError(
        message,
        code="E066",
        hint="name the CSV of a real matrix in the sheet's `compensation` (`cytocar compensate` makes one); where "
        "nothing is to be compensated write `unmixed` (spectral data) or `none` there, or as [compensation] source",
    )


def stands_back(channels: Sequence[str], source: str) -> Finding:
    """Return the finding on data whose channels' names say that they are compensated already."""
    message = f"compensated already, as the names of {', '.join(channels)} say"
    if source in ("file", "none", UNMIXED):
        return Finding(CHECK, "W241", Severity.NOTE, f"{message}: not compensated again")
    return Finding(CHECK, "W241", Severity.REVIEW, f"{message}: {source} was not applied")


def not_of_all(matrix: SpilloverMatrix, markers: Sequence[str]) -> Iterator[Finding]:
    """Yield the finding on markers whose detectors a matrix does not know."""
    if markers:
        message = f"{matrix.origin} does not know the detectors of {', '.join(markers)}: these are not compensated"
        yield Finding(CHECK, "W242", Severity.REVIEW, message, float(len(markers)), 0.0)


def broken_beside(error: CompensationError, used: SpilloverMatrix | None) -> Finding:
    """Return the finding on a keyword that holds a broken matrix beside a sound one.

    It is worth a look where the broken one would have gone first.
    """
    origin = used.origin if used is not None else "no matrix"
    place = KEYWORDS.index(origin) if origin in KEYWORDS else len(KEYWORDS)
    went_first = any(keyword in error.message.split() for keyword in KEYWORDS[:place])
    outcome = Severity.REVIEW if went_first else Severity.NOTE
    return Finding(
        CHECK, "W244", outcome, f"{origin} was used; another keyword is broken ({error.code}: {error.message})"
    )
