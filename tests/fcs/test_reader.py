"""Opening files: what is read at once, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cytocar import open_fcs
from cytocar.errors.tree import PanelError, ReadError
from cytocar.fcs.events import Channel
from tests.fcs.files import floats, integers


def codes(path: Path) -> list[str]:
    return [finding.code for finding in open_fcs(path).findings]


def refusal(path: Path) -> str:
    with pytest.raises(ReadError) as caught:
        open_fcs(path)
    assert caught.value.hint
    return caught.value.code


def test_a_plain_file_gives_its_channels_keywords_and_values(tmp_path: Path) -> None:
    keywords = {"$P1S": "CD3 ", "$VOL": " 30.39", "VOL": "7", "$P2V": "450"}
    path = floats([[1, 2], [3, 4], [5, 6]], names=["FITC-A", "PE-A"], keywords=keywords).write(tmp_path / "a.fcs")
    events = open_fcs(path)
    assert (events.n_events, events.version, events.data_set, events.findings) == (3, "FCS3.1", 1, ())
    assert [(channel.detector, channel.marker, channel.voltage) for channel in events.channels] == [
        ("FITC-A", "CD3", None),
        ("PE-A", None, 450.0),
    ]
    assert (events.keywords["$VOL"], events.keywords["VOL"]) == ("30.39", "7")
    np.testing.assert_array_equal(events.column("PE-A"), [2, 4, 6])
    np.testing.assert_array_equal(events.columns(["PE-A", "FITC-A"]), [[2, 1], [4, 3], [6, 5]])


def test_files_that_say_the_same_of_their_channels_share_it_and_one_other_keyword_is_seen(tmp_path: Path) -> None:
    def channels(name: str, **keywords: str) -> tuple[Channel, ...]:
        given = {f"${key}": text for key, text in keywords.items()}
        return open_fcs(floats([[1, 2]], names=["FITC-A", "PE-A"], keywords=given).write(tmp_path / name)).channels

    first, second = channels("a.fcs", SMNO="1"), channels("b.fcs", SMNO="2")
    assert first is second
    assert [channel.voltage for channel in channels("c.fcs", P2V="450")] == [None, 450.0]
    assert [channel.gain for channel in channels("d.fcs", P1G="2")] == [2.0, None]
    assert [channel.marker for channel in channels("e.fcs", P1S="CD3")] == ["CD3", None]


def test_a_channel_that_is_not_there_is_refused_with_near_names(tmp_path: Path) -> None:
    events = open_fcs(floats([[1, 2]], names=["FITC-A", "PE-A"]).write(tmp_path / "a.fcs"))
    with pytest.raises(PanelError, match="no channel is named 'FITC-H'") as caught:
        events.column("FITC-H")
    assert caught.value.code == "E028"
    assert "FITC-A" in caught.value.hint


def test_repeated_names_open_but_cannot_be_asked_for_by_name(tmp_path: Path) -> None:
    events = open_fcs(floats([[1, 2]], names=["PE-A", "PE-A"]).write(tmp_path / "a.fcs"))
    assert [finding.code for finding in events.findings] == ["W208"]
    with pytest.raises(PanelError) as caught:
        events.column("PE-A")
    assert caught.value.code == "E029"
    np.testing.assert_array_equal(events.column(events.channels[1]), [2])


def test_the_place_that_fits_the_total_wins_wherever_it_is_said(tmp_path: Path) -> None:
    header_wrong = floats([[1, 2], [3, 4]], header_data=(1900, 2063)).write(tmp_path / "header.fcs")
    text_wrong = floats([[1, 2], [3, 4]], text_data=(1900, 2063)).write(tmp_path / "text.fcs")
    for path in (header_wrong, text_wrong):
        np.testing.assert_array_equal(open_fcs(path).column("C1"), [1, 3])
        assert codes(path) == ["W202"]


def test_an_end_one_byte_too_far_is_everyday_and_not_worth_a_word(tmp_path: Path) -> None:
    path = floats([[1, 2], [3, 4]], header_data=(2048, 2064), text_data=(2048, 2064)).write(tmp_path / "a.fcs")
    assert open_fcs(path).n_events == 2
    assert codes(path) == []


def test_a_file_cut_short_is_refused_and_not_counted(tmp_path: Path) -> None:
    whole = floats([[1, 2], [3, 4]]).build()
    path = tmp_path / "cut.fcs"
    path.write_bytes(whole[:-12])
    assert refusal(path) == "E018"


@pytest.mark.parametrize("end", [2048, 99_999_999, 2060])
def test_an_end_that_cannot_be_is_put_right_where_the_events_end_with_the_file(tmp_path: Path, end: int) -> None:
    offsets = (2048, end)
    path = floats([[1, 2], [3, 4]], header_data=offsets, text_data=offsets).write(tmp_path / "a.fcs")
    np.testing.assert_array_equal(open_fcs(path).column("C1"), [1, 3])
    assert "W202" in codes(path)


def test_where_two_places_fit_the_one_that_ends_with_the_file_is_read(tmp_path: Path) -> None:
    """BD Accuri C6: both lengths are right, TEXT lies 8 bytes too early."""
    file = floats([[1, 2], [3, 4]], text_data=(2040, 2055), tail=b"")
    assert open_fcs(file.write(tmp_path / "a.fcs")).column("C1").tolist() == [1, 3]


def test_without_a_total_the_length_of_data_counts(tmp_path: Path) -> None:
    path = floats([[1, 2], [3, 4]], version="FCS2.0", keywords={"$TOT": None}).write(tmp_path / "a.fcs")
    assert open_fcs(path).n_events == 2
    assert "W204" in codes(path)


def test_without_a_total_two_lengths_are_no_answer(tmp_path: Path) -> None:
    path = floats([[1, 2], [3, 4]], text_data=(2048, 2055), keywords={"$TOT": None}).write(tmp_path / "a.fcs")
    assert refusal(path) == "E019"


def test_a_file_without_events_opens_and_says_so(tmp_path: Path) -> None:
    path = floats(np.empty((0, 2)), header_data=(0, 0), text_data=(0, 0)).write(tmp_path / "a.fcs")
    assert open_fcs(path).n_events == 0
    assert open_fcs(path).column("C1").shape == (0,)
    assert codes(path) == ["W213"]


def test_a_total_that_fits_no_place_is_refused(tmp_path: Path) -> None:
    path = floats([[1, 2], [3, 4]], total=3).write(tmp_path / "a.fcs")
    assert refusal(path) == "E019"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "E011"),
        (b"sample,day\n1,2\n", "E012"),
        (b"FCS3.1", "E013"),
        (b"FCS3.1    " + b"      58    9999       0       0       0       0", "E014"),
    ],
)
def test_what_is_not_an_fcs_file_is_refused_by_name(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "a.fcs"
    path.write_bytes(content)
    assert refusal(path) == code


@pytest.mark.parametrize(
    ("keywords", "code"),
    [
        ({"$PAR": None}, "E015"),
        ({"$P2B": None}, "E015"),
        ({"$BYTEORD": None}, "E015"),
        ({"$PAR": "999999999"}, "E016"),
        ({"$DATATYPE": "Q"}, "E016"),
        ({"$MODE": "U"}, "E017"),
        ({"$BYTEORD": "4,3,3,1"}, "E016"),
    ],
)
def test_text_that_cannot_be_used_is_refused(tmp_path: Path, keywords: dict[str, str | None], code: str) -> None:
    assert refusal(integers([[1, 2]], "<u2", keywords=keywords).write(tmp_path / "a.fcs")) == code


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere.fcs") == "E010"
    assert refusal(tmp_path) == "E010"
