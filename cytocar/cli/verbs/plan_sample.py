"""``cytocar plan-sample``: how many T cells, and how much blood, a limit of detection needs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cytocar.cli import screen


def command(
    percent: Annotated[
        list[float] | None,
        typer.Option("--percent", min=1e-4, max=50.0, help="Share of T cells to be detected; may be repeated."),
    ] = None,
    background: Annotated[
        float, typer.Option("--background", min=0.0, max=20.0, help="Background of the gate, percent of T cells.")
    ] = 0.02,
    background_cv: Annotated[
        float, typer.Option("--background-cv", min=0.0, max=3.0, help="Its variation from tube to tube (0.25: 25 %).")
    ] = 0.25,
    control_t_cells: Annotated[
        int, typer.Option("--control-t-cells", min=100, help="T cells of the CAR-negative control.")
    ] = 100_000,
    t_cells_per_ul: Annotated[
        float | None, typer.Option("--t-cells-per-ul", min=0.001, help="T cells of the patient: gives the blood.")
    ] = None,
    stain_index: Annotated[
        float, typer.Option("--stain-index", min=1.0, max=1000.0, help="Of the CAR-T cells: fewer dim ones are seen.")
    ] = 6.0,
    events: Annotated[int, typer.Option("--events", min=1, help="Events that a claim needs in any case.")] = 13,
) -> None:
    """Plan a tube: the T cells, and the blood, with which so few CAR-T cells are detected in 95 of 100 tubes.

    Without --percent: 0.1 % and 0.01 %.
    """
    from cytocar.cli.result_table import grid, number
    from cytocar.counting.blank_rates import measured_rates
    from cytocar.counting.plan import blood_ul, t_cells_needed
    from cytocar.counting.unseen_positives import planned_sensitivity
    from cytocar.gates.decision import Background

    seen = round(background / 100 * control_t_cells)
    blank = measured_rates(Background(seen, control_t_cells, (), between_cv=background_cv))
    above = planned_sensitivity(stain_index)
    lines = []
    for aim in percent or [0.1, 0.01]:
        needed = t_cells_needed(aim, blank, fewest_events=events, sensitivity=above)
        blood = blood_ul(needed, t_cells_per_ul=t_cells_per_ul) if needed and t_cells_per_ul else None
        lines.append((f"{aim:g} %", "cannot be reached" if needed is None else str(needed), number(blood)))
    header = ("CAR+ of T cells", "T cells to acquire", "blood, µL")
    sys.stdout.write("\n".join(grid(header, lines, right=(1, 2))) + "\n")
    screen.say(
        f"with a background of {background:g} % that varies by {100 * background_cv:g} % from tube to tube, known from "
        f"a control of {control_t_cells:,} T cells; of CAR-T cells at a stain index of {stain_index:g} "
        f"{100 * above:.0f} % lie above the threshold; what that variation hides cannot be reached with any blood"
    )
