"""Units convert where they measure the same, and nothing is guessed."""

from __future__ import annotations

import pytest

from cytocar.course.units import UNITS, VARIABLES, convert, find_unit, find_variable


@pytest.mark.parametrize(
    ("value", "unit", "to", "expected"),
    [
        (19.5, "mg/L", "mg/dL", 1.95),
        (9.0, "g/dL", "g/L", 90),
        (38.1, "C", "F", 100.58),
        (98.6, "F", "C", 37),
        (310.15, "K", "C", 37),
        (77_945, "ng/mL", "ug/L", 77_945),
        (15_777, "pg/mL", "ng/L", 15_777),
        (1.2, "G/L", "/uL", 1200),
        (175_000, "/uL", "G/L", 175),
        (12, "kPa", "mmHg", 90.00744),
        (4, "ukat/L", "U/L", 240),
    ],
)
def test_known_units_convert(value: float, unit: str, to: str, expected: float) -> None:
    assert convert(value, UNITS[unit], UNITS[to]) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("µg/L", "ug/L"),
        ("μg/l", "ug/L"),
        ("°C", "C"),
        ("mg/m²", "mg/m2"),
        ("x10^9/L", "10^9/L"),
        ("×10⁹/L", "10^9/L"),
        ("cells/µL", "cells/uL"),
        ("/µl", "/uL"),
        ("mg / dL", "mg/dL"),
    ],
)
def test_units_are_known_in_the_ways_they_are_typed(written: str, name: str) -> None:
    unit = find_unit(written)
    assert unit is not None
    assert unit.name == name


@pytest.mark.parametrize("written", ["", "MG/L", "furlong", "G/l ?", "u"])
def test_other_texts_are_no_unit(written: str) -> None:
    assert find_unit(written) is None


def test_gram_and_giga_per_litre_are_two_units() -> None:
    gram, giga = find_unit("g/L"), find_unit("G/L")
    assert gram is not None
    assert giga is not None
    assert convert(1, gram, giga) is None


def test_molar_units_convert_only_with_the_substances_molar_mass() -> None:
    creatinine = VARIABLES["creatinine"]
    assert convert(100, UNITS["umol/L"], UNITS["mg/dL"]) is None
    assert convert(100, UNITS["umol/L"], UNITS["mg/dL"], molar_mass=creatinine.molar_mass) == pytest.approx(1.1312)
    haemoglobin = VARIABLES["haemoglobin"]
    assert convert(8, UNITS["mmol/L"], UNITS["g/L"], molar_mass=haemoglobin.molar_mass) == pytest.approx(128.9, abs=0.1)


@pytest.mark.parametrize(
    ("written", "name"), [("IL-6", "il6"), ("Hb", "haemoglobin"), ("CRS", "crs_grade"), ("Neutrophils", "anc")]
)
def test_variables_are_known_by_their_other_names(written: str, name: str) -> None:
    variable = find_variable(written)
    assert variable is not None
    assert variable.name == name


@pytest.mark.parametrize("name", VARIABLES)
def test_every_variable_is_drawn_in_a_known_unit(name: str) -> None:
    assert VARIABLES[name].unit in UNITS
