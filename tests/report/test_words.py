"""What the report says in words: concerns, methods, MIFlowCyt."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cytocar.errors.findings import Finding, Severity
from cytocar.report.run.attention import concerns, fix_of
from cytocar.report.run.methods import methods, miflowcyt
from cytocar.report.run.source import open_finished_run
from cytocar.sample.result import ErrorRecord, SampleFailure, TemplateStamp
from cytocar.sheet.rows import SampleRow
from cytocar.template.lock import LockStatus

STAMP = TemplateStamp("demo", "1.0.0", "0" * 64, LockStatus.DRAFT)


def failure(name: str, code: str, hint: str = "") -> SampleFailure:
    return SampleFailure(SampleRow(Path("a.fcs"), "a.fcs", name), STAMP, ErrorRecord(code, f"{name} is bad", hint))


def test_one_fault_of_many_wells_is_one_concern_with_its_fix() -> None:
    found = concerns([failure("a", "E012"), failure("b", "E010"), failure("c", "E012")])
    assert [(concern.code, [one.sample_id for one in concern.samples]) for concern in found] == [
        ("E012", ["a", "c"]),
        ("E010", ["b"]),
    ]
    assert found[0].fix.startswith("Export FCS files")


def test_what_failed_stands_before_what_asks_for_a_look_and_notes_do_not_stand_at_all(run: Path) -> None:
    (sample, *_) = open_finished_run(run).counted
    look = Finding("time", "W282", Severity.REVIEW, "a clog")
    note = Finding("time", "W280", Severity.NOTE, "no clock")
    found = concerns([replace(sample, findings=(note, look)), failure("b", "E012")])
    assert [concern.code for concern in found] == ["E012", "W282"]


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
        "detected from 13 events and quantified from 22 events on",
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
