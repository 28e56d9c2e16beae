"""A folder of small simulated tubes, and the command as a user runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from cytocar.simulate import Preparation, blood_tube
from tests.commands import FRESH, ROOT, forked

Cytocar = Callable[..., "subprocess.CompletedProcess[str]"]
SMALL = Preparation(sample_volume_ul=50, beads_added=20_000, drawn_share=0.1)


@pytest.fixture(scope="session")
def made_tubes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small tubes of one patient and their sheet; read only."""
    folder = tmp_path_factory.mktemp("tubes")
    lines = ["file,sample_id,subject_id,day,sample_volume_ul,beads_added"]
    for day, car_per_ul in ((7, 100), (9, 1000), (28, 20)):
        blood_tube(car_per_ul=car_per_ul, preparation=SMALL, seed=day).write(folder / f"day{day}.fcs")
        lines.append(f"day{day}.fcs,D{day},P1,{day},50,20000")
    (folder / "sheet.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def tubes(made_tubes: Path, tmp_path: Path) -> Path:
    """Three small tubes of one patient and their sheet, to spoil."""
    return Path(shutil.copytree(made_tubes, tmp_path / "tubes"))


@pytest.fixture
def cytocar(tmp_path: Path) -> Cytocar:
    """Run ``cytocar`` in a folder of its own and return what it wrote; ``fresh`` in an interpreter started for it."""
    (tmp_path / "elsewhere").mkdir(exist_ok=True)
    settings = {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", "COLUMNS": "80"}

    def run(*words: object, cwd: Path | None = None, fresh: bool = False) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*(FRESH if fresh else forked()), *map(str, words)],
            cwd=cwd or tmp_path / "elsewhere",
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run
