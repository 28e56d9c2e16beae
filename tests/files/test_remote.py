"""Files at addresses: read in ranges or fetched once, the same numbers as from a disk, no secret written down."""

from __future__ import annotations

import json
import pickle
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cytocar
from cytocar.errors.tree import ReadError, SheetError, UsageError
from cytocar.fcs.write import write_fcs
from cytocar.files.address import is_address, without_secrets
from cytocar.files.places import place_of
from cytocar.files.remote import SILENT_SECONDS, Address, _require_protocol
from cytocar.files.source import at_hand, file_sha256, file_state, require_unchanged
from cytocar.run.records import from_plain, plain
from cytocar.sample.inspection import inspect_file
from cytocar.sheet.inputs import collect
from cytocar.sheet.rows import SampleRow, read_sheet
from tests.runs import Answer, cytocar_command, small_inputs

fsspec = pytest.importorskip("fsspec")
from tests.addresses import Store, store, web_server  # noqa: E402 -- they need fsspec

TABLES = ("counts.csv", "populations.csv", "gates.csv", "quality.csv")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tubes, a broken file and their sheet; read only."""
    return small_inputs(tmp_path_factory.mktemp("remote") / "inputs").parent


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one file of 4 MB."""
    folder = tmp_path_factory.mktemp("large")
    values = np.random.default_rng(1).normal(1000, 200, (125_000, 8))
    write_fcs(folder / "large.fcs", {f"D{n}-A": values[:, n] for n in range(8)})
    return folder


@pytest.fixture
def bucket(inputs: Path) -> Iterator[type[Store]]:
    with store() as opened:
        opened.fill(inputs, "lab/run1")
        yield opened


def gate(*words: str | Path) -> Answer:
    return cytocar_command("gate", *words, "-t", "cart-cd19fc-fixed", "-j", "1", "--no-report")


# ---------------------------------------------------------------- how much comes over the network


def test_keywords_take_the_first_ranges_only(large: Path, bucket: type[Store]) -> None:
    bucket.fill(large, "lab/big")
    size = (large / "large.fcs").stat().st_size
    events = cytocar.open_fcs("store://lab/big/large.fcs")
    assert events.n_events == 125_000
    assert sum(last - first for _, first, last in bucket.handed_out) < size / 10
    inspect_file("store://lab/big/large.fcs")
    drafted = cytocar_command("sheet", "new", "store://lab/big/")
    assert drafted.code == 0
    assert "subfolders" not in drafted.stderr
    assert max(last for _, _, last in bucket.handed_out) < size / 10, "nothing behind the header was asked for"


@pytest.mark.parametrize("verb", ["gate", "inspect"])
def test_counting_and_summing_take_each_byte_once_beside_the_header(
    verb: str, large: Path, bucket: type[Store], tmp_path: Path
) -> None:
    bucket.fill(large, "lab/big")
    size = (large / "large.fcs").stat().st_size
    words = ("gate", "store://lab/big/", "-o", tmp_path / "run", "-j", "1", "--no-report")
    cytocar_command(*(words if verb == "gate" else ("inspect", "--json", "store://lab/big/large.fcs")))
    taken = sorted((first, last) for _, first, last in bucket.handed_out)
    beyond_header = [last - first for first, last in taken if last > size / 10]
    assert sum(beyond_header) == size
    assert len(beyond_header) <= 2, "few large ranges, not many small ones"


def test_columns_of_an_address_are_those_of_the_file(large: Path, bucket: type[Store]) -> None:
    bucket.fill(large, "lab/big")
    there, here = cytocar.open_fcs("store://lab/big/large.fcs"), cytocar.open_fcs(large / "large.fcs")
    assert np.array_equal(there.column("D3-A"), here.column("D3-A"))


