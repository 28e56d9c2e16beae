"""Each file of a run against the others: exchanged names, moved voltages, another matrix, and what is by design."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from cytocar.errors.findings import Finding, Severity
from cytocar.run.beside_names import Identifiers, names_in
from cytocar.run.beside_others import HEADERS_OF_A_TASK, compare_files
from cytocar.run.workers import Workers
from cytocar.sample.protocol import Protocol, unlocked
from cytocar.sheet.rows import SampleRow, SampleType
from cytocar.template.load import load_template
from tests.reference_tube import FLUORESCENCE, ReferenceTube, reference_tube, spillover
from tests.runs import cytocar_command

TUBE = reference_tube(300)
ORDINARY = {"$CYT": "FACSCanto II", "$DATE": "14-MAR-2024", "$P8V": "500", "$P7V": "450"}


def _compared(
    folder: Path,
    change: Callable[[int, ReferenceTube], ReferenceTube],
    *,
    files: int = 6,
    kinds: Mapping[int, SampleType] | None = None,
    template: str = "cart-generic",
    subjects: Mapping[int, str] | None = None,
    workers: Workers | None = None,
) -> Mapping[str, tuple[Finding, ...]]:
    rows = []
    for n in range(files):
        tube = replace(TUBE, keywords={**TUBE.keywords, **ORDINARY})
        path = change(n, tube).write(folder / f"{n}.fcs")
        kind = (kinds or {}).get(n, SampleType.SAMPLE)
        subject = (subjects or {}).get(n)
        row = SampleRow(file=path, file_as_given=path.name, sample_id=str(n), sample_type=kind, subject_id=subject)
        rows.append(row)
    loaded = load_template(template)
    return compare_files(rows, {row.sample_id: Protocol(loaded, unlocked(loaded)) for row in rows}, workers)


def _first_only(change: Callable[[ReferenceTube], ReferenceTube]) -> Callable[[int, ReferenceTube], ReferenceTube]:
    return lambda n, tube: change(tube) if n == 0 else tube


def test_files_that_are_alike_pass_and_say_what_was_compared(tmp_path: Path) -> None:
    found = _compared(tmp_path, lambda _, tube: tube)
    assert {one.outcome for findings in found.values() for one in findings} == {Severity.PASS}
    assert found["0"][0].message.startswith("names, voltages, spillover as in most of the 6 files")


def test_exchanged_names_in_one_file_are_found_by_the_others(tmp_path: Path) -> None:
    found = _compared(tmp_path, _first_only(lambda tube: tube.labelled(V450_A="CD8", APC_H7_A="CD4")))
    (said,) = found["0"]
    assert (said.code, said.outcome) == ("W250", Severity.REVIEW)
    assert "CD4 is on APC-H7-A, in 5 of 6 files on V450-A" in said.message
    assert all(one.outcome is Severity.PASS for n in "12345" for one in found[n])


def test_another_way_of_writing_a_name_is_the_same_name(tmp_path: Path) -> None:
    found = _compared(tmp_path, _first_only(lambda tube: tube.labelled(V450_A="CD4 V450", APC_H7_A="CD8a")))
    assert found["0"][0].outcome is Severity.PASS


def test_a_moved_voltage_is_named_with_what_the_others_have(tmp_path: Path) -> None:
    found = _compared(tmp_path, _first_only(lambda tube: tube.with_keywords(S_P8V="520")))
    (said,) = found["0"]
    assert (said.code, said.outcome) == ("W251", Severity.REVIEW)
    assert "PE-A 520 V (others 500)" in said.message


def test_a_voltage_of_another_day_is_a_note(tmp_path: Path) -> None:
    moved = _first_only(lambda tube: tube.with_keywords(S_P8V="520", S_DATE="02-APR-2024"))
    (said,) = _compared(tmp_path, moved)["0"]
    assert (said.code, said.outcome) == ("W251", Severity.NOTE)


def test_two_settings_of_a_study_are_no_finding(tmp_path: Path) -> None:
    found = _compared(tmp_path, lambda n, tube: tube.with_keywords(S_P8V="520") if n % 2 else tube)
    assert {one.outcome for findings in found.values() for one in findings} == {Severity.PASS}
    assert "voltages" in found["0"][0].message  # those of the other detector


def test_another_matrix_is_named_by_the_entry_that_differs_most(tmp_path: Path) -> None:
    values = np.array(TUBE.keywords["$SPILLOVER"].split(",")[9:], dtype=float).reshape(8, 8)
    values[0, 1] += 0.3
    other = spillover(values, FLUORESCENCE)
    (said,) = _compared(tmp_path, _first_only(lambda tube: tube.with_keywords(S_SPILLOVER=other)))["0"]
    assert (said.code, said.outcome) == ("W252", Severity.REVIEW)
    assert "FITC-A into PE-A 0.463, others 0.163" in said.message


def test_controls_and_few_files_are_not_compared(tmp_path: Path) -> None:
    exchanged = _first_only(lambda tube: tube.labelled(V450_A="CD8", APC_H7_A="CD4"))
    assert "0" not in _compared(tmp_path, exchanged, kinds={0: SampleType.FMO})
    assert _compared(tmp_path, exchanged, files=3) == {}


def test_a_run_names_the_exchanged_file_once(tmp_path: Path) -> None:
    for n in range(5):
        tube = replace(TUBE, keywords={**TUBE.keywords, **ORDINARY})
        labelled = tube.labelled(V450_A="CD8", APC_H7_A="CD4") if n == 2 else tube
        labelled.write(tmp_path / f"{n}.fcs")
    answer = cytocar_command(
        "gate", tmp_path, "-t", "cart-cd19fc-fixed", "-o", tmp_path / "run", "-j", "1", "--no-report"
    )
    assert answer.code in (0, 1), answer.stderr
    quality = (tmp_path / "run" / "quality.csv").read_text("utf-8")
    assert [line.split(",")[0] for line in quality.splitlines() if ",W248," in line] == ["2"]
    assert "W250" not in quality


def test_rows_that_slipped_by_one_file_are_told_by_the_files_own_names(tmp_path: Path) -> None:
    def named(slip: int) -> Callable[[int, ReferenceTube], ReferenceTube]:
        return lambda n, tube: replace(tube, keywords={**tube.keywords, "TUBE NAME": f"P{10 + (n + slip) % 6} day 7"})

    subjects = {n: f"P{10 + n}" for n in range(6)}
    right, slipped = (_compared(tmp_path, named(slip), subjects=subjects) for slip in (0, 1))
    assert {one.code for findings in right.values() for one in findings} == {""}
    for n in range(6):
        (finding,) = (one for one in slipped[str(n)] if one.code)
        assert (finding.code, finding.outcome) == ("W261", Severity.REVIEW)
        assert f"TUBE NAME holds the identifier P{10 + (n + 1) % 6}" in finding.message


@pytest.mark.parametrize(
    ("own", "names", "code"),
    [
        (("P03_d14", "P03"), "P03 d14", ""),
        (("P03_d14", "P03"), "P03 d28", "W261"),  # of the same subject
        (("a1", "P03"), "Specimen_001_P03_002.fcs", ""),
        (("a1", "P03"), "Tube_001", ""),
        (("7", "P03"), "8", ""),  # a number by chance
        (("a1", "P03"), "P030", ""),  # another word
    ],
)
def test_only_another_rows_identifier_is_told(own: tuple[str, str], names: str, code: str) -> None:
    others = [("P03_d28", "P03"), ("P04_d14", "P04"), ("8", "P05")]
    rows = [
        SampleRow(file=Path("x.fcs"), file_as_given="x.fcs", sample_id=sample, subject_id=subject)
        for sample, subject in (own, *others)
    ]
    finding = Identifiers(rows).finding(own[0], names_in({"TUBE NAME": names}))
    assert (finding.code if finding else "") == code


def test_names_used_again_each_day_and_a_second_acquisition_are_no_finding() -> None:
    def row(sample: str, subject: str, day: float) -> SampleRow:
        return SampleRow(file=Path("x.fcs"), file_as_given="x.fcs", sample_id=sample, subject_id=subject, day=day)

    def codes(rows: list[SampleRow], names: list[str]) -> list[str]:
        named = {one.sample_id: names_in({"TUBE NAME": name}) for one, name in zip(rows, names, strict=True)}
        identifiers = Identifiers(rows, named)
        return [one.sample_id for one in rows if identifiers.finding(one.sample_id, named[one.sample_id])]

    again = [row(f"T{n}", f"P{n % 3}", n // 3) for n in range(6)]
    assert codes(again, ["T0", "T1", "T2", "T0", "T1", "T2"]) == []
    assert codes(again, [f"T{(n + 1) % 6}" for n in range(6)]) == [f"T{n}" for n in range(6)]  # slipped by one
    twice = [row("P1-d7", "P1", 7), row("P1-d7 again", "P1", 7), row("P1-d14", "P1", 14)]
    assert codes(twice, ["", "P1-d7", "P1-d14"]) == []
    assert codes(twice, ["", "P1-d14", ""]) == ["P1-d7 again"]


def test_a_moved_gate_keeps_what_the_other_files_say(tmp_path: Path) -> None:
    rows = ["file,sample_id,subject_id"]
    for n in range(5):
        keywords = {**TUBE.keywords, **ORDINARY, "TUBE NAME": f"P{10 + (n + 1) % 5} day 7"}
        replace(TUBE, keywords=keywords).write(tmp_path / f"{n}.fcs")
        rows.append(f"{n}.fcs,s{n},P{10 + n}")
    (tmp_path / "sheet.csv").write_text("\n".join(rows), "utf-8")
    run = tmp_path / "run"
    counted = cytocar_command(
        "gate", tmp_path / "sheet.csv", "-t", "cart-cd19fc-fixed", "-o", run, "-j", "1", "--no-report"
    )
    assert counted.code in (0, 1), counted.stderr
    moved = cytocar_command("override", run, "s2", "car_t", "--value", "700", "--reason", "dim", "--by", "A. Person")
    assert moved.code == 0, moved.stderr
    quality = (run / "quality.csv").read_text("utf-8").splitlines()
    assert [line.split(",")[0] for line in quality if ",W261," in line] == [f"s{n}" for n in range(5)]


def test_workers_read_the_headers_of_many_files_in_the_same_order(tmp_path: Path) -> None:
    change = _first_only(lambda tube: tube.labelled(V450_A="CD8", APC_H7_A="CD4"))
    alone, together = (tmp_path / name for name in ("alone", "together"))
    for folder in (alone, together):
        folder.mkdir()
    workers = Workers(lambda: ThreadPoolExecutor(2), in_flight=4)
    found = _compared(together, change, files=HEADERS_OF_A_TASK + 3, workers=workers)
    assert found == _compared(alone, change, files=HEADERS_OF_A_TASK + 3)
    assert list(found) == [str(n) for n in range(HEADERS_OF_A_TASK + 3)]
