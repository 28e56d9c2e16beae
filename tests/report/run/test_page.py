"""The report of a small run: complete, faithful to the tables, closed to the outside."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest

from cytocar.files.bundled import template_folder
from cytocar.files.source import file_sha256, local_state
from cytocar.report.run import pictures, sections
from cytocar.report.run.numbers import people
from cytocar.report.run.page import report_files
from cytocar.report.run.source import open_finished_run
from cytocar.run.trail.audit import read_trail
from cytocar.simulate import Preparation, blood_tube
from tests.report.conftest import ODD_NAMES
from tests.runs import cytocar_command

EMPTY = {"br", "meta", "input", "img", "image", "use", "path", "rect", "hr", "link"}


@dataclass
class Read(HTMLParser):
    """What a reader and a browser find on a page."""

    ids: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    scripts: int = 0
    inline: list[str] = field(default_factory=list)
    open_tags: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what matters of a tag."""
        said = dict(attrs)
        self.scripts += tag == "script"
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.links += [value for name, value in attrs if name in {"href", "src", "xlink:href", "action"} and value]
        self.inline += [name for name in said if name == "style" or name.startswith("on")]
        if tag not in EMPTY:
            self.open_tags.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag that is closed at once."""
        self.handle_starttag(tag, attrs)
        if tag not in EMPTY:
            self.open_tags.pop()

    def handle_endtag(self, tag: str) -> None:
        """Check that tags close in order."""
        if not self.open_tags or self.open_tags.pop() != tag:
            self.faults.append(tag)

    def handle_data(self, data: str) -> None:
        """Keep texts that stand outside style and script."""
        if not self.open_tags or self.open_tags[-1] not in {"style", "script"}:
            self.texts.append(data)


def read(text: str) -> Read:
    """Return what is on a page."""
    found = Read()
    found.feed(text)
    found.close()
    return found


@pytest.fixture(scope="module")
def text(run: Path) -> str:
    """The page that ``gate -o`` wrote."""
    return (run / "report.html").read_text("utf-8")


def _rows(run: Path, table: str) -> Iterator[dict[str, str]]:
    with (run / table).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def test_every_cell_of_counts_csv_stands_in_the_table(run: Path, text: str) -> None:
    table = re.search(r'<table class="numbers counts" id="counts">.*?</table>', text, re.DOTALL)
    assert table is not None
    columns = re.findall(r'data-column="(\w+)"', table[0])
    body = table[0].split("<tbody>")[1]
    lines = re.findall(r"<tr data-status.*?</tr>", body, re.DOTALL)
    rows = list(_rows(run, "counts.csv"))
    assert sorted(columns) == sorted(rows[0])
    for line, row in zip(lines, rows, strict=True):
        cells = ["".join(read(cell).texts).strip() for cell in re.findall(r"<t[hd][^>]*>.*?</t[hd]>", line)]
        shown = dict(zip(columns, cells, strict=True))
        assert shown == row


def test_the_short_table_has_three_digits_and_the_interval_in_one_cell(run: Path, text: str) -> None:
    table = re.search(r'<table class="numbers counts">.*?</table>', text, re.DOTALL)
    assert table is not None
    row = next(row for row in _rows(run, "counts.csv") if row["sample_id"] == "'=2+3")
    line = next(line for line in table[0].split("<tr")[2:] if "=2+3" in line)
    cell = re.search(rf'<td title="{re.escape(row["car_per_ul"])} .*?</td>', line)
    assert cell is not None
    values = {name: float(row[name]) for name in ("car_per_ul", "car_per_ul_low", "car_per_ul_high")}
    expected = (
        f"{people(values['car_per_ul'])} ({people(values['car_per_ul_low'])}–{people(values['car_per_ul_high'])})"
    )
    assert "".join(read(cell[0]).texts).strip().startswith(expected)


def test_every_number_of_every_population_stands_on_the_page(run: Path, text: str) -> None:
    tables = re.findall(r"<details><summary>All populations.*?</details>", text, re.DOTALL)
    shown = [
        ["".join(read(cell).texts).strip() for cell in re.findall(r"<t[hd][^>]*>.*?</t[hd]>", line)]
        for table in tables
        for line in re.findall(r"<tr>.*?</tr>", table.split("<tbody>")[1], re.DOTALL)
    ]
    expected = [
        [value for column, value in row.items() if column != "sample_id" and not column.startswith("median_")]
        for row in _rows(run, "populations.csv")
    ]
    assert shown == expected


def test_every_threshold_of_gates_csv_is_under_its_picture_with_its_source(run: Path, text: str) -> None:
    said = " ".join(" ".join(read(text).texts).split())
    for row in _rows(run, "gates.csv"):
        if row["kind"] in {"valley", "reference"} and row["parameter"] == "threshold":
            assert f"threshold {row['value']} " in said


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_name_from_the_sheet_is_text_whatever_it_says(text: str, name: str) -> None:
    found = read(text)
    assert any(name in said for said in found.texts)
    assert found.scripts == 2  # the page's own, and its data


def test_the_page_is_well_formed_with_unique_ids_and_links_that_lead_somewhere(text: str) -> None:
    found = read(text)
    assert found.faults == []
    assert found.open_tags == []
    assert len(found.ids) == len(set(found.ids))
    inside = {link[1:] for link in found.links if link.startswith("#")}
    assert inside <= set(found.ids)


def test_the_page_asks_nothing_of_the_network_and_allows_itself_only_what_it_holds(text: str) -> None:
    found = read(text)
    assert found.inline == []
    assert [link for link in found.links if not link.startswith(("#", "data:image/"))] == []
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert "default-src &#39;none&#39;" in policy[1]
    assert "unsafe" not in policy[1]


def test_a_draft_says_so_in_words_and_across_the_page(text: str) -> None:
    assert '<span class="draft-badge">DRAFT</span>' in text
    assert "watermark" not in text
    assert '@top-right { content: "DRAFT' in text  # of every printed page
    assert "not locked: its gates may still change" in " ".join(" ".join(read(text).texts).split())


def test_what_failed_is_named_with_its_fix(text: str) -> None:
    eyes = text.split('<section id="eyes">')[1].split("</section>", maxsplit=1)[0]
    assert "E012" in eyes
    assert "check that this is the file the cytometer exported" in eyes


def test_every_gate_is_drawn_with_its_numbers_in_words(run: Path, text: str) -> None:
    section = text.split('id="s3"')[1].split('<details class="sample"', maxsplit=1)[0]
    drawn = re.findall(r'<text class="name"[^>]*>([^<]*)</text>', section)
    gates = {row["population"] for row in _rows(run, "gates.csv") if row["kind"] != "boolean"}
    assert gates <= {name.split(" ")[0] for name in drawn}
    assert any(re.fullmatch(r"t_cells [\d.]+ %", name) for name in drawn)
    assert ">CD3 (APC-A)</text>" in text or ">CD3 (" in text
    alts = re.findall(r'role="img" aria-label="([^"]*)"', section)
    car = next(
        row for row in _rows(run, "populations.csv") if row["sample_id"] == "'=2+3" and row["population"] == "car_t"
    )
    assert any(f"car_t: {car['events']} events, {car['percent_of_parent']} % of t_cells" in alt for alt in alts)
    assert "Control <bdi>base</bdi>" in section


def test_the_same_run_gives_the_same_bytes(run: Path, text: str) -> None:
    assert report_files(run)["report.html"].decode() == text


def test_a_file_that_moved_leaves_the_numbers_and_a_reason(run: Path, tmp_path: Path) -> None:
    page = report_files(run, inputs=tmp_path)["report.html"].decode()
    assert page.count("<b>No pictures:</b>") == 4
    assert "data:image/png" not in page
    assert "The numbers are those of the run." in page


def test_a_file_that_changed_is_not_drawn_as_if_it_were_the_one_that_was_counted(run: Path, tmp_path: Path) -> None:
    for name in ("t0.fcs", "t1.fcs", "t2.fcs"):
        (tmp_path / name).write_bytes((run.parent / name).read_bytes())
    blood_tube(car_per_ul=0, preparation=Preparation(drawn_share=0.02), seed=77).write(tmp_path / "base.fcs")
    page = report_files(run, inputs=tmp_path)["report.html"].decode()
    assert page.count("the file has changed since the run") == 1


def test_a_file_that_this_command_counted_is_hashed_again_only_if_it_was_written_to(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("t0", "t1", "t2", "base")
    for name in names:
        (tmp_path / f"{name}.fcs").write_bytes((run.parent / f"{name}.fcs").read_bytes())
    known = open_finished_run(run, inputs=tmp_path)
    states = {sample_id: local_state(file) for sample_id, file in known.files.items()}
    (tmp_path / "t0.fcs").write_bytes((tmp_path / "t1.fcs").read_bytes())
    hashed: list[str] = []

    def noted(file: Path) -> str:
        hashed.append(file.name)
        return file_sha256(file)

    monkeypatch.setattr(pictures, "file_sha256", noted)
    drawn = pictures.draw_run(known, pictures.galleries(known), None, states=states)
    assert hashed == ["t0.fcs"]
    assert ["the file has changed" in one.problem for one in drawn.values()].count(True) == 1


def test_a_large_run_has_its_gates_on_pages_of_their_own(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sections, "SAMPLES_A_PAGE", 2)
    files = {name: content.decode() for name, content in report_files(run).items()}
    assert list(files) == [
        "report.html",
        "report-samples-0001-0002.html",
        "report-samples-0003-0004.html",
        "report-samples-0005-0005.html",
    ]
    targets = {f"{name}#{target}" for name, page in files.items() for target in read(page).ids}
    for name, page in files.items():
        for link in read(page).links:
            if not link.startswith("data:") and link not in files:
                assert (f"{name}{link}" if link.startswith("#") else link) in targets


def test_a_locked_template_is_named_as_locked_and_nothing_says_draft(run: Path, tmp_path: Path) -> None:
    template = tmp_path / "ours.toml"
    template.write_bytes((template_folder() / "cart-cd19fc-fixed.toml").read_bytes())
    assert cytocar_command("template", "lock", template, "--by", "A. Muster", "--reason", "validated").code == 0
    told = (
        "-t",
        template,
        "-o",
        tmp_path / "run",
        "-j",
        "1",
        "-q",
        "--beads-added",
        "20000",
        "--sample-volume-ul",
        "50",
    )
    assert cytocar_command("gate", run.parent / "t2.fcs", *told).code == 0
    page = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert "· locked ·" in " ".join(page.split())
    assert "DRAFT" not in page.split("<body>")[1]
    assert 'content: "DRAFT' not in page


def test_a_run_in_which_everything_failed_has_a_page_all_the_same(run: Path, tmp_path: Path) -> None:
    assert cytocar_command("gate", run.parent / "no.fcs", "-o", tmp_path / "run", "-q").code == 1
    assert "E012" in (tmp_path / "run" / "report.html").read_text("utf-8")


def test_the_page_is_built_again_by_a_command_and_the_trail_says_so(run: Path, tmp_path: Path) -> None:
    told = (
        "-o",
        tmp_path / "run",
        "--no-report",
        "-j",
        "1",
        "-q",
        "--beads-added",
        "20000",
        "--sample-volume-ul",
        "50",
    )
    assert cytocar_command("gate", run.parent / "t2.fcs", *told).code == 0
    page = tmp_path / "run" / "report.html"
    assert not page.exists()
    answer = cytocar_command("report", tmp_path / "run", "-j", "1", "--by", "A. Muster")
    assert (answer.code, answer.stdout.strip()) == (0, str(page))
    last = read_trail(tmp_path / "run").last
    assert last is not None
    assert (last.action, last.what, last.operator) == ("report built", "report.html", "A. Muster")
    assert cytocar_command("verify", tmp_path / "run").code == 0


def test_a_gate_that_a_person_moved_is_drawn_where_it_stands_now(run: Path, tmp_path: Path) -> None:
    told = ("-t", "cart-cd19fc-fixed", "-o", tmp_path / "run", "-j", "1", "-q", "--count-method", "none")
    assert cytocar_command("gate", run.parent / "t2.fcs", *told).code == 0
    page = tmp_path / "run" / "report.html"
    assert "set by a person" not in page.read_text("utf-8")
    moved = ("--value", "900", "--reason", "CAR dim", "--by", "A. Muster")
    assert cytocar_command("override", tmp_path / "run", "t2", "car_t", *moved).code == 0
    said = " ".join(" ".join(read(page.read_text("utf-8")).texts).split())
    assert "CAR min 900 · set by a person" in said
