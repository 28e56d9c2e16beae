"""The sentence of the methods about compensation: what was done to how many files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cytocar.report.run.methods import _compensation
from tests.reference_tube import count, reference_tube


def test_the_methods_say_what_was_done_to_how_many_files(tmp_path: Path) -> None:
    result = count(reference_tube(3000).write(tmp_path / "ref.fcs"))
    others = [replace(result, compensation=way) for way in ("none", "unmixed", "unmixed", "already compensated")]
    assert _compensation([result, *others]) == (
        "Signals were compensated with the spillover matrix of $SPILLOVER (n = 1); taken as compensated already, as "
        "the names of their channels say (n = 1); not compensated (n = 1); taken as unmixed already (n = 2)."
    )
    assert _compensation([]) == ""
