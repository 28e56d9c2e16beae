"""Gates on what an event is, whatever it carries: counting beads, single cells, lymphocytes by their scatter."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from cytocar.fit.gated import Study
from cytocar.fit.lines import Line, Status, draw_line, rounded
from cytocar.fit.taking import stain_scale
from cytocar.fit.tubes import Tube
from cytocar.gates.adaptive.density import density
from cytocar.regions.boolean import BooleanGate
from cytocar.statistics.order import MAD_TO_SD
from cytocar.template.gate_kinds import ClusterGate, SingletsGate
from cytocar.template.model import Population

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

BRIGHT = 1 / 100
"""Beads lie above this share of the scale in every colour; no cell does."""
EXCLUSIVE = (("CD4", "CD8"), ("CD3", "CD19"), ("CD3", "CD20"))
"""Pairs that no cell carries brightly at once: with neither, T cells could be taken for beads."""
BEAD_FACTOR = 2.0
FEWEST_BEADS, SMALLEST_BEAD_SHARE = 50, 0.5
TIGHT_LN = 0.25
AROUND = 2.0
"""Factor either way within which events count as around a spot of beads, whose CV is at most 0.2."""
PULSE_SMOOTHING = 0.015
SIGMA_LIMITS = (0.012, 0.10)
SIGMAS = (8.0, 6.0)
"""Limits of single cells in spreads of the upper side. 4 loses 1 to 6 % of single T cells (T cells of two kinds at once
tell doublets), 8 loses 0.1 to 1.3 %."""
ROOM = 1.15
CONSTANT_RATIO = 1e-4
CORE_SHARES = (0.30, 0.98)
WITHIN, WITHIN_FLUORESCENCE = 1.8, 2.0
"""How far the T cells' place may move: a third of gain either way, and what a gate of mixed sizes is wide."""
FEWEST_CORE = 100
MOSTLY = 0.85
"""Of the events, in a lymphocyte gate that CD8+ cells place: beyond it a file holds hardly anything but lymphocytes."""
MOST_CUT_OFF, WIDER = 0.03, 0.99
"""Of the T cells, between the ellipse that ends where other cells outnumber them and the one of 99 % of them: of blood
with 3 % T cells and of a spleen 2 to 10 % lie there, and then the wider one is taken. On FSC and SSC dead T cells lie
there, in three of seven real tubes without CD45 (4 to 17 %), so it is taken on CD45 alone, which the dead have less of.
"""
FEWEST_KEPT = 0.35
"""Of the T cells, in the lymphocyte gate and in the one of single cells: of real tubes up to 36 % of what is bright in
CD3 lie outside, dead cells; with two thirds of them outside the spot is no spot of T cells."""


def beads(study: Study, parent: str) -> str:
    """Add counting beads where the files show some, a tight spot bright in all colours; return what is gated on."""
    colours = [name for name in ("CD4", "CD8", "CD3", "CD45", "CAR", "CD19", "CD56", "viability") if study.has(name)]
    pair = next((pair for pair in EXCLUSIVE if study.has(*pair)), None)
    if len(colours) < 3 or pair is None:
        return parent
    x, y = pair
    spots = []
    for tube in study.tubes:
        bright = np.all([tube.signals[name] > BRIGHT * tube.top for name in colours], axis=0)
        if np.count_nonzero(bright) < FEWEST_BEADS:
            continue
        points = np.log(np.stack([tube.signals[name][bright] for name in (x, y)], axis=1))
        center = np.median(points, axis=0)
        near = np.abs(points - center).max(axis=1) < TIGHT_LN
        around = _around(tube, [tube.signals[name][bright] for name in colours], colours)
        if np.count_nonzero(near) >= SMALLEST_BEAD_SHARE * max(len(near), around):
            spots.append(np.median(points[near], axis=0))
    if 2 * len(spots) < len(study.tubes) or not spots:
        study.left_out.append(("beads", "no tight spot is bright in all colours: no counting beads"))
        return parent
    place = np.exp(np.median(spots, axis=0))
    gate = ClusterGate(x=x, y=y, near=(rounded(float(place[0])), rounded(float(place[1]))), within=BEAD_FACTOR)
    sentence = f"a spot bright in {', '.join(colours)} in {len(spots)} of {len(study.tubes)} files"
    study.add("beads", parent, gate, status=_by_files(len(spots)), evidence=(sentence,))
    wide = [decided for decided in study.decisions["beads"] if any("WIDE_CLUSTER" in one.flags for one in decided)]
    if 2 * len(wide) > len(study.tubes):
        study.drop("beads")
        study.left_out.append(("beads", f"what is bright in all colours is no tight spot ({sentence})"))
        return parent
    gate_of_cells = BooleanGate(none_of=("beads",))
    study.add("cells", parent, gate_of_cells, status=Status.EVIDENCE, evidence=("what is no bead",))
    return "cells"


