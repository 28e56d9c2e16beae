"""Writes a course: tables, figures, and the page that holds them.

``series.csv`` and ``kinetics.csv`` always; ``covariates.csv``, ``cohort.csv``, ``scores.csv``, ``aplasia.csv`` and
``decline.csv`` when there is something to put into them. Figures as SVG, PDF and PNG, one set for each subject.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct, field

from cytocar.course.aplasia import Aplasia, aplasia
from cytocar.course.clinical import ClinicalRecord
from cytocar.course.cohort import FEWEST_SUBJECTS, spreads, visits
from cytocar.course.copies import Copies, copies_beside_cells, copies_correlations
from cytocar.course.joint import JointCount
from cytocar.course.late import LateFlag, LateThresholds, late_flags
from cytocar.course.reconstitution import Reconstitution, reconstitution
from cytocar.course.responses import Phase, phases
from cytocar.course.rows import (
    aplasia_row,
    copies_correlation_row,
    copies_row,
    covariate_rows,
    decline_row,
    fit_row,
    intervention_row,
    joint_row,
    kinetics_row,
    late_row,
    reconstitution_row,
    response_row,
    score_row,
    series_rows,
    visit_row,
)
from cytocar.course.scores import Score, scores_of
from cytocar.course.series import Course, Series
from cytocar.course.subjects import Subjects, subject_columns, subject_rows
from cytocar.course.tables import (
    APLASIA,
    COHORT,
    COPIES,
    COPIES_CORRELATION,
    COVARIATES,
    DECLINE,
    FIT,
    INTERVENTIONS,
    JOINT,
    KINETICS,
    LATE,
    RECONSTITUTION,
    RESPONSES,
    SCORES,
    series_columns,
)
from cytocar.errors.tree import UsageError
from cytocar.figures.style import FORMATS
from cytocar.files.whole import write_atomically
from cytocar.kinetics.expansion_models import Decline, fit_decline
from cytocar.kinetics.parameters import Kinetics
from cytocar.report.course.drawing import COHORT as COHORT_PICTURES
from cytocar.report.course.drawing import Drawing, draw_all
from cytocar.report.course.page import (
    Listing,
    Page,
    Picture,
    Section,
    anchors,
    aplasia_listing,
    course_html,
    decline_listing,
    drugs_listing,
    joint_listing,
    kinetics_listing,
    late_listing,
    left_out_listing,
    peaks_listing,
    points_listing,
    responses_listing,
    scores_listing,
    spreads_listing,
)
from cytocar.run.observer import NOBODY, Observer, observed
from cytocar.run.trail.recorded import taken_unverified
from cytocar.tables.columns import Column, Row, csv_text
from cytocar.tables.datapackage import describe


class CourseOptions(Struct, frozen=True):
    """What is calculated and drawn only when asked for.

    Parameters
    ----------
    scores : tuple of str
        Names out of ``scores.SCORES``.
    b_cell_threshold_per_ul : float, optional
        Below this many B cells/µL is aplasia.
    nk_threshold_per_ul : float, optional
        Below this many NK cells/µL they lack.
    decline : bool
        Whether two exponentials are fitted to each course.
    fit : bool
        Whether lag, growth, peak and decline are fitted to each course, values below a limit counted as such.
    shade : tuple of str
        Drugs whose days are shaded on every curve.
    window : pair of float, optional
        First and last day of the figure of the first weeks.
    formats : tuple of str
        Kinds of files in which figures are written: svg, pdf, png.
    every_variable : bool
        Whether a sheet shows every clinical variable in a small panel.
    also : tuple of str
        Further clinical variables with a panel in the figure of the first weeks.
    populations : tuple of str
        Populations with columns in ``series.csv`` and a panel in the figures.
    subjects : Subjects
        What ``subjects.csv`` says of the subjects.
    by : str, optional
        Column of the subjects by which curves are coloured.
    split : str, optional
        Column of the subjects of which each group has a panel of curves.
    exchange : mapping
        Further tables, for other programs, by name.
    late : LateThresholds
        What is flagged long after infusion.
    joint : tuple of JointCount
        Tubes counted with the shape of the positives that all tubes of their subject share.
    """

    scores: tuple[str, ...] = ()
    b_cell_threshold_per_ul: float | None = None
    nk_threshold_per_ul: float | None = None
    decline: bool = False
    fit: bool = False
    shade: tuple[str, ...] = ()
    window: tuple[float, float] | None = None
    formats: tuple[str, ...] = ("svg",)
    every_variable: bool = False
    also: tuple[str, ...] = ()
    populations: tuple[str, ...] = ()
    subjects: Subjects = field(default_factory=Subjects)
    by: str | None = None
    split: str | None = None
    exchange: Mapping[str, tuple[Sequence[Column], Sequence[Row]]] = field(default_factory=dict)
    late: LateThresholds = field(default_factory=LateThresholds)
    joint: tuple[JointCount, ...] = ()


def write_course(
    series: Series,
    record: ClinicalRecord,
    out: Path,
    *,
    options: CourseOptions | None = None,
    force: bool = False,
    observer: Observer = NOBODY,
) -> Path:
    """Write the folder of a course and return its page.

    Raises
    ------
    UsageError
        E135 when the folder holds something already, E108 when it cannot be written, E136 when an option names a
        variable or a drug that is not there.
    """
    options = options or CourseOptions()
    _require_present(record, options)
    populations = series.chosen_populations(options.populations)
    groups = options.subjects.groups(options.by) if options.by else {}
    split = options.subjects.groups(options.split) if options.split else {}
    _make_folder(out, force=force)
    scores = scores_of(options.scores, record)
    findings = {
        course.subject_id: _found_for(course, record.of(course.subject_id), scores, options)
        for course in series.courses
    }
    tables = {
        "series": (
            series_columns(series.points, record, populations, options.subjects),
            list(series_rows(series.points, record, populations, options.subjects)),
        ),
        "subjects": (subject_columns(options.subjects), list(subject_rows(options.subjects))),
        "interventions": (INTERVENTIONS, [intervention_row(one) for one in record.interventions]),
        "covariates": (COVARIATES, list(covariate_rows(record))),
        "scores": (SCORES, [score_row(score) for score in scores]),
        "cohort": (COHORT, [visit_row(visit) for visit in visits(series.courses)]),
        "joint": (JOINT, [joint_row(one) for one in options.joint]),
        "fit": (FIT, [fit_row(course.subject_id, course.fit()) for course in series.courses if options.fit]),
    }
    _write_tables(out, {**tables, **_tables_of_findings(findings), **options.exchange})
    cohort = len(series.courses) >= FEWEST_SUBJECTS and any(point.quantified for point in series.points)
    drawn = draw_all(
        series.courses, record, _drawing(out, populations, options), groups=groups, split=split, cohort=cohort
    )
    pictures = dict(observed(drawn, len(series.courses) + cohort, observer))
    for name, own in pictures.items():
        if own is None:
            observer.note(f"the figures of {name or 'all subjects'} are missing: the process that drew them was killed")
    sections = [
        Section(subject, anchor, pictures[subject] or (), tuple(_subject_tables(course, record.of(subject), own)))
        for (subject, own), anchor, course in zip(findings.items(), anchors([*findings]), series.courses, strict=True)
    ]
    kinetics = [own.kinetics for own in findings.values()]
    page = Page(
        title="CAR-T cells over time",
        subjects=tuple(sections),
        cohort=_cohort_section(kinetics, pictures[COHORT_PICTURES] or ()) if cohort else None,
        left_out=left_out_listing(series.left_out),
        unverified=taken_unverified(),
    )
    path = out / "course.html"
    write_atomically(path, course_html(page))
    return path


def _drawing(out: Path, populations: tuple[str, ...], options: CourseOptions) -> Drawing:
    """How the figures are drawn."""
    thresholds = {"b_cells": options.b_cell_threshold_per_ul, "nk_cells": options.nk_threshold_per_ul}
    return Drawing(
        folder=out / "figures",
        shade=options.shade,
        also=options.also,
        populations=populations,
        every_variable=options.every_variable,
        window=options.window,
        lines={name: (line,) for name, line in thresholds.items() if line is not None},
        formats=options.formats,
    )


def _require_present(record: ClinicalRecord, options: CourseOptions) -> None:
    """Refuse a variable or a drug that no row of the clinical tables names."""
    drugs = sorted({course.name for course in record.interventions})
    wanted = [(name, record.variables, "clinical variable") for name in options.also]
    wanted += [(name, tuple(drugs), "intervention") for name in options.shade]
    for name, present, kind in wanted:
        if name not in present:
            raise UsageError(
                f"no {kind} is called {name!r}",
                code="E136",
                hint=f"there are: {', '.join(present)}"
                if present
                else "give its table with --clinical or --interventions",
            )


def _make_folder(out: Path, *, force: bool) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())) and not (force and (out / "series.csv").is_file()):
        raise UsageError(
            f"{out} exists and is not empty",
            code="E135",
            hint="name a new folder with -o, or write an earlier course anew with --force",
        )
    try:
        _clear(out)
        (out / "figures").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"the folder {out} cannot be written: {error.strerror}",
            code="E108",
            hint="choose another place with -o, or correct the rights",
        ) from error


def _clear(out: Path) -> None:
    """Remove the tables and figures of an earlier course: what is not written anew would pass for this one's.

    Tables are those that its ``datapackage.json`` lists; other files of the folder are left alone.
    """
    try:
        described = json.loads((out / "datapackage.json").read_text("utf-8"))
        names = [str(one["name"]) for one in described["resources"]] if described["name"] == _PACKAGE else []
    except (OSError, ValueError, LookupError, TypeError):
        names = []
    for name in names:
        if name.isidentifier():
            (out / f"{name}.csv").unlink(missing_ok=True)
    for path in (out / "figures").glob("*.*") if names else ():
        if path.suffix.removeprefix(".") in FORMATS:
            path.unlink()


_PACKAGE = "cytocar-course"


def _write_tables(out: Path, tables: Mapping[str, tuple[Sequence[Column], Sequence[Row]]]) -> None:
    """Write the tables that have lines (series and kinetics always do) and their description."""
    written = {name: columns for name, (columns, rows) in tables.items() if rows}
    for name, columns in written.items():
        write_atomically(out / f"{name}.csv", csv_text(columns, tables[name][1]))
    description = json.dumps(describe(written, name=_PACKAGE), indent=1, ensure_ascii=False)
    write_atomically(out / "datapackage.json", description + "\n")


# ---------------------------------------------------------------- what is found for each subject


class _Findings(Struct, frozen=True):
    kinetics: Kinetics
    scores: tuple[Score, ...]
    decline: Decline | None
    aplasia: Aplasia | None
    responses: Sequence[tuple[Phase, Phase, Phase]]
    late: Sequence[LateFlag]
    joint: Sequence[JointCount]
    copies: Sequence[Copies]
    reconstitution: Sequence[Reconstitution]


def _found_for(course: Course, record: ClinicalRecord, scores: Sequence[Score], options: CourseOptions) -> _Findings:
    """What is found for one subject."""
    subject = course.subject_id
    return _Findings(
        kinetics=course.kinetics(),
        scores=tuple(score for score in scores if score.subject_id == subject),
        decline=_decline(course) if options.decline else None,
        aplasia=_aplasia(course, record, options.b_cell_threshold_per_ul),
        responses=list(phases(course, record.interventions)),
        late=list(late_flags(course, options.late)),
        joint=[one for one in options.joint if one.subject_id == subject],
        copies=copies_beside_cells(course, record),
        reconstitution=list(
            reconstitution(
                course,
                record,
                b_cell_threshold=options.b_cell_threshold_per_ul,
                nk_threshold=options.nk_threshold_per_ul,
            )
        ),
    )


def _tables_of_findings(findings: Mapping[str, _Findings]) -> dict[str, tuple[Sequence[Column], Sequence[Row]]]:
    """Return the tables of what is found for each subject, by name."""
    all_copies = {subject: own.copies for subject, own in findings.items()}
    return {
        "kinetics": (KINETICS, [kinetics_row(own.kinetics) for own in findings.values()]),
        "responses": (
            RESPONSES,
            [response_row(one) for own in findings.values() for three in own.responses for one in three],
        ),
        "reconstitution": (
            RECONSTITUTION,
            [reconstitution_row(subject, one) for subject, own in findings.items() for one in own.reconstitution],
        ),
        "late": (LATE, [late_row(flag) for own in findings.values() for flag in own.late]),
        "copies": (COPIES, [copies_row(one) for own in findings.values() for one in own.copies]),
        "copies_correlation": (
            COPIES_CORRELATION,
            [copies_correlation_row(one) for one in copies_correlations(all_copies)],
        ),
        "aplasia": (APLASIA, [aplasia_row(own.aplasia) for own in findings.values() if own.aplasia is not None]),
        "decline": (
            DECLINE,
            [decline_row(subject, own.decline) for subject, own in findings.items() if own.decline is not None],
        ),
    }


def _decline(course: Course) -> Decline:
    quantified = [point for point in course.points if point.quantified and point.day >= 0]
    return fit_decline([point.day for point in quantified], [point.car_per_ul.value or 0.0 for point in quantified])


def _aplasia(course: Course, record: ClinicalRecord, threshold_per_ul: float | None) -> Aplasia | None:
    """Return the aplasia by the subject's counted B cells, else by the clinical values; without a threshold none."""
    if threshold_per_ul is None:
        return None
    counted = [(point.day, point.b_cells_per_ul) for point in course.points if point.b_cells_per_ul is not None]
    visits = counted or [(value.day, value.value) for value in record.series("b_cells")]
    return aplasia(
        [day for day, _ in visits],
        [value for _, value in visits],
        threshold_per_ul=threshold_per_ul,
        subject_id=course.subject_id,
    )


def _subject_tables(course: Course, record: ClinicalRecord, findings: _Findings) -> Iterator[Listing]:
    if findings.late:
        yield late_listing(findings.late)
    yield points_listing(course.points)
    yield kinetics_listing(findings.kinetics)
    if findings.responses:
        yield responses_listing(findings.responses)
    if findings.joint:
        yield joint_listing(findings.joint)
    if findings.decline is not None:
        yield decline_listing(findings.decline)
    if findings.aplasia is not None:
        yield aplasia_listing(findings.aplasia)
    if findings.scores:
        yield scores_listing(findings.scores)
    if record.interventions:
        yield drugs_listing(record.interventions, record)


def _cohort_section(kinetics: Sequence[Kinetics], pictures: tuple[Picture, ...]) -> Section:
    still_detected = sum(one.still_detected for one in kinetics)
    tables = (spreads_listing(list(spreads(kinetics)), still_detected=still_detected), peaks_listing(kinetics))
    return Section("All subjects", "cohort", pictures, tables)
