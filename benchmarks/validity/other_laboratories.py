"""``template fit`` on copies of tubes as other laboratories export them, and with other cells in them.

A copy is right if the template that is made from it alone counts T, CD4 and CD8 cells within a tenth of the truth.
It is silently wrong if it does not, and ``gate`` with that template, which repeats the doubts of the fit, is ``ok``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from benchmarks.validity.originals import BOOK, COUNTED, Floats, Original
from benchmarks.validity.other_cells import CHANGES
from cytocar.errors.tree import SampleError
from cytocar.fcs.reader import open_fcs
from cytocar.fcs.write import write_fcs
from cytocar.fit.draft import refuse_without_t_cells
from cytocar.fit.evidence import has_floor
from cytocar.fit.template import fit_template
from cytocar.sample.analysis import quantify

HEAD = (
    "copies",
    "number",
    "right and ok",
    "right, review",
    "a part missing, and noted",
    "refused",
    "wrong, review",
    "silently wrong",
    "codes of the wrong ones",
)
LARGEST_ERROR, FEWEST_OFF = 0.10, 5
"""A tenth, or one standard deviation of counting where that is more, which no gate of a person repeats."""
DYES = ("FITC", "PE", "PerCP-Cy5.5", "PE-Cy7", "APC", "APC-Cy7", "BV421", "BV510", "BV605", "BV650", "BV711", "BV785")
OTHER_NAMES = {"CD3": "Leu-4", "CD4": "hCD4", "CD8": "CD 8a", "viability": "LIVE/DEAD", "CD45": "cd45"}


class Laboratory(Struct, frozen=True):
    """How a laboratory's cytometer names and scales what it records.

    ``detector`` and ``label`` are of the number of a channel, its dye and its marker; ``top`` is where its signals end,
    ``ends`` its ``$PnR``; ``lacks`` channels that it does not have; ``spills`` whether a matrix comes with the file.
    """

    detector: Callable[[int, str], str]
    label: Callable[[int, str, str], str]
    top: float
    ends: float
    scatter: tuple[str, str, str] = ("FSC-A", "FSC-H", "SSC-A")
    amplifier: Literal["linear", "log", "ten bits"] = "linear"
    lacks: tuple[str, ...] = ()
    spills: bool = False


def _dye(_: int, dye: str) -> str:
    return f"{dye}-A"


def _marker(_: int, __: str, marker: str) -> str:
    return marker


def _both(_: int, dye: str, marker: str) -> str:
    return f"{marker} {dye}"


LABORATORIES = {
    "Aurora": Laboratory(_dye, _marker, 2**22, 2**22),
    "Northern Lights": Laboratory(_dye, _marker, 2**22, 2**18),
    "LSRFortessa": Laboratory(
        lambda number, _: f"[V] {400 + 25 * number}/40-A",
        lambda _, dye, marker: f"{dye} - {marker}",
        2**18,
        2**18,
        spills=True,
    ),
    "FACSLyric": Laboratory(_dye, lambda _, dye, marker: f"{marker} {dye}-A", 2**18, 2**18, spills=True),
    "CytoFLEX": Laboratory(
        lambda number, _: f"FL{number}-A", lambda _, dye, marker: f"{marker}-{dye}-A", 2**22, 2**24 - 1
    ),
    "Attune": Laboratory(
        lambda number, _: f"BL{number}-A", lambda _, dye, marker: f"{marker} {dye}-A", 2**20, 2**20, spills=True
    ),
    "MACSQuant": Laboratory(lambda number, _: f"V{number}-A", lambda _, dye, marker: f"{marker} {dye}-A", 1e5, 2**18),
    "Navios": Laboratory(
        lambda number, _: f"FL{number} INT LIN",
        lambda number, dye, marker: f"FL{number} INT LIN : {marker} {dye}",
        2**20,
        2**20,
        ("FS INT LIN", "FS PEAK LIN", "SS INT LIN"),
    ),
    "NovoCyte": Laboratory(_dye, _both, 2**22, 2**24),
    "ID7000": Laboratory(
        _dye, lambda _, dye, marker: f"{marker} : {dye} - Area", 2**20, 2**20, ("FSC_A", "FSC_H", "SSC_A")
    ),
    "share of the range": Laboratory(_dye, _marker, 1.0, 1.0),
    "four decades on 18 bits": Laboratory(lambda number, _: f"FL{number}-A", _both, 2**18, 2**18, amplifier="log"),
    "ten-bit log integers": Laboratory(
        lambda number, _: f"FL{number}-H", _both, 1e4, 1024, ("FSC-H", "", "SSC-H"), amplifier="ten bits"
    ),
    "names in $PnN alone": Laboratory(lambda number, dye: f"{dye}-A", lambda *_: "", 2**18, 2**18),
    "no FSC-H": Laboratory(_dye, _marker, 2**18, 2**18, lacks=("FSC-H",), spills=True),
    "no viability": Laboratory(_dye, _marker, 2**18, 2**18, lacks=("viability",)),
    "no CD45": Laboratory(_dye, _marker, 2**18, 2**18, lacks=("CD45",), spills=True),
    "no scatter but areas of FSC": Laboratory(_dye, _marker, 2**18, 2**18, lacks=("SSC-A", "FSC-H")),
}
PLAIN = Laboratory(_dye, _marker, 2**18, 2**18)


def write_copy(original: Original, laboratory: Laboratory, file: Path, *, seed: int = 0) -> None:
    """Write a tube as a laboratory does: its channels in the other order, its names and ranges."""
    tube = original.without(*laboratory.lacks)
    columns: dict[str, Floats] = {}
    markers: dict[str, str] = {}
    keywords: dict[str, str] = {}
    highest = max((float(signal.max()) for signal in tube.scatter.values()), default=1.0)
    for scatter, called in zip(("FSC-A", "FSC-H", "SSC-A"), laboratory.scatter, strict=True):
        if scatter in tube.scatter and called:
            columns[called] = tube.scatter[scatter] * min(laboratory.ends, 2**24 - 1) / highest
    dyes: dict[str, Floats] = {}
    for number, (marker, dye) in enumerate(zip([*tube.signals][::-1], DYES, strict=False), start=1):
        label = laboratory.label(number, dye, OTHER_NAMES.get(marker, marker))
        detector = laboratory.detector(number, dye) if label else f"{marker} {laboratory.detector(number, dye)}"
        dyes[detector] = tube.signals[marker] * laboratory.top / original.top
        if label:
            markers[detector] = label
    if laboratory.spills and not any(has_floor(values) for values in dyes.values()):  # a floor is of what was measured
        dyes, keywords = _spilled(dyes, np.random.default_rng((17, seed)))
    for detector, values in dyes.items():
        if laboratory.amplifier == "ten bits":
            keywords[f"$P{len(columns) + 1}E"] = "4,1"
        columns[detector] = _amplified(values, laboratory)
    if laboratory.amplifier == "ten bits":
        columns = {name: np.clip(np.round(values), 0, 1023) for name, values in columns.items()}
    write_fcs(
        file,
        columns,
        markers=markers,
        ranges=dict.fromkeys(columns, laboratory.ends),
        keywords=keywords,
        storage="uint16" if laboratory.amplifier == "ten bits" else "float32",
    )


def _amplified(values: Floats, laboratory: Laboratory) -> Floats:
    """Return signals as the amplifier gives them: four decades and a floor where it is logarithmic."""
    if laboratory.amplifier == "linear":
        return values
    lifted = np.maximum(values, laboratory.top / 1e4)
    return lifted if laboratory.amplifier == "log" else np.round(256 * np.log10(lifted))


def _spilled(dyes: Mapping[str, Floats], random: np.random.Generator) -> tuple[dict[str, Floats], dict[str, str]]:
    """Return signals with spillover of up to 15 % into each other, and the keyword of its matrix."""
    names = [*dyes]
    matrix = random.beta(0.4, 8, (len(names), len(names))).clip(0, 0.15)
    np.fill_diagonal(matrix, 1)
    measured = np.column_stack([*dyes.values()]) @ matrix
    words = [str(len(names)), *names, *(f"{value:.4g}" for value in matrix.ravel())]
    return dict(zip(names, measured.T, strict=True)), {"$SPILLOVER": ",".join(words)}


# ---------------------------------------------------------------- judged

Verdict = Literal["ok", "review", "missing", "refused", "warned", "silent"]


class Judged(Struct, frozen=True):
    """What the template of a copy makes of it: the verdict, codes of fit and run, counts over the truth."""

    copy: str
    tube: str
    verdict: Verdict
    codes: tuple[str, ...]
    ratios: Mapping[str, float]

    def line(self) -> str:
        """Return it in one line."""
        ratios = " ".join(f"{name} {ratio:.2f}" for name, ratio in self.ratios.items())
        return f"{self.verdict:8} {self.copy:32} {self.tube:26} {ratios:36} {' '.join(self.codes)}"


def judge(copy: str, original: Original, file: Path, *, together: Sequence[Path] = ()) -> Judged:
    """Return what a template made from a copy, and a run with it, say; the original holds the truth.

    Parameters
    ----------
    together : sequence of Path
        Files that the template is made from, the copy among them; without any it is made from the copy alone.
    """

    def verdict(which: Verdict, codes: Iterable[str] = (), ratios: Mapping[str, float] | None = None) -> Judged:
        return Judged(copy, original.name, which, tuple(dict.fromkeys(codes)), ratios or {})

    try:
        fitted = fit_template(together or [file], BOOK, name="copy")
        refuse_without_t_cells(fitted)
        result = quantify(open_fcs(file), fitted.template, count_method="none")
    except SampleError as error:
        return verdict("refused", [error.code])
    row = result.row()
    status, codes = str(row["status"]), str(row["status_codes"] or "").split()
    named = {population.name: population.events for population in result.populations}
    off: dict[str, float] = {}
    absent = False
    for name in COUNTED:
        truth = int(original.counted[name].sum())
        if name not in named:
            absent |= truth >= FEWEST_OFF and not (name == "t_cells" and "CD3" not in original.signals)
        elif abs(named[name] - truth) > max(LARGEST_ERROR * truth, truth**0.5, FEWEST_OFF):
            off[name] = named[name] / max(1, truth)
    if off:
        return verdict("silent" if status == "ok" else "warned", codes, off)
    if absent:
        return verdict("missing", codes)
    return verdict("ok" if status == "ok" else "review", codes)


Copy = tuple[str, Original, Laboratory]


def copies(original: Original) -> Iterator[Copy]:
    """Yield a tube as each laboratory writes it, its cells as they are."""
    for name, laboratory in LABORATORIES.items():
        yield name, original, laboratory


def changed(original: Original, *, series: int = 4) -> Iterator[Copy]:
    """Yield a tube with each change of its cells, as one laboratory or another writes it."""
    usual = [one for name, one in LABORATORIES.items() if not name.startswith(("no ", "four", "ten"))]
    for number, (name, change) in enumerate(CHANGES.items()):
        random = np.random.default_rng((series, number, *original.name.encode()))
        laboratory = usual[int(random.integers(len(usual)))]
        other = change(original, random)
        if other is not None:
            yield name, other, laboratory


def trial(originals: Iterable[Original], which: Callable[[Original], Iterable[Copy]]) -> Iterator[Judged]:
    """Yield what becomes of each copy of each tube."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "copy.fcs"
        for original in originals:
            for seed, (name, tube, laboratory) in enumerate(which(original)):
                write_copy(tube, laboratory, file, seed=seed)
                yield judge(name, replace(tube, name=original.name), file)


def rows(judged: Iterable[Judged]) -> Iterator[tuple[str, ...]]:
    """Yield a line per kind of copy, and one for all."""
    by_kind: dict[str, list[Judged]] = {}
    exchanged: list[Judged] = []
    for one in judged:
        by_kind.setdefault(one.copy, []).append(one)
        exchanged += [one] if one.copy.endswith("exchanged") else []
    every = [one for ones in by_kind.values() for one in ones if one not in exchanged]
    lines = {**by_kind, "**all**": every}
    lines = {**lines, "**all, labels exchanged beside them**": exchanged} if exchanged else lines
    for name, ones in lines.items():
        verdicts = Counter(one.verdict for one in ones)
        wrong = Counter(code for one in ones if one.verdict in ("warned", "silent") for code in one.codes)
        numbers = [str(verdicts[which]) for which in ("ok", "review", "missing", "refused", "warned", "silent")]
        yield (name, str(len(ones)), *numbers, " ".join(f"{code} ({n})" for code, n in wrong.most_common(4)))
