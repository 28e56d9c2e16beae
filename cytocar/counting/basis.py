"""Events become cells/µL: by counting beads, by the volume acquired, or by an analyser's count of the same blood.

Each method is a ``CountBasis``: made once per sample, it turns the events of any population into a concentration with
its interval. ``tube`` chooses and makes the basis from what the sample sheet says; what a concentration may be called
(quantified, below a limit, not detected) is decided in ``limits``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt
from msgspec import Struct, field

from cytocar.counting.faults import no_acquired_volume, no_sample_volume, require_fits, require_positive
from cytocar.errors.findings import Finding, Severity
from cytocar.errors.tree import CountingError
from cytocar.gates.decision import PAIRS_PERCENT, Decision
from cytocar.statistics.estimate import UNKNOWN, Estimate
from cytocar.statistics.intervals import clopper_pearson, poisson_interval, ratio_estimate

Floats = npt.NDArray[np.float64]

FEWEST_BEADS = 50
"""Below this there is no absolute count: 50 beads alone leave the count uncertain by about a third."""


class CountBasis(Protocol):
    """How the events of one sample become cells/µL."""

    method: ClassVar[str]

    @property
    def ci_method(self) -> str:
        """Name of the interval and what it carries: ``clopper_pearson + beads 3.6 % + pipetting 2.6 %``."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What about this basis a reader of the result should know."""

    def per_event(self) -> float | None:
        """Return the cells/µL that one event stands for."""

    def concentration(self, events: int) -> Estimate:
        """Return the cells/µL of a population of so many events, with the 95 % interval."""

    def draws(self, events: int, random: np.random.Generator, n: int) -> Floats | None:
        """Return cells/µL that are possible for a population of so many events: what counting and the method leave."""


class BeadBasis(Struct, frozen=True):
    """Counting beads in the same tube (single platform).

    Parameters
    ----------
    bead_events : int
        Beads of the same acquisition as the cells: events in the bead gate, and one more for each pair.
    beads_added : float
        Beads in the tube, from the lot's label.
    sample_volume_ul : float
        Blood in the tube, µL, before lysis.
    dilution_factor : float
        How often the blood was diluted before pipetting.
    cvs : mapping of str to float
        Errors of the method by name, as coefficients of variation: ``{"beads": 0.036, "pipetting": 0.026}``.
    minimum_beads : int
        Fewer beads than this are a finding; fewer than 50 are an error.
    cells_per_event : float
        Cells that an event stands for, where those in pairs are counted too (``with_pairs``).

    Raises
    ------
    CountingError
        E031 without beads, E032 with fewer than 50, E070 with more than were added, E034 without a sample volume, E035
        for a number that cannot be.

    Notes
    -----
    cells/µL = cell_events / bead_events * beads_added / sample_volume_ul * dilution_factor: the volume that the
    instrument drew, and the lysing solution, cancel. Given the sum of both, the cell events are binomial: the
    Clopper-Pearson limits p of their share become ``p/(1 - p)``.

    Examples
    --------
    >>> basis = BeadBasis(bead_events=20_000, beads_added=20_000, sample_volume_ul=50)
    >>> basis.concentration(53_200).value
    1064.0
    """

    bead_events: int
    beads_added: float
    sample_volume_ul: float
    dilution_factor: float = 1.0
    cvs: Mapping[str, float] = field(default_factory=dict)
    minimum_beads: int = 1000
    cells_per_event: float = 1.0

    method: ClassVar[str] = "beads"

    def __post_init__(self) -> None:
        require_positive("beads_added", self.beads_added)
        require_positive("sample_volume_ul", self.sample_volume_ul)
        require_positive("dilution_factor", self.dilution_factor)
        if self.bead_events == 0:
            raise CountingError(
                "no counting beads found, so no cells/µL",
                code="E031",
                hint="check the bead gate, or set count_method to volumetric, dual_platform or none",
            )
        if self.bead_events < FEWEST_BEADS:
            raise CountingError(
                f"only {self.bead_events} counting beads found, {FEWEST_BEADS} are the least for an absolute count",
                code="E032",
                hint="check the bead gate, vortex the beads and acquire longer",
            )
        if self.bead_events > self.beads_added:
            raise CountingError(
                f"{self.bead_events:,} beads were counted, more than the {self.beads_added:,.6g} that were added",
                code="E070",
                hint="beads_added is the number of beads in the tube (the lot's label), not in a µL; or the bead gate "
                "holds cells",
            )

    @property
    def ci_method(self) -> str:
        """See ``CountBasis``."""
        return interval_name("clopper_pearson", self.cvs)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """See ``CountBasis``."""
        enough = self.bead_events >= self.minimum_beads
        few = f"{self.bead_events} counting beads, fewer than {self.minimum_beads}: the count is less certain"
        return (
            Finding(
                check="beads",
                code="" if enough else "W220",
                outcome=Severity.PASS if enough else Severity.REVIEW,
                message=f"{self.bead_events} counting beads" if enough else few,
                value=self.bead_events,
                limit=self.minimum_beads,
            ),
        )

    def per_event(self) -> float:
        """Return the cells/µL that one event stands for."""
        return self._blood_per_bead() / self.bead_events

    def concentration(self, events: int) -> Estimate:
        """Return cells/µL of blood, with the interval from the numbers of cells and beads."""
        return ratio_estimate(events, self.bead_events).scaled(self._blood_per_bead()).widened(combined(self.cvs))

    def draws(self, events: int, random: np.random.Generator, n: int) -> Floats:
        """Return cells/µL that are possible: cells and beads are Poisson, lot and pipette lognormal factors."""
        ratio = random.gamma(events + 0.5, size=n) / random.gamma(self.bead_events + 0.5, size=n)
        return np.asarray(self._blood_per_bead() * ratio * _factors(self.cvs, random, n))

    def _blood_per_bead(self) -> float:
        return self.beads_added / self.sample_volume_ul * self.dilution_factor * self.cells_per_event


