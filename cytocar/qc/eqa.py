"""Proficiency samples over surveys: the laboratory's results against robust means of its peers, and what follows.

Source: ISO 13528:2022 (Algorithm A, z scores); performance rules of UK NEQAS for Leucocyte Immunophenotyping: |z| up to
2 is satisfactory, up to 3 asks for action, beyond 3 is critical, and so are two actions in three samples.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from statistics import mean

from msgspec import Struct

from cytocar.errors.boundary import boundary
from cytocar.errors.near_names import did_you_mean
from cytocar.errors.tree import UsageError
from cytocar.run.finished.recorded_plan import recorded_plan
from cytocar.run.parts import PARTS, Parts, require_parts
from cytocar.run.trail.journal import finished_manifest
from cytocar.sample.result import SampleResult, recorded_bytes
from cytocar.sheet.rows import SampleType
from cytocar.statistics.estimate import UNKNOWN, Estimate
from cytocar.statistics.robust import FEWEST, algorithm_a
from cytocar.tables.columns import COUNTS_NUMBERS, Row, parse_columns
from cytocar.tables.delimited import DelimitedTable, read_delimited

SATISFACTORY, CRITICAL = 2.0, 3.0
"""Distances from the mean, in standard deviations, up to which a result is satisfactory, and beyond which critical."""
OF_SAMPLES = 3
"""Two actions among so many samples in a row are critical; a trend is the mean z of as many."""
MEASURANDS = ("car_percent_of_t_cells", "car_per_ul", "t_cells_per_ul", "cd4_cd8_ratio")
"""What is told of a proficiency sample, whatever the peers report."""
GROUPS = ("reagent", "instrument")
"""Columns that tell groups of peers apart; ``x_reagent`` and ``x_instrument`` of the sheet say which are ours."""
_COLUMNS = ("sample", "measurand", "value", "mean", "sd", *GROUPS)

EQA = parse_columns("""
run             str - | run folder
sample          str - | proficiency sample: subject_id of the sheet, else sample_id
sample_id       str - | tube
measurand       str - | number of counts.csv
value           num - | the laboratory's result
low             num - | its 95 % interval, lower bound
high            num - | its 95 % interval, upper bound
n_peers         int - | results of peers; empty where the scheme gives mean and SD
peers_mean      num - | robust mean of the peers (Algorithm A), or the scheme's
peers_mean_low  num - | its 95 % interval, lower bound
peers_mean_high num - | its 95 % interval, upper bound
peers_sd        num - | robust standard deviation of the peers, or the scheme's
z               num - | (value - mean) / sd
trend           num - | mean z of the last three samples
verdict         str - | satisfactory, action, critical, no_limits
reason          str - | why an action became critical
file            str - | FCS file, as the sheet names it
file_sha256     str - | hash of its bytes
template_sha256 str - | hash of the template
""")
EQA_GROUPS = parse_columns("""
sample    str  - | proficiency sample
measurand str  - | number of counts.csv
by        str  - | reagent or instrument
group     str  - | which
ours      bool - | whether the laboratory belongs to it (x_reagent, x_instrument of the sheet)
n         int  - | results in it
mean      num  - | robust mean
mean_low  num  - | its 95 % interval, lower bound
mean_high num  - | its 95 % interval, upper bound
sd        num  - | robust standard deviation
z         num  - | the laboratory's result against it
""")


class Performance(StrEnum):
    """What a result asks for."""

    SATISFACTORY = "satisfactory"
    ACTION = "action"
    CRITICAL = "critical"
    NO_LIMITS = "no_limits"


class Result(Struct, frozen=True):
    """One number of a proficiency sample by this laboratory."""

    run: str
    tube: SampleResult
    measurand: str
    estimate: Estimate

    @property
    def sample(self) -> str:
        """The proficiency sample: what the scheme calls it."""
        return self.tube.sample.subject_id or self.tube.sample.sample_id


class Peer(Struct, frozen=True):
    """A peer's result of a sample, and the groups that it belongs to."""

    value: float
    groups: Mapping[str, str]


class Assigned(Struct, frozen=True):
    """What a result is compared with: mean with interval, standard deviation, and how many results made them."""

    mean: Estimate
    sd: float
    n: int | None

    def z(self, value: float) -> float | None:
        """Return the distance of a result; None where nothing scatters."""
        return (value - self.mean.value) / self.sd if self.sd and self.mean.value is not None else None


