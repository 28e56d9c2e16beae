"""Hundreds of small files: the memory of a few."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cytocar.simulate import Preparation, blood_tube

resource = pytest.importorskip("resource", reason="peak memory is asked of the system, which Windows does not answer")

COUNT_AND_SAY_PEAK_KB = """
import resource, sys
from cytocar.__main__ import main
try:
    main()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def _peak_mb(folder: Path, run: Path) -> float:
    """Count a folder in a process of its own and return the most memory that it took."""
    words = ["gate", folder, "-t", "cart-cd19fc-fixed", "--count-method", "none", "-j", "1", "--no-report", "-q"]
    done = subprocess.run(
        [sys.executable, "-c", COUNT_AND_SAY_PEAK_KB, *map(str, words), "-o", str(run)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (run / "counts.csv").is_file(), done.stderr
    return float(done.stdout.split()[-1]) / (2**20 if sys.platform == "darwin" else 2**10)


@pytest.mark.slow
def test_hundreds_of_files_take_little_more_memory_than_fifty(tmp_path: Path) -> None:
    tube = blood_tube(car_per_ul=100, preparation=Preparation(sample_volume_ul=50, drawn_share=0.001), seed=1)
    tube.write(tmp_path / "tube.fcs")
    content = (tmp_path / "tube.fcs").read_bytes()
    for name, files in (("few", 50), ("many", 450)):
        (tmp_path / name).mkdir()
        for number in range(files):
            (tmp_path / name / f"well{number}.fcs").write_bytes(content)
    few, many = (_peak_mb(tmp_path / name, tmp_path / f"run-{name}") for name in ("few", "many"))
    assert many - few < 4, f"{few:.1f} MB, {many:.1f} MB"
    assert len((tmp_path / "run-many" / "counts.csv").read_text().splitlines()) == 451
