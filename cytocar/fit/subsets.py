"""Lines inside T cells and lymphocytes: CD4 and CD8, the CAR, B and NK cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cytocar.fit.evidence import Valley, left_spread
from cytocar.fit.gated import FittedGate, Study
from cytocar.fit.lines import Line, Status, draw_line, rounded
from cytocar.fit.taking import stain_scale, take_line, why_no_line
from cytocar.regions.boolean import BooleanGate
from cytocar.regions.boxes import RangeGate
from cytocar.sample.quality.borders import FEWEST_AT_BORDER, LARGEST_BESIDE_PERCENT, SHIFT
from cytocar.statistics.intervals import poisson_interval
from cytocar.template.gate_kinds import ReferenceGate, ValleyGate

Floats = npt.NDArray[np.float64]

OWN_SPREADS = 4.0
WIDEST_OWN_SPREAD = 0.15
"""Share of the axis: a cloud this wide is mixed, and mode + 4 sigma would lie beyond the positives."""
TRUSTED_T = 3.0
ONE_LINE = 0.15
"""Decades: the line among all T cells and the one beside the first marker's cells are one line if no further apart."""
CAR_REACH = 1.4
"""Threshold in units of (99.9 % quantile - median) of a control, above the median (``gates.adaptive.reference``)."""
FEWEST_CONTROL_EVENTS = 1000
FEW_ABOVE = 0.03
DOUBLE_POSITIVE, DOUBLE_NEGATIVE = 0.05, 0.20
MOST_PAIRS, FEWEST_PAIRED = 0.07, 50
"""Of the T cells. Tubes without FSC-H count 0.95 to 1.07 times the T cells below it, 1.1 to 1.23 times above it.
With 50 cells of the rarer kind 7 % of pairs are six and more that carry both."""
SAME_CELLS = 0.6
"""Share of all CD4+ or CD8+ cells that are both (Jaccard). Blood: below 0.05; unstained cells, whose positives are the
same ones in every colour: 0.7 to 0.96."""
FEWEST_TO_PART = 100
"""T cells; with fewer a kind may be absent by chance, and W340 says that they are few."""
FEWEST_OF_ITS_OWN = 0.02
"""Of a marker's positives, cells without the other marker: with fewer, the one line only repeats the other."""


def cd4_and_cd8(study: Study, parent: str) -> None:
    """Add CD4 and CD8 T cells, unless both lines find the same cells: those part bright from dim, not two kinds."""
    before = len(study.gates)
    _draw_cd4_and_cd8(study, parent)
    missing = [marker for marker in ("CD4", "CD8") if study.has("CD4", "CD8") and marker.lower() not in study.masks]
    if missing and "t_cells" in study.masks and study.count(parent) >= FEWEST_TO_PART:
        sentence = f"no two groups of {' or '.join(missing)} among {study.count(parent):,} T cells"
        what = "a product of one kind, or no T cells but autofluorescent ones: look at CD3"
        study.doubt("W349", f"{sentence}: {what}")
    if why := _same_cells(study, study.gates[before:]):
        for gate in reversed(study.gates[before:]):
            study.drop(gate.population.name)
        study.doubts = [(code, sentence) for code, sentence in study.doubts if code not in ("W341", "W342", "W343")]
        study.left_out.append(("cd4, cd8", why))


def _same_cells(study: Study, gates: Sequence[FittedGate]) -> str:
    """Return the reason for which CD4 and CD8 cells are no two kinds; nothing where they are."""
    names = {gate.population.name for gate in gates}
    if not {"cd4", "cd8"} <= names:
        return ""
    first = next(name for name in ("cd4", "cd8") if f"{name}_bright" == gates[0].population.name)
    own = {name: study.count(name) for name in ("cd4", "cd8")}
    both = study.count(f"{first}_bright") - own[first]
    of_either = both + sum(own.values())
    if not of_either:
        return "no cell lies above either line"
    if both > SAME_CELLS * of_either:
        return (
            f"{100 * both / of_either:.0f} % of the CD4+ or CD8+ cells are both: the lines part bright from dim cells"
        )
    for name, cells in own.items():
        if both and cells < FEWEST_OF_ITS_OWN * (cells + both):
            marker, other = name.upper(), "CD8" if name == "cd4" else "CD4"
            return f"nearly all {marker}+ cells are {other}+ too: one line repeats the other; is a matrix missing?"
    return ""


def _both(study: Study) -> int:
    """Return how many cells are CD4+CD8+; none where the two are not parted."""
    if not {"cd4", "cd8"} <= study.masks.keys():
        return 0
    bright = next(name for name in ("cd4_bright", "cd8_bright") if name in study.masks)
    return study.count(bright) - study.count(bright.removesuffix("_bright"))


