"""CAR signals of T cells: negatives and positives of many shapes, none of them the one that a gate assumes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from msgspec import Struct

Floats = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Floats]

CENTER, SPREAD = 80.0, 90.0
"""Median and standard deviation of CAR-negative T cells."""


def _two_kinds(random: np.random.Generator, n: int) -> Floats:
    """CD4 and CD8 cells differ: one is dimmer and narrower."""
    drawn = np.where(random.random(n) < 0.4, random.normal(-0.3, 0.75, n), random.normal(0.2, 1.08, n))
    return np.asarray(drawn, float)


def _long_tail(random: np.random.Generator, n: int) -> Floats:
    """Student's t with 7 degrees of freedom, at unit variance."""
    return np.asarray(random.standard_t(7, n) * np.sqrt(5 / 7), float)


def _lopsided(random: np.random.Generator, n: int) -> Floats:
    """A gamma of shape 5 blurred by electronic noise, at unit variance."""
    return np.asarray(0.75 * (random.gamma(5, 1, n) - 5) / np.sqrt(5) + 0.66 * random.normal(size=n), float)


NEGATIVES: Mapping[str, Draw] = {
    "normal": lambda random, n: random.normal(size=n),
    "two kinds": _two_kinds,
    "long tail": _long_tail,
    "lopsided": _lopsided,
}


def _log10(sd: float) -> Draw:
    return lambda random, n: random.normal(0, sd, n)


def _two_levels(random: np.random.Generator, n: int) -> Floats:
    """A dim third and a bright rest, a factor of 4 apart."""
    dim = random.random(n) < 0.33
    return np.where(dim, random.normal(-0.42, 0.18, n), random.normal(0.18, 0.22, n))


def _tail_of_dim(random: np.random.Generator, n: int) -> Floats:
    """CAR taken in after contact with antigen: a tail to the dim side."""
    return 0.12 + random.normal(0, 0.2, n) - random.exponential(0.18, n)


POSITIVES: Mapping[str, Draw] = {
    "log-normal 0.25": _log10(0.25),
    "log-normal 0.35": _log10(0.35),
    "log-normal 0.45": _log10(0.45),
    "two levels": _two_levels,
    "tail of dim": _tail_of_dim,
    "long tails": lambda random, n: 0.25 * random.standard_t(4, n),
}


def _cut(sd: float, *, below: float) -> Draw:
    """A log-normal without its dimmest part, as cells have that a sorter or a person's gate let through."""

    def draw(random: np.random.Generator, n: int) -> Floats:
        drawn = random.normal(0, sd, 4 * n + 40)
        return drawn[drawn > below * sd][:n]

    return draw


def _dim_fifth(random: np.random.Generator, n: int) -> Floats:
    """A narrow bright kind, and a fifth of the cells anywhere between it and a fifth of its brightness."""
    return np.where(random.random(n) < 0.2, random.uniform(-0.7, -0.1, n), random.normal(0.1, 0.12, n))


SEVERE: Mapping[str, Draw] = {
    "cut, 0.25": _cut(0.25, below=-0.5),
    "cut, 0.35": _cut(0.35, below=-0.8),
    "flat": lambda random, n: random.uniform(-0.6, 0.6, n),
    "a dim fifth": _dim_fifth,
}
"""Shapes that no log-normal with a tail comes near to."""


def _stretched(random: np.random.Generator, n: int) -> Floats:
    """Weibull-distributed signal of shape 1.6: a steep bright side, a long dim one."""
    return np.asarray(np.log10(random.weibull(1.6, n) / np.log(2) ** (1 / 1.6)), float)


def _three_clones(random: np.random.Generator, n: int) -> Floats:
    """Three narrow kinds of cells, half a decade apart at the most."""
    clone = random.choice([-0.32, 0.0, 0.2], p=[0.2, 0.45, 0.35], size=n)
    return clone + random.normal(0, 0.13, n)


def _gamma_3(random: np.random.Generator, n: int) -> Floats:
    """Gamma-distributed signal of shape 3."""
    return np.log10(random.gamma(3, 1, n) / 2.674)


HELD_OUT: Mapping[str, Draw] = {
    "Weibull": _stretched,
    "three clones": _three_clones,
    "gamma": _gamma_3,
    "logistic": lambda random, n: random.logistic(0, 0.17, n),
}
"""Shapes that were looked at once, after every default had been set."""


