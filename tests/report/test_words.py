"""What the report says in words: concerns, methods, MIFlowCyt."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from cytocar.errors.findings import Finding, Severity
from cytocar.figures.gate_pictures.views import views as views_of
from cytocar.report.run.explained import fix_of
from cytocar.report.run.methods import methods, miflowcyt
from cytocar.report.run.source import open_finished_run
from cytocar.report.run.worklist import worklist
from cytocar.sample.result import ErrorRecord, SampleFailure, TemplateStamp
from cytocar.sheet.rows import SampleRow
from cytocar.template.load import load_template
from cytocar.template.lock import LockStatus

STAMP = TemplateStamp("demo", "1.0.0", "0" * 64, LockStatus.DRAFT)


def failure(name: str, code: str, hint: str = "") -> SampleFailure:
    return SampleFailure(SampleRow(Path("a.fcs"), "a.fcs", name), STAMP, ErrorRecord(code, f"{name} is bad", hint))


def test_samples_with_one_fault_stand_together_the_commonest_first() -> None:
    found = worklist([failure("b", "E010"), failure("a", "E012"), failure("c", "E012")], {})
    assert [(item.finding.code, item.outcome.sample.sample_id) for item in found.items] == [
        ("E012", "a"),
        ("E012", "c"),
        ("E010", "b"),
    ]
    assert found.items[0].fix.startswith("Export FCS files")
    assert found.notes == ()


def test_what_failed_stands_before_what_asks_for_a_look_and_notes_do_not_stand_at_all(run: Path) -> None:
    (sample, *_) = open_finished_run(run).counted
    look = Finding("time", "W282", Severity.REVIEW, "a clog")
    note = Finding("time", "W280", Severity.NOTE, "no clock")
    found = worklist([replace(sample, findings=(note, look)), failure("b", "E012")], {})
    assert [item.finding.code for item in found.items] == ["E012", "W282"]


def test_one_sample_has_one_line_with_its_first_worst_finding_and_names_the_others(run: Path) -> None:
    (sample, *_) = open_finished_run(run).counted
    findings = (
        Finding("time", "W282", Severity.REVIEW, "a clog"),
        Finding("beads", "E031", Severity.NO_COUNT, "no beads"),
        Finding("read", "W230", Severity.REVIEW, "odd"),
    )
    (item,) = worklist([replace(sample, findings=findings)], {}).items
    assert item.finding.code == "E031"
    assert item.others == ("W282", "W230")


def test_what_holds_for_most_samples_is_one_note_of_the_run_and_no_line_of_a_sample(run: Path) -> None:
    (sample, *_) = open_finished_run(run).counted
    everywhere = Finding("car_t", "FEW_REFERENCE_EVENTS", Severity.REVIEW, "few")
    alone = Finding("time", "W282", Severity.REVIEW, "a clog")
    plate = [replace(sample, findings=(everywhere,)) for _ in range(9)] + [
        replace(sample, findings=(everywhere, alone))
    ]
    found = worklist(plate, {})
    assert [(note.code, len(note.samples)) for note in found.notes] == [("FEW_REFERENCE_EVENTS", 10)]
    assert [(item.number, item.finding.code) for item in found.items] == [(9, "W282")]
    assert found.sharing == 9
    assert worklist(plate[:3], {}).notes == ()  # three samples are no plate


def test_what_samples_lack_of_controls_is_said_once_however_few_they_are(run: Path) -> None:
    (sample, *_) = open_finished_run(run).counted
    few = Finding("car_t", "FEW_REFERENCE_EVENTS", Severity.NOTE, "few")
    found = worklist([replace(sample, findings=(few,) if number < 2 else ()) for number in range(9)], {})
    assert [(note.code, len(note.samples)) for note in found.notes] == [("FEW_REFERENCE_EVENTS", 2)]
    assert found.items == ()
    assert found.calm


def test_the_picture_of_a_line_is_that_of_the_gate_concerned(run: Path) -> None:
    (sample, *_) = open_finished_run(run).counted
    views = views_of(load_template("cart-cd19fc"))
    for check, population in (("cd8_bright", "cd8_bright"), ("beads", "beads"), ("car_beside_t_cells", "car_t")):
        finding = Finding(check, "W294", Severity.REVIEW, "look")
        (item,) = worklist([replace(sample, findings=(finding,))], {sample.template.sha256: views}).items
        assert item.view is not None
        assert population in views[item.view].populations


def test_the_hint_of_a_finding_goes_before_the_general_fix() -> None:
    assert fix_of(Finding("x", "E012", Severity.FAIL, "bad", hint="do this")) == "do this"
    assert fix_of(Finding("x", "", Severity.PASS, "good")) == ""


def test_methods_name_template_gates_counting_and_limits(run: Path) -> None:
    said = " ".join(methods(open_finished_run(run)))
    for words in (
        "the gating template cart-cd19fc version",
        "t_cells from bright_cd45 by the valley of CD3 between 400 and 4000 (1200 where there was none)",
        "car_t from t_cells by a threshold on CAR between 150 and 2500 placed by control samples",
        "cells/µL = cell events / bead events x beads added / sample volume x dilution factor",
        "detected with at least 13 events, more than the limit of blank of their tube",
        "quantified with at least 22 events",
        "Samples (n = 5) by outcome",
        "not for diagnosis",
    ):
        assert words in said


def test_miflowcyt_says_what_the_run_knows_and_leaves_the_rest_to_the_laboratory(run: Path) -> None:
    items = {item.title: item.text for item in miflowcyt(open_finished_run(run), [])}
    assert items["Purpose"] == "to be stated by the laboratory"
    assert items["Experiment variables"] == "samples: baseline (1), sample (4)"
    assert items["Instrument"] == "the FCS files were not at hand"
    assert "logicle (T 262144, W 0.5, M 4.5, A 0)" in items["Scales"]


def test_samples_apart_from_the_others_are_one_note_with_what_is_apart_in_the_first_three(run: Path) -> None:
    (sample, *_) = open_finished_run(run).counted
    apart = [
        replace(
            sample,
            sample=replace(sample.sample, sample_id=f"w{number}"),
            findings=(Finding("places", "W254", Severity.NOTE, f"lies elsewhere: CD3 {number}"),),
        )
        for number in range(8)
    ]
    (note,) = worklist(apart, {}).notes
    assert note.samples == tuple(range(8))
    assert note.message == "w0 lies elsewhere: CD3 0; w1 lies elsewhere: CD3 1; w2 lies elsewhere: CD3 2"
