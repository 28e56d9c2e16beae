"""The site builds from the pages without a network and without a warning, and is read without one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.report.browser import browser
from tests.test_docs import PAGES, blocks, commands

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built with every warning an error: a broken link, a page that no start page names."""
    for needed in ("sphinx", "myst_parser", "furo", "sphinx_copybutton"):
        pytest.importorskip(needed, reason="the site needs the extra `docs`")
    own = tmp_path_factory.getbasetemp()
    root = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    out, faults = root / "site", root / "site-faults.txt"
    try:
        out.mkdir()
    except FileExistsError:  # another process of this test run builds it
        for _ in range(MOST_SECONDS):
            if faults.exists():
                break
            time.sleep(1)
    else:
        made = faults.with_suffix(".tmp")
        made.write_text(_built(out), "utf-8")
        made.replace(faults)
    assert faults.read_text("utf-8") == ""
    return out


MOST_SECONDS = 600


def _built(out: Path) -> str:
    """Build the site and return what Sphinx has against it."""
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", str(ROOT / "docs"), str(out)],
        env={**os.environ, "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr or f"exit code {done.returncode}" if done.returncode else ""


@pytest.mark.slow
def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 60
    loaded = re.compile(r'<(?:script|img|link|iframe)\b[^>]*\b(?:src|href)="(?:https?:)?//[^"]*"')
    assert [found[0] for page in pages if (found := loaded.search(page.read_text("utf-8")))] == []
    fetched = re.compile(r"(?:url|@import)[^;]*https?://")
    assert [style for style in site.rglob("*.css") if fetched.search(style.read_text("utf-8"))] == []


@pytest.mark.slow
def test_the_api_links_to_numpy_and_scipy(site: Path) -> None:
    text = "".join(page.read_text("utf-8") for page in (site / "api").glob("*.html"))
    assert 'href="https://numpy.org/doc/stable/reference/random/generator.html#numpy.random.Generator"' in text
    assert "https://docs.scipy.org/doc/scipy/reference/generated/scipy.stats.mannwhitneyu.html" in text
    assert "TypeAliasForwardRef" not in text  # how Sphinx keeps a name that has an alias
    assert "Struct" not in text  # what records are made of


RESULTS = """new Promise(done => {
  const look = () => {
    const links = [...document.querySelectorAll("#search-results ul.search li a")];
    const over = /found|did not match/.test(document.querySelector("#search-results .search-summary")?.innerText);
    over ? done(links.map(a => a.getAttribute("href"))) : setTimeout(look, 50);
  };
  look();
})"""
SEARCHES = {
    "trucount": "recipes/trucount",
    "MACSQuant": "recipes/volume",
    "FMC63": "recipes/anti-fmc63",
    "without FSC-H": "how-to/my-instrument-has-no-fsc-h",
    "FlowJo workspace": "how-to/moving-from-flowjo",
    "hematology": "recipes/dual-platform",
    "haematology": "recipes/dual-platform",
    "leucocyte": "recipes/dual-platform",
}


@pytest.mark.slow
def test_search_finds_what_people_have_under_both_spellings(site: Path) -> None:
    found: dict[str, list[str]] = {}
    with browser() as opened:
        for words in SEARCHES:
            opened.open(f"{(site / 'search.html').as_uri()}?q={words.replace(' ', '+')}")
            found[words] = [link.partition(".html")[0] for link in opened.run(RESULTS)]
    assert {words: pages[:5] for words, pages in found.items() if SEARCHES[words] not in pages[:5]} == {}
    assert found["hematology"] == found["haematology"]


COPIED = """new Promise(done => {
  const source = addCopyButtonToCodeCells.toString();
  const own = source.slice(source.indexOf("function escapeRegExp"), source.indexOf("// Initialize with a callback"));
  const copied = new Function(`${own}; return copyTargetText`)();
  const look = () => {
    const buttons = [...document.querySelectorAll("div.highlight-console button.copybtn")];
    buttons.length ? done(buttons.map(button => copied(button).trim())) : setTimeout(look, 50);
  };
  look();
})"""
"""What each button of a page copies, by the function that it calls."""


LONG = {"validity", "performance", "reliability", "release-notes", "genindex", "py-modindex"}
"""Records of measurements, which say so at their top; pages that are made."""
WRITTEN = {"reference/sample-sheet", "reference/glossary"}
"""Pages of the reference that are not made from the code."""
CONSOLE = {
    page.relative_to(ROOT / "docs").with_suffix("").as_posix(): blocks(page, "console")
    for page in PAGES
    if any("$ " in block for block in blocks(page, "console"))
}
"""The console blocks of each page whose commands the tests run."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A page as it stands on a telephone, its screens on a desk, and what its buttons copy if the tests run it."""

    width: int
    screens: float
    copied: list[str]


@pytest.fixture(scope="module")
def visits(site: Path) -> dict[str, Visit]:
    """Each page of the site, opened once: that takes longer than all that is asked of it."""
    seen = {}
    with browser() as opened:
        for page in sorted(site.rglob("*.html")):
            name = page.relative_to(site).with_suffix("").as_posix()
            opened.open(page, width=390, height=844)
            width = opened.run("document.documentElement.scrollWidth")
            copied = opened.run(COPIED) if name in CONSOLE else []
            opened.resize(width=1280, height=800)
            screens = opened.run("(document.querySelector('article')?.offsetHeight ?? 0) / 800")
            seen[name] = Visit(width, screens, copied)
    return seen


@pytest.mark.slow
def test_the_copy_button_gives_the_commands_that_the_tests_run(visits: dict[str, Visit]) -> None:
    """No prompt, no ``>`` before the lines of a sheet, nothing of what a command prints: as pasted, it runs."""
    expected = {
        name: ["\n".join(one.text for one in commands(block)) if "$ " in block else block.strip() for block in written]
        for name, written in CONSOLE.items()
    }
    copied = {name: visits[name].copied for name in CONSOLE}
    assert {name: texts for name, texts in copied.items() if texts != expected[name]} == {}


@pytest.mark.slow
def test_a_page_is_read_within_three_screens_and_fits_a_telephone(visits: dict[str, Visit]) -> None:
    short = {
        name: round(visit.screens, 1)
        for name, visit in visits.items()
        if name in WRITTEN or not (name in LONG or name.startswith(("reference/", "api/", "_")))
    }
    assert [name for name, visit in visits.items() if visit.width > 390] == []
    assert len(short) > 40
    assert {name: screens for name, screens in short.items() if visits[name].screens > 3.25} == {}  # a few lines more
