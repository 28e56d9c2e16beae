"""Every exported line keeps the published rules of the program that reads it, also where names are awkward.

NONMEM: NM-TRAN's data file (numbers only but for what $INPUT drops; blanks, commas and tabs split; 24 characters an
item) and the events of PREDPP (EVID, MDV, AMT; records of a subject together, in order of time). SDTM: SDTMIG 3.4,
sections 4.1 and 4.2 and the variables of PC and CP with their Core; terms are those of CDISC's codelists C71620 (UNIT),
C78734 (SPECTYPE), C85492 (METHOD), C66789 (ND), read in the package of 2024-09-27. REDCap: the eighteen columns of the
data dictionary, names and codes of letters, digits and underscores, a repeating instrument in the import.

Besides, on 29 November 2026 the sample course was read as NONMEM reads it by pharmpy 2.1.1, checked against SDTMIG 3.4
by pointblank 1.1.1 (which has few rules for PC and CP), and its dictionary by linkml-redcap 0.1.2: without a finding.
"""

from __future__ import annotations

import csv
import io
import re
from datetime import date
from itertools import groupby

import pytest

from cytocar.counting.limits import CarResult
from cytocar.course.draws import CellCount
from cytocar.course.exchange import EXCHANGE, Study
from cytocar.course.series import Course, CoursePoint
from cytocar.course.subjects import Subject, Subjects
from cytocar.sample.result import Status
from cytocar.sheet.tube import Specimen
from cytocar.statistics.estimate import UNKNOWN, Estimate
from cytocar.tables.columns import csv_text

POPULATIONS = {
    "beads": CellCount(5000, UNKNOWN, None),
    "7aad_low": CellCount(300, Estimate(30.0, 27.0, 33.0), 10.0),
    "cd4_t_cells_of_the_bone_marrow_with_ccr7_high": CellCount(40, Estimate(4.0, 3.0, 5.0), 10.0),
    "cd4_t_cells_of_the_bone_marrow_with_ccr7_low": CellCount(0, Estimate(0.0, 0.0, 0.3), 10.0),
}


def point(subject: str, day: float, per_ul: float, result: CarResult, status: Status = Status.OK) -> CoursePoint:
    return CoursePoint(
        subject, day, f"d{day:g}", status, result, Estimate(per_ul, None, None), car_lod_per_ul=0.3,
        car_lloq_per_ul=0.5, car_percent_of_t_cells=1.5e-6, populations=POPULATIONS,
    )  # fmt: skip


def course(subject: str) -> Course:
    """Return draws before infusion, on its day, of every result, at 12 hours, and one that failed."""
    return Course(
        subject,
        (
            point(subject, -6, 0, CarResult.NOT_DETECTED),
            point(subject, 0, 0, CarResult.NOT_DETECTED),
            point(subject, 0.5, 0.4, CarResult.BELOW_LLOQ),
            point(subject, 9, 1_234_567.0, CarResult.QUANTIFIED),
            CoursePoint(subject, 28, "lost", Status.FAILED, populations={}),
            point(subject, 91, 0, CarResult.NOT_EVALUABLE, Status.REVIEW),
        ),
    )


COURSES = [course("P-01"), course("P 02, left")]
SUBJECTS = (
    Subject("P-01", {"dose_car_t": "3.9e8"}, (0.0, 120.0), date(2024, 3, 5)),
    Subject("P 02, left", {"dose_car_t": ""}, (0.0,), date(2024, 12, 31)),
)
STUDY = Study("CART-01", Subjects((), SUBJECTS, {one.subject_id: one for one in SUBJECTS}))


def written(form: str, study: Study = STUDY) -> list[dict[str, str]]:
    """Return the lines of a form as a program finds them in the file."""
    columns, lines = EXCHANGE[form]
    return list(csv.DictReader(io.StringIO(csv_text(columns, list(lines(COURSES, study))))))


# ---------------------------------------------------------------- NONMEM


