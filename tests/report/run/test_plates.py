"""Plates: every sample in its well, whatever is known of it."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from cytocar.report.run.plates import plates
from cytocar.sample.result import ErrorRecord, SampleFailure, Status, TemplateStamp
from cytocar.sheet.rows import SampleRow
from cytocar.template.lock import LockStatus

STAMP = TemplateStamp("demo", "1.0.0", "0" * 64, LockStatus.DRAFT)


def failure(well: str | None, plate_id: str | None = None) -> SampleFailure:
    row = SampleRow(Path("a.fcs"), "a.fcs", f"sample {well}", well=well, plate_id=plate_id)
    return SampleFailure(row, STAMP, ErrorRecord("E010", "the file does not exist"))


def test_a_sample_stands_in_its_well_and_empty_wells_stay_empty() -> None:
    (plate,) = plates([failure("B03"), failure(None)])
    letter, wells = plate.rows[1]
    assert (plate.columns, len(plate.rows), letter) == (12, 8, "B")
    assert [well.sample_id if well else None for well in wells[:4]] == [None, None, "sample B03", None]
    assert wells[2] is not None
    assert (wells[2].failed, wells[2].status) == (True, Status.FAILED)


def test_a_well_beyond_h12_makes_a_plate_of_384() -> None:
    (plate,) = plates([failure("P24")])
    assert (plate.columns, len(plate.rows)) == (24, 16)


def test_plates_are_told_apart_and_runs_without_wells_have_none() -> None:
    assert [plate.plate_id for plate in plates([failure("A01", "two"), failure("A01", "one")])] == ["two", "one"]
    assert plates([failure(None)]) == ()


def test_of_samples_in_one_well_the_one_to_look_at_is_shown_and_the_others_named() -> None:
    excluded = replace(failure("A01"), sample=replace(failure("A01").sample, sample_id="left out"), error=None)
    assert excluded.status is Status.EXCLUDED
    first, last = failure("A01"), failure("B01")
    last = replace(last, sample=replace(last.sample, well="A01"))
    for order in ((first, excluded), (excluded, first)):
        (plate,) = plates(order)
        (well,) = [well for _, wells in plate.rows for well in wells if well]
        assert (well.sample_id, well.others, plate.shared) == ("sample A01", ("left out",), True)
        assert order[well.number] is first
    (plate,) = plates((first, last))
    (well,) = [well for _, wells in plate.rows for well in wells if well]
    assert (well.sample_id, well.others) == ("sample B01", ("sample A01",))
    assert not plates([first])[0].shared