@pytest.mark.parametrize("ranges", [True, False])
def test_a_web_server_is_read_in_ranges_where_it_can(ranges: bool, large: Path) -> None:
    here = cytocar.open_fcs(large / "large.fcs")
    with web_server(large, ranges=ranges) as (address, asked):
        there = cytocar.open_fcs(f"{address}/large.fcs")
        assert there.n_events == here.n_events
        assert not ranges or all(wanted for _, wanted in asked)
        assert np.array_equal(there.column("D3-A"), here.column("D3-A"))
        assert file_sha256(place_of(f"{address}/large.fcs")) == file_sha256(large / "large.fcs")


# ---------------------------------------------------------------- the same results


def test_a_run_from_addresses_has_the_tables_of_a_local_one(inputs: Path, bucket: type[Store], tmp_path: Path) -> None:
    here = gate(inputs / "sheet.csv", "-o", tmp_path / "here")
    there = gate("store://lab/run1/sheet.csv", "-o", tmp_path / "there")
    assert (here.code, there.code) == (1, 1)
    for table in TABLES:
        assert (tmp_path / "there" / table).read_bytes() == (tmp_path / "here" / table).read_bytes(), table
    folder = gate("store://lab/run1/", "--beads-added", "50000", "--sample-volume-ul", "50", "-o", tmp_path / "folder")
    assert "3 samples" in folder.stderr
    assert bucket.objects


def test_a_run_from_addresses_is_checked_repeated_drawn_and_overridden(bucket: type[Store], tmp_path: Path) -> None:
    run = tmp_path / "run"
    gate("store://lab/run1/sheet.csv", "-o", run)
    checked = cytocar_command("verify", run)
    assert checked.code == 0
    assert "3 of 3 samples' files are as they were read" in checked.stdout
    assert cytocar_command("reproduce", run, "-j", "1").code == 0
    assert cytocar_command("report", run, "-j", "1").code == 0
    assert "data:image/png" in (run / "report.html").read_text("utf-8")
    moved = cytocar_command("override", run, "d9", "car_t", "--value", "20000", "--reason", "dim", "--by", "A. Muster")
    assert moved.code == 0, moved.stderr
    del bucket.objects["lab/run1/day9.fcs"]
    assert "the files of 1 of 3 samples are not here" in cytocar_command("verify", run).stdout
    assert "E103" in cytocar_command("reproduce", run, "-j", "1").stderr


def test_a_local_sheet_may_name_addresses_and_controls_may_lie_at_one(
    inputs: Path, bucket: type[Store], tmp_path: Path
) -> None:
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(f"file,sample_id\nstore://lab/run1/day9.fcs,there\n{inputs / 'day9.fcs'},here\n")
    answer = gate(sheet, "--controls", "store://lab/run1/day0.fcs", "--format", "csv")
    head, there, here, control = (line.split(",") for line in answer.stdout.splitlines())
    column = head.index("total_events")
    assert there[column] == here[column]
    assert there[head.index("file")] == "store://lab/run1/day9.fcs"
    assert control[0] == "day0"
    assert "same bytes" in answer.stderr, "duplicates are told by content"
    assert bucket.objects


def test_files_beside_a_remote_sheet_that_it_does_not_list_are_named(bucket: type[Store]) -> None:
    bucket.objects["lab/run1/forgotten.fcs"] = b"x"
    found = collect(["store://lab/run1/sheet.csv"])
    assert [file.name for file in found.unlisted] == ["forgotten.fcs"]


def test_inputs_may_have_moved_to_an_address(inputs: Path, bucket: type[Store], tmp_path: Path) -> None:
    run = tmp_path / "run"
    gate(inputs / "sheet.csv", "-o", run)
    checked = cytocar_command("verify", run, "--inputs", "store://lab/run1")
    assert "3 of 3 samples' files are as they were read" in checked.stdout
    bucket.objects["lab/run1/day9.fcs"] += b"x"
    checked = cytocar_command("verify", run, "--inputs", "store://lab/run1")
    assert (checked.code, "the file of sample d9 was changed" in checked.stdout) == (4, True)


