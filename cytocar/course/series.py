"""Samples of one or more runs, joined into courses by subject and day.

Samples and baselines of one specimen (blood, unless told otherwise) make the course; controls do not. All tubes of one
subject and day are one draw and one point, whatever their templates (see ``draws``): replicates are pooled by their
events (see ``replicates``), or kept apart. What failed or was excluded stays as a point without a number.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import groupby
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from cytocar.counting.limits import CarResult
from cytocar.course.draws import NOT_GATED, CellCount, Tube, joined_texts, pooled_populations
from cytocar.course.replicates import DISAGREEMENT, CountedSample, pool
from cytocar.course.run_tables import B_CELLS, read_tubes
from cytocar.errors.tree import UsageError
from cytocar.kinetics.course_fit import CourseFit, fit_course
from cytocar.kinetics.parameters import Kinetics, noncompartmental
from cytocar.sample.result import Status
from cytocar.sheet.rows import SampleType
from cytocar.sheet.tube import Specimen
from cytocar.statistics.estimate import UNKNOWN, Estimate

IN_COURSE = frozenset({SampleType.SAMPLE, SampleType.BASELINE})
"""Types of samples that make a course; the others are controls."""


class Replicates(StrEnum):
    """What becomes of several samples of one subject and day."""

    POOL = "pool"
    EACH = "each"


class CoursePoint(Struct, frozen=True):
    """One draw of a course: a sample, or all tubes of one day joined.

    ``car_per_ul`` is the gated concentration, or the net one where asked for (``car_count``); it keeps
    the estimate even below the limit, and ``car_result`` says what may be said of it. The limits are of this
    sample. ``status`` is that of ``counts.csv``; ``failed`` and ``excluded`` points have no numbers.
    ``has_car_gate`` is false where no tube of the draw was stained for CAR: such a point is on no CAR-T curve.
    ``populations`` holds every population of every tube, ``carried`` the words of the sheet.
    """

    subject_id: str
    day: float
    sample_id: str
    status: Status = Status.OK
    car_result: CarResult = CarResult.NOT_EVALUABLE
    car_per_ul: Estimate = UNKNOWN
    car_lod_per_ul: float | None = None
    car_lloq_per_ul: float | None = None
    car_percent_of_t_cells: float | None = None
    car_cd4_cd8_ratio: Estimate = UNKNOWN
    t_cells_per_ul: float | None = None
    cd4_cd8_ratio: float | None = None
    b_cells_per_ul: float | None = None
    has_car_gate: bool = True
    populations: Mapping[str, CellCount] = field(default_factory=dict)
    carried: Mapping[str, str] = field(default_factory=dict)
    car_count: str = "gated"
    car_per_ul_gated: float | None = None
    replicates_p: float | None = None

    def of_population(self, name: str) -> CoursePoint:
        """Return the point of one of its populations in place of CAR-T cells: count, interval, limits, result."""
        count = self.populations[name]
        return replace(
            self,
            car_result=count.result,
            car_per_ul=count.per_ul,
            car_lod_per_ul=count.lod_per_ul,
            car_lloq_per_ul=count.lloq_per_ul,
            car_cd4_cd8_ratio=UNKNOWN,
            has_car_gate=True,
        )

    @property
    def quantified(self) -> bool:
        """Whether the point has a concentration that counts."""
        return self.car_result is CarResult.QUANTIFIED and bool(self.car_per_ul.value)

    @property
    def replicates_disagree(self) -> bool:
        """Whether the tubes of the draw differ by more than chance."""
        return self.replicates_p is not None and self.replicates_p < DISAGREEMENT


class Course(Struct, frozen=True):
    """One subject's points in order of days."""

    subject_id: str
    points: tuple[CoursePoint, ...]

    def kinetics(self) -> Kinetics:
        """Return the kinetics of the course.

        Points of one day that were kept apart count once: by the mean of those that are quantified, else by what says
        most about the cells.
        """
        days = [_one_of_a_day(tuple(same)) for _, same in groupby(self.points, key=lambda point: point.day)]
        return noncompartmental(
            [point.day for point in days],
            [point.car_per_ul.value for point in days],
            results=[_countable(point) for point in days],
            intervals=[point.car_per_ul for point in days],
            limits=[_upper_bound(point) for point in days],
            subject_id=self.subject_id,
        )

    def fit(self) -> CourseFit:
        """Return lag, growth, peak and decline fitted to the course, values below a limit counted as such."""
        days = [_one_of_a_day(tuple(same)) for _, same in groupby(self.points, key=lambda point: point.day)]
        return fit_course(
            [point.day for point in days],
            [point.car_per_ul.value for point in days],
            results=[_countable(point) for point in days],
            lods=[point.car_lod_per_ul for point in days],
            lloqs=[point.car_lloq_per_ul for point in days],
        )


