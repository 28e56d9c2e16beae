"""A review in a real browser: a gate is dragged, the count seen, a reason given, the run changed and put back."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cytocar.run.finished.checks import Verdict
from cytocar.run.finished.verify import verify
from cytocar.run.trail.audit import read_trail
from cytocar.template.gate_kinds import ReferenceGate
from cytocar.template.load import read_template
from tests.report.browser import Browser, browser

SECONDS = 30
DAY_9, CAR_GATE = "sample/1/9", ".handle"


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    """A browser."""
    with browser() as opened:
        yield opened


@contextmanager
def review(run: Path) -> Iterator[str]:
    """The address of a review of a run, by the command itself; ended by Ctrl-C."""
    words = [sys.executable, "-m", "cytocar", "review", str(run), "--no-browser", "--by", "A. Muster"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=SECONDS)
    assert process.returncode == 130


@pytest.fixture
def run(course_run: Path, tmp_path: Path) -> Path:
    """A copy of the sample course."""
    return Path(shutil.copytree(course_run, tmp_path / "run"))


@pytest.fixture(scope="module")
def address(course_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a review in which nothing is saved."""
    with review(Path(shutil.copytree(course_run, tmp_path_factory.mktemp("looked-at") / "run"))) as opened:
        yield opened


def until(window: Browser, script: str, what: object = True) -> None:
    """Wait until an expression on the page has a value."""
    for _ in range(SECONDS * 20):
        if window.run(script) == what:
            return
        time.sleep(0.05)
    raise AssertionError(f"{script} is {window.run(script)!r}, and not {what!r}")


def text(window: Browser, selector: str) -> str:
    return str(window.run(f"document.querySelector('{selector}').textContent.trim()"))


def after(window: Browser, name: str) -> str:
    return text(window, f".compare tr[data-name={name}] .after")


def drag(window: Browser, selector: str, *, by: tuple[int, int]) -> None:
    """Drag the middle of an element by the mouse."""
    window.run(f"document.querySelector('{selector}').scrollIntoView({{block: 'center'}})")
    x, y = window.run(
        f"(() => {{ const box = document.querySelector('{selector} .grip').getBoundingClientRect();"
        " return [box.x + box.width / 2, box.y + box.height / 2] })()"
    )
    about = {"button": "left", "clickCount": 1}
    window.call("Input.dispatchMouseEvent", type="mousePressed", x=x, y=y, **about)
    for part in (0.3, 0.7, 1.0):
        window.call("Input.dispatchMouseEvent", type="mouseMoved", x=x + part * by[0], y=y + part * by[1], **about)
    window.call("Input.dispatchMouseEvent", type="mouseReleased", x=x + by[0], y=y + by[1], **about)


def press(window: Browser, selector: str) -> None:
    """Press a button that leads to another page, and wait for that."""
    window.run("document.body.dataset.left = 'not yet'")
    window.run(f"document.querySelector('{selector}').click()")
    until(window, "document.readyState === 'complete' && document.body.dataset.left === undefined")


def counted(window: Browser) -> None:
    """Wait until the whole sample was counted with the gate as it stands."""
    until(window, "!document.querySelector('.compare.waiting') && !!document.querySelector('.compare tr.differs')")


def test_a_gate_is_dragged_saved_with_a_reason_and_taken_back(window: Browser, run: Path) -> None:
    before = (run / "counts.csv").read_bytes()
    window.said.clear()
    window.requested.clear()
    with review(run) as address:
        window.open(f"{address}{DAY_9}", width=1280, height=900)
        assert text(window, "#unsaved") == "As in the run: nothing to save."
        was, shown = text(window, "#percent"), after(window, "car_per_ul")
        drag(window, CAR_GATE, by=(0, -120))
        counted(window)
        threshold = window.run("document.querySelector('input[data-was]').value")
        assert float(threshold) > 1000
        assert text(window, "#unsaved").endswith(f"→ {threshold}")
        assert float(text(window, "#percent")) < float(was)
        count, percent = after(window, "car_per_ul"), text(window, "#percent")
        assert float(count) < float(shown)
        assert window.run("document.querySelector('.look button').disabled")
        window.run("document.getElementById('reason').value = 'dim cells <b>below</b>'")
        press(window, "#save")
        assert text(window, ".notice b") == "Saved."
        assert "dim cells <b>below</b>" in text(window, ".notice")
        assert text(window, ".compare tr[data-name=car_per_ul] .before") == count
        assert text(window, "#percent") == percent
        entry = next(entry for entry in read_trail(run).entries if entry.action == "override")
        assert (entry.what, entry.operator) == ("day09 / car_t", "A. Muster")
        assert entry.after == f"CAR min {float(threshold):.6g}"
        until(window, "document.getElementById('report').className", "report-state ready")
        window.run("document.getElementById('try-undo').click()")
        until(window, f"document.querySelector('.compare tr[data-name=car_per_ul] .after').textContent === '{shown}'")
        window.run("document.getElementById('reason').value = 'agreed on the template'")
        press(window, "#undo")
        assert (run / "counts.csv").read_bytes() == before
        press(window, ".look button")
        assert "looked at by A. Muster" in re.sub(r"\s+", " ", text(window, "h1"))
        assert window.said == []
        assert all(url.startswith((address, "data:")) for url in window.requested), window.requested
    assert all(check.verdict is not Verdict.CHANGED for check in verify(run))
    report = [entry.number for entry in read_trail(run).entries if entry.action == "report built"]
    undone = [entry.number for entry in read_trail(run).entries if entry.action == "override undone"]
    assert max(report) > max(undone)  # drawn again before the command ended


