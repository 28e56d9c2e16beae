"""``template fit`` on tubes as the files of 24 further instruments and programs hold them, by their real names.

Every second instrument and specimen was looked at while rules were set; the others were looked at once, after.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from benchmarks.validity.originals import Floats, Original, real_originals
from benchmarks.validity.other_laboratories import Judged, judge
from benchmarks.validity.specimens import SPECIMENS, draw_specimen
from benchmarks.validity.spikes import shared_data
from cytocar.fcs.write import write_fcs
from cytocar.fit.evidence import has_floor

DYES = ("FITC", "PE", "PerCP-Cy5.5", "PE-Cy7", "APC", "APC-Cy7", "BV421", "BV510", "BV605", "BV650", "BV711", "BV785")
FLOAT, LOG_1024, LOG_65536 = "float", "log 1024", "log 65536"


class Instrument(Struct, frozen=True):
    """How an instrument's files name, scale and store what it records.

    ``scatter`` names of FSC-A, FSC-H, FSC-W, SSC-A, SSC-H, SSC-W by these; ``detectors`` names of one dye's channels by
    its number and dye, the measure of each behind ``@`` (A, H or W); ``label`` of number, dye, marker and measure.
    ``top`` is where signals end, ``ends`` ``$PnR``; ``below`` what becomes of values below zero; ``colours`` how many
    dyes it has; ``beside`` channels that carry no marker.
    """

    scatter: Mapping[str, str]
    detectors: Callable[[int, str], Sequence[str]]
    label: Callable[[int, str, str, str], str]
    top: float = 2.0**18
    ends: float = 2.0**18
    stored: str = FLOAT
    below: str = "kept"
    spills: bool = False
    colours: int = 9
    beside: Sequence[str] = ("Time",)
    step: float = 0.01
    reads: str = ""


def _plain(*names: str) -> dict[str, str]:
    return {name: name for name in names}


AHW = _plain("FSC-A", "FSC-H", "FSC-W", "SSC-A", "SSC-H", "SSC-W")
INSTRUMENTS: Mapping[str, Instrument] = {
    "Attune NxT": Instrument(
        AHW,
        lambda n, _: [f"BL{n}-A@A", f"BL{n}-H@H", f"BL{n}-W@W"],
        lambda n, dye, marker, m: marker,
        2**20,
        2**20,
        spills=True,
    ),
    "CytoFLEX": Instrument(
        {"FSC-H": "FSC-H", "FSC-A": "FSC-A", "SSC-H": "SSC-H", "SSC-A": "SSC-A", "FSC-W": "FSC-Width"},
        lambda n, _: [f"FL{n}-H@H", f"FL{n}-A@A"],
        lambda n, dye, marker, m: f"{marker} {dye}-{m}",
        2**22,
        2**24,
        spills=True,
    ),
    "MACSQuant": Instrument(
        AHW,
        lambda n, _: [f"FL{n}-A@A", f"FL{n}-H@H", f"FL{n}-W@W"],
        lambda n, dye, marker, m: f"{marker}-{dye}-{m}",
        1000.0,
        1000.0,
        beside=("Time", "HDR-CE", "HDR-SE", "HDR-V"),
    ),
    "NovoCyte": Instrument(
        _plain("FSC-H", "FSC-A", "SSC-H", "SSC-A"),
        lambda n, dye: [f"{dye}-H@H", f"{dye}-A@A"],
        lambda n, dye, marker, m: marker,
        2**23,
        2**24,
        beside=("Width", "Time"),
        spills=True,
    ),
    "Accuri C6": Instrument(
        _plain("FSC-A", "SSC-A", "FSC-H", "SSC-H"),
        lambda n, _: [f"FL{n}-A@A", f"FL{n}-H@H"],
        lambda n, dye, marker, m: f"{marker} {dye}-{m}",
        2**22,
        2**24,
        colours=4,
        beside=("Width", "Time"),
    ),
    "Guava easyCyte": Instrument(
        {"FSC-H": "FSC-HLin", "SSC-H": "SSC-HLin", "FSC-A": "FSC-ALin", "SSC-A": "SSC-ALin", "FSC-W": "FSC-W"},
        lambda n, _: [f"GRN-B{n}-HLin@H", f"GRN-B{n}-ALin@A", f"GRN-B{n}-W@W"],
        lambda n, dye, marker, m: f"{marker} {dye}",
        1e5,
        1e5,
        colours=5,
        below="clipped",
    ),
    "Navios, LMD": Instrument(
        {"FSC-A": "FS INT LIN", "FSC-H": "FS PEAK LIN", "FSC-W": "FS TOF LIN", "SSC-A": "SS INT LIN"},
        lambda n, _: [f"FL{n} INT LOG@A"],
        lambda n, dye, marker, m: f"{marker}-{dye}",
        1e4,
        1024,
        LOG_1024,
        spills=False,
        colours=7,
        beside=("TIME",),
    ),
    "Gallios, FCS 3": Instrument(
        {"FSC-A": "FS-A", "FSC-H": "FS-H", "FSC-W": "FS-W", "SSC-A": "SS-A"},
        lambda n, _: [f"FL{n}-A@A"],
        lambda n, dye, marker, m: f"FL{n}-A {marker}-{dye}",
        2**20,
        2**20,
        spills=True,
    ),
    "FC500": Instrument(
        {"FSC-A": "FS Lin", "SSC-A": "SS Lin"},
        lambda n, _: [f"FL{n} Log@A"],
        lambda n, dye, marker, m: f"FL{n} Log {marker} {dye}",
        1e4,
        1024,
        LOG_1024,
        colours=5,
        beside=("TIME",),
    ),
    "FACSCalibur": Instrument(
        {"FSC-H": "FSC-H", "SSC-H": "SSC-H"},
        lambda n, _: [f"FL{n}-H@H"],
        lambda n, dye, marker, m: f"{marker} {dye}",
        1e4,
        1024,
        LOG_1024,
        colours=4,
        beside=("FL2-A", "FL2-W", "Time"),
    ),
    "LSRFortessa": Instrument(
        AHW,
        lambda n, _: [f"B {500 + 30 * n}/30-A@A", f"B {500 + 30 * n}/30-H@H"],
        lambda n, dye, marker, m: f"{dye} {marker} ({'UCHT1' if marker == 'CD3' else 'x'})",
        spills=True,
    ),
    "Symphony": Instrument(AHW, lambda n, dye: [f"{dye}-A@A"], lambda n, dye, marker, m: marker, spills=True),
    "Canto, FCS 2": Instrument(
        _plain("FSC-A", "SSC-A"),
        lambda n, dye: [f"{dye}-A@A"],
        lambda n, dye, marker, m: f"{marker} {dye}-A",
        1e4,
        1024,
        LOG_1024,
    ),
    "Aurora": Instrument(
        {**AHW, "SSC-A": "SSC-A"},
        lambda n, dye: [f"{dye}-A@A"],
        lambda n, dye, marker, m: marker,
        2**22,
        2**22,
        beside=("Time", "SSC-B-A", "SSC-B-H", "AF-A"),
    ),
    "ID7000": Instrument(
        {"FSC-A": "FSC_A", "FSC-H": "FSC_H", "SSC-A": "SSC_A", "SSC-H": "SSC_H"},
        lambda n, dye: [f"{dye}@A"],
        lambda n, dye, marker, m: f"{marker}:{dye} - Area",
        2**20,
        2**20,
        beside=("TIME", "AF - Area"),
    ),
    "ZE5": Instrument(
        {
            "FSC-A": "FSC 488/10-A",
            "FSC-H": "FSC 488/10-H",
            "FSC-W": "FSC 488/10-W",
            "SSC-A": "SSC 488/10-A",
            "SSC-H": "SSC 488/10-H",
        },
        lambda n, dye: [f"{500 + 25 * n}/35[488]-A@A", f"{500 + 25 * n}/35[488]-H@H"],
        lambda n, dye, marker, m: f"{dye} {marker}",
        2**19,
        2**19,
        spills=True,
    ),
    "Stratedigm": Instrument(
        {"FSC-H": "FSC LinH", "FSC-A": "FSC LinA", "SSC-H": "SSC LinH", "SSC-A": "SSC LinA"},
        lambda n, dye: [f"488nm {dye} ({500 + 30 * n}/30) LinH@H", f"488nm {dye} ({500 + 30 * n}/30) LinA@A"],
        lambda n, dye, marker, m: marker,
        1e4,
        1e4,
        beside=("Width", "Time"),
    ),
    "CyFlow": Instrument(
        _plain("FSC-A", "SSC-A") | {"FSC-A": "FSC", "SSC-A": "SSC"},
        lambda n, _: [f"FL{n}@A"],
        lambda n, dye, marker, m: f"{marker} {dye}",
        65536,
        65536,
        LOG_65536,
        colours=6,
        beside=("TIME", "DOUBLET"),
    ),
    "SH800": Instrument(
        {"FSC-A": "FSC-A", "FSC-H": "FSC-H", "SSC-A": "BSC-A", "SSC-H": "BSC-H"},
        lambda n, _: [f"FL{n}-A@A", f"FL{n}-H@H"],
        lambda n, dye, marker, m: f"{dye} : {marker}-{m}",
        2**20,
        2**20,
        spills=True,
        colours=6,
    ),
    "FACSVerse": Instrument(
        AHW,
        lambda n, dye: [f"{dye}-A@A", f"{dye}-H@H", f"{dye}-W@W"],
        lambda n, dye, marker, m: f"{marker} {dye}-{m}",
        spills=True,
    ),
    "CyTOF": Instrument(
        {},
        lambda n, _: [f"Er{160 + n}Di@A"],
        lambda n, dye, marker, m: f"{160 + n}Er_{marker}",
        2000.0,
        8192.0,
        below="zero",
        beside=("Time", "Event_length", "DNA1", "Center", "Residual"),
    ),
    "Cytek DxP": Instrument(
        {"FSC-H": "FSC", "FSC-A": "FSCA", "FSC-W": "FSCW", "SSC-H": "SSC"},
        lambda n, _: [f"BluFL{n}@H"],
        lambda n, dye, marker, m: f"{marker}_{dye}",
        1e4,
        1024,
        LOG_1024,
        colours=6,
        beside=("TIME",),
    ),
    "FlowJo export": Instrument(
        AHW,
        lambda n, dye: [f"Comp-{dye}-A@A"],
        lambda n, dye, marker, m: f"{marker} {dye}",
    ),
    "FCS Express": Instrument(
        {"FSC-A": "FSC Area", "FSC-H": "FSC Height", "SSC-A": "SSC Area"},
        lambda n, dye: [f"{dye} Area@A", f"{dye} Height@H"],
        lambda n, dye, marker, m: f"{dye} {marker} {'Area' if m == 'A' else 'Height'}",
        spills=True,
    ),
}

ORDER = ("CD3", "CD8", "CD45", "CD4", "CD19", "CD56", "viability", "CD45RA", "CD27")
"""Which markers come first where an instrument has few colours."""
LABELS = {"viability": "Zombie Aqua", "CD56": "CD16+56"}


def write_file(tube: Original, instrument: Instrument, file: Path, *, seed: int = 0) -> None:
    """Write a tube as an instrument does."""
    random = np.random.default_rng((31, seed))
    columns: dict[str, Floats] = {}
    ranges: dict[str, float] = {}
    labels: dict[str, str] = {}
    keywords: dict[str, str] = {}
    logarithmic = instrument.stored != FLOAT
    ten_bits = 1024.0 if instrument.stored == LOG_1024 else 65_536.0
    scatter_top = ten_bits if logarithmic else min(instrument.ends, 2.0**24)
    for role, called in instrument.scatter.items():
        if role not in tube.scatter:
            continue
        values = tube.scatter[role]
        highest = float(tube.scatter[f"{role[:3]}-A"].max())
        scaled = values * scatter_top / (2.0**18 if role.endswith("W") else highest)
        columns[called] = np.clip(scaled, 0, scatter_top - 1)
        ranges[called] = scatter_top
    names = [marker for marker in ORDER if marker in tube.signals][: instrument.colours]
    signals = {marker: tube.signals[marker] * instrument.top / tube.top for marker in names}
    spills = instrument.spills and not any(has_floor(values) for values in signals.values())  # a floor was measured
    if spills:
        signals, matrix = _spilled(signals, random)
    areas: list[str] = []
    for number, (marker, values) in enumerate(signals.items(), start=1):
        dye = DYES[(number * 5) % len(DYES)]
        for named in instrument.detectors(number, dye):
            detector, measure = named.rsplit("@", 1)
            shown = {"A": values, "H": 0.8 * values, "W": np.full(len(values), 0.3 * instrument.ends)}[measure]
            if measure == "W":
                shown = shown * random.lognormal(0, 0.1, len(values))
            if instrument.below in ("clipped", "zero"):
                shown = np.maximum(shown, 0.0)
            areas += [detector] if measure == "A" else []
            columns[detector] = shown
            ranges[detector] = instrument.ends
            labels[detector] = instrument.label(number, dye, LABELS.get(marker, marker), measure)
            if logarithmic:
                decades = 4.0
                floor = instrument.top / 10**decades
                channel = ten_bits / decades * np.log10(np.maximum(shown, floor) / floor)
                columns[detector] = np.clip(np.round(channel), 0, ten_bits - 1)
                ranges[detector] = ten_bits
                keywords[f"$P{len(columns)}E"] = f"{decades:g},1"
    if spills and len(areas) == len(signals):
        keywords["$SPILLOVER"] = ",".join([str(len(areas)), *areas, *(f"{v:.5g}" for v in matrix.ravel())])
    for other in instrument.beside:
        clock = other.lower() == "time"
        usual = np.arange(tube.events) * instrument.step if clock else random.normal(0.002, 0.002, tube.events) * 1e3
        columns[other] = np.asarray(np.clip(usual, 0, scatter_top - 1) if logarithmic else usual, float)
        ranges[other] = scatter_top if logarithmic else 2.0**18
    if logarithmic:
        columns = {name: np.floor(values) for name, values in columns.items()}
    write_fcs(
        file, columns, markers=labels, ranges=ranges, keywords=keywords, storage="uint16" if logarithmic else "float32"
    )


def _spilled(signals: Mapping[str, Floats], random: np.random.Generator) -> tuple[dict[str, Floats], Floats]:
    matrix = random.beta(0.5, 7, (len(signals), len(signals))).clip(0, 0.2)
    np.fill_diagonal(matrix, 1)
    measured = np.column_stack([*signals.values()]) @ matrix
    return dict(zip(signals, measured.T, strict=True)), matrix


def tubes(specimens: Sequence[str], seed: int) -> Iterator[Original]:
    """Yield a tube of each specimen: 3,000 to 60,000 events, voltages that differ."""
    for number, name in enumerate(specimens):
        random = np.random.default_rng((37, seed, number))
        events = int(random.choice([3000, 12_000, 30_000, 60_000]))
        if name.startswith("lymphopenic"):
            events = max(events, 30_000)
        yield draw_specimen(
            name,
            events,
            seed,
            doublets=float(random.choice([0.01, 0.04, 0.08])),
            gain=float(random.choice([0.5, 1.0, 1.6])),
        )


def halves(once: bool) -> tuple[list[str], list[str]]:
    """Return the instruments and specimens that were looked at while rules were set, or the others."""
    return [*INSTRUMENTS][int(once) :: 2], [*SPECIMENS][int(once) :: 2]


def trial(instruments: Sequence[str], originals: Iterable[Original], seed: int) -> Iterator[Judged]:
    """Yield what becomes of each tube on each instrument."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "copy.fcs"
        for tube in originals:
            for number, name in enumerate(instruments):
                write_file(tube, INSTRUMENTS[name], file, seed=seed + number)
                yield judge(name, tube, file)


