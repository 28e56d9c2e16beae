"""The documentation is true: console blocks run and print what they say, generated pages equal the code, links lead on.

In a ``console`` block a line with ``$`` is a command, ``>`` goes on with it, anything else is what it prints; ``...``
stands for any text. ``# exits with N`` behind a command says that it fails. All pages but the tutorial start in the
folder that the tutorial has made.
"""

from __future__ import annotations

import ast
import csv
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from cytocar.cli.verbs.demo import UNFINISHED
from cytocar.errors.tree import UsageError
from cytocar.run.trail.lock import only_writer
from cytocar.sheet.rows import COLUMNS
from tests.commands import forked

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
BY_HAND = {"performance.md", "validity.md", "reliability.md"}
"""Pages that report measurements: their commands take long and need other programs."""
PAGES = sorted(page for page in DOCS.rglob("*.md") if page.name not in BY_HAND)
TUTORIAL = DOCS / "tutorial.md"
DEMO, PRINTED = "cytocar-demo", "demo.txt"
"""Where the tutorial lays the sample course out, and what it prints doing so."""
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_EXITS = re.compile(r"# exits with (\d+)")


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a console block, the code that it exits with, and what it prints if the page says so."""

    text: str
    code: int
    printed: str


def blocks(page: Path, kind: str) -> list[str]:
    return [text for name, text in _BLOCK.findall(page.read_text("utf-8")) if name == kind]


def commands(block: str) -> Iterator[Command]:
    text, printed = "", ""
    for line in [*block.splitlines(), "$ "]:
        if line.startswith("$ "):
            if text:
                found = _EXITS.search(text)
                yield Command(text, int(found[1]) if found else 0, printed)
            text, printed = line[2:], ""
        elif line.startswith("> "):
            text += "\n" + line[2:]
        else:
            printed += line + "\n"


def with_output(page: Path) -> bool:
    return bool(blocks(page, "console"))


def run_page(page: Path, folder: Path, shim: Path) -> list[str]:
    """Run a page's commands in a folder, compare what they print, and return it."""
    printed = []
    environment = {**os.environ, "PATH": f"{shim}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    for command in (command for block in blocks(page, "console") for command in commands(block)):
        done = subprocess.run(
            ["bash", "-c", command.text],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        said = done.stdout if command.code == 0 else done.stdout + done.stderr
        assert done.returncode == command.code, f"{command.text}\n{done.stdout}{done.stderr}"
        if command.printed:
            pattern = ".*".join(re.escape(part) for part in command.printed.strip().split("..."))
            assert re.fullmatch(pattern, said.strip(), re.DOTALL), f"{command.text}\n{said}"
        printed.append(said)
    return printed


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the command ``cytocar`` of this checkout."""
    folder = tmp_path_factory.mktemp("bin")
    command = folder / "cytocar"
    command.write_text(f'#!/bin/sh\nexec {shlex.join(forked())} "$@"\n')
    command.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory: pytest.TempPathFactory, shim: Path) -> Path:
    """The folder that the tutorial has made; test processes that work side by side share one.

    It begins with what a demo that was interrupted left.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "tutorial"
    folder.mkdir(exist_ok=True)
    while True:
        try:
            with only_writer(folder):
                if not (folder / PRINTED).exists():
                    (folder / DEMO / "run" / "parts").mkdir(parents=True, exist_ok=True)
                    for left in (UNFINISHED, "baseline.fcs", "run/manifest.json"):
                        (folder / DEMO / left).write_text("half")
                    (folder / PRINTED).write_text(run_page(TUTORIAL, folder, shim)[0], "utf-8")
                return folder
        except UsageError:
            time.sleep(0.2)  # another process is making it


@pytest.fixture
def folder(tutorial: Path, tmp_path: Path) -> Path:
    """A copy of the sample course; the FCS files, which nothing changes, are links."""

    def copy(source: str, target: str) -> None:
        (os.link if source.endswith(".fcs") else shutil.copy2)(source, target)

    shutil.copytree(tutorial / DEMO, tmp_path / DEMO, copy_function=copy)
    return tmp_path


needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="console blocks are for bash")


@needs_bash
@pytest.mark.slow
def test_the_tutorial_runs(tutorial: Path) -> None:
    assert (tutorial / "my-course" / "course.html").is_file()


@needs_bash
@pytest.mark.slow
def test_the_demo_retells_the_published_course_after_an_interruption_too(tutorial: Path) -> None:
    course, printed = tutorial / DEMO, (tutorial / PRINTED).read_text("utf-8").splitlines()
    with (course / "run" / "counts.csv").open(encoding="utf-8", newline="") as file:
        rows = {float(row["day"]): row for row in csv.DictReader(file)}
    for day, published in ((9, 1064), (91, 2.22), (182, 1.56), (274, 1.46), (730, 0.2)):
        assert float(rows[day]["car_per_ul_low"]) <= published <= float(rows[day]["car_per_ul_high"])
    assert abs(float(rows[9]["car_cd4_cd8_ratio"]) - 0.47) < 0.03
    assert rows[-6]["car_result"] == "not_detected"
    assert rows[730]["car_result"] == "quantified"  # 0.2/µL: few T cells, much blood
    assert int(rows[730]["car_events"]) > int(rows[730]["car_lob_events"])
    assert not (course / UNFINISHED).exists()
    assert (course / "course.png").read_bytes()[:4] == b"\x89PNG"
    assert (course / "course" / "course.html").is_file()
    with (course / "course" / "scores.csv").open(encoding="utf-8", newline="") as file:
        assert [row["value"] for row in csv.DictReader(file)] == ["2"]  # as the case reports it
    assert printed[0].split()[:2] == ["day", "CAR-T"]
    assert len(printed) == len(rows) + 1
    readme = (ROOT / "README.md").read_text("utf-8")
    shown = readme.partition("```text\n")[2].partition("```")[0].splitlines()
    assert [row for row in shown if row.strip() != "..." and row not in printed] == []


@needs_bash
@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [page for page in PAGES if page != TUTORIAL and with_output(page)], ids=lambda page: page.stem
)
def test_every_console_block_runs_and_prints_what_it_says(page: Path, folder: Path, shim: Path) -> None:
    run_page(page, folder, shim)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.stem)
