"""Hand the tables of a run on: copies of what was recorded, and a line in the trail that says what went where."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from cytocar.errors.tree import UsageError
from cytocar.files.whole import write_atomically
from cytocar.run.finished.recorded_plan import recorded_plan
from cytocar.run.folder import parquet_files
from cytocar.run.lines import OwnColumns, tables
from cytocar.run.parts import PARTS, Parts, require_parts
from cytocar.run.trail.audit import Act, Action, Author
from cytocar.run.trail.journal import amend, finished_manifest
from cytocar.run.trail.recorded import require_recorded, taken_unverified


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
    names = (*(f"{table}.csv" for table in tables(OwnColumns())), "datapackage.json")
    require_recorded(run, manifest, *names)
    files = {name: (run / name).read_bytes() for name in names}
    if parquet:
        plan = recorded_plan(manifest)
        require_parts(run, manifest, plan.sample_ids)
        files |= parquet_files(Parts(run / PARTS).in_order(plan.sample_ids), plan.own_columns)
    out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        write_atomically(out / name, content)
    why = "; ".join(f"unverified: {taken}" for taken in taken_unverified())
    amend(run, [Act(Action.EXPORTED, ", ".join(files), after=str(out), why=why)], author=author, clock=clock)
    return tuple(out / name for name in files)
