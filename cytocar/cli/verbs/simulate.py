"""``cytocar simulate``: FCS files of stained blood with beads, and what is really in them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cytocar.cli import screen
from cytocar.errors.tree import UsageError
from cytocar.simulate import (
    Appearance,
    Artefact,
    Blood,
    Brightness,
    Preparation,
    sample_course,
    simulate_cohort,
    simulate_tubes,
)


def command(
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Where the files go; a new folder.")],
    car_per_ul: Annotated[
        list[float],
        typer.Option("--car-per-ul", min=0, max=100_000, help="True CAR-T cells/µL; repeat for several levels."),
    ] = [100.0],  # noqa: B006 -- Typer copies it
    tubes: Annotated[int, typer.Option("--tubes", min=1, max=10_000, help="Tubes at each level.")] = 1,
    cd4_cd8: Annotated[float, typer.Option("--cd4-cd8", min=0, max=1000, help="CD4 to CD8 among CAR-T cells.")] = 1.0,
    t_cells_per_ul: Annotated[
        float, typer.Option("--t-cells-per-ul", min=0, max=100_000, help="T cells without a CAR, cells/µL.")
    ] = 120.0,
    activation: Annotated[
        float, typer.Option("--activation", min=0, max=1, help="0: resting CAR-T cells; 1: dividing blasts.")
    ] = 0.0,
    stain: Annotated[Brightness, typer.Option("--stain", help="How bright CAR-T cells are.")] = Brightness.BRIGHT,
    sample_volume_ul: Annotated[
        float | None,
        typer.Option(
            "--sample-volume-ul", min=1, max=1000, help="Blood per tube; without it enough for some 300 CAR-T cells."
        ),
    ] = None,
    beads_added: Annotated[
        float, typer.Option("--beads-added", min=0, max=1_000_000, help="Beads per tube; 0: none.")
    ] = 20_000.0,
    background_percent: Annotated[
        float, typer.Option("--background-percent", min=0, max=50, help="T cells that the CAR reagent stains falsely.")
    ] = 0.01,
    car_label: Annotated[str, typer.Option("--car-label", help="Name of the CAR channel.")] = "CD19-Fc",
    cytometer: Annotated[
        str | None, typer.Option("--cytometer", help="Name of the instrument; $VOL is in the unit that it writes.")
    ] = None,
    without: Annotated[
        list[str], typer.Option("--without", metavar="CHANNEL", help="A scatter channel that is not stored.")
    ] = [],  # noqa: B006 -- Typer copies it
    unmixed: Annotated[
        bool, typer.Option("--unmixed", help="As a spectral cytometer writes unmixed files: to 4 million, no matrix.")
    ] = False,
    artefact: Annotated[list[Artefact], typer.Option("--artefact", help="What goes wrong; repeat for several.")] = [],  # noqa: B006 -- Typer copies it
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Same options and seed, same events.")] = None,
    course: Annotated[
        bool, typer.Option("--course", help="The sample course (one patient, two years) instead of single levels.")
    ] = False,
    cohort: Annotated[
        int | None,
        typer.Option("--cohort", min=1, max=1000, help="Courses of so many subjects (Stein 2019) instead of levels."),
    ] = None,
) -> None:
    """Write FCS files of stained blood with counting beads, the truth beside each, and a sample sheet.

    NAME.truth.json says what is in the blood (cells/µL) and what was drawn (events). `cytocar gate` takes the sheet.
    """
    if out.is_dir() and any(out.iterdir()):
        raise UsageError(f"{out} exists and is not empty", code="E105", hint="name a new folder with -o")
    if course:
        sheet = sample_course(out, seed=seed)
    elif cohort is not None:
        sheet = simulate_cohort(
            out,
            n_subjects=cohort,
            seed=1 if seed is None else seed,
            on_tube=lambda path: screen.say(f"wrote {path}"),
        )
    else:
        sheet = simulate_tubes(
            out,
            car_per_ul=car_per_ul,
            tubes=tubes,
            car_cd4_cd8=cd4_cd8,
            blood=Blood(activation=activation).with_t_cells(t_cells_per_ul),
            preparation=Preparation(
                sample_volume_ul=sample_volume_ul, beads_added=beads_added, sticky_share=background_percent / 100
            ),
            appearance=Appearance(car_label, cytometer, tuple(without), unmixed),
            stain=stain.stain,
            artefacts=artefact,
            seed=1 if seed is None else seed,
            on_tube=lambda path: screen.say(f"wrote {path}"),
        )
    screen.say(f"next: cytocar gate {sheet} -o {out / 'run'}")
    sys.stdout.write(f"{sheet}\n")