def _draw_cd4_and_cd8(study: Study, parent: str) -> None:
    """Draw the clearer marker first, the other one with a line of its own on either side.

    Spread of a bright CD4 lifts the CD8 background of CD4+ cells: the line that parts CD8 cells from CD4- ones would
    run through their cloud.
    """
    lines = {
        marker: draw_line(marker, study.signals(marker, parent), stain_scale(study, marker))
        for marker in ("CD4", "CD8")
        if study.has(marker)
    }
    shown = {marker: line for marker, line in lines.items() if line is not None}
    for marker in ("CD4", "CD8"):
        if marker not in lines:
            study.left_out.append((marker.lower(), f"{marker} is not in the panel"))
    if not shown:
        for marker in lines:
            study.left_out.append((marker.lower(), why_no_line(study, marker, parent)))
        return
    first = max(shown, key=lambda marker: shown[marker].strength)
    second = "CD8" if first == "CD4" else "CD4"
    bright, dim = f"{first.lower()}_bright", f"{first.lower()}_dim"
    take_line(study, bright, parent, shown[first], keep="above")
    if second not in lines:
        study.add(
            first.lower(),
            parent,
            BooleanGate(all_of=(bright,)),
            status=shown[first].status,
            evidence=(),
        )
        return
    study.add(dim, parent, BooleanGate(none_of=(bright,)), status=Status.EVIDENCE, evidence=())
    beside = draw_line(second, study.signals(second, dim), stain_scale(study, second))
    if second in shown and (beside is None or not _trusted(beside) or _same(shown[second], beside)):
        _one_line_each(study, parent, first, shown[second])
        return
    if beside is None:
        study.left_out.append((second.lower(), why_no_line(study, second, dim)))
        study.add(
            first.lower(),
            parent,
            BooleanGate(all_of=(bright,)),
            status=shown[first].status,
            evidence=(),
        )
        return
    _own_line(study, first.lower(), bright, beside, dim)
    take_line(study, second.lower(), dim, beside, keep="above")
    _look_at_quadrants(study, parent, bright)


def _one_line_each(study: Study, parent: str, first: str, line: Line) -> None:
    """Add CD4 and CD8 T cells by a line each among all T cells, where both sides agree on it."""
    bright, other = f"{first.lower()}_bright", f"{line.marker.lower()}_bright"
    study.drop(f"{first.lower()}_dim")
    take_line(study, other, parent, line, keep="above")
    for name in ("cd4", "cd8"):
        own = f"{name}_bright"
        rest = other if own == bright else bright
        gate = BooleanGate(all_of=(own,), none_of=(rest,))
        study.add(name, parent, gate, status=line.status, evidence=())
    _look_at_quadrants(study, parent, bright)


def _same(one: Line, other: Line) -> bool:
    return min(one.at, other.at) > 0 and abs(np.log10(one.at / other.at)) < ONE_LINE


def _trusted(line: Line) -> bool:
    return any(valley.t >= TRUSTED_T for valley in (*line.own, line.pooled) if valley is not None)


def _own_line(study: Study, name: str, parent: str, common: Line, other: str) -> None:
    """Add the first marker's cells that are negative for the second: below their own valley, or where they end."""
    marker = common.marker
    scale = stain_scale(study, marker)
    values = study.signals(marker, parent)
    shown = scale.approximate(np.concatenate(values))
    if not len(shown):
        study.left_out.append((name, f"no events in {parent}"))
        return
    mode, spread = left_spread(shown)
    line = draw_line(marker, values, scale)
    place = float(scale.approximate(np.array([line.at]))[0]) if line is not None else 0.0
    if line is not None and place > mode and line.at >= 0.5 * common.at:
        gate = ValleyGate(marker=marker, keep="below", fallback=line.at, window=line.window)
        study.add(name, parent, gate, status=line.status, evidence=line.in_words(), line=line)
        return
    end = float(scale.inverse(mode + OWN_SPREADS * spread))
    at, sentence = max(end, common.at), f"no valley; these cells end at {max(end, common.at):.3g} (mode + 4 sigma)"
    positives = np.concatenate([v[v >= common.of(i)] for i, v in enumerate(study.signals(marker, other))])
    highest = float(np.quantile(positives, 0.25)) if len(positives) else np.inf
    if spread > WIDEST_OWN_SPREAD or at > highest:
        at, sentence = common.at, f"no valley, and no end of their own below the {marker}+ cells: the common line"
    above = float(np.mean(np.concatenate(values) >= at))
    if at == common.at and above > FEW_ABOVE:
        study.doubt("W341", f"{name}: {sentence}")
    study.add(
        name,
        parent,
        RangeGate(marker=marker, max=rounded(at)),
        status=common.status,
        evidence=(sentence,),
    )


