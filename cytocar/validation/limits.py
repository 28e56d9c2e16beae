"""What has to be met, as a table of limits in a TOML file; used for method validation and for product release alike."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Literal, TypeVar

from cytocar.errors.boundary import boundary
from cytocar.errors.tree import UsageError
from cytocar.files.toml import parse_toml
from cytocar.signals.declaration import Declaration, NotDeclaredError, declare
from cytocar.statistics.estimate import Estimate


class Verdict(StrEnum):
    """Whether a limit is met. ``crosses``: the limit lies inside the interval, so the data do not decide."""

    PASS = "pass"  # noqa: S105 -- no password
    FAIL = "fail"
    CROSSES = "crosses"
    NOT_EVALUATED = "not_evaluated"


WORDS = {
    Verdict.PASS: "PASS",
    Verdict.FAIL: "FAIL",
    Verdict.CROSSES: "the interval crosses the limit",
    Verdict.NOT_EVALUATED: "not evaluated",
}
"""Each verdict as a report says it."""


COLOURS = {Verdict.PASS: "", Verdict.FAIL: "red", Verdict.CROSSES: "yellow", Verdict.NOT_EVALUATED: "yellow"}
"""Each verdict on a terminal, beside its words."""


class Bound(Declaration, frozen=True, kw_only=True):
    """A limit from below, from above, or both, and what is held against it.

    ``by = "interval"``: the whole 95 % interval has to meet the limit; ``"estimate"``: the number itself.
    """

    at_least: float | None = None
    at_most: float | None = None
    by: Literal["interval", "estimate"] = "interval"
    why: str = ""

    def faults(self) -> Iterator[str]:
        """Yield what does not go together."""
        if self.at_least is None and self.at_most is None:
            yield "needs at_least, at_most or both"
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            yield "at_least must not be above at_most"

    def verdict(self, estimate: Estimate) -> Verdict:
        """Return whether a number, or its interval, meets the limit; without an interval the number decides.

        Examples
        --------
        >>> limit = Bound(at_most=10)
        >>> [str(limit.verdict(Estimate(8, low, high))) for low, high in ((7, 9), (7, 12), (11, 12))]
        ['pass', 'crosses', 'fail']
        """
        if estimate.value is None:
            return Verdict.NOT_EVALUATED
        low = estimate.value if self.by == "estimate" or estimate.low is None else estimate.low
        high = estimate.value if self.by == "estimate" or estimate.high is None else estimate.high
        over = self.at_most is not None and high > self.at_most
        under = self.at_least is not None and low < self.at_least
        if not over and not under:
            return Verdict.PASS
        beyond = (self.at_most is not None and low > self.at_most) or (
            self.at_least is not None and high < self.at_least
        )
        return Verdict.FAIL if beyond else Verdict.CROSSES

    def text(self, unit: str = "") -> str:
        """Return the limit in words.

        >>> Bound(at_least=70).text("%"), Bound(at_least=-5, at_most=5).text()
        ('at least 70 %', '-5 to 5')
        """
        after = f" {unit}" if unit else ""
        if self.at_least is not None and self.at_most is not None:
            return f"{self.at_least:g} to {self.at_most:g}{after}"
        if self.at_most is not None:
            return f"at most {self.at_most:g}{after}"
        return f"at least {self.at_least:g}{after}"


_PAGES = {"cytocar.product": "release-a-product.md", "cytocar.validation": "validate-your-method.md"}

Read = TypeVar("Read", bound=Declaration)


def read_limits(name_or_path: str, kind: type[Read], *, package: str) -> Read:
    """Return a file of limits: a path ending in ``.toml``, or the name of one in the folder ``criteria`` of a package.

    Raises
    ------
    UsageError
        E255 with every fault of the file.
    """
    page = _PAGES[package]
    shipped = files(package).joinpath("criteria")
    names = sorted(entry.name.removesuffix(".toml") for entry in shipped.iterdir() if entry.name.endswith(".toml"))
    if not name_or_path.endswith(".toml") and name_or_path not in names:
        raise _unusable(name_or_path, f"it is neither a .toml file nor one of {', '.join(names)}", page)
    with boundary(lambda why: _unusable(name_or_path, why, page)):
        if name_or_path in names:
            text = shipped.joinpath(f"{name_or_path}.toml").read_text("utf-8")
        else:
            text = Path(name_or_path).read_text("utf-8-sig")
        document = parse_toml(text)
    try:
        return declare(kind, document)
    except NotDeclaredError as error:
        raise _unusable(name_or_path, str(error), page) from None


def _unusable(name: str, why: str, page: str) -> UsageError:
    return UsageError(
        f"the criteria {name} cannot be used: {why}",
        code="E255",
        hint=f"docs/how-to/{page} shows such a file; text stands in quotes, a number has a decimal point",
    )


class Sources(Declaration, frozen=True, kw_only=True):
    """What a file of limits says of itself."""

    name: str
    source: str = ""
    note: str = ""
    format: Literal[1] = 1