def beads_acquired(events: int, population: str, decisions: Sequence[Decision]) -> int:
    """Return the beads behind the events of a bead gate: pairs, where the gate tells how many there are, count as two.

    Examples
    --------
    >>> from cytocar.gates.decision import Source
    >>> pairs = Decision("beads", "cluster", PAIRS_PERCENT, 10.0, Source.CLUSTER)
    >>> beads_acquired(1000, "beads", [pairs]), beads_acquired(1000, "beads", [])
    (1100, 1000)
    """
    percents = (d.value for d in decisions if d.population == population and d.parameter == PAIRS_PERCENT)
    return round(events * (1 + (next(percents, None) or 0.0) / 100))


class VolumetricBasis(Struct, frozen=True):
    """The volume that the instrument measured while it acquired.

    Parameters
    ----------
    acquired_volume_ul : float
        Volume drawn through the laser, µL, for the events of this file.
    sample_volume_ul, final_volume_ul : float, optional
        Blood in the tube, and everything in the tube (blood, antibodies, lysing solution); both or neither.
    dilution_factor : float, optional
        How often the blood was diluted besides; with no final volume, all of the dilution.
    cvs : mapping of str to float
        Errors of the method by name, as coefficients of variation: ``{"pipetting": 0.026}``.

    Raises
    ------
    CountingError
        E033 when no volume was measured, E034 for a final volume without a sample volume, E035 for a number that
        cannot be.

    Notes
    -----
    cells/µL = cell_events / acquired_volume_ul * final_volume_ul / sample_volume_ul * dilution_factor. The limits are
    those of a Poisson count (Garwood) over the same volume.

    Examples
    --------
    >>> round(VolumetricBasis(acquired_volume_ul=30.5).concentration(2193).value, 2)
    71.9
    """

    acquired_volume_ul: float
    sample_volume_ul: float | None = None
    final_volume_ul: float | None = None
    dilution_factor: float | None = None
    cvs: Mapping[str, float] = field(default_factory=dict)
    cells_per_event: float = 1.0

    method: ClassVar[str] = "volumetric"

    def __post_init__(self) -> None:
        if self.acquired_volume_ul == 0:
            raise no_acquired_volume("the acquired volume is 0: it was not measured")
        require_positive("acquired_volume_ul", self.acquired_volume_ul)
        for name in ("sample_volume_ul", "final_volume_ul", "dilution_factor"):
            value = getattr(self, name)
            if value is not None:
                require_positive(name, value)
        if self.final_volume_ul is not None and self.sample_volume_ul is None:
            raise no_sample_volume("the template names a final volume but the sheet no sample_volume_ul")
        if self.final_volume_ul is not None and self.sample_volume_ul is not None:
            require_fits(self.sample_volume_ul, self.final_volume_ul)

    @property
    def ci_method(self) -> str:
        """See ``CountBasis``."""
        return interval_name("garwood", self.cvs)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """See ``CountBasis``."""
        if self.final_volume_ul is not None or self.dilution_factor is not None:
            return ()
        message = "neither a final volume nor a dilution factor is given: taken as undiluted blood"
        return (Finding(check="volume", code="W221", outcome=Severity.REVIEW, message=message),)

    def per_event(self) -> float:
        """Return the cells/µL that one event stands for."""
        return self._dilution() * self.cells_per_event / self.acquired_volume_ul

    def concentration(self, events: int) -> Estimate:
        """Return cells/µL of blood, with the interval of a Poisson count."""
        low, high = poisson_interval(events)
        return Estimate(events, low, high).scaled(self.per_event()).widened(combined(self.cvs))

    def draws(self, events: int, random: np.random.Generator, n: int) -> Floats:
        """Return cells/µL that are possible: the count is Poisson, the pipette a lognormal factor."""
        return np.asarray(self.per_event() * random.gamma(events + 0.5, size=n) * _factors(self.cvs, random, n))

    def _dilution(self) -> float:
        in_tube = 1.0
        if self.final_volume_ul is not None and self.sample_volume_ul is not None:
            in_tube = self.final_volume_ul / self.sample_volume_ul
        return in_tube * (1.0 if self.dilution_factor is None else self.dilution_factor)


