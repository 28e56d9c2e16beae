"""Clinical variables and their units: what may be converted, and into what.

A unit belongs to a dimension and is so many times the dimension's base unit. A variable that is listed under
``VARIABLES`` has a unit in which it is drawn and scored; one that is not keeps its first unit. Case counts: ``G/L`` is
1e9/L, ``g/L`` is grams. Nothing is guessed: a unit that is not listed here is shown as written and never converted.
"""

from __future__ import annotations

import math
from enum import Enum

from msgspec import Struct

from cytocar.errors.near_names import near_names


class Dimension(Enum):
    """What a unit measures; only units of the same dimension convert."""

    MASS = "mass concentration"
    MOLAR = "molar concentration"
    CELLS = "cells per volume"
    COPIES = "copies per DNA"
    TEMPERATURE = "temperature"
    PRESSURE = "pressure"
    ENZYME = "enzyme activity"
    RATE = "per minute"
    PERCENT = "percent"
    NUMBER = "plain number"
    DOSE = "dose"
    AS_WRITTEN = "as written"


class Unit(Struct, frozen=True):
    """``value * factor + offset`` is the value in the dimension's base unit."""

    name: str
    dimension: Dimension
    factor: float = 1.0
    offset: float = 0.0


def _units(dimension: Dimension, factors: dict[str, float]) -> list[Unit]:
    return [Unit(name, dimension, factor) for name, factor in factors.items()]


_UNITS: tuple[Unit, ...] = (
    # µg/L
    *_units(
        Dimension.MASS,
        {
            "ug/L": 1, "ng/mL": 1, "mg/L": 1e3, "ug/mL": 1e3, "mg/dL": 1e4, "g/L": 1e6, "mg/mL": 1e6, "g/dL": 1e7,
            "ng/L": 1e-3, "pg/mL": 1e-3, "ug/dL": 10, "ng/dL": 1e-2,
        },
    ),
    # µmol/L
    *_units(Dimension.MOLAR, {"umol/L": 1, "mmol/L": 1e3, "nmol/L": 1e-3}),
    # cells/µL
    *_units(
        Dimension.CELLS,
        {
            "/uL": 1, "cells/uL": 1, "/mm3": 1, "M/L": 1, "1e6/L": 1, "10^6/L": 1, "G/L": 1e3, "1e9/L": 1e3,
            "10^9/L": 1e3, "10*9/L": 1e3, "K/uL": 1e3, "10^3/uL": 1e3, "1e3/uL": 1e3, "/nL": 1e3,
            "T/L": 1e6, "1e12/L": 1e6, "10^12/L": 1e6, "/mL": 1e-3, "cells/mL": 1e-3, "/L": 1e-6,
        },
    ),
    *_units(Dimension.COPIES, {"copies/ug": 1, "copies/ug DNA": 1}),
    Unit("C", Dimension.TEMPERATURE),
    Unit("F", Dimension.TEMPERATURE, factor=5 / 9, offset=-160 / 9),
    Unit("K", Dimension.TEMPERATURE, offset=-273.15),
    *_units(Dimension.PRESSURE, {"mmHg": 1, "kPa": 7.50062}),
    *_units(Dimension.ENZYME, {"U/L": 1, "IU/L": 1, "ukat/L": 60}),
    *_units(Dimension.RATE, {"/min": 1, "bpm": 1}),
    *_units(Dimension.PERCENT, {"%": 1, "percent": 1}),
    *_units(Dimension.NUMBER, {"grade": 1, "score": 1, "points": 1, "1": 1}),
    # doses are shown as given and never converted
    *_units(
        Dimension.DOSE,
        {
            "mg": 1, "g": 1, "ug": 1, "mg/kg": 1, "mg/m2": 1, "ug/kg": 1, "mg/day": 1, "mg/d": 1, "g/day": 1,
            "mg/kg/day": 1, "mg/m2/day": 1, "mL": 1, "mL/h": 1, "U": 1, "IU": 1, "IU/kg": 1, "cells": 1, "cells/kg": 1,
            "Gy": 1, "doses": 1, "dose": 1, "L/min": 1,
        },
    ),
)  # fmt: skip
UNITS = {unit.name: unit for unit in _UNITS}


class Variable(Struct, frozen=True):
    """A clinical variable with the unit in which it is drawn.

    ``molar_mass`` (g/mol) lets molar units convert to mass units. ``label`` is for axes. A value outside ``possible``
    can only be in another unit than the one beside it.
    """

    name: str
    unit: str
    label: str
    aliases: tuple[str, ...] = ()
    molar_mass: float | None = None
    possible: tuple[float, float] = (0.0, math.inf)


