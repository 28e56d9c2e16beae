"""A baseline that holds CAR-T cells beside its subject's tubes that hold fewer: the two may be exchanged.

Where a control places the CAR gate an exchange shows in the tubes that it is for. A fixed gate asks no control, and the
tube that is the true baseline looks like one without CAR-T cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from cytocar.errors.findings import Finding, Severity
from cytocar.sample.quality.negative_tubes import CHECK
from cytocar.sample.result import SampleResult
from cytocar.sheet.rows import SampleType

EXCHANGED_CHECK = "exchanged_baseline"


class CarShare(Struct, frozen=True):
    """Percent of CAR+ T cells of a tube with its interval, whose tube it is, and whether it is a doubted baseline."""

    sample_id: str
    drawn_from: tuple[str | None, str | None]
    sample_type: SampleType
    low: float | None = None
    high: float | None = None
    doubted: bool = False

    @classmethod
    def of(cls, result: SampleResult) -> CarShare:
        """The share of a counted sample."""
        row, percent = result.sample, None if result.car is None else result.car.percent
        doubted = any(one.check == CHECK for one in result.findings) and row.sample_type is SampleType.BASELINE
        low, high = (None, None) if percent is None else (percent.low, percent.high)
        return cls(row.sample_id, (row.subject_id, row.specimen), row.sample_type, low, high, doubted)


def exchange_findings(shares: Sequence[CarShare]) -> Iterator[tuple[str, Finding]]:
    """Yield samples with fewer CAR-T cells, beyond both intervals, than a baseline of their subject that has some.

    Examples
    --------
    >>> base = CarShare("base", ("P1", "blood"), SampleType.BASELINE, 30.0, 40.0, doubted=True)
    >>> day14 = CarShare("day14", ("P1", "blood"), SampleType.SAMPLE, 0.0, 0.1)
    >>> [(name, finding.code) for name, finding in exchange_findings([base, day14])]
    [('day14', 'W266')]
    """
    baselines = {share.drawn_from: share for share in shares if share.doubted and share.drawn_from[0] is not None}
    for share in shares:
        baseline = baselines.get(share.drawn_from)
        if baseline is None or baseline.low is None or share.sample_type is not SampleType.SAMPLE:
            continue
        if share.high is not None and share.high < baseline.low:
            message = (
                f"at most {share.high:.2g} % of the T cells are CAR+, and at least {baseline.low:.2g} % in "
                f"{baseline.sample_id}, the subject's baseline: the two may be exchanged"
            )
            yield share.sample_id, Finding(EXCHANGED_CHECK, "W266", Severity.REVIEW, message, share.high, baseline.low)
