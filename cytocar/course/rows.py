"""The rows of a course's tables, from what they tell of; ``tables`` declares their columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

from cytocar.course.aplasia import Aplasia
from cytocar.course.clinical import ClinicalRecord, ClinicalValue, Intervention
from cytocar.course.cohort import Visit
from cytocar.course.copies import Copies, CopiesCorrelation
from cytocar.course.groups import Comparison
from cytocar.course.joint import JointCount
from cytocar.course.late import LateFlag
from cytocar.course.reconstitution import Reconstitution
from cytocar.course.responses import Phase
from cytocar.course.scores import Score
from cytocar.course.series import CoursePoint
from cytocar.course.subjects import Subjects
from cytocar.course.tables import (
    APLASIA,
    COHORT,
    COPIES,
    COPIES_CORRELATION,
    DECLINE,
    FIT,
    INTERVENTIONS,
    LATE,
    SCORES,
)
from cytocar.kinetics.course_fit import CourseFit
from cytocar.kinetics.expansion_models import Decline
from cytocar.kinetics.parameters import Kinetics
from cytocar.sample.result import spread
from cytocar.statistics.estimate import Estimate
from cytocar.tables.columns import Row, Value


def series_rows(
    points: Sequence[CoursePoint],
    record: ClinicalRecord,
    populations: Sequence[str] = (),
    subjects: Subjects | None = None,
) -> Iterator[Row]:
    """Yield the lines of ``series.csv``, each with the clinical values of its subject and day."""
    same_day: dict[tuple[str, float], dict[str, list[ClinicalValue]]] = {}
    for value in record.values:
        of_day = same_day.setdefault((value.subject_id, value.day), {})
        of_day.setdefault(value.variable, []).append(value)
    words = {(text.subject_id, text.day, text.variable): text.text for text in record.texts}
    for point in points:
        cells: dict[str, Value] = dict(point.carried)
        for variable, values in same_day.get((point.subject_id, point.day), {}).items():
            cells[variable] = fmean(value.value for value in values)
            cells[f"{variable}_bound"] = "".join(dict.fromkeys(value.bound for value in values))
        for (person, day, variable), text in words.items():
            if (person, day) == (point.subject_id, point.day):
                cells[f"{variable}_text"] = text
        subject = subjects.by_id.get(point.subject_id) if subjects else None
        if subject is not None:
            cells["day_from_last_infusion"] = subject.days_from_last_infusion(point.day)
        for name in populations:
            cells |= _population_cells(name, point)
        yield cells | _point_row(point)


def _population_cells(name: str, point: CoursePoint) -> dict[str, Value]:
    count = point.populations.get(name)
    if count is None:
        return {}
    return {
        f"{name}_per_ul": count.per_ul.value,
        f"{name}_per_ul_low": count.per_ul.low,
        f"{name}_per_ul_high": count.per_ul.high,
        f"{name}_lod_per_ul": count.lod_per_ul,
        f"{name}_lloq_per_ul": count.lloq_per_ul,
        f"{name}_result": count.result,
    }


def _point_row(point: CoursePoint) -> dict[str, Value]:
    return {
        "subject_id": point.subject_id,
        "day": point.day,
        "sample_id": point.sample_id,
        "car_per_ul": point.car_per_ul.value,
        "car_per_ul_low": point.car_per_ul.low,
        "car_per_ul_high": point.car_per_ul.high,
        "car_result": point.car_result,
        "car_percent_of_t_cells": point.car_percent_of_t_cells,
        "car_cd4_cd8_ratio": point.car_cd4_cd8_ratio.value,
        "t_cells_per_ul": point.t_cells_per_ul,
        "cd4_cd8_ratio": point.cd4_cd8_ratio,
        "status": point.status,
        "car_lod_per_ul": point.car_lod_per_ul,
        "car_lloq_per_ul": point.car_lloq_per_ul,
        "b_cells_per_ul": point.b_cells_per_ul,
        "car_count": point.car_count,
        "car_per_ul_gated": point.car_per_ul_gated,
        "replicates_p": point.replicates_p,
    }


def response_row(phase: Phase) -> Row:
    """Return a line of ``responses.csv``."""
    return {
        "subject_id": phase.subject_id,
        "intervention": phase.interval.name,
        "start_day": phase.interval.start_day,
        "end_day": phase.interval.end_day,
        "phase": phase.phase,
        "first_day": phase.first_day,
        "last_day": phase.last_day,
        "n_values": phase.rate.n_values,
        "n_below": phase.rate.n_below,
        "rate_per_day": phase.rate.per_day,
        "rate_per_day_low": phase.rate.low,
        "rate_per_day_high": phase.rate.high,
        "doubling_time_days": phase.doubling_time_days,
        "half_life_days": phase.half_life_days,
        "fold": phase.fold,
        "change_p": phase.change_p,
        "method": phase.rate.method,
    }


def reconstitution_row(subject_id: str, reconstitution: Reconstitution) -> Row:
    """Return a line of ``reconstitution.csv``."""
    own = ("cells", "n_visits", "nadir_day", "nadir_per_ul", "nadir_bound", "baseline_per_ul", "depth_percent")
    bounds = {} if reconstitution.below is None else aplasia_row(reconstitution.below)
    return {**bounds, **{name: getattr(reconstitution, name) for name in own}, "subject_id": subject_id}


def late_row(flag: LateFlag) -> Row:
    """Return a line of ``late.csv``."""
    return {column.name: getattr(flag, column.name) for column in LATE}


def copies_row(copies: Copies) -> Row:
    """Return a line of ``copies.csv``."""
    return {column.name: getattr(copies, column.name) for column in COPIES}


def copies_correlation_row(correlation: CopiesCorrelation) -> Row:
    """Return a line of ``copies_correlation.csv``."""
    return {column.name: getattr(correlation, column.name) for column in COPIES_CORRELATION}


def intervention_row(course: Intervention) -> Row:
    """Return a line of ``interventions.csv``."""
    return {column.name: getattr(course, column.name) for column in INTERVENTIONS}


def group_row(one: Comparison) -> Row:
    """Return a line of ``groups.csv``."""
    row: dict[str, Value] = {}
    for side, name in ((one.first, "first"), (one.second, "second")):
        row |= {name: side.name, f"n_{name}": side.n, f"n_below_{name}": side.n_below, f"median_{name}": side.median}
        row |= {f"lower_quartile_{name}": side.lower_quartile, f"upper_quartile_{name}": side.upper_quartile}
    names = ("measure", "unit", "effect_kind", "statistic", "p", "p_method", "p_holm", "p_bh", "note")
    row |= {name: getattr(one, name) for name in names}
    if one.effect is not None:
        row |= {"effect": one.effect.value, "effect_low": one.effect.low, "effect_high": one.effect.high}
    return row


def kinetics_row(kinetics: Kinetics) -> Row:
    """Return a subject's line of ``kinetics.csv``."""
    row: dict[str, Value] = {name: getattr(kinetics, name) for name in Kinetics.columns() if name != "reasons"}
    return row | {"reasons": "; ".join(f"{column}: {reason}" for column, reason in kinetics.reasons)}


