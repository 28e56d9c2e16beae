"""Fill the page that shows a run's counts beside those of another program."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cytocar.run.comparison.compare import Comparison, Verdict
from cytocar.version import __version__


def comparison_page(comparison: Comparison) -> str:
    """Return the page as HTML; no clock and no script: the same counts give the same bytes."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, autoescape=True, trim_blocks=True
    )
    order = (Verdict.BEYOND, Verdict.MISSING, Verdict.WITHIN, Verdict.NOT_COUNTED, Verdict.EXACT)
    return environment.get_template("comparison.html.j2").render(
        comparison=comparison,
        rows=sorted(comparison.rows, key=lambda row: (order.index(row.verdict), -abs(row.percent or 0.0))),
        tally=Counter(row.verdict for row in comparison.rows),
        causes=Counter(row.cause.partition(":")[0] for row in comparison.rows if row.cause),
        verdicts=order,
        version=__version__,
    )
