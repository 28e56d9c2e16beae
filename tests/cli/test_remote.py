"""Addresses read by worker processes, as a user runs them: a web server; an object store where its client is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Cytocar

pytest.importorskip("aiohttp")
from tests.addresses import web_server

TABLES = ("counts.csv", "populations.csv", "gates.csv", "quality.csv")


def assert_same_tables(one: Path, other: Path) -> None:
    for table in TABLES:
        assert (one / table).read_bytes() == (other / table).read_bytes(), table


@pytest.fixture(scope="session")
def local_run(made_tubes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of the three tubes from this disk."""
    from tests.runs import cytocar_command

    run = tmp_path_factory.mktemp("local") / "run"
    assert cytocar_command("gate", made_tubes / "sheet.csv", "-o", run, "-j", "1", "--no-report", "-q").code == 0
    return run


def test_two_processes_read_from_a_web_server_and_each_file_comes_once(
    made_tubes: Path, local_run: Path, tmp_path: Path, cytocar: Cytocar
) -> None:
    with web_server(made_tubes) as (address, asked):
        sheet = f"{address}/sheet.csv"
        done = cytocar("gate", sheet, "-o", tmp_path / "run", "-j", 2, "--no-report", "--by", "A. Muster")
    assert done.returncode == 0, done.stderr
    assert_same_tables(tmp_path / "run", local_run)
    whole = [path for path, wanted in asked if wanted is None and path.endswith(".fcs")]
    assert sorted(whole) == ["/day28.fcs", "/day7.fcs", "/day9.fcs"]


@pytest.fixture(scope="module")
def bucket(made_tubes: Path) -> Iterator[dict[str, str]]:
    """An object store on the loopback interface with the three tubes; yields the environment that leads to it."""
    s3fs = pytest.importorskip("s3fs")
    server_module = pytest.importorskip("moto.server")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    system = s3fs.S3FileSystem(key="test", secret="test", endpoint_url=endpoint)
    system.mkdir("lab")
    for file in made_tubes.iterdir():
        system.put_file(str(file), f"lab/run1/{file.name}")
    yield {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": endpoint}
    server.stop()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("workers", [("-j", "2"), ("--dask", "local:2")], ids=["processes", "dask"])
def test_workers_read_from_an_object_store(  # the store and its client are not part of the tests' requirements
    workers: tuple[str, str],
    bucket: dict[str, str],
    local_run: Path,
    tmp_path: Path,
    cytocar: Cytocar,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if "--dask" in workers:
        pytest.importorskip("distributed")
    for name, value in bucket.items():
        monkeypatch.setenv(name, value)
    done = cytocar("gate", "s3://lab/run1/sheet.csv", "-o", tmp_path / "run", *workers, "--no-report")
    assert done.returncode == 0, done.stderr
    assert_same_tables(tmp_path / "run", local_run)
    missing = cytocar("gate", "s3://lab/run1/sheet.csv", "s3://nobody/has/this.fcs", *workers)
    assert (missing.returncode, "error[E103]" in missing.stderr) == (2, True)
