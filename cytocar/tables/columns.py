"""The columns of every output, declared once, and how a table is written.

``COUNTS`` and its sisters carry name, type, unit and meaning; CSV, JSON, NDJSON and the Data Package are written from
them. UTF-8 without BOM, ``,``, ``\\n``, a header, missing = empty, ``%.6g``; no clock: same input, same bytes.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from typing import Literal

from msgspec import Struct

Value = str | int | float | bool | None
Row = Mapping[str, Value]


class Column(Struct, frozen=True):
    """One column of an output table; ``heading`` is what people read above it where its name would not do."""

    name: str
    type: Literal["string", "integer", "number", "boolean"]
    unit: str
    meaning: str
    heading: str = ""


def parse_columns(text: str) -> tuple[Column, ...]:
    """Return the columns of ``name type unit | meaning | heading`` lines; ``-`` is no unit, no heading is the name."""
    parsed = []
    for line in text.strip().splitlines():
        head, meaning, *heading = line.split("|")
        name, kind, unit = head.split()
        types: Mapping[str, Literal["string", "integer", "number", "boolean"]] = {
            "str": "string",
            "int": "integer",
            "num": "number",
            "bool": "boolean",
        }
        parsed.append(Column(name, types[kind], "" if unit == "-" else unit, meaning.strip(), "".join(heading).strip()))
    return tuple(parsed)


COUNTS = parse_columns("""
sample_id                      str -        | unique name of the tube or well | sample
subject_id                     str -        | pseudonym of the person | subject
day                            num days     | days from infusion; day 0 is the day of infusion | day
sample_type                    str -        | sample, baseline, healthy, fmo, unstained, single_stain, ...
specimen                       str -        | blood, marrow, csf, apheresis, product
replicate                      str -        | which of several tubes of the same draw
plate_id                       str -        | plate
well                           str -        | well on the plate, such as D07 | well
status                         str -        | ok, review, no_count, failed, excluded | status
status_codes                   str -        | codes of all findings behind the status, separated by blanks
total_events                   int events   | events in the file
bead_events                    int events   | events in the gate of counting beads; the count takes a pair as two beads
viable_events                  int events   | viable single events, beads set aside
lymphocyte_events              int events   | viable lymphocytes
t_cell_events                  int events   | CD3+ of viable lymphocytes | T-cell events
cd4_events                     int events   | CD4+ CD8- of T cells | CD4+ events
cd8_events                     int events   | CD8+ CD4- of T cells | CD8+ events
car_events                     int events   | CAR+ of T cells | CAR+ events
car_cd4_events                 int events   | CD4+ CD8- of CAR-T cells
car_cd8_events                 int events   | CD8+ CD4- of CAR-T cells
viability_percent              num %        | viable events in percent of their parent population | viable %
t_cell_percent_of_lymphocytes  num %        | T cells in percent of lymphocytes | T cells % of lymphocytes
car_percent_of_t_cells         num %        | CAR+ in percent of T cells, as gated | CAR+ % of T cells
car_percent_of_t_cells_low     num %        | its 95 % interval, lower bound
car_percent_of_t_cells_high    num %        | its 95 % interval, upper bound
car_percent_net                num %        | CAR+ in percent of T cells, net of the background of the controls | net %
car_percent_net_low            num %        | its 95 % interval, lower bound
car_percent_net_high           num %        | its 95 % interval, upper bound
background_percent             num %        | background of the gate in CAR-negative T cells
t_cells_per_ul                 num cells/µL | T cells per µL of specimen | T cells/µL
cd4_per_ul                     num cells/µL | CD4+ CD8- T cells per µL
cd8_per_ul                     num cells/µL | CD8+ CD4- T cells per µL
car_per_ul               num cells/µL | CAR-T cells per µL as gated, even below the limits | CAR-T/µL, gated
car_per_ul_low                 num cells/µL | its 95 % interval, which holds the net count's; lower bound | 95 % from
car_per_ul_high                num cells/µL | its 95 % interval, upper bound | to
car_cd4_per_ul                 num cells/µL | CD4+ CD8- CAR-T cells per µL
car_cd8_per_ul                 num cells/µL | CD8+ CD4- CAR-T cells per µL
car_result                     str -        | quantified, below_lloq, not_detected, not_evaluable
car_report                     str -        | what a report prints: 604, <0.5, not detected | CAR-T result
car_lod_per_ul                 num cells/µL | what 95 % of tubes like this one detect; see stain_index of the template
car_lloq_per_ul                num cells/µL | lower limit of quantification of this sample
car_lod_percent                num %        | what 95 % of tubes like this one detect, in percent of T cells
car_lloq_percent               num %        | lower limit of quantification of this sample in percent of T cells
cd4_cd8_ratio                  num -        | CD4+ to CD8+ T cells | CD4/CD8 of T cells
cd4_cd8_ratio_low              num -        | its 95 % interval, lower bound
cd4_cd8_ratio_high             num -        | its 95 % interval, upper bound
car_cd4_cd8_ratio              num -        | CD4+ to CD8+ CAR-T cells | CD4/CD8 of CAR-T
car_cd4_cd8_ratio_low          num -        | its 95 % interval, lower bound
car_cd4_cd8_ratio_high         num -        | its 95 % interval, upper bound
count_method                   str -        | beads, volumetric, dual_platform, none
beads_added                    num beads    | beads in the tube
sample_volume_ul               num µL       | specimen in the tube
acquired_volume_ul             num µL       | volume that the instrument drew
dilution_factor                num -        | dilution of the specimen before pipetting
ci_method                      str -        | how intervals were made; which tubes told the background
template_name                  str -        | gating template
template_version               str -        | its version
template_sha256                str -        | hash of its canonical form
template_status                str -        | locked or draft
compensation                   str -        | where the spillover matrix came from
control_ids                    str -        | control samples behind threshold and background, joined by vertical bars
file                           str -        | FCS file, as the sheet names it
file_sha256                    str -        | hash of its bytes
cytocar_version                str -        | program that made the row
car_per_ul_net                 num cells/µL | net share times T cells/µL | CAR-T/µL, net
car_per_ul_net_low             num cells/µL | its 95 % interval: counting, gates, background, lot and pipette; from
car_per_ul_net_high            num cells/µL | its 95 % interval, upper bound
car_lob_events                 int events   | limit of blank: CAR+ events that 95 % of blank tubes do not exceed
pair_percent                   num %        | leukocytes in pairs of cells, percent
margin_percent                 num %        | T cells, or CAR-T cells, at the end of a scatter channel's range, percent
car_percent_witnessed          num %        | car_percent_net if T cells bind as this tube's CD3-negative lymphocytes do
car_percent_witnessed_low      num %        | its 95 % interval, lower bound: the one of car_percent_net
car_percent_witnessed_high     num %        | its 95 % interval, upper bound
t_cells_per_ul_low             num cells/µL | its 95 % interval, with the gates' part; lower bound
t_cells_per_ul_high            num cells/µL | its 95 % interval, upper bound
cd4_per_ul_low                 num cells/µL | its 95 % interval, lower bound
cd4_per_ul_high                num cells/µL | its 95 % interval, upper bound
cd8_per_ul_low                 num cells/µL | its 95 % interval, lower bound
cd8_per_ul_high                num cells/µL | its 95 % interval, upper bound
b_cells_per_ul                 num cells/µL | B cells per µL, where the template has them
b_cells_per_ul_low             num cells/µL | its 95 % interval, lower bound
b_cells_per_ul_high            num cells/µL | its 95 % interval, upper bound
car_cd4_cd8_ratio_net          num -        | CD4/CD8 of the CAR+ T cells, net of each kind's background in the controls
car_cd4_cd8_ratio_net_low      num -        | its 95 % interval, lower bound
car_cd4_cd8_ratio_net_high     num -        | its 95 % interval, upper bound
""")
COUNTS_NUMBERS = tuple(column.name for column in COUNTS if column.type in ("integer", "number"))
"""Columns of counts.csv that a limit may be held against: of an acceptance rule, a proficiency sample, a validation."""

POPULATIONS = parse_columns("""
sample_id              str -        | unique name of the tube or well
population             str -        | population of the template
parent                 str -        | population that its gate starts from
events                 int events   | events in it
percent_of_parent      num %        | events in percent of the parent, populations set aside first not counted
percent_of_parent_low  num %        | its 95 % interval, lower bound (Wilson)
percent_of_parent_high num %        | its 95 % interval, upper bound (Wilson)
percent_of_total       num %        | events in percent of all events of the file
cells_per_ul           num cells/µL | concentration in the specimen
cells_per_ul_low       num cells/µL | its 95 % interval, lower bound
cells_per_ul_high      num cells/µL | its 95 % interval, upper bound
gates_percent          num %        | what the place of its gates' borders leaves open, coefficient of variation
""")

GATES = parse_columns("""
sample_id        str  -      | unique name of the tube or well
population       str  -      | population that the gate defines
kind             str  -      | kind of gate
parameter        str  -      | which of its numbers
value            num  -      | the number as applied, in compensated data units
source           str  -      | fixed, valley, reference, singlets, cluster, fallback, override
window_low       num  -      | lowest value that the template allows
window_high      num  -      | highest value that the template allows
clamped          bool -      | whether the window held the value back
events           int  events | events of the parent that were looked at
fallback         num  -      | value that the template names for want of evidence
kept             int  events | events looked at that the value keeps
kept_by_fallback int  events | events looked at that the fixed fallback would keep
floor_low        num  -      | where the floor of the valley behind the border begins
floor_high       num  -      | where it ends: the border could lie anywhere between as well
floor_events     int  events | events looked at between both
border_percent   num  %      | change of the population if the border's signal were 10 % brighter
flags            str  -      | what a person should know, separated by blanks
""")

QUALITY = parse_columns("""
sample_id str - | unique name of the tube or well
check     str - | what was looked at
outcome   str - | pass, note, review, no_count, fail
code      str - | code of the finding, empty where the check passed
value     num - | what was found
limit     num - | what it was checked against
message   str - | what was found, in words
""")


def median_column(marker: str) -> Column:
    """Return the column of populations.csv for a marker's median fluorescence."""
    return Column(f"median_{marker}", "number", "", f"median of the compensated linear signal of {marker}")


