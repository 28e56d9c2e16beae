"""Several data sets in one file: one acquisition at two resolutions, or several acquisitions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cytocar import open_fcs
from cytocar.errors.tree import ReadError
from cytocar.fcs.data_sets import read_data_sets, says_it_is_alone
from cytocar.fcs.reader import list_data_sets, samples_in
from tests.fcs.files import SmallFile, floats, integers


def chain(path: Path, *files: SmallFile, absolute: bool = False) -> Path:
    """Write data sets one after the other, each pointing to the next."""
    content = b""
    for number, file in enumerate(files, 1):
        length = len(file.build())
        step = 0 if number == len(files) else length + (len(content) if absolute else 0)
        file.keywords = {**file.keywords, "$NEXTDATA": f"{step:>8}"}
        content += file.build()
    path.write_bytes(content)
    return path


def scatter(events: int, seed: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    return np.random.default_rng(seed).integers(1000, 1_000_000, size=(events, 2))


def test_the_finer_of_two_resolutions_is_read_and_they_are_not_added_up(tmp_path: Path) -> None:
    fine = scatter(500, seed=1)
    coarse = integers(fine // 1024, "<u2", version="FCS2.0", keywords={"$P1R": "1024", "$P2R": "1024"})
    twenty_bits = integers(fine, "<u4", version="FCS3.0", keywords={"$P1R": "1048576", "$P2R": "1048576"})
    path = chain(tmp_path / "a.lmd", coarse, twenty_bits)
    events = open_fcs(path)
    assert (events.n_events, events.data_set, events.version) == (500, 2, "FCS3.0")
    assert [finding.code for finding in events.findings] == ["W206"]
    np.testing.assert_array_equal(events.column("C1"), fine[:, 0])
    assert samples_in(path) == (None,)
    assert open_fcs(path, data_set=1).version == "FCS2.0"


def test_different_events_of_the_same_number_are_different_acquisitions(tmp_path: Path) -> None:
    first = integers(scatter(500, seed=1) // 1024, "<u2", keywords={"$P1R": "1024", "$P2R": "1024"})
    second = integers(scatter(500, seed=2), "<u4", keywords={"$P1R": "1048576", "$P2R": "1048576"})
    path = chain(tmp_path / "a.fcs", first, second)
    assert samples_in(path) == (1, 2)
    assert [finding.code for finding in open_fcs(path).findings] == ["W207"]


@pytest.mark.parametrize("absolute", [False, True])
def test_each_acquisition_opens_by_its_number(tmp_path: Path, absolute: bool) -> None:
    path = chain(tmp_path / "run.fcs", floats([[1, 2]]), floats([[3, 4]]), floats([[5, 6]]), absolute=absolute)
    assert samples_in(path) == (1, 2, 3)
    assert [events.column("C1").tolist() for events in list_data_sets(path)] == [[1], [3], [5]]
    assert open_fcs(f"{path}#3").column("C2").tolist() == [6]
    assert samples_in(f"{path}#3") == (3,)


def test_a_data_set_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = floats([[1, 2]]).write(tmp_path / "a.fcs")
    with pytest.raises(ReadError, match="no data set 2: the file has 1") as caught:
        open_fcs(path, data_set=2)
    assert caught.value.code == "E021"


def test_a_file_whose_own_name_ends_like_a_data_set_opens(tmp_path: Path) -> None:
    path = floats([[1, 2]]).write(tmp_path / "tube#2")
    assert open_fcs(path).n_events == 1


@pytest.mark.parametrize(
    ("keywords", "code", "samples"), [({"$MODE": "U"}, "E017", (None,)), ({"$TOT": "7"}, "E019", (1, 2))]
)
def test_a_broken_data_set_is_refused_by_its_number_and_the_others_open(
    tmp_path: Path, keywords: dict[str, str | None], code: str, samples: tuple[int | None, ...]
) -> None:
    path = chain(tmp_path / "a.fcs", floats([[1, 2]]), floats([[3, 4]], keywords=keywords))
    assert samples_in(path) == samples
    assert [finding.code for finding in open_fcs(path).findings] == ["W216"]
    with pytest.raises(ReadError) as caught:
        open_fcs(f"{path}#2")
    assert caught.value.code == code


def test_a_damaged_first_data_set_is_not_replaced_by_the_second(tmp_path: Path) -> None:
    path = chain(tmp_path / "a.fcs", floats([[1, 2]], total=7), floats([[3, 4]]))
    with pytest.raises(ReadError) as caught:
        open_fcs(path)
    assert caught.value.code == "E019"
    assert open_fcs(path, data_set=2).n_events == 1


def test_a_file_cut_short_in_its_second_data_set_is_refused(tmp_path: Path) -> None:
    path = chain(tmp_path / "a.fcs", floats([[1, 2]]), floats([[3, 4], [5, 6]]))
    path.write_bytes(path.read_bytes()[:-16])
    with pytest.raises(ReadError) as caught:
        open_fcs(path)
    assert caught.value.code == "E018"


def test_an_offset_that_leads_nowhere_does_not_make_a_data_set(tmp_path: Path) -> None:
    path = floats([[1, 2]], keywords={"$NEXTDATA": "999"}).write(tmp_path / "a.fcs")
    assert samples_in(path) == (None,)


def test_a_chain_that_points_back_ends(tmp_path: Path) -> None:
    first = floats([[1, 2]])
    path = chain(tmp_path / "a.fcs", first, floats([[3, 4]]))
    content = path.read_bytes()
    second = content.rindex(b"$NEXTDATA/") + len(b"$NEXTDATA/")
    path.write_bytes(content[:second] + b"       1" + content[second + 8 :])
    assert len(list_data_sets(path)) == 2


def _alone(file: SmallFile, path: Path) -> bool:
    with file.write(path).open("rb") as handle:
        return says_it_is_alone(handle)


def test_only_a_plain_zero_says_that_a_data_set_is_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.fcs"
    assert _alone(floats([[1, 2]]), path)
    assert _alone(floats([[1, 2]], delimiter="|", keywords={"$NEXTDATA": " 000 "}), path)
    assert not _alone(floats([[1, 2]], keywords={"$NEXTDATA": None}), path)
    assert not _alone(floats([[1, 2]], keywords={"$NEXTDATA": "2500"}), path)
    assert not _alone(floats([[1, 2]], keywords={"$nextdata": "2500"}), path)
    assert not _alone(floats([[1, 2]], keywords={"NOTE": "as $NEXTDATA says"}), path)


def test_no_real_file_that_says_it_is_alone_has_a_chain(shared_data: Path) -> None:
    alone = 0
    for path in sorted(shared_data.rglob("*.fcs")):
        with path.open("rb") as handle:
            try:
                said = says_it_is_alone(handle)
                data_sets = len(list(read_data_sets(handle)))
            except ReadError:
                continue
        assert data_sets == 1 or not said, path
        alone += said
    assert alone > 20
