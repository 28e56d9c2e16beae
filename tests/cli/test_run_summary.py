"""What stands on the screen after a run."""

from __future__ import annotations

import pytest

from cytocar.cli.run_summary import show_notes, show_what_to_look_at
from cytocar.errors.findings import Finding, Severity
from cytocar.run.execute import FinishedSample
from cytocar.sample.result import Status


@pytest.fixture(autouse=True)
def _talkative(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cytocar.cli.screen._settings.quiet", False)  # another test may have left it on


def _waiting(name: str, *messages: str, code: str = "W220") -> FinishedSample:
    concerns = tuple(
        Finding("beads", code, message=message, hint="look", outcome=Severity.REVIEW) for message in messages
    )
    return FinishedSample(name, Status.REVIEW, (), b"", concerns=concerns)


def test_a_concern_that_samples_share_is_one_line_with_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    show_what_to_look_at([_waiting(f"S{i}", "few beads") for i in range(6)])
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("review")]
    assert lines == ["review[W220] S0, S1, S2, S3 and 2 more: few beads"]


def test_a_concern_whose_numbers_differ_is_one_message_for_a_whole_plate(capsys: pytest.CaptureFixture[str]) -> None:
    show_what_to_look_at([_waiting(f"S{i}", f"{i} beads") for i in range(96)])
    assert capsys.readouterr().err.splitlines() == [
        "review[W220] S0, S1, S2, S3 and 92 more: Few counting beads",
        "  S0: 0 beads",
        "  S1: 1 beads",
        "  S2: 2 beads",
        "  and 93 more: each sample's own stands in quality.csv",
        "  fix: look",
    ]


def test_samples_that_no_line_names_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    show_what_to_look_at([_waiting(f"S{i}", "odd", code=f"W{400 + i}") for i in range(13)])
    assert "and 3 more to look at" in capsys.readouterr().err


def test_samples_that_share_a_well_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    places = {"A": (None, "A01"), "B": ("PL1", "A01"), "C": (None, "A01"), "D": None, "E": None}
    show_notes([FinishedSample(name, Status.OK, (), b"", well=well) for name, well in places.items()])
    expected = "note: A, C lie in well A01: report.html shows the one to look at first; plate_id tells plates apart\n"
    assert capsys.readouterr().err == expected