def _skewed(random: np.random.Generator, n: int) -> Floats:
    """A skew-normal with a long dim side."""
    return 0.3 - 0.45 * np.abs(random.normal(size=n)) + 0.12 * random.normal(size=n)


def _two_halves(random: np.random.Generator, n: int) -> Floats:
    """Two kinds of cells, one with a third of the other's signal."""
    return np.where(random.random(n) < 0.5, random.normal(-0.25, 0.2, n), random.normal(0.22, 0.14, n))


FRESH: Mapping[str, Draw] = {
    "skewed": _skewed,
    "two halves": _two_halves,
    "Laplace": lambda random, n: random.laplace(0, 0.2, n),
    "beta": lambda random, n: 1.4 * (random.beta(2.5, 1.5, n) - 0.64),
}
"""Shapes that were looked at once, after the rules of low stain indices and of the witnesses had been set."""


def _exponential_tail(random: np.random.Generator, n: int) -> Floats:
    """A normal with an exponential tail to the bright side, at unit variance."""
    return 0.9 * random.normal(size=n) + 0.436 * (random.exponential(size=n) - 1)


def _flat_top(random: np.random.Generator, n: int) -> Floats:
    """Brightness anywhere within three spreads, blurred: at unit variance."""
    return random.uniform(-1.4, 1.4, n) + 0.59 * random.normal(size=n)


FRESH_NEGATIVES: Mapping[str, Draw] = {"exponential tail": _exponential_tail, "flat top": _flat_top}


def _shoulder(random: np.random.Generator, n: int) -> Floats:
    """A quarter of the cells in a dim shoulder of the others."""
    return np.where(random.random(n) < 0.25, random.normal(-0.35, 0.15, n), random.normal(0.08, 0.2, n))


LATER: Mapping[str, Draw] = {
    "shoulder": _shoulder,
    "triangle": lambda random, n: random.triangular(-0.7, 0.15, 0.5, n) - 0.01,
    "inverse gamma": lambda random, n: -np.log10(random.gamma(4, 1, n) / 3.672),
    "hyperbolic secant": lambda random, n: 0.16 * np.log(np.tan(np.pi / 2 * random.uniform(1e-9, 1 - 1e-9, n))),
}
"""Shapes on which the interval without a control, and whatever came after ``FRESH``, was set."""


def _skewed_negatives(random: np.random.Generator, n: int) -> Floats:
    """A skew-normal of shape 3, at unit variance."""
    return (0.949 * np.abs(random.normal(size=n)) + 0.316 * random.normal(size=n) - 0.757) / 0.653


LATER_NEGATIVES: Mapping[str, Draw] = {
    "logistic": lambda random, n: random.logistic(0, np.sqrt(3) / np.pi, n),
    "narrow and wide": lambda random, n: np.where(random.random(n) < 0.7, 0.75, 1.42) * random.normal(size=n),
    "skewed": _skewed_negatives,
}


def _four_levels(random: np.random.Generator, n: int) -> Floats:
    """Four narrow kinds of cells over eight tenths of a decade."""
    return random.choice([-0.45, -0.15, 0.1, 0.35], p=[0.15, 0.3, 0.35, 0.2], size=n) + random.normal(0, 0.1, n)


LAST: Mapping[str, Draw] = {
    "Gumbel": lambda random, n: random.gumbel(-0.0733, 0.2, n),
    "Rayleigh": lambda random, n: np.log10(random.rayleigh(1, n) / 1.177),
    "four levels": _four_levels,
    "Student": lambda random, n: 0.22 * random.standard_t(5, n),
}
"""Shapes that were looked at once, for the table of every stratum in docs/validity.md."""


def _log_normal_negatives(random: np.random.Generator, n: int) -> Floats:
    """A log-normal blurred by electronic noise, at unit variance."""
    return 0.8 * (np.exp(random.normal(0, 0.45, n)) - 1.107) / 0.524 + 0.6 * random.normal(size=n)


LAST_NEGATIVES: Mapping[str, Draw] = {
    "triangle": lambda random, n: random.triangular(-2, -0.3, 2.6, n) - 0.1 + 0.31 * random.normal(size=n),
    "log-normal": _log_normal_negatives,
    "three kinds": lambda random, n: (
        random.choice([-0.9, 0.0, 1.0], p=[0.25, 0.5, 0.25], size=n) + random.normal(0, 0.7, n)
    ),
}


