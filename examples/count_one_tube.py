"""Count one tube: from an FCS file to CAR-T cells/µL with its interval."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import cytocar


def count(fcs: Path, beads_added: float, sample_volume_ul: float) -> str:
    """Return one line: CAR-T cells/µL, 95 % interval, status."""
    events = cytocar.open_fcs(fcs)
    template = cytocar.load_template("cart-cd19fc")
    result = cytocar.quantify(events, template, beads_added=beads_added, sample_volume_ul=sample_volume_ul)
    row = result.row()
    return f"{row['car_per_ul']:.4g}/µL ({row['car_per_ul_low']:.4g} to {row['car_per_ul_high']:.4g}), {row['status']}"


def main() -> None:
    """Count the file that is named on the command line, or a simulated one."""
    if len(sys.argv) > 1:
        sys.stdout.write(count(Path(sys.argv[1]), 20_000, 50) + "\n")
        return
    with tempfile.TemporaryDirectory() as folder:
        tube = Path(folder) / "tube.fcs"
        cytocar.simulate.blood_tube(car_per_ul=100, seed=1).write(tube)
        sys.stdout.write(count(tube, beads_added=20_000, sample_volume_ul=50) + "\n")


if __name__ == "__main__":
    main()
