"""Tubes of a study without files: what a run would have kept of them, with numbers chosen by the test."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cytocar.errors.findings import Finding, Severity
from cytocar.sample.result import CountInputs, Roles, SampleResult, TemplateStamp
from cytocar.sheet.rows import SampleRow
from cytocar.statistics.estimate import UNKNOWN
from cytocar.tables.columns import Value
from cytocar.template.lock import LockStatus
from cytocar.validation.designs import Place
from cytocar.validation.study import Study, Tube, kind_of


def tube(study: str, place: Place, numbers: Mapping[str, Value], *, sample_id: str, review: bool = False) -> Tube:
    """Return a counted tube at its place with these numbers of counts.csv."""
    sample = SampleRow(
        file=Path(f"{sample_id}.fcs"),
        file_as_given=f"{sample_id}.fcs",
        sample_id=sample_id,
        val_study=study,
        val_level=place.level,
        val_day=place.day or None,
        val_run=place.run or None,
        val_rep=place.rep or None,
        val_operator=place.operator or None,
        val_expected=place.expected,
        val_hours=place.hours,
    )
    findings = (Finding("flow", "W240", Severity.REVIEW, "look"),) if review else ()
    result = SampleResult(
        sample=sample,
        template=TemplateStamp("cart-cd19fc", "1.0.0", "ab" * 32, LockStatus.DRAFT),
        roles=Roles(),
        total_events=1000,
        populations=(),
        decisions=(),
        findings=findings,
        counting=CountInputs("beads", None, None, None, None, None),
        cd4_cd8_ratio=UNKNOWN,
        car_cd4_cd8_ratio=UNKNOWN,
        car=None,
        compensation="none",
        file_sha256=sample_id.ljust(64, "0"),
    )
    return Tube("run1", result, {**result.row(), **numbers})


def study(name: str, tubes: Mapping[Place, float], *, measurand: str = "car_per_ul") -> Study:
    """Return a study whose tubes have these values of one measurand."""
    made = [tube(name, place, {measurand: value}, sample_id=f"t{n}") for n, (place, value) in enumerate(tubes.items())]
    return Study(name, kind_of(name), tuple(made))
