"""One run from the shards that several machines have counted.

Every shard has planned the whole run, so its plan has the fingerprint of all others; nothing else is merged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from cytocar.errors.tree import UsageError
from cytocar.run.beside_counted import CountedTube, keep_told_anew
from cytocar.run.parts import PARTS, Parts, part_name
from cytocar.run.trail.journal import Manifest, read_manifest
from cytocar.run.trail.recorded import require_recorded
from cytocar.run.whereabouts import SEEN_FROM_RUN, moved_to


class MergePlan(Struct, frozen=True):
    """The run that shards make together: its manifest, and where each sample's part lies, in the order of the run."""

    manifest: Manifest
    parts: Mapping[str, Path]


def plan_merge(folders: Sequence[Path], out: Path) -> MergePlan:
    """How shards become one run.

    Raises
    ------
    UsageError
        E118 a folder is no finished shard or run, or belongs to another plan; E119 samples that no shard has counted.
    IntegrityError
        E123 the part of a sample is not what its shard recorded.
    """
    manifests = [_finished(folder) for folder in folders]
    first = manifests[0]
    strangers = [
        str(folder)
        for folder, manifest in zip(folders, manifests, strict=True)
        if manifest["plan_sha256"] != first["plan_sha256"]
    ]
    if strangers:
        raise UsageError(
            f"{', '.join(strangers)} and {folders[0]} are not parts of one run",
            code="E118",
            hint="merge shards of one command: same sheet, template, options and version of cytocar",
        )
    sample_ids = [row["sample_id"] for row in first["samples"]]
    shards = dict(zip(folders, manifests, strict=True))
    places = {name: place for name in sample_ids if (place := _place(shards, name)) is not None}
    missing = [name for name in sample_ids if name not in places]
    if missing:
        shown = ", ".join(missing[:5]) + (" ..." if len(missing) > 5 else "")
        raise UsageError(
            f"{len(missing)} of {len(sample_ids)} samples are in none of these shards: {shown}",
            code="E119",
            hint="run the shards that are missing, then merge again",
        )
    whole = {
        key: value for key, value in first.items() if key not in ("shard", "state", "files", "audit", SEEN_FROM_RUN)
    }
    return MergePlan(whole | moved_to(out, first, folders[0]), places)


def _finished(folder: Path) -> Manifest:
    manifest = read_manifest(folder)
    if manifest is None or manifest.get("state") != "finished":
        raise UsageError(
            f"{folder} is not a finished shard",
            code="E118",
            hint="name run folders that `cytocar gate --shard I/N -o FOLDER` has finished",
        )
    return manifest


def _place(shards: Mapping[Path, Manifest], sample_id: str) -> Path | None:
    """Return the part of a sample, as its shard recorded it; shards that counted it twice did so alike."""
    name = f"{PARTS}/{part_name(sample_id)}"
    for folder, manifest in shards.items():
        if (folder / name).is_file():
            return require_recorded(folder, manifest, name)
    return None


def tell_of_merged(parts: Parts, plan: MergePlan) -> None:
    """Keep anew the samples whose counts those of other shards show in another light."""
    tubes = [CountedTube.of(outcome) for outcome in parts.every(plan.parts)]
    for _ in keep_told_anew(parts, tubes):
        pass
