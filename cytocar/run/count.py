"""Count every sample of a plan, with or without a run folder: what ``cytocar gate``, ``demo`` and ``cytocar.run`` do.

Who looks on hears of it through an ``Observer``; nothing here writes to a screen.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field
from msgspec.structs import replace

from cytocar.errors.tree import ReadError
from cytocar.files.cores import usable_cores
from cytocar.files.places import Address, Place, is_file
from cytocar.files.source import file_sha256
from cytocar.run.beside_counted import keep_told_anew
from cytocar.run.execute import FinishedSample, execute
from cytocar.run.lines import WaitingLines, lines_of
from cytocar.run.observer import NOBODY, Observer
from cytocar.run.parts import PARTS, Parts
from cytocar.run.shard import Shard
from cytocar.run.workers import Workers, process_pool
from cytocar.sample.result import SampleResult

if TYPE_CHECKING:
    from cytocar.errors.findings import Finding
    from cytocar.run.folder import RunFolder
    from cytocar.run.lines import OwnColumns
    from cytocar.run.plan import RunPlan
    from cytocar.run.trail.journal import Manifest


class Work(Struct, frozen=True):
    """Who counts, which part of the run, and what is written: nothing here can change a number.

    ``command`` is what the manifest says was called.
    """

    jobs: int = 0
    dask: str | None = None
    shard: Shard | None = None
    parquet: bool = False
    command: tuple[str, ...] = ()

    def sample_ids(self, plan: RunPlan) -> tuple[str, ...]:
        """Return the samples to count, in the order of the tables."""
        return self.shard.of_samples(plan.sample_ids) if self.shard else plan.sample_ids

    def manifest(self, plan: RunPlan) -> dict[str, Any]:
        """Return the manifest; a shard's says which it is."""
        return plan.manifest(self.command) | ({"shard": str(self.shard)} if self.shard else {})

    @contextmanager
    def workers(self, n_samples: int) -> Iterator[Workers | None]:
        """Yield who does the work: a Dask cluster, a pool of processes, or nobody else."""
        if self.dask:
            from cytocar.run.cluster import dask_workers

            with dask_workers(self.dask) as cluster:
                yield cluster
        else:
            yield process_pool(min(self.jobs or usable_cores(), n_samples))


class Store(Struct, frozen=True):
    """Where finished samples and controls' signals are kept: in the run folder, else in one that goes away.

    ``manifest`` is that of the run folder.
    """

    parts: Parts
    scratch: Path
    run: RunFolder | None = None
    manifest: Mapping[str, Any] = field(default_factory=dict)


@contextmanager
def open_store(
    plan: RunPlan, out: Path | None, work: Work, *, force: bool = False, by: str | None = None
) -> Iterator[Store]:
    """Hold the run folder, or a temporary one."""
    if out is None:
        with tempfile.TemporaryDirectory(prefix="cytocar-") as temporary:
            yield Store(Parts(Path(temporary)), Path(temporary))
        return
    from cytocar.run.folder import SIGNALS, open_run
    from cytocar.run.trail.who import author, now
    from cytocar.run.whereabouts import seen_from

    manifest = work.manifest(plan) | seen_from(out, plan.sheet)
    with (
        open_run(out, manifest, author=author(by), clock=now, force=force) as run,
        # beside the parts, so that workers on other machines find it too
        tempfile.TemporaryDirectory(prefix=SIGNALS, dir=out) as temporary,
    ):
        yield Store(run.parts, Path(temporary).resolve(), run, manifest)


def count(
    plan: RunPlan, work: Work, store: Store, *, wanted: Sequence[str] | None = None, observer: Observer = NOBODY
) -> list[FinishedSample]:
    """Count every sample that is not finished yet; finish the run folder if there is one.

    ``wanted`` names the samples to count, in the plan's order, where they are not those of the shard.
    """
    wanted = work.sample_ids(plan) if wanted is None else wanted
    finished = _finished_before(plan, store.parts, wanted, observer)
    if finished:
        observer.note(f"{len(finished)} of {len(wanted)} samples were finished before; going on")
    others = set(plan.sample_ids) - set(wanted)
    own = None if store.run is None else plan.own_columns
    settled = {*finished, *others}
    with WaitingLines(store.scratch) as waiting:
        finished |= count_rest(
            plan,
            work,
            store.parts,
            waiting,
            scratch=store.scratch,
            settled=settled,
            own=own,
            progress=(len(wanted), len(finished)),
            observer=observer,
        )
        if not others:  # a shard hears of the others when all are merged
            finished |= tell_of_others(store.parts, finished, waiting, own)
        if store.run is not None:
            from cytocar.run.folder import finish

            finish(store.run, store.manifest, plan.only(wanted), parquet=work.parquet, waiting=waiting)
    return [finished[sample_id] for sample_id in wanted]


