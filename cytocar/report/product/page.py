"""Fill the certificates of infusion products: one printed page each, to be signed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from cytocar.product.release import Product, ReleaseCriteria
from cytocar.report.run.explained import fix_of, title_of
from cytocar.report.run.page import page_policy
from cytocar.report.run.templating import FOLDER as SHARED
from cytocar.report.run.templating import page_environment
from cytocar.report.run.worklist import WORST_FIRST
from cytocar.report.validation.page import number
from cytocar.statistics.estimate import Estimate
from cytocar.validation.limits import WORDS

FOLDER = Path(__file__).parent / "templates"
_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
MOST_IN_FULL = 1e5
"""From here on a number is a power of ten: its first three digits are all that is known of it."""


def certificates(products: Sequence[Product], criteria: ReleaseCriteria | None) -> str:
    """Return the certificates as one self-contained HTML file; no clock: same run and limits, same bytes."""
    environment = page_environment(FOLDER)
    environment.filters["cells"] = cells
    environment.filters["cells_interval"] = cells_interval
    css = (SHARED / "one-page.css").read_text("utf-8"), (FOLDER / "certificates.css").read_text("utf-8")
    style = Markup("\n".join(css))  # noqa: S704 -- files of ours
    return environment.get_template("certificates.html").render(
        products=[(product, _remarks(product)) for product in products],
        criteria=criteria,
        words=WORDS,
        style=style,
        policy=page_policy(style),
    )


def cells(value: float | None) -> str:
    """Return a number as people read it; from 100,000 on as a power of ten.

    >>> cells(3.9e8), cells(13.9), cells(None)
    ('3.90 × 10⁸', '13.9', '–')
    """
    if value is None or abs(value) < MOST_IN_FULL:
        return number(value)
    digits, _, power = f"{value:.2e}".partition("e+")
    return f"{digits} × 10{str(int(power)).translate(_SUPERSCRIPT)}"


def cells_interval(estimate: Estimate) -> str:
    """Return an interval as people read it, with one power of ten for both limits where they share it.

    >>> cells_interval(Estimate(2e8, 1.8e8, 2.18e8)), cells_interval(Estimate(2e8, 9e7, None))
    ('(1.80 to 2.18) × 10⁸', '9.00 × 10⁷ to –')
    """
    if estimate.low is None and estimate.high is None:
        return ""
    low, high = cells(estimate.low), cells(estimate.high)
    (first, times, power), (last, _, other) = low.partition(" × "), high.partition(" × ")
    return f"({first} to {last}){times}{power}" if times and power == other else f"{low} to {high}"


def _remarks(product: Product) -> list[tuple[str, str, str, str]]:
    serious = [finding for finding in product.findings if finding.outcome in WORST_FIRST]
    return [(each.code, title_of(each.code), each.message, fix_of(each)) for each in serious]
