"""A subject's tubes together: each one's net count with the shape of the positives that all of them show.

Each tube's own number stays. Beside it stands what its events mean if CAR-T cells are as bright, relative to the
negatives, in all tubes of the subject: the many positives of the peak tell what share of the few of a late tube lies
below its threshold. Files are read again, by the gates and controls that they were counted with.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from cytocar.counting.background import NetShare, net_share
from cytocar.counting.car_t import SEED
from cytocar.course.series import Series
from cytocar.errors.tree import SampleError, UsageError
from cytocar.fcs.reader import open_fcs
from cytocar.files.source import at_hand
from cytocar.gates.adaptive.positives import Seen
from cytocar.gates.adaptive.reference import seen_above
from cytocar.gates.adaptive.shared_shape import SharedShape, shared_shape
from cytocar.gates.decision import Background
from cytocar.gates.engine.frame import Bools
from cytocar.gates.engine.stream import GatedBlock
from cytocar.regions.boxes import RangeGate
from cytocar.run.execute import control_signals
from cytocar.run.finished.override import require_as_counted
from cytocar.run.finished.recorded_plan import recorded_plan
from cytocar.run.parts import PARTS, Parts, require_parts
from cytocar.run.plan import RunPlan
from cytocar.run.trail.journal import finished_manifest
from cytocar.sample.analysis import gate_again
from cytocar.sample.result import SampleResult
from cytocar.sheet.rows import SampleType
from cytocar.statistics.estimate import UNKNOWN, Estimate
from cytocar.template.gate_kinds import ReferenceGate

A_CONTROL = "it is a control itself"
"""Why a control has no joint count: by design, and so nobody is told but the table."""


class JointCount(Struct, frozen=True):
    """One tube: its own net count and the joint one; ``refused`` says why there is no joint one."""

    subject_id: str
    day: float
    sample_id: str
    car_events: int
    percent: Estimate
    per_ul: Estimate
    sensitivity: float | None = None
    joint_percent: Estimate = UNKNOWN
    joint_per_ul: Estimate = UNKNOWN
    joint_sensitivity: float | None = None
    joint_stain_index: float | None = None
    tubes: int = 0
    shape_p: float | None = None
    refused: str = ""


class _Tube(Struct, frozen=True, eq=False):
    result: SampleResult
    seen: Seen | None
    background: Background | None
    refused: str = ""


def joint_counts(runs: Sequence[Path], series: Series) -> tuple[JointCount, ...]:
    """Return the joint counts of the tubes on the courses of some runs, in order of subject, day and sample.

    Raises
    ------
    UsageError
        E114 for what is no finished run, E103 when an FCS file is not where it was.
    IntegrityError
        E126 when a file is not the one that was counted.
    """
    on_course = {(point.subject_id, name) for point in series.points for name in point.sample_id.split("+")}
    tubes: dict[tuple[str, float, str, str], _Tube] = {}
    for folder in runs:
        if not folder.is_dir():
            raise UsageError(
                f"{folder} is a table: the files behind it are needed", code="E114", hint="give the run folder"
            )
        manifest = finished_manifest(folder)
        plan, parts = recorded_plan(manifest, folder), Parts(folder / PARTS)
        require_parts(folder, manifest, plan.sample_ids)
        outcomes = [parts.read(row.sample_id) for row in plan.samples if (row.subject_id, row.sample_id) in on_course]
        chosen = [one for one in outcomes if isinstance(one, SampleResult) and one.car is not None]
        for tube in _read(plan, parts, chosen):
            sample = tube.result.sample
            key = (sample.subject_id or "", sample.day or 0.0, sample.sample_id, tube.result.file_sha256 or "")
            tubes.setdefault(key, tube)
    in_order = [tubes[key] for key in sorted(tubes)]
    grouped = groupby(in_order, key=lambda tube: (tube.result.sample.subject_id or "", tube.result.template.name))
    return tuple(count for _, own in grouped for count in _of_one_subject(tuple(own)))


def _read(plan: RunPlan, parts: Parts, results: Sequence[SampleResult]) -> Iterator[_Tube]:
    """What tubes of a run show of their positives, with the controls that each was counted with."""
    rows = {row.sample_id: row for row in plan.samples}
    wanted = {result.sample.sample_id for result in results} | {name for one in results for name in one.control_ids}
    require_as_counted([rows[name] for name in rows if name in wanted], parts)
    for result in results:
        name = result.sample.sample_id
        protocol = plan.protocols[name]
        car = protocol.template.report.car or ""
        declared, gate = protocol.template.population(car), result.gates.get(car)
        if not isinstance(declared.gate, ReferenceGate) or not isinstance(gate, RangeGate) or gate.min is None:
            yield _Tube(result, None, None, "controls do not place its CAR gate")
            continue
        if not result.control_ids:
            itself = result.sample.sample_type in (SampleType.BASELINE, SampleType.HEALTHY)
            yield _Tube(result, None, None, A_CONTROL if itself else "it has no control")
            continue
        try:
            with tempfile.TemporaryDirectory(prefix="cytocar-") as scratch:
                references = control_signals(rows[name], plan.samples, plan.protocols, scratch=Path(scratch))
            with at_hand(rows[name].file) as file:
                gated = gate_again(open_fcs(file, data_set=rows[name].data_set), protocol, result)
                marker = declared.gate.marker
                blocks = [
                    (block.values(declared.parent, marker), _kinds(block, declared.parent, gated.plan.kinds))
                    for block in gated.blocks(marker)
                ]
        except SampleError as error:
            yield _Tube(result, None, None, error.message)
            continue
        values = np.concatenate([signals for signals, _ in blocks] or [np.empty(0)])
        kinds = [np.concatenate(several) for several in zip(*(masks for _, masks in blocks), strict=True)]
        seen = seen_above(gate.min, values, declared.gate, references.get(declared.parent, ()), kinds)
        if seen is None:
            yield _Tube(result, None, None, "its controls do not fit it")
        else:
            yield _Tube(result, *seen)


def _kinds(block: GatedBlock, parent: str, kinds: Sequence[str]) -> tuple[Bools, ...]:
    """Return which of a population's events are CD4+, and which CD8+."""
    within = block.mask(parent)
    return tuple(block.mask(kind)[within] for kind in kinds)


