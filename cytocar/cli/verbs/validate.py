"""``cytocar validate``: plan a method validation, and evaluate the runs that it made."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cytocar.cli import screen
from cytocar.cli.app import CONTEXT, WholeSentences
from cytocar.cli.unverified import Unverified
from cytocar.errors.tree import UsageError
from cytocar.validation.designs import Design, Kind

if TYPE_CHECKING:
    from cytocar.validation.designs import Plan
    from cytocar.validation.verdicts import Validation

app = typer.Typer(
    cls=WholeSentences,
    help="Plan and evaluate a method validation.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=CONTEXT,
    no_args_is_help=True,
)
TUBES_TABLE, PAGE, PDF = "validation_tubes.csv", "validation.html", "validation.pdf"


@app.command("plan")
def plan(
    design: Annotated[Design, typer.Option("--design", help="What is planned.")],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="SHEET.csv", help="Write it here. [stdout]")
    ] = None,
    template: Annotated[str, typer.Option("-t", "--template", help="Template that is validated.")] = "cart-cd19fc",
    level: Annotated[
        list[str] | None,
        typer.Option("--level", metavar="NAME=PERCENT", help="A level, and its CAR+ share of T cells; repeat."),
    ] = None,
    replicates: Annotated[
        int | None, typer.Option("--replicates", min=1, max=200, help="Tubes of a cell, in place of the design's.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="Tells two studies of one design apart: 'lot A'.")] = "",
    cv: Annotated[
        float, typer.Option("--cv", min=0.5, max=100, help="CV that is allowed between tubes, percent.")
    ] = 10,
    t_cells_per_ul: Annotated[
        float, typer.Option("--t-cells-per-ul", min=0.001, max=100_000, help="T cells of the blood that is used.")
    ] = 500,
    background: Annotated[
        float, typer.Option("--background", min=0, max=20, help="Background of the CAR gate, percent of T cells.")
    ] = 0.02,
    sample_volume_ul: Annotated[
        float | None, typer.Option("--sample-volume-ul", min=1, max=20_000, help="Blood in each tube, for the sheet.")
    ] = None,
    beads_added: Annotated[
        float | None, typer.Option("--beads-added", min=1000, help="Beads in each tube, for the sheet.")
    ] = None,
) -> None:
    """Plan a study: a sheet with one row for each tube, and how many T cells and how much blood each level needs.

    Print the sheet, acquire the tubes, save each under the name in its row, and count: `cytocar gate SHEET.csv -o RUN`.
    """
    from cytocar.counting.blank_rates import measured_rates
    from cytocar.gates.decision import Background
    from cytocar.sheet.saving import save_sheet
    from cytocar.template.load import template_path
    from cytocar.validation.designs import Goal, plan_study, sheet_text

    template_path(template)  # a misspelt name is noticed before a study is acquired
    blank = measured_rates(Background(round(background * 1000), 100_000, (), between_cv=0.25))
    goal = Goal(cv, t_cells_per_ul, blank)
    made = plan_study(design, goal=goal, levels=_levels(level), replicates=replicates, name=name)
    text = sheet_text(made, template=template, given={"sample_volume_ul": sample_volume_ul, "beads_added": beads_added})
    if out is None:
        sys.stdout.write(text)
    else:
        if out.exists():
            raise UsageError(f"{out} exists", code="E105", hint="choose another name, or move it away first")
        out.parent.mkdir(parents=True, exist_ok=True)
        save_sheet(out, text)
    _show_needs(made, t_cells_per_ul, to_stdout=out is not None)


def _levels(given: Sequence[str] | None) -> dict[str, float] | None:
    if not given:
        return None
    levels = {}
    for one in given:
        word, _, number = one.rpartition("=")
        try:
            percent = float(number)
        except ValueError:
            percent = 0.0
        if not word.strip() or not 0 < percent <= 100:
            raise UsageError(
                f"--level {one!r} is no name and percent of T cells",
                code="E260",
                hint="write --level low=0.5 --level high=20",
            )
        if word.strip() in levels:
            raise UsageError(
                f"--level {word.strip()} is given twice", code="E260", hint="write --level low=0.5 --level high=20"
            )
        levels[word.strip()] = percent
    return levels


def _show_needs(made: Plan, t_cells_per_ul: float, *, to_stdout: bool) -> None:
    """Write what each level needs; beside a sheet on stdout, on stderr."""
    from cytocar.cli.result_table import grid
    from cytocar.validation.designs import LAYOUTS

    lines = [
        (
            need.level,
            "–" if need.percent is None else f"{need.percent:g} %",
            str(need.tubes),
            "cannot be reached" if need.t_cells is None else f"{need.t_cells:,}",
            "–" if need.blood_ul is None else f"{need.blood_ul / 1000:.3g}",
        )
        for need in made.needs
    ]
    header = ("level", "CAR+ of T cells", "tubes", "T cells in a tube", "blood in all, mL")
    blood = sum(need.blood_ul or 0.0 for need in made.needs) / 1000
    shown = [
        f"{made.study}: {LAYOUTS[made.design].does}",
        *grid(header, lines, right=(1, 2, 3, 4)),
        f"{len(made.places)} tubes, {blood:.3g} mL of blood with {t_cells_per_ul:g} T cells/µL",
    ]
    if to_stdout:
        sys.stdout.write("\n".join(shown) + "\n")
    else:
        for line in shown:
            screen.say(line)


@app.command("demo")
def demo(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to lay it out.")] = Path("validation-demo"),
    design: Annotated[
        list[Design] | None, typer.Option("--design", help="Studies that are simulated; repeat. [all but 20 x 2 x 2]")
    ] = None,
    template: Annotated[str, typer.Option("-t", "--template", help="Template that counts them.")] = "cart-cd19fc",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulated tubes.")] = 1,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=0, help="Processes; 0: all cores.")] = 0,
) -> None:
    """Simulate the tubes of small studies with known variation, and count them: a run to evaluate.

    Needs no input. `cytocar validate evaluate DIR/run --criteria car-t-blood` is the next command; `cytocar report
    DIR/run` draws the gates.
    """

    from cytocar.cli.progress import Progress
    from cytocar.run.count import Work, count, open_store
    from cytocar.run.plan import make_plan
    from cytocar.sheet.inputs import collect
    from cytocar.simulate.validation import simulate_validation

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} exists and is not empty", code="E105", hint="name another folder")
    designs = design or [one for one in Design if one is not Design.PRECISION_20X2X2]
    screen.say(f"simulating the tubes of {', '.join(designs)} in {folder} ...")
    sheet = simulate_validation(folder, designs=designs, template=template, seed=seed)
    counted, work = make_plan(collect([], sheet=sheet)), Work(jobs=jobs, command=tuple(sys.argv[1:]))
    with open_store(counted, folder / "run", work) as store:
        count(counted, work, store, observer=Progress())
    screen.say(f"next: cytocar validate evaluate {folder / 'run'} --criteria car-t-blood -o {folder / 'report'}")


@app.command("evaluate")
def evaluate(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders of the studies.")],
    criteria: Annotated[
        str, typer.Option("--criteria", metavar="NAME|PATH.toml", help="What has to be met; car-t-blood is bundled.")
    ],
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="DIR", help="Write tables and page there.")] = None,
    only: Annotated[
        list[Kind] | None, typer.Option("--only", help="Studies of this kind alone, and their criteria; repeat.")
    ] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Print the page to validation.pdf too.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an older evaluation in DIR.")] = False,
    unverified: Unverified = False,
) -> None:
    """Evaluate the studies of runs: statistics with intervals, criteria, verdicts, each traceable to its files.

    Without -o: CSV on stdout. Exit code 1 if a criterion is not met, or not evaluated.
    """
    from cytocar.tables.columns import csv_text
    from cytocar.validation.criteria import Criteria
    from cytocar.validation.limits import read_limits
    from cytocar.validation.study import read_studies
    from cytocar.validation.verdicts import VALIDATION
    from cytocar.validation.verdicts import evaluate as evaluated

    limits = read_limits(criteria, Criteria, package="cytocar.validation").only(only or ())
    if pdf and out is None:
        raise UsageError("--pdf needs a folder", code="E260", hint="name one with -o")
    studies = read_studies(runs, mixed_lots=limits.settings.mixed_lots, only=only or ())
    validation = evaluated(studies, limits)
    if out is None:
        sys.stdout.write(csv_text(VALIDATION, validation.rows()))
    else:
        _write(validation, out, pdf=pdf, force=force)
    for study in validation.studies:
        for note in study.notes:
            screen.say(f"note: {study.name}: {note}")
    for (study_name, measurand), notes in validation.notes.items():
        for note in notes:
            screen.say(f"note: {study_name}, {measurand}: {note}")
    _show(validation, to_stdout=out is not None)
    if not validation.passed:
        raise typer.Exit(1)


def _write(validation: Validation, out: Path, *, pdf: bool, force: bool) -> None:
    from cytocar.files.whole import write_atomically
    from cytocar.report.run.printing import print_pdf
    from cytocar.report.validation.page import validation_page
    from cytocar.tables.columns import csv_text
    from cytocar.validation.proof import RECORD, TABLE, record_of
    from cytocar.validation.study import TUBES
    from cytocar.validation.verdicts import VALIDATION

    if not force and any((out / name).exists() for name in (TABLE, PAGE)):
        raise UsageError(f"{out} holds an evaluation", code="E105", hint="name another folder, or use --force")
    out.mkdir(parents=True, exist_ok=True)
    contents = {
        TABLE: csv_text(VALIDATION, validation.rows()).encode(),
        TUBES_TABLE: csv_text(TUBES, validation.tube_rows()).encode(),
        PAGE: validation_page(validation).encode(),
    }
    contents[RECORD] = record_of(validation, contents).encode()
    for name, content in contents.items():
        write_atomically(out / name, content)
    written = list(contents)
    if pdf:
        print_pdf(out / PAGE, out / PDF)
        written.append(PDF)
    screen.say(f"wrote {', '.join(written)} in {out}")


def _show(validation: Validation, *, to_stdout: bool) -> None:
    from cytocar.cli.result_table import number, write_table
    from cytocar.validation.limits import COLOURS, WORDS, Verdict

    lines = [
        (
            one.study.name,
            one.measurand,
            one.statistic.level,
            one.statistic.name,
            number(one.statistic.estimate.value),
            one.criterion.text(one.unit),
            WORDS[one.verdict],
        )
        for one in validation.judged
        if one.criterion is not None and one.verdict is not None
    ]
    lines += [
        (one.study, one.measurand, one.level, one.statistic, "–", one.text(), "not evaluated")
        for one in validation.unmet
    ]
    header = ("study", "measurand", "level", "statistic", "found", "limit", "verdict")
    verdicts = [one.verdict for one in validation.judged if one.verdict is not None]
    styles = [COLOURS[verdict] for verdict in (*verdicts, *[Verdict.NOT_EVALUATED] * len(validation.unmet))]
    if to_stdout:
        write_table(header, lines, right=(4,), styles=styles)
        for one in validation.unmet:
            if one.level:
                words = f"{one.study} {one.measurand} {one.statistic}: {validation.why_not(one)}"
                sys.stdout.write(screen.printable(words) + "\n")
        sys.stdout.write(validation.line() + "\n")
    else:
        screen.say(validation.line())


@app.command("gates")
def gates(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder by the template.")],
    person: Annotated[
        Path, typer.Argument(metavar="PERSON", help="Run folder with a person's gates, of the same files.")
    ],
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="CSV", help="Write each file's line here.")] = None,
    at_least: Annotated[
        float, typer.Option("--at-least", min=0, max=1, help="Median F1 that every population has to reach.")
    ] = 0.0,
    inputs: Annotated[
        str | None, typer.Option("--inputs", metavar="DIR", help="Where the FCS files lie. [as in the run]")
    ] = None,
    unverified: Unverified = False,
) -> None:
    """Hold the gates of a run against a person's: events in both, and F1, of every population and file.

    PERSON is a run whose gates were moved (`review`, `override`) or imported from FlowJo. Without -o: a table on a
    terminal, CSV in a pipe. Exit code 1 if the median F1 of a population is below --at-least.
    """
    from cytocar.cli.result_table import write_table
    from cytocar.files.places import place_of
    from cytocar.files.whole import write_atomically
    from cytocar.tables.columns import csv_text
    from cytocar.validation.gates import GATE_AGREEMENT, gates_against, summaries

    if out is not None and out.exists():
        raise UsageError(f"{out} exists", code="E105", hint="choose another name, or move it away first")
    agreements = gates_against(run, person, inputs=place_of(inputs) if inputs else None)
    text = csv_text(GATE_AGREEMENT, (one.row() for one in agreements))
    summary = summaries(agreements)
    if out is not None:
        write_atomically(out, text)
    if out is None and not sys.stdout.isatty():
        sys.stdout.write(text)
    else:
        lines = [(one.population, str(one.n), f"{one.median_f1:.3f}", f"{one.lowest_f1:.3f}") for one in summary]
        header = ("population", "files", "median F1", "lowest F1")
        write_table(header, lines, right=(1, 2, 3))
    if any(one.median_f1 < at_least for one in summary):
        raise typer.Exit(1)
