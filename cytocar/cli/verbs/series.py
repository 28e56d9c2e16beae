"""``cytocar series``: runs become courses over time."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cytocar.cli import screen
from cytocar.cli import series_options as options
from cytocar.cli.series_options import Form
from cytocar.cli.unverified import Unverified
from cytocar.course.late import CD3_NEGATIVE, LATE_FROM_DAY, LateThresholds, late_flags
from cytocar.course.series import Replicates, Series, join
from cytocar.errors.tree import UsageError, counted
from cytocar.sheet.tube import Specimen
from cytocar.tables.columns import day_text

if TYPE_CHECKING:
    from cytocar.course.clinical import ClinicalRecord
    from cytocar.course.joint import JointCount
    from cytocar.course.subjects import Subjects
    from cytocar.tables.columns import Column, Row


def command(  # one keyword per option of the command line
    runs: options.Runs,
    out: options.Out = None,
    force: options.Force = False,
    unverified: Unverified = False,
    subject: options.Subject = None,
    replicates: options.ReplicateSamples = Replicates.POOL,
    specimen: options.OfSpecimen = Specimen.BLOOD,
    gated: options.Gated = True,
    population: options.Populations = None,
    clinical: options.Clinical = None,
    interventions: options.Interventions = None,
    subjects: options.Subjects = None,
    score: options.Scores = None,
    by: options.By = None,
    split: options.Split = None,
    shade: options.Shade = None,
    also: options.Also = None,
    also_all: options.EveryVariable = False,
    window: options.Window = None,
    formats: options.Formats = "svg",
    decline: options.Decline = False,
    fit: options.Fit = False,
    joint: options.Joint = False,
    b_cell_threshold: options.BCellThreshold = None,
    nk_threshold: options.NkThreshold = None,
    re_expansion: options.ReExpansion = None,
    cd3_negative: options.Cd3Negative = None,
    late_from: options.LateFrom = LATE_FROM_DAY,
    form: options.As = None,
    study: options.Study = None,
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
    _warn_of_samples(series)
    late = LateThresholds(re_expansion, cd3_negative, late_from)
    _warn_of_late(series, late)
    exchange = _exchanged(form, series, study or "", people, specimen) if form is not None else {}
    if out is None:
        if form is None:
            _show(series, record, series.chosen_populations(population or ()))
        return
    from cytocar.cli.progress import Progress
    from cytocar.course.units import variable_name
    from cytocar.report.course.folder import CourseOptions, write_course

    course_options = CourseOptions(
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
        joint=_joint(runs, series) if joint else (),
    )
    page = write_course(series, record, out, options=course_options, force=force, observer=Progress("subjects drawn"))
    if sys.stdout.isatty():
        show_courses(series)
    screen.say(f"{' of '.join(counted(n, word) for n, word in _sizes(series))}; open {page}")


def _exchanged(
    form: Form, series: Series, study: str, people: Subjects, specimen: Specimen
) -> dict[str, tuple[Sequence[Column], Sequence[Row]]]:
    """Write the course to stdout as another program takes it, and return the table by the name of its file."""
    from cytocar.course.exchange import EXCHANGE, Study
    from cytocar.tables.columns import csv_text

    columns, lines = EXCHANGE[form.value]
    rows = list(lines(series.courses, Study(study, people, specimen)))
    sys.stdout.write(csv_text(columns, rows))
    return {form.value.replace("-", "_"): (columns, rows)}


def _joint(runs: Sequence[Path], series: Series) -> tuple[JointCount, ...]:
    """Return the joint counts, and say which tubes have none and why; that controls have none goes without saying."""
    from cytocar.course.joint import A_CONTROL, joint_counts

    counts = joint_counts(runs, series)
    refused: dict[tuple[str, str], list[str]] = {}
    for one in counts:
        if one.refused not in ("", A_CONTROL):
            refused.setdefault((one.subject_id, one.refused), []).append(one.sample_id)
    for (whose, reason), names in refused.items():
        screen.say(f"note: no joint count of {whose} ({', '.join(names)}): {reason}")
    return counts


def _warn_of_samples(series: Series) -> None:
    """Say which samples are on no course, and whose replicates disagree."""
    for sample_id, reason in series.left_out:
        if not reason.endswith("control"):
            screen.say(f"note: sample {sample_id} is on no course: {reason}")
    for point in series.points:
        if point.replicates_disagree:
            screen.say(
                f"warning W320: the replicates of {point.subject_id}, day {day_text(point.day)}, disagree "
                f"({point.sample_id}): look at each tube; the interval holds their scatter"
            )


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