def look_at_pairs(study: Study) -> bool:
    """Say how many T cells may be two at once where no gate leaves doublets out, and doubt them if they are many.

    Two T cells at once are a CD4+ and a CD8+ one in 2 a (1 - a) of the cases, with a the share of CD4+ ones; with p the
    share of T cells among what they are gated from, pairs with other cells are 2 (1 - p) / p times as many.

    Returns
    -------
    bool
        Whether they are certainly few, those with other cells among them.
    """
    singlets = next((at for at, (what, _) in enumerate(study.left_out) if what == "singlets"), None)
    if singlets is None or not {"t_cells", "cd4", "cd8"} <= study.masks.keys():
        return False
    total, cd4, cd8 = (study.count(name) for name in ("t_cells", "cd4", "cd8"))
    both = _both(study)
    if min(cd4, cd8) < FEWEST_PAIRED or both >= min(cd4, cd8):  # W342 speaks of these
        return False
    share = cd4 / (cd4 + cd8)
    seen = 2 * share * (1 - share) * total
    sentence = (
        f"{100 * both / total:.1f} % of the T cells are CD4+CD8+, so up to {100 * both / seen:.0f} % may be two at once"
    )
    sentence = f"{sentence}, and pairs with other cells come on top"
    study.left_out[singlets] = ("singlets", f"{study.left_out[singlets][1]}; {sentence}")
    if both > MOST_PAIRS * seen:
        study.doubt("W352", f"no gate leaves doublets out, and {sentence}")
    parent = next(gate.population.parent for gate in study.gates if gate.population.name == "t_cells")
    of_parent = total / study.count(parent)
    return poisson_interval(both)[1] / seen * (2 - of_parent) / of_parent < MOST_PAIRS


def look_at_b_cells(study: Study) -> None:
    """Doubt T cells of which many stick to other cells, by those on B cells, where no gate leaves doublets out.

    No cell is a T and a B cell. With p and b the shares of T and B cells among what they are gated from, pairs of a T
    cell with any cell but a T cell are (1 - p) / b times as many; those of two T cells (``look_at_pairs``) come on top.
    """
    line = next((gate.line for gate in study.gates if gate.population.name == "b_cells"), None)
    if line is None or "singlets" in study.masks or "W352" in dict(study.doubts):
        return
    parent = next(gate.population.parent for gate in study.gates if gate.population.name == "t_cells")
    both = sum(int(np.count_nonzero(v >= line.of(at))) for at, v in enumerate(study.signals(line.marker, "t_cells")))
    b_cells, t_cells = study.count("b_cells"), study.count("t_cells")
    if b_cells < FEWEST_PAIRED or both < FEWEST_PAIRED:
        return
    others = both / t_cells * (study.count(parent) - t_cells) / b_cells
    cd4, cd8 = (study.count(name) if name in study.masks else 0 for name in ("cd4", "cd8"))
    of_two_kinds = 2 * cd4 * cd8 / max(1, cd4 + cd8) ** 2 * t_cells
    if others + (_both(study) / of_two_kinds if of_two_kinds else 0.0) > MOST_PAIRS:
        sentence = f"{100 * both / t_cells:.1f} % of the T cells are {line.marker}+"
        sentence = f"{sentence}, so {100 * others:.0f} % stick to a B cell or another one"
        study.doubt("W352", f"no gate leaves doublets out, and {sentence}")


def _look_at_quadrants(study: Study, parent: str, bright: str) -> None:
    """Doubt lines that leave many T cells positive for both, or for neither."""
    total, of_both = study.count(parent), (study.count("cd4"), study.count("cd8"))
    if not total:
        return
    both = study.count(bright) - of_both[bright != "cd4_bright"]
    neither = total - study.count(bright) - of_both[bright == "cd4_bright"]
    if both > DOUBLE_POSITIVE * total or both > min(of_both):
        sentence = f"{100 * both / total:.0f} % of the cells are CD4+CD8+"
        study.doubt("W342", f"{sentence}: doublets, thymus, spread, or a line through a cloud")
    if parent == "t_cells" and neither > DOUBLE_NEGATIVE * total:  # of all lymphocytes many are neither
        sentence = f"{100 * neither / total:.0f} % of the cells are CD4-CD8-"
        study.doubt("W343", f"{sentence}: gamma-delta T cells, or compensation that is off")


# ---------------------------------------------------------------- the CAR


