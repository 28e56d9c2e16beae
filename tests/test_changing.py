"""The pages on how to change the code name files and definitions that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs" / "changing").glob("*.md"))
_NAMED = re.compile(r"`((?:cytocar|tests|docs|benchmarks|sample_data)/[\w./-]*)(?:::(\w+))?`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_file_and_definition_that_a_page_names_is_there(page: Path) -> None:
    named = [one for one in _NAMED.findall(page.read_text("utf-8")) if "NAME" not in one[0]]
    assert len(named) > 10
    lacking = [f"{path}::{name}" for path, name in named if not _is_there(ROOT / path, name)]
    assert lacking == [], "moved or renamed: correct the page"


def _is_there(path: Path, name: str) -> bool:
    """True if a path exists and, of a module, defines the name: a function, a class, or a constant."""
    if not name:
        return path.exists()
    defined = re.compile(rf"^\s*(?:def|class) {name}\b|^{name}\b.*=", re.MULTILINE)
    return path.is_file() and defined.search(path.read_text("utf-8")) is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_is_read_within_three_screens(page: Path) -> None:
    assert len(page.read_text("utf-8").splitlines()) <= 60
