"""How long the report of a plate takes, and how large it is: ``python -m benchmarks.report_of_a_plate --wells 96``.

The aim: 96 wells of 50,000 events in 15 s on two cores and 6 MB, and of 384 wells no page over 15 MB.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.data import write_blood

WELL_EVENTS = 50_000
SECONDS_FOR_96, MEGABYTES_FOR_96, MEGABYTES_A_PAGE = 15.0, 6.0, 15.0
DAYS = (-4, 3, 9, 14, 28, 90, 180, 365)


def main() -> int:
    """Simulate, count, draw; print the measures; exit code 1 beyond the aim."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wells", type=int, default=96)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    with TemporaryDirectory(prefix="plate-") as name:
        folder = Path(name)
        sheet = write_plate(folder, options.wells)
        _cytocar("gate", sheet, "-o", folder / "run", "-j", options.jobs, "-q", "--no-report")
        start = time.perf_counter()
        _cytocar("report", folder / "run", "-j", options.jobs)
        seconds = time.perf_counter() - start
        pages = {page.name: page.stat().st_size / 1e6 for page in sorted((folder / "run").glob("report*.html"))}
    print(f"{options.wells} wells of {WELL_EVENTS:,} events: {seconds:.1f} s with {options.jobs} processes")
    for page, megabytes in pages.items():
        print(f"{page}: {megabytes:.1f} MB")
    largest = MEGABYTES_FOR_96 if options.wells <= 96 else MEGABYTES_A_PAGE
    return int(seconds > SECONDS_FOR_96 * max(1.0, options.wells / 96) or max(pages.values()) > largest)


def write_plate(folder: Path, wells: int) -> Path:
    """Write the wells of a plate, a patient's days beside each other, and return the sheet."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = 12 if wells <= 96 else 24
    lines = ["file,sample_id,subject_id,day,sample_type,plate_id,well,beads_added,sample_volume_ul"]
    for number in range(wells):
        row, column = divmod(number, columns)
        well = f"{chr(ord('A') + row)}{column + 1:02}"
        write_blood(folder / f"{well}.fcs", WELL_EVENTS, seed=number)
        kind = "baseline" if number % len(DAYS) == 0 else "sample"
        subject, day = f"P{number // len(DAYS) + 1:02}", DAYS[number % len(DAYS)]
        lines.append(f"{well}.fcs,{well},{subject},{day},{kind},plate,{well},20000,50")
    sheet = folder / "sheet.csv"
    sheet.write_text("\n".join(lines) + "\n", "utf-8")
    return sheet


def _cytocar(*words: object) -> None:
    command = [sys.executable, "-m", "cytocar", *map(str, words)]
    done = subprocess.run(command, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"}, check=False)
    if done.returncode not in {0, 1}:  # 1: some samples failed
        raise SystemExit(done.returncode)


if __name__ == "__main__":
    sys.exit(main())
