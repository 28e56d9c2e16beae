"""docs/simulate.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cytocar.simulate import Artefact

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "simulate.md").read_text(encoding="utf-8")


def test_every_artefact_has_its_line() -> None:
    assert re.findall(r"^\| `([a-z0-9-]+)` \|", PAGE, re.MULTILINE) == [artefact.value for artefact in Artefact]


def test_the_example_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    example = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None

    exec(compile(example[1], "docs/simulate.md", "exec"), {})

    assert (tmp_path / "day09.fcs").is_file()