class Series(Struct, frozen=True):
    """Courses in order of subjects, and the samples that are on none, each with the reason."""

    courses: tuple[Course, ...]
    left_out: tuple[tuple[str, str], ...] = ()

    @property
    def points(self) -> tuple[CoursePoint, ...]:
        """All points, in order of subject and day."""
        return tuple(point for course in self.courses for point in course.points)

    def chosen_populations(self, names: Collection[str]) -> tuple[str, ...]:
        """Return the populations that come onto the courses: B cells where there are any, then these.

        Raises
        ------
        UsageError
            E136 when no tube holds one of them.
        """
        present = dict.fromkeys(name for point in self.points for name in point.populations)
        for name in names:
            if name not in present:
                raise UsageError(
                    f"no tube of these courses has a population {name!r}",
                    code="E136",
                    hint=f"populations are: {', '.join(present)}" if present else "the runs have no populations.csv",
                )
        always = [B_CELLS] if B_CELLS in present else []
        return tuple(dict.fromkeys((*always, *names)))

    def only(self, subjects: Collection[str]) -> Series:
        """Return the courses of these subjects.

        Raises
        ------
        UsageError
            E134 when one of them has no course.
        """
        present = [course.subject_id for course in self.courses]
        for subject in subjects:
            if subject not in present:
                raise UsageError(
                    f"subject {subject!r} has no sample in these runs",
                    code="E134",
                    hint=f"subjects are: {', '.join(present)}",
                )
        return replace(self, courses=tuple(course for course in self.courses if course.subject_id in subjects))


def join(
    runs: Sequence[Path],
    *,
    replicates: Replicates = Replicates.POOL,
    specimen: Specimen = Specimen.BLOOD,
    gated: bool = True,
) -> Series:
    """Return the courses of the subjects in these run folders.

    Parameters
    ----------
    runs : sequence of Path
        Run folders (or their ``counts.csv``), in any order.
    replicates : Replicates
        Whether samples of one subject and day become one point by pooling their events, or one point each.
    specimen : Specimen
        Which specimen the course is of; a sample that names none is blood.
    gated : bool
        Whether the course is of the gated counts; else of the net ones, where a tube has one.

    Raises
    ------
    UsageError
        E132 when a run cannot be read, E133 when two runs hold different results for one file, E134 when no sample
        has a subject and a day.
    """
    on_course: list[Tube] = []
    left_out: list[tuple[str, str]] = []
    for tube in _unique(runs):
        reason = _why_left_out(tube.counted, specimen)
        if reason is None:
            on_course.append(tube)
        else:
            left_out.append((tube.counted.sample_id, reason))
    if not on_course:
        raise UsageError(
            f"no {specimen} sample of these runs has a subject and a day, so there is no course",
            code="E134",
            hint="give subject_id, and day or collected_at and infused_at, in the sample sheet",
        )
    on_course.sort(key=lambda tube: (tube.counted.subject_id, tube.counted.day or 0.0, tube.counted.sample_id))
    on_course, again = _each_recording_once(on_course)
    left_out += again
    courses = []
    for subject, own in groupby(on_course, key=lambda tube: tube.counted.subject_id):
        points: list[CoursePoint] = []
        for _, same_day in groupby(own, key=lambda tube: tube.counted.day):
            points += _points_of_a_draw(tuple(same_day), replicates, gated=gated)
        courses.append(Course(subject, tuple(points)))
    return Series(tuple(courses), tuple(left_out))


def _unique(runs: Sequence[Path]) -> list[Tube]:
    """Return the tubes of all runs, once each.

    A file that two runs counted alike is one tube; its CAR-T cells counted differently, or under two names, are a
    fault. Counted with a second template that has no CAR gate, it adds that template's populations. Samples of two runs
    may share a name, as wells do: the files tell them apart.
    """
    tubes: list[Tube] = []
    of_file: dict[str, list[CountedSample]] = {}
    for run in runs:
        own = list(read_tubes(run))
        for tube in own:
            sample = tube.counted
            earlier = of_file.get(sample.file_sha256) if sample.file_sha256 else None
            if earlier is None or (sample not in earlier and _another_template(sample, earlier)):
                tubes.append(tube)
            elif sample not in earlier:
                raise UsageError(
                    f"the runs hold two different results for the file of sample {sample.sample_id!r}",
                    code="E133",
                    hint="leave out the run that is out of date",
                )
        for tube in own:
            of_file.setdefault(tube.counted.file_sha256, []).append(tube.counted)
    return tubes


def _each_recording_once(tubes: Sequence[Tube]) -> tuple[list[Tube], list[tuple[str, str]]]:
    """Return the tubes of each draw without second rows of one recording, and these with the reason.

    A recording counts its cells once, in however many rows of a draw it stands; counted differently it is a fault.
    """
    first: dict[tuple[str, float | None, str], CountedSample] = {}
    kept, again = [], []
    for tube in tubes:
        sample = tube.counted
        known = sample
        if sample.has_numbers and sample.file_sha256:
            known = first.setdefault((sample.subject_id, sample.day, sample.file_sha256), sample)
        if known is sample:
            kept.append(tube)
        elif replace(sample, sample_id=known.sample_id, status=known.status) == known:
            again.append((sample.sample_id, f"the recording of {known.sample_id}, in a second row"))
        else:
            raise UsageError(
                f"samples {known.sample_id!r} and {sample.sample_id!r} are two different results of one file",
                code="E133",
                hint="exclude one of the rows, or give each tube its own file",
            )
    return kept, again


