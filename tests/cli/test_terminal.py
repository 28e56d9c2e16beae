"""On a terminal the status is always there, names are no markup, colour comes where it is wanted; pipes stay plain."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import pytest

from cytocar.cli.result_table import _T_HEADER, fitted
from cytocar.simulate import Preparation, blood_tube
from tests.commands import forked
from tests.runs import cytocar_command

pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")
fcntl, termios = pytest.importorskip("fcntl"), pytest.importorskip("termios")

PACKAGE = Path(__file__).resolve().parents[2]
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOR = re.compile(r"\x1b\[[0-9;]*m")
NAMES = ("D7", "CD3[+] [/red]D9", "[bold]broken")


@pytest.fixture(scope="module")
def sheet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tubes with too few beads and a file that is none, under names that look like markup."""
    folder = tmp_path_factory.mktemp("terminal")
    lines = ["file,sample_id,subject_id,day,sample_volume_ul,beads_added"]
    for name, file, day in zip(NAMES, ("day7.fcs", "[red].fcs", "broken.fcs"), (7, 9, 28), strict=True):
        if file != "broken.fcs":
            tube = Preparation(sample_volume_ul=50, beads_added=20_000, drawn_share=0.02)
            blood_tube(car_per_ul=300, preparation=tube, seed=day).write(folder / file)
        lines.append(f"{file},{name},P1,{day},50,20000")
    (folder / "broken.fcs").write_bytes(b"no FCS file")
    (folder / "sheet.csv").write_text("\n".join(lines) + "\n")
    return folder / "sheet.csv"


