"""The workflows for clusters do what they say."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Cytocar

WORKFLOWS = Path(__file__).resolve().parents[2] / "workflows"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A PATH with the command ``cytocar`` of this checkout first."""
    command = tmp_path / "bin" / "cytocar"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cytocar "$@"\n')
    command.chmod(0o755)
    path = f"{command.parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(WORKFLOWS.parent)}


def _counts(run: Path) -> str:
    return hashlib.sha256((run / "counts.csv").read_bytes()).hexdigest()


def test_a_slurm_array_counts_the_run(cytocar: Cytocar, tubes: Path, environment: dict[str, str]) -> None:
    assert cytocar("gate", tubes / "sheet.csv", "-t", "cart-cd19fc-fixed", "-o", tubes / "whole").returncode == 0
    for number in (1, 2):
        subprocess.run(
            [WORKFLOWS / "slurm_array.sh", tubes / "sheet.csv", tubes / "out", "-t", "cart-cd19fc-fixed"],
            env={**environment, "SLURM_ARRAY_TASK_ID": str(number), "SLURM_ARRAY_TASK_COUNT": "2"},
            check=True,
            capture_output=True,
        )
    shards = sorted((tubes / "out").glob("shard-*"))
    assert cytocar("merge", *shards, "-o", tubes / "out" / "run").returncode == 0
    assert _counts(tubes / "out" / "run") == _counts(tubes / "whole")


@pytest.mark.slow
def test_snakemake_counts_the_run(cytocar: Cytocar, tubes: Path, environment: dict[str, str]) -> None:
    if shutil.which("snakemake") is None:
        pytest.skip("snakemake is not installed")
    assert cytocar("gate", tubes / "sheet.csv", "-t", "cart-cd19fc-fixed", "-o", tubes / "whole").returncode == 0
    settings = [f"sheet={tubes}/sheet.csv", f"out={tubes}/out", "shards=2", "template=cart-cd19fc-fixed"]
    subprocess.run(
        ["snakemake", "--cores", "2", "-s", WORKFLOWS / "Snakefile", "--config", *settings],
        env=environment,
        cwd=tubes,
        check=True,
        capture_output=True,
    )
    assert _counts(tubes / "out" / "run") == _counts(tubes / "whole")