def test_every_python_block_runs(page: Path, folder: Path) -> None:
    for code in blocks(page, "python"):
        if "pandas" in code and find_spec("pandas") is None:
            pytest.skip("pandas is not installed")
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        if "pandas" in code:
            assert done.stdout.startswith("peak on day 9: 10")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed")
def test_every_r_block_runs(folder: Path) -> None:
    for page in PAGES:
        for code in blocks(page, "r"):
            done = subprocess.run(["Rscript", "-e", code], cwd=folder, capture_output=True, text=True, check=True)
            assert done.stdout.startswith("peak on day 9: 10")


# ---------------------------------------------------------------- pages and code


def test_the_reference_is_what_the_code_says() -> None:
    for name, text in runpy.run_path(str(DOCS / "generate.py"))["pages"]().items():
        assert (DOCS / "reference" / name).read_text("utf-8") == text, f"{name}: run `python docs/generate.py`"


def test_the_manual_is_what_the_code_says_and_man_shows_it_whole_at_80_columns() -> None:
    written = runpy.run_path(str(DOCS / "generate.py"))["manual"]()
    assert {path.name: path.read_text("utf-8") for path in (DOCS / "man").iterdir()} == written, (
        "run `python docs/generate.py`"
    )
    if shutil.which("man") is None:
        pytest.skip("no man on this machine")
    narrow = {**os.environ, "MANWIDTH": "80", "LC_ALL": "C.UTF-8", "MAN_KEEP_FORMATTING": ""}
    command = ["man", "--warnings", "-E", "UTF-8", "-l", str(DOCS / "man" / "cytocar-gate.1")]
    shown = subprocess.run(command, env=narrow, capture_output=True, text=True, check=True)
    assert shown.stderr == ""
    assert "--sample-volume-ul" in shown.stdout
    assert "CYTOCAR GATE" in shown.stdout


def test_every_number_that_decides_has_a_reason() -> None:
    constants = list(runpy.run_path(str(DOCS / "generate.py"))["constants"]())
    assert len(constants) > 100
    lacking = [(module, name) for module, name, _, why in constants if not why]
    assert lacking == [], "write under it, in a docstring, why it is this number"


def test_every_table_is_in_the_reference() -> None:
    named = runpy.run_path(str(DOCS / "generate.py"))["_named_tables"]().values()
    described = {column for columns in named for column in columns}
    for file in sorted((ROOT / "cytocar").rglob("*.py")):
        for table in re.findall(r"^([A-Z]\w*) = parse_columns\(", file.read_text("utf-8"), re.MULTILINE):
            module = file.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
            lacking = set(getattr(import_module(module), table)) - described
            assert not lacking, f"{module}.{table}: a line in _named_tables of docs/generate.py"


def test_a_docstring_says_true_if_of_a_truth_value_only() -> None:
    functions = [
        (file.name, node.name, ast.unparse(node.returns or ast.Constant(None)))
        for file in sorted((ROOT / "cytocar").rglob("*.py"))
        if "True if" in (text := file.read_text("utf-8"))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and (ast.get_docstring(node) or "").startswith("True if")
    ]
    assert len(functions) > 100
    assert [one for one in functions if "bool" not in one[2].lower()] == [], 'write "Return whether" or "Yield whether"'


def test_every_column_of_the_sheet_is_explained() -> None:
    text = (DOCS / "reference" / "sample-sheet.md").read_text("utf-8")
    cells = " ".join(line.split("|")[1] for line in text.splitlines() if line.startswith("| `"))
    assert set(re.findall(r"`(\w+)`", cells)) == set(COLUMNS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?://)([^)#]*)(?:#[^)]*)?\)", page.read_text("utf-8")):
        assert not target or (page.parent / target).exists(), target


def test_no_page_claims_compliance() -> None:
    for page in PAGES:
        text = page.read_text("utf-8").lower()
        for place in (found.start() for found in re.finditer(r"\bcompliant\b", text)):
            assert re.search(r"\b(no|not|cannot be)\b", text[max(0, place - 60) : place]), page
