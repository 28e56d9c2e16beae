"""A PDF of a page, printed by a Chromium that is installed; cytocar brings none of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from cytocar.errors.tree import UsageError

BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "msedge",
    "microsoft-edge",
)
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
"""Where these browsers lie on macOS and Windows, which do not put them on the PATH."""

SECONDS = 300
QUIET = (
    "--headless",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_browser() -> str | None:
    """Return a Chromium, Chrome or Edge that is installed; ``None`` if there is none."""
    on_path = (shutil.which(name) for name in BROWSERS)
    return next(
        (program for program in on_path if program), next((place for place in PLACES if Path(place).is_file()), None)
    )


def print_pdf(page: Path, pdf: Path) -> Path:
    """Print an HTML file to a PDF; one sample a page, as its style sheet says.

    Raises
    ------
    UsageError
        E161 no browser is installed, E162 the browser did not print.
    """
    browser = find_browser()
    if browser is None:
        raise UsageError(
            "no Chromium, Chrome or Edge is installed, so the report cannot be printed from here",
            code="E161",
            hint=f"open {page} in any browser and print it to a PDF (Ctrl+P), or install Chromium",
        )
    with TemporaryDirectory(prefix="cytocar-") as profile:
        options = [*QUIET, f"--user-data-dir={profile}", "--no-pdf-header-footer", f"--print-to-pdf={pdf.resolve()}"]
        if getattr(os, "geteuid", lambda: 1)() == 0:
            options.append("--no-sandbox")  # Chromium's sandbox refuses to start for root, as in most containers
        try:
            subprocess.run(
                [browser, *options, page.resolve().as_uri()], capture_output=True, timeout=SECONDS, check=True
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise _not_printed(page, browser) from error
    if not pdf.is_file():
        raise _not_printed(page, browser)
    return pdf


def _not_printed(page: Path, browser: str) -> UsageError:
    return UsageError(
        f"{Path(browser).name} did not print the report",
        code="E162",
        hint=f"open {page} in a browser and print it to a PDF (Ctrl+P)",
    )
