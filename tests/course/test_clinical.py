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
        ClinicalValue("P1", -1, "crp", 19.5, "mg/L", entered="crp"),
        ClinicalValue("P1", 3, "crp", 42, "mg/L", entered="CRP"),
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
        "P1,0,crp,high,mg/L\n"
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
        "clinical.csv row 10 has more cells than the header: 'more'",
        "clinical.csv row 2: ferritin has no unit",
        "clinical.csv row 3: day: 'one' is not a number",
        "clinical.csv row 4: value: 'high' is not a number",
        "clinical.csv row 5: platelets in g/L: mass concentration, but it is counted in G/L",
        "clinical.csv row 7: temperature cannot be 101 C",
        "clinical.csv row 8: CRS is 2.5, a grade is a whole number",
        "clinical.csv row 9: subject_id is empty",
        "clinical.csv row 11: crp cannot be -5 mg/L",
        "interventions.csv row 2: dasatinib ends on day 7, before it starts on day 13",
        "interventions.csv row 3: the dose of tocilizumab has no unit",
        "interventions.csv row 4: name is empty",
        "interventions.csv row 6: C is no unit of a dose (x)",
        "clinical.csv: subject 'P9' has no sample",
        "interventions.csv: subject 'P8' has no sample",
    ]


def test_a_value_that_may_be_thousands_is_asked_about(tmp_path: Path) -> None:
    header = "subject_id;day;variable;value;unit\n"
    with pytest.raises(ClinicalError) as caught:
        read_record(
            clinical(tmp_path, "P1;1;crp;12,5;mg/L\nP1;2;ferritin;1.200;ug/L\nP1;3;ferritin;<1.200;ug/L\n", header)
        )
    assert faults(caught.value) == [
        "clinical.csv row 3: value: '1.200' may be 1200 or 1.2000: write one of these",
        "clinical.csv row 4: value: '1.200' may be 1200 or 1.2000: write one of these",
    ]


def test_a_missing_and_a_misspelt_column_are_named(tmp_path: Path) -> None:
    with pytest.raises(ClinicalError) as caught:
        read_record(clinical(tmp_path, "P1,0,crp,5,mg/L\n", "subject_id,day,variable,value,units\n"))
    assert faults(caught.value) == [
        "clinical.csv: column missing: unit",
        "clinical.csv: unknown column units, did you mean 'unit'?",
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


def test_any_unit_is_taken_and_shown_as_written(tmp_path: Path) -> None:
    rows = "P1,0,MPO,-1.25,NPX\nP1,0,anti-CD19,12,AU\nP1,0,VCN,0.18,copies/cell\nP1,0,sIL-2R,900,U/mL\n"
    record = read_record(clinical(tmp_path, rows))
    assert [(value.variable, value.value, value.unit) for value in record.values] == [
        ("anti_cd19", 12, "AU"),
        ("mpo", -1.25, "NPX"),
        ("sil_2r", 900, "U/mL"),
        ("vcn", 0.18, "copies/cell"),
    ]
    assert record.notes == ()


def test_a_known_variable_in_an_unknown_unit_is_a_variable_of_its_own(tmp_path: Path) -> None:
    record = read_record(clinical(tmp_path, "P1,0,IL-6,5.5,NPX\nP1,1,IL-6,40,pg/mL\nP1,2,CRP,5,MG/L\n"))
    assert record.variables == ("il6", "crp_mg_l", "il6_npx")
    assert record.notes[0] == "IL-6 in NPX is not converted to ng/L: it is kept as il6_npx"
    assert "known: mg/L" in record.notes[1]


def test_values_below_and_above_a_limit_are_values(tmp_path: Path) -> None:
    record = read_record(clinical(tmp_path, "P1,0,IL-6,<1.5,pg/mL\nP1,1,ferritin,> 50000,ug/L\nP1,2,crp,≤0.3,mg/dL\n"))
    assert [(value.variable, value.value, value.bound) for value in record.values] == [
        ("crp", pytest.approx(3), "<"),
        ("ferritin", 50000, ">"),
        ("il6", 1.5, "<"),
    ]
    assert record.series("il6")[0].text == "<1.5"


def test_an_answer_in_words_is_kept_beside_numbers_of_the_same_name(tmp_path: Path) -> None:
    record = read_record(clinical(tmp_path, "P1,0,response,CR,text\nP1,28,response,1,score\nP1,56,response,PD,\n"))
    assert [(text.day, text.text) for text in record.texts] == [(0, "CR"), (56, "PD")]
    assert [value.value for value in record.series("response")] == [1]


def test_a_dose_in_any_unit_is_taken_and_events_are_no_drugs(tmp_path: Path) -> None:
    rows = "P1,ruxolitinib,0,4,5,mg b.i.d.\nP1,intubation,7,8,,\nP1,levetiracetam,7,,,\nP1,fall,9,9,,event\n"
    record = read_record(interventions=interventions(tmp_path, rows))
    assert [(course.name, course.is_event, course.dose_text) for course in record.interventions] == [
        ("ruxolitinib", False, "5 mg b.i.d."),
        ("intubation", True, ""),
        ("levetiracetam", False, ""),
        ("fall", True, ""),
    ]


@pytest.mark.parametrize("value", ["1e-320", "1e300"])
def test_a_value_that_no_laboratory_measures_is_a_fault_of_its_row(tmp_path: Path, value: str) -> None:
    path = tmp_path / "clinical.csv"
    path.write_text(f"subject_id,day,variable,value,unit\nP1,0,novel marker,{value},mg/L\n", "utf-8")
    with pytest.raises(ClinicalError, match="row 2: novel marker cannot be"):
        read_record(path)
