"""``course.html``: what a physician opens. Figure, table, kinetics, and the method in words, in one file.

The page is data first (``Page``), then one template; pictures are inside it, nothing is fetched, every text is escaped.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence

from msgspec import Struct

from cytocar.counting.limits import CarResult, less_than, three_digits
from cytocar.course.aplasia import Aplasia
from cytocar.course.clinical import ClinicalRecord, Intervention
from cytocar.course.cohort import Spread
from cytocar.course.joint import JointCount
from cytocar.course.late import LateFlag
from cytocar.course.responses import Phase, sentence
from cytocar.course.scores import Score
from cytocar.course.series import CoursePoint
from cytocar.kinetics.expansion_models import Decline
from cytocar.kinetics.parameters import Kinetics
from cytocar.statistics.estimate import Estimate
from cytocar.tables.columns import day_text
from cytocar.version import __version__

DASH = "–"

METHOD = (
    "CAR-T cells are the events in the CAR gate of T cells, as the gating template of each run defines it. Cells/µL"
    " follow from counting beads, from the acquired volume or from a blood count of the same draw; the 95 % interval"
    " is exact for the counted events (Clopper-Pearson or Garwood), widened where the template names a systematic"
    " error.",
    "A sample is detected with more events than its limit of blank, which 95 % of tubes without CAR-T cells do not"
    " exceed, with no fewer than the template's number, and, where no control shows the background, with no less than"
    " the template's percentage of T cells. Its limit of detection (LoD) says what 95 % of tubes like it detect: a"
    " sample below it may be detected. It is quantified from its lower limit of quantification (LLOQ) up, which is"
    " never below the LoD. Open triangles stand at the limit that was not reached; the line is not drawn through them."
    " Replicates of one day are pooled by their events unless they are shown apart.",
    "Kinetics are noncompartmental. AUC: linear where the curve rises, logarithmic where it falls, from infusion, with"
    " no extrapolation. Half-life: the straightest log-linear fit to three or more quantified samples at the end of"
    " the curve, after the peak. The intervals of peak and areas hold, beside counting, how days scatter about the"
    " course and what other lines between the samples would make of it: they are wider than the sample's own."
    " Persistence: the last day with cells detected, and at least so long (≥) where the last sample still shows them."
    " Values below the limit of quantification: before the first quantified one 0, between quantified ones left out,"
    " after the last one the AUC ends there.",
)
DRUG_NOTE = "Tocilizumab blocks the IL-6 receptor: IL-6 in blood rises after it without more being made."


class Picture(Struct, frozen=True):
    """A figure inside the page."""

    svg: bytes
    alt: str
    caption: str

    @property
    def data_uri(self) -> str:
        """The picture as an address that needs no file."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.svg).decode()


class Line(Struct, frozen=True):
    """A line of a table; ``mark`` tells how it is shown."""

    cells: tuple[str, ...]
    mark: str = ""


class Listing(Struct, frozen=True):
    """A table of the page; ``text_columns`` are aligned to the left."""

    heading: str
    header: tuple[str, ...]
    lines: tuple[Line, ...]
    text_columns: tuple[int, ...] = (0,)
    caption: str = ""


class Section(Struct, frozen=True):
    """One subject, or all together."""

    name: str
    anchor: str
    pictures: tuple[Picture, ...]
    tables: tuple[Listing, ...]


class Page(Struct, frozen=True):
    """Everything that the template prints."""

    title: str
    subjects: tuple[Section, ...]
    cohort: Section | None = None
    left_out: Listing | None = None
    unverified: tuple[str, ...] = ()
    method: tuple[str, ...] = METHOD
    version: str = __version__