def test_templates_and_matrices_lie_beside_a_remote_sheet(bucket: type[Store]) -> None:
    template = cytocar_command("template", "show", "cart-cd19fc-fixed", "--toml").stdout
    bucket.objects["lab/run1/mine.toml"] = template.encode()
    matrix = b",FITC-A,PE-A\nFITC-A,1,0.1\nPE-A,0,1\n"
    bucket.objects["lab/run1/matrix.csv"] = matrix
    bucket.objects["lab/run1/own.csv"] = b"file,sample_id,template,compensation\nday9.fcs,d9,mine.toml,matrix.csv\n"
    answer = cytocar_command("gate", "store://lab/run1/own.csv", "-j", "1", "--format", "json")
    assert [row["compensation"] for row in json.loads(answer.stdout)] == ["matrix.csv"], answer.stderr


# ---------------------------------------------------------------- names


def test_relative_names_lie_beside_the_sheet_and_an_address_is_absolute(bucket: type[Store]) -> None:
    bucket.objects["lab/run1/names.csv"] = b"file,sample_id\nsub/a.fcs#2,a\nstore://other/b.fcs,b\n/data/c.fcs,c\n"
    a, b, c = read_sheet(Address("store://lab/run1/names.csv"))
    assert (a.file, a.data_set) == (Address("store://lab/run1/sub/a.fcs"), 2)
    assert b.file == Address("store://other/b.fcs")
    assert c.file == Path("/data/c.fcs")
    bucket.objects["lab/run1/names.csv"] = b"file,sample_id\n../a.fcs,a\n"
    with pytest.raises(SheetError, match="leaves the sheet's folder"):
        read_sheet(Address("store://lab/run1/names.csv"))


def test_an_address_survives_a_worker_whole_and_a_manifest_without_its_secrets() -> None:
    with_key = Address("store://KEY:secret@lab/run1/day9.fcs")
    (row,) = read_sheet_of(with_key)
    assert pickle.loads(pickle.dumps(row)).file.url == with_key.url
    (kept,) = plain((row,))
    assert kept["file"] == kept["file_as_given"] == "store://lab/run1/day9.fcs"
    assert from_plain([kept], tuple[SampleRow, ...])[0].file == Address("store://lab/run1/day9.fcs")


def read_sheet_of(address: Address) -> tuple[cytocar.sheet.rows.SampleRow, ...]:
    with store() as opened:
        opened.objects["lab/sheet.csv"] = f"file,sample_id\n{address.url},a\n".encode()
        return read_sheet(Address("store://lab/sheet.csv"))


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("s3://KEY:sec/ret+@bucket/a.fcs", "s3://bucket/a.fcs"),
        ("https://host/a.fcs?X-Amz-Signature=abc&X-Amz-Credential=x", "https://host/a.fcs"),
        ("https://host/a.fcs?token", "https://host/a.fcs"),
        ("https://host/a.fcs?to=https://other&sig=abc", "https://host/a.fcs"),
        ("s3://bucket/a.fcs?versionId=7", "s3://bucket/a.fcs?versionId=7"),
        ("zip://a.fcs::s3://KEY:secret@bucket/run.zip", "zip://a.fcs::s3://bucket/run.zip"),
        ("http://127.0.0.1:8000/a@b.fcs", "http://127.0.0.1:8000/a@b.fcs"),
    ],
)
def test_what_may_be_written_down_of_an_address_holds_no_secret(address: str, shown: str) -> None:
    assert str(Address(address)) == shown
    assert repr(Address(address)) == f"Address({shown!r})"
    assert without_secrets(f"--controls={address}") == f"--controls={shown}"


def test_a_windows_drive_is_no_address() -> None:
    assert not is_address("C://data/a.fcs")
    assert isinstance(place_of("runs/a.fcs"), Path)


