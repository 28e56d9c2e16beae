"""One side of a comparison: the events of each population of each sample, and the gates behind them where known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath

from msgspec import Struct, field
from msgspec.structs import replace

from cytocar.errors.boundary import boundary
from cytocar.errors.tree import UsageError
from cytocar.regions.kinds import FixedGate
from cytocar.run.finished.recorded_plan import recorded_plan
from cytocar.run.parts import PARTS, Parts, require_parts
from cytocar.run.study.folder import sample_ids
from cytocar.run.trail.journal import finished_manifest
from cytocar.run.trail.recorded import require_recorded
from cytocar.sample.result import SampleResult
from cytocar.tables.columns import COUNTS, POPULATIONS
from cytocar.tables.delimited import DelimitedTable, read_delimited, two_readings
from cytocar.tables.read_back import plain, typed_rows
from cytocar.template.documents import DocumentKind, kind_of
from cytocar.template.flowjo.document import Workspace
from cytocar.template.flowjo.samples import WorkspaceSample
from cytocar.template.load import open_study
from cytocar.template.model import Template

_Events = dict[str, dict[str, int | None]]

TOTAL = "all"
"""Population that stands for every event of the file."""


class SampleCounts(Struct, frozen=True, eq=False):
    """The counts of one sample.

    Parameters
    ----------
    events : mapping
        Population to its events; None where it was not counted.
    files : frozenset of str
        Names of its file, by which it is found where the names of samples differ.
    template : Template, optional
        The gates behind the counts.
    binned : frozenset of str
        Populations that were decided by steps of a display.
    paths : mapping
        Population to its path in another program.
    placed : mapping
        Gates that the data placed, as they were applied, by population.
    """

    events: Mapping[str, int | None]
    files: frozenset[str] = frozenset()
    template: Template | None = None
    binned: frozenset[str] = frozenset()
    paths: Mapping[str, str] = field(default_factory=dict)
    placed: Mapping[str, FixedGate] = field(default_factory=dict)


class Counts(Struct, frozen=True, eq=False):
    """The counts of many samples, where they come from, and what was left out."""

    title: str
    samples: Mapping[str, SampleCounts]
    left_out: tuple[str, ...] = ()

    def of(self, name: str, files: Iterable[str] = ()) -> str | None:
        """Return the sample of a name, else the only one of one of these files; None where there is none."""
        if name in self.samples:
            return name
        wanted = {_stem(one) for one in (*files, name)}
        keys = [key for key, sample in self.samples.items() if wanted & {_stem(one) for one in (*sample.files, key)}]
        return keys[0] if len(keys) == 1 else None


def _stem(name: str) -> str:
    last = PurePosixPath(PureWindowsPath(name).as_posix()).name.casefold()
    return last.removesuffix(".fcs").removesuffix(".lmd")


def read_counts(place: Path) -> Counts:
    """Return the counts of a run folder, a FlowJo workspace, a FACSDiva experiment, or a table.

    Raises
    ------
    UsageError
        E103 there is no such file, E114 no finished run, E155 no counts in it.
    """
    if place.is_dir():
        return of_run(place)
    if not place.is_file():
        raise UsageError(f"there is no file or folder {place}", code="E103", hint="check the path")
    if place.suffix.lower() in (".csv", ".tsv", ".txt"):
        return of_table(place)
    data = place.read_bytes()
    if kind_of(data) in (DocumentKind.FLOWJO, DocumentKind.DIVA):
        return of_workspace(open_study(data, source=place.name))
    raise UsageError(
        f"{place.name} is {kind_of(data)}, and holds no counts",
        code="E155",
        hint="compare with a run folder, a FlowJo workspace (.wsp), a FACSDiva experiment (.xml), or a table (.csv)",
    )


def of_run(folder: Path) -> Counts:
    """Return the counts of a finished run, with the gates of each sample as they were applied."""
    manifest = finished_manifest(folder)
    require_recorded(folder, manifest, "counts.csv", "populations.csv")
    plan = recorded_plan(manifest)
    require_parts(folder, manifest, plan.sample_ids)
    events: dict[str, dict[str, int | None]] = {row.sample_id: {} for row in plan.samples}
    for line in typed_rows(read_delimited(folder / "counts.csv"), COUNTS):
        events.setdefault(line.text("sample_id"), {})[TOTAL] = line.whole("total_events")
    for line in typed_rows(read_delimited(folder / "populations.csv"), POPULATIONS):
        events.setdefault(line.text("sample_id"), {})[line.text("population")] = line.whole("events")
    applied = {outcome.sample.sample_id: outcome for outcome in Parts(folder / PARTS).in_order(plan.sample_ids)}
    samples = {}
    for row in plan.samples:
        protocol = plan.protocols[row.sample_id]
        moved = protocol.overrides
        populations = tuple(
            replace(one, gate=moved[one.name]) if one.name in moved else one for one in protocol.template.populations
        )
        template = replace(protocol.template, populations=populations)
        outcome = applied.get(row.sample_id)
        gates = outcome.gates if isinstance(outcome, SampleResult) else {}
        fixed = {one.name for one in populations if isinstance(one.gate, FixedGate)}
        samples[row.sample_id] = SampleCounts(
            events[row.sample_id],
            frozenset({row.file.name}),
            template,
            paths=_paths(template),
            placed={name: gate for name, gate in gates.items() if name not in fixed},
        )
    return Counts(str(folder), samples)


def _paths(template: Template) -> dict[str, str]:
    """Return the path of each population: what an import noted of the other program's, else the way from all events."""
    parents = {one.name: one.parent for one in template.populations}

    def way(name: str) -> str:
        return f"{way(parents[name])}/{name}" if parents.get(parents[name]) else name

    return {one.name: one.note if one.note.endswith(f"/{one.name}") else way(one.name) for one in template.populations}