def course_html(page: Page) -> str:
    """Return the page as one self-contained HTML file."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("cytocar.report", "course"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("course.html.j2").render(page=page) + "\n"


# ---------------------------------------------------------------- tables


def points_listing(points: Sequence[CoursePoint]) -> Listing:
    """Return the table of samples: what was found, with interval and limits."""
    header = ("Day", "Sample", "CAR-T cells/µL", "95 % interval", "LoD", "LLOQ", "% of T cells", "CD4/CD8 of CAR-T")
    return Listing(
        heading="Samples",
        header=(*header, "T cells/µL", "Status"),
        lines=tuple(_point_line(point) for point in points),
        text_columns=(1, 9),
        caption="LoD and LLOQ in cells/µL, of each sample.",
    )


def _point_line(point: CoursePoint) -> Line:
    mark = {CarResult.QUANTIFIED: "", CarResult.NOT_EVALUABLE: "lost" if point.has_car_gate else ""}.get(
        point.car_result, "below"
    )
    return Line(
        (
            day_text(point.day),
            point.sample_id,
            result_text(point),
            DASH if point.car_result is CarResult.NOT_EVALUABLE else interval_text(point.car_per_ul),
            number_text(point.car_lod_per_ul),
            number_text(point.car_lloq_per_ul),
            number_text(point.car_percent_of_t_cells),
            number_text(point.car_cd4_cd8_ratio.value) if point.quantified else DASH,
            number_text(point.t_cells_per_ul),
            point.status.replace("_", " ") + (": replicates disagree (W320)" if point.replicates_disagree else ""),
        ),
        mark,
    )


def kinetics_listing(kinetics: Kinetics) -> Listing:
    """Return the table of kinetics, each empty number with its reason."""
    k = kinetics
    halving = f"last {k.half_life_points} samples, adjusted R² {k.half_life_adjusted_r2 or 0.0:.3f}"
    halved, doubled = _limits(k, "half_life_days"), _limits(k, "doubling_time_days")
    rows = (
        ("cmax_per_ul", "Peak (Cmax), cells/µL", number_text(k.cmax_per_ul), _limits(k, "cmax_per_ul")),
        ("tmax_day", "Day of the peak (Tmax)", _day(k.tmax_day), ""),
        ("auc_0_28", "AUC to day 28, cells/µL × days", number_text(k.auc_0_28), _limits(k, "auc_0_28")),
        ("auc_0_84", "AUC to day 84, cells/µL × days", number_text(k.auc_0_84), _limits(k, "auc_0_84")),
        ("clast_per_ul", "Last quantified (Clast), cells/µL", number_text(k.clast_per_ul), ""),
        ("tlast_day", "Its day (Tlast)", _day(k.tlast_day), ""),
        ("persistence_days", "Persistence, days", persistence_text(k), ""),
        ("doubling_time_days", "Doubling time, days", number_text(k.doubling_time_days), doubled),
        ("half_life_days", "Half-life, days", number_text(k.half_life_days), halved),
    )
    lines = [
        Line((name, value, spread, k.reason(column) or (halving if column == "half_life_days" else "")))
        for column, name, value, spread in rows
    ]
    return Listing(
        heading="Kinetics",
        header=("", "Value", "95 % interval", "Note"),
        lines=tuple(lines),
        text_columns=(0, 3),
        caption=f"Quantified from the infusion on: {k.n_quantified} of {k.n_timepoints} samples"
        + (f" ({early})" if (early := k.reason("n_timepoints")) else "")
        + f". Below the limit: {k.blq_rule}.",
    )


def _limits(kinetics: Kinetics, name: str) -> str:
    """Return the interval of one of the numbers."""
    return interval_text(Estimate(*(getattr(kinetics, f"{name}{side}") for side in ("", "_low", "_high"))))


def _day(day: float | None) -> str:
    return DASH if day is None else day_text(day)


def persistence_text(kinetics: Kinetics) -> str:
    """Return how long cells were detected: at least so long where they still are in the last sample."""
    return f"{'≥ ' if kinetics.still_detected else ''}{_day(kinetics.persistence_days)}"


def responses_listing(responses: Sequence[tuple[Phase, Phase, Phase]]) -> Listing:
    """Return the table of what the cells did around each intervention, one sentence a line."""
    lines = tuple(
        Line((sentence(phases), *(p_text(phase.change_p) for phase in phases[1:])))
        for phases in responses
        if any(phase.rate.per_day is not None or phase.rate.high is not None for phase in phases)
    )
    return Listing(
        "CAR-T cells around each intervention",
        ("Slope of the logarithm, with 95 % interval", "p, bend at its start", "p, bend at its end"),
        lines,
        caption="What came together need not be cause and effect. All numbers: responses.csv.",
    )


def decline_listing(fit: Decline) -> Listing:
    """Return the table of the two exponentials."""
    rows = (
        ("First half-life, days", fit.first_half_life_days),
        ("Second half-life, days", fit.second_half_life_days),
        ("First phase at the peak, cells/µL", fit.first_per_ul),
        ("Second phase at the peak, cells/µL", fit.second_per_ul),
        ("Scatter about the fit (SD of ln)", fit.residual_sd_log),
    )
    lines = tuple(Line((name, number_text(value))) for name, value in rows)
    return Listing("Decline in two phases", ("", "Value"), lines, caption=fit.caution)


def joint_listing(counts: Sequence[JointCount]) -> Listing:
    """Return the tubes' own net counts beside those with the shape that they share."""
    lines = []
    for one in counts:
        by_volume = one.per_ul.value is not None
        alone, together = (one.per_ul, one.joint_per_ul) if by_volume else (one.percent, one.joint_percent)
        numbers = (number_text(alone.value), interval_text(alone))
        shared = (number_text(together.value), one.refused or interval_text(together))
        lines.append(Line((day_text(one.day), one.sample_id, *numbers, *shared)))
    head = ("Day", "Tube", "Net, alone", "95 % interval", "Net, shared shape", "95 % interval")
    with_shape = next((one for one in counts if one.joint_stain_index is not None), None)
    note = "cells/µL, or percent of T cells where there is no absolute count."
    if with_shape is not None:
        note += f" {with_shape.tubes} tubes share CAR-T cells of a stain index of {with_shape.joint_stain_index:.1f}."
    return Listing("Tubes together", head, tuple(lines), (1, 5), note)


