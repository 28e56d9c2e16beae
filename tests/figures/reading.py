"""What a reader sees of a figure: its texts and where they stand."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text


def shown_texts(figure: Figure) -> list[Text]:
    """Return every text that is drawn: ticks beyond their axis have labels, which are not."""
    if figure.stale:
        figure.draw_without_rendering()
    hidden = {text for axes in figure.axes for text in _labels_beyond(axes)}
    return [
        text
        for text in figure.findobj(Text)
        if isinstance(text, Text) and text.get_visible() and text.get_text() and text not in hidden
    ]


def overlapping_texts(figure: Figure) -> list[tuple[str, str]]:
    """Return the pairs of texts that touch."""
    texts = shown_texts(figure)
    corners = np.array([text.get_window_extent().padded(-1).get_points() for text in texts])
    low, high = corners.min(axis=1), corners.max(axis=1)
    touch = np.all((low[:, np.newaxis] <= high) & (low <= high[:, np.newaxis]), axis=2)
    return [(texts[one].get_text(), texts[two].get_text()) for one, two in np.argwhere(np.triu(touch, 1)).tolist()]


def smallest_font(figure: Figure) -> float:
    """Return the size of the smallest text, pt."""
    return min(float(text.get_fontsize()) for text in shown_texts(figure))


def _labels_beyond(axes: Axes) -> list[Text]:
    return [label for axis in (axes.xaxis, axes.yaxis) for label in _labels_beyond_axis(axis)]


def _labels_beyond_axis(axis: Axis) -> list[Text]:
    low, high = sorted(axis.get_view_interval())
    ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
    return [
        label
        for tick in ticks
        for label, on in ((tick.label1, tick.label1.get_visible()), (tick.label2, tick.label2.get_visible()))
        if not on or not low <= tick.get_loc() <= high
    ]