_VARIABLES: tuple[Variable, ...] = (
    Variable("temperature", "C", "Temperature", ("temp", "temperature_max", "body_temperature"), possible=(20, 45)),
    Variable("systolic", "mmHg", "Systolic", ("systolic_min", "systolic_pressure", "systolic_pressure_min", "sbp")),
    Variable(
        "diastolic", "mmHg", "Diastolic", ("diastolic_min", "diastolic_pressure", "diastolic_pressure_min", "dbp")
    ),
    Variable("heart_rate", "/min", "Heart rate", ("pulse", "hr")),
    Variable("ferritin", "ug/L", "Ferritin"),
    Variable("il6", "ng/L", "IL-6", ("il_6", "interleukin_6")),
    Variable("crp", "mg/L", "CRP", ("c_reactive_protein",)),
    # haemoglobin per haem, as laboratories give it: 16.114 g per mmol
    Variable("haemoglobin", "g/L", "Haemoglobin", ("hemoglobin", "hb", "hgb"), molar_mass=16_114.0),
    Variable("platelets", "G/L", "Platelets", ("plt", "thrombocytes", "platelet_count")),
    Variable("anc", "/uL", "ANC", ("neutrophils", "absolute_neutrophil_count", "neutrophil_count")),
    Variable("wbc", "/uL", "Leukocytes", ("leukocytes", "leucocytes")),
    Variable("lymphocytes", "/uL", "Lymphocytes", ("alc", "absolute_lymphocyte_count")),
    Variable("cd4", "/uL", "CD4 T cells", ("cd4_cells", "cd4_t_cells", "cd4_count")),
    Variable("nk_cells", "/uL", "NK cells", ("nk",)),
    Variable("b_cells", "/uL", "B cells", ("b_cells_per_ul", "cd19", "cd19_b_cells")),
    Variable("ldh", "U/L", "LDH", ("lactate_dehydrogenase",)),
    Variable("creatinine", "mg/dL", "Creatinine", ("serum_creatinine",), molar_mass=113.12),
    Variable("fibrinogen", "g/L", "Fibrinogen"),
    Variable("igg", "g/L", "IgG", ("immunoglobulin_g",)),
    Variable("transgene", "copies/ug", "Transgene", ("vector_copies", "transgene_copies")),
    Variable("crs_grade", "grade", "CRS", ("crs",), possible=(0, 5)),
    Variable("ice", "points", "ICE", ("ice_score",), possible=(0, 10)),
    Variable("icans_grade", "grade", "ICANS", ("icans",), possible=(0, 5)),
)
VARIABLES = {variable.name: variable for variable in _VARIABLES}
_BY_ALIAS = {alias: variable for variable in _VARIABLES for alias in (variable.name, *variable.aliases)}


def plain(name: str) -> str:
    """Return a variable's name in lower case with ``_`` for blanks and hyphens.

    Examples
    --------
    >>> plain("IL-6"), plain("CRS grade")
    ('il_6', 'crs_grade')
    """
    return "_".join("".join(letter if letter.isalnum() else " " for letter in name.lower()).split())


def find_variable(name: str) -> Variable | None:
    """Return the listed variable of that name or alias.

    Examples
    --------
    >>> find_variable("Hb").unit
    'g/L'
    """
    return _BY_ALIAS.get(plain(name))


def variable_name(name: str) -> str:
    """Return the name under which a variable is kept: the listed one for any of its aliases.

    Examples
    --------
    >>> variable_name("IL-6"), variable_name("IFN gamma")
    ('il6', 'ifn_gamma')
    """
    listed = find_variable(name)
    return listed.name if listed else plain(name)


def find_unit(text: str) -> Unit | None:
    """Return the unit of that name; micro signs and degree signs may be typed either way.

    Examples
    --------
    >>> find_unit("µg/l").name, find_unit("°C").name, find_unit("mg/dl").name
    ('ug/L', 'C', 'mg/dL')
    """
    written = text.strip().replace("µ", "u").replace("μ", "u").replace("°", "").replace("²", "2").replace("³", "3")
    written = written.replace("×", "").replace("⁹", "^9").replace(" /", "/").replace("/ ", "/")
    if written.lower().startswith("x10"):
        written = written[1:]
    # A lower-case l is as common as L for litre, and changes nothing else.
    for candidate in (written, written.replace("/l", "/L").replace("ul", "uL").replace("ml", "mL").replace("dl", "dL")):
        if candidate in UNITS:
            return UNITS[candidate]
    return None


def unit_as_written(text: str) -> Unit:
    """Return a listed unit, else one of that very name which converts to nothing else.

    Examples
    --------
    >>> unit_as_written("mg/l").name, unit_as_written(" NPX ").dimension.value
    ('mg/L', 'as written')
    """
    return find_unit(text) or Unit(text.strip(), Dimension.AS_WRITTEN)


def near_units(text: str) -> list[str]:
    """Return names of known units that look like ``text``; first of all those that differ in case only."""
    same = [unit for unit in UNITS if unit.lower() == text.lower()]
    return same or near_names(text, UNITS, most=2)


def convert(value: float, unit: Unit, to: Unit, *, molar_mass: float | None = None) -> float | None:
    """Return the value in another unit; ``None`` where the two measure different things.

    Examples
    --------
    >>> convert(1.95, UNITS["mg/dL"], UNITS["mg/L"])
    19.5
    >>> round(convert(100.6, UNITS["F"], UNITS["C"]), 1)
    38.1
    >>> convert(88.4, UNITS["umol/L"], UNITS["mg/dL"]) is None
    True
    >>> round(convert(88.4, UNITS["umol/L"], UNITS["mg/dL"], molar_mass=113.12), 3)
    1.0
    """
    base = value * unit.factor + unit.offset
    if unit.dimension is Dimension.MOLAR and to.dimension is Dimension.MASS and molar_mass is not None:
        base *= molar_mass  # µmol/L * g/mol = µg/L
    elif unit.dimension is not to.dimension:
        return None
    return (base - to.offset) / to.factor
