"""Many tasks on any executor: the same answers, and a task that kills its process costs itself alone."""

from __future__ import annotations

import os
import pickle
import signal
import struct
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

from cytocar.run.execute import Task, execute
from cytocar.run.workers import Workers, process_pool, run_tasks
from cytocar.sample.protocol import Protocol
from cytocar.sample.result import ErrorRecord, SampleFailure, SampleOutcome, TemplateStamp
from cytocar.sheet.rows import SampleRow
from cytocar.template.lock import LockStatus
from cytocar.template.model import Template

_T = TypeVar("_T")


def _tasks(names: Sequence[str]) -> list[Task]:
    template = Template(name="none", version="1.0.0", panel={}, populations=())
    protocol = Protocol(template, TemplateStamp("none", "1.0.0", "", LockStatus.DRAFT))
    return [Task(SampleRow(file=Path(name), file_as_given=name, sample_id=name), protocol) for name in names]


def _name(task: Task) -> str:
    return task.sample.sample_id


def _name_or_die(task: Task) -> str:
    if task.sample.sample_id == "poison":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.01)
    return task.sample.sample_id


def _killed(task: Task) -> str:
    return f"{task.sample.sample_id} was killed"


NAMES = [f"A{number:02d}" for number in range(1, 25)]
EXECUTORS: dict[str, Callable[[], Workers | None]] = {
    "none": lambda: None,
    "processes": lambda: process_pool(2),
    "threads": lambda: Workers(lambda: ThreadPoolExecutor(3), in_flight=5),
}


@pytest.mark.parametrize("executor", EXECUTORS)
def test_every_executor_gives_every_answer_once(executor: str) -> None:
    answers = list(run_tasks(_name, _tasks(NAMES), EXECUTORS[executor](), killed=_killed))
    assert sorted(answers) == NAMES


@pytest.mark.parametrize("place", [0, 7, 24])
def test_a_task_that_kills_its_process_costs_itself_alone(place: int) -> None:
    names = [*NAMES[:place], "poison", *NAMES[place:]]
    answers = list(run_tasks(_name_or_die, _tasks(names), process_pool(2), killed=_killed))
    assert sorted(answers) == sorted([*NAMES, "poison was killed"])


def _name_or_die_in_the_answer(task: Task) -> str:
    """Write the head of an answer and half of it, holding the lock on the pipe, and be killed."""
    if task.sample.sample_id == "poison":
        frame = sys._getframe()
        while "result_queue" not in frame.f_locals:
            assert frame.f_back is not None
            frame = frame.f_back
        answers = frame.f_locals["result_queue"]
        answers._wlock.acquire()
        os.write(answers._writer.fileno(), struct.pack("!i", 1000) + b"half of it")
        os.kill(os.getpid(), signal.SIGKILL)
    return task.sample.sample_id


@pytest.mark.parametrize("place", [0, 24])
def test_a_worker_killed_while_it_answers_costs_its_task_alone(place: int) -> None:
    names = [*NAMES[:place], "poison", *NAMES[place:]]
    answers = list(run_tasks(_name_or_die_in_the_answer, _tasks(names), process_pool(2), killed=_killed))
    assert sorted(answers) == sorted([*NAMES, "poison was killed"])


class _Deadly(Exception):  # noqa: N818 -- stands for what a cluster raises
    pass


def test_a_cluster_that_gives_a_task_up_has_it_tried_alone_once_more() -> None:
    tried: list[str] = []

    def give_up_once(task: Task) -> str:
        tried.append(task.sample.sample_id)
        if task.sample.sample_id == "A03" and tried.count("A03") == 1:
            raise _Deadly
        if task.sample.sample_id == "A05":
            raise _Deadly
        return task.sample.sample_id

    workers = Workers(lambda: ThreadPoolExecutor(2), in_flight=4, killers=(_Deadly,))
    answers = sorted(run_tasks(give_up_once, _tasks(NAMES[:6]), workers, killed=_killed))
    assert answers == ["A01", "A02", "A03", "A04", "A05 was killed", "A06"]
    assert tried.count("A05") == 2


def test_no_more_tasks_wait_at_the_executor_than_it_may_hold() -> None:
    class Counting(ThreadPoolExecutor):
        waiting = 0
        most = 0

        def submit(self, function: Callable[..., _T], /, *arguments: Any, **named: Any) -> Future[_T]:
            Counting.waiting += 1
            Counting.most = max(Counting.most, Counting.waiting)
            return super().submit(function, *arguments, **named)

    def start() -> Executor:
        return Counting(1)

    for _ in run_tasks(_name, _tasks(NAMES), Workers(start, in_flight=3), killed=_killed):
        Counting.waiting -= 1
    assert Counting.most <= 3


def test_samples_share_their_protocol_in_a_worker_too() -> None:
    first, second = (pickle.loads(pickle.dumps(task)) for task in _tasks(NAMES[:2]))
    assert first.sample.sample_id == NAMES[0]
    assert first.protocol is second.protocol
    assert first.protocol.template.name == "none"


def test_a_bug_in_one_sample_costs_that_sample_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(sample: SampleRow, protocol: Protocol, references: object, **_: object) -> SampleOutcome:
        if sample.sample_id == "A02":
            raise ZeroDivisionError("half of nothing")
        return SampleFailure(sample, protocol.stamp, ErrorRecord("E010", "the file does not exist"))

    monkeypatch.setattr("cytocar.run.execute.analyse", stumble)
    tasks = _tasks(NAMES[:3])
    protocols = {task.sample.sample_id: task.protocol for task in tasks}
    done = list(execute([task.sample for task in tasks], protocols, scratch=tmp_path))
    assert [fault.code for sample in done for fault in sample.faults] == ["E010", "E199", "E010"]
    assert "ZeroDivisionError: half of nothing" in done[1].faults[0].message
