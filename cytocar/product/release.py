"""Products of a run against limits of release: each number, its limit, its verdict, traceable to the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from cytocar.errors.findings import Finding, Severity
from cytocar.errors.near_names import did_you_mean
from cytocar.errors.tree import UsageError
from cytocar.product.dose import FIGURES, PLANNED, VIABLE_TOTAL, Figure, entered, figures_of
from cytocar.run.finished.recorded_plan import recorded_plan
from cytocar.run.parts import PARTS, Parts, require_parts
from cytocar.run.trail.journal import finished_manifest
from cytocar.sample.result import SampleResult, Status
from cytocar.sheet.rows import SampleType
from cytocar.sheet.tube import Specimen
from cytocar.statistics.estimate import UNKNOWN, Estimate
from cytocar.tables.columns import Row, parse_columns
from cytocar.validation.limits import Bound, Sources, Verdict

PRODUCT = parse_columns("""
sample_id       str -  | tube of the product
subject_id      str -  | pseudonym of the person, or of the lot
figure          str -  | what is told of the product
value           num -  | the number
low             num -  | its 95 % interval, lower bound
high            num -  | its 95 % interval, upper bound
unit            str -  | unit of value, low and high
method          str -  | how it is made
limit           str -  | what has to be met, in words; empty: no criterion
judged_by       str -  | interval or estimate: what is held against the limit
verdict         str -  | pass, fail, crosses (the limit lies in the interval), not_evaluated; empty: no criterion
reason          str -  | why the limit is what it is, from the criteria
run             str -  | run folder
status          str -  | status of the tube in its run
file            str -  | FCS file, as the sheet names it
file_sha256     str -  | hash of its bytes
template_name   str -  | gating template
template_sha256 str -  | hash of its canonical form
""")


class ReleaseCriterion(Bound, frozen=True, kw_only=True):
    """A limit of one number of a product, or of a column ``x_*`` of the sheet, as entered."""

    figure: str

    def faults(self) -> Iterator[str]:
        """Yield what does not go together."""
        yield from super().faults()
        yield from self.wrong_words(self.present())

    @classmethod
    def wrong_words(cls, table: Mapping[str, Any]) -> Iterator[str]:
        """Yield a figure that there is not."""
        figure = table.get("figure")
        if isinstance(figure, str) and figure not in FIGURES and not figure.startswith("x_"):
            otherwise = f" (there are: {', '.join(FIGURES)})"
            yield f"figure {figure!r} is not known{did_you_mean(figure, FIGURES, otherwise)}"


class ReleaseCriteria(Sources, frozen=True, kw_only=True):
    """A file of limits that a product has to meet."""

    criteria: tuple[ReleaseCriterion, ...]


class Line(Struct, frozen=True):
    """One number of a product, the limit that it is held against, and why a column of the sheet has no number."""

    name: str
    figure: Figure
    estimate: Estimate
    limit: ReleaseCriterion | None
    why: str = ""

    @property
    def verdict(self) -> Verdict | None:
        """Whether the limit is met; None without one."""
        return None if self.limit is None else self.limit.verdict(self.estimate)


class Product(Struct, frozen=True):
    """One product: its tube, and the lines of its certificate."""

    run: str
    result: SampleResult
    lines: tuple[Line, ...]

    @property
    def verdict(self) -> Verdict | None:
        """The worst verdict of its lines; None without limits.

        A tube that asks for a look is said beside it, and does not change it.
        """
        verdicts = [line.verdict for line in self.lines if line.verdict is not None]
        worst = (Verdict.FAIL, Verdict.NOT_EVALUATED, Verdict.CROSSES, Verdict.PASS)
        return next((verdict for verdict in worst if verdict in verdicts), None)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What asks for a look before release: the findings of its tube, and two doses that disagree.

        They disagree if the interval of their quotient is all above or all below 1.
        """
        ratio = next((line.estimate for line in self.lines if line.name == "dose_dual_over_single"), UNKNOWN)
        if ratio.low is None or ratio.high is None or ratio.low <= 1 <= ratio.high:
            return self.result.findings
        factor = f"{ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"
        message = f"the dose by the cell counter is {factor} times that by beads"
        return (*self.result.findings, Finding("dose", "W382", Severity.REVIEW, message, ratio.value, 1.0))

    def rows(self) -> Iterator[Row]:
        """Yield its lines of product.csv."""
        counted = self.result.row()
        columns = ("status", "file", "file_sha256", "template_name", "template_sha256")
        for line in self.lines:
            yield {
                **{name: counted[name] for name in columns},
                "sample_id": self.result.sample.sample_id,
                "subject_id": self.result.sample.subject_id,
                "figure": line.name,
                "value": line.estimate.value,
                "low": line.estimate.low,
                "high": line.estimate.high,
                "unit": line.figure.unit,
                "method": line.figure.method,
                "limit": line.limit.text(line.figure.unit) if line.limit else None,
                "judged_by": line.limit.by if line.limit else None,
                "verdict": line.verdict,
                "reason": line.limit.why if line.limit else None,
                "run": self.run,
            }


