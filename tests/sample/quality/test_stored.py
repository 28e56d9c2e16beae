"""Integers above the range of their channel: counted, said, and told from bits that are no part of the value."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from cytocar.errors.findings import Finding, Severity
from cytocar.errors.tree import PanelError
from cytocar.fcs.events import EventTable
from cytocar.fcs.reader import open_fcs
from cytocar.fcs.write import write_fcs
from cytocar.sample.quality.stored import check_detectors_live, stored_findings
from tests.fcs.files import SmallFile, integers
from tests.reference_tube import baseline_tube, codes, count, reference_tube
from tests.runs import cytocar_command


def _findings(events: EventTable) -> list[Finding]:
    return list(stored_findings(events, events.channels))


def _words(values: list[list[int]], ranges: tuple[int, ...], folder: Path, *, dtype: str = "<u4") -> EventTable:
    keywords = {f"$P{n}R": str(top) for n, top in enumerate(ranges, 1)}
    return open_fcs(integers(values, dtype, keywords=keywords).write(folder / "a.fcs"))


def test_values_of_twice_the_range_are_counted_and_for_review(tmp_path: Path) -> None:
    (said,) = _findings(_words([[5, 131_071], [200_000, 262_143], [7, 131_072]], (131_072, 131_072), tmp_path))
    assert (said.code, said.outcome) == ("W246", Severity.REVIEW)
    assert "C1 1, C2 2 of 3" in said.message


@pytest.mark.parametrize("upper", [0, 0b1010_0000_0000_0000])
def test_upper_bits_that_are_the_same_in_every_event_are_no_value(tmp_path: Path, upper: int) -> None:
    (said,) = _findings(_words([[upper | 3], [upper | 1023], [upper]], (1024,), tmp_path, dtype="<u2"))
    assert said.outcome is Severity.PASS


def test_a_few_saturated_events_are_a_note(tmp_path: Path) -> None:
    values = np.full((2000, 1), 500)
    values[0] = 1024
    (said,) = _findings(_words(values.tolist(), (1024,), tmp_path, dtype="<u2"))
    assert (said.code, said.outcome) == ("W246", Severity.NOTE)


def test_a_channel_that_no_gate_looks_at_is_a_note(tmp_path: Path) -> None:
    events = _words([[5, 5000], [6, 3000]], (1024, 1024), tmp_path)
    (said,) = stored_findings(events, events.channels[:1])
    assert said.outcome is Severity.NOTE


def test_values_of_odd_widths_are_looked_at_byte_by_byte(tmp_path: Path) -> None:
    data = b"".join(value.to_bytes(3, "little") for value in (5, 70_000, 65_535))
    small = SmallFile(names=["A"], bits=[24], data=data, total=3, datatype="I", keywords={"$P1R": "65536"})
    (said,) = _findings(open_fcs(small.write(tmp_path / "a.fcs")))
    assert "A 1 of 3" in said.message


def test_data_that_nothing_is_masked_of_are_not_asked(tmp_path: Path) -> None:
    write_fcs(tmp_path / "a.fcs", {"A": [1.0, 3e5]})
    assert _findings(open_fcs(tmp_path / "a.fcs")) == []


def test_a_tube_with_half_the_range_is_for_review(tmp_path: Path) -> None:
    tube = reference_tube(8000)
    whole = {name: np.clip(np.round(column), 0, 262_143) for name, column in tube.columns.items()}
    path = replace(tube, columns=whole).write(tmp_path / "ints.fcs", storage="uint32")
    said = path.read_bytes()
    assert count(path).status == "ok"
    for n in range(1, len(whole)):  # the clock keeps its own range
        said = said.replace(f"|$P{n}R|4294967296|".encode(), f"|$P{n}R|131072|    ".encode()[:18].ljust(18))
    path.write_bytes(said)
    assert "W246" in codes(count(path), Severity.REVIEW)


# ---------------------------------------------------------------- detectors that hold one value


@pytest.mark.parametrize("value", [0.0, -3.0, 262_143.0])
def test_a_detector_that_holds_one_value_is_refused(tmp_path: Path, value: float) -> None:
    tube = reference_tube(8000)
    path = tube.with_column("PE-A", np.full(8000, value)).write(tmp_path / "dead.fcs")
    with pytest.raises(PanelError, match="PE-A") as refused:
        count(path)
    assert refused.value.code == "E074"


def test_a_detector_that_changes_late_is_alive() -> None:
    values = np.zeros(100_000)
    values[-1] = 1
    events = EventTable.from_columns({"A": values})
    check_detectors_live(events, events.channels)
    with pytest.raises(PanelError):
        check_detectors_live(EventTable.from_columns({"A": np.zeros(100_000)}), events.channels)


@pytest.mark.parametrize("constant", ["sample.fcs", "baseline.fcs"])
def test_a_constant_car_detector_with_a_baseline_is_a_coded_error(tmp_path: Path, constant: str) -> None:
    for name, tube in (("sample.fcs", reference_tube(8000)), ("baseline.fcs", baseline_tube(8000))):
        written = tube.with_column("PE-A", np.full(8000, 5.0)) if name == constant else tube
        written.write(tmp_path / name)
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(
        "file,sample_id,sample_type,subject_id,beads_added,sample_volume_ul,compensation\n"
        "sample.fcs,S,sample,P1,20000,50,none\nbaseline.fcs,B,baseline,P1,20000,200,none\n"
    )
    answer = cytocar_command("gate", sheet, "-j", "1", "--format", "csv")
    assert answer.code == 1
    assert "error[E074]" in answer.stderr
    assert "E199" not in answer.stderr


def test_negatives_that_all_lie_at_zero_cost_no_sample(tmp_path: Path) -> None:
    for name, tube in (("sample.fcs", reference_tube(8000)), ("baseline.fcs", baseline_tube(8000))):
        cut = np.where(tube.columns["PE-A"] < 20_000, 0, tube.columns["PE-A"])
        tube.with_column("PE-A", cut).write(tmp_path / name)
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(
        "file,sample_id,sample_type,subject_id,beads_added,sample_volume_ul,compensation\n"
        "sample.fcs,S,sample,P1,20000,50,none\nbaseline.fcs,B,baseline,P1,20000,200,none\n"
    )
    answer = cytocar_command("gate", sheet, "-j", "1", "--format", "csv")
    assert "E199" not in answer.stderr, answer.stderr
