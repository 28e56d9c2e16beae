"""Printing: through a browser where there is one, and with advice where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from cytocar.errors.tree import UsageError
from cytocar.report.run import printing


def test_without_a_browser_the_hint_says_how_to_print(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printing, "find_browser", lambda: None)
    with pytest.raises(UsageError) as refused:
        printing.print_pdf(tmp_path / "report.html", tmp_path / "report.pdf")
    assert refused.value.code == "E161"
    assert "Ctrl+P" in refused.value.hint


def test_a_browser_that_does_not_print_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printing, "find_browser", lambda: "true")
    with pytest.raises(UsageError) as refused:
        printing.print_pdf(tmp_path / "report.html", tmp_path / "report.pdf")
    assert refused.value.code == "E162"
