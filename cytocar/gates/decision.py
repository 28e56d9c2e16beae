"""What a gate decided on one sample: the row of ``gates.csv``, and the fixed gate that stands for it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from msgspec import Struct, field

from cytocar.regions.gate import ScaleOf
from cytocar.regions.kinds import FixedGate
from cytocar.sheet.rows import SampleType
from cytocar.signals.scales import AnyScale


class Source(StrEnum):
    """Where a gate's number came from."""

    FIXED = "fixed"
    VALLEY = "valley"
    REFERENCE = "reference"
    SINGLETS = "singlets"
    CLUSTER = "cluster"
    FALLBACK = "fallback"
    OVERRIDE = "override"


class Flag(StrEnum):
    """What a person should know about a gate's number; ``cytocar explain FLAG`` says what each means."""

    FEW_EVENTS = "FEW_EVENTS"
    NO_VALLEY = "NO_VALLEY"
    FLAT_VALLEY = "FLAT_VALLEY"
    DIM = "DIM"
    CLAMPED = "CLAMPED"
    DIFFERS_FROM_FIXED = "DIFFERS_FROM_FIXED"
    UNUSUAL_SHARE_KEPT = "UNUSUAL_SHARE_KEPT"
    NO_CLUSTER = "NO_CLUSTER"
    SEVERAL_CLUSTERS = "SEVERAL_CLUSTERS"
    CLUSTER_OUT_OF_WINDOW = "CLUSTER_OUT_OF_WINDOW"
    WIDE_CLUSTER = "WIDE_CLUSTER"
    BEAD_DOUBLETS = "BEAD_DOUBLETS"
    NO_REFERENCE = "NO_REFERENCE"
    FEW_REFERENCE_EVENTS = "FEW_REFERENCE_EVENTS"
    FMO_ONLY = "FMO_ONLY"
    ALIGNMENT_REJECTED = "ALIGNMENT_REJECTED"
    OFFSET_SHIFT = "OFFSET_SHIFT"
    FALLBACK_TOO_LOW = "FALLBACK_TOO_LOW"
    GAIN_SHIFT = "GAIN_SHIFT"
    NEGATIVES_DIFFER = "NEGATIVES_DIFFER"
    FEW_OF_A_KIND = "FEW_OF_A_KIND"
    HIGH_BACKGROUND = "HIGH_BACKGROUND"
    NO_RESOLVED_POSITIVES = "NO_RESOLVED_POSITIVES"
    LOW_STAIN_INDEX = "LOW_STAIN_INDEX"
    NOT_QUANTIFIABLE = "NOT_QUANTIFIABLE"
    OVERRIDDEN = "OVERRIDDEN"


CONTROL_FLAGS = (Flag.NO_REFERENCE, Flag.FEW_REFERENCE_EVENTS, Flag.FMO_ONLY)
"""What a sample lacks of controls: so by design of the run, said once for all of its samples and no reason to look."""

PAIRS_PERCENT = "pairs_percent"
"""Parameter of a bead gate: how many of its events are two beads."""
FALLING = "falling_negatives"
"""Parameter of a ``reference`` gate without a control: events above its threshold that may be negatives, as the fall of
those below it tells; absent where none is seen."""
THRESHOLD_SD = "threshold_sd"
"""Parameter of a ``reference`` gate: its threshold in spreads of the negatives above their median."""


class Decision(Struct, frozen=True):
    """One parameter of one gate on one sample.

    ``value`` is in compensated data units. ``window`` is the range that the template allows, ``fallback`` the value it
    names for want of evidence, ``events`` the number of parent events that were looked at, ``flags`` codes such as
    ``FEW_EVENTS``, ``NO_VALLEY``, ``CLAMPED`` (explained by ``cytocar explain FLAG``). ``kept`` is the number of events
    that the value keeps, ``kept_by_fallback`` the number that the template's fixed fallback would have kept.

    How far the place could be another: ``floor`` is the stretch of a valley in which the density is hardly higher than
    at ``value``, ``floor_events`` the number of parent events in it. ``border_percent`` is by how many percent of its
    events the population changes if the signal on the border's axis is 10 % brighter.
    """

    population: str
    kind: str
    parameter: str
    value: float | None
    source: Source
    window: tuple[float, float] | None = None
    clamped: bool = False
    events: int | None = None
    fallback: float | None = None
    flags: tuple[Flag, ...] = ()
    kept: int | None = None
    kept_by_fallback: int | None = None
    floor: tuple[float, float] | None = None
    floor_events: int | None = None
    border_percent: float | None = None


class ReferenceEvents(Struct, frozen=True, eq=False):
    """A control sample's compensated signals in the parent population of a ``reference`` gate.

    ``values`` maps a marker to an array of shape (n_events,), linear compensated scale. ``bead_gains`` are the sample's
    gains against this tube by marker, as the counting beads of both show them. ``kinds`` are the same signals by marker
    for CD4+ T cells, CD8+ T cells, and those that are neither; empty where the template does not tell them.
    """

    sample_id: str
    kind: SampleType
    population: str
    values: Mapping[str, npt.NDArray[np.float64]]
    bead_gains: Mapping[str, float] = field(default_factory=dict)
    kinds: Mapping[str, tuple[npt.NDArray[np.float64], ...]] = field(default_factory=dict)


