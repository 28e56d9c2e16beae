"""How many tubes with few CAR-T cells any rule must give up to know sticky cells: by the likelihood ratio, exactly.

T cells and CD3-negative lymphocytes above the threshold are Poisson numbers, in a sample and in its control. Either all
bind five times as often as in the control and no cell is CAR+, or they bind as there and some are. An oracle knows that
it is one of the two, that both kinds of cells bind by the same factor, and how rates differ from reagent to reagent.
By Neyman and Pearson's lemma no rule finds more CAR-T cells at the same rate of false claims. A tube that asks for a
look is neither a claim nor a tube without one, so asking does not help.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
HEAD = ("witnesses", "true share", "at 2.5 % false claims: found", "at 7.5 %")
RATE, RATE_CV, RISE = 1.6e-4, 1.0, 5.0
"""Above the threshold of the benchmark's tubes; between reagents, log-normal; of sticky cells."""
T_CELLS, CONTROL_T_CELLS, SENSITIVITY = 30_000, 60_000, 0.86
EVIDENCE = np.linspace(-60, 60, 24_001)


def rows() -> Iterator[tuple[str, ...]]:
    """Yield a line for each number of witnesses (the control has twice as many) and share of CAR-T cells."""
    for witnesses in (8000, 16_000, 30_000):
        for percent in (0.075, 0.1, 0.15, 0.2):
            claims = found(witnesses, percent / 100, (0.025, 0.075))
            yield (f"{witnesses:,}", f"{percent:g} %", *(f"{100 * share:.0f} %" for share in claims))


def found(witnesses: int, share: float, levels: tuple[float, ...]) -> tuple[float, ...]:
    """Return the share of tubes with CAR-T cells that the best rule finds at each rate of false claims."""
    cells = _counts(T_CELLS, CONTROL_T_CELLS, SENSITIVITY * share * T_CELLS)
    beside = _counts(witnesses, 2 * witnesses, 0.0)
    sticky, clean = (_sum_of_evidence(cells, beside, which) for which in (0, 1))
    false, true = (np.cumsum(one[::-1]) for one in (sticky, clean))
    return tuple(float(np.interp(level, false, true)) for level in levels)


def _counts(events: int, of_control: int, positives: float) -> tuple[Floats, Floats]:
    """Return the probabilities of counts in sample and control: of a sticky tube, of a clean one with positives."""
    from scipy.stats import poisson

    places, weights = np.polynomial.hermite_e.hermegauss(21)
    rates = RATE * np.exp(np.sqrt(np.log1p(RATE_CV**2)) * places)
    counts, control_counts = np.arange(600), np.arange(200)
    sticky, clean = (np.zeros((len(counts), len(control_counts))) for _ in range(2))
    for rate, weight in zip(rates, weights / weights.sum(), strict=True):
        in_control = poisson.pmf(control_counts, of_control * rate)
        sticky += weight * np.outer(poisson.pmf(counts, RISE * rate * events), in_control)
        clean += weight * np.outer(poisson.pmf(counts, rate * events + positives), in_control)
    return sticky, clean


def _sum_of_evidence(cells: tuple[Floats, Floats], beside: tuple[Floats, Floats], which: int) -> Floats:
    """Return the distribution of the log likelihood ratio of both kinds of cells together, on twice the grid."""
    size = 2 * len(EVIDENCE)
    moved = []
    for sticky, clean in (cells, beside):
        ratio = np.log(np.maximum(clean, 1e-300)) - np.log(np.maximum(sticky, 1e-300))
        inside = np.clip(ratio, EVIDENCE[0], EVIDENCE[-1] - 1e-9)
        moved.append(np.histogram(inside, EVIDENCE, weights=(sticky, clean)[which])[0])
    together = np.fft.irfft(np.fft.rfft(moved[0], size) * np.fft.rfft(moved[1], size), size)
    return np.asarray(np.maximum(together, 0.0))
