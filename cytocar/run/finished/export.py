"""Hand the tables of a run on: copies of what was recorded, and a line in the trail that says what went where."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from cytocar.errors.tree import IntegrityError, UsageError
from cytocar.run.finished.recorded_plan import recorded_plan
from cytocar.run.folder import PARTS, Parts, parquet_files
from cytocar.run.lines import OwnColumns, tables
from cytocar.run.trail.audit import Act, Action, Author
from cytocar.run.trail.journal import amend, finished_manifest
from cytocar.tables.columns import write_atomically


def export_tables(
    run: Path, out: Path, *, author: Author, clock: Callable[[], datetime], parquet: bool = False
) -> tuple[Path, ...]:
    """Write the tables of a finished run and their description into a new folder, and return the files.

    Raises
    ------
    UsageError
        E105 the folder is not empty, E114 no finished run.
    IntegrityError
        E123 a table is not what was recorded; nothing is handed on then.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} exists and is not an empty folder", code="E105", hint="name a new folder with -o")
    manifest = finished_manifest(run)
    files = {
        name: (run / name).read_bytes()
        for name in (*(f"{table}.csv" for table in tables(OwnColumns())), "datapackage.json")
    }
    changed = [
        name for name, content in files.items() if hashlib.sha256(content).hexdigest() != manifest["files"].get(name)
    ]
    if changed:
        raise IntegrityError(
            f"{', '.join(changed)} in {run} {'is' if len(changed) == 1 else 'are'} not what was recorded",
            code="E123",
            hint=f"`cytocar verify {run}` names each place",
        )
    if parquet:
        plan = recorded_plan(manifest)
        files |= parquet_files(Parts(run / PARTS).in_order(plan.sample_ids), plan.own_columns)
    out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        write_atomically(out / name, content)
    amend(run, [Act(Action.EXPORTED, ", ".join(files), after=str(out))], author=author, clock=clock)
    return tuple(out / name for name in files)
