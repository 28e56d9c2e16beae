"""``python docs/recording.py``: record two minutes of a terminal as docs/images/recording.svg.

The commands run as they stand, in a terminal of 80 columns, on the small tubes of ``sample_data``; what they print
is drawn line by line, with pauses to read it. The picture moves by CSS alone, so it does in an ``<img>`` too.
"""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
COLUMNS, ROWS = 80, 26
CHARACTER, LINE = 7.8, 17
SECONDS_A_LINE, SECONDS_TO_TYPE, SECONDS_TO_READ = 0.8, 1.5, 6.5

STEPS = (
    ("a folder of FCS files, one tube each", "ls folder"),
    ("what does a file say about itself?", "cytocar inspect folder/day09.fcs | head -8"),
    (
        "count them: blood, beads, and the tube before the infusion as control",
        "cytocar gate folder --controls before/baseline.fcs --beads-added 2500 --sample-volume-ul 6",
    ),
    ("tubes differ? a sheet says so; this one lies beside the files", "cut -d, -f1-5,8,9 tubes/sheet.csv"),
    ("a run folder: tables, every gate as a picture, an audit trail", "cytocar gate tubes/sheet.csv -o run"),
    ("one asks for a look: why, and what to do?", "cytocar explain W222"),
    ("what to print", "cut -d, -f1,9,33-35,39 run/counts.csv"),
    ("prove a year later that nothing was changed", "cytocar verify run"),
)


def printed(command: str, folder: Path) -> list[Text]:
    """Run a command with a terminal as its output and return the lines; messages come after the data."""
    near, far = pty.openpty()
    environment = os.environ | {"COLUMNS": str(COLUMNS), "LINES": str(ROWS), "TERM": "xterm-256color"}
    environment |= {"PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryFile() as messages:
        process = subprocess.Popen(["bash", "-c", command], cwd=folder, env=environment, stdout=far, stderr=messages)
        os.close(far)
        data = b""
        while True:
            try:
                read = os.read(near, 1 << 16)
            except OSError:  # the other end is closed
                break
            if not read:
                break
            data += read
        os.close(near)
        if process.wait() not in (0, 1):
            raise SystemExit(f"{command} exits with {process.returncode}")
        messages.seek(0)
        data += messages.read()
    return [Text.from_ansi(line) for line in data.decode("utf-8").replace("\r", "").splitlines()]


def drawn(line: Text, console: Console) -> str:
    """Return a line as SVG spans, each in the colour of its style."""
    spans = []
    for segment in line.render(console):
        style = segment.style
        colour = style.color.get_truecolor(MONOKAI).hex if style and style.color else "#e6e6e6"
        dim = ' opacity="0.6"' if style and style.dim else ""
        bold = ' font-weight="bold"' if style and style.bold else ""
        spans.append(f'<tspan fill="{colour}"{bold}{dim}>{escape(segment.text)}</tspan>')
    return "".join(spans)


def recorded(folder: Path) -> list[tuple[float, Text]]:
    """Return every line of the session and the second at which it appears."""
    lines: list[tuple[float, Text]] = []
    now = 0.5
    for remark, command in STEPS:
        lines.append((now, Text(f"# {remark}", style="grey62")))
        now += SECONDS_TO_TYPE
        typed = Text("$ ", style="green") + Text(command, style="bold white")
        lines += [(now, part) for part in typed.wrap(Console(width=COLUMNS), COLUMNS)]
        now += SECONDS_TO_TYPE
        for line in printed(command, folder):
            parts = line.wrap(Console(width=COLUMNS), COLUMNS) if line.cell_len > COLUMNS else [line]
            lines += [(now, part) for part in parts]
            now += SECONDS_A_LINE
        lines.append((now, Text()))
        now += SECONDS_TO_READ
    return lines


def svg(lines: list[tuple[float, Text]]) -> str:
    """Return the moving picture."""
    console = Console(width=COLUMNS)
    end = lines[-1][0] + SECONDS_TO_READ
    width, height = COLUMNS * CHARACTER + 24, ROWS * LINE + 20
    rows = [
        f'<text class="l" x="12" y="{(row + 1) * LINE}" style="animation-delay:{at:.2f}s">{drawn(line, console)}</text>'
        for row, (at, line) in enumerate(lines)
    ]
    frames = [
        f"{100 * at / end:.3f}%{{transform:translateY({-max(row + 1 - ROWS, 0) * LINE}px)}}"
        for row, (at, _) in enumerate(lines)
        if row >= ROWS - 1
    ]
    frames.append(f"to{{transform:translateY({-(len(lines) - ROWS) * LINE}px)}}")
    style = (
        "text{font:13px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;white-space:pre}"
        ".l{opacity:0;animation:show .01s forwards}@keyframes show{to{opacity:1}}"
        f".s{{animation:scroll {end:.1f}s steps(1,end) forwards}}@keyframes scroll{{{''.join(frames)}}}"
        "@media(prefers-reduced-motion:reduce){.l,.s{animation:none;opacity:1}}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" '
        f'height="{height}" role="img"><title>A folder of FCS files becomes CAR-T cells per µL</title>'
        f'<style>{style}</style><rect width="100%" height="100%" rx="6" fill="#1e1e1e"/>'
        f'<svg y="8" width="100%" height="{ROWS * LINE + 6}" overflow="hidden"><g class="s">\n'
        + "\n".join(rows)
        + "\n</g></svg></svg>\n"
    )


def main() -> None:
    """Lay the small tubes out, record the session and write the picture."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        small = ROOT / "sample_data" / "small"
        shutil.copytree(small, folder / "tubes")
        (folder / "folder").mkdir()
        shutil.copy2(small / "day09.fcs", folder / "folder")
        (folder / "before").mkdir()
        shutil.copy2(small / "baseline.fcs", folder / "before")
        (folder / "bin").mkdir()
        shim = folder / "bin" / "cytocar"
        shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cytocar "$@"\n', "utf-8")
        shim.chmod(0o755)
        lines = recorded(folder)
    (ROOT / "docs" / "images" / "recording.svg").write_text(svg(lines), "utf-8")
    sys.stdout.write(f"{len(lines)} lines, {lines[-1][0] + SECONDS_TO_READ:.0f} seconds\n")


if __name__ == "__main__":
    main()
