"""The workflows for clusters do what they say."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Cytocar
from tests.commands import forked

WORKFLOWS = Path(__file__).resolve().parents[2] / "workflows"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A PATH with the command ``cytocar`` of this checkout first."""
    command = tmp_path / "bin" / "cytocar"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {shlex.join(forked())} "$@"\n')
    command.chmod(0o755)
    path = f"{command.parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(WORKFLOWS.parent)}


def _counts(run: Path) -> str:
    return hashlib.sha256((run / "counts.csv").read_bytes()).hexdigest()


def test_a_slurm_array_counts_the_run(cytocar: Cytocar, tubes: Path, environment: dict[str, str]) -> None:
    assert (
        cytocar("gate", tubes / "sheet.csv", "-t", "cart-cd19fc-fixed", "-o", tubes / "whole", "--no-report").returncode
        == 0
    )
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
    assert (
        cytocar("gate", tubes / "sheet.csv", "-t", "cart-cd19fc-fixed", "-o", tubes / "whole", "--no-report").returncode
        == 0
    )
    settings = [f"sheet={tubes}/sheet.csv", f"out={tubes}/out", "shards=2", "template=cart-cd19fc-fixed"]
    subprocess.run(
        ["snakemake", "--cores", "2", "-s", WORKFLOWS / "Snakefile", "--config", *settings],
        env=environment,
        cwd=tubes,
        check=True,
        capture_output=True,
    )
    assert _counts(tubes / "out" / "run") == _counts(tubes / "whole")


def _processes(text: str) -> dict[str, tuple[str, str]]:
    """Return each process of a Nextflow file: what it says it puts out, and its script."""
    found = re.findall(r'^process (\w+) \{(.*?)"""(.*?)"""', text, re.DOTALL | re.MULTILINE)
    return {
        name: (re.findall(r"output:\s+path ([^\n]+)", head)[0].strip("\"'"), script) for name, head, script in found
    }


def _filled_in(text: str, values: dict[str, str]) -> str:
    """Return a Groovy string with its ``${...}`` filled in; one that is not among the values is an error."""
    return re.sub(r"\$\{(.*?)\}", lambda found: values[found[1]], text.replace("\\$?", "$?"))


def test_the_commands_of_the_nextflow_file_count_the_run(
    cytocar: Cytocar, tubes: Path, environment: dict[str, str]
) -> None:
    text = (WORKFLOWS / "main.nf").read_text("utf-8")
    (tubes / "day9.fcs").write_bytes(b"no FCS file")  # exit code 1, which is no reason to stop
    assert (
        cytocar("gate", tubes / "sheet.csv", "-t", "cart-cd19fc-fixed", "-o", tubes / "whole", "--no-report").returncode
        == 1
    )
    processes = _processes(text)
    assert list(processes) == ["SHARD", "MERGE"]
    for number in ("1", "2"):
        values = {"number": number, "shards": "2", "sheet": f"{tubes}/sheet.csv", "template": "cart-cd19fc-fixed"}
        said, script = processes["SHARD"]
        _run_as_nextflow_does(_filled_in(script, values), tubes, environment)
        assert (tubes / _filled_in(said, values) / "counts.csv").is_file()
    said, script = processes["MERGE"]
    _run_as_nextflow_does(_filled_in(script, {"folders": "shard-1 shard-2"}), tubes, environment)
    assert _counts(tubes / said) == _counts(tubes / "whole")


def _run_as_nextflow_does(script: str, folder: Path, environment: dict[str, str]) -> None:
    subprocess.run(["bash", "-ue", "-c", script], cwd=folder, env=environment, check=True, capture_output=True)


def test_the_nextflow_file_hands_each_process_what_it_asks_for() -> None:
    text = (WORKFLOWS / "main.nf").read_text("utf-8")
    assert set(re.findall(r"params\.(\w+)", text)) == set(re.findall(r"^params\.(\w+) = ", text, re.MULTILINE))
    asked = {
        name: re.findall(r"(?:val|path) (\w+)", body.partition("input:")[2].partition("output:")[0])
        for name, body in re.findall(r"^process (\w+) \{(.*?)^\}", text, re.DOTALL | re.MULTILINE)
    }
    used = {name: set(re.findall(r"\$\{(\w+)\}", script)) for name, (_, script) in _processes(text).items()}
    assert {name: set(inputs) for name, inputs in asked.items()} == used
    handed = re.search(r"SHARD\((channel\.of\([^)]*\), .*?)\)\.collect", text)
    assert handed is not None
    assert len(handed[1].split(", ")) == len(asked["SHARD"])