def drugs_listing(interventions: Sequence[Intervention], record: ClinicalRecord) -> Listing:
    """Return the table of interventions."""
    lines = tuple(
        Line((course.name, day_text(course.start_day), _end_text(course), course.dose_text)) for course in interventions
    )
    drugs = {course.name.lower() for course in interventions}
    note = DRUG_NOTE if "tocilizumab" in drugs and record.series("il6") else ""
    return Listing("Interventions", ("Drug", "From day", "To day", "Dose"), lines, (0, 3), note)


def _end_text(course: Intervention) -> str:
    return "goes on" if course.end_day is None else day_text(course.end_day)


def scores_listing(scores: Sequence[Score]) -> Listing:
    """Return the table of calculated scores."""
    lines = tuple(
        Line(
            (
                s.score,
                DASH if s.day is None else day_text(s.day),
                number_text(s.value),
                s.category,
                s.inputs,
                s.note,
                s.source,
            )
        )
        for s in scores
    )
    return Listing(
        "Calculated scores",
        ("Score", "Day", "Value", "", "From", "Note", "Source"),
        lines,
        (0, 3, 4, 5, 6),
        "Calculated from the entered values. Not diagnostic.",
    )


def late_listing(flags: Sequence[LateFlag]) -> Listing:
    """Return the table of late flags."""
    lines = tuple(Line((day_text(flag.day), flag.flag, flag.text)) for flag in flags)
    return Listing(
        "Late flags", ("Day", "Flag", "Found"), lines, (1, 2), "A reason to look again. Thresholds are the user's own."
    )


def aplasia_listing(aplasia: Aplasia) -> Listing:
    """Return the table of B-cell aplasia."""
    rows = (
        ("First visit below, day", aplasia.first_day_below),
        ("Last visit below, day", aplasia.last_day_below),
        ("First visit above again, day", aplasia.recovered_day),
        ("Shortest duration, days", aplasia.shortest_days),
        ("Longest duration, days", aplasia.longest_days),
    )
    lines = tuple(Line((name, _day(value))) for name, value in rows)
    caption = f"B cells below {aplasia.threshold_per_ul:g} cells/µL." + (
        f" {aplasia.note.capitalize()}." if aplasia.note else ""
    )
    return Listing("B-cell aplasia", ("", "Value"), lines, caption=caption)