def on_terminal(columns: int, *words: object, **settings: str) -> str:
    """Run the command with a terminal of so many columns around it, and return what came to the screen."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {**_environment(), "TERM": "xterm-256color", **settings}
    command = [*forked(), *map(str, words)]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    written = b""
    while True:
        try:
            read = os.read(ours, 65536)
        except OSError:  # Linux: the other side was closed
            break
        if not read:
            break
        written += read
    process.wait(timeout=60)
    os.close(ours)
    return written.decode()


def _environment() -> Mapping[str, str]:
    hidden = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TERM"}
    return {name: value for name, value in os.environ.items() if name not in hidden} | {"PYTHONPATH": str(PACKAGE)}


def gate(sheet: Path) -> tuple[object, ...]:
    return "gate", sheet, "-t", "cart-cd19fc-fixed", "-j", "1"


def table(screen: str) -> list[str]:
    """Return the lines of the table, without escape codes."""
    lines = [ESCAPE.sub("", line).rpartition("\r")[2].rstrip() for line in screen.replace("\r\n", "\n").split("\n")]
    (start,) = (index for index, line in enumerate(lines) if line.startswith("sample "))
    return lines[start : start + 1 + len(NAMES)]


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_every_sample_shows_its_status_in_words(sheet: Path, columns: int) -> None:
    header, *lines = table(on_terminal(columns, *gate(sheet)))
    assert header.endswith("status")
    assert [line.startswith(name) for line, name in zip(lines, NAMES, strict=True)] == [True] * 3
    assert [re.search(r" (ok|review|failed)\b", line[10:])[1] for line in lines] == ["review", "review", "failed"]  # type: ignore[index]
    assert max(map(len, [header, *lines])) <= columns
    assert ("T/µL" in header.replace("CAR-T/µL", "")) == (columns == 200)


def test_a_terminal_with_colour_gets_it_and_a_live_bar(sheet: Path) -> None:
    screen = on_terminal(80, *gate(sheet))
    assert COLOR.search(screen)
    assert "0 of 3 samples" in screen
    assert re.search(r"2 of 3 samples, [\d.]+/s, \d+ s left|3 of 3 samples, [\d.]+/s", screen)
    assert screen.count("\x1b[?25l") == screen.count("\x1b[?25h")  # the cursor is there again


@pytest.mark.parametrize("plain", ["NO_COLOR", "--no-color"])
def test_no_colour_where_none_is_wanted(sheet: Path, plain: str) -> None:
    settings = {} if plain.startswith("-") else {plain: "1"}
    screen = on_terminal(80, *gate(sheet), *([] if settings else [plain]), **settings)
    assert not COLOR.search(screen)
    assert table(screen) == table(on_terminal(80, *gate(sheet)))


def test_a_dumb_terminal_gets_no_escape_code_at_all(sheet: Path) -> None:
    screen = on_terminal(80, *gate(sheet), TERM="dumb")
    assert "\x1b" not in screen
    assert len(table(screen)) == 4


def test_samples_that_need_eyes_are_listed_after_the_tally_with_code_and_fix(sheet: Path, tmp_path: Path) -> None:
    screen = ESCAPE.sub("", on_terminal(200, *gate(sheet), "-o", tmp_path / "run", "--no-report"))
    after = screen[screen.index("3 samples: 2 review, 1 failed") :]
    assert "review[W220] D7, CD3[+] [/red]D9: Few counting beads" in after
    assert "\n  D7: " in after.replace("\r", "")
    assert "\n  CD3[+] [/red]D9: " in after.replace("\r", "")
    assert "fix: Look at the bead gate" in after
    assert "error[E012] [bold]broken: " in after


NOT_NEEDED = ("concurrent.futures", "cytocar.run.trail.journal", "html", "importlib.metadata", "logging")
"""What a count that keeps no run does not look at."""


def test_a_count_without_a_folder_loads_nothing_that_only_a_run_or_many_workers_need(sheet: Path) -> None:
    code = (
        "import sys; from cytocar.cli.app import main\n"
        f"try: main({[*map(str, gate(sheet)), '-j', '1', '--format', 'csv']!r})\n"
        "except SystemExit: pass\n"
        f"print([name for name in {NOT_NEEDED!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_environment())
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_pipe_loads_no_rich_and_gets_no_escape_code(sheet: Path) -> None:
    code = (
        "import sys; from cytocar.cli.app import main\n"
        f"try: main({[*map(str, gate(sheet)), '--format', 'table']!r})\n"
        "except SystemExit: pass\n"
        "print('rich' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_environment())
    assert done.stdout.splitlines()[-1] == "False"
    assert "\x1b" not in done.stdout + done.stderr


def test_the_least_important_columns_go_first() -> None:
    header = ("sample", "CAR-T/µL", "95 % interval", "% of T", "CD4/CD8", "T/µL", "result", "status")
    line = ("D9", "1061", "1043–1080", "88.3", "0.47", "1172", "quantified", "review W281 W287 W290")
    shown = [tuple(fitted(header, [line], width)[0]) for width in (120, 88, 74, 62, 45, 30, 20)]
    assert shown[0] == header
    assert all(set(narrow) < set(wide) or narrow == wide for wide, narrow in pairwise(shown))
    assert shown[-1] == ("sample", "status")
    assert fitted(header, [line], 20)[1] == [["D9", "review W281 +2"]]


def test_t_cells_stand_with_cd4_and_cd8_and_without_columns_that_hold_nothing(sheet: Path) -> None:
    screen = ESCAPE.sub("", on_terminal(80, "gate", sheet.parent / "day7.fcs", "-t", "tcell"))
    heading = next(line for line in screen.splitlines() if "CD4/CD8" in line)
    assert heading.split()[:5] == ["sample", "T", "events", "CD4", "CD8"]
    assert "µL" not in heading
    assert "interval" not in heading


def test_an_interval_never_stands_without_its_number() -> None:
    line = ("D9", "2821", "1639", "946", "60.6", "727", "709–744", "1.73", "97.2", "review W281 W287")
    for width in range(20, 120):
        header = fitted(_T_HEADER, [line], width)[0]
        assert "95 % interval" not in header or "T cells/µL" in header


def test_a_shell_completes_verbs_and_options() -> None:
    def completed(words: str, index: int) -> list[str]:
        settings = {"_CYTOCAR_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(index)}
        command = [sys.executable, "-m", "cytocar"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env={**_environment(), **settings})
        return done.stdout.split()

    assert completed("cytocar ga", 1) == ["gate"]
    assert completed("cytocar gate --fo", 2) == ["--format", "--force"]


def test_a_code_is_said_once_for_a_run_whose_samples_have_it_with_other_numbers(tmp_path: Path) -> None:
    tube = blood_tube(car_per_ul=10, preparation=Preparation(drawn_share=0.03), seed=1)
    whole = tube.write(tmp_path / "whole.fcs").read_bytes()
    for number in range(1, 6):
        (tmp_path / f"cut{number}.fcs").write_bytes(whole[: -1000 * number])
    answer = cytocar_command("gate", tmp_path, "-t", "cart-cd19fc-fixed", "-j", "1")
    assert answer.stderr.count("error[E018]") == 1
    assert "cut1, cut2, cut3, cut4 and 1 more" in answer.stderr
    assert "and 2 more: each sample's own stands in quality.csv" in answer.stderr


def test_a_sheet_in_a_folder_that_nobody_named_is_said_and_not_used(tmp_path: Path) -> None:
    tube = blood_tube(car_per_ul=10, preparation=Preparation(drawn_share=0.03), seed=1)
    tube.write(tmp_path / "a.fcs")
    (tmp_path / "sheet.csv").write_text("file,sample_id,beads_added,sample_volume_ul\na.fcs,P1,20000,50\n", "utf-8")
    answer = cytocar_command("gate", tmp_path, "-t", "cart-cd19fc-fixed", "-j", "1")
    assert f"{tmp_path / 'sheet.csv'} is not used" in answer.stderr
    assert "\na," in answer.stdout
    answer = cytocar_command("gate", tmp_path, "-s", tmp_path / "sheet.csv", "-t", "cart-cd19fc-fixed", "-j", "1")
    assert "is not used" not in answer.stderr
    assert "\nP1," in answer.stdout


def test_a_table_wider_than_the_terminal_shows_one_cell_under_the_other(tmp_path: Path) -> None:
    names = [f"column_number_{number}" for number in range(9)]
    (tmp_path / "wide.csv").write_text(f"{','.join(names)}\nD9{',' * 7},12\nD14,x{',' * 7}\n", "utf-8")
    shown = on_terminal(80, "show", tmp_path / "wide.csv").replace("\r\n", "\n")
    assert shown == "column_number_0  D9\ncolumn_number_8  12\n\ncolumn_number_0  D14\ncolumn_number_1  x\n"
    assert max(map(len, on_terminal(80, "show", tmp_path / "wide.csv", "-c", names[0]).splitlines())) <= 80


def test_a_mistyped_verb_names_the_nearest() -> None:
    answer = cytocar_command("gatr", "x.fcs")
    assert (answer.code, "No such command 'gatr'. Did you mean 'gate'?" in answer.stderr) == (2, True), answer.stderr
