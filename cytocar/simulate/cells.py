"""What is in the simulated blood: each kind of cell with the medians and spreads that its stain shows.

The panel and most numbers follow the eight-colour CAR-T assay that ``gating_templates/cart-cd19fc.toml`` gates, as seen
on a BD FACSCanto II with a scale of 262,144. Medians are those of the compensated signal.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from math import log, sqrt
from types import MappingProxyType

from msgspec import Struct, field
from msgspec.structs import replace

DYES = ("CD3", "CAR", "7-AAD", "CD2", "CD56", "CD8", "CD4", "CD45")


class Signal(Struct, frozen=True):
    """A log-normal signal: its median and the standard deviation of its natural logarithm."""

    median: float
    sigma: float


def spread(median: float, cv: float) -> Signal:
    """Return the log-normal signal of a median and a coefficient of variation (0.2 is 20 %).

    >>> round(spread(6000, 0.28).sigma, 4)
    0.2747
    """
    return Signal(median, sqrt(log(1 + cv * cv)))


def decades(median: float, log10_sd: float) -> Signal:
    """Return the log-normal signal of a median and a standard deviation in decades, as CAR stains are described."""
    return Signal(median, log10_sd * log(10))


UNSTAINED = spread(60, 0.5)  # autofluorescence and free dye of a lymphocyte


class CellKind(Struct, frozen=True):
    """One kind of cell: light scatter (areas), and the markers that differ from ``UNSTAINED``."""

    name: str
    fsc: Signal
    ssc: Signal
    stain: Mapping[str, Signal] = field(default_factory=lambda: MappingProxyType({}))

    def signal(self, dye: str) -> Signal:
        """Return the signal of one dye."""
        return self.stain.get(dye, UNSTAINED)


_LYMPHOCYTE_FSC, _LYMPHOCYTE_SSC = spread(97_000, 0.12), spread(38_000, 0.15)
_CD8_NEGATIVE = spread(200, 0.5)  # APC-H7 falls apart into APC and stains a little of everything
_T_CELL = {"CD45": spread(12_000, 0.18), "CD3": spread(6000, 0.28), "CD2": spread(4000, 0.3)}
_CD4 = {"CD4": spread(4000, 0.24), "CD8": _CD8_NEGATIVE, "CAR": spread(80, 0.3)}
_CD8 = {"CD8": spread(20_000, 0.30), "CD4": spread(80, 0.5), "CAR": spread(80, 0.3)}
_NK_CELL = {"CD45": spread(13_000, 0.18), "CD3": spread(90, 0.5), "CD2": spread(2200, 0.5), "CD56": spread(4000, 0.5)}

BACKGROUND_KINDS: tuple[CellKind, ...] = (
    CellKind("cd4_t_cells", _LYMPHOCYTE_FSC, _LYMPHOCYTE_SSC, _T_CELL | _CD4),
    CellKind("cd8_t_cells", _LYMPHOCYTE_FSC, _LYMPHOCYTE_SSC, _T_CELL | _CD8),
    CellKind(  # mostly gamma-delta: CD3 bright, CD4 and CD8 negative
        "double_negative_t_cells",
        _LYMPHOCYTE_FSC,
        _LYMPHOCYTE_SSC,
        _T_CELL | {"CD3": spread(9000, 0.25), "CD8": _CD8_NEGATIVE},
    ),
    CellKind("nk_cells", spread(100_000, 0.13), spread(41_000, 0.16), _NK_CELL | {"CD8": _CD8_NEGATIVE}),
    CellKind("cd8_nk_cells", spread(100_000, 0.13), spread(41_000, 0.16), _NK_CELL | {"CD8": spread(2500, 0.5)}),
    CellKind(
        "b_cells",
        spread(92_000, 0.12),
        spread(36_000, 0.15),
        {"CD45": spread(9500, 0.2), "CD2": spread(90, 0.5), "CD8": _CD8_NEGATIVE},
    ),
    CellKind(  # CD4 dim; Fc receptors hold some of the CAR reagent
        "monocytes",
        spread(150_000, 0.12),
        spread(85_000, 0.18),
        {
            "CD45": spread(8000, 0.2),
            "CD4": spread(1100, 0.35),
            "CAR": decades(200, 0.3),
            "CD3": spread(150, 0.5),
            "CD8": _CD8_NEGATIVE,
        },
    ),
    CellKind(  # autofluorescent in every colour
        "granulocytes",
        spread(160_000, 0.12),
        spread(170_000, 0.14),
        {
            "CD45": spread(2500, 0.22),
            "CD3": spread(350, 0.4),
            "CAR": spread(150, 0.5),
            "7-AAD": spread(200, 0.5),
            "CD8": spread(300, 0.5),
            "CD4": spread(150, 0.5),
        },
    ),
)

DEBRIS = CellKind("debris", spread(7500, 0.6), spread(6500, 0.8), {"CD45": spread(70, 0.9), "CD8": _CD8_NEGATIVE})


class CarStain(Struct, frozen=True):
    """How bright CAR-T cells are with the CAR reagent: median, and spread in decades."""

    median: float
    log10_sd: float


BRIGHT = CarStain(5000, 0.30)
TYPICAL = CarStain(2500, 0.35)
DIM = CarStain(1000, 0.45)


class Brightness(StrEnum):
    """The names of these three stains."""

    BRIGHT = "bright"
    TYPICAL = "typical"
    DIM = "dim"

    @property
    def stain(self) -> CarStain:
        """The stain of this name."""
        return {Brightness.BRIGHT: BRIGHT, Brightness.TYPICAL: TYPICAL, Brightness.DIM: DIM}[self]


def car_kinds(stain: CarStain, *, activation: float) -> tuple[CellKind, CellKind]:
    """Return the CD4 and the CD8 CAR-T cell, from resting (activation 0) to blasts that divide (1, days 7 to 14).

    Blasts are larger and more granular, and have taken in part of their T-cell receptor with its CD3.
    """
    body = {
        **_T_CELL,
        "CD3": spread(5500 - 2000 * activation, 0.28),
        "CAR": decades(stain.median, stain.log10_sd),
    }
    fsc = spread(97_000 + 18_000 * activation, 0.12 + 0.03 * activation)
    ssc = spread(38_000 + 7000 * activation, 0.15 + 0.02 * activation)
    cd4 = body | {dye: signal for dye, signal in _CD4.items() if dye != "CAR"}
    cd8 = body | {dye: signal for dye, signal in _CD8.items() if dye != "CAR"}
    return CellKind("car_cd4_t_cells", fsc, ssc, cd4), CellKind("car_cd8_t_cells", fsc, ssc, cd8)


class Blood(Struct, frozen=True):
    """Viable single cells per µL of blood, CAR-T cells aside, and the state of the CAR-T cells.

    The default is a patient in the weeks after lymphodepletion: few lymphocytes, no B cells.
    """

    cd4_t_cells: float = 48.0
    cd8_t_cells: float = 68.0
    double_negative_t_cells: float = 4.0
    nk_cells: float = 60.0
    cd8_nk_cells: float = 30.0
    b_cells: float = 0.0
    monocytes: float = 200.0
    granulocytes: float = 1500.0
    activation: float = 0.0
    dead_share: float = 0.04

    def with_t_cells(self, per_ul: float) -> Blood:
        """Return the blood with so many T cells without a CAR, in the same proportions.

        >>> Blood().with_t_cells(300).cd4_t_cells
        120.0
        """
        factor = per_ul / (self.cd4_t_cells + self.cd8_t_cells + self.double_negative_t_cells)
        return replace(
            self,
            cd4_t_cells=self.cd4_t_cells * factor,
            cd8_t_cells=self.cd8_t_cells * factor,
            double_negative_t_cells=self.double_negative_t_cells * factor,
        )

    def per_ul(self) -> Mapping[str, float]:
        """Return each kind's cells/µL, in the order of ``BACKGROUND_KINDS``."""
        return {kind.name: float(getattr(self, kind.name)) for kind in BACKGROUND_KINDS}


HEALTHY = Blood(
    cd4_t_cells=850,
    cd8_t_cells=450,
    double_negative_t_cells=50,
    nk_cells=150,
    cd8_nk_cells=75,
    b_cells=200,
    monocytes=400,
    granulocytes=3800,
    dead_share=0.02,
)
