"""The tubes of one patient over time: ``sample_data`` says what is in the blood, a sheet how it was prepared."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct

from cytocar.files.bundled import sample_data_folder
from cytocar.files.toml import parse_toml
from cytocar.simulate.acquire import SimulatedTube, blood_tube
from cytocar.simulate.cells import Blood
from cytocar.simulate.preparation import Preparation
from cytocar.tables.delimited import DelimitedTable, Row, read_delimited

_DRAWN_AT = time(8, 15)


class ScenarioTube(Struct, frozen=True):
    """What is really in the blood of one tube, and how much of it the cytometer stores."""

    car_per_ul: float
    car_cd4_cd8: float
    blood: Blood
    stored_below_ssc: float | None


class Scenario(Struct, frozen=True):
    """A patient: the day of infusion and the tubes by ``sample_id``."""

    infused_on: date
    seed: int
    tubes: Mapping[str, ScenarioTube]


def read_scenario(path: Path | None = None) -> Scenario:
    """Return the scenario of a TOML file, by default that of the sample course.

    >>> read_scenario().tubes["day09"].car_per_ul
    1064.0
    """
    document = parse_toml((path or sample_data_folder() / "scenario.toml").read_text(encoding="utf-8"))
    tubes = {name: _scenario_tube(table) for name, table in document["tubes"].items()}
    return Scenario(infused_on=document["infused_on"], seed=document["seed"], tubes=tubes)


def _scenario_tube(table: Mapping[str, Any]) -> ScenarioTube:
    limit = table.get("stored_below_ssc")
    return ScenarioTube(
        car_per_ul=float(table["car_per_ul"]),
        car_cd4_cd8=float(table.get("car_cd4_cd8", 1.0)),
        blood=Blood(**table["blood"], activation=float(table.get("activation", 0.0))),
        stored_below_ssc=None if limit is None else float(limit),
    )


def sample_course(folder: Path | str, *, seed: int | None = None) -> Path:
    """Lay out the sample course in a folder: FCS files with their truth, sheet, clinical values, interventions.

    Parameters
    ----------
    folder : Path or str
        Made where missing; files of the same names are replaced.
    seed : int, optional
        Seed of all tubes; by default the scenario's.

    Returns
    -------
    Path
        The sample sheet.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("clinical.csv", "interventions.csv"):
        shutil.copyfile(sample_data_folder() / name, folder / name)
    return simulate_sheet(sample_data_folder() / "sheet.csv", folder, seed=seed)


def simulate_sheet(sheet: Path, folder: Path, *, scenario: Scenario | None = None, seed: int | None = None) -> Path:
    """Write the tube of each row of a sample sheet, and the sheet, to a folder; return the sheet written.

    A row's ``sample_id`` names its tube in the scenario; ``sample_volume_ul`` and ``beads_added`` are the row's.
    """
    scenario = scenario or read_scenario()
    table = read_delimited(sheet)
    for number, row in enumerate(table.rows):
        sequence = np.random.SeedSequence(scenario.seed if seed is None else seed, spawn_key=(number,))
        _tube_of_row(table, row, scenario, sequence).write(folder / row.cells["file"])
    written = folder / sheet.name
    if written.resolve() != sheet.resolve():
        shutil.copyfile(sheet, written)
    return written


def _tube_of_row(
    table: DelimitedTable, row: Row, scenario: Scenario, sequence: np.random.SeedSequence
) -> SimulatedTube:
    known = scenario.tubes[row.cells["sample_id"]]
    day = table.number(row.cells["day"]) or 0.0
    return blood_tube(
        car_per_ul=known.car_per_ul,
        car_cd4_cd8=known.car_cd4_cd8,
        blood=known.blood,
        preparation=Preparation(
            sample_volume_ul=table.number(row.cells["sample_volume_ul"]),
            beads_added=table.number(row.cells["beads_added"]) or 0.0,
            stored_below_ssc=known.stored_below_ssc,
        ),
        seed=sequence,
        acquired_at=datetime.combine(scenario.infused_on, _DRAWN_AT) + timedelta(days=day),
    )
