"""Two runs to review: small tubes with fixed gates, and the sample course, whose baseline places the CAR gate."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cytocar.files.bundled import sample_data_folder
from tests.review.visitor import Visitor
from tests.runs import cytocar_command, small_run


@pytest.fixture(scope="session")
def fixed_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tubes counted by fixed gates, and a file that is none."""
    return small_run(tmp_path_factory.mktemp("review"))


@pytest.fixture(scope="session")
def course_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small sample course with its report: gates that adapt, a control behind the CAR gate."""
    folder = tmp_path_factory.mktemp("course")
    shutil.copytree(sample_data_folder() / "small", folder / "inputs")
    answer = cytocar_command("gate", folder / "inputs" / "sheet.csv", "-o", folder / "run", "-j", "1", "-q")
    assert answer.code == 0, answer.stderr
    return folder / "run"


@pytest.fixture
def visitor(fixed_run: Path, tmp_path: Path) -> Visitor:
    """Somebody who reviews a copy of the run with fixed gates."""
    return Visitor(Path(shutil.copytree(fixed_run, tmp_path / "run")))


@pytest.fixture
def course(course_run: Path, tmp_path: Path) -> Visitor:
    """Somebody who reviews a copy of the sample course."""
    return Visitor(Path(shutil.copytree(course_run, tmp_path / "run")))
