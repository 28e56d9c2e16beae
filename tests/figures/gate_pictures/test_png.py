"""The PNG of a density picture, read back by matplotlib."""

from io import BytesIO

import numpy as np
import pytest
from matplotlib.image import imread

from cytocar.figures.gate_pictures.png import RAMP, indexed_png


def test_a_png_holds_the_colour_of_each_level_and_nothing_where_no_event_lies() -> None:
    levels = np.array([[0, 1, 2, 3], [3, 4, 5, 6]], dtype=np.uint8)
    read = np.round(imread(BytesIO(indexed_png(levels)), format="png") * 255).astype(int)
    assert read[..., 3].tolist() == [[0, 255, 255, 255], [255, 255, 255, 255]]
    assert read[..., :3].tolist() == [[list(RAMP[level]) for level in row] for row in levels.tolist()]


def test_denser_is_darker_also_in_grey_print() -> None:
    luminance = [0.2126 * red + 0.7152 * green + 0.0722 * blue for red, green, blue in RAMP]
    assert luminance == sorted(luminance, reverse=True)


def test_levels_that_have_no_colour_are_refused() -> None:
    with pytest.raises(ValueError, match="0 to 6"):
        indexed_png(np.full((2, 2), 7, np.uint8))
