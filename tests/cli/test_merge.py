"""Shards, merging, and runs that are killed: the same bytes as an undisturbed run."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cytocar.simulate import Preparation, blood_tube
from tests.cli.conftest import Cytocar

FIXED = ("-t", "cart-cd19fc-fixed")


def _tables(run: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(run.glob("*.csv"))}


def test_shards_merged_in_any_order_are_the_whole_run(cytocar: Cytocar, tubes: Path) -> None:
    sheet = tubes / "sheet.csv"
    assert cytocar("gate", sheet, *FIXED, "-o", tubes / "whole").returncode == 0
    for number in (1, 2):
        done = cytocar("gate", sheet, *FIXED, "--shard", f"{number}/2", "-o", tubes / f"shard{number}")
        assert done.returncode == 0, done.stderr
    assert cytocar("merge", tubes / "shard2", tubes / "shard1", "-o", tubes / "merged").returncode == 0
    assert _tables(tubes / "merged") == _tables(tubes / "whole")
    missing = cytocar("merge", tubes / "shard2", "-o", tubes / "part")
    assert (missing.returncode, "error[E119]" in missing.stderr) == (2, True)
    assert not (tubes / "part").exists()


def test_shards_of_different_runs_are_not_merged(cytocar: Cytocar, tubes: Path) -> None:
    sheet = tubes / "sheet.csv"
    assert cytocar("gate", sheet, *FIXED, "--shard", "1/2", "-o", tubes / "one").returncode == 0
    assert cytocar("gate", sheet, "-t", "cart-cd19fc", "--shard", "2/2", "-o", tubes / "two").returncode == 0
    done = cytocar("merge", tubes / "one", tubes / "two", "-o", tubes / "merged")
    assert (done.returncode, "error[E118]" in done.stderr) == (2, True)
    nothing = cytocar("merge", tubes, "-o", tubes / "merged")
    assert (nothing.returncode, "error[E118]" in nothing.stderr) == (2, True)


@pytest.mark.slow
def test_a_plate_that_is_killed_again_and_again_ends_as_if_nothing_had_happened(
    cytocar: Cytocar, tmp_path: Path
) -> None:
    small = Preparation(sample_volume_ul=50, drawn_share=0.02)
    plate = tmp_path / "plate"
    plate.mkdir()
    for number in range(24):
        blood_tube(car_per_ul=100, preparation=small, seed=number).write(plate / f"well{number}.fcs")
    told = ("--beads-added", "20000", "--sample-volume-ul", "50")
    assert cytocar("gate", plate, *FIXED, *told, "-o", tmp_path / "whole").returncode == 0
    command = [sys.executable, "-m", "cytocar", "gate", str(plate), *FIXED, *told, "-o", str(tmp_path / "killed")]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    moments = random.Random(5)
    for _ in range(10):
        process = subprocess.Popen(
            command, env=environment, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(moments.uniform(0.4, 1.6))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if (tmp_path / "killed" / "counts.csv").exists():
            break
    last = cytocar("gate", plate, *FIXED, *told, "-o", tmp_path / "killed")
    assert last.returncode == 0 or "error[E106]" in last.stderr, last.stderr
    assert _tables(tmp_path / "killed") == _tables(tmp_path / "whole")
    assert cytocar("verify", tmp_path / "killed").returncode == 0


@pytest.mark.slow
def test_a_dask_cluster_gives_the_same_bytes(cytocar: Cytocar, tubes: Path) -> None:
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    sheet = tubes / "sheet.csv"
    assert cytocar("gate", sheet, *FIXED, "-o", tubes / "whole").returncode == 0
    done = cytocar("gate", sheet, *FIXED, "-o", tubes / "dask", "--dask", "local:2")
    assert done.returncode == 0, done.stderr
    assert _tables(tubes / "dask") == _tables(tubes / "whole")


def test_no_scheduler_is_said(cytocar: Cytocar, tubes: Path) -> None:
    done = cytocar("gate", tubes / "sheet.csv", *FIXED, "--dask", "nonsense://nowhere")
    assert (done.returncode, "error[E100]" in done.stderr) == (2, True)
