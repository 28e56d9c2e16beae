"""The runner of changed code: what it changes, and that a change reaches whatever holds the module's names."""

from __future__ import annotations

import ast
import sys
from types import ModuleType

import pytest

from benchmarks.mutations import ROOT, changes_of, put_in_place

SOURCE = '''
"""A module."""
from functools import cache

LIMIT = 0.05


@cache
def near(x: int, y: int = 3) -> bool:
    """Return something."""
    if x < y and x is not None:
        return abs(x - 1) <= LIMIT
    raise ValueError(f"not {x + 1}")
'''
MODULE = ROOT / "toy.py"


def test_every_operator_number_and_condition_is_changed_once_and_the_tree_is_whole_again() -> None:
    tree = ast.parse(SOURCE)
    before = ast.dump(tree)
    changes = [(one.old, one.new) for one in changes_of(MODULE, tree)]
    assert changes == [
        ("0.05", "0.06"),
        ("3", "4"),
        ("x < y and x is not None", "False"),
        ("x < y and x is not None", "True"),
        ("x < y and x is not None", "x < y or x is not None"),
        ("x < y", "x <= y"),
        ("x is not None", "x is None"),
        ("abs(x - 1) <= LIMIT", "abs(x - 1) < LIMIT"),
        ("abs(x - 1)", "x - 1"),
        ("x - 1", "x + 1"),
        ("1", "2"),
    ]
    assert ast.dump(tree) == before


def test_a_change_knows_the_lines_of_its_statement_and_of_a_compound_one_those_of_its_head() -> None:
    lines = {one.new: (one.line, list(one.statement), one.in_function) for one in changes_of(MODULE, ast.parse(SOURCE))}
    assert lines["0.06"] == (5, [5], False)
    assert lines["x <= y"] == (11, [11], True)
    assert lines["x - 1"] == (12, [12], True)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A loaded module, with its constant known to a second one by the same name."""
    module, other = ModuleType("toy"), ModuleType("other")
    exec(compile(SOURCE, "toy.py", "exec"), module.__dict__)
    other.__dict__["LIMIT"] = module.__dict__["LIMIT"]
    monkeypatch.setitem(sys.modules, "toy", module)
    monkeypatch.setitem(sys.modules, "other", other)
    return module


def _changed(new: str) -> object:
    tree = ast.parse(SOURCE)
    for change in changes_of(MODULE, tree):
        if change.new == new:
            return compile(tree, "toy.py", "exec")
    raise AssertionError(new)


def test_a_changed_function_is_changed_for_whoever_imported_it_before(toy: ModuleType) -> None:
    near = toy.__dict__["near"]
    put_in_place(toy, _changed("x + 1"))
    near.cache_clear()
    assert near(1) is False
    put_in_place(toy, _changed("4"))
    near.cache_clear()
    assert near(3) is False  # 3 < 4: no longer an error


def test_a_changed_constant_is_changed_wherever_it_was_imported(toy: ModuleType) -> None:
    put_in_place(toy, _changed("0.06"))
    assert toy.__dict__["LIMIT"] == sys.modules["other"].__dict__["LIMIT"] == 0.06