STAINS = ("CD3", "CD4", "CD8", "CD45", "CD19", "CD56", "viability")
CELLS: Mapping[str, Mapping[str, Any]] = {
    "unstained": {"unstained": STAINS},
    "without CD3 (FMO)": {"unstained": ("CD3",)},
    "without CD8 (FMO)": {"unstained": ("CD8",)},
    "CD4 alone": {"unstained": tuple(marker for marker in STAINS if marker != "CD4")},
    "CD3 forgotten, bright cells glow": {"unstained": ("CD3",), "glow": 4.0},
    "counting beads, 5 %": {"beads": 0.05},
    "CD3 a fifth": {"dim": 0.2},
    "CD3 a twentieth": {"dim": 0.05},
    "four times the autofluorescence": {"glow": 4.0},
    "12 % doublets": {"doublets": 0.12},
    "800 events": {"events": 800},
    "250,000 events": {"events": 250_000},
    "a tenth of the voltage": {"gain": 0.1},
    "five times the voltage": {"gain": 5.0},
}


def other_cells(once: bool, seed: int) -> Iterator[Judged]:
    """Yield what becomes of tubes with other cells or stains in them, each specimen on one instrument of its half."""
    instruments, specimens = halves(once)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "copy.fcs"
        for number, (kind, about) in enumerate(CELLS.items()):
            for place, name in enumerate(specimens):
                instrument = instruments[(5 * number + 7 * place + 3 * seed) % len(instruments)]
                tube = draw_specimen(name, **{"events": 20_000, "seed": 100 + seed, **about})
                write_file(tube, INSTRUMENTS[instrument], file, seed=seed)
                yield replace(judge(kind, tube, file), tube=f"{name}, {instrument}")