def covariate_rows(record: ClinicalRecord) -> Iterator[Row]:
    """Yield the lines of ``covariates.csv``: every clinical value in its variable's unit."""
    for value in record.values:
        names = ("subject_id", "day", "variable", "value", "unit", "bound", "note")
        yield {name: getattr(value, name) for name in names}
    for text in record.texts:
        yield {name: getattr(text, name) for name in ("subject_id", "day", "variable", "text", "note")}


def score_row(score: Score) -> Row:
    """Return a line of ``scores.csv``."""
    return {column.name: getattr(score, column.name) for column in SCORES}


def aplasia_row(aplasia: Aplasia) -> Row:
    """Return a line of ``aplasia.csv``."""
    return {column.name: getattr(aplasia, column.name) for column in APLASIA}


def decline_row(subject_id: str, fit: Decline) -> Row:
    """Return a subject's line of ``decline.csv``."""
    row: dict[str, Value] = {
        column.name: getattr(fit, column.name) for column in DECLINE if column.name != "subject_id"
    }
    return row | {"subject_id": subject_id}


def joint_row(count: JointCount) -> Row:
    """Return a line of ``joint.csv``."""
    return {
        "subject_id": count.subject_id,
        "day": count.day,
        "sample_id": count.sample_id,
        "car_events": count.car_events,
        **spread("car_percent_net", count.percent),
        **spread("car_per_ul_net", count.per_ul),
        "sensitivity": count.sensitivity,
        **spread("car_percent_joint", count.joint_percent),
        **spread("car_per_ul_joint", count.joint_per_ul),
        "sensitivity_joint": count.joint_sensitivity,
        "stain_index_joint": count.joint_stain_index,
        "joint_tubes": count.tubes,
        "shape_p": count.shape_p,
        "refused": count.refused,
    }


def fit_row(subject_id: str, fit: CourseFit) -> Row:
    """Return a subject's line of ``fit.csv``."""
    row: dict[str, Value] = {"subject_id": subject_id}
    for column in FIT[1:]:
        name, _, limit = column.name.rpartition("_")
        own = getattr(fit, column.name, None)
        if limit in ("low", "high") and isinstance(getattr(fit, name, None), Estimate):
            row[column.name] = getattr(getattr(fit, name), limit)
        else:
            row[column.name] = own.value if isinstance(own, Estimate) else own
    return row


def visit_row(visit: Visit) -> Row:
    """Return a visit's line of ``cohort.csv``."""
    return {column.name: getattr(visit, column.name) for column in COHORT}
