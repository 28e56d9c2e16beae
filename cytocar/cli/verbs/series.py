"""``cytocar series``: runs become courses over time."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cytocar.cli import screen
from cytocar.cli.unverified import Unverified
from cytocar.course.late import CD3_NEGATIVE, LATE_FROM_DAY, LateThresholds, late_flags
from cytocar.course.replicates import DISAGREEMENT
from cytocar.course.series import Replicates, Series, join
from cytocar.errors.tree import UsageError, counted
from cytocar.sheet.tube import Specimen
from cytocar.tables.columns import day_text

if TYPE_CHECKING:
    from cytocar.course.clinical import ClinicalRecord
    from cytocar.tables.columns import Column, Row


_SAMPLES, _CLINICAL, _KINETICS = "Samples", "Clinical values", "Kinetics"
_THRESHOLDS, _FIGURES, _EXCHANGE = "Thresholds", "Figures", "For other programs"


class ScoreName(StrEnum):
    """A clinical score that can be calculated from the entered values."""

    CAR_HEMATOTOX = "car-hematotox"
    EASIX = "easix"
    M_EASIX = "m-easix"
    ICANS_BY_ICE = "icans-by-ice"
    T_ICAHT = "t-icaht"
    ICAHT = "icaht"
    HIGHEST_GRADES = "highest-grades"


class Form(StrEnum):
    """A form in which other programs take a course."""

    NONMEM = "nonmem"
    REDCAP = "redcap"
    REDCAP_DICTIONARY = "redcap-dictionary"
    SDTM_PC = "sdtm-pc"
    SDTM_CP = "sdtm-cp"
    CIBMTR = "cibmtr"


def command(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders of `cytocar gate -o RUN`.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Write tables, figures and course.html.")] = None,
    clinical: Annotated[
        Path | None,
        typer.Option("--clinical", help="CSV: subject_id,day,variable,value,unit", rich_help_panel=_CLINICAL),
    ] = None,
    interventions: Annotated[
        Path | None,
        typer.Option(
            "--interventions", help="CSV: subject_id,name,start_day,end_day,dose,unit", rich_help_panel=_CLINICAL
        ),
    ] = None,
    subjects: Annotated[
        Path | None,
        typer.Option(
            "--subjects",
            help="CSV: subject_id, product, dose_car_t, arm, response, x_*, ...",
            rich_help_panel=_CLINICAL,
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            "--by",
            metavar="COLUMN",
            help="Colour the subjects' curves by this of --subjects.",
            rich_help_panel=_FIGURES,
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            "--split",
            metavar="COLUMN",
            help="A panel of curves for each group of this column.",
            rich_help_panel=_FIGURES,
        ),
    ] = None,
    subject: Annotated[
        list[str] | None,
        typer.Option("--subject", help="Only this subject; may be repeated.", rich_help_panel=_SAMPLES),
    ] = None,
    replicates: Annotated[
        Replicates,
        typer.Option(
            "--replicates", help="Samples of one day: pool their events, or show each.", rich_help_panel=_SAMPLES
        ),
    ] = Replicates.POOL,
    specimen: Annotated[
        Specimen, typer.Option("--specimen", help="Specimen of the course.", rich_help_panel=_SAMPLES)
    ] = Specimen.BLOOD,
    score: Annotated[
        list[ScoreName] | None,
        typer.Option(
            "--score", help="Calculate this score (not diagnostic); may be repeated.", rich_help_panel=_CLINICAL
        ),
    ] = None,
    b_cell_threshold: Annotated[
        float | None,
        typer.Option(
            "--b-cell-threshold", min=0.0, help="B cells/µL below which is aplasia.", rich_help_panel=_THRESHOLDS
        ),
    ] = None,
    nk_threshold: Annotated[
        float | None,
        typer.Option("--nk-threshold", min=0.0, help="NK cells/µL below which they lack.", rich_help_panel=_THRESHOLDS),
    ] = None,
    re_expansion: Annotated[
        float | None,
        typer.Option(
            "--re-expansion",
            metavar="FOLD",
            min=1.0,
            help="Warn of late counts so many times the lowest.",
            rich_help_panel=_THRESHOLDS,
        ),
    ] = None,
    cd3_negative: Annotated[
        float | None,
        typer.Option(
            "--cd3-negative",
            min=0.0,
            help="Warn of late CAR+ cells/µL without CD3 (`cart-cd3-negative`).",
            rich_help_panel=_THRESHOLDS,
        ),
    ] = None,
    late_from: Annotated[
        float, typer.Option("--late-from", help="Day after which a warning is late.", rich_help_panel=_THRESHOLDS)
    ] = LATE_FROM_DAY,
    decline: Annotated[
        bool, typer.Option("--decline", help="Fit two exponentials to the fall.", rich_help_panel=_KINETICS)
    ] = False,
    fit: Annotated[
        bool,
        typer.Option(
            "--fit",
            help="Fit lag, growth, peak and decline, with profile intervals: fit.csv.",
            rich_help_panel=_KINETICS,
        ),
    ] = False,
    joint: Annotated[
        bool,
        typer.Option(
            "--joint",
            help="Read the files again; one shape of CAR-T cells for all tubes: joint.csv.",
            rich_help_panel=_KINETICS,
        ),
    ] = False,
    gated: Annotated[
        bool,
        typer.Option(
            "--gated/--net", help="Counts as gated, or net ones where a tube has them.", rich_help_panel=_SAMPLES
        ),
    ] = True,
    shade: Annotated[
        list[str] | None,
        typer.Option(
            "--shade",
            metavar="DRUG",
            help="Shade this drug's days on every curve; may be repeated.",
            rich_help_panel=_FIGURES,
        ),
    ] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(
            "--also", metavar="VARIABLE", help="Panel of one more variable; may be repeated.", rich_help_panel=_FIGURES
        ),
    ] = None,
    form: Annotated[
        Form | None,
        typer.Option(
            "--as",
            help="Write the course to stdout as another program takes it, with -o to OUT too.",
            rich_help_panel=_EXCHANGE,
        ),
    ] = None,
    study: Annotated[
        str | None, typer.Option("--study", help="STUDYID of `--as sdtm-...`.", rich_help_panel=_EXCHANGE)
    ] = None,
    also_all: Annotated[
        bool, typer.Option("--also-all", help="A small panel of every clinical variable.", rich_help_panel=_FIGURES)
    ] = False,
    window: Annotated[
        str | None,
        typer.Option(
            "--window", metavar="FROM,TO", help="Days of the first figure, such as -7,60.", rich_help_panel=_FIGURES
        ),
    ] = None,
    formats: Annotated[
        str, typer.Option("--formats", help="Files of figures: svg,pdf,png", rich_help_panel=_FIGURES)
    ] = "svg",
    population: Annotated[
        list[str] | None,
        typer.Option(
            "--population",
            metavar="NAME",
            help="A population of any tube onto the course; may be repeated.",
            rich_help_panel=_SAMPLES,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write an earlier course in OUT anew.")] = False,
    unverified: Unverified = False,
) -> None:
    """Join runs into courses by subject and day: CAR-T cells over time, kinetics, figures.

    Without -o: a table on a terminal, CSV in a pipe. With -o OUT: series.csv, kinetics.csv, figures, course.html.
    """
    from cytocar.course.clinical import read_record
    from cytocar.course.subjects import read_subjects

    everyone = join(runs, replicates=replicates, specimen=specimen, gated=gated)
    record = read_record(clinical, interventions, subjects={course.subject_id for course in everyone.courses})
    people = read_subjects(subjects, known={course.subject_id for course in everyone.courses})
    series = everyone.only(subject) if subject else everyone
    record = record.of(*(course.subject_id for course in series.courses))
    for note in (*record.notes, *people.notes):
        screen.say(f"note: {note}")
    if score and not record.values:
        screen.say("note: no score is calculated: --clinical names no value of these subjects")
    for sample_id, reason in series.left_out:
        if not reason.endswith("control"):
            screen.say(f"note: sample {sample_id} is on no course: {reason}")
    for point in series.points:
        if point.replicates_p is not None and point.replicates_p < DISAGREEMENT:
            screen.say(
                f"warning W320: the replicates of {point.subject_id}, day {day_text(point.day)}, disagree "
                f"({point.sample_id}): look at each tube; the interval holds their scatter"
            )
    late = LateThresholds(re_expansion, cd3_negative, late_from)
    _warn_of_late(series, late)
    exchange: dict[str, tuple[Sequence[Column], Sequence[Row]]] = {}
    if form is not None:
        from cytocar.course.exchange import EXCHANGE, Study
        from cytocar.tables.columns import csv_text

        columns, lines = EXCHANGE[form.value]
        rows = list(lines(series.courses, Study(study or "", people, specimen)))
        sys.stdout.write(csv_text(columns, rows))
        if out is None:
            return
        exchange[form.value.replace("-", "_")] = (columns, rows)
    elif out is None:
        _show(series, record, series.chosen_populations(population or ()))
        return
    from cytocar.cli.progress import Progress
    from cytocar.course.joint import A_CONTROL, joint_counts
    from cytocar.course.units import variable_name
    from cytocar.report.course.folder import CourseOptions, write_course

    options = CourseOptions(
        scores=tuple(name.value for name in score or ()),
        b_cell_threshold_per_ul=b_cell_threshold,
        decline=decline,
        fit=fit,
        shade=tuple(shade or ()),
        window=_window(window),
        formats=_formats(formats),
        every_variable=also_all,
        also=tuple(variable_name(name) for name in also or ()),
        populations=tuple(population or ()),
        subjects=people,
        by=by,
        split=split,
        late=late,
        nk_threshold_per_ul=nk_threshold,
        exchange=exchange,
        joint=joint_counts(runs, series) if joint else (),
    )
    refused: dict[tuple[str, str], list[str]] = {}
    for one in options.joint:
        if one.refused not in ("", A_CONTROL):
            refused.setdefault((one.subject_id, one.refused), []).append(one.sample_id)
    for (whose, reason), names in refused.items():
        screen.say(f"note: no joint count of {whose} ({', '.join(names)}): {reason}")
    page = write_course(series, record, out, options=options, force=force, observer=Progress("subjects drawn"))
    if sys.stdout.isatty():
        show_courses(series)
    screen.say(f"{' of '.join(counted(n, word) for n, word in _sizes(series))}; open {page}")


def _sizes(series: Series) -> tuple[tuple[int, str], tuple[int, str]]:
    return (len(series.points), "point"), (len(series.courses), "subject")


def _warn_of_late(series: Series, late: LateThresholds) -> None:
    """Say what is flagged long after infusion, and where nothing could be."""
    for course in series.courses:
        for flag in late_flags(course, late):
            screen.say(f"warning {flag.code}: {flag.subject_id}: {flag.text}")
    if late.cd3_negative_per_ul is not None and not any(CD3_NEGATIVE in point.populations for point in series.points):
        screen.say(f"note: no tube has the population {CD3_NEGATIVE}: count them with the template cart-cd3-negative")


def _window(text: str | None) -> tuple[float, float] | None:
    """Return the days that ``FROM,TO`` names."""
    if text is None:
        return None
    first, _, last = text.partition(",")
    try:
        days = (float(first), float(last))
    except ValueError:
        days = (0.0, 0.0)
    if days[0] >= days[1]:
        raise UsageError(
            f"--window {text!r} names no days", code="E183", hint="write the first and the last day: --window=-7,60"
        )
    return days


def _formats(text: str) -> tuple[str, ...]:
    """Return the kinds of files that a list names."""
    from cytocar.figures.style import FORMATS

    kinds = tuple(kind.strip().lower() for kind in text.split(",") if kind.strip())
    for kind in kinds:
        if kind not in FORMATS:
            raise UsageError(
                f"figures cannot be written as {kind!r}", code="E184", hint=f"formats are {', '.join(FORMATS)}"
            )
    return kinds


def _show(series: Series, record: ClinicalRecord, populations: Sequence[str]) -> None:
    if not sys.stdout.isatty():
        from cytocar.course.rows import series_rows
        from cytocar.course.tables import series_columns
        from cytocar.tables.columns import csv_text

        sys.stdout.write(
            csv_text(
                series_columns(series.points, record, populations), series_rows(series.points, record, populations)
            )
        )
        return
    show_courses(series)


def show_courses(series: Series) -> None:
    """Write the courses as a table for people."""
    from cytocar.cli.result_table import interval, number, write_samples
    from cytocar.report.course.page import result_text

    header = ("subject", "day", "CAR-T/µL", "95 % interval", "LLOQ", "% of T", "CD4/CD8", "status")
    lines = [
        (
            point.subject_id,
            day_text(point.day),
            result_text(point),
            interval(point.car_per_ul.low, point.car_per_ul.high),
            number(point.car_lloq_per_ul),
            number(point.car_percent_of_t_cells),
            number(point.car_cd4_cd8_ratio.value) if point.quantified else "–",
            point.status,
        )
        for point in series.points
    ]
    write_samples(header, lines, statuses=[point.status for point in series.points])
