"""Imports follow the order of ARCHITECTURE.md, each outside library has its home, importing cytocar stays light."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import cytocar

PACKAGE = Path(cytocar.__file__).parent
ARCHITECTURE = PACKAGE.parent / "ARCHITECTURE.md"
HOMES = {
    "flowio": ("fcs",),
    "fcsparser": ("fcs",),
    "sklearn": ("gates", "fit"),
    "typer": ("cli",),
    "rich": ("cli",),
    "matplotlib": ("figures",),
    "jinja2": ("report",),
    "werkzeug": ("review", "editor"),
    "tomlkit": ("template",),
    "dask": ("run/cluster.py",),
    "distributed": ("run/cluster.py",),
    "fsspec": ("files/remote.py",),
}
TOP_MODULES = {"__init__", "__main__", "version"}


def folders_in_order(text: str) -> list[str]:
    """Return the folders of the table in ARCHITECTURE.md, lowest first."""
    return re.findall(r"^\| `(\w+)/?` \|", text, re.MULTILINE)


def against_the_order(order: list[str], imports: list[tuple[str, str]]) -> list[str]:
    """Return what imports from a folder that stands below it in the order, or from one that is not in it."""
    place = {folder: number for number, folder in enumerate(order)}
    wrong = []
    for path, name in imports:
        folder, wanted = path.split("/")[0].removesuffix(".py"), name.split(".")[1]
        if folder in TOP_MODULES - {"version"}:
            continue  # the package's face and the process look at everything
        if folder not in place or wanted not in place or place[wanted] > place[folder]:
            wrong.append(f"{path} imports {name}")
    return wrong


def _trees(word: str) -> Iterator[tuple[str, ast.Module]]:
    """Yield the files of the package in which a word stands, parsed: to parse all takes seconds."""
    for name, path in _modules():
        text = path.read_text("utf-8")
        if re.search(rf"\b({word})\b", text):
            yield name, ast.parse(text)


def _modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).as_posix(), path


@cache
def _imported(path: Path) -> set[str]:
    """Return every module that a file imports, those for types and those inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "cytocar":
            names.update(f"cytocar.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("library", HOMES)
def test_each_outside_library_has_its_home(library: str) -> None:
    strangers = [
        path
        for path, file in _modules()
        if not path.startswith(HOMES[library]) and any(name.split(".")[0] == library for name in _imported(file))
    ]
    assert strangers == []


def test_the_folders_are_those_that_architecture_md_lists() -> None:
    there = {path.name for path in PACKAGE.iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    assert sorted(folders_in_order(ARCHITECTURE.read_text("utf-8"))) == sorted(there | {"version"})


def test_no_module_lies_loose_on_the_top_level() -> None:
    assert {path.stem for path in PACKAGE.glob("*.py")} == TOP_MODULES


def test_every_import_follows_the_order_of_architecture_md() -> None:
    imports = [(path, name) for path, file in _modules() for name in _imported(file) if name.startswith("cytocar.")]
    assert len(imports) > 500  # the search has found the package
    assert against_the_order(folders_in_order(ARCHITECTURE.read_text("utf-8")), imports) == []


def test_an_import_against_the_order_is_found() -> None:
    order = folders_in_order("| `errors/` | x |\n| `gates/` | x |\n| `cli/` | x |\n")
    assert against_the_order(order, [("gates/walk.py", "cytocar.errors.tree")]) == []
    assert against_the_order(order, [("gates/walk.py", "cytocar.cli.screen")]) == [
        "gates/walk.py imports cytocar.cli.screen"
    ]
    assert against_the_order(order, [("gates/walk.py", "cytocar.nowhere")]) != []
    assert against_the_order(order, [("loose.py", "cytocar.errors.tree")]) != []


def test_no_two_folders_import_one_another() -> None:
    edges = {
        (path.split("/")[0], name.split(".")[1])
        for path, file in _modules()
        for name in _imported(file)
        if name.startswith("cytocar.") and "/" in path
    }
    assert [(a, b) for a, b in sorted(edges) if a < b and (b, a) in edges] == []


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


def test_every_path_that_architecture_names_is_there() -> None:
    named = re.findall(r"`([\w./]+/[\w./]*)`", ARCHITECTURE.read_text("utf-8"))
    assert len(named) > 40
    files = [*PACKAGE.parent.glob("*"), *PACKAGE.rglob("*"), *Path(__file__).parent.glob("*.py")]
    there = [f"/{plain(path.relative_to(PACKAGE.parent).as_posix())}" for path in files]
    assert [name for name in named if not any(one.endswith(f"/{plain(name)}") for one in there)] == []


def plain(name: str) -> str:
    return name.rstrip("/").removesuffix(".py").removesuffix(".toml")


NO_PLAIN_RECORDS = {
    ("regions/geometry.py", "Polygon"),
    ("signals/compensation.py", "SpilloverMatrix"),
    ("signals/panel.py", "Panel"),
}


def test_a_record_is_a_struct() -> None:
    """No start has to compile its methods: each dataclass takes half a millisecond of every command."""
    declared = {
        (name, node.name)
        for name, tree in _trees(r"\w*dataclass\w*")
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and any("dataclass" in ast.unparse(one) for one in node.decorator_list)
    }
    assert declared <= NO_PLAIN_RECORDS, "make it a msgspec.Struct (CONTRIBUTING.md, Data)"


def test_a_command_that_counts_loads_no_pydantic() -> None:
    """It takes 0.13 s and 20 MB of every start, and typer brings it along from version 0.29 on."""
    code = (
        "import sys; from cytocar.cli.app import main\n"
        "try: main(['gate', sys.argv[1]])\n"
        "except SystemExit: pass\n"
        "print(sorted({'pydantic', 'pydantic_core'} & set(sys.modules)))"
    )
    tube = PACKAGE.parent / "sample_data" / "small" / "day09.fcs"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tube)], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_no_name_is_a_participle_of_saying_or_finding() -> None:
    """A message, a note, a request, a match: each has a name that says what it is."""
    banned = {"said", "told", "asked", "found"}
    used = [
        f"{path}:{getattr(node, 'lineno', 0)} {name}"
        for path, tree in _trees("|".join(sorted(banned)))
        for node in ast.walk(tree)
        for name in {getattr(node, "id", None), getattr(node, "arg", None), getattr(node, "attr", None)} & banned
    ]
    assert used == []
