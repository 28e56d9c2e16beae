"""How every figure looks and how it is written: a journal's sizes, colours for colour-blind readers and grey print.

A figure is made without pyplot, so that nothing is shared between two of them, and written with the same bytes each
time: no date, no random identifiers, the font that comes with matplotlib.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMN_MM = 89.0
"""Width of one column of a journal page."""
PAGE_MM = 183.0
"""Width of two columns."""
FONT_PT = 8.0
"""Smallest text in any figure."""

# Okabe and Ito 2008 (jfly.uni-koeln.de/color), darkest and lightest apart in grey
INK = "#222222"
BLUE = "#0072B2"
VERMILION = "#D55E00"
GREEN = "#009E73"
PURPLE = "#CC79A7"
ORANGE = "#E69F00"
SKY = "#56B4E9"
GROUP_COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
"""In the order in which groups take them."""
GREY = "#8A8A8A"
PALE = "#E4E4E4"

FORMATS = ("svg", "pdf", "png")
_METADATA: dict[str, dict[str, None]] = {
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
    "png": {"Software": None},
}


@contextmanager
def figure_style() -> Iterator[None]:
    """Make and write figures under these settings, whatever the user's own matplotlib settings are."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rc("font", family="DejaVu Sans", size=FONT_PT)
        mpl.rc("axes", titlesize=FONT_PT + 1, labelsize=FONT_PT, edgecolor=INK, labelcolor=INK, linewidth=0.7)
        mpl.rc("axes.spines", top=False, right=False)
        mpl.rc("xtick", labelsize=FONT_PT, color=INK)
        mpl.rc("ytick", labelsize=FONT_PT, color=INK)
        mpl.rc("legend", fontsize=FONT_PT, frameon=False)
        mpl.rc("lines", linewidth=1.2, markersize=4.5)
        mpl.rc("text", color=INK, parse_math=False)  # a drug or a sample may be called $x$
        mpl.rc("svg", fonttype="path", hashsalt="cytocar")
        mpl.rc("pdf", fonttype=42)
        mpl.rc("savefig", dpi=300)
        yield


def load_matplotlib() -> None:
    """Load what every figure needs, before processes are forked that would each load it."""
    import matplotlib.backends.backend_agg
    import matplotlib.backends.backend_svg  # noqa: F401


def new_figure(width_mm: float, height_mm: float) -> Figure:
    """Return an empty figure of this size."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, hspace=0.02, wspace=0.0)
    figure = Figure(figsize=(width_mm / 25.4, height_mm / 25.4), layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path) -> Path:
    """Write a figure in the format that the path's suffix names, with the same bytes each time."""
    settle(figure)
    kind = path.suffix.lstrip(".").lower()
    figure.savefig(path, format=kind, metadata=_METADATA[kind])
    return path


def settle(figure: Figure) -> None:
    """Lay a figure out once and for all: what is drawn later moves nothing, and three formats cost one layout.

    The figure is left without an engine, not with one that does nothing: matplotlib draws a figure that has any engine
    once more before it writes it.
    """
    engine = figure.get_layout_engine()
    if engine is None:
        return
    engine.execute(figure)
    figure.set_layout_engine(None)


def save_all(figure: Figure, folder: Path, stem: str, formats: Sequence[str] = FORMATS) -> bytes:
    """Write a figure in these formats and return its SVG, which is always written: the page shows it."""
    for kind in dict.fromkeys(("svg", *formats)):
        save(figure, folder / f"{stem}.{kind}")
    return (folder / f"{stem}.svg").read_bytes()


def plain_log_axis(axes: Axes, *, which: str = "y") -> None:
    """Make an axis logarithmic with numbers as people write them: 0.1, 1, 10, 100, 1000."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis = axes.yaxis if which == "y" else axes.xaxis
    getattr(axes, f"set_{which}scale")("log")
    axis.set_major_locator(LogLocator(base=10, numticks=12))
    axis.set_minor_locator(LogLocator(base=10, subs=tuple(range(2, 10)), numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_formatter(NullFormatter())


def align_value_labels(figure: Figure, stack: Sequence[Axes]) -> None:
    """Put the labels of the value axes of panels above each other into one line, left of the widest tick label.

    ``Figure.align_ylabels`` measures every panel for every panel, anew with each pass of the layout: half of the time
    of a figure.
    """
    from matplotlib import rcParams
    from matplotlib.transforms import ScaledTranslation

    labelled = [axes for axes in stack if axes.get_ylabel()]
    widest = max((text_width_pt(text) for axes in labelled for text in _shown_labels(axes)), default=0.0)
    ticks_pt = rcParams["ytick.major.size"] + rcParams["ytick.major.pad"] + rcParams["axes.labelpad"]
    left = ScaledTranslation(-(widest + ticks_pt) / 72, 0, figure.dpi_scale_trans)
    for axes in labelled:
        axes.yaxis.set_label_coords(0, 0.5, transform=axes.transAxes + left)


def _shown_labels(axes: Axes) -> Iterator[str]:
    """Yield the tick labels of the value axis that lie on it."""
    low, high = sorted(axes.get_ylim())
    for text in axes.get_yticklabels():
        if low <= text.get_position()[1] <= high:
            yield text.get_text()


def two_labels(axes: Axes) -> None:
    """Widen a log value axis until two powers of ten with their labels lie on it: one label tells no scale."""
    low, high = axes.get_ylim()
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    if last > first:
        return
    if last < first:  # no label at all
        first, last = last, first
    else:  # one: the nearer neighbour comes in
        below, above = math.log10(low) - (first - 1), (last + 1) - math.log10(high)
        first, last = (first - 1, last) if below < above else (first, last + 1)
    axes.set_ylim(min(low, 10.0**first / 1.1), max(high, 10.0**last * 1.1))


def unit_text(unit: str) -> str:
    """Return a unit as print writes it.

    Examples
    --------
    >>> unit_text("ug/L"), unit_text("mg/m2"), unit_text("C")
    ('µg/L', 'mg/m²', '°C')
    """
    return "°C" if unit == "C" else unit.replace("ug", "µg").replace("uL", "µL").replace("m2", "m²")


@lru_cache(maxsize=4096)  # a legend's texts come again with every figure, and each takes a millisecond
def text_width_pt(text: str, size_pt: float = FONT_PT) -> float:
    """How wide a text will be, in points."""
    from matplotlib.textpath import TextPath

    return float(TextPath((0, 0), text, size=size_pt, usetex=False).get_extents().width) if text.strip() else 0.0


def legend_columns(texts: Sequence[str], room_pt: float, *, mark_pt: float, gap_pt: float) -> int:
    """Return in how many columns a legend fits into ``room_pt``: matplotlib fills one column after the other.

    ``mark_pt`` is the width of a mark with the air to its text, ``gap_pt`` lies between columns.
    """
    for columns in range(len(texts), 1, -1):
        rows, longer = divmod(len(texts), columns)
        sizes = [rows + 1] * longer + [rows] * (columns - longer)
        starts = [sum(sizes[:column]) for column in range(columns)]
        widths = [max(map(text_width_pt, texts[s : s + n])) for s, n in zip(starts, sizes, strict=True)]
        if sum(widths) + mark_pt * columns + gap_pt * (columns - 1) <= room_pt:
            return columns
    return 1
