"""``python docs/limits_picture.py``: draw docs/images/limits.svg, blank tubes and tubes at their limit."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import poisson

from cytocar.counting.blank_rates import measured_rates
from cytocar.gates.decision import Background

T_CELLS, CONTROL_T_CELLS, BACKGROUND_EVENTS, FEWEST_EVENTS = 20_000, 100_000, 50, 13


def main() -> None:
    """Draw and write the picture."""
    blank = measured_rates(Background(BACKGROUND_EVENTS, CONTROL_T_CELLS, ()))
    lob, needed = blank.limit_of_blank(T_CELLS), blank.needed(T_CELLS, FEWEST_EVENTS)
    limit = blank.smallest_detected(T_CELLS, needed)
    assert limit is not None
    events = np.arange(0, 61)
    of_blanks = poisson.pmf(events[:, None], T_CELLS * blank.rates) @ blank.weights
    at_limit = poisson.pmf(events[:, None], T_CELLS * (limit + (1 - limit) * blank.rates)) @ blank.weights
    plt.rcParams.update({"svg.hashsalt": "limits", "font.size": 10, "svg.fonttype": "none"})
    figure, axes = plt.subplots(figsize=(7.2, 3.1), layout="constrained")
    axes.bar(events, 100 * of_blanks, width=0.9, color="#9a9a9a", label="tubes without CAR-T cells")
    axes.bar(
        events,
        100 * at_limit,
        width=0.9,
        color="#2f6fb0",
        alpha=0.75,
        label=f"tubes at the limit of detection, {100 * limit:.2f} % CAR-T cells",
    )
    top = 100 * float(of_blanks.max())
    for place, text, side, aligned in (
        (lob + 0.5, f"limit of blank:\n{lob} events", -6, "right"),
        (needed - 0.5, f"detected from {needed} events on", 6, "left"),
    ):
        axes.axvline(place, color="#b0352f", linewidth=1.4)
        axes.annotate(text, (place, 1.1 * top), xytext=(side, 0), textcoords="offset points", va="center", ha=aligned)
    axes.set(
        xlabel=f"events in the CAR gate, of {T_CELLS:,} T cells",
        ylabel="tubes, %",
        xlim=(-0.7, 60),
        ylim=(0, 1.25 * top),
    )
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(frameon=False, loc="outside lower center", ncols=2)
    figure.savefig(Path(__file__).parent / "images" / "limits.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
