"""Where gates and signals of each tube lie, against the other tubes of the run: what one tube alone cannot show.

Compared are places that data decided, and the brightness of what biology leaves alone (CD3 of T cells, beads). CAR+
cells come and go over a course, so neither their number nor their brightness is compared. It is said once the run is
counted, and decides no status: each tube's own checks do, and what beads and cells yield (``yields``).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from cytocar.gates.adaptive.cluster import is_scatter
from cytocar.gates.decision import PAIRS_PERCENT, Source
from cytocar.sample.result import SampleOutcome, SampleResult
from cytocar.sheet.rows import SampleType
from cytocar.statistics.order import MAD_TO_SD

FEWEST_OTHERS = 4
"""Other tubes: of four the middle stands whatever one of them does; with fewer nobody can say which is the odd one."""
FACTOR, STEADY_FACTOR = 2.0, 1.3
"""Half or twice the others': activated T cells carry half the CD3 of resting ones, and gates follow a gain of 1.3. Of
beads and of where lymphocytes scatter, which no biology moves, a third: a gain of 20 % is tolerated everywhere."""
SPREADS = 6.0
"""Robust standard deviations of the others beside it, where they differ more than that among themselves."""
FEWEST_EVENTS = 100
"""Of a population whose brightness is compared: a median known to a tenth of its spread."""
PLACES_CHECK = "run_places"
DATA_DRIVEN = frozenset(Source) - {Source.FIXED, Source.REFERENCE, Source.FALLBACK, Source.OVERRIDE}
COMPARED = frozenset({SampleType.SAMPLE, SampleType.BASELINE, SampleType.HEALTHY, SampleType.PROCESS_CONTROL})
"""Tubes that are stained with the whole panel."""


class GatePlaces(Struct, frozen=True):
    """Of one tube: what it is compared among (template and instrument), and its places by their names.

    ``steady`` are the names of those that no biology moves.
    """

    sample_id: str
    kind: tuple[str, ...]
    values: Mapping[str, float] = field(default_factory=dict)
    steady: frozenset[str] = frozenset()


class OddPlace(Struct, frozen=True):
    """A place of a tube that is far from where the others have it; ``others`` is their middle, of ``of_files``."""

    sample_id: str
    name: str
    value: float
    others: float
    of_files: int

    def __str__(self) -> str:
        value, others = (f"{one:,.0f}" if one >= 100 else f"{one:.3g}" for one in (self.value, self.others))
        return f"{self.name} {value} (others {others})"


def places_of(outcome: SampleOutcome) -> GatePlaces | None:
    """Where the gates and signals of a counted, stained tube lie; None of any other."""
    if not isinstance(outcome, SampleResult) or outcome.sample.sample_type not in COMPARED:
        return None
    roles = outcome.roles
    values = {
        f"{one.population} {one.parameter}": one.value
        for one in outcome.decisions
        if one.value is not None and one.source in DATA_DRIVEN and one.population != roles.car
        if one.parameter != PAIRS_PERCENT  # a share of some few events, with a check of its own
    }
    of_the_car = {gate.marker for gate in [outcome.gates.get(roles.car or "")] if gate and hasattr(gate, "marker")}
    for name in filter(None, (roles.t_cells, roles.beads)):
        population = outcome.population(name)
        if population is not None and population.events >= FEWEST_EVENTS:
            known = population.medians.items()
            values |= {f"{marker} of {name}": value for marker, value in known if value and marker not in of_the_car}
    values |= _neither(outcome)
    values = {name: value for name, value in values.items() if value > 0}
    of_beads = {name for name in values if roles.beads in (name.split()[0], name.split(" of ")[-1])}
    scatter = {name for name in values if " center_" in name and is_scatter(name.split("center_")[1])}
    kind = (outcome.template.name, outcome.template.version, outcome.instrument)
    return GatePlaces(outcome.sample.sample_id, kind, values, frozenset(of_beads | scatter))


def _neither(outcome: SampleResult) -> dict[str, float]:
    """Return the percent of the T cells that are neither CD4 nor CD8: what lost one of them is among these."""
    whole, *parts = (outcome.population(getattr(outcome.roles, role)) for role in ("t_cells", "cd4", "cd8"))
    if whole is None or whole.events < FEWEST_EVENTS or None in parts:
        return {}
    left = whole.events - sum(part.events for part in parts if part is not None)
    return {"percent of the T cells neither CD4 nor CD8": 100 * left / whole.events}


def _factor(tube: GatePlaces, name: str) -> float:
    return STEADY_FACTOR if name in tube.steady else FACTOR


def odd_places(tubes: Sequence[GatePlaces]) -> tuple[OddPlace, ...]:
    """Return the places that lie far from those of the other tubes of their kind, in the order of the tubes.

    Notes
    -----
    On a log scale: farther from the median of the others than a factor of 2 (1.3 of what is steady) and than six robust
    standard deviations (MAD) of theirs. Two groups of tubes (two bead lots, two settings) differ by design: then the
    spread is theirs.

    Examples
    --------
    >>> tubes = [GatePlaces(name, ("t",), {"CD3 of T": cd3}) for name, cd3 in zip("abcdef", (50, 52, 48, 51, 49, 12))]
    >>> [str(odd) for odd in odd_places(tubes)], odd_places(tubes[2:])
    (['CD3 of T 12 (others 50)'], ())
    """
    of_kind: dict[tuple[tuple[str, ...], str], list[float]] = defaultdict(list)
    for tube in tubes:
        for name, value in tube.values.items():
            of_kind[tube.kind, name].append(math.log(value))
    crowds = {key: _Crowd(sorted(logs)) for key, logs in of_kind.items() if len(logs) > FEWEST_OTHERS}
    odd = []
    for tube in tubes:
        for name, value in tube.values.items():
            if (crowd := crowds.get((tube.kind, name))) is None:
                continue
            log = math.log(value)
            middle, spread = crowd.without(log)
            if abs(log - middle) > max(math.log(_factor(tube, name)), SPREADS * spread):
                odd.append(OddPlace(tube.sample_id, name, value, math.exp(middle), len(crowd.logs) - 1))
    return tuple(odd)


class _Crowd(Struct, frozen=True):
    """The logarithms of one place in all tubes of a kind, in order; ``distances`` from a middle are worked out once.

    A tube is compared with the others, but leaving one out moves the middle to one of three numbers at most.
    """

    logs: Sequence[float]
    distances: dict[float, Sequence[float]] = field(default_factory=dict)

    def without(self, log: float) -> tuple[float, float]:
        """Return the median of the others, and their robust standard deviation."""
        middle = _median_without(self.logs, log)
        if middle not in self.distances:
            self.distances[middle] = sorted(abs(one - middle) for one in self.logs)
        return middle, MAD_TO_SD * _median_without(self.distances[middle], abs(log - middle))


def _median_without(ordered: Sequence[float], one: float) -> float:
    """Return the median of numbers in order without one of them.

    >>> _median_without([1.0, 2.0, 4.0, 8.0], 2.0), _median_without([1.0, 2.0, 4.0], 4.0)
    (4.0, 1.5)
    """
    left_out, half = bisect_left(ordered, one), (len(ordered) - 1) // 2
    low, high = (ordered[at if at < left_out else at + 1] for at in (max(half - 1, 0), half))
    return high if len(ordered) % 2 == 0 else (low + high) / 2


PLACES_NAMED = 3
"""Of a tube that lies elsewhere: its first places say enough."""


def odd_samples(tubes: Sequence[GatePlaces]) -> Mapping[str, str]:
    """Return by sample how it lies elsewhere than the others, in words."""
    places_of: dict[str, list[str]] = defaultdict(list)
    for odd in odd_places(tubes):
        places_of[odd.sample_id].append(str(odd))
    return {name: ", ".join(places[:PLACES_NAMED]) for name, places in places_of.items()}