class DualPlatformBasis(Struct, frozen=True):
    """An analyser's count of lymphocytes or leukocytes of the same blood draw.

    Parameters
    ----------
    reference_events : int
        Events of the population that the analyser counted, in this file.
    reference_per_ul : float
        The analyser's count, cells/µL (1e9/L is 1000/µL).
    cvs : mapping of str to float
        Errors of the method by name, as coefficients of variation: ``{"analyser": 0.05}``.

    Raises
    ------
    CountingError
        E035 for an analyser count that cannot be, E037 when the reference population is empty.

    Notes
    -----
    cells/µL = cell_events / reference_events * reference_per_ul. Pipetting and dilution cancel. The limits are
    Clopper-Pearson's for the share of the reference; a population that is not inside the reference (and may be larger
    than it) has those of a ratio of two counts.

    Examples
    --------
    >>> DualPlatformBasis(reference_events=200_000, reference_per_ul=2000).concentration(10_640).value
    106.39...
    """

    reference_events: int
    reference_per_ul: float
    cvs: Mapping[str, float] = field(default_factory=dict)

    method: ClassVar[str] = "dual_platform"

    def __post_init__(self) -> None:
        require_positive("the analyser's count (cells/µL)", self.reference_per_ul)
        if self.reference_events == 0:
            raise CountingError(
                "no event in the reference population of the dual-platform count, so no cells/µL",
                code="E037",
                hint="check the gate of the population under [counting] dual_platform_reference",
            )

    @property
    def ci_method(self) -> str:
        """See ``CountBasis``."""
        return interval_name("clopper_pearson", self.cvs)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """See ``CountBasis``."""
        return ()

    def per_event(self) -> float:
        """Return the cells/µL that one event stands for."""
        return self.reference_per_ul / self.reference_events

    def concentration(self, events: int) -> Estimate:
        """Return cells/µL of blood, with the interval of the share of the reference."""
        if events <= self.reference_events:
            low, high = clopper_pearson(events, self.reference_events)
            share = Estimate(events / self.reference_events, low, high)
        else:
            share = ratio_estimate(events, self.reference_events)
        return share.scaled(self.reference_per_ul).widened(combined(self.cvs))

    def draws(self, events: int, random: np.random.Generator, n: int) -> Floats:
        """Return cells/µL that are possible: a share of the reference times the analyser's count and its error."""
        if events <= self.reference_events:
            share = random.beta(events + 0.5, self.reference_events - events + 0.5, size=n)
        else:
            share = random.gamma(events + 0.5, size=n) / random.gamma(self.reference_events + 0.5, size=n)
        return np.asarray(self.reference_per_ul * share * _factors(self.cvs, random, n))


class NoBasis(Struct, frozen=True):
    """No absolute count was asked for, or none is possible: percentages only.

    Examples
    --------
    >>> NoBasis().concentration(100)
    Estimate(value=None, low=None, high=None)
    """

    method: ClassVar[str] = "none"

    @property
    def ci_method(self) -> str:
        """See ``CountBasis``."""
        return ""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """See ``CountBasis``."""
        return ()

    def per_event(self) -> float | None:
        """Return nothing: an event stands for no known concentration."""
        return None

    def concentration(self, events: int) -> Estimate:
        """Return the unknown estimate."""
        return UNKNOWN

    def draws(self, events: int, random: np.random.Generator, n: int) -> None:
        """Return nothing: no concentration is known."""


# ---------------------------------------------------------------- numbers of several methods


def combined(cvs: Mapping[str, float]) -> float:
    """Return the coefficient of variation of several independent errors together."""
    return math.hypot(*cvs.values())


def interval_name(exact: str, cvs: Mapping[str, float]) -> str:
    """Return the name of an interval with what it carries besides counting.

    Examples
    --------
    >>> interval_name("clopper_pearson", {"beads": 0.036, "pipetting": 0.026, "gate": 0.0})
    'clopper_pearson + beads 3.6 % + pipetting 2.6 %'
    """
    return " + ".join((exact, *(f"{name} {100 * cv:.3g} %" for name, cv in cvs.items() if cv)))


def _factors(cvs: Mapping[str, float], random: np.random.Generator, n: int) -> Floats:
    sd = math.sqrt(math.log1p(combined(cvs) ** 2))
    return np.asarray(np.exp(random.normal(0, sd, n)))
