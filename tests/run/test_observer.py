"""Who looks on hears of every sample, and of the end where an error comes between."""

from __future__ import annotations

from pathlib import Path

import pytest

from cytocar.report.run.page import report_files
from cytocar.run.finished.verify import verify
from cytocar.run.observer import Observer, observed
from tests.runs import small_run


class Listener(Observer):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def start(self, total: int, done: int = 0) -> None:
        self.heard.append(f"{done} of {total}")

    def step(self) -> None:
        self.heard.append("step")

    def close(self) -> None:
        self.heard.append("end")


def test_an_item_is_finished_when_the_next_is_wanted() -> None:
    listener = Listener()
    items = observed("ab", 2, listener)
    assert (next(items), listener.heard) == ("a", ["0 of 2"])
    assert (list(items), listener.heard) == (["b"], ["0 of 2", "step", "step", "end"])


def test_the_end_is_heard_where_an_error_comes_between() -> None:
    listener = Listener()
    with pytest.raises(ZeroDivisionError):
        list(observed((1 // number for number in (1, 0)), 2, listener))
    assert listener.heard == ["0 of 2", "step", "end"]


def test_the_report_and_verify_tell_of_their_samples(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    drawing, checking = Listener(), Listener()
    report_files(run, observer=drawing)
    verify(run, observer=checking)
    assert drawing.heard == ["0 of 2", "step", "step", "end"]  # the third is no FCS file
    assert checking.heard == ["0 of 3", "step", "step", "step", "end"]