def car_t(study: Study, parent: str) -> None:
    """Add CAR-T cells where a control or bright positives show them, CD4 and CD8 among them."""
    if not study.has("CAR"):
        return
    scale = stain_scale(study, "CAR")
    line = _from_controls(study) or draw_line("CAR", study.signals("CAR", parent), scale)
    if line is None:
        why = "no CAR+ cells stand out, and no control was given: --control FILE, stained alike and free of CAR"
        study.left_out.append(("car_t", why))
        return
    gate = ReferenceGate(marker="CAR", fallback=line.at, window=line.window)
    study.add("car_t", parent, gate, status=line.status, evidence=line.in_words(), line=line)
    for name in ("cd4", "cd8"):
        if name in study.masks:
            study.add(f"car_{name}", "car_t", BooleanGate(all_of=(name,)), status=line.status, evidence=())


def _from_controls(study: Study) -> Line | None:
    """Return the line above the T cells of control files: where a reference gate would draw it."""
    values = [
        tube.signals["CAR"][mask]
        for tube, mask in zip(study.tubes, study.masks["t_cells"], strict=True)
        if tube.control
    ]
    values = [signals for signals in values if len(signals) >= FEWEST_CONTROL_EVENTS]
    if not values:
        return None
    shown: list[Valley | None] = []
    for signals in values:
        middle, high = (float(value) for value in np.quantile(signals, (0.5, 0.999)))
        at = middle + CAR_REACH * (high - middle)
        shown.append(
            Valley(at, 1.0, 0.0, 0.0, int(np.count_nonzero(signals < at)), int(np.count_nonzero(signals >= at)))
        )
    ats = np.array([valley.at for valley in shown if valley is not None])
    at = float(np.median(ats))
    status = Status.EVIDENCE if len(ats) >= 3 else Status.PROVISIONAL
    low, high = rounded(min(at / 2.5, *ats.tolist())), rounded(max(at * 2.5, *ats.tolist()))
    return _ControlLine("CAR", rounded(at), (low, high), status, tuple(shown))


class _ControlLine(Line, frozen=True):
    """A line that control files give."""

    def in_words(self) -> tuple[str, ...]:
        """Return the evidence, a line each."""
        return (f"{self.status}: 1.4 times as far above the median as the 99.9 % quantile of {len(self.own)} controls",)


# ---------------------------------------------------------------- B and NK cells


def other_lymphocytes(study: Study, lymphocytes: str) -> None:
    """Add B cells, NK cells and NKT cells where the panel has them and the files show them."""
    b_marker = next((marker for marker in ("CD19", "CD20") if study.has(marker)), None)
    nk_marker = next((marker for marker in ("CD56", "CD16") if study.has(marker)), None)
    if b_marker is None and nk_marker is None:
        return
    study.add("not_t", lymphocytes, BooleanGate(none_of=("t_cells",)), status=Status.EVIDENCE, evidence=())
    parent = "not_t"
    if b_marker is not None and _taken(study, "b_cells", parent, b_marker):
        gate = BooleanGate(none_of=("b_cells",))
        study.add("not_t_not_b", parent, gate, status=Status.EVIDENCE, evidence=())
        parent = "not_t_not_b"
    if nk_marker is not None and _taken(study, "nk_cells", parent, nk_marker):
        taken = study.gates[-1]
        if taken.line is not None and _cuts_t_cells(study, nk_marker, taken.line.at):
            study.left_out.append(("nkt_cells", f"at the line of the NK cells T cells have no gap in {nk_marker}"))
        elif taken.line is not None:
            above = RangeGate(marker=nk_marker, min=taken.line.at)
            study.add("nkt_cells", "t_cells", above, status=taken.status, evidence=("the line of the NK cells",))


def _cuts_t_cells(study: Study, marker: str, at: float) -> bool:
    """Return whether a line lies in the T cells: a run would doubt what is above it (W297)."""
    signals = np.concatenate(study.signals(marker, "t_cells"))
    near = int(np.count_nonzero((signals >= at / SHIFT) & (signals < at * SHIFT)))
    return near >= FEWEST_AT_BORDER and 100 * near > LARGEST_BESIDE_PERCENT * int(np.count_nonzero(signals >= at))


def _taken(study: Study, name: str, parent: str, marker: str) -> bool:
    line = draw_line(marker, study.signals(marker, parent), stain_scale(study, marker))
    if line is None:
        study.left_out.append((name, why_no_line(study, marker, parent)))
        return False
    if line.files == len(study.tubes):
        take_line(study, name, parent, line, keep="above")
    else:  # a tube may hold none of them: a gate that looks for a valley would ask for a look at each of these
        gate = RangeGate(marker=marker, min=line.at)
        study.add(name, parent, gate, status=line.status, evidence=line.in_words(), line=line)
    return True