def as_nm_tran(text: str) -> list[dict[str, float]]:
    """Read a data file as NM-TRAN does: no quotes, items split at commas, blanks and tabs, an empty one is 0."""
    head, *lines = text.splitlines()
    names = head.split(",")
    assert all(re.fullmatch(r"[A-Z]\w{0,19}", name) for name in names)
    assert len(names) <= 50
    records = []
    for line in lines:
        assert '"' not in line
        assert len(line) <= 300
        items = re.split(r"[, \t]", line)
        assert len(items) == len(names), line
        assert all(len(item) <= 24 for item in items)
        records.append({n: float(item or 0) for n, item in zip(names, items, strict=True) if n != "SUBJ"})
    return records


def test_nonmem_reads_numbers_in_order_of_subject_and_time() -> None:
    columns, lines = EXCHANGE["nonmem"]
    records = as_nm_tran(csv_text(columns, list(lines(COURSES, STUDY))))
    assert [key for key, _ in groupby(records, key=lambda r: r["ID"])] == [1, 2]
    for _, own in groupby(records, key=lambda r: r["ID"]):
        times = [record["TIME"] for record in own]
        assert times == sorted(times)
        assert times[0] >= 0
    for one in records:
        assert (one["EVID"], one["MDV"]) in {(0, 0), (0, 1), (1, 1), (2, 1)}
        assert (one["AMT"] > 0) == (one["EVID"] == 1)  # PREDPP refuses a dose of nothing, and an amount elsewhere
        assert one["CENS"] in (0, 1)
        assert not (one["CENS"] and one["MDV"])
        if one["EVID"] == 0 and not one["MDV"]:
            assert one["DV"] > 0
    assert [one["DV"] for one in records if one["CENS"]] == [0.3, 0.5] * 2


# ---------------------------------------------------------------- SDTM

REQUIRED = ("STUDYID", "DOMAIN", "USUBJID", "--SEQ", "--TESTCD", "--TEST")
EXPECTED = {
    "PC": ("PCORRES", "PCORRESU", "PCSTRESC", "PCSTRESN", "PCSTRESU", "PCNAM", "PCSPEC", "PCLLOQ", "VISITNUM", "PCDTC"),
    "CP": ("CPMRKSTR", "CPORRES", "CPSTRESC", "CPDTC"),
}
"""SDTMIG 3.4: required variables have a value in each record, expected ones a column."""
ORDER = [
    "STUDYID", "DOMAIN", "USUBJID", "--SEQ", "--TESTCD", "--TEST", "--MRKSTR", "--ORRES", "--ORRESU", "--STRESC",
    "--STRESN", "--STRESU", "--STAT", "--REASND", "--NAM", "--SPEC", "--METHOD", "--LLOQ", "VISITNUM", "--DTC", "--DY",
]  # fmt: skip
ISO_8601 = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"


@pytest.mark.parametrize("domain", ["PC", "CP"])
def test_sdtm_has_the_variables_of_the_guide_in_its_order(domain: str) -> None:
    columns, _ = EXCHANGE[f"sdtm-{domain.lower()}"]
    names = [column.name for column in columns]
    assert all(re.fullmatch(r"[A-Z][A-Z0-9]{0,7}", name) for name in names)
    general = [name.replace(domain, "--", 1) if name.startswith(domain) else name for name in names]
    assert general == [name for name in ORDER if name in general]
    assert set(EXPECTED[domain]) <= set(names)
    assert set(REQUIRED) <= set(general)


