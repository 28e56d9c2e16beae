"""What dates contradict: a file older than its tube, a baseline after the infusion; and what they do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from cytocar.run.beside_dates import date_findings
from cytocar.sheet.rows import SampleRow, SampleType

INFUSION = date(2026, 4, 3)
DAYS = (-6, 7, 14, 28)


def _row(day: float, **more: object) -> SampleRow:
    kind = SampleType.BASELINE if day < 0 else SampleType.SAMPLE
    values: dict[str, object] = {"subject_id": "P1", "sample_type": kind, "day": day, **more}
    return SampleRow(file=Path(f"{day:g}.fcs"), file_as_given=f"{day:g}.fcs", sample_id=f"d{day:g}", **values)  # type: ignore[arg-type]


def _codes(rows: Sequence[SampleRow], acquired: Mapping[str, date]) -> dict[str, str]:
    return {name: finding.code for name, finding in date_findings(rows, acquired)}


def _fresh(days: Sequence[float] = DAYS) -> dict[str, date]:
    """Each tube acquired on the day on which it was drawn."""
    return {f"d{day:g}": INFUSION + timedelta(days=round(day)) for day in days}


def _dated(day: float) -> SampleRow:
    return _row(day, collected_at=(INFUSION + timedelta(days=round(day))).isoformat(), infused_at=INFUSION.isoformat())


@pytest.mark.parametrize("row", [_row, _dated])
def test_tubes_that_were_acquired_when_drawn_or_later_are_no_finding(row: type) -> None:
    rows = [row(day) for day in DAYS]
    assert _codes(rows, _fresh()) == {}
    assert _codes(rows, _fresh() | {"d28": INFUSION + timedelta(days=90)}) == {}
    assert _codes(rows, dict.fromkeys(_fresh(), INFUSION + timedelta(days=90))) == {}
    assert _codes(rows, {}) == {}


def test_of_two_exchanged_files_the_one_that_is_older_than_its_tube_is_told() -> None:
    exchanged = _fresh()
    exchanged["d7"], exchanged["d14"] = exchanged["d14"], exchanged["d7"]
    assert _codes([_dated(day) for day in DAYS], exchanged) == {"d14": "W264"}
    ((_, finding),) = date_findings([_dated(day) for day in DAYS], exchanged)
    assert "acquired 7 days before" in finding.message
    assert _codes([_row(day) for day in DAYS], exchanged) == {}  # two agree, and two are not enough
    more = (*DAYS, 21, 35)
    assert _codes([_row(day) for day in more], _fresh(more) | exchanged) == {"d14": "W264"}


def test_a_tube_of_the_night_and_a_clock_of_another_zone_are_no_finding() -> None:
    early = {name: day - timedelta(days=1) for name, day in _fresh().items()}
    assert _codes([_dated(day) for day in DAYS], early) == {}


def test_a_clock_that_is_wrong_throughout_and_files_without_names_say_nothing() -> None:
    rows = [_dated(day) for day in DAYS]
    assert _codes(rows, {name: day - timedelta(days=700) for name, day in _fresh().items()}) == {}
    assert _codes(rows, _fresh() | {"d28": date(2026, 1, 1)}) == {}


def test_a_subject_whose_dates_were_shifted_says_nothing_beside_one_whose_were_not() -> None:
    rows = [_dated(day) for day in DAYS]
    others = [replace(row, sample_id=f"p2 {row.sample_id}", subject_id="P2") for row in rows]
    shifted = {f"p2 {name}": day - timedelta(days=40) for name, day in _fresh().items()}
    assert _codes([*rows, *others], _fresh() | shifted) == {}
    assert _codes([*rows, *others[:1]], _fresh() | shifted) == {"p2 d-6": "W264"}  # one alone may be another's


def test_frozen_tubes_that_were_acquired_together_do_not_say_when_they_were_drawn() -> None:
    days = (6, 7, 8, 28)
    assert _codes([_row(day) for day in days], dict.fromkeys(_fresh(days), INFUSION + timedelta(days=100))) == {}


def test_a_baseline_after_the_infusion_is_told_whatever_its_file_says() -> None:
    rows = [_row(-6), _row(7), _row(170, sample_type=SampleType.BASELINE), _row(0, sample_type=SampleType.BASELINE)]
    assert _codes(rows, {}) == {"d170": "W263"}


def test_a_visit_is_kept_some_days_early() -> None:
    days = (-6, 7, 14, 28, 90, 365)
    early = {-6: 4, 7: 1, 14: 2, 28: 4, 90: 10, 365: 30}
    rows = [_row(day, infused_at=INFUSION.isoformat()) for day in days]
    kept = {name: day - timedelta(days=early[int(name[1:])]) for name, day in _fresh(days).items()}
    assert _codes(rows, kept) == {}
    assert _codes(rows, kept | {"d28": INFUSION + timedelta(days=21)}) == {"d28": "W264"}
    assert _codes([_dated(day) for day in days], _fresh(days) | {"d28": kept["d28"]}) == {"d28": "W264"}


def test_a_cytometer_whose_clock_is_wrong_says_nothing_beside_one_whose_is_right() -> None:
    subjects = ("P1", "P2", "P3")
    rows = [replace(_dated(day), sample_id=f"{who} d{day}", subject_id=who) for who in subjects for day in DAYS]
    acquired = {row.sample_id: INFUSION + timedelta(days=round(row.day or 0)) for row in rows}
    second = {f"{who} d{day}" for who, day in zip(subjects, DAYS, strict=False)}
    acquired |= {name: acquired[name] - timedelta(days=6000) for name in second}
    instruments = {name: "second" if name in second else "first" for name in acquired}
    assert set(_codes(rows, acquired)) == second
    assert dict(date_findings(rows, acquired, instruments)) == {}


def test_blood_that_is_stained_now_sooner_now_later_says_no_day_of_infusion() -> None:
    days = (7, 14, 21, 28, 35, 42)
    late = dict(zip(days, (3, 0, 3, 3, 2, 3), strict=True))
    acquired = {name: day + timedelta(days=late[int(name[1:])]) for name, day in _fresh(days).items()}
    assert _codes([_row(day) for day in days], acquired) == {}
