"""Volume, time and well from keywords, with the spellings that instruments write."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from cytocar import EventTable
from cytocar.errors.tree import CountingError, ReadError
from cytocar.fcs.keywords import (
    acquired_at,
    acquired_volume,
    duration_seconds,
    plate,
    time_step_seconds,
    well,
    well_in_file_name,
)

TWO_MINUTES = {"$BTIM": "10:00:00", "$ETIM": "10:02:00"}


def table(path: str | None = None, **keywords: str) -> EventTable:
    """A table with these keywords; ``_`` in front of a name stands for ``$``."""
    named = {key.replace("_", "$", 1) if key.startswith("_") else key: text for key, text in keywords.items()}
    events = EventTable.from_columns({}, keywords=named)
    return replace(events, path=Path(path)) if path else events


@pytest.mark.parametrize(
    ("cytometer", "volume", "ul"),
    [
        ("4486521 Attune NxT Acoustic Focusing Cytometer", "46000", 46.0),
        ("BD Accuri C6 Plus", "25016", 25.016),
        ("MACSQuant", "10957", 10.957),
        ("CytoFLEX S", "120473.9", 120.4739),
        ("Cube_15", "99000", 99.0),
        ("Aurora", "        36.6", 36.6),
        ("Northern Lights", "30,39", 30.39),
        ("A cytometer of tomorrow", "60000", 60.0),
    ],
)
def test_volume_has_the_unit_of_its_instrument(cytometer: str, volume: str, ul: float) -> None:
    found = acquired_volume(table(_CYT=cytometer, _VOL=volume, **TWO_MINUTES))
    assert found is not None
    assert found.ul == pytest.approx(ul, rel=1e-12)


def test_a_volume_that_means_an_impossible_flow_is_refused() -> None:
    with pytest.raises(CountingError, match=r"0\.0183 µL/min") as caught:
        acquired_volume(table(_CYT="A cytometer of tomorrow", _VOL="36.6", **TWO_MINUTES))
    assert caught.value.code == "E025"


def test_partec_counts_in_millilitres() -> None:
    found = acquired_volume(table(_CYT="CyFlow", **{"P$COUNTVOLUME": "0.2"}, **TWO_MINUTES))
    assert found is not None
    assert found.ul == pytest.approx(200)


def test_volume_without_dollar_counts_only_where_one_unit_fits_the_time() -> None:
    found = acquired_volume(table(_CYT="BD FACSVerse", VOL="85.3", **TWO_MINUTES))
    assert found is not None
    assert found.ul == pytest.approx(85.3)
    with pytest.raises(CountingError):
        acquired_volume(table(_CYT="BD FACSVerse", VOL="85.3"))


def test_no_volume_and_volume_zero_mean_that_none_was_measured() -> None:
    assert acquired_volume(table(_CYT="LSRII")) is None
    assert acquired_volume(table(_CYT="Attune NxT", _VOL="0")) is None


@pytest.mark.parametrize(
    ("date", "day"),
    [
        ("02-SEP-2009", (2009, 9, 2)),
        ("22-Sep-13", (2013, 9, 22)),
        ("2013-Jul-19", (2013, 7, 19)),
        ("2013-07-19", (2013, 7, 19)),
        ("20130719", (2013, 7, 19)),
        ("03-Mrz-2020", (2020, 3, 3)),
        ("11-Déc-1998", (1998, 12, 11)),
    ],
)
def test_dates_are_read_where_there_is_one_way_to_read_them(date: str, day: tuple[int, int, int]) -> None:
    assert acquired_at(table(_DATE=date)) == datetime(*day)


@pytest.mark.parametrize("date", ["03/04/2021", "", "yesterday", "31-FEB-2020"])
def test_dates_are_not_guessed_at(date: str) -> None:
    assert acquired_at(table(_DATE=date)) is None


def test_fcs_3_2_gives_date_and_time_in_one_keyword() -> None:
    events = table(_BEGINDATETIME="2024-05-01T09:00:00.5+02:00", _ENDDATETIME="2024-05-01T09:01:00.5+02:00")
    assert acquired_at(events) == datetime(2024, 5, 1, 9, 0, 0, 500_000)
    assert duration_seconds(events) == 60


def test_a_clock_that_was_set_back_does_not_tell_how_long_it_took() -> None:
    seconds = [
        duration_seconds(EventTable.from_columns({}, keywords={"$BTIM": "02:57:30", "$ETIM": stop}))
        for stop in ("03:00:30", "02:00:30")
    ]
    assert seconds == [180.0, None]


def test_a_time_step_that_is_no_number_is_unknown() -> None:
    assert time_step_seconds(table(_TIMESTEP="xxxxxxxxx")) is None
    assert time_step_seconds(table(_TIMESTEP="0,01")) == 0.01


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("HTS_BD_LSR_II_Mixed_Specimen_001_D6_D06.fcs", "D06"),
        ("Specimen_001_A1_A01_001.fcs", "A01"),
        ("Specimen_001_A01_A01.fcs", "A01"),
        ("CytoFLEX_01-Well-C3.fcs", "C03"),
        ("EY_2013-07-19_PBS_FCS_3.1_Well_A1.001.fcs", "A01"),
        ("G11.fcs", "G11"),
        ("B01 KC-A-W---91-US.fcs", "B01"),
        ("Sample_Well_A02.fcs", "A02"),
        ("Specimen_001_E01_008.fcs", None),
        ("96Well_E01_008.fcs", None),
        ("Specimen_001_A1_B02.fcs", None),
        ("A20 cells.fcs", None),
        ("day09.fcs", None),
    ],
)
def test_a_file_name_means_a_well_only_by_an_anchored_pattern(name: str, expected: str | None) -> None:
    assert well_in_file_name(name) == expected


def test_keyword_and_file_name_must_name_the_same_well() -> None:
    assert well(table("x_D6_D06.fcs", **{"WELL ID": "D06"})) == "D06"
    with pytest.raises(ReadError, match="WELL ID says D07, the file's name says D06") as caught:
        well(table("x_D6_D06.fcs", **{"WELL ID": "D07"}))
    assert caught.value.code == "E024"


def test_a_plate_that_is_not_applicable_is_no_plate() -> None:
    assert plate(table(_PLATEID="NA", _PLATENAME="Plate 1")) == "Plate 1"
    assert plate(table(_PLATEID="N/A")) is None