def several_files(once: bool, seed: int) -> Iterator[Judged]:
    """Yield what becomes of four files of one specimen with voltages up to 1.6 times apart, fitted together."""
    instruments, specimens = halves(once)
    with TemporaryDirectory() as folder:
        for place, name in enumerate(specimens):
            for instrument in instruments[seed % 3 :: 3]:
                gains = np.random.default_rng((41, seed, place)).uniform(0.8, 1.28, 4)
                drawn = [draw_specimen(name, 15_000, 200 + 10 * seed + at, gain=gain) for at, gain in enumerate(gains)]
                files = [Path(folder) / f"copy{at}.fcs" for at in range(4)]
                for tube, file in zip(drawn, files, strict=True):
                    write_file(tube, INSTRUMENTS[instrument], file, seed=seed)
                for tube, file in zip(drawn, files, strict=True):
                    judged = judge("four files together", tube, file, together=files)
                    yield replace(judged, tube=f"{name}, {instrument}")


def half(once: bool, *, seeds: int) -> Iterator[Judged]:
    """Yield what becomes of one half: its instruments with its specimens, drawn so often, and its real tubes."""
    instruments, specimens = halves(once)
    for seed in range(seeds):
        yield from trial(instruments, tubes(specimens, seed), seed)
    yield from trial(instruments, real_originals(shared_data(), held_out=once), 0)
    for seed in range(seeds):
        yield from other_cells(once, seed)
        yield from several_files(once, seed)
