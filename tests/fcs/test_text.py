"""TEXT as the standard says it, and as instruments write it."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from cytocar import open_fcs
from cytocar.errors.tree import ReadError
from cytocar.fcs.text import _encoding, _pairs, _plain_pairs, parse_text
from tests.fcs.files import SmallFile, floats


@pytest.mark.parametrize(
    ("segment", "keywords"),
    [
        (b"/A/1/B/2/", {"A": "1", "B": "2"}),
        (b"/a/x//y/B/2/", {"A": "x/y", "B": "2"}),
        (b"/A///y/B/2/", {"A": "/y", "B": "2"}),
        (b"/A/y///B/2/", {"A": "y/", "B": "2"}),
        (b"/A//B/2/", {"A": "", "B": "2"}),
        (b"/A//B//C/3/", {"A": "", "B": "", "C": "3"}),
        (b"/ $A /  1 /\r\nB/\t2\x00/   ", {"$A": "1", "B": "2"}),
        (b"/A/1/B/2", {"A": "1", "B": "2"}),
        (b"\x0cA\x0c\xb5L\x0c", {"A": "µL"}),
        (b"\x0cA\x0c\xc2\xb5L\x0c", {"A": "µL"}),
        (b"*A*a.b*", {"A": "a.b"}),
        (b"  /A/1/", {"A": "1"}),
        (b"/A/1/\x00\x80\x3f\xff", {"A": "1"}),
        (b"/A/1/A/2/", {"A": "2"}),
    ],
)
def test_keywords_are_read_as_they_are_meant(segment: bytes, keywords: dict[str, str]) -> None:
    assert parse_text(segment).keywords == keywords


def test_a_key_without_a_value_is_left_out_with_a_word() -> None:
    text = parse_text(b"/A/1/B")
    assert (text.keywords, len(text.repairs)) == ({"A": "1"}, 1)


@pytest.mark.parametrize("segment", [b"//", b"/no pair", b"/\x01\x02\x03/1/"])
def test_what_is_no_text_is_refused(segment: bytes) -> None:
    with pytest.raises(ReadError) as caught:
        parse_text(segment)
    assert caught.value.code == "E014"


def test_a_value_with_a_single_delimiter_does_not_lose_the_keywords_behind_it(tmp_path: Path) -> None:
    file = floats([[1, 2]], keywords={"NOTE": "?"})
    content = file.build().replace(b"NOTE/?/", b"NOTE/a/b/").replace(b"/$MODE", b"/$MODE")
    path = tmp_path / "a.fcs"
    spoiled = content.replace(b"$PAR/2/", b"X/y/z/$PAR/2/", 1)
    path.write_bytes(_with_text_end(spoiled, len(spoiled) - len(file.build())))
    events = open_fcs(path)
    assert [channel.detector for channel in events.channels] == ["C1", "C2"]
    assert "W210" in [finding.code for finding in events.findings]


def _with_text_end(content: bytes, grown: int) -> bytes:
    """Give TEXT its new end, and take as many blanks from the gap before DATA."""
    text_end = int(content[18:26]) + grown
    gap = content.index(b" " * grown, text_end)
    return content[:18] + f"{text_end:>8}".encode() + content[26:gap] + content[gap + grown :]


def test_supplemental_text_adds_keywords_but_replaces_none(tmp_path: Path) -> None:
    file = floats([[1, 2]], keywords={"$BEGINSTEXT": "2056", "$ENDSTEXT": "2080", "$CYT": "primary"})
    more = b"/EXTRA/1/$CYT/other/C/3/ "
    path = tmp_path / "a.fcs"
    path.write_bytes(SmallFile(**{**vars(file), "tail": more}).build())
    assert (open_fcs(path).keywords["EXTRA"], open_fcs(path).keywords["$CYT"]) == ("1", "primary")


def test_supplemental_text_that_is_no_text_is_left_out(tmp_path: Path) -> None:
    file = floats([[1, 2]], keywords={"$BEGINSTEXT": "2056", "$ENDSTEXT": "2080"}, tail=b"PK\x03\x04/\x00/\x01/" * 4)
    events = open_fcs(file.write(tmp_path / "a.fcs"))
    assert [finding.code for finding in events.findings] == ["W210"]


def test_text_that_runs_into_data_gives_data_back_its_first_bytes(tmp_path: Path) -> None:
    file = floats([[1, 2], [3, 4]])
    content = file.build()
    text = content[58 : int(content[18:26]) + 1]
    made = SmallFile(**{**vars(file), "data_at": 58 + len(text)}).build()
    path = tmp_path / "a.fcs"
    path.write_bytes(made[:18] + f"{58 + len(text):>8}".encode() + made[26:])
    assert open_fcs(path).column("C1").tolist() == [1, 3]


def test_keys_that_are_no_text_are_left_out_where_the_others_are() -> None:
    text = parse_text(b"/$PAR/2/a\nb\x01c/x/$TOT/1/$CYT/LSRII/")
    assert text.keywords == {"$PAR": "2", "$TOT": "1", "$CYT": "LSRII"}
    assert len(text.repairs) == 1


def test_what_flowio_reads_otherwise_is_said(tmp_path: Path) -> None:
    path = floats([[1, 2]], delimiter="+", keywords={"$TOT": "1"}).write(tmp_path / "a.fcs")
    assert [finding.code for finding in open_fcs(path).findings] == ["W201"]


def test_a_text_without_doubt_is_read_as_any_other() -> None:
    """A TEXT in which nothing is doubled or blank is split at once; the rules of the standard give the same."""
    random = Random(1)
    words = [b"$PAR", b"2", b" ", b"", b"\xc2\xb5", b"\xb5", b"a b", b"\x00", b"FITC-A", b"/"]
    plain = 0
    for _ in range(3000):
        segment = b"|" + b"|".join(random.choice(words) for _ in range(random.randint(1, 7)))
        encoding = _encoding(segment, b"|")
        quick = _plain_pairs(segment, b"|", encoding)
        if quick is not None:
            plain += 1
            assert quick == _pairs(segment, b"|", encoding), segment
    assert plain > 500
