"""The house: imports point down the list of rooms, each outside library has its home, importing cytocar stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import cytocar

PACKAGE = Path(cytocar.__file__).parent
HOMES = {
    "flowio": {"fcs"},
    "fcsparser": {"fcs"},
    "sklearn": {"gates"},
    "pydantic": {"template", "plan", "parts", "recorded", "gates"},
    "typer": {"cli"},
    "rich": {"cli"},
    "matplotlib": {"figures"},
    "jinja2": {"report", "series_page"},
    "werkzeug": {"review"},
    "dask": {"cluster"},
    "distributed": {"cluster"},
    "fsspec": {"remote"},
}
LOW = ("errors", "findings", "codes", "locations", "address_text", "remote", "places")


def _modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).parts[0].removesuffix(".py"), path


def _imported(path: Path, *, runtime_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    names: set[str] = set()
    for node in ast.walk(tree):
        if runtime_only and id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("library", HOMES)
def test_each_outside_library_has_its_home(library: str) -> None:
    strangers = [
        str(path.relative_to(PACKAGE))
        for room, path in _modules()
        if room not in HOMES[library] and any(name.split(".")[0] == library for name in _imported(path))
    ]
    assert strangers == []


def test_nothing_below_imports_the_command_line() -> None:
    upward = [
        str(path.relative_to(PACKAGE))
        for room, path in _modules()
        if room not in {"cli", "__main__"} and any(f"{name}.".startswith("cytocar.cli.") for name in _imported(path))
    ]
    assert upward == []


@pytest.mark.parametrize(
    ("rooms", "may_not_import"),
    [
        (LOW, ("cytocar.fcs", "cytocar.gates", "cytocar.template", "cytocar.sample.analysis", "cytocar.run.execute")),
        (
            ("fcs", "events", "panel", "compensation", "scales"),
            ("cytocar.gates", "cytocar.sample.analysis", "cytocar.run.execute"),
        ),
        (
            ("gates", "template", "statistics", "counting"),
            ("cytocar.sample.analysis", "cytocar.run.execute", "cytocar.report"),
        ),
        (
            ("analysis", "results", "tables"),
            ("cytocar.run.execute", "cytocar.course.series", "cytocar.figures", "cytocar.report"),
        ),
    ],
)
def test_imports_point_down_the_list_of_rooms(rooms: tuple[str, ...], may_not_import: tuple[str, ...]) -> None:
    upward = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for room, path in _modules()
        if room in rooms
        for name in _imported(path, runtime_only=True)
        if name in may_not_import or name.startswith(tuple(f"{above}." for above in may_not_import))
    ]
    assert upward == []


def test_importing_cytocar_loads_no_heavy_library() -> None:
    heavy = "{'pandas', 'scipy', 'sklearn', 'matplotlib', 'flowio', 'jinja2', 'fsspec', 'werkzeug'}"
    code = f"import sys, cytocar; cytocar.open_fcs; cytocar.gate; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    assert done.stdout.strip() == "[]"


def test_help_loads_no_numeric_library() -> None:
    code = (
        "import sys; from cytocar.cli.app import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'numpy', 'scipy', 'pydantic', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_public_name_is_there_and_explained() -> None:
    for name in cytocar.__all__:
        assert (getattr(cytocar, name).__doc__ or "").strip(), name
