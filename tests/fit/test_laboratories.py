"""One tube as twelve laboratories would write it: the same T, CD4 and CD8 cells, whatever names, scales and ranges."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pytest

from cytocar.fcs.reader import open_fcs
from cytocar.fcs.write import write_fcs
from cytocar.fit.names import alias_book, is_fluorescence
from cytocar.fit.template import fit_template
from cytocar.fit.tubes import own_matrix, signal_of
from cytocar.gates.walk import walk

Floats = npt.NDArray[np.float64]
BOOK = alias_book()
COUNTED = ("t_cells", "cd4", "cd8")
DYES = ("FITC", "PE", "PerCP-Cy5.5", "PE-Cy7", "APC", "APC-Cy7", "BV421", "BV510", "BV605", "BV650", "BV711", "BV785")
OTHER_NAMES = {"CD3": "Leu-4", "CD4": "hCD4", "CD8": "CD 8a", "viability": "LIVE/DEAD", "CD45": "cd45"}


@dataclass(frozen=True)
class Laboratory:
    """How a laboratory's cytometer names and scales what it records.

    ``detector`` and ``label`` are of the number of a channel, its dye and its marker; ``top`` is where its signals end.
    """

    detector: Callable[[int, str], str]
    label: Callable[[int, str, str], str]
    top: float
    ends: float
    scatter: tuple[str, str, str] = ("FSC-A", "FSC-H", "SSC-A")
    amplifier: Literal["linear", "log"] = "linear"


LABORATORIES = {
    "Aurora": Laboratory(lambda _, dye: f"{dye}-A", lambda _, __, marker: marker, 2**22, 2**22),
    "Northern Lights": Laboratory(lambda _, dye: f"{dye}-A", lambda _, __, marker: marker, 2**22, 2**18),
    "LSRFortessa": Laboratory(
        lambda number, _: f"[V] {400 + 25 * number}/40-A", lambda _, dye, marker: f"{dye} - {marker}", 2**18, 2**18
    ),
    "FACSLyric": Laboratory(lambda _, dye: f"{dye}-A", lambda _, dye, marker: f"{marker} {dye}-A", 2**18, 2**18),
    "CytoFLEX": Laboratory(
        lambda number, _: f"FL{number}-A", lambda _, dye, marker: f"{marker}-{dye}-A", 2**22, 2**24 - 1
    ),
    "Attune": Laboratory(lambda number, _: f"BL{number}-A", lambda _, dye, marker: f"{marker} {dye}-A", 2**20, 2**20),
    "MACSQuant": Laboratory(lambda number, _: f"V{number}-A", lambda _, dye, marker: f"{marker} {dye}-A", 1e5, 2**18),
    "Navios": Laboratory(
        lambda number, _: f"FL{number} INT LIN",
        lambda number, dye, marker: f"FL{number} INT LIN : {marker} {dye}",
        2**20,
        2**20,
        ("FS INT LIN", "FS PEAK LIN", "SS INT LIN"),
    ),
    "NovoCyte": Laboratory(lambda _, dye: f"{dye}-A", lambda _, dye, marker: f"{marker} {dye}", 2**22, 2**24),
    "ID7000": Laboratory(
        lambda _, dye: f"{dye}-A",
        lambda _, dye, marker: f"{marker} : {dye} - Area",
        2**20,
        2**20,
        ("FSC_A", "FSC_H", "SSC_A"),
    ),
    "share of the range": Laboratory(lambda _, dye: f"{dye}-A", lambda _, __, marker: marker, 1.0, 1.0),
    "four decades on 18 bits": Laboratory(
        lambda number, _: f"FL{number}-A", lambda _, dye, marker: f"{marker} {dye}", 2**18, 2**18, amplifier="log"
    ),
}


@dataclass(frozen=True)
class Original:
    """A tube's scatter and compensated signals by marker, the top of its scale, and who its own template counts."""

    scatter: Mapping[str, Floats]
    signals: Mapping[str, Floats]
    top: float
    counted: Mapping[str, npt.NDArray[np.bool_]]


@pytest.fixture(scope="module", params=["cytopipeline_omip021/Donor2.fcs", "more/canto_tbnk.fcs"])
def original(request: pytest.FixtureRequest, shared_data: Path) -> Original:
    """PBMC of an LSRFortessa with FSC-H and a viability dye; whole blood of a FACSCanto II with neither."""
    file = shared_data / "tcell_human" / str(request.param)
    fitted = fit_template([file], BOOK, name="own")
    events, tube = open_fcs(file), fitted.study.tubes[0]
    matrix = own_matrix(events)
    raw = {channel: np.asarray(events.column(channel), dtype=np.float64) for channel in events.channels}
    values = {marker: signal_of(channel, matrix, raw) for marker, channel in tube.panel.channels.items()}
    dyes = {marker for marker, channel in tube.panel.channels.items() if is_fluorescence(channel)}
    populations = walk(events, fitted.template)
    return Original(
        {marker: signal for marker, signal in values.items() if marker not in dyes and marker[3:] in ("-A", "-H")},
        {marker: signal for marker, signal in values.items() if marker in dyes},
        tube.top,
        {name: populations[name].mask for name in COUNTED},
    )


@pytest.mark.parametrize("name", LABORATORIES)
def test_the_same_cells_are_found_in_files_of_other_laboratories(name: str, original: Original, tmp_path: Path) -> None:
    laboratory = LABORATORIES[name]
    columns: dict[str, Floats] = {}
    markers: dict[str, str] = {}
    highest = max(float(signal.max()) for signal in original.scatter.values())
    for scatter, called in zip(("FSC-A", "FSC-H", "SSC-A"), laboratory.scatter, strict=True):
        if scatter in original.scatter:
            columns[called] = original.scatter[scatter] * laboratory.ends / highest
    for number, (marker, dye) in enumerate(zip([*original.signals][::-1], DYES, strict=False), start=1):
        detector = laboratory.detector(number, dye)
        columns[detector] = original.signals[marker] * laboratory.top / original.top
        if laboratory.amplifier == "log":
            columns[detector] = np.maximum(columns[detector], laboratory.top / 1e4)
        markers[detector] = laboratory.label(number, dye, OTHER_NAMES.get(marker, marker))
    file = tmp_path / "other.fcs"
    write_fcs(file, columns, markers=markers, ranges=dict.fromkeys(columns, laboratory.ends))

    populations = walk(open_fcs(file), fit_template([file], BOOK, name="other").template)
    for population, mask in original.counted.items():
        both = float((populations[population].mask & mask).sum())
        agreement = 2 * both / float(populations[population].events + mask.sum())
        assert agreement >= 0.95, population