def _dim_seventh(random: np.random.Generator, n: int) -> Floats:
    """A kind of cells of which a seventh is dimmer, by a factor of 2.6."""
    return np.where(random.random(n) < 1 / 7, random.normal(-0.38, 0.12, n), random.normal(0.04, 0.17, n))


NEWEST: Mapping[str, Draw] = {
    "dim seventh": _dim_seventh,
    "steep dim side": lambda random, n: -0.17 + random.exponential(0.22, n) + random.normal(0, 0.07, n),
    "trapezium": lambda random, n: random.uniform(-0.4, 0.4, n) + random.uniform(-0.15, 0.15, n),
    "wide logistic": lambda random, n: random.logistic(0, 0.21, n),
}
"""Shapes that were looked at once, after few positives had been described by themselves."""
NEWEST_NEGATIVES: Mapping[str, Draw] = {
    "Laplace": lambda random, n: 0.6 * random.laplace(0, 0.7071, n) + 0.8 * random.normal(size=n),
    "beta": lambda random, n: 5.6 * (random.beta(2.2, 3.4, n) - 0.387) + 0.35 * random.normal(size=n),
    "dim sixth": lambda random, n: np.where(random.random(n) < 1 / 6, -1.5, 0.25) + 0.75 * random.normal(size=n),
}


def _long_dim_side(random: np.random.Generator, n: int) -> Floats:
    """A steep bright side, an exponential dim one."""
    return 0.153 - random.exponential(0.22, n) + random.normal(0, 0.07, n)


def _two_equal_levels(random: np.random.Generator, n: int) -> Floats:
    """Two kinds of cells, as many of each, a factor of 2.3 apart."""
    return random.choice([-0.18, 0.18], size=n) + random.normal(0, 0.13, n)


SEALED: Mapping[str, Draw] = {
    "long dim side": _long_dim_side,
    "two equal levels": _two_equal_levels,
    "sine": lambda random, n: 0.5 * np.arcsin(random.uniform(-1, 1, n)) / (np.pi / 2),
    "two widths": lambda random, n: np.where(random.random(n) < 0.6, 0.14, 0.38) * random.normal(size=n),
}
"""Shapes that were looked at once, after the lower limit had been made exact."""
SEALED_NEGATIVES: Mapping[str, Draw] = {
    "Gumbel": lambda random, n: 0.8 * (random.gumbel(0, 1, n) - 0.5772) / 1.2825 + 0.6 * random.normal(size=n),
    "bright tenth": lambda random, n: np.where(random.random(n) < 0.1, 1.35, -0.15) + 0.89 * random.normal(size=n),
    "secant": lambda random, n: 2 / np.pi * np.log(np.tan(np.pi / 2 * random.uniform(1e-9, 1 - 1e-9, n))),
}


def _mixture(random: np.random.Generator, n: int) -> Floats:
    """Two log-normals about one median, a narrow and a wide one, the wide one dimmer."""
    wide = random.random(n) < 0.4
    return np.where(wide, random.normal(-0.134, 0.42, n), random.normal(0.036, 0.17, n))


def _dim_and_bright(random: np.random.Generator, n: int) -> Floats:
    """Two kinds of cells far apart: two fifths are dim, by a factor of 4.5."""
    return np.where(random.random(n) < 0.4, random.normal(-0.495, 0.13, n), random.normal(0.155, 0.16, n))


UNSEEN: Mapping[str, Draw] = {
    "log-normal mixture": _mixture,
    "skewed to bright": lambda random, n: 0.16 * (random.gamma(2.2, 1, n) - 1.876) + random.normal(0, 0.05, n),
    "dim and bright": _dim_and_bright,
    "ratio of gammas": lambda random, n: np.log10(random.f(8, 6, n) / 1.0287),
}
"""Shapes that were looked at once, to judge the border below which a stain index asks."""


def _skewed_laplace(random: np.random.Generator, n: int) -> Floats:
    """Exponential sides, the bright one half as long again, blurred: at unit variance."""
    bright = random.random(n) < 0.6
    sides = np.where(bright, 0.63 * random.exponential(size=n), -0.42 * random.exponential(size=n)) - 0.12
    return np.asarray(sides + 0.68 * random.normal(size=n), float)


