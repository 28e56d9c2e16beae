"""Tubes without CAR-T cells around a sample: kept for others, and asked about the sample's own background."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from cytocar.counting.blank_rates import learned_rates
from cytocar.counting.blank_tubes import FEWEST_T_CELLS, BlankTube, beyond_places, counts_at
from cytocar.errors.findings import Finding, Severity
from cytocar.gates.adaptive.density import Ordered
from cytocar.gates.decision import THRESHOLD_SD, Background
from cytocar.sheet.rows import SampleType
from cytocar.template.gate_kinds import ReferenceGate

if TYPE_CHECKING:
    from cytocar.gates.decision import BlankCount
    from cytocar.gates.populations import Populations
    from cytocar.sample.protocol import Protocol
    from cytocar.sheet.rows import SampleRow
    from cytocar.template.model import Template

CAR_NEGATIVE = frozenset({SampleType.BASELINE, SampleType.HEALTHY})
"""Fully stained tubes without CAR-T cells: an FMO has no sticky cells, a blank no T cells."""


def tells_backgrounds(template: Template, sample: SampleRow) -> bool:
    """True if a tube says something about the background of others: CAR-negative, with a CAR gate so placed."""
    return sample.sample_type in CAR_NEGATIVE and _car_gate(template) is not None


def _car_gate(template: Template) -> tuple[str, ReferenceGate] | None:
    """Return the CAR gate with its population; None of a template that has none, or one that no control places."""
    role = template.report.car
    gate = None if role is None else template.population(role).gate
    return (role, gate) if role is not None and isinstance(gate, ReferenceGate) else None


def blank_tube(
    populations: Populations,
    template: Template,
    sample: SampleRow,
    *,
    signals: Mapping[str, Mapping[str, np.ndarray]] | None = None,
) -> BlankTube | None:
    """What a CAR-negative tube says to others; None for other tubes, and for templates without a CAR gate.

    Without the ``signals`` by population and marker, they are worked out by a pass over the file.
    """
    placed = _car_gate(template)
    if placed is None or sample.sample_type not in CAR_NEGATIVE:
        return None
    role, gate = placed
    parent, marker = template.population(role).parent, gate.marker
    values = populations.values(parent, marker) if signals is None else signals[parent][marker]
    ordered = Ordered.of(values).values
    if len(ordered) < FEWEST_T_CELLS:
        return None
    return BlankTube(
        sample_id=sample.sample_id,
        subject_id=sample.subject_id or "",
        sample_type=sample.sample_type.value,
        template=template.name,
        population=role,
        marker=marker,
        t_cells=len(ordered),
        above=beyond_places(ordered),
    )


class TubesBackground(Struct, frozen=True):
    """Backgrounds with all the tubes that tell them, and which tubes these are, in words."""

    backgrounds: Mapping[str, Background]
    findings: tuple[Finding, ...] = ()
    who: str = ""


def background_of_tubes(
    populations: Populations,
    protocol: Protocol,
    sample: SampleRow,
    backgrounds: Mapping[str, Background],
    *,
    own: BlankTube | None,
    run: Sequence[BlankTube],
) -> TubesBackground:
    """Return the backgrounds with the other tubes of the run, and of the laboratory's history, added to the CAR gate's.

    Parameters
    ----------
    own : BlankTube, optional
        The sample itself, where it is such a tube: it never tells its own background.
    run : sequence of BlankTube
        The CAR-negative tubes of the run.
    """
    placed = _car_gate(protocol.template)
    if placed is None:
        return TubesBackground(backgrounds)
    role, gate = placed
    background = backgrounds.get(role)
    place = _place(populations, role) if background is None else background.place
    controls = background.control_ids if background else ()
    known = [tube.profile for tube in run if tube.sample_id in controls] + ([own.profile] if own else [])
    of_run: tuple[BlankCount, ...] = ()
    earlier: tuple[BlankCount, ...] = ()
    if place is not None:
        at_gate = partial(counts_at, place, subject=sample.subject_id, gate=(protocol.template.name, role, gate.marker))
        of_run = at_gate(run, without=known)
        earlier = at_gate(protocol.history.tubes, without=known + [tube.profile for tube in run])
    others = (*of_run, *earlier)
    if background is None and not others:
        return TubesBackground(backgrounds, (_assumed(gate),), "assumed")
    between = replace(background or Background(0, 0, (), between_cv=None), others=others, place=place)
    kinds = {"own baseline": any(part.own for part in between.parts) or any(one.own for one in others)}
    kinds |= {"controls": any(not part.own for part in between.parts), "run": bool(of_run), "history": bool(earlier)}
    who = " + ".join(kind for kind, there in kinds.items() if there)
    return TubesBackground({**backgrounds, role: between}, (_learned(between, len(of_run), len(earlier)),), who)


def _place(populations: Populations, role: str) -> float | None:
    places = (row.value for row in populations.decisions if row.population == role and row.parameter == THRESHOLD_SD)
    return next(places, None)


def _learned(background: Background, of_run: int, earlier: int) -> Finding:
    """Which tubes the background is known from, and how much tubes vary by them."""
    cv = learned_rates(background).cv
    own = sum(part.own for part in background.parts)
    tubes = f"{own} of the subject's own, {len(background.parts) - own} other controls, {of_run} more of the run"
    message = f"background from {tubes}, {earlier} of the history; {100 * cv:.0f} % from tube to tube"
    return Finding("background", "", Severity.PASS, message, value=cv)


def _assumed(gate: ReferenceGate) -> Finding:
    message = f"background of {gate.background_percent:g} % assumed: neither a control nor a history tells it"
    return Finding("background", "", Severity.PASS, message, value=None)
