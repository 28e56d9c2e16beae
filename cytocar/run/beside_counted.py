"""What the counted tubes of a run say about each other, once all of them are counted.

Each tube's findings depend on the results of all others, in no order: whatever executor counted them, wherever the run
was interrupted, and whether shards were merged, the same samples get the same findings.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from cytocar.errors.findings import Finding, Severity
from cytocar.run.copies import COPIES_CHECK, Recording, copy_findings
from cytocar.run.exchanged import EXCHANGED_CHECK, CarShare, exchange_findings
from cytocar.run.gate_places import PLACES_CHECK, GatePlaces, odd_samples, places_of
from cytocar.run.parts import to_json
from cytocar.run.reagents import REAGENTS_CHECK, TubeStains, reagent_findings
from cytocar.run.yields import BEADS_CHECK, DRAW_CHECK, VOLUME_CHECK, TubeYield, yield_findings
from cytocar.sample.result import SampleOutcome, SampleResult

if TYPE_CHECKING:
    from cytocar.run.parts import Parts

CHECKS = frozenset({PLACES_CHECK, BEADS_CHECK, DRAW_CHECK, VOLUME_CHECK, REAGENTS_CHECK, COPIES_CHECK, EXCHANGED_CHECK})
"""Of findings that come from the other tubes' counts."""


class CountedTube(Struct, frozen=True):
    """What of one counted tube is held against the others', and what they said of it when it was last kept."""

    places: GatePlaces
    yields: TubeYield
    stains: TubeStains
    recording: Recording
    share: CarShare
    from_others: tuple[Finding, ...] = ()

    @classmethod
    def of(cls, outcome: SampleOutcome) -> CountedTube | None:
        """What of a sample is compared; None of one that was not counted, or is not stained with the whole panel."""
        places = places_of(outcome)
        if places is None or not isinstance(outcome, SampleResult):
            return None
        beads, t_cells = outcome.roles.beads, outcome.population(outcome.roles.t_cells)
        brightness = {name: value for name, value in places.values.items() if _is_of(name, beads)}
        cd3 = t_cells.medians.get("CD3") if t_cells is not None else None
        from_others = tuple(finding for finding in outcome.findings if finding.check in CHECKS)
        stains = TubeStains(places.sample_id, places.kind, outcome.stain_levels)
        return cls(
            places,
            TubeYield.of(outcome, brightness, cd3),
            stains,
            Recording.of(outcome),
            CarShare.of(outcome),
            from_others,
        )


def _is_of(place: str, beads: str | None) -> bool:
    """True if a place is where beads shine: the centre of their gate, or their median, in a colour."""
    return beads is not None and (place.endswith(f" of {beads}") or place.startswith(f"{beads} center_"))


def findings_beside_counted(tubes: Sequence[CountedTube]) -> Mapping[str, tuple[Finding, ...]]:
    """Return by sample what the counted others show about it, whether it agrees with them or not."""
    findings: dict[str, list[Finding]] = defaultdict(list)
    for name, how in odd_samples([tube.places for tube in tubes]).items():
        findings[name].append(Finding(PLACES_CHECK, "W254", Severity.NOTE, f"lies elsewhere than the others: {how}"))
    for name, of_yield in yield_findings([tube.yields for tube in tubes]).items():
        findings[name] += of_yield
    for name, finding in reagent_findings([tube.stains for tube in tubes]):
        findings[name].append(finding)
    for name, finding in copy_findings([tube.recording for tube in tubes]):
        findings[name].append(finding)
    for name, finding in exchange_findings([tube.share for tube in tubes]):
        findings[name].append(finding)
    return {name: tuple(of_one) for name, of_one in findings.items()}


def with_findings_of_others(result: SampleResult, findings: Sequence[Finding]) -> SampleResult:
    """Return a result with what the counted others say of it, in place of what they said before."""
    own = (finding for finding in result.findings if finding.check not in CHECKS)
    return replace(result, findings=(*own, *findings))


def to_tell(tubes: Iterable[CountedTube | None]) -> Mapping[str, tuple[Finding, ...]]:
    """What the counted others say of each sample of whom they say something else than when it was kept.

    Parameters
    ----------
    tubes : iterable of CountedTube or None
        Of all samples of the run.
    """
    known = [tube for tube in tubes if tube is not None]
    findings = findings_beside_counted(known)
    both = {tube.places.sample_id: (tube.from_others, findings.get(tube.places.sample_id, ())) for tube in known}
    return {name: now for name, (before, now) in both.items() if now != before}


def keep_told_anew(parts: Parts, tubes: Iterable[CountedTube | None]) -> Iterator[tuple[SampleResult, bytes]]:
    """Keep anew the parts of whom the counted others say something else than before; yield them, and as JSON."""
    telling = to_tell(tubes)
    for outcome in parts.every(telling):
        if isinstance(outcome, SampleResult):
            anew = with_findings_of_others(outcome, telling[outcome.sample.sample_id])
            content = to_json(anew)
            parts.keep(anew.sample.sample_id, content)
            yield anew, content