def test_a_moved_gate_becomes_a_template_that_counts_as_the_reviewed_sample(window: Browser, run: Path) -> None:
    with review(run) as address:
        window.open(f"{address}{DAY_9}", width=1280, height=900)
        window.said.clear()  # the page of a review that has ended asks for it once more
        drag(window, CAR_GATE, by=(0, -60))
        counted(window)
        threshold = float(window.run("document.querySelector('input[data-was]').value"))
        window.run("document.getElementById('reason').value = 'dim cells below'")
        press(window, "#save")
        window.open(address, width=1280, height=900)
        window.run("document.getElementById('template-file').value = 'ours.toml'")
        press(window, "form.template button")
        said = re.sub(r"\s+", " ", text(window, "section[aria-labelledby=into-template]"))
        assert "Wrote ours.toml, version" in said
        assert "car_t: moved in 1 sample" in said
        assert window.said == []
    gate = read_template(run.parent / "ours.toml").template.population("car_t").gate
    assert isinstance(gate, ReferenceGate)
    assert gate.fallback == pytest.approx(threshold, rel=1e-5)
    assert gate.window[0] <= threshold <= gate.window[1]


def test_a_gate_is_moved_by_the_keyboard_alone_and_put_back(window: Browser, address: str) -> None:
    window.open(f"{address}{DAY_9}", width=1280, height=900)
    was = window.run("document.querySelector('input[data-was]').value")
    window.run("document.querySelector('.handle').focus()")
    for kind in ("keyDown", "keyUp"):
        window.call("Input.dispatchKeyEvent", type=kind, key="ArrowUp", code="ArrowUp", windowsVirtualKeyCode=38)
    until(window, "document.getElementById('unsaved').classList.contains('dirty')")
    assert float(window.run("document.querySelector('input[data-was]').value")) > float(was)
    counted(window)
    put_back(window)
    assert window.run("document.querySelector('input[data-was]').value") == was
    until(window, "document.querySelectorAll('.compare tr.differs').length", 0)


def test_what_cannot_be_counted_is_said_beside_the_numbers(window: Browser, address: str) -> None:
    window.open(f"{address}{DAY_9}")
    window.run(
        "(() => { const field = document.querySelector('input[data-was]'); field.value = 'many';"
        " field.dispatchEvent(new Event('input')) })()"
    )
    until(window, "document.getElementById('trouble').hidden", False)
    assert text(window, "#trouble").startswith("E115 'many' is not a number")
    put_back(window)


def put_back(window: Browser) -> None:
    """Put the gate back; a page with something unsaved would ask before another one is opened."""
    window.run("document.getElementById('reset').click()")
    until(window, "document.getElementById('unsaved').textContent", "As in the run: nothing to save.")


@pytest.mark.parametrize("width", [390, 768, 1280, 1600])
def test_nothing_is_wider_than_the_window(window: Browser, address: str, width: int) -> None:
    for where in ("", DAY_9, "sample/1/0"):
        window.open(f"{address}{where}", width=width)
        assert window.run("document.documentElement.scrollWidth") <= width, where


def test_everything_can_be_reached_by_the_keyboard_and_has_a_name(window: Browser, address: str) -> None:
    for where in ("", DAY_9, "sample/1/1"):
        window.open(f"{address}{where}")
        unreachable = (
            "Array.from(document.querySelectorAll('a[href], button, input, select, summary, .handle'))"
            ".filter(element => element.tabIndex < 0).length"
        )
        assert window.run(unreachable) == 0
        unnamed = (
            "Array.from(document.querySelectorAll('input:not([type=hidden]), select'))"
            ".filter(field => !field.labels.length).length"
        )
        assert window.run(unnamed) == 0
        assert window.run("Array.from(document.querySelectorAll('.handle')).every(handle => handle.ariaLabel)")


def test_a_handle_tells_who_does_not_see_it_where_it_stands(window: Browser, address: str) -> None:
    window.open(f"{address}{DAY_9}", width=1280, height=900)
    said = f"document.querySelector('{CAR_GATE}').getAttribute('aria-valuetext')"
    value = "document.querySelector('input[data-was]').value"
    before = window.run(said)
    assert before == f"CAR {float(window.run(value)):.4g}"
    window.run(f"document.querySelector('{CAR_GATE}').focus()")
    window.call("Input.dispatchKeyEvent", type="keyDown", key="ArrowUp", code="ArrowUp")
    window.call("Input.dispatchKeyEvent", type="keyUp", key="ArrowUp", code="ArrowUp")
    until(window, f"{said} !== {before!r} && {said} === 'CAR ' + {value}")
