"""Do a finished run again, from nothing but its manifest and its inputs, and compare the tables byte for byte."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from cytocar.files.places import Place
from cytocar.run.count import Store, Work, count
from cytocar.run.finished.recorded_plan import located, recorded_plan, require_files
from cytocar.run.folder import table_files
from cytocar.run.observer import NOBODY, Observer
from cytocar.run.parts import PARTS, Parts
from cytocar.run.trail.journal import finished_manifest
from cytocar.tables.difference import Difference, differences


class Table(Struct, frozen=True):
    """A table of the run and of its repetition: where the two differ."""

    name: str
    lines: int
    differences: tuple[Difference, ...]

    @property
    def differs_in_words_alone(self) -> bool:
        """Whether every number, status and code is the same, and a message or the version of cytocar is another."""
        return bool(self.differences) and all(
            one.cells and all(_is_other_words(*cell) for cell in one.cells) for one in self.differences
        )


def _is_other_words(column: str, was: str, now: str) -> bool:
    """True if two cells differ as another version writes them though it counts alike.

    >>> _is_other_words("message", "83 % viable", "viable: 83 %"), _is_other_words("message", "83 %", "84 %")
    (True, False)
    """
    numbers = [sorted(re.findall(r"\d+(?:\.\d+)?", text)) for text in (was, now)]
    return column == "cytocar_version" or (column == "message" and numbers[0] == numbers[1])


def reproduce(
    run: Path,
    scratch: Path,
    *,
    inputs: Place | None = None,
    jobs: int = 1,
    observer: Observer = NOBODY,
) -> tuple[Table, ...]:
    """How the tables of a run compare with those of its repetition.

    Parameters
    ----------
    run : Path
        Folder of a finished run; nothing in it is changed.
    scratch : Path
        An empty folder for the repetition.
    inputs : Path, optional
        Where the FCS files lie now.
    jobs : int
        Processes; 0 for all cores.
    observer : Observer
        Hears of each sample.

    Raises
    ------
    UsageError
        E103 FCS files are not here, E114 the folder holds no finished run.
    """
    plan = recorded_plan(finished_manifest(run), run)
    parts = Parts(scratch)
    samples = located(plan.samples, inputs)
    outcomes = {outcome.sample.sample_id: outcome for outcome in Parts(run / PARTS).in_order(plan.sample_ids)}
    require_files(row for row in samples if row.sample_id in outcomes and outcomes[row.sample_id].file_sha256)
    counted = [name for name in plan.sample_ids if name in outcomes]  # the others are of another shard
    again_plan = replace(plan, samples=tuple(samples))
    count(again_plan, Work(jobs=jobs), Store(parts, scratch), wanted=counted, observer=observer)
    again = table_files(parts.every(counted), plan.own_columns)
    return tuple(_compared(run, again))


def _compared(run: Path, again: dict[str, bytes]) -> Iterator[Table]:
    for name, content in again.items():
        recorded = (run / name).read_bytes() if (run / name).is_file() else b""
        differing = () if recorded == content else tuple(differences(recorded, content))
        yield Table(name, content.count(b"\n"), differing)
