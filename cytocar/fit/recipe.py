"""The gates of a template in the order that a panel allows: beads, single cells, lymphocytes, living, T cells, subsets.

A gate is taken only where the files show it. What is looked for and not shown is left out, with the reason. Without T
cells nothing below them is drawn: a CD4 line among all events is not one among T cells.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cytocar.fit import physical, subsets
from cytocar.fit.crosscheck import compare_with_clusters
from cytocar.fit.evidence import StainScale, find_evidence, gated_before
from cytocar.fit.gated import ALL, Study
from cytocar.fit.lines import Line, Status, draw_line
from cytocar.fit.living import FEWEST_T_CELLS, t_cells_of, viability
from cytocar.fit.taking import stain_scale, take_line, why_no_line
from cytocar.fit.tubes import Tube
from cytocar.regions.boolean import BooleanGate

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

RAISED, FEWEST_COLOURS, MOST_COLOURS = 0.5, 3, 0.75
"""Decades between medians of cells above and below the line of CD3, and in how many of the other colours. Larger cells
are a little brighter in all colours, by 0.1 to 0.3 decades, than debris."""
RAISED_UNPARTED, ALIKE = 0.1, 0.5
"""The same where no line parts CD4 or CD8 among the cells above the line of CD3, and how far the two may differ in it:
of a product of CD4 or CD8 T cells one is raised by a decade and more, of unstained cells both by 0.1 to 0.6."""
MOSTLY_PARTED, FEWEST_OF_A_KIND = 0.8, 0.05
"""Of the cells above the line of CD3, CD4+CD8- and CD8+CD4- ones together, and the rarer of them. Autofluorescent cells
lie along a diagonal: lines of CD4 and CD8 leave them in both or in neither."""
FEWEST_ABOVE = 0.2
"""Of the cells that carry either CD4 or CD8. Monocytes and NK cells do so without CD3: in PBMC a fifth of them all."""
DIM_SHARE, LARGE_SHARE, MOST_LARGE = 0.3, 0.05, 0.15
"""The dimmest 30 % of the T cells in CD3, larger than all but 5 % of the brighter half in FSC and in SSC. Of eleven
real and simulated tubes 0 to 7 % of them are, of a twelfth 16 %; with autofluorescent cells above the line 14 to 41."""
MOST_UNPARTED = 0.03
"""Of these, in panels with a CAR, where dividing T cells are large and dim too, as many as carry neither or both of CD4
and CD8: 0 to 1 % in simulated CAR-T cells, in PBMC and in products, 5 to 22 where autofluorescent cells lie above."""
FEWEST_COMPARED = 200
"""T cells: of 60 dim ones a share of 5 % is known to 3 points."""
SMALLEST_T_SHARE = 0.85
MOST_CD4_OUTSIDE = 0.12
"""Of those cells: in two real tubes with 11 and 13 % too few CD4 T cells 14 and 16 %, in 13 right ones 2 to 11."""
AT_THE_END, PILED_UP = 0.998, 0.005
"""Of the highest event, and of the events: the highest two thousandths of a scale that does not end hold a few."""


def fit_gates(study: Study) -> None:
    """Add to a study every gate that its files support."""
    cells = physical.beads(study, ALL)
    base = physical.singlets(study, cells)
    if study.has("CD3"):
        _with_cd3(study, cells, base)
    else:
        _without_cd3(study, base)


def _without_cd3(study: Study, base: str) -> None:
    study.left_out.append(("t_cells", "the panel has no CD3: CD4 and CD8 are gated among lymphocytes, or all cells"))
    line = draw_line("CD8", study.signals("CD8", base), stain_scale(study, "CD8")) if study.has("CD8") else None
    inside = None if line is None else physical.lymphocytes(study, base, line)
    if inside is None and "lymphocytes" not in dict(study.left_out):
        why = "without CD3 and CD8+ cells nothing tells lymphocytes from debris and granulocytes"
        study.left_out.append(("lymphocytes", why))
    cd4_cells = "CD4+ cells hold monocytes" if inside is None else "CD4+ cells may hold monocytes"
    study.doubt("W338", f"no CD3 in the panel: {cd4_cells}, CD8+ cells NK cells")
    subsets.cd4_and_cd8(study, viability(study, inside or base, None))


def _with_cd3(study: Study, cells: str, base: str) -> None:
    scale = stain_scale(study, "CD3")
    values = study.signals("CD3", base)
    if _was_gated(study, values, scale):
        return
    around = None
    line = None if study.among_lymphocytes else draw_line("CD3", values, scale, topmost=study.topmost)
    if line is None:
        line, around = _among_lymphocytes(study, base)
    if line is None:
        study.left_out.append(("t_cells", why_no_line(study, "CD3", base)))
        study.left_out.append(("cd4, cd8", "nothing is drawn where the line of CD3 has no evidence"))
        return
    checked = base if around else physical.look_at_singlets(study, cells, base, line)
    if checked != base:
        base = checked
        line = draw_line("CD3", study.signals("CD3", checked), scale, topmost=study.topmost) or line
    car = study.has("CAR")  # activated CAR-T cells are blasts: a gate around resting lymphocytes would lose them
    scatter = around or physical.lymphocytes(study, base, line)
    inside = base if car or scatter is None else scatter
    inside = viability(study, inside, line)
    again = study.topmost and inside == base  # inside lymphocytes no debris is left that makes a valley of its own
    refitted = draw_line("CD3", study.signals("CD3", inside), scale, topmost=again) or line
    take_line(study, "t_cells", inside, refitted, keep="above")
    bright = _bright_in_all(study, inside)
    if 2 * len(bright) >= len(study.tubes):
        if not _of_two_kinds(study):
            _take_back_t_cells(study)
            return
        bright = []
    study.others_above = bool(bright)
    if bright:
        sentence = f"what is bright in CD3 is as bright in other colours in {', '.join(bright)}"
        study.doubt("W348", sentence, files=len(bright))
    _look_at_t_cells(study, around or base, line)
    if car and scatter is not None:
        around = "lymphocytes"
        gate = BooleanGate(any_of=("t_cells", scatter))
        study.add(around, inside, gate, status=Status.EVIDENCE, evidence=("T cells, and what lies around them",))
    subsets.cd4_and_cd8(study, "t_cells")
    if study.has("CD4", "CD8") and not {"cd4", "cd8"} & study.masks.keys():  # T cells of no kind
        elsewhere = _lie_below(study, base)
        if elsewhere or 2 * len(_bright_in_all(study, inside, by=RAISED_UNPARTED, alike=ALIKE)) >= len(study.tubes):
            _take_back_t_cells(study, elsewhere)
            return
    _look_at_cd4_cells(study, base, by_cd8=around is not None and not car)
    few_pairs = subsets.look_at_pairs(study)
    sized = "singlets" in study.masks or scatter is not None or few_pairs
    _look_at_what_stands_before(study, bare=inside == base, sized=sized)
    compare_with_clusters(study, "t_cells")
    _look_at_dim_cells(study)
    subsets.car_t(study, "t_cells")
    lymphocytes = "lymphocytes" if "lymphocytes" in study.masks else inside
    subsets.other_lymphocytes(study, lymphocytes)
    subsets.look_at_b_cells(study)


def _was_gated(study: Study, values: list[Floats], scale: StainScale) -> bool:
    """Return whether half of the files and more hold no CD3-negative cells; what follows from it is noted."""
    before = [gated_before(signals, scale, find_evidence(signals, scale, separation=0)) for signals in values]
    names = [tube.name for tube, gated in zip(study.tubes, before, strict=True) if gated]
    if names:
        sentence = f"{len(names)} of {len(before)} files hold no CD3-negative cells: gated before, or a pure product"
        shown = f"{', '.join(names[:3])}{', ...' if len(names) > 3 else ''}"
        study.doubt("W336", f"{sentence} ({shown})", files=len(names))
    if 2 * sum(before) >= len(before):
        study.left_out.append(("t_cells", "gated before: the files hold no CD3-negative cells to draw a line against"))
        study.left_out.append(("cd4, cd8", "nothing is drawn where the line of CD3 has no evidence"))
        return True
    return False


def _among_lymphocytes(study: Study, base: str) -> tuple[Line | None, str | None]:
    """Return the line of CD3 inside the lymphocytes that CD8+ cells show, and their gate; nothing where none is clear.

    Granulocytes take up antibodies: of blood, a dim CD3 has a valley among lymphocytes only.
    """
    bright = draw_line("CD8", study.signals("CD8", base), stain_scale(study, "CD8")) if study.has("CD8") else None
    if bright is None or study.has("CAR"):
        return None, None
    before = len(study.left_out)
    around = physical.lymphocytes(study, base, bright)
    del study.left_out[before:]
    if around is None:
        return None, None
    line = draw_line("CD3", study.signals("CD3", around), stain_scale(study, "CD3"))
    if line is None:
        study.drop(around)
        return None, None
    return line, around


def _take_back_t_cells(study: Study, why: str = "") -> None:
    study.drop("t_cells")
    study.doubts = [doubt for doubt in study.doubts if doubt[0] != "W349"]
    glowing = "what is bright in CD3 is as bright in every other colour: autofluorescent or dead cells, or no matrix"
    study.left_out.append(("t_cells", why or glowing))
    study.left_out.append(("cd4, cd8", "nothing is drawn where the line of CD3 has no evidence"))


def _of_two_kinds(study: Study) -> bool:
    """Return whether nearly all cells above the line of CD3 carry either CD4 or CD8, which no glowing cells do.

    Dividing T cells of a product are brighter than all else in it, dead cells and debris, in every colour.
    """
    if not study.has("CD4", "CD8"):
        return False
    either = [sum(int(mask.sum()) for mask in masks) for masks in zip(*_of_one_kind(study, "t_cells"), strict=True)]
    total = study.count("t_cells")
    return sum(either) > MOSTLY_PARTED * total and min(either) > FEWEST_OF_A_KIND * total


def _of_one_kind(study: Study, parent: str) -> list[tuple[Bools, Bools]]:
    """Return, by file, which events of a population carry CD4 and not CD8, and which CD8 and not CD4."""
    lines = [draw_line(marker, study.signals(marker, parent), stain_scale(study, marker)) for marker in ("CD4", "CD8")]
    kinds = []
    for at, (tube, mask) in enumerate(zip(study.tubes, study.masks[parent], strict=True)):
        cd4, cd8 = (
            np.zeros_like(mask) if line is None else mask & (tube.signals[line.marker] >= line.of(at)) for line in lines
        )
        kinds.append((cd4 & ~cd8, cd8 & ~cd4))
    return kinds


def _lie_below(study: Study, base: str) -> str:
    """Return why cells above the line of CD3, which do not part in CD4 and CD8, are no T cells; nothing if they may be.

    Monocytes glow in a CD3 that was not stained, and the T cells lie below them.
    """
    kinds = [np.concatenate(masks) for masks in zip(*_of_one_kind(study, base), strict=True)]
    if min(int(kind.sum()) for kind in kinds) < FEWEST_T_CELLS:
        return ""
    above = float(np.mean(np.concatenate(study.masks["t_cells"])[kinds[0] | kinds[1]]))
    if above > FEWEST_ABOVE:
        return ""
    return f"only {100 * above:.0f} % of the cells that carry CD4 or CD8 lie above the line of CD3: was it stained?"


def _bright_in_all(study: Study, parent: str, *, by: float = RAISED, alike: float = np.inf) -> list[str]:
    """Return the files in which cells above the line of CD3 are brighter than the rest in CD4, CD8 and most colours.

    T cells are not: no more than half of them carry CD4, or no more than half CD8.

    Parameters
    ----------
    by : float
        Decades.
    alike : float
        Decades that CD4 and CD8 may differ in that: cells that carry one of them do by more.
    """
    stained = [name for name in study.tubes[0].panel.channels if name[:3] not in ("FSC", "SSC") and study.has(name)]
    others = [name for name in stained if name != "CD3"]
    if len(others) < FEWEST_COLOURS or not study.has("CD4", "CD8"):
        return []
    names = []
    for tube, within, inside in zip(study.tubes, study.masks[parent], study.masks["t_cells"], strict=True):
        raised = {marker: _raised(study, marker, tube, inside, within & ~inside) for marker in others}
        above = {marker: decades > by for marker, decades in raised.items()}
        both = above["CD4"] and above["CD8"] and abs(raised["CD4"] - raised["CD8"]) < alike
        if both and sum(above.values()) >= MOST_COLOURS * len(others):
            names.append(tube.name)
    return names


def _raised(study: Study, marker: str, tube: Tube, inside: Bools, outside: Bools) -> float:
    if not (inside.any() and outside.any()):
        return 0.0
    scale = stain_scale(study, marker)
    medians = [float(np.median(scale.approximate(tube.signals[marker][mask]))) for mask in (inside, outside)]
    return float(scale.M * (medians[0] - medians[1]))


def _look_at_what_stands_before(study: Study, *, bare: bool, sized: bool) -> None:
    """Doubt T cells before which no gate leaves dead cells out (``bare``), or doublets and debris (not ``sized``)."""
    if not bare and sized:
        return
    kinds = ["scatter", "CD45", *([] if sized else ["height or width"]), *(["a viability dye"] if bare else [])]
    others = [*(["dead cells"] if bare else []), *([] if sized else ["doublets"])]
    sentence = f"no gate on {', '.join(kinds[:-1])} or {kinds[-1]} stands before the T cells"
    study.doubt("W350", f"{sentence}: {', '.join(others)} and debris that are bright in CD3 are counted with them")


def _look_at_dim_cells(study: Study) -> None:
    """Doubt T cells whose dimmest in CD3 are larger than the brightest: monocytes, or dying cells, that are none."""
    car = study.has("CAR")  # activated CAR-T cells are large, and dimmer in CD3
    if not study.has("FSC-A", "SSC-A") or (car and not {"cd4", "cd8"} <= study.masks.keys()):
        return
    names = []
    for index, (tube, inside) in enumerate(zip(study.tubes, study.masks["t_cells"], strict=True)):
        if int(inside.sum()) < FEWEST_COMPARED:
            continue
        cd3 = tube.signals["CD3"][inside]
        dim, bright = cd3 < np.quantile(cd3, DIM_SHARE), cd3 >= np.median(cd3)
        large = []
        for marker in ("FSC-A", "SSC-A"):
            size = tube.signals[marker][inside]
            large.append(size[dim] > np.quantile(size[bright], 1 - LARGE_SHARE))
        share = float(min(map(np.mean, large)))
        if car:
            parted = (study.masks["cd4"][index] | study.masks["cd8"][index])[inside]
            share = float(np.mean(large[0] & large[1] & ~parted[dim]))
        if share > (MOST_UNPARTED if car else MOST_LARGE):
            names.append(f"{tube.name} ({100 * share:.0f} %)")
    study.others_above |= bool(names)
    if names:
        sentence = f"of the T cells that are dim in CD3 many are larger than bright ones in {', '.join(names)}"
        study.doubt("W351", f"{sentence}: autofluorescent cells or monocytes above the line of CD3", files=len(names))


def _look_at_t_cells(study: Study, base: str, line: Line) -> None:
    """Doubt a lymphocyte gate that loses T cells, and files that hold few of them."""
    living = next((gate.line for gate in study.gates if gate.population.name == "viable"), None)
    if living is None and study.has("viability"):  # the gate of lymphocytes may have left all dead cells out
        living = draw_line("viability", t_cells_of(study, base, line), stain_scale(study, "viability"))
    before = 0
    for index, signals in enumerate(study.signals("CD3", base)):
        bright = (signals >= line.of(index)) & ~_off_scale(study, base, index)
        if living is not None:  # dead cells are left out on purpose
            bright &= study.signals("viability", base)[index] < living.of(index)
        before += int(np.count_nonzero(bright))
    t_cells = study.count("t_cells")
    study.t_cells_outside = 1 - t_cells / before if before else 0.0
    if study.t_cells_outside > 1 - SMALLEST_T_SHARE:
        what = "CD3+ events" if living is None else "living CD3+ events"
        sentence = f"{100 * study.t_cells_outside:.0f} % of the {what} lie outside the gates before t_cells"
        study.doubt("W339", f"{sentence}: dead cells and doublets, or a gate that is too tight; look at the pictures")
    few = [
        tube.name
        for tube, mask in zip(study.tubes, study.masks["t_cells"], strict=True)
        if int(mask.sum()) < FEWEST_T_CELLS
    ]
    if few:
        sentence = f"fewer than {FEWEST_T_CELLS} T cells in {len(few)} of {len(study.tubes)} files"
        sentence = f"{sentence}: their own lines are weak, the fallback speaks for them"
        study.doubt("W340", sentence, files=len(few))


def _look_at_cd4_cells(study: Study, base: str, *, by_cd8: bool) -> None:
    """Doubt lymphocytes that CD8+ cells show, if cells as bright in CD3 and CD4 as CD4 T cells lie outside."""
    if not by_cd8 or "cd4" not in study.masks:
        return
    inside = outside = 0
    for at, (tube, cd4) in enumerate(zip(study.tubes, study.masks["cd4"], strict=True)):
        bright = study.masks[base][at] & bool(cd4.any())
        for marker in ("CD3", "CD4") if cd4.any() else ():
            bright &= tube.signals[marker] >= np.quantile(tube.signals[marker][cd4], DIM_SHARE)
        bright[study.masks[base][at]] &= ~_off_scale(study, base, at)
        inside += int(np.sum(bright & study.masks["t_cells"][at]))
        outside += int(np.sum(bright & ~study.masks["t_cells"][at]))
    share = outside / max(1, inside + outside)
    if share > MOST_CD4_OUTSIDE:
        sentence = f"{100 * share:.0f} % of the cells as bright in CD3 and CD4 as CD4 T cells"
        study.doubt("W339", f"{sentence} lie outside the lymphocytes, which CD8+ cells show")


def _off_scale(study: Study, base: str, index: int) -> Bools:
    """Return which events of a file are at the end of FSC or SSC, where many are: aggregates, and no lymphocytes."""
    off = np.zeros(int(study.masks[base][index].sum()), dtype=bool)
    for marker in ("FSC-A", "SSC-A"):
        if study.has(marker):
            ends = study.signals(marker, base)[index]
            at_the_end = ends >= AT_THE_END * study.tubes[index].signals[marker].max(initial=0)
            off |= at_the_end & bool(np.mean(at_the_end) > PILED_UP)
    return off