def _around(tube: Tube, spot: list[Floats], colours: list[str]) -> int:
    """Return how many events lie around a spot in all colours, also below what is bright: a tail that the limit cut
    ends as sharply as beads do, and goes on below it."""
    places = [float(np.median(values)) for values in spot]
    beside = [
        (tube.signals[name] > place / AROUND) & (tube.signals[name] < place * AROUND)
        for name, place in zip(colours, places, strict=True)
    ]
    return int(np.count_nonzero(np.all(beside, axis=0)))


def _by_files(files: int) -> Status:
    return Status.EVIDENCE if files >= 3 else Status.PROVISIONAL


# ---------------------------------------------------------------- single cells


def singlets(study: Study, parent: str) -> str:
    """Add single cells by another measure of the pulse, where the files have one; return what is gated on."""
    pairs = (("FSC-A", "FSC-H"), ("SSC-A", "SSC-H"), ("FSC-A", "FSC-W"))
    area, pulse = next((pair for pair in pairs if study.has(*pair)), ("", ""))
    if not area:
        study.left_out.append(("singlets", "no FSC-H, SSC-H or FSC-W in the files: doublets stay in"))
        return parent
    height = pulse.endswith("H")
    sigmas = []
    for areas, pulses in zip(study.signals(area, parent), study.signals(pulse, parent), strict=True):
        sigma = _sigma(areas, pulses, height=height)
        if sigma is not None:
            sigmas.append(sigma)
    if 2 * len(sigmas) < len(study.tubes) or not sigmas:
        study.left_out.append(
            ("singlets", f"{pulse} / {area} is the same for all events: one is computed from the other")
        )
        return parent
    sigma = float(np.median(sigmas))
    limits = (rounded(math.exp(-SIGMAS[0] * sigma)), rounded(math.exp(SIGMAS[1] * sigma)))
    gate = SingletsGate(
        area=area,
        height=pulse if height else None,
        width=None if height else pulse,
        sigmas=SIGMAS,
        fallback=limits,
        window=(rounded(limits[0] / ROOM**2), rounded(limits[1] * ROOM**2)),
    )
    sentence = (
        f"{pulse} / {area} spreads by {100 * sigma:.1f} % above its mode ({len(sigmas)} of {len(study.tubes)} files)"
    )
    study.add("singlets", parent, gate, status=_by_files(len(sigmas)), evidence=(sentence,))
    return "singlets"


def look_at_singlets(study: Study, parent: str, base: str, line: Line) -> str:
    """What is gated on: the parent, where the gate of single cells would lose most T cells."""
    if base != "singlets" or (kept := _kept(study, parent, base, line)) >= FEWEST_KEPT:
        return base
    study.drop(base)
    why = f"height against area is no line: around the densest one lie only {100 * kept:.0f} % of the T cells"
    study.left_out.append(("singlets", why))
    return parent


def _sigma(areas: Floats, pulses: Floats, *, height: bool) -> float | None:
    """Return the spread of ln(height / area) above its mode, where no doublets are; None where there is none."""
    usable = (areas > 0) & (pulses > 0) & (areas < 0.995 * areas.max(initial=0))
    if np.count_nonzero(usable) < FEWEST_CORE:
        return None
    ratio = np.log(pulses[usable] / areas[usable]) if height else -np.log(pulses[usable])
    low, high = np.quantile(ratio, (0.25, 0.75))
    if high - low < CONSTANT_RATIO:
        return None
    smooth = density(ratio[(ratio > low - 2) & (ratio < high + 2)], PULSE_SMOOTHING)
    above = ratio - float(smooth.centers[smooth.heights.argmax()])
    above = above[above > 0]
    return float(np.clip(MAD_TO_SD * np.median(above), *SIGMA_LIMITS)) if len(above) else None


# ---------------------------------------------------------------- lymphocytes


def lymphocytes(study: Study, parent: str, line: Line) -> str | None:
    """Add the gate around the cells above a line on CD45 or FSC and SSC; return its name, None without scatter.

    The mode of all scatter is often debris or granulocytes; T cells tell where lymphocytes are, and where CD3 is not in
    the panel CD8+ cells do, which are T and NK cells.
    """
    if not study.has("SSC-A") or not (study.has("CD45") or study.has("FSC-A")):
        study.left_out.append(("lymphocytes", "no side scatter with CD45 or FSC: there is no gate around lymphocytes"))
        return None
    x = "CD45" if study.has("CD45") else "FSC-A"
    cells = "T cells" if line.marker == "CD3" else f"{line.marker}+ cells"
    centers = [
        center for index in range(len(study.tubes)) if (center := _center(study, parent, index, x, line)) is not None
    ]
    if not centers:
        study.left_out.append(("lymphocytes", f"too few {cells} to find lymphocytes by"))
        return None
    middle = np.median(centers, axis=0)
    apart = float(np.abs(np.array(centers) - middle).max())
    within = max(WITHIN if x == "FSC-A" else WITHIN_FLUORESCENCE, math.exp(1.5 * apart))
    name = "lymphocyte_scatter" if study.has("CAR") else "lymphocytes"
    gate = ClusterGate(
        x=x,
        y="SSC-A",
        near=(rounded(math.exp(middle[0])), rounded(math.exp(middle[1]))),
        within=round(within, 2),
        core={line.marker: line.window},
    )
    off = f", up to {math.exp(apart):.2f}-fold off" if len(centers) > 1 else ""
    sentence = f"{cells} lie around this place in {len(centers)} of {len(study.tubes)} files{off}"
    study.add(name, parent, gate, status=_by_files(len(centers)), evidence=(sentence,))
    lost = [decided for decided in study.decisions[name] if any(one.source == "fallback" for one in decided)]
    if 2 * len(lost) > len(study.tubes):
        study.drop(name)
        study.left_out.append(
            ("lymphocytes", f"the {cells} are no spot on scatter: there is no gate around lymphocytes")
        )
        return None
    kept = _kept(study, parent, name, line)
    if kept < FEWEST_KEPT:
        study.drop(name)
        why = f"the tightest spot on scatter holds only {100 * kept:.0f} % of the {cells}: no gate around lymphocytes"
        study.left_out.append(("lymphocytes", why))
        return None
    if line.marker != "CD3" and study.count(name) > MOSTLY * study.count(parent):
        study.drop(name)
        why = "most events lie where the lymphocytes do: without CD3 a gate around them would only cut some off"
        study.left_out.append(("lymphocytes", why))
        return None
    if x == "CD45" and study.has("CD3") and not study.has("CAR"):
        _widen(study, parent, gate, line, sentence, status=_by_files(len(centers)))
    return name