UNSEEN_NEGATIVES: Mapping[str, Draw] = {
    "skewed Laplace": _skewed_laplace,
    "Weibull": lambda random, n: (random.weibull(1.8, n) - 0.816) / 0.57 + 0.47 * random.normal(size=n),
    "two apart": lambda random, n: np.where(random.random(n) < 0.3, 1.05, -0.3) + 0.78 * random.normal(size=n),
}


def _tenth_far_dim(random: np.random.Generator, n: int) -> Floats:
    """A tenth of the cells dimmer by a factor of 4."""
    return np.where(random.random(n) < 0.1, random.normal(-0.58, 0.12, n), random.normal(0.03, 0.2, n))


def _uneven_laplace(random: np.random.Generator, n: int) -> Floats:
    """Exponential sides, the dim one twice as long."""
    dim = random.random(n) < 2 / 3
    return 0.07 + np.where(dim, -0.24, 0.12) * random.exponential(size=n)


FURTHER: Mapping[str, Draw] = {
    "a tenth far dim": _tenth_far_dim,
    "uneven Laplace": _uneven_laplace,
    "semicircle": lambda random, n: 1.1 * (random.beta(1.5, 1.5, n) - 0.5),
    "Burr": lambda random, n: np.log10((random.random(n) ** (-1 / 1.5) - 1) ** (1 / 2.4) / 0.8),
}
"""Shapes that were looked at once, after the lower limit of tubes without a control had been set."""
FURTHER_NEGATIVES: Mapping[str, Draw] = {
    "Student": lambda random, n: random.standard_t(5, n) * np.sqrt(3 / 5),
    "gamma": lambda random, n: 0.8 * (random.gamma(3, 1, n) - 3) / np.sqrt(3) + 0.6 * random.normal(size=n),
    "bright eighth": lambda random, n: np.where(random.random(n) < 1 / 8, 1.45, -0.2) + 0.83 * random.normal(size=n),
}
EVERY_NEGATIVE = {
    **NEGATIVES,
    **FRESH_NEGATIVES,
    **LATER_NEGATIVES,
    **LAST_NEGATIVES,
    **NEWEST_NEGATIVES,
    **SEALED_NEGATIVES,
    **UNSEEN_NEGATIVES,
    **FURTHER_NEGATIVES,
}
EVERY_POSITIVE = {**POSITIVES, **SEVERE, **HELD_OUT, **FRESH, **LATER, **LAST, **NEWEST, **SEALED, **UNSEEN, **FURTHER}


class CarTube(Struct, frozen=True):
    """T cells of one tube: how many, how many of them CAR+, and what they look like.

    ``stain_index`` is ``(median of positives - median of negatives) / (2 SD of negatives)``; ``gain`` and ``offset``
    (data units) are this tube's drift; ``sticky_percent`` of the negatives hold CAR reagent, and that share differs
    from tube to tube by ``sticky_cv``. Where ``stale``, the spillover matrix is that of a day without the drift: FITC
    (CD3, 6000 with a spread of 28 %) reaches the CAR's detector by 16.25 %; the change of that is left in all cells.
    """

    t_cells: int = 50_000
    car_percent: float = 0.0
    stain_index: float = 6.0
    negatives: str = "normal"
    positives: str = "log-normal 0.35"
    gain: float = 1.0
    offset: float = 0.0
    sticky_percent: float = 0.02
    sticky_cv: float = 0.25
    stale: bool = False

    def draw(self, random: np.random.Generator) -> tuple[Floats, float]:
        """Return the CAR signals (t_cells,), and the percentage of CAR+ that was drawn."""
        n_positive = int(random.binomial(self.t_cells, self.car_percent / 100))
        dim = CENTER + SPREAD * EVERY_NEGATIVE[self.negatives](random, self.t_cells - n_positive)
        share = self.sticky_percent / 100 * random.lognormal(-0.5 * self.sticky_cv**2, self.sticky_cv)
        sticky = random.random(len(dim)) < share
        dim[sticky] += random.gamma(1.5, 700, int(sticky.sum()))
        median = CENTER + 2 * self.stain_index * SPREAD
        shape = EVERY_POSITIVE[self.positives]
        bright = median * 10 ** shape(random, n_positive) + random.normal(0, SPREAD, n_positive)
        signals = self.gain * np.concatenate([dim, bright]) + self.offset
        if self.stale:
            signals += (self.gain - 1) * 0.1625 * 6000 * random.lognormal(0, 0.275, self.t_cells)
        return signals, 100 * n_positive / self.t_cells