def _finished_before(
    plan: RunPlan, parts: Parts, wanted: Sequence[str], observer: Observer
) -> dict[str, FinishedSample]:
    """Return what an interrupted run has finished; nothing where a file was replaced since.

    A replaced file may be the control of others, and every file is held against the others, so all are counted again.
    """
    counted: dict[str, FinishedSample] = {}
    replaced: list[str] = []
    rows = {row.sample_id: row for row in plan.samples}
    for outcome in parts.in_order(wanted):
        if isinstance(outcome, SampleResult):
            name = outcome.sample.sample_id
            counted[name] = FinishedSample.of(outcome).without_content()
            if _was_replaced(rows[name].file, outcome.file_sha256):
                replaced.append(name)
    if replaced:
        parts.drop(counted)
        others = f" and {len(replaced) - 1} more" if len(replaced) > 1 else ""
        observer.note(f"the file of {replaced[0]}{others} was replaced since it was counted: all are counted again")
        return {}
    return counted


def _was_replaced(file: Place, sha256: str | None) -> bool:
    """True if a file holds other bytes than were counted; one that has gone, or lies at an address, is not asked."""
    if isinstance(file, Address) or not is_file(file):
        return False
    try:
        return file_sha256(file) != sha256
    except ReadError:
        return False


def count_rest(
    plan: RunPlan,
    work: Work,
    parts: Parts,
    waiting: WaitingLines,
    *,
    scratch: Path,
    settled: Collection[str],
    own: OwnColumns | None,
    progress: tuple[int, int],
    beside: Mapping[str, tuple[Finding, ...]] | None = None,
    observer: Observer = NOBODY,
) -> dict[str, FinishedSample]:
    """Count the samples that are not ``settled``, keep their parts and lines, and return them by sample_id.

    Parameters
    ----------
    progress : tuple of int
        Samples in all, and how many of them were finished before.
    beside : mapping, optional
        What the files of the run say about each other, where the caller has compared them already.
    """
    finished: dict[str, FinishedSample] = {}
    total, before = progress
    observer.start(total, before)
    try:
        with work.workers(total) as workers:
            for done in execute(
                plan.samples,
                plan.protocols,
                workers=workers,
                scratch=scratch,
                finished=settled,
                own=own,
                beside=beside,
            ):
                parts.keep(done.sample_id, done.content)
                if done.lines is not None:
                    waiting.add(done.sample_id, done.lines)
                finished[done.sample_id] = done.without_content()
                observer.step()
    finally:
        observer.close()
    return finished


def tell_of_others(
    parts: Parts, finished: Mapping[str, FinishedSample], waiting: WaitingLines, own: OwnColumns | None
) -> dict[str, FinishedSample]:
    """Keep anew the samples whose counts the others of the run show in another light, and return them by sample_id."""
    anew = {}
    for result, content in keep_told_anew(parts, (sample.counted for sample in finished.values())):
        name = result.sample.sample_id
        if own is not None:
            waiting.add(name, lines_of(result, content, own))
        anew[name] = replace(FinishedSample.of(result).without_content(), state=finished[name].state)
    return anew


def counted_before(plan: RunPlan, out: Path, work: Work, *, without: str) -> list[FinishedSample] | None:
    """Return the samples of a run that this same command had finished but for the file ``without``.

    ``None`` for any other run.
    """
    if not finished_but_for(without, out, work.manifest(plan)):
        return None
    return [FinishedSample.of(outcome).without_content() for outcome in Parts(out / PARTS).in_order(plan.sample_ids)]


def finished_but_for(without: str, out: Path, new: Manifest) -> bool:
    """True if a folder holds the finished run of this plan and command, and lacks the file ``without`` only.

    ``--force`` makes no other command: killed before its report, it is not repeated to set its own run aside.
    """
    from cytocar.run.trail.journal import read_manifest

    old = read_manifest(out)
    if old is None or old.get("state") != "finished" or without in old.get("files", {}):
        return False
    same = all(old.get(key) == new.get(key) for key in ("plan_sha256", "shard"))
    return same and _without_force(old) == _without_force(new)


def _without_force(manifest: Manifest) -> list[object]:
    command = manifest.get("command")
    return [word for word in command if word != "--force"] if isinstance(command, list | tuple) else []
