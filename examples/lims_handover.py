"""Hand a run over to a laboratory information system: one result a line, and nothing that nobody has looked at.

``python examples/lims_handover.py RUN > results.csv``: the run is verified first; rows that ask for a look are handed
over only once the run is signed as reviewed or approved, and a negative result carries the limit that it excludes.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cytocar

RESULTS = {
    "car_report": ("CAR-T cells", "/µL"),
    "car_percent_of_t_cells": ("CAR-T cells of T cells", "%"),
    "t_cells_per_ul": ("T cells", "/µL"),
    "cd4_cd8_ratio": ("CD4/CD8", "1"),
}


def is_signed(run: Path) -> bool:
    """Return whether the last word on the run as it is now is that it was reviewed or approved.

    Each entry of the trail holds the manifest's hash, so that of the last entry is the hash of the run as it is.
    """
    entries = [json.loads(line) for line in (run / "audit.jsonl").read_text("utf-8").splitlines()]
    now = entries[-1]["manifest_sha256"]
    words = [entry for entry in entries if entry["action"] == "signed" and entry["what"] == "run"]
    return bool(words) and words[-1]["manifest_sha256"] == now and words[-1]["after"] in ("reviewed", "approved")


def results(run: Path) -> Iterator[dict[str, str]]:
    """Yield the results of the samples that may be handed over."""
    signed = is_signed(run)
    with (run / "counts.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["sample_type"] != "sample" or not (row["status"] == "ok" or (signed and row["status"] == "review")):
                continue
            for column, (analyte, unit) in RESULTS.items():
                numeric = column != "car_report" or row["car_result"] == "quantified"
                limit = f"detection limit {row['car_lod_per_ul']}/µL" if not numeric else ""
                yield {
                    "subject": row["subject_id"],
                    "sample": row["sample_id"],
                    "day": row["day"],
                    "analyte": analyte,
                    "value": row[column],
                    "unit": unit if numeric else "",
                    "remark": limit,
                    "method": f"{row['template_name']} {row['template_version']}, cytocar {row['cytocar_version']}",
                }


def main() -> None:
    """Hand over the run that is named, or one of two simulated tubes."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(sys.argv[1]) if len(sys.argv) > 1 else simulated_run(Path(folder))
        subprocess.run([sys.executable, "-m", "cytocar", "verify", str(run)], check=True, stdout=subprocess.DEVNULL)
        lines = list(results(run))
    writer = csv.DictWriter(sys.stdout, lines[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)


def simulated_run(folder: Path) -> Path:
    """Return a run of a baseline and a draw, for trying the example without data."""
    for name, level in (("baseline", 0), ("day09", 120)):
        preparation = cytocar.simulate.Preparation(sample_volume_ul=200 if level == 0 else 50)
        cytocar.simulate.blood_tube(car_per_ul=level, preparation=preparation, seed=level).write(folder / f"{name}.fcs")
    (folder / "sheet.csv").write_text(
        "file,sample_id,sample_type,subject_id,day,sample_volume_ul,beads_added\n"
        "baseline.fcs,baseline,baseline,P01,-6,200,20000\n"
        "day09.fcs,day09,sample,P01,9,50,20000\n",
        "utf-8",
    )
    cytocar.run(folder / "sheet.csv", "cart-cd19fc", out=folder / "run", jobs=1)
    return folder / "run"


if __name__ == "__main__":
    main()