@pytest.mark.parametrize("domain", ["PC", "CP"])
def test_each_sdtm_record_keeps_lengths_terms_and_rules(domain: str) -> None:
    records = written(f"sdtm-{domain.lower()}")
    assert len(records) > 10
    for one in records:
        row = {name.replace(domain, "--", 1) if name.startswith(domain) else name: text for name, text in one.items()}
        assert all(row[name] for name in REQUIRED)
        assert all(len(text.encode()) <= 200 for text in row.values())
        assert row["DOMAIN"] == domain
        assert re.fullmatch(r"[A-Z][A-Z0-9_]{0,7}", row["--TESTCD"])
        assert len(row["--TEST"]) <= 40
        assert row["--SPEC"] == "BLOOD"
        assert row["--METHOD"] == "FLOW CYTOMETRY"
        assert (row["--STAT"] == "NOT DONE") == (row["--ORRES"] == "") == bool(row["--REASND"])
        assert row["--STAT"] in ("", "NOT DONE")
        assert row["--ORRESU"] == row["--STRESU"] == ("10^6/L" if row["--ORRES"] else "")
        assert re.fullmatch(r"|<[\d.]+|[\d.]+(e[+-]\d+)?", row["--STRESC"])
        assert row["--STRESN"] == ("" if row["--STRESC"].startswith("<") else row["--STRESC"])
        assert re.fullmatch(ISO_8601, row["--DTC"])
        first = STUDY.subjects.by_id[row["USUBJID"].removeprefix("CART-01-")].first_infused
        assert first is not None
        apart = (date.fromisoformat(row["--DTC"]) - first).days
        assert int(row["--DY"]) == apart + (apart >= 0)
    keys = [(one["USUBJID"], one[f"{domain}SEQ"]) for one in records]
    assert len(set(keys)) == len(keys)
    pairs = {(one[f"{domain}TESTCD"], one[f"{domain}TEST"]) for one in records}
    assert len(pairs) == len(dict(pairs)) == len({name for _, name in pairs})
    assert not any("BEADS" in code for code, _ in pairs)  # no phenotype, and never counted per volume


def test_specimens_are_terms_of_cdisc_where_it_has_one() -> None:
    named = {
        written("sdtm-pc", Study("S", specimen=specimen))[0]["PCSPEC"]
        for specimen in (Specimen.BLOOD, Specimen.MARROW, Specimen.CSF)
    }
    assert named == {"BLOOD", "BONE MARROW", "CEREBROSPINAL FLUID"}


# ---------------------------------------------------------------- REDCap

HEAD = (
    '"Variable / Field Name","Form Name","Section Header","Field Type","Field Label",'
    '"Choices, Calculations, OR Slider Labels","Field Note","Text Validation Type OR Show Slider Number",'
    '"Text Validation Min","Text Validation Max",Identifier?,"Branching Logic (Show field only if...)",'
    '"Required Field?","Custom Alignment","Question Number (surveys only)","Matrix Group Name","Matrix Ranking?",'
    '"Field Annotation"'
)
NUMBER = r"[-+]?[0-9]*\.?[0-9]+([eE][-+]?[0-9]+)?"
"""REDCap's validation type ``number``."""


def test_the_dictionary_has_redcaps_columns_and_words() -> None:
    assert list(written("redcap-dictionary")[0]) == next(csv.reader([HEAD]))
    fields = written("redcap-dictionary")
    assert fields[0]["Variable / Field Name"] == "record_id"
    assert fields[0]["Form Name"] != "cart_count"  # a record's first form does not repeat
    for one in fields:
        assert re.fullmatch(r"[a-z][a-z0-9_]{0,25}", one["Variable / Field Name"])
        assert re.fullmatch(r"[a-z][a-z0-9_]*", one["Form Name"])
        assert one["Field Type"] in ("text", "dropdown")
        assert one["Text Validation Type OR Show Slider Number"] in ("", "number")
        assert one["Field Label"]
    forms = [key for key, _ in groupby(one["Form Name"] for one in fields)]
    assert len(forms) == len(set(forms))  # the fields of a form stand together


def test_what_is_imported_fits_the_dictionary() -> None:
    fields = {one["Variable / Field Name"]: one for one in written("redcap-dictionary")}
    records = written("redcap")
    steering = ("redcap_repeat_instrument", "redcap_repeat_instance")
    assert [name for name in records[0] if name not in steering] == list(fields)
    for one in records:
        assert one["redcap_repeat_instrument"] == fields["cart_day"]["Form Name"]
        for name, field in fields.items():
            text = one[name]
            if field["Text Validation Type OR Show Slider Number"] == "number":
                assert re.fullmatch(f"|{NUMBER}", text), (name, text)
            if field["Field Type"] == "dropdown":
                choices = [choice.split(",")[0].strip() for choice in field[list(field)[5]].split("|")]
                assert text in choices
                assert all(re.fullmatch(r"\w+", choice) for choice in choices)
    for _, own in groupby(records, key=lambda one: one["record_id"]):
        numbers = [int(one["redcap_repeat_instance"]) for one in own]
        assert numbers == list(range(1, len(numbers) + 1))
