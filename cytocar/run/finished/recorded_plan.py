"""What a run's manifest recorded, read back: the samples, templates and settings, so that the run can be done again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec.structs import replace

from cytocar.counting.blank_tubes import History
from cytocar.errors.tree import UsageError
from cytocar.fcs.reader import split_data_set
from cytocar.files.places import Place, beside, files_below, is_file, require_packages
from cytocar.regions.kinds import FixedGate
from cytocar.run.plan import RunPlan, compensated, what_decides
from cytocar.run.records import from_plain
from cytocar.run.trail.journal import Manifest, other_manifest
from cytocar.run.whereabouts import whereabouts
from cytocar.sample.protocol import Protocol
from cytocar.sample.result import ErrorRecord
from cytocar.sheet.rows import SampleRow
from cytocar.signals.compensation import Matrix
from cytocar.template.load import LoadedTemplate
from cytocar.template.lock import LockStatus
from cytocar.template.model import Template
from cytocar.template.moved_gates import MovedGates


def recorded_plan(manifest: Manifest, run: Path | None = None) -> RunPlan:
    """Return the plan that a manifest recorded, overrides included.

    With ``run``, the folder that it lies in, samples have their files where these are now (see ``whereabouts``).

    Raises
    ------
    IntegrityError
        E125 if it does not hold what cytocar writes there.
    """
    try:
        from_plain(manifest["plan_sha256"], str)
        samples = from_plain(manifest["samples"], tuple[SampleRow, ...])
        if run is not None:
            samples = tuple(_as_now(row, manifest, run) for row in samples)
        templates = {name: _template(entry) for name, entry in manifest["templates"].items()}
        overrides = from_plain(manifest.get("overrides", {}), dict[str, dict[str, FixedGate]])
        default, markers = manifest["settings"]["template"], manifest["settings"]["markers"]
        matrices = from_plain(manifest.get("matrices", {}), dict[str, Matrix])
        unusable = from_plain(manifest.get("unusable_matrices", {}), dict[str, ErrorRecord])
        moved = from_plain(manifest.get("moved_gates", {}), dict[str, MovedGates])
        history = from_plain(manifest.get("background_history", {}), History)
        protocols: dict[str, Protocol] = {}
        shared: dict[tuple[str, str | None, bool], Protocol] = {}
        for row in samples:
            key, name = what_decides(row, default), row.sample_id
            if key not in shared:
                used = compensated(templates[row.template or default], row, matrices, unusable)
                shared[key] = replace(used, markers=markers, history=history)
            protocols[name] = protocol = shared[key]
            if name in moved or name in overrides:
                template = moved[name].on(protocol.template) if name in moved else protocol.template
                protocols[name] = replace(protocol, template=template, overrides=overrides.get(name, {}))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise other_manifest("does not hold what cytocar writes there") from error
    return RunPlan(
        samples,
        protocols,
        templates,
        markers,
        default_template=default,
        matrices=matrices,
        unusable=unusable,
        moved=moved,
        history=history,
    )


def _as_now(row: SampleRow, manifest: Manifest, run: Path) -> SampleRow:
    as_given = str(split_data_set(row.file_as_given)[0])
    return replace(row, file=whereabouts(row.file, as_given, manifest, run))


def _template(entry: Mapping[str, str]) -> LoadedTemplate:
    template = from_plain(entry["canonical"], Template)
    return LoadedTemplate(template, Path(entry["file"]), entry["sha256"], LockStatus(entry["status"]))


def located(samples: Iterable[SampleRow], inputs: Place | None) -> tuple[SampleRow, ...]:
    """Return samples with their files as found in the folder ``inputs``; None: where the run found them."""
    return tuple(samples if inputs is None else (replace(row, file=_found(row, inputs)) for row in samples))


def require_files(samples: Iterable[SampleRow]) -> None:
    """Refuse to count again where files are not at hand.

    Raises
    ------
    UsageError
        E103 with how many are missing, and the first.
    """
    wanted = [row.file for row in samples if not row.exclude]
    require_packages(*wanted)
    missing = [file for file in wanted if not is_file(file)]
    if missing:
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise UsageError(
            f"there is no file {missing[0]}{others}", code="E103", hint="--inputs DIR says where the FCS files lie now"
        )


def _found(row: SampleRow, inputs: Place) -> Place:
    """Where a sample's file lies: as the sheet names it, by its name, or once in a folder below."""
    name = row.file.name
    as_named = beside(inputs, str(split_data_set(row.file_as_given)[0]))
    for place in (as_named, inputs / name):
        if is_file(place):
            return place
    below = list(files_below(inputs, lambda place: place.name == name))
    return below[0] if len(below) == 1 else inputs / name
