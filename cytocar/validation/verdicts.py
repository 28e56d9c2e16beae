"""Studies against criteria: each row of a validation, traceable to runs, template and files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct

from cytocar.tables.columns import COUNTS, Row, parse_columns
from cytocar.validation.criteria import Criteria, Criterion
from cytocar.validation.designs import Kind
from cytocar.validation.evaluate.comparison import comparison, operators
from cytocar.validation.evaluate.detection import detection
from cytocar.validation.evaluate.in_sequence import carry_over, stability
from cytocar.validation.evaluate.linearity import dilutions
from cytocar.validation.evaluate.precision import precision
from cytocar.validation.evaluate.statistic import NAMES, Found, Settings, Statistic
from cytocar.validation.limits import Verdict
from cytocar.validation.study import Study

EVALUATE: Mapping[Kind, Callable[[Study, str, Settings], Found]] = {
    Kind.PRECISION: precision,
    Kind.LINEARITY: dilutions,
    Kind.DETECTION: detection,
    Kind.COMPARISON: comparison,
    Kind.CARRY_OVER: carry_over,
    Kind.STABILITY: stability,
    Kind.OPERATORS: operators,
}
"""The function that evaluates each kind of study."""

VALIDATION = parse_columns("""
study            str -      | study, as val_study names it
measurand        str -      | number of counts.csv that is evaluated
level            str -      | level of the study; empty: the whole study
statistic        str -      | what is told of it
value            num -      | the number
low              num -      | its 95 % interval, lower bound
high             num -      | its 95 % interval, upper bound
unit             str -      | unit of value, low and high
df               num -      | degrees of freedom (Satterthwaite's, of a combination)
n                int -      | results, pairs or specimens behind it
method           str -      | how it was found
limit            str -      | what has to be met, in words; empty: no criterion
judged_by        str -      | interval or estimate: what is held against the limit
verdict          str -      | pass, fail, crosses (the limit lies in the interval), not_evaluated; empty: no criterion
reason           str -      | why the limit is what it is, from the criteria
template_name    str -      | gating template that is validated
template_version str -      | its version
template_sha256  str -      | hash of its canonical form
runs             str -      | run folders behind it, separated by blanks
data_sha256      str -      | hash over the hashes of the files behind it (validation_tubes.csv lists them)
""")
UNITS = {column.name: column.unit for column in COUNTS}


def unit_of(own: str, statistic: str, measurand: str) -> str:
    """Return the unit of a statistic: its own, or the measurand's; slopes and orders have none."""
    return own or ("" if statistic in _PURE else UNITS[measurand])


def name_and_unit(criterion: Criterion) -> tuple[str, str]:
    """Return what a reader calls the statistic of a criterion that no study met, and its unit."""
    statistic = criterion.statistic
    name, own = next((names[statistic] for names in NAMES.values() if statistic in names), (statistic, ""))
    return name, unit_of(own, statistic, criterion.measurand)


class Judged(Struct, frozen=True):
    """One statistic of a study, and the criterion that it is held against, if there is one."""

    study: Study
    measurand: str
    statistic: Statistic
    criterion: Criterion | None

    @property
    def verdict(self) -> Verdict | None:
        """Whether the criterion is met; None without one."""
        return None if self.criterion is None else self.criterion.verdict(self.statistic.estimate)

    @property
    def title(self) -> str:
        """What a reader calls the statistic."""
        return NAMES[self.study.kind][self.statistic.name][0]

    @property
    def unit(self) -> str:
        """Its unit: its own, or the measurand's; slopes and orders have none."""
        return unit_of(NAMES[self.study.kind][self.statistic.name][1], self.statistic.name, self.measurand)

    def row(self) -> Row:
        """Return its line of validation.csv."""
        name, version, sha256 = self.study.template
        estimate, limit = self.statistic.estimate, self.criterion
        return {
            "study": self.study.name,
            "measurand": self.measurand,
            "level": self.statistic.level,
            "statistic": self.statistic.name,
            "value": estimate.value,
            "low": estimate.low,
            "high": estimate.high,
            "unit": self.unit,
            "df": self.statistic.df,
            "n": self.statistic.n,
            "method": self.statistic.method,
            "limit": limit.text(self.unit) if limit else None,
            "judged_by": limit.by if limit else None,
            "verdict": self.verdict,
            "reason": limit.why if limit else None,
            "template_name": name,
            "template_version": version,
            "template_sha256": sha256,
            "runs": " ".join(dict.fromkeys(tube.run for tube in self.study.used)),
            "data_sha256": self.study.data_sha256,
        }


_PURE = frozenset(
    {
        *("slope", "order", "proportionality_r2", "proportionality_sse", "icc"),
        *("passing_bablok_slope", "deming_slope"),
    }
)


class Validation(Struct, frozen=True):
    """Studies, what they say, and whether it is enough.

    ``notes`` are what has to be known of a study and measurand (by both). ``unmet`` are criteria that no study met
    with data: their kind of study is missing, or the level that they name.
    """

    criteria: Criteria
    studies: tuple[Study, ...]
    judged: tuple[Judged, ...]
    notes: Mapping[tuple[str, str], tuple[str, ...]]
    unmet: tuple[Criterion, ...]

    @property
    def tally(self) -> Counter[Verdict]:
        """How many criteria have each verdict."""
        times = Counter(one.verdict for one in self.judged if one.verdict is not None)
        times[Verdict.NOT_EVALUATED] += len(self.unmet)
        return +times

    @property
    def passed(self) -> bool:
        """Whether every criterion is met."""
        return set(self.tally) == {Verdict.PASS}

    def line(self) -> str:
        """Return the tally in words.

        ``7 criteria met, 1 not (fail)``.
        """
        tally = self.tally
        words = {
            Verdict.FAIL: "fail",
            Verdict.CROSSES: "limit inside the interval",
            Verdict.NOT_EVALUATED: "not evaluated",
        }
        others = [f"{tally[verdict]} {word}" for verdict, word in words.items() if tally[verdict]]
        return f"{tally[Verdict.PASS]} of {tally.total()} criteria met" + (f"; {', '.join(others)}" if others else "")

    def why_not(self, criterion: Criterion) -> str:
        """Return why a criterion is not evaluated: its level is not in the study, or nothing of it is."""
        about = (criterion.study, criterion.measurand, criterion.statistic)
        levels = dict.fromkeys(
            one.statistic.level
            for one in self.judged
            if (one.study.kind, one.measurand, one.statistic.name) == about and one.statistic.level
        )
        if not criterion.level or not levels:
            return "no study of the runs says it"
        return f"no level {criterion.level!r}; there are: {', '.join(levels)}"

    def rows(self) -> Iterator[Row]:
        """Yield the lines of validation.csv; criteria without data at the end."""
        yield from (one.row() for one in self.judged)
        for criterion in self.unmet:
            yield {
                "study": criterion.study,
                "measurand": criterion.measurand,
                "level": criterion.level,
                "statistic": criterion.statistic,
                "limit": criterion.text(NAMES[criterion.study][criterion.statistic][1]),
                "judged_by": criterion.by,
                "verdict": Verdict.NOT_EVALUATED,
                "reason": criterion.why,
                "method": self.why_not(criterion),
            }

    def tube_rows(self) -> Iterator[Row]:
        """Yield the lines of validation_tubes.csv."""
        for study in self.studies:
            for tube in study.tubes:
                yield tube.line(study.name)


def evaluate(studies: Sequence[Study], criteria: Criteria) -> Validation:
    """What studies say about the measurands of the criteria, and the verdicts.

    Raises
    ------
    UsageError
        E254 a level without which nothing can be told is missing, E257 tubes do not say where they belong.
    """
    judged: list[Judged] = []
    notes: dict[tuple[str, str], tuple[str, ...]] = {}
    for study in studies:
        for measurand in criteria.measurands_of(study.kind):
            evaluated = EVALUATE[study.kind](study, measurand, criteria.settings.settings())
            notes[study.name, measurand] = evaluated.notes
            for statistic in evaluated.statistics:
                limits = [one for one in criteria.criteria if one.is_about(study.kind, measurand, statistic)]
                judged += [Judged(study, measurand, statistic, limit) for limit in limits]
                if not limits:
                    judged.append(Judged(study, measurand, statistic, None))
    met = {id(one.criterion) for one in judged if one.criterion is not None}
    unmet = tuple(one for one in criteria.criteria if id(one) not in met)
    return Validation(criteria, tuple(studies), tuple(judged), notes, unmet)
