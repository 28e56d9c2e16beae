"""``python docs/questions_pictures.py``: draw the pictures of the pages in docs/questions into docs/images."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from cytocar.counting.blank_rates import measured_rates
from cytocar.counting.unseen_positives import planned_sensitivity
from cytocar.gates.decision import Background

IMAGES = Path(__file__).parent / "images"
GREY, BLUE, RED, ORANGE = "#9a9a9a", "#2f6fb0", "#b0352f", "#d97706"


def save(figure: Figure, name: str) -> None:
    """Write a picture whose bytes depend on nothing but what it shows."""
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(IMAGES / f"{name}.svg", metadata={"Date": None})
    plt.close(figure)


def edge_of_a_gate() -> None:
    """Draw an edge, the steps in which FlowJo decides, and the events on which the two programs differ."""
    random = np.random.default_rng(4)
    x, y = random.uniform(0, 8, 260), random.uniform(0, 8, 260)
    by_value = y > x
    by_step = np.floor(y) + 0.5 > np.floor(x) + 0.5
    same = by_value == by_step
    figure, axes = plt.subplots(figsize=(4.6, 4.2), layout="constrained")
    axes.set_xticks(range(9), [])
    axes.set_yticks(range(9), [])
    axes.grid(color="#dddddd")
    axes.plot([0, 8], [0, 8], color=RED, linewidth=1.6, label="edge of the polygon")
    axes.scatter(x[same], y[same], s=9, color=GREY, label="both programs agree")
    axes.scatter(x[~same], y[~same], s=22, color=BLUE, label="they differ: inside by value, not by its step")
    axes.set(xlim=(0, 8), ylim=(0, 8), xlabel="marker 1, in steps of the display", ylabel="marker 2")
    figure.legend(frameon=False, loc="outside lower center")
    save(figure, "flowjo-edge")


def gated_and_net() -> None:
    """Draw negatives and positives on the CAR axis, and what lies on the wrong side of the line."""
    axis = np.linspace(0, 5, 600)
    negative = 0.75 * np.exp(-0.5 * ((axis - 1.6) / 0.35) ** 2)
    positive = 0.42 * np.exp(-0.5 * ((axis - 3.2) / 0.55) ** 2)
    line = 2.25
    above, below = axis >= line, axis <= line
    figure, axes = plt.subplots(figsize=(6.4, 2.9), layout="constrained")
    axes.plot(axis, negative, color=GREY)
    axes.plot(axis, positive, color=BLUE)
    axes.fill_between(axis, negative, where=above, color=RED, label="background: in the gate, no CAR")
    axes.fill_between(axis, positive, where=below, color=ORANGE, label="too dim: a CAR, outside the gate")
    axes.fill_between(axis, positive, where=above, color=BLUE, alpha=0.25, label="gated (with the red)")
    axes.axvline(line, color="black", linewidth=1.2)
    axes.annotate("threshold", (line, 0.6), xytext=(5, 0), textcoords="offset points")
    axes.annotate("T cells without a CAR", (1.55, 0.76), ha="center", va="bottom", color="#666666")
    axes.annotate("CAR-T cells", (3.2, 0.43), ha="center", va="bottom", color=BLUE)
    axes.set(xlabel="CAR signal", ylabel="T cells", yticks=[], xticks=[], ylim=(0, 0.86))
    figure.legend(frameon=False, loc="outside lower center", ncols=2)
    save(figure, "gated-and-net")


def smallest_claim() -> None:
    """Draw the limit of detection against the T cells acquired, for backgrounds that reagents have."""
    t_cells, claim = np.geomspace(5_000, 1_000_000, 60).astype(int), 0.02
    above = planned_sensitivity()
    figure, axes = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
    for percent, colour in ((0.05, RED), (0.02, ORANGE), (0.01, BLUE), (0.002, "#2b8a3e")):
        blank = measured_rates(Background(round(percent / 100 * 300_000), 300_000, ()))
        limits = [blank.smallest_detected(n, blank.needed(n, 13), sensitivity=above) for n in t_cells]
        shown = [np.nan if limit is None else 100 * limit for limit in limits]
        axes.plot(t_cells, shown, color=colour)
        axes.annotate(
            f"{percent:g} %",
            (t_cells[-1], shown[-1]),
            xytext=(4, 7 if percent == claim else 0),  # its curve ends on the line of the claim
            textcoords="offset points",
            va="center",
        )
    axes.axhline(claim, color="black", linewidth=1, linestyle="--")
    axes.annotate(f"{claim} %", (5_000, claim), xytext=(0, 3), textcoords="offset points")
    axes.set(xscale="log", yscale="log", xlabel="T cells acquired", ylabel="limit of detection, % of T cells")
    axes.set_yticks([0.003, 0.01, 0.03, 0.1, 0.3], ["0.003", "0.01", "0.03", "0.1", "0.3"])
    axes.set_xticks([10_000, 100_000, 1_000_000], ["10,000", "100,000", "1,000,000"])
    axes.minorticks_off()
    axes.set_title("at the right end of each curve: background of the gate", fontsize=9, loc="right")
    save(figure, "smallest-claim")


if __name__ == "__main__":
    plt.rcParams.update({"svg.hashsalt": "questions", "font.size": 10, "svg.fonttype": "none"})
    edge_of_a_gate()
    gated_and_net()
    smallest_claim()