def _widen(study: Study, parent: str, gate: ClusterGate, line: Line, sentence: str, *, status: Status) -> None:
    """Take the ellipse of nearly all T cells where the one that other cells end cuts too many of them off."""
    name = "lymphocytes"
    wider = replace(gate, least=WIDER)
    masks, _ = study.applied(Population(name=name, parent=parent, gate=wider))
    wide = [mask & (tube.signals[line.marker] >= line.of(at)) for at, (tube, mask) in enumerate(_each(study, masks))]
    if study.has("viability"):  # the dead lie at the border
        dyes = [tube.signals["viability"][mask] for tube, mask in _each(study, wide)]
        dead = draw_line("viability", dyes, stain_scale(study, "viability"))
        if dead is not None:
            below = [tube.signals["viability"] < dead.of(at) for at, tube in enumerate(study.tubes)]
            wide = [mask & living for mask, living in zip(wide, below, strict=True)]
    inside = sum(int(np.count_nonzero(mask & narrow)) for mask, narrow in zip(wide, study.masks[name], strict=True))
    cut_off = 1 - inside / max(1, sum(int(np.count_nonzero(mask)) for mask in wide))
    if cut_off <= MOST_CUT_OFF:
        return
    study.drop(name)
    why = f"other cells outnumber them at its border, which would cut off {100 * cut_off:.0f} % of the T cells"
    study.add(name, parent, wider, status=status, evidence=(sentence, f"{why}: it ends at {100 * WIDER:g} % of them"))


def _each(study: Study, masks: list[Bools]) -> Iterator[tuple[Tube, Bools]]:
    return zip(study.tubes, masks, strict=True)


def _kept(study: Study, parent: str, name: str, line: Line) -> float:
    """Return the share of the cells above a line that a population keeps of its parent's."""
    within, inside = (
        sum(
            int(np.count_nonzero(values >= line.of(index)))
            for index, values in enumerate(study.signals(line.marker, of))
        )
        for of in (parent, name)
    )
    return inside / max(1, within)


def _center(study: Study, parent: str, index: int, x: str, line: Line) -> Floats | None:
    """Return ln of the place where most cells above a line are in a file, on two axes."""
    mask = study.masks[parent][index]
    signals = study.tubes[index].signals
    bright = signals[line.marker]
    positive = mask & (bright >= line.of(index))
    if np.count_nonzero(positive) < FEWEST_CORE // 2:
        return None
    low, high = np.quantile(bright[positive], CORE_SHARES)
    core = positive & (bright > low) & (bright < high)
    if "CD45" in signals:
        core &= signals["CD45"] > np.quantile(signals["CD45"][positive], 0.10)
    return _mode(signals[x][core], signals["SSC-A"][core])


def _mode(x: Floats, y: Floats) -> Floats | None:
    """Return ln of the tallest place of two signals: 96 x 96 cells, smoothed by 2.5 of them."""
    from scipy.ndimage import gaussian_filter

    usable = (x > 0) & (y > 0) & (x < 0.995 * x.max(initial=0)) & (y < 0.995 * y.max(initial=0))
    if np.count_nonzero(usable) < FEWEST_CORE // 4:
        return None
    points = np.log(np.stack([x[usable], y[usable]], axis=1))
    low, high = np.quantile(points, (0.005, 0.995), axis=0)
    limits = np.stack([low - 0.1, high + 0.1], axis=1)
    counts, x_edges, y_edges = np.histogram2d(points[:, 0], points[:, 1], bins=96, range=limits)
    tallest = np.unravel_index(gaussian_filter(counts, 2.5).argmax(), counts.shape)
    return np.array([x_edges[tallest[0]] + x_edges[tallest[0] + 1], y_edges[tallest[1]] + y_edges[tallest[1] + 1]]) / 2