def carried_column(name: str) -> Column:
    """Return a column that is carried through from the sample sheet."""
    return Column(name, "string", "", "carried from the sample sheet")


# ---------------------------------------------------------------- cells


def cell(value: Value) -> str:
    """Return a value as the CSV tables print it.

    Examples
    --------
    >>> cell(None), cell(1234567), cell(0.123456789), cell("=2+3"), cell(True)
    ('', '1234567', '0.123457', "'=2+3", 'true')
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return neutral(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def day_text(day: float) -> str:
    """Return a day as people read it: to a tenth, 2.4 hours; within a day of the infusion to a hundredth.

    Examples
    --------
    >>> [day_text(day) for day in (9.0, -6.22917, 27.5417, 0.041667, -0.001, 730)]
    ['9', '-6.2', '27.5', '0.04', '0', '730']
    """
    text = f"{day:.{2 if abs(day) < 1 else 1}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def neutral(text: str) -> str:
    """Return text that no spreadsheet runs as a formula: such a text gets a leading apostrophe, a number stays.

    Source: OWASP, CSV Injection; the wide forms are what a Japanese or Chinese spreadsheet takes for the same signs.
    """
    if text[:1] in "=+-@\t\r\n＝＋－＠" and text:
        try:
            float(text)
        except ValueError:
            return "'" + text
    return text


def csv_text(columns: Sequence[Column], rows: Iterable[Row], *, header: bool = True) -> str:
    """Return a table as CSV."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = [column.name for column in columns]
    if header:
        writer.writerow(names)
    writer.writerows([value if value is None else cell(value) for value in map(row.get, names)] for row in rows)
    return out.getvalue()


def json_value(value: Value) -> Value:
    """Return a value as JSON prints it: numbers to six digits, as in the CSV tables."""
    return float(f"{value:.6g}") if isinstance(value, float) else value


def json_row(columns: Sequence[Column], row: Row) -> str:
    """Return a row as one line of JSON, missing values null."""
    return json.dumps({column.name: json_value(row.get(column.name)) for column in columns}, ensure_ascii=False)