class Peers(Struct, frozen=True):
    """The peers' table: results by sample and measurand, or what the scheme assigned."""

    results: Mapping[tuple[str, str], tuple[Peer, ...]]
    assigned: Mapping[tuple[str, str], Assigned]

    def of(self, sample: str, measurand: str) -> Assigned | None:
        """What a result is compared with; None with fewer than three results."""
        given = self.assigned.get((sample, measurand))
        return given or assigned_by([peer.value for peer in self.results.get((sample, measurand), ())])


def assigned_by(values: Sequence[float]) -> Assigned | None:
    """Return the robust mean and standard deviation of results; None of fewer than three."""
    if len(values) < FEWEST:
        return None
    robust = algorithm_a(values)
    return Assigned(robust.mean, robust.sd, robust.n)


class Scored(Struct, frozen=True):
    """A result, what it is compared with, and what follows."""

    result: Result
    assigned: Assigned | None
    z: float | None
    trend: float | None
    performance: Performance
    reason: str = ""

    def row(self) -> Row:
        """Return its line of eqa.csv."""
        tube, against = self.result.tube, self.assigned
        return {
            "run": self.result.run,
            "sample": self.result.sample,
            "sample_id": tube.sample.sample_id,
            "measurand": self.result.measurand,
            "value": self.result.estimate.value,
            "low": self.result.estimate.low,
            "high": self.result.estimate.high,
            "n_peers": against.n if against else None,
            "peers_mean": against.mean.value if against else None,
            "peers_mean_low": against.mean.low if against else None,
            "peers_mean_high": against.mean.high if against else None,
            "peers_sd": against.sd if against else None,
            "z": self.z,
            "trend": self.trend,
            "verdict": self.performance,
            "reason": self.reason,
            "file": tube.sample.file_as_given,
            "file_sha256": tube.file_sha256,
            "template_sha256": tube.template.sha256,
        }


def results_of(runs: Sequence[Path]) -> tuple[Result, ...]:
    """Return the results of the proficiency samples of finished runs, in the order of the runs.

    Raises
    ------
    UsageError
        E263 if no run holds one, E256 if two hold the same tube: it would count twice in trend and performance.
    """
    results = tuple(result for run in runs for result in _of_run(run))
    if not results:
        raise UsageError(
            f"no proficiency sample with a result is in {', '.join(map(str, runs))}",
            code="E263",
            hint="enter its tube with sample_type eqa, and what the scheme calls it as subject_id",
        )
    runs_of: dict[tuple[object, ...], str] = {}
    for one in results:
        tube = (recorded_bytes(one.tube), one.sample, one.measurand)
        if tube in runs_of:
            raise UsageError(
                f"the tube of {one.sample} stands twice: in {runs_of[tube]} and in {one.run}",
                code="E256",
                hint="name each run once; of a run that was counted again, the one that holds",
            )
        runs_of[tube] = one.run
    return results


def _of_run(run: Path) -> Iterator[Result]:
    manifest = finished_manifest(run)
    plan = recorded_plan(manifest, run)
    require_parts(run, manifest, plan.sample_ids)
    for outcome in Parts(run / PARTS).every(plan.sample_ids):
        if not isinstance(outcome, SampleResult) or outcome.sample.sample_type is not SampleType.EQA:
            continue
        row = outcome.row()
        for measurand in MEASURANDS:
            numbers = [row.get(name) for name in (measurand, f"{measurand}_low", f"{measurand}_high")]
            value, low, high = (float(one) if isinstance(one, int | float) else None for one in numbers)
            if value is not None:
                yield Result(run.resolve().name, outcome, measurand, Estimate(value, low, high))


def scored(results: Sequence[Result], peers: Peers | None) -> tuple[Scored, ...]:
    """Return z, trend and performance of each result; results of a measurand follow one another in time."""
    before: dict[str, list[Scored]] = defaultdict(list)
    rows = []
    for result in results:
        against = peers.of(result.sample, result.measurand) if peers else None
        z = against.z(result.estimate.value) if against and result.estimate.value is not None else None
        one = _judged(result, against, z, before[result.measurand])
        if z is not None:
            before[result.measurand].append(one)
        rows.append(one)
    return tuple(rows)