def _of_one_subject(tubes: Sequence[_Tube]) -> Iterator[JointCount]:
    together = [tube for tube in tubes if tube.seen is not None]
    shape = shared_shape([tube.seen for tube in together if tube.seen is not None])
    sensitivities = iter(shape.sensitivities)
    for tube in tubes:
        own = _own(tube, shape, len(together))
        if tube.seen is None or tube.background is None or shape.refused:
            yield own
            continue
        mean, sd = next(sensitivities)
        background = replace(tube.background, sensitivity=mean, sensitivity_sd=sd)
        net = net_share(tube.seen.above, tube.seen.events, background, assumed_percent=0.0, seed=SEED, fewest_events=1)
        t_cells = tube.result.population(tube.result.roles.t_cells)
        per_ul = UNKNOWN if t_cells is None else _per_ul(net, t_cells.per_ul)
        yield replace(own, joint_percent=net.net, joint_per_ul=per_ul, joint_sensitivity=mean)


def _own(tube: _Tube, shape: SharedShape, together: int) -> JointCount:
    result, car = tube.result, tube.result.car
    assert car is not None
    return JointCount(
        subject_id=result.sample.subject_id or "",
        day=result.sample.day or 0.0,
        sample_id=result.sample.sample_id,
        car_events=tube.seen.above if tube.seen else 0,
        percent=car.net_percent,
        per_ul=car.net_per_ul,
        sensitivity=tube.background.sensitivity if tube.background else None,
        joint_stain_index=shape.stain_index,
        tubes=together,
        shape_p=shape.p,
        refused=tube.refused or shape.refused,
    )


def _per_ul(net: NetShare, t_cells: Estimate) -> Estimate:
    """Return the net share of T cells/µL, whose interval is taken as lognormal on either side."""
    if not (t_cells.value and t_cells.low and t_cells.high) or net.low_draws is None:
        return UNKNOWN
    normal = np.random.default_rng(SEED + 1).normal(size=len(net.low_draws))
    sides = np.where(normal < 0, np.log(t_cells.value / t_cells.low), np.log(t_cells.high / t_cells.value))
    return net.times(t_cells.value, t_cells.value * np.exp(normal * sides / 1.96))