def products_of(run: Path, criteria: ReleaseCriteria | None, *, before: Path | None = None) -> tuple[Product, ...]:
    """Return the products of a finished run, with their verdicts.

    Parameters
    ----------
    run : Path
        Its tubes with ``specimen`` product are looked at, controls aside.
    criteria : ReleaseCriteria, optional
        What has to be met.
    before : Path, optional
        A run of the same products before freezing: tubes of the same ``subject_id`` give the recovery.

    Raises
    ------
    UsageError
        E261 no product could be evaluated, E262 a product before freezing is missing or there are several.
    """
    earlier = _before(before) if before is not None else {}
    products = []
    for name, result, figures in _counted(run, earlier):
        if before is not None and _who(result) not in earlier:
            raise UsageError(
                f"{before} has no product of the subject {_who(result) or '(none named)'} ({result.sample.sample_id})",
                code="E262",
                hint="the product before freezing and after thawing have the same subject_id",
            )
        products.append(Product(name, result, tuple(_lines(result, figures, criteria.criteria if criteria else ()))))
    if not products:
        raise UsageError(
            f"{run} holds no product with a result",
            code="E261",
            hint="the sheet says `specimen = product`, and the tube must be counted; `quality.csv` says why it is not",
        )
    return tuple(products)


def _who(result: SampleResult) -> str:
    return result.sample.subject_id or ""


def _before(run: Path) -> dict[str, dict[str, Estimate]]:
    """Return the numbers of the products before freezing, by subject; one tube of each."""
    by_specimen: dict[str, dict[str, Estimate]] = {}
    for _, result, figures in _counted(run):
        if _who(result) in by_specimen:
            raise UsageError(
                f"{run} has several products of the subject {_who(result) or '(none named)'}",
                code="E262",
                hint="keep one tube of each product before freezing in that run",
            )
        by_specimen[_who(result)] = figures
    return by_specimen


def _counted(
    run: Path, before: Mapping[str, Mapping[str, Estimate]] | None = None
) -> Iterator[tuple[str, SampleResult, dict[str, Estimate]]]:
    """Yield the products of a run with their numbers."""
    manifest = finished_manifest(run)
    plan = recorded_plan(manifest, run)
    require_parts(run, manifest, plan.sample_ids)
    for outcome in Parts(run / PARTS).every(plan.sample_ids):
        sample = outcome.sample
        if not isinstance(outcome, SampleResult) or outcome.status is Status.FAILED:
            continue
        if sample.specimen is not Specimen.PRODUCT or sample.sample_type is not SampleType.SAMPLE:
            continue
        template = plan.protocols[sample.sample_id].template
        figures = figures_of(
            outcome,
            b_cells=template.report.b_cells,
            analyser_cv=template.counting.cv.analyser,
            before=(before or {}).get(_who(outcome)),
        )
        yield run.resolve().name, outcome, figures


def _lines(result: SampleResult, figures: Mapping[str, Estimate], limits: Sequence[ReleaseCriterion]) -> Iterator[Line]:
    shown = [name for name in FIGURES if name in figures]
    named = dict.fromkeys((*shown, *(limit.figure for limit in limits)))
    for name in named:
        if name == VIABLE_TOTAL:
            continue
        figure = FIGURES.get(name, Figure(name.removeprefix("x_").replace("_", " "), "", "as entered"))
        estimate, why = figures.get(name, UNKNOWN), ""
        if column := {"dose_percent_of_planned": PLANNED}.get(name, name if name.startswith("x_") else ""):
            value, why = entered(result.sample.extra, column)
            if name == column:
                estimate = Estimate(value, None, None)
        if estimate.value is None and why:
            figure = replace(figure, method=why)
        of_it: list[ReleaseCriterion | None] = [limit for limit in limits if limit.figure == name]
        yield from (Line(name, figure, estimate, limit, why) for limit in of_it or [None])
