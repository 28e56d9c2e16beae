"""A run on disk: finished samples in ``parts/``, then tables and manifest, each whole or not there at all.

A run that was interrupted goes on where it stopped, when template, inputs and options are the same; anything else in
the folder is a refusal. ``force`` sets the finished run aside as a revision and starts anew; nothing is overwritten.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cytocar.datapackage import describe
from cytocar.errors import UsageError
from cytocar.parts import from_json
from cytocar.results import Counted
from cytocar.tables import COUNTS, GATES, POPULATIONS, QUALITY, Column, csv_text, median_column, write_atomically

MANIFEST = "manifest.json"


def part_name(sample_id: str) -> str:
    """Return the name of a sample's part file: readable, safe on every file system, unique.

    Examples
    --------
    >>> part_name("D07 / day 9")
    'D07_day_9-3f4f34c9.json'
    """
    readable = re.sub(r"[^A-Za-z0-9.-]+", "_", sample_id).strip("._")[:60]
    return f"{readable}-{hashlib.sha256(sample_id.encode()).hexdigest()[:8]}.json"


@dataclass(frozen=True, slots=True)
class Parts:
    """The folder of finished samples."""

    folder: Path

    def keep(self, sample_id: str, content: bytes) -> None:
        """Keep a finished sample. A power cut may leave it empty; then it counts as not finished."""
        path = self.folder / part_name(sample_id)
        waiting = path.with_suffix(f".{os.getpid()}.tmp")
        waiting.write_bytes(content)
        waiting.replace(path)

    def read(self, sample_id: str) -> Counted | None:
        """Return a finished sample; ``None`` when it is not there, or not whole."""
        try:
            return from_json((self.folder / part_name(sample_id)).read_bytes())
        except FileNotFoundError:
            return None

    def in_order(self, sample_ids: Iterable[str]) -> Iterator[Counted]:
        """Yield finished samples in the order given, one at a time."""
        for sample_id in sample_ids:
            outcome = self.read(sample_id)
            if outcome is not None:
                yield outcome


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A run folder that this process writes."""

    path: Path

    @property
    def parts(self) -> Parts:
        """Its finished samples."""
        return Parts(self.path / "parts")


def open_run(path: Path, manifest: Mapping[str, Any], *, force: bool = False) -> RunFolder:
    """Return the folder for a run: new, or one that was interrupted and has the same plan.

    Raises
    ------
    UsageError
        E105 the folder holds something else, E106 a finished run, E107 an unfinished run with another plan,
        E108 the folder cannot be written.
    """
    old = _manifest(path)
    if old is not None and force:
        _set_aside(path)
        old = None
    if old is not None:
        _check_same(path, old, manifest)
    elif path.exists() and (not path.is_dir() or any(entry.name != "revisions" for entry in path.iterdir())):
        raise UsageError(
            f"{path} exists and is not a run folder", code="E105", hint="name a new or an empty folder with -o"
        )
    try:
        (path / "parts").mkdir(parents=True, exist_ok=True)
        write_atomically(path / MANIFEST, manifest_text({**manifest, "state": "running"}))
    except OSError as error:
        raise UsageError(
            f"the run folder {path} cannot be written: {error.strerror}",
            code="E108",
            hint="choose another place with -o, or correct the rights",
        ) from error
    return RunFolder(path)


def _manifest(path: Path) -> Mapping[str, Any] | None:
    try:
        read = json.loads((path / MANIFEST).read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path / MANIFEST} cannot be read: {error}", code="E105", hint="name a new folder with -o"
        ) from error
    return read if isinstance(read, dict) else {}


def _check_same(path: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    if old.get("state") == "finished":
        raise UsageError(
            f"{path} holds a finished run",
            code="E106",
            hint="name a new folder with -o, or set the old results aside as a revision with --force",
        )
    if old.get("plan_sha256") != new["plan_sha256"]:
        raise UsageError(
            f"{path} holds an unfinished run with another template, other inputs or other options",
            code="E107",
            hint="repeat the command of that run to finish it, name a new folder, or start anew with --force",
        )


def _set_aside(path: Path) -> None:
    revisions = path / "revisions"
    revisions.mkdir(exist_ok=True)
    number = 1 + max((int(entry.name) for entry in revisions.iterdir() if entry.name.isdecimal()), default=0)
    aside = revisions / str(number)
    aside.mkdir()
    for entry in list(path.iterdir()):
        if entry != revisions:
            shutil.move(entry, aside / entry.name)


def manifest_text(manifest: Mapping[str, Any]) -> str:
    """Return a manifest as it is written."""
    return json.dumps(manifest, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def finish(run: RunFolder, manifest: Mapping[str, Any], sample_ids: Sequence[str], medians: Sequence[str]) -> None:
    """Write the tables, their description and the finished manifest from the kept samples."""
    tables: Mapping[str, tuple[Column, ...]] = {
        "counts": COUNTS,
        "populations": (*POPULATIONS, *(median_column(marker) for marker in medians)),
        "gates": GATES,
        "quality": QUALITY,
    }
    texts = {name: [csv_text(columns, ())] for name, columns in tables.items()}
    for outcome in run.parts.in_order(sample_ids):
        texts["counts"].append(csv_text(COUNTS, [outcome.row()], header=False))
        texts["populations"].append(csv_text(tables["populations"], outcome.population_rows(), header=False))
        texts["gates"].append(csv_text(GATES, outcome.gate_rows(), header=False))
        texts["quality"].append(csv_text(QUALITY, outcome.quality_rows(), header=False))
    hashes = {}
    for name, lines in texts.items():
        content = "".join(lines).encode()
        write_atomically(run.path / f"{name}.csv", content)
        hashes[f"{name}.csv"] = hashlib.sha256(content).hexdigest()
    package = json.dumps(describe(tables), indent=1, ensure_ascii=False) + "\n"
    write_atomically(run.path / "datapackage.json", package)
    hashes["datapackage.json"] = hashlib.sha256(package.encode()).hexdigest()
    write_atomically(run.path / MANIFEST, manifest_text({**manifest, "state": "finished", "tables": hashes}))
