"""A small run for tests: two tubes of simulated blood and a file that is none, counted into a run folder."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from cytocar.cli.app import main
from cytocar.simulate import Preparation, blood_tube

SHEET = """file,sample_id,subject_id,day,beads_added,sample_volume_ul
day0.fcs,d0,P1,0,50000,50
day9.fcs,d9,P1,9,50000,50
broken.fcs,broken,P1,14,50000,50
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command said."""

    code: int
    stdout: str
    stderr: str


def cytocar_command(*words: str | Path) -> Answer:
    """Run a command in this process and return what it said."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    argv, sys.argv = sys.argv, ["cytocar", *map(str, words)]
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main(list(map(str, words)))
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 0
    finally:
        sys.argv = argv
    return Answer(code, out.getvalue(), err.getvalue())


def small_inputs(folder: Path) -> Path:
    """Write two tubes, a broken file and their sheet; return the sheet."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, car_per_ul, seed in (("day0.fcs", 0, 1), ("day9.fcs", 200, 2)):
        tube = blood_tube(car_per_ul=car_per_ul, preparation=Preparation(drawn_share=0.05), seed=seed)
        tube.write(folder / name)
    (folder / "broken.fcs").write_bytes(b"FCS3.1 and then nothing that helps")
    sheet = folder / "sheet.csv"
    sheet.write_text(SHEET, "utf-8")
    return sheet


def small_run(folder: Path) -> Path:
    """Count the small inputs with fixed gates and return the run folder."""
    sheet = small_inputs(folder / "inputs")
    answer = cytocar_command(
        "gate", sheet, "-t", "cart-cd19fc-fixed", "-o", folder / "run", "-j", "1", "-q", "--no-report"
    )
    assert answer.code == 1, answer.stderr
    return folder / "run"
