"""Every page against the rules of axe-core, light and dark, wide and narrow: no violation.

axe-core is no part of the environment: ``npm install axe-core`` anywhere, and ``CYTOCAR_AXE`` names its axe.min.js.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.report.browser import Browser, browser
from tests.runs import cytocar_command

AXE = Path(os.environ.get("CYTOCAR_AXE", "/nowhere"))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not AXE.is_file(), reason="CYTOCAR_AXE does not name axe-core's axe.min.js (npm install axe-core)"
    ),
]
EVERYTHING = """
for (const one of document.querySelectorAll("details")) one.open = true;
window.scrollTo(0, 1e6);
new Promise(done => setTimeout(done, 800))
"""
VIOLATIONS = """
axe.run(document, {resultTypes: ["violations"]}).then(found => found.violations.map(one =>
  `${one.id}: ${one.nodes.length} x ${one.nodes[0].html.slice(0, 200)} ${one.nodes[0].failureSummary}`))
"""


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    """A browser that lets a test's own script run on a page."""
    with browser() as opened:
        opened.call("Page.setBypassCSP", enabled=True)
        yield opened


def violations(window: Browser, page: Path | str, *, dark: bool, width: int) -> list[str]:
    """Return what axe-core finds on a page whose every part is open."""
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    window.call("Emulation.setEmulatedMedia", media="screen", features=[scheme])
    window.open(page, width=width, height=800)
    window.run(EVERYTHING)
    window.run(AXE.read_text("utf-8") + ";0")
    found: list[str] = window.run(VIOLATIONS)
    return found


def on_all_screens(window: Browser, page: Path | str) -> list[str]:
    """Return what axe-core finds in light and dark, and on a narrow screen."""
    screens = ((False, 1280), (True, 1280), (False, 390))
    return [said for dark, width in screens for said in violations(window, page, dark=dark, width=width)]


@contextmanager
def served(*words: str | Path) -> Iterator[str]:
    """Return the address of a local page while its command runs."""
    command = [sys.executable, "-m", "cytocar", *map(str, words), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)


def test_the_page_of_a_run(window: Browser, run: Path) -> None:
    assert on_all_screens(window, run / "report.html") == []


def test_the_page_of_a_course(window: Browser, run: Path, tmp_path: Path) -> None:
    cytocar_command("series", run, "-o", tmp_path / "course")
    assert on_all_screens(window, tmp_path / "course" / "course.html") == []


def test_the_page_of_a_comparison(window: Browser, run: Path, tmp_path: Path) -> None:
    cytocar_command("compare", run, run, "-o", tmp_path / "compared")
    assert on_all_screens(window, tmp_path / "compared" / "comparison.html") == []


def test_the_page_of_a_fitted_template(window: Browser, run: Path, tmp_path: Path) -> None:
    tubes = [run.parent / name for name in ("base.fcs", "t2.fcs")]
    cytocar_command("template", "fit", *tubes, "-o", tmp_path / "new" / "mine.toml", "--force")
    assert on_all_screens(window, tmp_path / "new" / "mine.report.html") == []


def test_the_pages_of_a_review(window: Browser, run: Path, tmp_path: Path) -> None:
    with served("review", shutil.copytree(run, tmp_path / "run"), "--inputs", run.parent) as address:
        for where in ("", "sample/0/", "sample/3/"):
            assert on_all_screens(window, address + where) == []


def test_the_page_of_an_editor(window: Browser, run: Path, tmp_path: Path) -> None:
    cytocar_command("template", "new", tmp_path / "mine.toml", "--from", "cart-cd19fc-fixed")
    with served("template", "edit", tmp_path / "mine.toml", run.parent / "t2.fcs") as address:
        assert on_all_screens(window, address) == []
