"""Simulated tubes for the editor, and benches with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cytocar.editor.opening import open_bench
from cytocar.editor.saving import TemplateFile
from cytocar.editor.session import Bench
from cytocar.fit.names import alias_book
from cytocar.simulate import Preparation, blood_tube


@pytest.fixture(scope="session")
def tubes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """Two small tubes of one panel."""
    folder = tmp_path_factory.mktemp("tubes")
    files = tuple(folder / f"day{number}.fcs" for number in (7, 14))
    for seed, file in enumerate(files, start=1):
        blood_tube(car_per_ul=100, preparation=Preparation(drawn_share=0.02), seed=seed).write(file)
    return files


@pytest.fixture
def opened(tubes: tuple[Path, ...], tmp_path: Path) -> tuple[Bench, TemplateFile]:
    """A bench with a new template and both tubes, and the template's file."""
    return open_bench(str(tmp_path / "new.toml"), tubes, alias_book())


@pytest.fixture
def bench(opened: tuple[Bench, TemplateFile]) -> Bench:
    """The bench alone."""
    return opened[0]
