"""Scrubbed copies: nothing of a person in their bytes, every event as it was."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
import pytest

from cytocar import open_fcs
from cytocar.errors.tree import CytocarError, ReadError
from cytocar.fcs.data_sets import read_data_sets
from cytocar.fcs.reader import list_data_sets
from cytocar.fcs.scrub.batch import read_linkage, scrub_files
from cytocar.fcs.scrub.dates import Dates, rewrite_date
from cytocar.fcs.scrub.file import Scrubbed, ScrubRule, identifying, scrub_file
from cytocar.fcs.scrub.identity import is_suspicious
from cytocar.files.places import Place
from tests.fcs.files import SmallFile, floats

PLANTED = {
    "$SRC": "Jane Doe", "$FIL": "doe_jane.fcs", "$OP": "Dr. Smith", "PATIENT ID": "MRN-4711", "MRN": "4711-0815",
    "Bed of the ward": "seven west", "$DATE": "02-SEP-2009", "EXPORT TIME": "22-SEP-2009-11:11:07",
    "CREATOR": "written for Jane Doe", "$COM": "see Dr. Smith // ward",
}  # fmt: skip
SECRETS = [b"Jane", b"doe", b"Smith", b"4711", b"seven", b"02-SEP", b"22-SEP", b"ward"]


def planted(**parts: object) -> SmallFile:
    keywords = {**PLANTED, "$P1S": "CD3", "WELL ID": "A01", "$VOL": "30", "$CYT": "LSRII"}
    return floats([[1, 2], [3, 4]], keywords=keywords, **parts)


def scrub(path: Path, rule: ScrubRule | None = None) -> tuple[Scrubbed, Path]:
    copy = path.parent / f"copy-{path.name}"
    return scrub_file(path, copy, rule or ScrubRule()), copy


def test_nothing_planted_is_left_and_events_are_identical(tmp_path: Path) -> None:
    path = planted(tail=b"a note about Jane Doe").write(tmp_path / "a.fcs")
    done, copy = scrub(path)
    content = copy.read_bytes()
    assert [secret for secret in SECRETS if secret in content] == []
    assert len(content) == path.stat().st_size
    before, after = open_fcs(path), open_fcs(copy)
    np.testing.assert_array_equal(after.columns(after.channels), before.columns(before.channels))
    assert after.channels == before.channels
    assert (after.keywords["WELL ID"], after.keywords["$VOL"], after.keywords["$DATE"]) == ("A01", "30", "01-JAN-2009")
    assert {name.upper() for name in PLANTED} <= set(done.removed)


def test_supplemental_text_analysis_and_gaps_are_scrubbed_too(tmp_path: Path) -> None:
    supplement = b"/NURSE/Jane Doe/$CYT/other/"
    keywords = {"$BEGINSTEXT": "2064", "$ENDSTEXT": str(2064 + len(supplement) - 1)}
    file = floats([[1, 2], [3, 4]], keywords=keywords, tail=supplement + b"/RESULT/4711/ANALYSIS of Jane Doe")
    content = file.build().replace(b" " * 40, b"Jane Doe was here, 4711".ljust(40), 1)
    path = tmp_path / "a.fcs"
    path.write_bytes(content)
    _, copy = scrub(path)
    assert [secret for secret in SECRETS if secret in copy.read_bytes()] == []
    assert open_fcs(copy).column("C2").tolist() == [2, 4]


def test_every_data_set_is_scrubbed(tmp_path: Path) -> None:
    first = planted()
    first.keywords = {**first.keywords, "$NEXTDATA": f"{len(first.build()):>6}"}
    first.keywords = {**first.keywords, "$NEXTDATA": f"{len(first.build()):>6}"}
    path = tmp_path / "a.fcs"
    path.write_bytes(first.build() + planted().build())
    assert len(list_data_sets(path)) == 2
    _, copy = scrub(path)
    assert [secret for secret in SECRETS if secret in copy.read_bytes()] == []
    assert len(list_data_sets(copy)) == 2


def test_only_what_reading_and_gating_need_is_kept_and_what_a_person_names(tmp_path: Path) -> None:
    path = floats([[1, 2]], keywords={"LASER1NAME": "Red", "$P1S": "CD3"}).write(tmp_path / "a.fcs")
    _, copy = scrub(path)
    assert "LASER1NAME" not in open_fcs(copy).keywords
    assert open_fcs(copy).keywords["$P1S"] == "CD3"
    _, copy = scrub(path, ScrubRule(keep=frozenset({"LASER1NAME"})))
    assert open_fcs(copy).keywords["LASER1NAME"] == "Red"


HIDING = {
    "$SYS": r"C:\Users\jdoe\Desktop", "$CYT": "Doe's LSRII", "$TOT ": None, "$P9S": "Jane Doe", "$P0S": "Jane Doe",
    "$P1F": "Jane Doe", "$P1O": "Jane Doe", "JANE DOE": "1", "Jane Doe": "", "PATIENT JANE DOE": "yes", "$ABRT": "Doe",
    "$DATE": "02-SEP-2009 Jane Doe", "$BTIM": "Jane Doe", "WELL ID": "Doe", "$VOL": "Doe", "#P1JANEDOE": "1",
    "$P1CALIBRATION": "Jane Doe", "TIMETICKS": "Doe", "$P2S": "CD4 DOE", "$SRC": "Doe, Jane 4711", "$P1S": "CD3 4711",
    "$UNICODE": "Doe", "APPLY COMPENSATION": "Doe", "$BEGINDATETIME": "2009-09-02T10:00:00Z Doe", "LASER1NAME": "Doe",
    "FJ_$P1RDOE": "1", "$DFC1TO2": "Doe", "$P1D": "Doe", "CYTOMETER": "jane", "@Doe": "x",
}  # fmt: skip


def test_a_name_hides_in_no_value_key_number_or_other_case(tmp_path: Path) -> None:
    keywords = {key: value for key, value in HIDING.items() if value is not None}
    path = floats([[1, 2], [3, 4]], keywords=keywords).write(tmp_path / "a.fcs")
    assert identifying(path, ScrubRule()) != ()
    _, copy = scrub(path)
    content = copy.read_bytes().lower()
    assert [word for word in (b"jane", b"doe", b"4711") if word in content] == []
    assert identifying(copy, ScrubRule()) == ()
    after = open_fcs(copy)
    assert [channel.marker for channel in after.channels] == ["CD3 xxxx", "CD4 xxx"]
    assert after.keywords["$CYT"] == "xxx's LSRII"
    np.testing.assert_array_equal(after.columns(after.channels), open_fcs(path).columns(after.channels))


def test_a_name_of_one_data_set_is_found_in_another(tmp_path: Path) -> None:
    first = floats([[1, 2], [3, 4]], keywords={"$SRC": "Jane Doe"})
    for _ in range(2):
        first.keywords = {**first.keywords, "$NEXTDATA": f"{len(first.build()):>6}"}
    path = tmp_path / "a.fcs"
    path.write_bytes(first.build() + floats([[1, 2]], keywords={"$P1S": "doe CD3"}).build())
    _, copy = scrub(path)
    assert b"doe" not in copy.read_bytes().lower()


@pytest.mark.parametrize(
    ("rule", "date"),
    [
        (ScrubRule(), "01-JAN-2009"),
        (ScrubRule(dates=Dates.KEEP), "02-SEP-2009"),
        (ScrubRule(dates=Dates.SHIFT, shift_days=-2), "31-AUG-2009"),
    ],
)
def test_dates_are_cut_to_the_year_kept_or_shifted(tmp_path: Path, rule: ScrubRule, date: str) -> None:
    _, copy = scrub(planted().write(tmp_path / "a.fcs"), rule)
    assert open_fcs(copy).keywords["$DATE"] == date


@pytest.mark.parametrize(
    "text", ["02-SEP-2009 Jane Doe", "2009-09-02T10:00 Doe", "03/04/2021", "yesterday", "31-FEB-2020", "1-Sept-2020"]
)
def test_a_date_that_no_rule_reads_is_not_guessed_at(text: str) -> None:
    assert rewrite_date(text, dates=Dates.SHIFT, shift_days=1) is None


def test_a_marker_that_a_tubes_name_repeats_stays(tmp_path: Path) -> None:
    path = floats([[1, 2]], keywords={"TUBE NAME": "CD19 FITC", "$P2S": "CD19 FITC"}).write(tmp_path / "a.fcs")
    _, copy = scrub(path)
    assert open_fcs(copy).keywords["$P2S"] == "CD19 FITC"


def test_a_scrubbed_file_has_nothing_left_to_scrub(tmp_path: Path) -> None:
    path = planted().write(tmp_path / "a.fcs")
    assert "$SRC" in identifying(path, ScrubRule())
    _, copy = scrub(path)
    assert identifying(copy, ScrubRule()) == ()


def test_what_cannot_be_read_has_no_copy(tmp_path: Path) -> None:
    path = floats([[1, 2]], total=9).write(tmp_path / "a.fcs")
    with pytest.raises(ReadError):
        scrub(path)
    assert sorted(tmp_path.iterdir()) == [path]


def test_copies_are_numbered_and_only_the_owner_reads_the_map(tmp_path: Path) -> None:
    files = [planted().write(tmp_path / f"Doe_day{day}.fcs") for day in (1, 2)]
    broken = tmp_path / "broken.fcs"
    broken.write_bytes(b"")
    linkage = tmp_path / "map.csv"
    subjects: dict[Place, str] = {file.resolve(): "S1" for file in files}
    rule = ScrubRule(dates=Dates.SHIFT)
    outcome = scrub_files([*files, broken], tmp_path / "out", rule=rule, linkage=linkage, subjects=subjects)
    assert [done.copy.name for done in outcome.scrubbed] == ["0001.fcs", "0002.fcs"]
    assert [refused.error.code for refused in outcome.refused] == ["E011"]
    assert stat.S_IMODE(linkage.stat().st_mode) == 0o600
    links = read_linkage(linkage)
    assert len({link.shift_days for link in links}) == 1
    assert links[0].shift_days != 0
    again = scrub_files(files[:1], tmp_path / "more", rule=rule, linkage=linkage, subjects=subjects)
    assert again.scrubbed[0].copy.name == "0003.fcs"
    assert {link.shift_days for link in read_linkage(linkage)} == {links[0].shift_days}


def test_every_real_file_is_scrubbed_with_identical_events(shared_data: Path, tmp_path: Path) -> None:
    scrubbed = 0
    for path in sorted(shared_data.rglob("*")):
        if path.suffix.lower() not in {".fcs", ".lmd", ".001", ".002"} or path.stat().st_size > 3_000_000:
            continue
        try:
            before = list_data_sets(path)
        except CytocarError:
            continue
        copy = tmp_path / f"copy{path.suffix}"
        scrub_file(path, copy, ScrubRule())
        after = list_data_sets(copy)
        for one, other in zip(before, after, strict=True):
            np.testing.assert_array_equal(one.columns(one.channels), other.columns(other.channels))
        assert _secrets_left(path, copy) == []
        scrubbed += 1
    assert scrubbed > 70


def _secrets_left(path: Path, copy: Path) -> list[str]:
    """Values of identifying keywords that still stand outside the events of the copy."""
    with path.open("rb") as handle:
        texts = [each.text.keywords for each in read_data_sets(handle)]
    with copy.open("rb") as handle:
        kept = " ".join(value for each in read_data_sets(handle) for value in each.text.keywords.values())
    values = {value for text in texts for key, value in text.items() if is_suspicious(key) and len(set(value)) > 6}
    return [value for value in values if value in kept]