def _judged(result: Result, against: Assigned | None, z: float | None, before: Sequence[Scored]) -> Scored:
    if z is None:
        return Scored(result, against, None, None, Performance.NO_LIMITS)
    last = [one.z or 0.0 for one in before[-(OF_SAMPLES - 1) :]] + [z]
    trend = mean(last) if len(last) == OF_SAMPLES else None
    if abs(z) > CRITICAL:
        return Scored(result, against, z, trend, Performance.CRITICAL, "beyond 3 SD")
    if abs(z) <= SATISFACTORY:
        return Scored(result, against, z, trend, Performance.SATISFACTORY)
    if any(abs(one) > SATISFACTORY for one in last[:-1]):
        return Scored(result, against, z, trend, Performance.CRITICAL, "two beyond 2 SD in three samples")
    return Scored(result, against, z, trend, Performance.ACTION, "beyond 2 SD")


def group_rows(results: Sequence[Result], peers: Peers) -> Iterator[Row]:
    """Yield the lines of eqa_groups.csv: robust mean of each group of three and more, and our distance from it."""
    for result in results:
        of_sample = peers.results.get((result.sample, result.measurand), ())
        for by in GROUPS:
            groups: dict[str, list[float]] = defaultdict(list)
            for peer in of_sample:
                if peer.groups.get(by):
                    groups[peer.groups[by]].append(peer.value)
            for name, values in sorted(groups.items()):
                against = assigned_by(values)
                middle = against.mean if against else UNKNOWN
                yield {
                    "sample": result.sample,
                    "measurand": result.measurand,
                    "by": by,
                    "group": name,
                    "ours": result.tube.sample.extra.get(f"x_{by}") == name,
                    "n": len(values),
                    "mean": middle.value,
                    "mean_low": middle.low,
                    "mean_high": middle.high,
                    "sd": against.sd if against else None,
                    "z": against.z(result.estimate.value) if against and result.estimate.value is not None else None,
                }


# ---------------------------------------------------------------- the peers' table


def read_peers(path: Path) -> Peers:
    """Return the table of a scheme: ``sample,measurand,value`` of each peer, or ``sample,measurand,mean,sd``.

    ``reagent`` and ``instrument`` of a peer may stand beside its value.

    Raises
    ------
    UsageError
        E264 with every fault of the table.
    """
    with boundary(
        lambda why: UsageError(f"{path} cannot be read: {why}", code="E264", hint="give a CSV file in UTF-8")
    ):
        table = read_delimited(path)
    missing = [f"column {name} is missing" for name in ("sample", "measurand") if name not in table.columns]
    by_scheme = {"mean", "sd"} <= set(table.columns)
    if not by_scheme and "value" not in table.columns:
        missing.append("there is neither a column value, nor mean and sd")
    faults = missing + table.misfits(_COLUMNS)
    results: dict[tuple[str, str], list[Peer]] = defaultdict(list)
    assigned: dict[tuple[str, str], Assigned] = {}
    rows = () if missing else table.rows
    for row in rows:
        cells = row.cells
        key = (cells["sample"], cells["measurand"])
        wrong = _fault(table, cells, by_scheme=by_scheme)
        if wrong:
            faults.append(f"row {row.line}: {wrong}")
            continue
        if by_scheme and key in assigned:
            faults.append(f"row {row.line}: {key[1]} of {key[0]} comes twice; give the group that the laboratory is in")
        elif by_scheme:
            middle = Estimate(table.number(cells["mean"]), None, None)
            assigned[key] = Assigned(middle, table.number(cells["sd"]) or 0.0, None)
        else:
            groups = {by: cells.get(by, "") for by in GROUPS}
            results[key].append(Peer(table.number(cells["value"]) or 0.0, groups))
    if faults:
        raise UsageError(
            f"{path.name}: {'; '.join(faults)}", code="E264", hint="columns: sample, measurand, value; or mean and sd"
        )
    return Peers({key: tuple(of) for key, of in results.items()}, assigned)


def _fault(table: DelimitedTable, cells: Mapping[str, str], *, by_scheme: bool) -> str:
    if cells["measurand"] not in COUNTS_NUMBERS:
        return f"{cells['measurand']!r} is no number of counts.csv{did_you_mean(cells['measurand'], COUNTS_NUMBERS)}"
    for name in ("mean", "sd") if by_scheme else ("value",):
        if table.number(cells[name]) is None:
            return f"{name}: {table.no_number(cells[name])}"
    return ""
