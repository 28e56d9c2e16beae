"""Clinical tables: values in one unit per variable, and every fault in one message."""

from __future__ import annotations

from pathlib import Path

import pytest

from cytocar.course.clinical import ClinicalRecord, ClinicalValue, Intervention, read_record
from cytocar.errors.tree import ClinicalError

CLINICAL = "subject_id,day,variable,value,unit\n"
INTERVENTIONS = "subject_id,name,start_day,end_day,dose,unit\n"


def clinical(tmp_path: Path, rows: str, header: str = CLINICAL) -> Path:
    path = tmp_path / "clinical.csv"
    path.write_text(header + rows, "utf-8")
    return path


def interventions(tmp_path: Path, rows: str) -> Path:
    path = tmp_path / "interventions.csv"
    path.write_text(INTERVENTIONS + rows, "utf-8")
    return path


def faults(error: ClinicalError) -> list[str]:
    return [line.strip() for line in error.message.splitlines()[1:]]


def test_values_come_in_the_variables_unit_and_in_order_of_days(tmp_path: Path) -> None:
    path = clinical(tmp_path, "P1,3,CRP,4.2,mg/dL\nP1,-1,crp,19.5,mg/L\nP1,0,Temperature,100.58,F\n")
    record = read_record(path)
    assert record.series("crp") == (
        ClinicalValue("P1", -1, "crp", 19.5, "mg/L"),
        ClinicalValue("P1", 3, "crp", 42, "mg/L"),
    )
    (temperature,) = record.series("temperature")
    assert temperature.value == pytest.approx(38.1)
    assert record.variables == ("temperature", "crp")


def test_a_variable_of_ones_own_keeps_its_first_unit(tmp_path: Path) -> None:
    record = read_record(clinical(tmp_path, "P1,0,IFN gamma,20,pg/mL\nP1,1,ifn-gamma,0.5,ng/mL\n"))
    assert [(value.value, value.unit) for value in record.series("ifn_gamma")] == [(20, "pg/mL"), (500, "pg/mL")]


def test_interventions_may_go_on_and_may_lack_a_dose(tmp_path: Path) -> None:
    record = read_record(interventions=interventions(tmp_path, "P1,levetiracetam,7,,,\nP1,dasatinib,7,13,100,mg/day\n"))
    assert record.interventions == (
        Intervention("P1", "dasatinib", 7, 13, 100, "mg/day"),
        Intervention("P1", "levetiracetam", 7, None),
    )
    assert [course.dose_text for course in record.interventions] == ["100 mg/day", ""]


def test_a_subjects_part_of_the_record_is_its_own(tmp_path: Path) -> None:
    record = read_record(clinical(tmp_path, "P1,0,crp,1,mg/L\nP2,0,crp,2,mg/L\n"))
    assert [value.value for value in record.of("P2").values] == [2]


def test_no_tables_give_an_empty_record() -> None:
    assert read_record() == ClinicalRecord()


def test_all_faults_of_both_tables_come_in_one_message(tmp_path: Path) -> None:
    values = clinical(
        tmp_path,
        "P1,0,ferritin,500,\n"
        "P1,one,crp,5,mg/L\n"
        "P1,0,crp,5,furlong\n"
        "P1,0,platelets,5,g/L\n"
        "P9,0,crp,5,mg/L\n"
        "P1,0,temperature,101,C\n"
        "P1,0,CRS,2.5,grade\n"
        ",0,crp,5,mg/L\n"
        "P1,0,crp,5,mg/L,more\n"
        "P1,0,crp,-5,mg/L\n",
    )
    courses = interventions(
        tmp_path,
        "P1,dasatinib,13,7,100,mg\nP1,tocilizumab,1,1,8,\nP1,,1,1,,\nP8,dexamethasone,3,4,40,mg\nP1,x,1,2,3,C\n",
    )
    with pytest.raises(ClinicalError) as caught:
        read_record(values, courses, subjects={"P1", "P2"})
    assert caught.value.code == "E130"
    assert caught.value.message.startswith("15 faults in the clinical tables")
    assert faults(caught.value) == [
        "clinical.csv row 2: ferritin has no unit",
        "clinical.csv row 3: day is not a number: 'one'",
        "clinical.csv row 4: crp has an unknown unit: 'furlong'",
        "clinical.csv row 5: platelets in g/L: mass concentration, but it is counted in G/L",
        "clinical.csv row 7: temperature cannot be 101 C",
        "clinical.csv row 8: CRS is 2.5, a grade is a whole number",
        "clinical.csv row 9: subject_id is empty",
        "clinical.csv row 10: more cells than columns: 'more'",
        "clinical.csv row 11: crp cannot be -5 mg/L",
        "interventions.csv row 2: dasatinib ends on day 7, before it starts on day 13",
        "interventions.csv row 3: the dose of tocilizumab has no unit",
        "interventions.csv row 4: name is empty",
        "interventions.csv row 6: C is no unit of a dose (x)",
        "clinical.csv: subject 'P9' has no sample",
        "interventions.csv: subject 'P8' has no sample",
    ]


def test_a_missing_and_a_misspelt_column_are_named(tmp_path: Path) -> None:
    with pytest.raises(ClinicalError) as caught:
        read_record(clinical(tmp_path, "P1,0,crp,5,mg/L\n", "subject_id,day,variable,value,units\n"))
    assert faults(caught.value) == [
        "clinical.csv: column missing: unit",
        "clinical.csv: unknown column units (did you mean unit?)",
    ]


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00bad"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "clinical.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ClinicalError, match=r"clinical\.csv cannot be read") as caught:
        read_record(path)
    assert caught.value.code == "E131"


def test_an_empty_file_lacks_its_columns(tmp_path: Path) -> None:
    with pytest.raises(ClinicalError, match="columns missing: subject_id, day"):
        read_record(clinical(tmp_path, "", ""))


def test_a_german_spreadsheet_reads_the_same(tmp_path: Path) -> None:
    path = clinical(tmp_path, "P1;3;CRP;4,2;mg/dL\n", CLINICAL.replace(",", ";"))
    assert read_record(path).series("crp")[0].value == pytest.approx(42)
