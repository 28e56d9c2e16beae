"""The report in a real browser: what a person can do with it, and that it asks nobody else."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from cytocar.report.run import sections
from cytocar.report.run.page import Live, drawn_report, report_files
from cytocar.report.run.printing import print_pdf
from tests.reference_tube import reference_tube
from tests.report.browser import Browser, browser
from tests.report.conftest import ODD_NAMES
from tests.runs import cytocar_command

SHOWN = "Array.from(document.querySelectorAll('table.counts tbody tr:not([hidden])'), row => row.cells[0].textContent)"

TYPE = "document.getElementById('find').value = '{}'; document.getElementById('find').dispatchEvent(new Event('input'))"


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    """A browser."""
    with browser() as opened:
        yield opened


@pytest.fixture
def page(window: Browser, run: Path) -> Browser:
    """The report of the small run, freshly opened."""
    window.said.clear()
    window.requested.clear()
    window.open(run / "report.html")
    return window


def test_it_opens_without_a_word_on_the_console_and_asks_only_for_itself(page: Browser, run: Path) -> None:
    pictures = page.run("Array.from(document.images, image => image.naturalWidth > 0)")
    assert pictures
    assert all(pictures)
    assert page.said == []
    assert [url for url in page.requested if not url.startswith("data:image/")] == [(run / "report.html").as_uri()]


def test_names_of_samples_are_text_and_nothing_they_say_is_run(page: Browser) -> None:
    assert page.run(SHOWN) == ["base", *ODD_NAMES[:2], "'=2+3", ODD_NAMES[3]]
    assert page.run("document.querySelectorAll('script:not([type])').length") == 1


def test_a_heading_sorts_by_numbers_up_then_down_and_leaves_the_unknown_last(page: Browser) -> None:
    page.run("document.getElementById('all-columns').click()")
    press = "document.querySelector('#counts th[data-column=car_per_ul] button').click()"
    values = (
        "Array.from(document.querySelectorAll('#counts tbody tr'), row => "
        "row.cells[Array.from(row.parentNode.parentNode.tHead.rows[0].cells).findIndex("
        "cell => cell.dataset.column === 'car_per_ul')].textContent)"
    )
    page.run(press)
    rising = page.run(values)
    assert rising[-1] == ""
    assert [float(value) for value in rising[:-1]] == sorted(float(value) for value in rising[:-1])
    page.run(press)
    assert page.run(values) == [*rising[-2::-1], ""]
    assert page.run("document.querySelector('#counts th[data-column=car_per_ul]').ariaSort") == "descending"


def test_words_and_a_status_filter_the_table_and_the_number_left_is_announced(page: Browser) -> None:
    page.run(TYPE.format("P1 2+3"))
    assert page.run(SHOWN) == ["'=2+3"]
    assert page.run("shown.textContent") == "1 of 5 samples"
    page.run(TYPE.format(""))
    page.run("which.value = 'failed'; which.dispatchEvent(new Event('change'))")
    assert page.run(SHOWN) == [ODD_NAMES[3]]


def test_the_table_is_copied_with_all_columns_by_their_names_in_counts_csv(page: Browser) -> None:
    page.run("window.copied = ''; navigator.clipboard.writeText = async text => { window.copied = text }")
    page.run("copy.click()")
    lines = page.run("window.copied").split("\n")
    assert lines[0].split("\t")[:2] == ["sample_id", "subject_id"]
    assert "file_sha256" in lines[0]
    assert len(lines) == 6


def test_a_well_leads_to_its_gates_and_other_numbers_can_be_shown_in_the_wells(page: Browser) -> None:
    page.run("document.querySelector('.wells a[title^=\"=2+3\"]').click()")
    assert page.run("document.querySelector(':target h3 bdi').textContent") == "=2+3"
    assert page.run("document.querySelector(':target').open && !!document.querySelector(':target .strip')")
    seen = "getComputedStyle(document.querySelector('.wells .{}')).display !== 'none'"
    assert page.run(seen.format("car"))
    page.run("document.querySelector('.choose-beads').click()")
    assert not page.run(seen.format("car"))
    assert page.run(seen.format("beads"))


OPENED = "location.hash = '#s3'; new Promise(done => setTimeout(done, 600))"


def test_pictures_are_drawn_when_their_sample_is_opened_and_not_before(page: Browser) -> None:
    drawn = "document.querySelectorAll('.sample .panel svg[role=img]').length"
    assert page.run(drawn) == 0
    page.run(OPENED)
    assert page.run(drawn) >= 2  # those in sight
    assert page.said == []


def test_car_dots_can_be_taken_off_the_pictures(page: Browser) -> None:
    page.run(OPENED)
    dots = "getComputedStyle(document.querySelector('.sample .car')).display"
    assert page.run(dots) != "none"
    page.run("document.getElementById('show-car').click()")
    assert page.run(dots) == "none"


def test_without_a_plate_each_picture_of_one_gate_names_its_sample(window: Browser, tmp_path: Path) -> None:
    names = ["day 7 &amp; 8", "day 28"]
    for number, name in enumerate(names):
        reference_tube(300 + number).write(tmp_path / f"{name}.fcs")
    files = [tmp_path / f"{name}.fcs" for name in names]
    answer = cytocar_command("gate", *files, "-t", "cart-cd19fc-fixed", "-j", "1", "-o", tmp_path / "run")
    assert answer.code in (0, 1), answer.stderr
    window.open(tmp_path / "run" / "report.html")
    window.run("document.getElementById('contact').scrollIntoView(); new Promise(done => setTimeout(done, 600))")
    shown = window.run("Array.from(document.querySelectorAll('.slot .whose'), name => name.textContent)")
    assert sorted(shown) == sorted(names)


def test_one_gate_is_laid_out_over_the_plate_and_enlarged_and_keys_go_from_well_to_well(page: Browser) -> None:
    page.run("document.getElementById('contact').scrollIntoView(); new Promise(done => setTimeout(done, 600))")
    slots = "Array.from(document.querySelectorAll('#contact-sheet .slot'), slot => slot.title.split(':')[0])"
    assert page.run(slots) == ["base", *ODD_NAMES[:2], "'=2+3"] or len(page.run(slots)) == 4
    page.run("document.querySelector('#contact-sheet .slot').click()")
    title = "document.getElementById('large-title').textContent"
    assert page.run("document.getElementById('large').open")
    assert page.run(title).startswith("base ")
    assert page.run("document.querySelector('#large-picture svg').getBoundingClientRect().width") > 500
    key = "document.getElementById('large').dispatchEvent(new KeyboardEvent('keydown', {{ key: '{}' }}))"
    page.run(key.format("ArrowRight"))
    assert ODD_NAMES[0] in page.run(title)
    gate = page.run(title).split(" \u00b7 ")[1]
    page.run(key.format("PageUp"))
    assert page.run(title).split(" \u00b7 ")[1] != gate
    page.run(key.format("ArrowUp"))  # above row A there is nothing: it stays
    assert ODD_NAMES[0] in page.run(title)
    page.run("document.getElementById('large-close').click()")
    assert not page.run("document.getElementById('large').open")


def test_a_dark_screen_keeps_contrast_and_a_light_background_under_the_pictures(window: Browser, run: Path) -> None:
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    window.call("Emulation.setEmulatedMedia", features=dark)
    try:
        window.open(run / "report.html")
        assert window.run("getComputedStyle(document.body).backgroundColor") == "rgb(18, 24, 31)"
        window.run(OPENED)
        assert window.run("getComputedStyle(document.querySelector('.slot')).backgroundColor") == "rgb(255, 255, 255)"
    finally:
        window.call("Emulation.setEmulatedMedia", features=[])


@pytest.mark.parametrize("width", [360, 390, 768, 1600])
def test_nothing_is_wider_than_the_window_from_a_phone_to_a_wall(window: Browser, run: Path, width: int) -> None:
    window.open(run / "report.html", width=width)
    assert window.run("document.documentElement.scrollWidth") <= width


def test_everything_that_can_be_pressed_can_be_reached_by_the_keyboard(page: Browser) -> None:
    unreachable = page.run(
        "Array.from(document.querySelectorAll('a[href], button, input, select, summary, .scroll'))"
        ".filter(element => element.tabIndex < 0).length"
    )
    assert unreachable == 0
    assert page.run("Array.from(document.querySelectorAll('[role=img]')).every(image => image.ariaLabel.length > 20)")
    unnamed = page.run(
        "Array.from(document.querySelectorAll('input, select')).filter(field => !field.labels.length).length"
    )
    assert unnamed == 0


def test_a_printed_report_has_each_sample_on_a_page_of_its_own(window: Browser, run: Path, tmp_path: Path) -> None:
    (tmp_path / "print.html").write_bytes(drawn_report(run).printable_files()["report.html"])
    window.open(tmp_path / "print.html")
    pdf = base64.b64decode(window.call("Page.printToPDF", preferCSSPageSize=True, printBackground=True)["data"])
    pages = pdf.count(b"/Type /Page\n")
    assert pages >= 5 + 2
    window.call("Emulation.setEmulatedMedia", media="print")
    try:
        breaks = "Array.from(document.querySelectorAll('.sample'), part => getComputedStyle(part).breakBefore)"
        # The first stands under the heading, the last is no FCS file and has no pictures.
        assert window.run(breaks) == ["auto", "page", "page", "page", "auto"]
        assert window.run("document.querySelectorAll('.sample .panel svg[role=img]').length") > 20
        assert window.run("getComputedStyle(document.querySelector('.tools')).display") == "none"
    finally:
        window.call("Emulation.setEmulatedMedia", media="")


def test_the_report_is_printed_to_a_pdf_from_the_command_line(window: Browser, run: Path, tmp_path: Path) -> None:
    assert window.session  # a browser is there
    assert print_pdf(run / "report.html", tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")


def test_the_page_of_a_run_that_grows_renews_itself_where_it_was_but_not_while_somebody_reads(
    window: Browser, run: Path, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    window.requested.clear()
    text = report_files(run, live=Live("hot", 1, ("d9.fcs",)))["report.html"].decode()
    page.write_text(text, "utf-8")
    window.open(page)
    assert window.run("document.getElementById('live').textContent").endswith("Not counted yet: d9.fcs.")
    window.run("window.dispatchEvent(new PointerEvent('pointermove'))")
    page.write_text(text.replace("d9.fcs", "d14.fcs"), "utf-8")
    wait = "new Promise(done => setTimeout(() => done(document.getElementById('live').textContent), {}))"
    assert "d9.fcs" in window.run(wait.format(2200))
    window.open(page)
    page.write_text(text.replace("d9.fcs", "d30.fcs"), "utf-8")
    window.run("location.hash = '#s2'")
    window.wait_for(
        "/d30.fcs/.test(document.getElementById('live')?.textContent) && document.getElementById('s2')?.open"
    )
    asked = {url.partition("#")[0] for url in window.requested if not url.startswith("data:image/")}
    assert asked == {page.as_uri()}


def test_in_a_run_of_many_samples_what_stands_about_each_is_unpacked_when_it_is_opened(
    window: Browser, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cytocar.report.run.page.PACKED_FROM", 2)
    page = tmp_path / "report.html"
    page.write_bytes(report_files(run)["report.html"])
    window.said.clear()
    window.open(page)
    body = "document.getElementById('s2').textContent"
    assert "viable %" not in window.run(body)
    window.run("document.querySelector('#s2 > summary').click()")
    window.wait_for(f"({body}).includes('viable %')")
    assert window.run("document.querySelectorAll('#s2 .panel').length") > 5
    window.run("location.hash = '#s1'")
    window.wait_for(f"({body.replace('s2', 's1')}).includes('viable %')")
    assert window.said == []


def test_nothing_on_the_page_is_wider_than_a_screen_of_1280_pixels(window: Browser, run: Path) -> None:
    window.open(run / "report.html", width=1280, height=800)
    assert window.run("document.documentElement.scrollWidth") <= 1280
    wider = "Array.from(document.querySelectorAll('.scroll')).filter(one => one.scrollWidth > one.clientWidth).length"
    assert window.run(wider) == 0


def test_a_link_to_a_sample_of_a_large_run_opens_it_on_its_page(
    window: Browser, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sections, "SAMPLES_A_PAGE", 2)
    for name, content in report_files(run).items():
        (tmp_path / name).write_bytes(content)
    window.open(f"{(tmp_path / 'report-samples-0001-0002.html').as_uri()}#s1")
    window.wait_for("document.querySelector('#s1 figure, #s1 svg') !== null")
    assert window.run("document.getElementById('s1').open") is True
    assert window.run("document.getElementById('s0').open") is False