class BlankCount(Struct, frozen=True):
    """A tube without positives: events above the threshold, of so many; whose, and whether of the sample's own subject.

    Without a ``subject`` it is a subject of its own.
    """

    events: float
    of_events: int
    subject: str = ""
    own: bool = False


class ReferenceCount(Struct, frozen=True):
    """A reference that placed a gate: whether it is the subject's own; events above for each possible alignment.

    ``place`` is the threshold on its own scale; ``gain`` and ``offset`` (in spreads of its negatives) brought it to the
    sample's.
    """

    own: bool
    of_events: int
    events: tuple[int, ...]
    sample_id: str = ""
    place: float = 0.0
    gain: float = 1.0
    offset: float = 0.0


class Background(Struct, frozen=True):
    """What the references say about a positive gate: how many negatives enter it, how many positives it misses.

    Parameters
    ----------
    events, of_events : int
        Events above the threshold in the pooled references, and the references' total; both 0 where other tubes alone
        (``others``) tell the background.
    between_cv : float, optional
        Coefficient of variation of the background rate from tube to tube; None: as all the tubes show.
    sensitivity, sensitivity_sd : float
        Share of the positives that lie above the threshold, and how well that is known.
    shifted_events : tuple of int
        ``events`` if the references were aligned a little higher or lower, equally likely cases; empty: as they are.
    parts : tuple of ReferenceCount
        The references one by one.
    place : float, optional
        The threshold, in spreads above the median of the negatives.
    extra_cv : float
        What this tube's alignment adds to the variation.
    others : tuple of BlankCount
        More tubes without positives, of this run and of earlier ones.
    kinds : tuple of (int, int)
        CD4+ and CD8+ T cells of the references: above the threshold, and all; empty where they are not told apart.
    resolved : bool
        False where too few positives stand out to tell ``sensitivity``, which then is a supposition.
    """

    events: int
    of_events: int
    control_ids: tuple[str, ...]
    between_cv: float | None = 0.25
    sensitivity: float = 1.0
    sensitivity_sd: float = 0.0
    shifted_events: tuple[int, ...] = ()
    parts: tuple[ReferenceCount, ...] = ()
    place: float | None = None
    extra_cv: float = 0.0
    others: tuple[BlankCount, ...] = ()
    kinds: tuple[tuple[int, int], ...] = ()
    resolved: bool = True


class FitInput(Struct, frozen=True):
    """What a data-driven gate is placed by on one sample.

    Attributes
    ----------
    population : str
        The population that the gate defines.
    columns : mapping of marker to (n,) float64
        Compensated signals of the parent's events, linear scale.
    scales : mapping of marker to scale
        Display scales, where the template or the file has them.
    ranges : mapping of marker to float
        Where a marker's channel ends, where that is known.
    references : sequence of ReferenceEvents
        The same parent of the sample's controls.
    seed : int
        For what draws by chance: the same for the same population.
    kinds : sequence of (n,) bool
        Which of the events are CD4+, and which CD8+, T cells; empty where the template does not tell them.
    """

    population: str
    columns: Mapping[str, npt.NDArray[np.float64]]
    scales: Mapping[str, AnyScale] = field(default_factory=dict)
    ranges: Mapping[str, float] = field(default_factory=dict)
    references: Sequence[ReferenceEvents] = ()
    seed: int = 0
    kinds: Sequence[npt.NDArray[np.bool_]] = ()


class Fitted(Struct, frozen=True):
    """A data-driven gate as placed on one sample: a fixed gate, the decisions behind it, and its background if any."""

    gate: FixedGate
    decisions: tuple[Decision, ...]
    background: Background | None = None
    extras: Mapping[str, float] = field(default_factory=dict)


LARGEST_RELATIVE_DIFFERENCE = 0.30
"""Beyond it a gate is flagged DIFFERS_FROM_FIXED: lower flags more gates, and moves none."""


def differs(kept: float, kept_by_fallback: float) -> bool:
    """True if two gates' events differ by more than 30 %, beyond what counting noise explains.

    The noise allowed for is 1.96 Poisson standard deviations of both counts.

    Examples
    --------
    >>> differs(1000, 1200), differs(1000, 2000), differs(4, 8)
    (False, True, False)
    """
    noise = 1.96 * math.sqrt(kept + kept_by_fallback)
    allowed = LARGEST_RELATIVE_DIFFERENCE * max(kept, kept_by_fallback)
    return abs(kept - kept_by_fallback) > allowed + noise


def fixed_decisions(
    population: str, gate: FixedGate, scale_of: ScaleOf, *, source: Source = Source.FIXED
) -> list[Decision]:
    """Return the rows of ``gates.csv`` for a gate that no data decided: one per number, in data units."""
    flags = (Flag.OVERRIDDEN,) if source is Source.OVERRIDE else ()
    return [
        Decision(population, gate.kind, parameter, value, source, flags=flags)
        for parameter, value in gate.numbers(scale_of)
    ]