def test_a_file_inside_an_archive_is_read_where_it_lies(inputs: Path, tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "run.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(inputs / "day9.fcs", "run1/day9.fcs")
    there = cytocar.open_fcs(f"zip://run1/day9.fcs::file://{tmp_path / 'run.zip'}")
    assert np.array_equal(there.column("PE-A"), cytocar.open_fcs(inputs / "day9.fcs").column("PE-A"))


# ---------------------------------------------------------------- what goes wrong


def test_a_file_that_changes_while_it_is_fetched_is_refused(
    bucket: type[Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = Store.get_file

    def while_written(self: Store, path: str, copy: str, **options: object) -> None:
        fetch(self, path, copy, **options)
        bucket.objects[path] += b"more" if path.endswith("day9.fcs") else b""

    monkeypatch.setattr(Store, "get_file", while_written)
    gate("store://lab/run1/sheet.csv", "-o", tmp_path / "run")
    rows = (tmp_path / "run" / "counts.csv").read_text("utf-8").splitlines()
    assert ["E009" in row.split(",") for row in rows[1:]] == [False, True, False]


def test_one_object_that_cannot_be_read_costs_its_sample_alone(bucket: type[Store], tmp_path: Path) -> None:
    class ProtocolError(Exception):
        """An error that no library shares."""

    def refuse(path: str) -> None:
        if path.endswith("day9.fcs"):
            raise ProtocolError("SlowDown: https://KEY:secret@host/day9.fcs?X-Amz-Signature=abc")

    bucket.before_reading = refuse
    answer = gate("store://lab/run1/sheet.csv", "-o", tmp_path / "run")
    assert answer.code == 1
    assert "error[E191] d9: store://lab/run1/day9.fcs cannot be read: ProtocolError: SlowDown" in answer.stderr
    assert "secret" not in answer.stderr + "".join(
        path.read_text("utf-8") for path in (tmp_path / "run").rglob("*") if path.is_file()
    )
    assert "abc" not in answer.stderr


def test_an_object_that_goes_away_in_mid_run_is_named(bucket: type[Store]) -> None:
    before = file_state(Address("store://lab/run1/day9.fcs"))
    del bucket.objects["lab/run1/day9.fcs"]
    with pytest.raises(ReadError, match=r"store://lab/run1/day9\.fcs cannot be read: nothing is there") as gone:
        require_unchanged(Address("store://lab/run1/day9.fcs"), before)
    assert gone.value.code == "E191"


def test_a_full_scratch_folder_names_tmpdir(bucket: type[Store], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Store, "get_file", full)
    with pytest.raises(ReadError, match="no space left") as refused, at_hand(Address("store://lab/run1/day9.fcs")):
        pass
    assert "TMPDIR" in refused.value.hint
    assert bucket.objects


def test_a_password_does_not_reach_a_message_that_the_protocol_words(bucket: type[Store]) -> None:
    def refuse(path: str) -> None:
        raise PermissionError("key KEY%3Asecret@lab with s3cr3t is unknown, see https://host/?sig=abc")

    bucket.before_reading = refuse
    bucket.objects["KEY:s3cr3t@lab/a.fcs"] = b"x"
    with pytest.raises(ReadError) as refused:
        file_sha256(Address("store://KEY:s3cr3t@lab/a.fcs"))
    assert "no permission" in refused.value.message
    assert "s3cr3t" not in refused.value.message
    assert "abc" not in refused.value.message


@pytest.mark.parametrize(
    ("named", "code", "says"),
    [
        ("store://lab/nothing/", "E103", "there is no file or folder store://lab/nothing/"),
        ("nowhere://lab/a.fcs", "E190", "no protocol that fsspec knows"),
        ("store://lab/run1/nothing.csv", "E080", "there is no sample sheet store://lab/run1/nothing.csv"),
    ],
)
def test_an_address_that_leads_nowhere_stops_the_command(named: str, code: str, says: str, bucket: type[Store]) -> None:
    answer = gate(named)
    assert answer.code == 2
    assert f"error[{code}]" in answer.stderr
    assert says in answer.stderr
    assert bucket.objects


def test_a_web_server_that_refuses_is_not_taken_for_one_without_the_file(large: Path) -> None:
    with web_server(large) as (address, _):
        with pytest.raises(ReadError, match="no permission") as refused:
            cytocar.open_fcs(f"{address}/large.fcs?locked")
        assert "?locked" not in refused.value.message
        with pytest.raises(ReadError, match="nothing is there"):
            cytocar.open_fcs(f"{address}/nothing.fcs")
    with pytest.raises(ReadError, match=r"ClientConnectorError|Cannot connect"):
        cytocar.open_fcs(f"{address}/large.fcs")


def test_without_the_extra_an_address_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    _require_protocol.cache_clear()
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(ReadError) as missing:
        cytocar.open_fcs("s3://bucket/a.fcs")
    assert (missing.value.code, missing.value.hint) == ("E190", "in the clone of cytocar: pip install '.[remote]' s3fs")
    with pytest.raises(UsageError):
        collect(["s3://bucket/a.fcs"])


def test_without_the_protocols_package_its_name_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    _require_protocol.cache_clear()
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    answer = gate("gs://bucket/a.fcs")
    assert (answer.code, "error[E190]" in answer.stderr, "pip install gcsfs" in answer.stderr) == (2, True, True)


def test_a_template_whose_address_holds_a_key_is_refused(bucket: type[Store]) -> None:
    bucket.objects["lab/run1/keys.csv"] = b"file,sample_id,template\nday9.fcs,d9,store://KEY:s3cr3t@lab/mine.toml\n"
    by_sheet = gate("store://lab/run1/keys.csv")
    by_option = cytocar_command("gate", "store://lab/run1/sheet.csv", "-t", "store://KEY:s3cr3t@lab/mine.toml")
    assert ("E082" in by_sheet.stderr, "E060" in by_option.stderr) == (True, True)
    assert "s3cr3t" not in by_sheet.stderr + by_option.stderr


def test_addresses_that_differ_in_their_signatures_only_are_two_samples(inputs: Path) -> None:
    with web_server(inputs) as (address, _):
        answer = gate(f"{address}/day9.fcs?id=1", f"{address}/day9.fcs?id=2", "--format", "json")
    rows = json.loads(answer.stdout)
    assert [row["sample_id"] for row in rows] == [f"{address}/day9.fcs (1)", f"{address}/day9.fcs (2)"]
    assert rows[0]["total_events"] == rows[1]["total_events"] > 0


@pytest.mark.parametrize("option", [("-o", "store://lab/out"), ("--out=store://KEY:secret@lab/out",)])
def test_results_are_not_written_to_an_address(option: tuple[str, ...], bucket: type[Store], tmp_path: Path) -> None:
    answer = gate("store://lab/run1/sheet.csv", *option)
    assert answer.code == 2
    assert "error[E192]" in answer.stderr
    assert "secret" not in answer.stderr
    assert not any(name.startswith("lab/out") for name in bucket.objects)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("asked", ["{root}/day9.txt", "zip://day9.txt::{root}/run.zip"])
def test_a_large_file_may_take_its_time_and_a_silent_web_server_not(
    asked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aiohttp = pytest.importorskip("aiohttp")
    (tmp_path / "day9.txt").write_text("day 9")
    with zipfile.ZipFile(tmp_path / "run.zip", "w") as archive:
        archive.write(tmp_path / "day9.txt", "day9.txt")
    timeouts: list[Any] = []
    session = aiohttp.ClientSession

    def remembered(*arguments: Any, **options: Any) -> Any:
        timeouts.append(options["timeout"])
        return session(*arguments, **options)

    fsspec.get_filesystem_class("http").clear_instance_cache()  # which keeps its sessions
    fsspec.get_filesystem_class("zip").clear_instance_cache()
    monkeypatch.setattr("aiohttp.ClientSession", remembered)
    with web_server(tmp_path) as (root, _):
        assert Address(asked.format(root=root)).read_text() == "day 9"
    assert {(timeout.total, timeout.sock_read) for timeout in timeouts} == {(None, SILENT_SECONDS)}
