"""Tubes that the trials of ``template fit`` start from: real files or simulated ones, and who their T cells are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from msgspec.structs import replace

from benchmarks.validity.spikes import shared_data
from cytocar.fcs.reader import open_fcs
from cytocar.fit.names import alias_book, is_fluorescence
from cytocar.fit.template import fit_template
from cytocar.fit.tubes import own_matrix, signal_of
from cytocar.gates.walk import walk
from cytocar.signals.compensation import carried
from cytocar.simulate import Preparation, blood_tube

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]

COUNTED = ("t_cells", "cd4", "cd8")
BOOK = alias_book()
REAL = {
    "tcell_human/more/canto_tbnk.fcs": {},
    "tcell_human/cytopipeline_omip021/Donor1.fcs": {},
    "tcell_human/more/aurora_unmixed_INF071.fcs": {},
    "tcell_human/more/itn_02.fcs": {},
    "tcell_human/more/sdy736_T_60003.fcs": {},
    "tcell_human/cytopipeline_omip021/Donor2.fcs": {},
    "tcell_human/wakaflocka_spectral_pbmc/PBMC_spectral_UNMIXED.fcs": {},
    "tcell_human/more/sdy736_Ki67_60022.fcs": {},
    "flowjo_studies/flowsom_68983/68983.fcs": {},
    "gatingml/data1.fcs": {"CD8": "FL4-H"},
}
"""Files of other people by their place, with markers that a person settles: rules were set on the first five alone."""
TUNED_ON = 5


class Original(Struct, frozen=True, eq=False):
    """A tube: scatter and compensated signals by marker, the top of their scale, and which events are T, CD4, CD8."""

    name: str
    scatter: Mapping[str, Floats]
    signals: Mapping[str, Floats]
    top: float
    counted: Mapping[str, Bools]

    @property
    def events(self) -> int:
        """How many events there are."""
        return len(next(iter(self.signals.values())))

    def take(self, rows: Rows) -> Original:
        """Return some events, in this order, or some of them several times."""
        return replace(
            self,
            scatter={name: values[rows] for name, values in self.scatter.items()},
            signals={name: values[rows] for name, values in self.signals.items()},
            counted={name: mask[rows] for name, mask in self.counted.items()},
        )

    def without(self, *names: str) -> Original:
        """Return the tube as a laboratory records it that has not these channels."""
        return replace(
            self,
            scatter={name: values for name, values in self.scatter.items() if name not in names},
            signals={name: values for name, values in self.signals.items() if name not in names},
        )

    def joined(self, other: Original) -> Original:
        """Return the events of both; those of the other are nobody that is counted."""
        nobody = np.zeros(other.events, dtype=bool)
        return replace(
            self,
            scatter={name: np.r_[values, other.scatter[name]] for name, values in self.scatter.items()},
            signals={name: np.r_[values, other.signals[name]] for name, values in self.signals.items()},
            counted={name: np.r_[mask, nobody] for name, mask in self.counted.items()},
        )


def read_original(file: Path, settled: Mapping[str, str] | None = None) -> Original:
    """Return a file's tube; its own template, made from it alone, says who T, CD4 and CD8 cells are."""
    fitted = fit_template([file], BOOK, name="own", settled=settled)
    events, tube = open_fcs(file), fitted.study.tubes[0]
    matrix = own_matrix(events)
    raw = {channel: np.asarray(events.column(channel), dtype=np.float64) for channel in events.channels}
    values = {marker: signal_of(channel, matrix, raw) for marker, channel in tube.panel.channels.items()}
    finite = np.all([np.isfinite(signal) for signal in values.values()], axis=0)
    dyes = {marker for marker, channel in tube.panel.channels.items() if is_fluorescence(channel)}
    populations = walk(events, fitted.template, markers=settled)
    whole = Original(
        file.stem,
        {marker: signal for marker, signal in values.items() if marker not in dyes and marker[3:] in ("-A", "-H")},
        {marker: signal for marker, signal in values.items() if marker in dyes},
        tube.top,
        {name: populations[name].mask for name in COUNTED},
    )
    return whole.take(np.flatnonzero(finite))


def real_originals(folder: Path | None, *, held_out: bool | None = None) -> Iterable[Original]:
    """Yield the real files that are there: all of them, or only those that rules were set on, or only the others."""
    for number, (place, settled) in enumerate(REAL.items()):
        if (held_out is None or held_out == (number >= TUNED_ON)) and folder and (folder / place).is_file():
            yield read_original(folder / place, settled)


def simulated_originals(number: int, *, car_per_ul: float = 0.0) -> Iterable[Original]:
    """Yield tubes of ``cytocar.simulate``, whose truth is known: 8000 to 20,000 events, no beads are left.

    With CAR-T cells in them they have a CAR in their panel.
    """
    kept = _KEPT if not car_per_ul else (*_KEPT, "CD19-Fc")
    for seed in range(number):
        tube = blood_tube(
            car_per_ul=car_per_ul, preparation=Preparation(sample_volume_ul=50, drawn_share=0.15), seed=seed
        )
        kinds = {
            "cd4": tube.is_kind(*(kind for kind in tube.kinds if kind.startswith(("cd4_t", "car_cd4")))),
            "cd8": tube.is_kind(*(kind for kind in tube.kinds if kind.startswith(("cd8_t", "car_cd8")))),
        }
        double_negative = tube.is_kind(*(kind for kind in tube.kinds if kind.startswith("double_negative")))
        matrix = carried(tube.events.keywords).matrix
        if matrix is None:
            raise ValueError("a simulated tube carries its matrix")
        stained = matrix.compensate(np.column_stack([tube.columns[name] for name in matrix.detectors]).astype(float))
        signals = {tube.markers[name]: stained[:, at] for at, name in enumerate(matrix.detectors)}
        signals = {_MARKER.get(marker, marker): values for marker, values in signals.items() if marker in kept}
        whole = Original(
            f"simulated {seed}",
            {name: tube.columns[name].astype(float) for name in ("FSC-A", "FSC-H", "SSC-A")},
            signals,
            262_144.0,
            {"t_cells": kinds["cd4"] | kinds["cd8"] | double_negative, **kinds},
        )
        beads = tube.is_kind(*(kind for kind in tube.kinds if "bead" in kind))
        yield whole.take(np.flatnonzero(~beads))


_KEPT = ("CD3", "CD4", "CD8", "CD45", "CD56", "7-AAD")
_MARKER = {"7-AAD": "viability", "CD19-Fc": "CAR"}


def all_originals(files: Iterable[Path] | None, simulated: int) -> list[Original]:
    """Return the tubes of some files; without any, the real files that are there, and simulated tubes."""
    if files:
        return [read_original(file) for file in files]
    return [*real_originals(shared_data()), *simulated_originals(simulated)]
