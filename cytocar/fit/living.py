"""The gate of living cells: where the viability dye shows dead ones, or where the T cells end."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cytocar.fit.evidence import left_spread
from cytocar.fit.gated import Study
from cytocar.fit.lines import Line, Status, draw_line, rounded
from cytocar.fit.taking import stain_scale, take_line, why_no_line
from cytocar.regions.boxes import RangeGate

Floats = npt.NDArray[np.float64]

FEWEST_LIVING, FEWEST_T_LIVING = 0.5, 0.9
"""A viability line is believed if most events, and nearly all T cells, lie below it."""
CLEAR = 0.5
"""Strength of a line among the T cells themselves: then it parts dead from living ones, however many are dead."""
LIVING_SPREADS, LEAST_KEPT = 6.0, 0.98
LONGEST_REACH = 0.3
"""Share of the axis: a cloud that needs more for 6 sigma is a smear, and its end says nothing."""
FEWEST_T_CELLS = 300
"""With fewer their lines are weak, and their end is not known."""


def viability(study: Study, parent: str, cd3: Line | None) -> str:
    """Add the gate of living cells where the files show them to end; return what is gated on."""
    if not study.has("viability"):
        study.left_out.append(("viable", "no viability dye in the panel"))
        return parent
    scale = stain_scale(study, "viability")
    living = t_cells_of(study, parent, cd3)
    among_t_cells = draw_line("viability", living, scale) if cd3 is not None else None
    if among_t_cells is not None and among_t_cells.strength >= CLEAR and _below(living, among_t_cells) >= FEWEST_LIVING:
        take_line(study, "viable", parent, among_t_cells, keep="below")
        return "viable"
    line = draw_line("viability", study.signals("viability", parent), scale)
    if line is not None and _keeps_the_living(study, parent, line, living):
        take_line(study, "viable", parent, line, keep="below")
        return "viable"
    shown = scale.approximate(np.concatenate(living)) if living else np.zeros(0)
    if len(shown) >= FEWEST_T_CELLS:
        mode, spread = left_spread(shown)
        end = mode + LIVING_SPREADS * spread
        share_below = float(np.mean(shown < end))
        if share_below >= LEAST_KEPT and LIVING_SPREADS * spread < LONGEST_REACH and end < 1:
            at = rounded(float(scale.inverse(end)))
            sentence = (
                f"no dead cells stand out; {100 * share_below:.1f} % of the T cells lie below their mode + 6 sigma"
            )
            gate = RangeGate(marker="viability", max=at)
            study.add("viable", parent, gate, status=Status.PROVISIONAL, evidence=(sentence,))
            return "viable"
        why = (
            "the T cells are a smear on it"
            if share_below >= LEAST_KEPT
            else f"only {100 * share_below:.0f} % of T cells are close"
        )
        study.left_out.append(("viable", f"no dead cells stand out, and {why}: no line is drawn"))
        return parent
    study.left_out.append(("viable", why_no_line(study, "viability", parent)))
    return parent


def t_cells_of(study: Study, parent: str, cd3: Line | None) -> list[Floats]:
    dye = study.signals("viability", parent)
    if cd3 is None:
        return dye
    return [
        values[signals >= cd3.of(index)]
        for index, (values, signals) in enumerate(zip(dye, study.signals("CD3", parent), strict=True))
    ]


def _keeps_the_living(study: Study, parent: str, line: Line, living: list[Floats]) -> bool:
    all_of_them = study.signals("viability", parent)
    return _below(all_of_them, line) >= FEWEST_LIVING and _below(living, line) >= FEWEST_T_LIVING


def _below(files: list[Floats], line: Line) -> float:
    events_below = [int(np.count_nonzero(values < line.of(index))) for index, values in enumerate(files)]
    return sum(events_below) / max(1, sum(map(len, files)))
