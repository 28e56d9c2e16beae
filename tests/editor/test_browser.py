"""The editor in a real browser: from files without a template to CD4 and CD8 counts, saved, locked and run."""

from __future__ import annotations

import csv
import io
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from cytocar.template.load import read_template
from cytocar.template.lock import LockStatus
from tests.report.browser import Browser, browser
from tests.review.test_browser import SECONDS, text, until
from tests.runs import cytocar_command

MOST_ACTIONS = 25
REACHED = """element => {
    const target = element.labels?.[0] ?? element;
    target.scrollIntoView({block: "center", behavior: "instant"});
    const box = target.getBoundingClientRect();
    const hit = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    return target.contains(hit);
}"""
"""Whether a click of the mouse in the middle of an element, or of its label, is one on it."""


@pytest.fixture
def window() -> Iterator[Browser]:
    """A browser of this test's own: a page with something unsaved asks before another one is opened."""
    with browser() as opened:
        yield opened


@contextmanager
def editor(*words: object) -> Iterator[str]:
    """The address of an editor, by the command itself; ended by Ctrl-C."""
    command = [sys.executable, "-m", "cytocar", "template", "edit", *map(str, words), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=SECONDS)
    assert process.returncode == 130


@dataclass
class Hand:
    """Somebody at the page: each click, choice, drag, and name typed is one action."""

    window: Browser
    actions: int = 0

    def open(self, address: str, *, width: int = 1280, height: int = 800) -> None:
        self.window.said.clear()
        self.window.open(address, width=width, height=height)
        self.window.run(
            "(() => { const old = window.fetch; window.waiting = 0;"
            " window.fetch = async (...asked) => { window.waiting += 1;"
            " try { return await old(...asked) } finally { setTimeout(() => { window.waiting -= 1 }, 20) } } })()"
        )

    def settled(self) -> None:
        until(self.window, "window.waiting", 0)
        assert self.window.run("document.getElementById('trouble').hidden"), text(self.window, "#trouble")

    def click(self, selector: str) -> None:
        self.actions += 1
        assert self.window.run(f"({REACHED})(document.querySelector('{selector}'))"), f"{selector} is beyond the mouse"
        self.window.run(f"document.querySelector('{selector}').click()")
        self.settled()

    def choose(self, selector: str, value: str) -> None:
        self.actions += 1
        self.window.run(
            f"(() => {{ const field = document.querySelector('{selector}'); field.value = '{value}';"
            " field.dispatchEvent(new Event('change', {bubbles: true})) })()"
        )
        self.settled()

    def name(self, name: str) -> None:
        """Type into the field that has the focus, and press Enter."""
        self.actions += 1
        until(self.window, "document.activeElement.id", "name")
        self.window.call("Input.insertText", text=name)
        self.key("Enter")
        until(self.window, "document.querySelector('#population').dataset.name", name)
        self.settled()

    def fill(self, selector: str, value: str) -> None:
        self.actions += 1
        self.window.run(f"document.querySelector('{selector}').value = '{value}'")

    def key(self, key: str, *, modifiers: int = 0) -> None:
        code = {"Enter": 13, "ArrowRight": 39, "ArrowUp": 38, "z": 90}[key]
        more = {"text": "\r"} if key == "Enter" else {}
        pressed = {"key": key, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        self.window.call("Input.dispatchKeyEvent", type="keyDown", **pressed, **more)
        self.window.call("Input.dispatchKeyEvent", type="keyUp", **pressed)

    def draw(self, tool: str, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Choose a tool and drag it over the picture: places from 0 to 1."""
        self.click(f"#tools input[value={tool}]")
        self.actions += 1
        left, top, width, height = self.window.run(
            "(() => { const box = document.querySelector('.surface').getBoundingClientRect();"
            " return [box.x, box.y, box.width, box.height] })()"
        )
        self.mouse(
            (left + start[0] * width, top + (1 - start[1]) * height),
            (left + end[0] * width, top + (1 - end[1]) * height),
        )
        until(self.window, "document.querySelector('#tools input[value=\"\"]').checked")
        self.settled()

    def mouse(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        about = {"button": "left", "clickCount": 1}
        self.window.call("Input.dispatchMouseEvent", type="mousePressed", x=start[0], y=start[1], **about)
        for part in (0.5, 1.0):
            x, y = (a + part * (b - a) for a, b in zip(start, end, strict=True))
            self.window.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y, **about)
        self.window.call("Input.dispatchMouseEvent", type="mouseReleased", x=end[0], y=end[1], **about)

    def events(self, population: str) -> int:
        """Return the events that the page shows for a population in the first file."""
        shown = text(self.window, f"#counts tr[data-population={population}] td b")
        return int(shown.replace(",", ""))


def run_counts(file: Path, template: Path) -> dict[str, str]:
    answer = cytocar_command("gate", file, "-t", template, "--format", "csv", "-j", "1", "-q")
    assert answer.code in (0, 1), answer.stderr
    return next(csv.DictReader(io.StringIO(answer.stdout)))


def save_and_lock(hand: Hand) -> None:
    hand.click("#save")
    hand.click("#save-form button")
    hand.fill("#by", "A. Muster")
    hand.fill("#reason", "drawn on the files of May")
    hand.click("#lock-form button")
    until(hand.window, "document.getElementById('status').textContent", "locked")


def draw_t_cells(hand: Hand, lymphocytes: tuple[tuple[float, float], tuple[float, float]]) -> None:
    hand.draw("rectangle", *lymphocytes)
    hand.name("lymphocytes")
    hand.click("form [data-enter=lymphocytes]")
    hand.choose("#x", "CD3")
    hand.draw("range", (0.55, 0.5), (1.0, 0.5))
    hand.name("t_cells")
    hand.click("form [data-enter=t_cells]")
    hand.choose("#x", "CD4")
    hand.choose("#y", "CD8")
    hand.draw("rectangle", (0.55, 0.55), (0.995, 0.005))
    hand.name("cd4")
    hand.draw("rectangle", (0.005, 0.6), (0.5, 0.995))
    hand.name("cd8")


def test_from_files_to_cd4_and_cd8_counts_saved_locked_and_run(
    window: Browser, tubes: tuple[Path, ...], tmp_path: Path
) -> None:
    template = tmp_path / "drawn.toml"
    hand = Hand(window)
    window.requested.clear()
    with editor(template, *tubes) as address:
        hand.open(address)
        draw_t_cells(hand, ((0.15, 0.02), (0.6, 0.4)))
        shown = {name: hand.events(name) for name in ("lymphocytes", "t_cells", "cd4", "cd8")}
        save_and_lock(hand)
        assert hand.actions <= MOST_ACTIONS
        assert window.said == []
        assert all(url.startswith((address, "data:")) for url in window.requested), window.requested
    assert read_template(template).status is LockStatus.LOCKED
    row = run_counts(tubes[0], template)
    counted = {
        name: int(row[f"{column}_events"])
        for name, column in (("lymphocytes", "lymphocyte"), ("t_cells", "t_cell"), ("cd4", "cd4"), ("cd8", "cd8"))
    }
    assert counted == shown
    assert min(shown.values()) > 0
    assert row["template_status"] == "locked"


def test_a_real_tube_without_a_template_is_counted_in_few_actions(
    window: Browser, shared_data: Path, tmp_path: Path
) -> None:
    tube = shared_data / "tcell_human" / "more" / "canto_tbnk.fcs"
    if not tube.is_file():
        pytest.skip(f"{tube.name} is not among the real FCS files here")
    template = tmp_path / "tbnk.toml"
    hand = Hand(window)
    with editor(template, tube) as address:
        hand.open(address)
        draw_t_cells(hand, ((0.1, 0.05), (0.4, 0.2)))
        shown = {name: hand.events(name) for name in ("t_cells", "cd4", "cd8")}
        save_and_lock(hand)
        assert hand.actions <= MOST_ACTIONS
    row = run_counts(tube, template)
    assert [int(row[f"{name}_events"]) for name in ("t_cell", "cd4", "cd8")] == list(shown.values())


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (1920, 1080)])
def test_doubts_of_a_fit_are_accepted_on_the_page(
    width: int, height: int, window: Browser, tubes: tuple[Path, ...], tmp_path: Path
) -> None:
    template = tmp_path / "fitted.toml"
    answer = cytocar_command("template", "fit", tubes[0], "--force", "-o", template)
    assert answer.code in (0, 1), answer.stderr
    doubts = "".join(
        f'\n[[doubts]]\ncode = "{code}"\nmessage = "{message}"\n'
        for code, message in (("W339", "33 % of the CD3+ events lie outside"), ("W351", "<b>some</b> are large"))
    )
    template.write_text(template.read_text("utf-8") + doubts, "utf-8")
    hand = Hand(window)
    with editor(template, tubes[0]) as address:
        hand.open(address, width=width, height=height)
        hand.click("#save")
        assert "<b>some</b> are large" in text(window, "#accept-form")
        saving = "document.getElementById('saving')"
        assert window.run(f"{saving}.scrollWidth <= {saving}.clientWidth")
        assert window.run("document.getElementById('accepted-by').getBoundingClientRect().width") > 150
        for code in ("W339", "W351"):
            hand.click(f"#accept-form input[value={code}]")
        hand.fill("#accepted-by", "A. Muster")
        hand.fill("#accepted-reason", "dead cells, seen on the pictures")
        hand.click("#accept-form button")
        left = "[...document.querySelectorAll('#accept-form input[name=doubt]')].map(box => box.value)"
        assert not {"W339", "W351"} & {*window.run(left)}
        assert "Accepted: W339, W351, by A. Muster" in text(window, "#done")
        assert window.said == []
    assert not {"W339", "W351"} & {doubt.code for doubt in read_template(template).template.open_doubts}


def test_a_gate_is_dragged_with_all_counts_beside_it_and_undone_by_keys(
    window: Browser, tubes: tuple[Path, ...], tmp_path: Path
) -> None:
    hand = Hand(window)
    with editor(tmp_path / "new.toml", *tubes) as address:
        hand.open(address)
        hand.choose("#x", "CD3")
        hand.draw("range", (0.4, 0.5), (1.0, 0.5))
        hand.name("t_cells")
        before = hand.events("t_cells")
        x, y = window.run(
            "(() => { const box = document.querySelector('.handle .grip').getBoundingClientRect();"
            " return [box.x + box.width / 2, box.y + box.height / 2] })()"
        )
        hand.mouse((x, y), (x + 60, y))
        until(window, "document.querySelectorAll('.handle.held').length === 0 && window.waiting === 0")
        dragged = hand.events("t_cells")
        assert dragged < before
        window.run("document.querySelector('.handle').focus()")
        said = window.run("document.querySelector('.handle').getAttribute('aria-valuetext')")
        hand.key("ArrowRight")
        until(window, f"document.querySelector('.handle').getAttribute('aria-valuetext') !== '{said}'")
        assert re.match(r"CD3 \d", window.run("document.querySelector('.handle').getAttribute('aria-valuetext')"))
        window.run("document.querySelector('.handle').dataset.old = 'yes'")
        until(window, "!document.querySelector('[data-old]') && window.waiting === 0")  # the step is kept
        assert window.run("document.activeElement.classList.contains('handle')")
        window.run("document.querySelector('[data-do=undo]').focus()")
        for _ in range(2):
            hand.settled()
            hand.key("z", modifiers=2)
            hand.settled()
        until(window, "document.querySelector('#counts tr[data-population=t_cells] b').textContent", f"{before:,}")
        assert window.said == []


def test_the_windows_of_single_events_and_of_a_cluster_are_dragged_on_the_picture(
    window: Browser, tubes: tuple[Path, ...], tmp_path: Path
) -> None:
    template = tmp_path / "mine.toml"
    assert cytocar_command("template", "new", template, "--from", "cart-cd19fc").code == 0
    hand = Hand(window)
    numbers = (
        "Object.fromEntries(Array.from(document.querySelectorAll('[data-gate-number]'),"
        " one => [one.dataset.gateNumber, +one.value]))"
    )
    with editor(template, *tubes) as address:
        hand.open(address)
        for gate, handle, number, by in (
            ("singlets", "point window low", "window low", (0, -25)),
            ("lymphocyte_scatter", "reach of the window", "within", (25, 0)),
        ):
            hand.click(f"[data-take={gate}]")
            before = window.run(numbers)
            x, y = window.run(
                f"(() => {{ const box = document.querySelector('[data-handle=\"{handle}\"] .grip')"
                ".getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2] })()"
            )
            hand.mouse((x, y), (x + by[0], y + by[1]))
            until(window, "document.querySelectorAll('.handle.held').length === 0 && window.waiting === 0")
            until(window, f"({numbers})['{number}'] > {before[number] * 1.02}")
            hand.settled()
            assert {name for name, value in window.run(numbers).items() if value != before[name]} == {number}
        hand.click("[data-do=undo]")
        hand.click("[data-do=undo]")
        assert window.run("document.querySelector('[data-do=undo]').disabled")
        assert window.said == []


def test_dots_marks_combinations_and_numbers_on_the_page(
    window: Browser, tubes: tuple[Path, ...], tmp_path: Path
) -> None:
    template = tmp_path / "mine.toml"
    assert cytocar_command("template", "new", template, "--from", "cart-cd19fc").code == 0
    hand = Hand(window)
    with editor(template, *tubes) as address:
        hand.open(address)
        hand.click("[data-take=t_cells]")
        assert window.run("!!document.querySelector('.bench-figure image')")
        hand.choose("#style", "dots")
        assert window.run("!document.querySelector('.bench-figure image')")
        assert window.run("!!document.querySelector('.bench-figure .dots')")
        hand.choose("#back", "cd4")
        assert window.run("document.querySelector('.bench-figure .car title').textContent") == "events of cd4"
        before = hand.events("t_cells")
        window.run("document.querySelector('.numbers-of-gate').open = true")
        hand.choose('[data-gate-number="window low"]', "3900")
        assert window.run("document.querySelector('.numbers-of-gate').open")
        assert hand.events("t_cells") < before
        hand.click("[data-do=undo]")
        assert hand.events("t_cells") == before
        hand.click("[data-take=cd4_bright]")
        hand.click("[data-combine=cd4_bright]")
        hand.choose("[data-part=cd8_bright]", "none_of")
        assert hand.events("combined") == hand.events("cd4")
        assert window.said == []


def test_everything_has_a_name_is_reached_by_the_keyboard_and_fits_the_window(
    window: Browser, tubes: tuple[Path, ...], tmp_path: Path
) -> None:
    template = tmp_path / "mine.toml"
    made = cytocar_command("template", "new", template, "--from", "cart-cd19fc")
    assert made.code == 0, made.stderr
    with editor(template, *tubes) as address:
        hand = Hand(window)
        for width, height in ((390, 800), (1280, 800), (1920, 1080)):
            hand.open(address, width=width, height=height)
            assert window.run("document.documentElement.scrollWidth") <= width
            hand.click("[data-take=t_cells]")
            assert window.run("document.documentElement.scrollWidth") <= width
        unreachable = (
            "Array.from(document.querySelectorAll('a[href], button, input, select, summary, .handle, .surface'))"
            ".filter(element => element.tabIndex < 0).length"
        )
        assert window.run(unreachable) == 0
        unnamed = (
            "Array.from(document.querySelectorAll('input, select'))"
            ".filter(field => !field.labels.length).map(field => field.outerHTML)"
        )
        assert window.run(unnamed) == []
        assert window.run(
            "Array.from(document.querySelectorAll('.handle'))"
            ".every(handle => handle.ariaLabel && handle.ariaValueText && handle.ariaValueNow)"
        )
        silent = (
            "Array.from(document.querySelectorAll('button'))"
            ".filter(button => !(button.ariaLabel || button.textContent.trim())).length"
        )
        assert window.run(silent) == 0
        twice = (
            "(() => { const ids = Array.from(document.querySelectorAll('[id]'), one => one.id);"
            " return ids.length - new Set(ids).size })()"
        )
        assert window.run(twice) == 0
        assert window.said == []
