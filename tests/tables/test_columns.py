"""How tables are written: the contract's columns, numbers as they are, no formula, whole files only."""

from __future__ import annotations

import json

import pytest

from cytocar.tables.columns import COUNTS, GATES, cell, csv_text, json_row, neutral

CONTRACT = """
sample_id subject_id day sample_type specimen replicate plate_id well status status_codes
total_events bead_events viable_events lymphocyte_events t_cell_events cd4_events cd8_events car_events car_cd4_events
car_cd8_events
viability_percent t_cell_percent_of_lymphocytes
car_percent_of_t_cells car_percent_of_t_cells_low car_percent_of_t_cells_high car_percent_net car_percent_net_low
car_percent_net_high background_percent
t_cells_per_ul cd4_per_ul cd8_per_ul car_per_ul car_per_ul_low car_per_ul_high car_cd4_per_ul car_cd8_per_ul
car_result car_report car_lod_per_ul car_lloq_per_ul car_lod_percent car_lloq_percent
cd4_cd8_ratio cd4_cd8_ratio_low cd4_cd8_ratio_high car_cd4_cd8_ratio car_cd4_cd8_ratio_low car_cd4_cd8_ratio_high
count_method beads_added sample_volume_ul acquired_volume_ul dilution_factor ci_method
template_name template_version template_sha256 template_status compensation control_ids
file file_sha256 cytocar_version
car_per_ul_net car_per_ul_net_low car_per_ul_net_high car_lob_events pair_percent margin_percent
car_percent_witnessed car_percent_witnessed_low car_percent_witnessed_high
t_cells_per_ul_low t_cells_per_ul_high cd4_per_ul_low cd4_per_ul_high cd8_per_ul_low cd8_per_ul_high
b_cells_per_ul b_cells_per_ul_low b_cells_per_ul_high
car_cd4_cd8_ratio_net car_cd4_cd8_ratio_net_low car_cd4_cd8_ratio_net_high
"""


def test_counts_has_the_contracts_columns_in_their_order() -> None:
    names = [column.name for column in COUNTS]
    promised = CONTRACT.split()
    assert names[: len(promised)] == promised, "a promised column keeps its name and place"
    assert names[len(promised) :] == [], "a new column stands last in COUNTS: add its name to the end of CONTRACT"


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\tx", "\n=1", "＝1+1", "＋1", "－x", "＠x"]
)
def test_text_that_a_spreadsheet_would_run_is_neutralised(text: str) -> None:
    assert neutral(text) == "'" + text


@pytest.mark.parametrize("text", ["-5", "+3.2", "-1e5", "D07", ""])
def test_numbers_and_plain_text_are_left_alone(text: str) -> None:
    assert neutral(text) == text


def test_counts_of_events_are_never_shortened() -> None:
    assert cell(12_345_678) == "12345678"
    assert cell(1064.123456) == "1064.12"


def test_missing_is_empty_in_csv_and_null_in_json() -> None:
    text = csv_text(GATES[:3], [{"sample_id": "A"}])
    assert text == "sample_id,population,kind\nA,,\n"
    assert json.loads(json_row(GATES[:2], {"sample_id": "A"})) == {"sample_id": "A", "population": None}
