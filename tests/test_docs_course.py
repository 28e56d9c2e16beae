"""The page about courses names what the code writes and takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from cytocar.cli.series_options import ScoreName
from cytocar.course.scores import SCORES
from cytocar.course.tables import KINETICS

DOCS = Path(__file__).parent.parent / "docs"
PAGE = "".join((DOCS / name).read_text("utf-8") for name in ("course.md", "kinetics.md", "clinical-values.md"))


@pytest.mark.parametrize("column", [column.name for column in KINETICS if not column.name.endswith(("_low", "_high"))])
def test_every_number_of_the_kinetics_is_explained(column: str) -> None:
    assert column == "subject_id" or f"`{column}`" in PAGE


def test_every_score_has_its_name_on_the_command_line_and_on_the_page() -> None:
    assert [name.value for name in ScoreName] == list(SCORES)
    for name in SCORES:
        assert name in PAGE
