"""Shards, merging, and runs that are killed: the same bytes as an undisturbed run."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from cytocar.simulate import Preparation, blood_tube
from tests.cli.conftest import SMALL, Cytocar
from tests.runs import cytocar_command

FIXED = ("-t", "cart-cd19fc-fixed")
TOLD = ("--beads-added", "20000", "--sample-volume-ul", "50")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-four small tubes; read only."""
    small = Preparation(sample_volume_ul=50, drawn_share=0.02)
    folder = tmp_path_factory.mktemp("plate")
    for number in range(24):
        blood_tube(car_per_ul=100, preparation=small, seed=number).write(folder / f"well{number}.fcs")
    return folder


@pytest.fixture(scope="module")
def undisturbed(plate: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The tables of the plate as a run gives them that nothing disturbed."""
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    answer = cytocar_command("gate", plate, *FIXED, *TOLD, "--no-report", "-j", "1", "-o", run)
    assert answer.code == 0, answer.stderr
    return _tables(run)


def _tables(run: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(run.glob("*.csv"))}


def test_shards_merged_in_any_order_are_the_whole_run(cytocar: Cytocar, tubes: Path) -> None:
    sheet = tubes / "sheet.csv"
    assert cytocar("gate", sheet, *FIXED, "--no-report", "-o", tubes / "whole", fresh=True).returncode == 0
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


def test_a_control_places_the_same_gates_whoever_counts_it(cytocar: Cytocar, tubes: Path) -> None:
    preparation = replace(SMALL, drawn_share=1.0)  # a threshold needs 5,000 T cells
    blood_tube(car_per_ul=0, preparation=preparation, seed=77).write(tubes / "before.fcs")
    rows = [f"day{day}.fcs,D{day},P1,{day},sample,50,20000" for day in (7, 9, 28)]
    header = "file,sample_id,subject_id,day,sample_type,sample_volume_ul,beads_added"
    sheet = tubes / "with_control.csv"
    sheet.write_text("\n".join([header, *rows[:2], "before.fcs,B,P1,-5,baseline,50,20000", rows[2]]) + "\n")
    runs = {"one": ("-j", "1"), "two": ("-j", "2")} | {f"s{number}": ("--shard", f"{number}/3") for number in (1, 2, 3)}
    for name, how in runs.items():
        done = cytocar("gate", sheet, "--no-report", *how, "-o", tubes / name, fresh=name == "one")
        assert done.returncode == 0, done.stderr
    merged = cytocar("merge", *(tubes / name for name in ("s3", "s1", "s2")), "--no-report", "-o", tubes / "merged")
    assert merged.returncode == 0, merged.stderr
    tables = _tables(tubes / "one")
    with (tubes / "one" / "counts.csv").open(encoding="utf-8") as counts:
        assert "B" in {row["control_ids"] for row in csv.DictReader(counts)}
    assert _tables(tubes / "two") == tables
    assert _tables(tubes / "merged") == tables


@pytest.mark.slow
def test_a_plate_that_is_killed_again_and_again_ends_as_if_nothing_had_happened(
    cytocar: Cytocar, plate: Path, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "cytocar", "gate", str(plate), *FIXED, *TOLD, "-o", str(tmp_path / "killed")]
    moments = random.Random(5)
    for _ in range(10):
        process = subprocess.Popen(
            command, env=ENVIRONMENT, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(moments.uniform(0.4, 1.6))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if (tmp_path / "killed" / "counts.csv").exists():
            break
    last = cytocar("gate", plate, *FIXED, *TOLD, "-o", tmp_path / "killed")
    assert last.returncode == 0 or "error[E106]" in last.stderr, last.stderr
    assert _tables(tmp_path / "killed") == undisturbed
    assert cytocar("verify", tmp_path / "killed").returncode == 0


@pytest.mark.slow
def test_a_dask_cluster_gives_the_same_bytes_beside_another(cytocar: Cytocar, tubes: Path) -> None:
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    sheet = tubes / "sheet.csv"
    assert cytocar("gate", sheet, *FIXED, "--no-report", "-o", tubes / "whole", fresh=True).returncode == 0
    with socket.socket() as taken:
        with contextlib.suppress(OSError):  # taken already
            taken.bind(("", 8787))  # where Dask puts its page by default
            taken.listen()
        done = cytocar("gate", sheet, *FIXED, "-o", tubes / "dask", "--dask", "local:2")
    assert done.returncode == 0, done.stderr
    assert _tables(tubes / "dask") == _tables(tubes / "whole")


def test_no_scheduler_is_said(cytocar: Cytocar, tubes: Path) -> None:
    done = cytocar("gate", tubes / "sheet.csv", *FIXED, "--dask", "nonsense://nowhere")
    assert (done.returncode, "error[E100]" in done.stderr) == (2, True)


@pytest.mark.slow
def test_a_cluster_that_loses_a_worker_in_the_middle_gives_the_same_bytes(
    plate: Path, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    told = (*FIXED, *TOLD, "--no-report", "-o", str(tmp_path / "run"), "--dask", "local:2")
    command = [sys.executable, "-m", "cytocar", "gate", str(plate), *told]
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    killed = _kill_a_worker(process.pid, when=lambda: any((tmp_path / "run" / "parts").glob("*.json")))
    _, said = process.communicate(timeout=120)
    assert killed, "no worker was found at work"
    assert process.returncode == 0, said
    assert _tables(tmp_path / "run") == undisturbed


@pytest.mark.slow
def test_a_scheduler_that_goes_away_is_named_and_finished_samples_are_kept(
    cytocar: Cytocar, plate: Path, tmp_path: Path
) -> None:
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    run, place = tmp_path / "run", tmp_path / "scheduler.json"
    words = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard"]
    scheduler = subprocess.Popen([*words, "--scheduler-file", str(place)], stderr=subprocess.DEVNULL, env=ENVIRONMENT)
    words = [sys.executable, "-m", "distributed.cli.dask_worker", "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    worker = subprocess.Popen([*words, "--scheduler-file", str(place)], stderr=subprocess.DEVNULL, env=ENVIRONMENT)
    try:
        _until(lambda: place.is_file() and place.read_text("utf-8").endswith("}"))  # the file appears before its text
        address = json.loads(place.read_text("utf-8"))["address"]
        command = [sys.executable, "-m", "cytocar", "gate", str(plate), *FIXED, *TOLD, "--no-report", "-o", str(run)]
        process = subprocess.Popen(
            [*command, "-q", "--dask", address],
            env=ENVIRONMENT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        _until(lambda: any((run / "parts").glob("*.json")))
        scheduler.kill()
        _, printed = process.communicate(timeout=120)
    finally:
        for started in (scheduler, worker):
            started.kill()
            started.wait()
    assert (process.returncode, printed.count("\n"), "error[E100]" in printed) == (2, 2, True), printed
    assert cytocar("gate", plate, *FIXED, *TOLD, "--no-report", "-o", run).returncode == 0
    assert cytocar("verify", run).returncode == 0


def _until(so: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and not so():
        time.sleep(0.005)


def _kill_a_worker(scheduler: int, *, when: Callable[[], bool]) -> bool:
    """Kill one of the processes that a cluster's scheduler has started, once something has happened."""
    _until(when)
    children = " ".join(path.read_text() for path in Path(f"/proc/{scheduler}/task").glob("*/children"))
    for worker in map(int, children.split()):
        named = Path(f"/proc/{worker}/cmdline").read_bytes()
        if b"spawn_main" in named or named.startswith(b"dask worker"):  # its title where setproctitle is installed
            os.kill(worker, signal.SIGKILL)
            return True
    return False
