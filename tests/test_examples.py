"""Every program in ``examples/`` runs as it is and prints the number that its simulated tube holds."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def run(name: str) -> str:
    command = [sys.executable, str(EXAMPLES / name)]
    return subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=EXAMPLES.parent, env=None, encoding="utf-8"
    ).stdout


def test_every_example_is_listed_and_tested_here() -> None:
    readme = (EXAMPLES / "README.md").read_text("utf-8")
    here = Path(__file__).read_text("utf-8")
    programs = sorted(path.name for path in EXAMPLES.glob("*.py"))
    assert programs
    assert [name for name in programs if f"`{name}`" not in readme or f'"{name}"' not in here] == []


def test_one_tube_is_counted_near_its_truth() -> None:
    printed = run("count_one_tube.py")
    value = float(re.match(r"([\d.]+)/µL", printed)[1])  # type: ignore[index]
    assert value == pytest.approx(100, rel=0.15)


def test_a_curve_has_its_peak_on_the_simulated_day() -> None:
    assert re.fullmatch(
        r"peak 1[6-9]\d(\.\d)?/µL on day 9\n|peak 2\d\d(\.\d)?/µL on day 9\n", run("curve_from_a_run.py")
    )
