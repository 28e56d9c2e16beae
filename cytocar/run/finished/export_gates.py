"""The gates of every sample of a run for other programs, as they were applied: placed by the data, or moved by hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from cytocar.errors.tree import UsageError
from cytocar.fcs.events import EventTable
from cytocar.fcs.reader import open_fcs
from cytocar.files.places import Place
from cytocar.files.whole import write_atomically
from cytocar.run.finished.gate_forms import GatesAs
from cytocar.run.finished.recorded_plan import located, recorded_plan, require_files
from cytocar.run.parts import PARTS, Parts
from cytocar.run.trail.audit import Act, Action, Author
from cytocar.run.trail.journal import amend, finished_manifest
from cytocar.sample.applied_template import applied_to
from cytocar.sample.protocol import Protocol
from cytocar.sample.result import SampleResult
from cytocar.signals.compensation import SpilloverMatrix, carried
from cytocar.signals.panel import resolve
from cytocar.template.flowjo.logicle_as import LogicleAs
from cytocar.template.flowjo.write import GatedFile, write_workspace
from cytocar.template.gatingml.cytobank import export_cytobank
from cytocar.template.gatingml.round_trip import export_gatingml
from cytocar.template.moved_gates import MovedGates
from cytocar.template.parts import with_populations

WORKSPACE = "gates.wsp"
ACQUIRED = "Acquisition-defined"
"""What FlowJo calls the matrix that the file carries."""


class _Counted(Struct, frozen=True, eq=False):
    """A counted sample with its file open."""

    result: SampleResult
    protocol: Protocol
    events: EventTable


def export_gates(
    run: Path,
    out: Path,
    *,
    form: GatesAs,
    author: Author,
    clock: Callable[[], datetime],
    inputs: Place | None = None,
    logicle_as: LogicleAs = LogicleAs.LOGICLE,
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Write the gates of every counted sample into a new folder; return the files, and in words what was left out.

    Raises
    ------
    UsageError
        E103 an FCS file is not here, E105 the folder is not empty, E114 no finished run, E154 no sample was counted.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} exists and is not an empty folder", code="E105", hint="name a new folder with -o")
    counted = list(_counted(run, inputs))
    if not counted:
        raise UsageError(f"no sample of {run} was counted", code="E154", hint="status_codes in counts.csv say why")
    out.mkdir(parents=True, exist_ok=True)
    if form is GatesAs.WSP:
        content, losses = write_workspace(map(_gated_file, counted), logicle_as=logicle_as)
        files = {WORKSPACE: content}
    else:
        losses = ()
        export = export_cytobank if form is GatesAs.CYTOBANK else export_gatingml
        names = _file_names([one.result.sample.sample_id for one in counted])
        files = {
            f"{name}.xml": export(
                one.protocol.template, applied_to(one.events, one.protocol.template, gates=one.result.gates)
            )
            for name, one in zip(names, counted, strict=True)
        }
    for name, content in files.items():
        write_atomically(out / name, content)
    amend(run, [Act(Action.EXPORTED, f"gates as {form}", after=str(out))], author=author, clock=clock)
    return tuple(out / name for name in files), losses


def _counted(run: Path, inputs: Place | None) -> Iterator[_Counted]:
    plan = recorded_plan(finished_manifest(run), run)
    rows = located(plan.samples, inputs)
    require_files(rows)
    parts = Parts(run / PARTS)
    for row in rows:
        result = parts.read(row.sample_id)
        if isinstance(result, SampleResult):
            protocol = plan.protocols[row.sample_id]
            # A gate that a person moved is the template's on this sample: an import of the export keeps it so.
            part = with_populations(protocol.template, result.gates)
            moved = MovedGates(gates=dict(protocol.overrides)).on(part)
            yield _Counted(result, replace(protocol, template=moved), open_fcs(row.file, data_set=row.data_set))


def _gated_file(one: _Counted) -> GatedFile:
    """Return a sample as the workspace takes it."""
    events, template = one.events, one.protocol.template
    panel = resolve(template.panel, events.channels, overrides=one.protocol.markers)
    row = one.result.sample
    return GatedFile(
        name=row.file.name,
        uri=row.file.as_uri() if isinstance(row.file, Path) and row.file.is_absolute() else str(row.file),
        template=template,
        gates=one.result.gates,
        channels={marker: channel.detector for marker, channel in panel.items()},
        keywords={**events.keywords, "$TOT": str(events.n_events)},
        ranges={channel.detector: channel.range for channel in events.channels},
        matrix=_matrix(one),
        counts={count.name: count.events for count in one.result.populations},
        total=one.result.total_events,
    )


def _matrix(one: _Counted) -> SpilloverMatrix | None:
    """Return the matrix that the sample's markers went through, under FlowJo's name."""
    if one.protocol.compensation is not None:
        return one.protocol.compensation
    declared = one.protocol.template.compensation
    if declared.source in declared.matrices:
        return SpilloverMatrix.from_model(declared.matrices[declared.source], origin=declared.source)
    matrix = carried(one.events.keywords).matrix if declared.source == "file" else None
    if matrix is None or one.result.compensation not in (matrix.origin,):
        return None  # the names of the channels say that they are compensated already
    return SpilloverMatrix(matrix.detectors, matrix.fluorochromes, matrix.values, ACQUIRED, matrix.inverted)


def _file_names(sample_ids: list[str]) -> list[str]:
    """Return a file name for each sample: its id, with a number where two ids are one name."""
    names: list[str] = []
    for sample_id in sample_ids:
        plain = re.sub(r"[^A-Za-z0-9._+-]+", "_", sample_id).strip("._") or "sample"
        number, name = 1, plain
        while name.casefold() in {taken.casefold() for taken in names}:
            number += 1
            name = f"{plain}-{number}"
        names.append(name)
    return names