def of_workspace(workspace: Workspace) -> Counts:
    """Return the counts that FlowJo stored in a workspace, with its gates."""
    gated = [sample for sample in workspace.gated if sample.populations]
    names = sample_ids(gated)
    samples = {names[sample.sample_id, index]: of_sample(sample) for index, sample in enumerate(gated)}
    left_out = tuple(dict.fromkeys(loss for sample in workspace.gated for loss in sample.losses))
    return Counts(workspace.source, samples, left_out)


def of_sample(sample: WorkspaceSample) -> SampleCounts:
    """The counts that FlowJo stored for one sample."""
    return SampleCounts(
        events={TOTAL: sample.total, **{name: counted.events for name, counted in sample.counts.items()}},
        files=frozenset({sample.name, sample.file_name} - {""}),
        template=sample.template("imported", title=""),
        binned=frozenset(name for name, counted in sample.counts.items() if counted.is_binned),
        paths={name: "/".join(counted.path) for name, counted in sample.counts.items()},
    )


# ---------------------------------------------------------------- tables


def of_table(path: Path) -> Counts:
    """Return the counts of a table: a row per sample and population, or FlowJo's table editor's row per sample.

    The long form has columns ``sample_id`` (or ``file``), ``population`` (or ``path``) and ``events`` (or ``count``);
    the wide form has the sample's name first and a column ``PATH | Count`` for each population.
    """
    with boundary(
        lambda why: UsageError(f"{path.name} is no table: {why}", code="E155", hint="save it as 'CSV UTF-8'")
    ):
        table = read_delimited(path)
    named = {column.strip().casefold(): column for column in table.columns}
    sample = next((named[key] for key in ("sample_id", "sample", "file", "name") if key in named), None)
    population = next((named[key] for key in ("population", "path") if key in named), None)
    events = next((named[key] for key in ("events", "count", "#cells") if key in named), None)
    if sample and population and events:
        return _long(path, table, (sample, population, events))
    wide = [column for column in table.columns if column.strip().casefold().endswith("| count")]
    if not wide:
        raise UsageError(
            f"{path.name} holds no counts: its columns are {', '.join(table.columns[:8])}",
            code="E155",
            hint="columns sample_id, population, events; or FlowJo's table with columns `PATH | Count`",
        )
    first = table.columns[0]
    cells = (
        (row.line, plain(row.cells[first]), column.rpartition("|")[0].strip(), row.cells.get(column, ""))
        for row in table.rows
        if row.cells.get(first) and row.cells[first].casefold() not in ("mean", "sd")
        for column in wide
    )
    return Counts(path.name, {name: SampleCounts(one) for name, one in _counts_of(path, table, cells).items()})


def _long(path: Path, table: DelimitedTable, columns: tuple[str, str, str]) -> Counts:
    sample, population, events = columns
    binned: dict[str, set[str]] = {}
    paths: dict[str, dict[str, str]] = {}
    cells = []
    for row in table.rows:
        key, name = plain(row.cells[sample]), plain(row.cells[population])
        cells.append((row.line, key, name, row.cells.get(events, "")))
        if row.cells.get("binned", "").casefold() in ("true", "1", "yes"):
            binned.setdefault(key, set()).add(name)
        if row.cells.get("path"):
            paths.setdefault(key, {})[name] = plain(row.cells["path"])
    samples = {
        key: SampleCounts(events, binned=frozenset(binned.get(key, ())), paths=paths.get(key, {}))
        for key, events in _counts_of(path, table, cells).items()
    }
    return Counts(path.name, samples)


_NOT_COUNTED = ("", "-", "–", "n/a", "na", "nan")
"""What tables write for a population that a sample lacks."""
_MARKED = re.compile(r"\d{1,3}(?:,\d{3})+|\d{1,3}(?:[. ]\d{3}){2,}")


def _counts_of(path: Path, table: DelimitedTable, cells: Iterable[tuple[int, str, str, str]]) -> _Events:
    """Return the events by sample and population of cells ``line, sample, population, text``.

    Raises
    ------
    UsageError
        E155 with every cell that is no count, and every population that has two.
    """
    counts: _Events = {}
    faults = table.misfits()
    for line, sample, population, text in cells:
        count = None
        if text.casefold() not in _NOT_COUNTED:
            try:
                count = _count(text, decimal_comma=table.decimal_comma)
            except ValueError as fault:
                faults.append(f"row {line}: {population}: {fault}")
        before = counts.setdefault(sample, {}).setdefault(population, count)
        if before != count:
            faults.append(f"row {line}: {population} of {sample} comes twice, with {before} and {count} events")
    if faults:
        more = f"; and {len(faults) - 10} more" if len(faults) > 10 else ""
        raise UsageError(
            f"{path.name}: {'; '.join(faults[:10])}{more}",
            code="E155",
            hint="events are whole numbers, one of each population and sample",
        )
    return counts


def _count(text: str, *, decimal_comma: bool) -> int:
    """Return a whole number; thousands may be marked where that is no decimal mark, and programs end some in .0.

    >>> [_count(text, decimal_comma=False) for text in ("1,234", "60.0")], _count("1.234.567", decimal_comma=True)
    ([1234, 60], 1234567)
    """
    readings = two_readings(text) if decimal_comma or "." in text else None
    if readings:
        raise ValueError(f"{text!r} may be {' or '.join(readings)}: write one of these")
    digits = re.sub(r"\D", "", text) if _MARKED.fullmatch(text) else re.sub(r"[.,]0$", "", text)
    if not digits.isdecimal():
        raise ValueError(f"{text!r} is no number of events")
    return int(digits)
