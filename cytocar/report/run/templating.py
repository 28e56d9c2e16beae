"""What fills the templates of the pages: Jinja2 with the filters and constants that they share."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from pathlib import Path
from zlib import compress

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from cytocar.figures.gate_pictures.axis import SIZE
from cytocar.figures.gate_pictures.flow import TIME_HEIGHT, TIME_WIDTH
from cytocar.report.run.explained import fix_of, title_of
from cytocar.report.run.numbers import at_the_point, people, with_interval
from cytocar.tables.columns import POPULATIONS, Row, cell, day_text
from cytocar.version import __version__

WITH_INTERVALS = ("car_per_ul_net", "car_per_ul", "car_percent_of_t_cells", "car_percent_net")
"""Columns of the short table with their interval in the cell; the others have theirs behind the number."""

SPARE = ("car_percent_net", "t_cell_events")
"""Columns of the short table that a screen of 1280 pixels has no room for; the table of all columns has them."""

FACTS = (
    ("car_percent_of_t_cells", "CAR+ of T cells", " %"),
    ("car_percent_net", "net of background", " %"),
    ("car_cd4_cd8_ratio", "CD4/CD8 of CAR-T cells", ""),
    ("t_cells_per_ul", "T cells", "/µL"),
    ("cd4_per_ul", "CD4 T cells", "/µL"),
    ("cd8_per_ul", "CD8 T cells", "/µL"),
    ("cd4_cd8_ratio", "CD4/CD8 of T cells", ""),
    ("viability_percent", "viable", " %"),
)
"""What the one-page report shows below the CAR-T cells: column, title, unit."""

MARGIN_LEFT, MARGIN_TOP = 70, 6
"""Room for an axis and its numbers, in the units of a picture."""

FOLDER = Path(__file__).parent / "templates"


@cache
def page_environment(*folders: Path) -> Environment:
    """What fills templates: those of the report, and of these folders, whose names go first.

    Made once, with all templates that it has read: they take longer to compile than to fill.
    """
    environment = Environment(
        loader=FileSystemLoader([*folders, FOLDER], encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = cell
    environment.filters["day_text"] = day_text
    environment.filters["fix"] = fix_of
    environment.filters["title_of"] = title_of
    environment.filters["packed"] = packed
    environment.filters["with_code"] = with_code
    environment.filters["svg_image"] = svg_image
    environment.filters["people"] = people
    environment.filters["short_percent"] = lambda text: people(float(text))
    environment.filters["at_the_point"] = _at_the_point
    environment.filters["interval_text"] = with_interval
    environment.filters["interval_only"] = lambda row, name: _at_the_point(row, name)[2].strip("()")
    environment.filters["words"] = lambda text: str(text).replace("_", " ")
    environment.globals.update(
        version=__version__,
        facts=FACTS,
        with_intervals=WITH_INTERVALS,
        spare=SPARE,
        population_columns=POPULATIONS,
        SIZE=SIZE,
        LEFT=MARGIN_LEFT,
        TOP=MARGIN_TOP,
        TIME=(TIME_WIDTH, TIME_HEIGHT),
    )
    return environment


def packed(text: str) -> str:
    """Return text deflated, in base64, as the page's script unpacks it.

    >>> len(packed("gate " * 1000)) < 100
    True
    """
    return b64encode(compress(text.encode(), 9)).decode()


def with_code(text: str) -> Markup:
    """Return text with what stands between backticks as code, all of it escaped.

    >>> with_code("set `dilution_factor` < 1")
    Markup('set <code>dilution_factor</code> &lt; 1')
    """
    pieces = text.split("`")
    if len(pieces) % 2 == 0:  # one backtick is open: it is text
        return escape(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if number % 2 else escape(piece) for number, piece in enumerate(pieces)
    )


AXES_STYLE = (
    'text{font:17.5px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif;fill:#444e59}'
    ".marker{fill:#1b2430;font-weight:600;font-size:17.5px}.frame{fill:none;stroke:#4a5561}"
)
"""Of axes on paper: 17.5 units are 6 points where four pictures share the width of a page."""


def svg_image(content: str, width: int, height: int) -> str:
    """Return drawn axes as the address of an image: a printer lays its text out once, not once for every picture."""
    drawing = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f"<style>{AXES_STYLE}</style>{content}</svg>"
    )
    return f"data:image/svg+xml;base64,{b64encode(drawing.encode()).decode()}"


def _at_the_point(row: Row, name: str) -> tuple[str, str, str]:
    """Return a number before and from its point on, and its interval in brackets."""
    estimate, _, interval = with_interval(row, name).partition(" ")
    return (*at_the_point(estimate), interval)
