"""``cytocar demo``: the sample course, from simulated FCS files to a curve."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cytocar.cli import screen
from cytocar.errors.tree import UsageError
from cytocar.tables.columns import day_text

if TYPE_CHECKING:
    from cytocar.course.series import CoursePoint


UNFINISHED = ".unfinished"
"""A file in the folder until the course is drawn: a demo that was interrupted is begun again in its own folder."""


class Scenario(StrEnum):
    """A course of ``sample_data/scenarios``: counted already, with its clinical tables."""

    RUXOLITINIB_COHORT = "ruxolitinib-cohort"
    PAUSE_SWITCH = "pause-switch"
    LUPUS = "lupus"
    NETOSIS = "netosis"


def command(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to lay it out.")] = Path("cytocar-demo"),
    seed: Annotated[int | None, typer.Option(help="Seed of the simulated tubes. [the scenario's]")] = None,
    scenario: Annotated[
        Scenario | None, typer.Option("--scenario", help="Lay out the tables of another course: counts, values, drugs.")
    ] = None,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=0, help="Processes; 0: all cores.")] = 0,
) -> None:
    """Lay out the sample course (simulated tubes of one patient over two years), gate it and draw the curve."""
    if scenario is not None:
        _lay_out(scenario, folder)
        return
    from cytocar.cli.verbs.gate import count_to_folder
    from cytocar.course.clinical import read_record
    from cytocar.course.series import join
    from cytocar.figures.course import draw_course
    from cytocar.report.course.folder import CourseOptions, write_course
    from cytocar.run.plan import make_plan
    from cytocar.sheet.inputs import collect
    from cytocar.simulate import sample_course

    begun = folder / UNFINISHED
    if not begun.is_file():
        _require_empty(folder)
    folder.mkdir(parents=True, exist_ok=True)
    begun.touch()
    for made in ("run", "course"):
        shutil.rmtree(folder / made, ignore_errors=True)
    screen.say(f"simulating the blood tubes of one patient over two years in {folder} ...")
    sheet = sample_course(folder, seed=seed)
    run = folder / "run"
    count_to_folder(make_plan(collect([], sheet=sheet)), run, jobs=jobs)
    series = join([run])
    record = read_record(folder / "clinical.csv", folder / "interventions.csv")
    draw_course(series.points, folder / "course.png", title="The sample course (simulated tubes)")
    options = CourseOptions(scores=("car-hematotox",), decline=True, shade=("dasatinib",))
    page = write_course(series, record, folder / "course", options=options)
    begun.unlink()
    _show(series.points)
    screen.say(
        f"\nreport, every gate of every tube: {run}/report.html\ntables: {run}/counts.csv and others\n"
        f"curve: {folder}/course.png\nfigures and kinetics: {page}\nthe same by hand: cytocar gate {sheet} -o RUN"
    )


def _lay_out(scenario: Scenario, folder: Path) -> None:
    """Copy a scenario's tables."""
    from cytocar.files.bundled import sample_data_folder

    _require_empty(folder)
    tables = sorted((sample_data_folder() / "scenarios" / scenario.value).glob("*.csv"))
    folder.mkdir(parents=True, exist_ok=True)
    for table in tables:
        shutil.copyfile(table, folder / table.name)
    screen.say(f"wrote {', '.join(table.name for table in tables)} to {folder}; simulated, no patient's data")


def _require_empty(folder: Path) -> None:
    """Refuse a folder with something in it (E105)."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} exists and is not empty", code="E105", hint="name another: cytocar demo OTHER")


def _show(points: Sequence[CoursePoint]) -> None:
    """Write the course to stdout: a line per day."""
    from cytocar.cli.result_table import interval, number, write_table

    lines = [
        (
            day_text(point.day),
            number(point.car_per_ul.value),
            interval(point.car_per_ul.low, point.car_per_ul.high),
            number(point.car_cd4_cd8_ratio.value),
            number(point.car_lod_per_ul),
            point.car_result.value.replace("_", " "),
        )
        for point in points
    ]
    header = ("day", "CAR-T cells/µL", "95 % interval", "CAR-T CD4/CD8", "detection limit/µL", "result")
    write_table(header, lines, right=range(5))
