"""From the ``counts.csv`` of a run folder to cellular kinetics, for programs that have the tables only."""

from __future__ import annotations

import csv
import sys
import tempfile
from pathlib import Path

import cytocar


def curve(counts: Path) -> list[tuple[float, float]]:
    """Return day and CAR-T cells/µL of every counted sample of blood, in the order of days."""
    with counts.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["day"] and row["car_per_ul"]]
    return sorted((float(row["day"]), float(row["car_per_ul"])) for row in rows)


def main() -> None:
    """Describe the course of the run folder that is named, or of a simulated one."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(sys.argv[1]) if len(sys.argv) > 1 else simulated_run(Path(folder))
        points = curve(run / "counts.csv")
    course = cytocar.kinetics.noncompartmental([day for day, _ in points], [cells for _, cells in points])
    sys.stdout.write(f"peak {course.cmax_per_ul:.4g}/µL on day {course.tmax_day:g}\n")


def simulated_run(folder: Path) -> Path:
    """Return a folder with the counts of three tubes, for trying the example without data."""
    rows = []
    for day, level in ((3, 5.0), (9, 200.0), (28, 20.0)):
        tube = cytocar.simulate.blood_tube(car_per_ul=level, seed=day)
        template = cytocar.load_template("cart-cd19fc")
        result = cytocar.quantify(tube.events, template, beads_added=20_000, sample_volume_ul=50)
        rows.append({"day": day, "car_per_ul": result.row()["car_per_ul"]})
    with (folder / "counts.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["day", "car_per_ul"])
        writer.writeheader()
        writer.writerows(rows)
    return folder


if __name__ == "__main__":
    main()
