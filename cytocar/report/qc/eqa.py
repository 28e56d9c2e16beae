"""Fill the page of proficiency samples: what asks for action first, z over surveys, every result, groups of peers."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from cytocar.figures.proficiency import draw_scores
from cytocar.qc.eqa import Performance, Scored
from cytocar.report.validation.page import filled
from cytocar.tables.columns import COUNTS, Row

FOLDER = Path(__file__).parent / "templates"


def eqa_page(scores: Sequence[Scored], groups: Sequence[Row]) -> str:
    """Return the page as one self-contained HTML file; no clock and no script."""
    with TemporaryDirectory(prefix="cytocar-") as folder:
        drawn = draw_scores(scores, Path(folder) / "z.svg")
        figure = b64encode(drawn.read_bytes()).decode() if drawn else ""
    return filled(
        FOLDER,
        "eqa.html",
        scores=scores,
        asking=[one for one in scores if one.performance in (Performance.ACTION, Performance.CRITICAL)],
        tally=Counter(one.performance for one in scores),
        groups=[row for row in groups if row["mean"] is not None],
        figure=figure,
        headings={column.name: column.heading or column.name for column in COUNTS},
        performances=list(Performance),
    )
