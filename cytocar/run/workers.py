"""Who does the work of a run: this process, a pool of processes, or a cluster."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from cytocar.files.cores import usable_cores
from cytocar.statistics.special import load_special_functions

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future, ProcessPoolExecutor


_Answer = TypeVar("_Answer")
_Task = TypeVar("_Task")


class Workers(Struct, frozen=True):
    """How to start an executor (again, when one of its workers was killed), and how many tasks it may hold.

    ``killers`` are the errors by which it says that the process of one task died, the executor itself being well.
    """

    start: Callable[[], Executor]
    in_flight: int
    killers: tuple[type[Exception], ...] = ()


def load_what_any_sample_needs() -> None:
    """Load what every worker would load with its first sample, before any is forked and any file hashed beside."""
    load_special_functions()
    import_module("flowio")


SHARED_KEPT = 64
"""What tasks share: a protocol for each template and matrix of a run, a gallery for each template."""


@lru_cache(maxsize=SHARED_KEPT)
def packed(shared: Any) -> bytes:
    """Return what several tasks share as bytes, made once."""
    return pickle.dumps(shared)


@lru_cache(maxsize=SHARED_KEPT)
def unpacked(content: bytes) -> Any:
    """Return what ``packed`` made, the same object for every task of a worker: what is worked out for it stays so."""
    return pickle.loads(content)  # noqa: S301 -- from this run's own process


def process_pool(jobs: int) -> Workers | None:
    """Return a pool of worker processes; none for one job. 0 stands for all cores."""
    count = jobs or usable_cores()
    return None if count == 1 else Workers(lambda: _pool(count), in_flight=4 * count)


def _pool(count: int) -> ProcessPoolExecutor:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    # fork starts a worker in milliseconds and is safe while this process has one thread; elsewhere each imports anew
    fork = sys.platform == "linux" and threading.active_count() == 1
    context = multiprocessing.get_context("fork" if fork else "spawn")
    return ProcessPoolExecutor(count, mp_context=context, initializer=_begin, initargs=(os.getpid(),))


PARENT_ASKED_EVERY_S = 0.25
"""How long a worker may outlive a parent that was killed; the lock of the run is not its own to hold."""


def _begin(parent: int) -> None:
    """Make this process a worker: Ctrl-C is its parent's, and it ends when the parent does, however that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # by which a pool ends the others when one was killed
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """Wait until the parent is gone, and end this process then.

    The sentinel alone is not enough: workers forked later hold the writing end of an earlier one's. The parent's number
    alone is not either: Windows never changes it.
    """
    from multiprocessing import parent_process
    from multiprocessing.connection import wait as wait_for

    known = parent_process()
    sentinels = [known.sentinel] if known is not None else []
    while os.getppid() == parent and not wait_for(sentinels, PARENT_ASKED_EVERY_S):
        pass
    os._exit(EX_PARENT_GONE)


EX_PARENT_GONE = 1


def run_tasks(
    function: Callable[[_Task], _Answer],
    tasks: Iterable[_Task],
    workers: Workers | None,
    *,
    killed: Callable[[_Task], _Answer],
) -> Iterator[_Answer]:
    """Yield the answer to every task as it is finished; at most ``workers.in_flight`` wait at a time.

    When a worker is killed, the tasks that were under way run again, each alone: the one that kills again is answered
    by ``killed``, the others as if nothing had happened.
    """
    if workers is None:
        yield from map(function, tasks)
        return
    waiting = deque(tasks)
    while waiting:
        suspects: list[_Task] = []
        yield from _until_broken(function, waiting, workers, suspects)
        yield from _one_by_one(function, deque(suspects), workers, killed=killed)


def _until_broken(
    function: Callable[[_Task], _Answer], waiting: deque[_Task], workers: Workers, suspects: list[_Task]
) -> Iterator[_Answer]:
    """Yield answers until nothing waits; when a worker dies, put the tasks under way into ``suspects`` and stop."""
    from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, wait

    executor = workers.start()
    running: dict[Future[_Answer], _Task] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers.in_flight:
                task = waiting.popleft()
                running[executor.submit(function, task)] = task
            finished, _ = wait(running, timeout=LOOKED_AFTER_S, return_when=FIRST_COMPLETED)
            if not finished:
                _end_if_stuck(executor)
            for future in finished:
                try:
                    answer = future.result()
                except workers.killers:
                    suspects.append(running.pop(future))
                    continue
                del running[future]
                yield answer
    except BrokenExecutor:
        suspects.extend(running.values())
    except BaseException:
        _end_if_stuck(executor)  # a batch system sends SIGTERM to workers too
        raise
    finally:
        _shut_down(executor, running)


def _shut_down(executor: Executor, running: Collection[Future[Any]]) -> None:
    """Take back what no worker has begun; nothing is waited for where something is under way."""
    from concurrent.futures import ProcessPoolExecutor

    wait = not running
    if isinstance(executor, ProcessPoolExecutor):  # its thread fails over a future that is cancelled behind its back
        executor.shutdown(wait=wait, cancel_futures=True)
        return
    for future in running:
        future.cancel()
    executor.shutdown(wait=wait)


LOOKED_AFTER_S = 1.0
"""How long no answer may come until it is looked whether a worker is gone."""


def _end_if_stuck(executor: Executor) -> None:
    """End a pool that waits for the rest of an answer whose worker was killed while it wrote it.

    A pool of processes notices a worker that is gone, but not while it reads an answer: it waits for the rest for
    ever, since it holds the writing end of the pipe itself. Without workers and that end it sees that it is broken.
    """
    processes = [*(getattr(executor, "_processes", None) or {}).values()]
    if all(process.is_alive() for process in processes):
        return
    for process in processes:
        process.kill()
    executor._result_queue._writer.close()  # type: ignore[attr-defined]  # nothing public leads to it


def _one_by_one(
    function: Callable[[_Task], _Answer],
    suspects: deque[_Task],
    workers: Workers,
    *,
    killed: Callable[[_Task], _Answer],
) -> Iterator[_Answer]:
    """Yield the answers of tasks that run alone, in one executor as long as none kills its process."""
    while suspects:
        again: list[_Task] = []
        yield from _until_broken(function, suspects, replace(workers, in_flight=1), again)
        for task in again:
            yield killed(task)