_SPREADS = {
    "cmax_per_ul": "Peak (Cmax), cells/µL",
    "tmax_day": "Day of the peak (Tmax)",
    "auc_0_28": "AUC to day 28, cells/µL × days",
    "auc_0_84": "AUC to day 84, cells/µL × days",
    "persistence_days": "Persistence, days",
    "half_life_days": "Half-life, days",
}


def spreads_listing(spreads: Sequence[Spread], *, still_detected: int) -> Listing:
    """Return the table of what the subjects' kinetics have in common; some may still have cells."""
    lines = []
    for one in spreads:
        shown = _day if one.name in ("tmax_day", "persistence_days") else number_text
        numbers = (one.median, one.lower_quartile, one.upper_quartile, one.minimum, one.maximum)
        median, lower, upper, least, most = map(shown, numbers)
        lines.append(
            Line((_SPREADS[one.name], str(one.n_subjects), median, f"{lower}{DASH}{upper}", f"{least}{DASH}{most}"))
        )
    total = max((one.n_subjects for one in spreads), default=0)
    until = f"Persistence is that until the last sample in {still_detected} of {total} with cells in it."
    header = ("", "Subjects", "Median", "Quartiles", "Range")
    return Listing("Over all subjects", header, tuple(lines), caption=until if still_detected else "")


def peaks_listing(kinetics: Sequence[Kinetics]) -> Listing:
    """Return the table of peaks, one line for each subject."""
    lines = tuple(
        Line(
            (
                one.subject_id,
                number_text(one.cmax_per_ul),
                _limits(one, "cmax_per_ul"),
                _day(one.tmax_day),
                number_text(one.auc_0_28),
                persistence_text(one),
            )
        )
        for one in kinetics
    )
    header = ("Subject", "Peak, cells/µL", "95 % interval", "Day", "AUC to day 28", "Persistence, days")
    return Listing("Peaks", header, lines)


def left_out_listing(left_out: Sequence[tuple[str, str]]) -> Listing | None:
    """Return the table of samples that are on no course; ``None`` if there are none."""
    lines = tuple(Line(pair) for pair in left_out)
    return Listing("Samples on no course", ("Sample", "Reason"), lines, (0, 1)) if lines else None


# ---------------------------------------------------------------- texts


def result_text(point: CoursePoint) -> str:
    """What may be said of a sample's concentration."""
    if not point.has_car_gate:
        return "not stained for CAR"
    if point.quantified and point.car_per_ul.value is not None:
        return three_digits(point.car_per_ul.value)
    if point.car_result is CarResult.BELOW_LLOQ and point.car_lloq_per_ul is not None:
        return less_than(point.car_lloq_per_ul)
    if point.car_result is CarResult.QUANTIFIED and point.car_percent_of_t_cells is not None:
        return f"{three_digits(point.car_percent_of_t_cells)} % of T cells"
    return {CarResult.NOT_DETECTED: "not detected", CarResult.BELOW_LLOQ: "below LLOQ"}.get(
        point.car_result, "no result"
    )


def number_text(value: float | None) -> str:
    """Return a number of three digits, a dash for none."""
    return DASH if value is None else three_digits(value)


def p_text(p: float | None) -> str:
    """Return a p value as papers print it.

    >>> p_text(0.0382), p_text(4.65e-06), p_text(None)
    ('0.0382', '<0.0001', '–')
    """
    return "<0.0001" if p is not None and p < 0.0001 else number_text(p)


def interval_text(estimate: Estimate) -> str:
    """Return the limits of an estimate, a dash for none; of one alone, which it is."""
    if estimate.low is None or estimate.high is None:
        known = [(sign, limit) for sign, limit in (("≥", estimate.low), ("≤", estimate.high)) if limit is not None]
        return " ".join(f"{sign} {number_text(limit)}" for sign, limit in known) or DASH
    return f"{number_text(estimate.low)}{DASH}{number_text(estimate.high)}"


def anchors(subjects: Sequence[str]) -> Iterator[str]:
    """Yield a place in the page for each subject."""
    for number, _ in enumerate(subjects, start=1):
        yield f"subject-{number}"