def _another_template(sample: CountedSample, earlier: Sequence[CountedSample]) -> bool:
    """True if of these results of one file all were gated and one at most was gated for CAR."""
    results = (*earlier, sample)
    gated = all(one.status not in NOT_GATED for one in results)
    return gated and sum(one.has_numbers for one in results) <= 1


def _why_left_out(sample: CountedSample, specimen: Specimen) -> str | None:
    """Why a sample is on no course, ``None`` if it is on one."""
    if sample.sample_type not in IN_COURSE:
        return f"{sample.sample_type} control"
    if sample.specimen is not specimen:
        return f"specimen is {sample.specimen}"
    if not sample.subject_id:
        return "no subject_id"
    return "no day" if sample.day is None else None


def _points_of_a_draw(tubes: Sequence[Tube], replicates: Replicates, *, gated: bool) -> Iterator[CoursePoint]:
    """Yield one point of all tubes of a draw, or one for each replicate; then one for each tube without a result."""
    counted = [tube for tube in tubes if tube.counted.has_numbers]
    others = [tube for tube in tubes if not tube.has_car_gate]
    lost = [tube for tube in tubes if tube.has_car_gate and not tube.counted.has_numbers]
    if replicates is Replicates.EACH and counted:
        # What the tubes without a CAR gate hold is known once for the draw: it stands at its first replicate.
        yield from (_point([tube], others if tube is counted[0] else [], gated=gated) for tube in counted)
    elif counted:
        yield _point(counted, others, gated=gated)
    elif others:
        yield _point(lost[:1], others, gated=gated)
        lost = lost[1:]
    yield from (_point([tube], [], gated=gated) for tube in lost)


def _point(counted: Sequence[Tube], others: Sequence[Tube], *, gated: bool) -> CoursePoint:
    """Return the point of a draw: its CAR-T cells from the ``counted`` tubes, populations from ``others`` as well."""
    tubes = (*counted, *others)
    samples = [tube.counted for tube in (counted or others)]
    sample = samples[0] if len(samples) == 1 else pool(samples) if counted else samples[0]
    net = not gated and sample.car_per_ul_net.value is not None
    populations = pooled_populations(tubes)
    b_cells = populations.get(B_CELLS)
    statuses = [sample.status, *(tube.counted.status for tube in tubes)]
    return CoursePoint(
        subject_id=sample.subject_id,
        day=sample.day or 0.0,
        sample_id="+".join(tube.counted.sample_id for tube in tubes),
        status=max(statuses, key=list(Status).index),
        car_result=sample.car_result,
        car_per_ul=sample.car_per_ul_net if net else sample.car_per_ul,
        car_lod_per_ul=sample.car_lod_per_ul,
        car_lloq_per_ul=sample.car_lloq_per_ul,
        car_percent_of_t_cells=sample.car_percent_of_t_cells,
        car_cd4_cd8_ratio=sample.car_cd4_cd8_ratio,
        t_cells_per_ul=sample.t_cells_per_ul,
        cd4_cd8_ratio=sample.cd4_cd8_ratio,
        b_cells_per_ul=b_cells.per_ul.value if b_cells else sample.b_cells_per_ul,
        has_car_gate=bool(counted),
        populations=populations,
        carried=joined_texts(tubes),
        car_count="net" if net else "gated",
        car_per_ul_gated=sample.car_per_ul.value,
        replicates_p=sample.agreement.p if sample.agreement else None,
    )


# ---------------------------------------------------------------- points for kinetics

_MOST_SAID_FIRST = (CarResult.BELOW_LLOQ, CarResult.NOT_DETECTED, CarResult.NOT_EVALUABLE)


def _countable(point: CoursePoint) -> CarResult:
    """Return the result as kinetics in cells/µL may use it: a percentage alone is no concentration."""
    if point.car_result is CarResult.QUANTIFIED and not point.car_per_ul.value:
        return CarResult.NOT_EVALUABLE
    return point.car_result


def _upper_bound(point: CoursePoint) -> float | None:
    """What a value that is not quantified lies below."""
    return point.car_lod_per_ul if point.car_result is CarResult.NOT_DETECTED else point.car_lloq_per_ul


def _one_of_a_day(points: Sequence[CoursePoint]) -> CoursePoint:
    """Return one point of a day: the mean of what is quantified, from the lowest of their limits to the highest."""
    quantified = [point for point in points if point.quantified]
    if len(quantified) < 2:
        return (quantified or sorted(points, key=lambda point: _MOST_SAID_FIRST.index(_countable(point))))[0]
    values = [point.car_per_ul.value or 0.0 for point in quantified]
    lows, highs = ([getattr(point.car_per_ul, side) for point in quantified] for side in ("low", "high"))
    return CoursePoint(
        subject_id=points[0].subject_id,
        day=points[0].day,
        sample_id="+".join(point.sample_id for point in quantified),
        car_result=CarResult.QUANTIFIED,
        car_per_ul=Estimate(
            sum(values) / len(values),
            None if None in lows else min(lows),
            None if None in highs else max(highs),
        ),
    )
