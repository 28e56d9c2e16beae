"""Change what decides about numbers and records, one place at a time, and list the changes that no test notices.

``python -m benchmarks.mutations statistics counting`` imports package and tests once, notes which test runs which line,
and forks for every change: the fork compiles the module with the one change, puts the new code behind its functions (so
that names imported elsewhere and caches lead to it too), and runs the tests that reach the line, those of the module
itself first, until one fails. A change that takes the tests past their time counts as noticed.
"""

from __future__ import annotations

import argparse
import ast
import functools
import gc
import os
import pickle
import resource
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FunctionType, ModuleType
from typing import Any

import pytest

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # a process of several is not to be forked
ROOT = Path(__file__).resolve().parents[1]
GROUPS = {
    "statistics": (["cytocar/statistics/*.py"], ["tests/statistics"]),
    "counting": (
        ["cytocar/counting/*.py"],
        ["tests/counting", "tests/sample/test_analysis.py", "tests/sample/test_eqa.py"],
    ),
    "replicates": (
        ["cytocar/course/replicates.py"],
        ["tests/course/test_replicates.py", "tests/course/test_responses.py"],
    ),
    "controls": (
        ["cytocar/sample/choose_controls.py", "cytocar/sample/blank_controls.py"],
        ["tests/sample/test_choose_controls.py", "tests/sample/test_blank_controls.py"],
    ),
    "audit": (["cytocar/run/trail/audit.py"], ["tests/run/trail/test_audit.py"]),
}
"""Of each group the modules whose every line decides about a number or a record, and the tests that may notice."""
TIMES, MORE_S = 2, 2.0
"""A change may take this many times the CPU time of the unchanged tests, and so many seconds more."""
ENOUGH_S = 1.0
"""Tests of other modules run until this much CPU is spent on a change."""
SMALL = 1e-4
"""A smaller number is a tolerance: a fifth more of it changes nothing, one more does."""

SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    **{ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq},
    **{ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And},
    **{ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult},
    **{ast.FloorDiv: ast.Div, ast.Mod: ast.Div, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd},
    **{ast.Continue: ast.Break, ast.Break: ast.Continue},
}
OTHER_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "floor": "ceil", "ceil": "floor"}
WORDS = {"hint", "message", "strict", "code"}
"""Keywords of calls that say something, or guard against a later mistake: not changed."""
ENUMS = {"StrEnum", "IntEnum", "Enum"}


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one module: its number, the lines of its statement, what was there and what is there now."""

    module: Path
    number: int
    line: int
    statement: range
    in_function: bool
    old: str
    new: str

    def __str__(self) -> str:
        """Return place and texts on one line."""
        return f"{self.module.relative_to(ROOT)}:{self.line} #{self.number}: {self.old}  ->  {self.new}"


def changes_of(module: Path, tree: ast.Module) -> Iterator[Change]:
    """Yield every change of a module's tree, each while the tree holds it; the tree is whole again at the end."""
    for number, (owner, name, index, new, statement, in_function) in enumerate(list(_places(tree, tree, False)), 1):
        old = getattr(owner, name) if index is None else getattr(owner, name)[index]
        ast.fix_missing_locations(ast.copy_location(new, old))
        shown = [ast.unparse(node).partition("\n")[0] for node in (old, new)]
        line = getattr(old, "lineno", getattr(statement, "lineno", 1))
        _put(owner, name, index, new)
        yield Change(module, number, line, _lines(statement), in_function, shown[0], shown[1])
        _put(owner, name, index, old)


def _put(owner: ast.AST, name: str, index: int | None, node: ast.AST) -> None:
    if index is None:
        setattr(owner, name, node)
    else:
        getattr(owner, name)[index] = node


def _lines(statement: ast.stmt) -> range:
    """Return the lines of a statement, of a compound one those of its head."""
    body = getattr(statement, "body", None)
    last = body[0].lineno - 1 if body else statement.end_lineno or statement.lineno
    return range(statement.lineno, max(last, statement.lineno) + 1)


def _places(owner: ast.AST, statement: ast.AST, in_function: bool) -> Iterator[tuple[Any, ...]]:
    """Yield owner, field, index, new node and statement of every change below ``owner``."""
    for name, value in ast.iter_fields(owner):
        if name in {"annotation", "returns", "decorator_list", "bases"}:
            continue
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(child, ast.AST) or _spared(owner, child):
                continue
            stands_in = child if isinstance(child, ast.stmt) else statement
            words = isinstance(owner, ast.JoinedStr) and isinstance(child, ast.Constant)
            for new in () if words else _replacements(child, owner, name):
                yield owner, name, index, new, stands_in, in_function
            inside = in_function or isinstance(child, ast.FunctionDef)
            yield from _places(child, stands_in, inside)


def _spared(owner: ast.AST, child: ast.AST) -> bool:
    match child:
        case ast.Raise() | ast.Assert() | ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant()):
            return True
        case ast.keyword(arg=word) if word in WORDS:
            return True
        case ast.If(test=ast.Name("TYPE_CHECKING")) | ast.Call(func=ast.Name("field")):
            return True
        case ast.Assign() if isinstance(owner, ast.ClassDef):
            return any(isinstance(base, ast.Name) and base.id in ENUMS for base in owner.bases)
    return False


def _replacements(node: ast.AST, owner: ast.AST, name: str) -> Iterator[ast.AST]:
    """Yield what may stand in place of one node."""
    if (name == "test" and isinstance(owner, ast.If | ast.IfExp | ast.While)) or name == "ifs":
        yield ast.Constant(False)
        if not isinstance(owner, ast.While):
            yield ast.Constant(True)
    match node:
        case ast.Compare(ops=ops):
            for place, op in enumerate(ops):
                yield _with(node, ops=[*ops[:place], SWAPPED[type(op)](), *ops[place + 1 :]])
        case ast.BinOp(op=op) | ast.AugAssign(op=op) | ast.BoolOp(op=op) if type(op) in SWAPPED:
            yield _with(node, op=SWAPPED[type(op)]())
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.Continue() | ast.Break():
            yield SWAPPED[type(node)]()
        case ast.Constant(value=bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(value=int() as value):
            yield ast.Constant(value + 1)
        case ast.Constant(value=float() as value):
            yield ast.Constant(value + 1 if abs(value) < SMALL else value * 1.2)
        case ast.Constant(value=str() as value) if value:
            yield ast.Constant("XX" + value)
        case ast.Expr(value=ast.Call()):
            yield ast.Pass()
        case ast.Call(func=func, args=args, keywords=keywords):
            if isinstance(func, ast.Name) and func.id == "abs":
                yield args[0]
            if isinstance(func, ast.Name) and func.id in OTHER_NAMES:
                yield _with(node, func=ast.Name(OTHER_NAMES[func.id], ast.Load()))
            if isinstance(func, ast.Attribute) and func.attr in OTHER_NAMES:
                yield _with(node, func=_with(func, attr=OTHER_NAMES[func.attr]))
            for place, keyword in enumerate(keywords):
                if keyword.arg not in WORDS:
                    yield _with(node, keywords=[*keywords[:place], *keywords[place + 1 :]])


def _with(node: ast.AST, **fields: object) -> ast.AST:
    changed = copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def put_in_place(module: ModuleType, code: Any) -> None:
    """Let a loaded module do what ``code`` says: its functions get the new code, other modules the new constants."""
    other = ModuleType(module.__name__)
    other.__dict__.update(__file__=getattr(module, "__file__", None), __package__=module.__package__)
    exec(code, other.__dict__)
    for name, new in vars(other).items():
        old = vars(module).get(name)
        if getattr(new, "__module__", None) == module.__name__ and isinstance(old, type):
            for attribute, value in vars(new).items():
                _transplant(vars(old).get(attribute), value)
                if isinstance(value, int | float | str) and not attribute.startswith("__"):
                    setattr(old, attribute, value)
        elif not _transplant(old, new) and not name.startswith("__") and repr(old) != repr(new):
            for place in list(sys.modules.values()):
                if getattr(place, "__dict__", {}).get(name) is old:
                    setattr(place, name, new)


def _transplant(old: Any, new: Any) -> bool:
    """Give a function, however wrapped, the code and the defaults of another; return whether it was one."""
    old, new = _function(old), _function(new)
    if not isinstance(old, FunctionType) or not isinstance(new, FunctionType):
        return False
    if old.__code__.co_freevars == new.__code__.co_freevars and new.__code__.co_filename != "<string>":
        old.__code__ = new.__code__
    old.__defaults__, old.__kwdefaults__ = new.__defaults__, new.__kwdefaults__
    return True


def _function(wrapped: Any) -> Any:
    for name in ("__wrapped__", "fget", "func", "__func__"):
        inside = getattr(wrapped, name, None)
        if isinstance(inside, FunctionType):
            return inside
    return wrapped


@dataclass
class Trial:
    """A plugin of pytest that runs the tests collected once for every change, each time in a fork."""

    modules: list[Path]
    wanted: set[str] | None
    record: Path | None
    fate: dict[Path, Counter[bool]] = field(default_factory=lambda: defaultdict(Counter))
    caches: list[Any] = field(default_factory=list)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run nothing here, and everything in forks."""
        caches = [it for it in gc.get_objects() if isinstance(it, functools._lru_cache_wrapper)]
        self.caches = [cache for cache in caches if str(cache.__module__).startswith("cytocar")]
        gc.freeze()
        seconds, reached = self._unchanged(session)
        for module in self.modules:
            loaded = sys.modules[".".join(module.relative_to(ROOT).with_suffix("").parts)]
            for change in changes_of(module, tree := ast.parse(module.read_text("utf-8"))):
                if self.wanted is not None and str(change) not in self.wanted:
                    continue
                tests = self._tests(session, change, seconds, reached)
                limit = TIMES * sum(seconds[item.nodeid] for item in tests) + MORE_S
                noticed = bool(tests) and self._noticed(session, tests, loaded, tree, limit)
                self.fate[module][noticed] += 1
                if not noticed:
                    self._write(f"{change}{'' if tests else '  (no test comes here)'}")
            self._write(self.line(module))
        return True

    def line(self, module: Path) -> str:
        """Return a module's row of the table."""
        noticed, all_of = self.fate[module][True], self.fate[module].total()
        name = module.relative_to(ROOT / "cytocar").with_suffix("")
        return f"| `{name}` | {all_of} | {noticed} ({100 * noticed / max(all_of, 1):.0f} %) |"

    def _write(self, text: str) -> None:
        print(text, flush=True)
        if self.record:
            with self.record.open("a", encoding="utf-8") as lines:
                lines.write(text + "\n")

    def _tests(self, session: pytest.Session, change: Change, seconds: Any, reached: Any) -> list[pytest.Item]:
        """Return the tests that reach a change, the module's own first, the quick ones first."""
        name = str(change.module)
        lines = {(name, line) for line in change.statement}
        everywhere = not change.in_function

        def foreign(item: pytest.Item) -> bool:
            return item.path.stem not in {f"test_{change.module.stem}", change.module.stem}

        def reaches(item: pytest.Item) -> bool:
            mine = reached[item.nodeid]
            if everywhere:  # a constant: the module's own tests may do no more than read it
                return not foreign(item) or any(path == name for path, _ in mine)
            return not lines.isdisjoint(mine)

        in_order = sorted(filter(reaches, session.items), key=lambda item: (foreign(item), seconds[item.nodeid]))
        spent = list(accumulate(seconds[item.nodeid] for item in in_order))
        return [item for item, so_far in zip(in_order, spent, strict=True) if not foreign(item) or so_far < ENOUGH_S]

    def _unchanged(self, session: pytest.Session) -> tuple[dict[str, float], dict[str, set[tuple[str, int]]]]:
        """Return how long each test takes and which lines it runs; a failing test ends it all."""
        names = {str(module) for module in self.modules}
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            session.config.pluginmanager.unregister(name="terminalreporter")
            lines: set[tuple[str, int]] = set()

            def trace(frame: Any, event: str, _: object) -> Any:
                if frame.f_code.co_filename not in names:
                    return None
                lines.add((frame.f_code.co_filename, frame.f_lineno))
                return trace

            seconds, reached = {}, {}
            for item, after in zip(session.items, [*session.items[1:], None], strict=True):
                lines.clear()
                for cache in self.caches:  # or a test that comes later reaches none of what is kept
                    cache.cache_clear()
                start = time.process_time()
                sys.settrace(trace)
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
                sys.settrace(None)
                seconds[item.nodeid], reached[item.nodeid] = time.process_time() - start, set(lines)
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump((seconds, reached, session.testsfailed), pipe)
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as answer:
            seconds, reached, failed = pickle.load(answer)
        os.waitpid(child, 0)
        if failed:
            pytest.exit(f"{failed} tests fail before anything is changed", returncode=2)
        return seconds, reached

    @staticmethod
    def _noticed(
        session: pytest.Session, tests: Sequence[pytest.Item], module: ModuleType, tree: ast.Module, limit: float
    ) -> bool:
        """Return whether one of the tests fails, or all take too long, with the module changed to ``tree``."""
        child = os.fork()
        if child:
            return os.waitpid(child, 0)[1] != 0
        session.config.pluginmanager.unregister(name="terminalreporter")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        signal.setitimer(signal.ITIMER_PROF, limit)
        signal.alarm(round(4 * limit) + 30)
        resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
        try:
            put_in_place(module, compile(tree, str(module.__file__), "exec"))
            for item, after in zip(tests, [*tests[1:], None], strict=True):
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
                if session.testsfailed:
                    os._exit(1)
        except BaseException:  # noqa: BLE001 - whatever happens is noticed
            os._exit(1)
        os._exit(0)


def main(words: Sequence[str] | None = None) -> int:
    """Run the groups asked for; return 0 whatever comes of it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("groups", nargs="*", help=f"of {', '.join(GROUPS)}; all of them if none is named")
    parser.add_argument("--module", action="append", help="only the module of this name, such as robust")
    parser.add_argument("--record", type=Path, help="append every line to this file too")
    parser.add_argument(
        "--again", type=Path, help="only the changes that stand in this file, such as an earlier record"
    )
    options = parser.parse_args(words)
    wanted = None
    if options.again:
        lines = options.again.read_text("utf-8").splitlines()
        wanted = {line.removesuffix("  (no test comes here)") for line in lines}
    for group in options.groups or GROUPS:
        patterns, tests = GROUPS[group]
        modules = [path for pattern in patterns for path in sorted(ROOT.glob(pattern)) if path.stem != "__init__"]
        modules = [path for path in modules if not options.module or path.stem in options.module]
        trial = Trial(modules, wanted, options.record)
        with TemporaryDirectory(prefix="mutations-") as folder:
            quiet = [
                "-q",
                "-p",
                "no:cacheprovider",
                "-p",
                "no:xdist",
                "--no-header",
                "--tb=no",
                f"--basetemp={folder}/tests",
            ]
            pytest.main([*quiet, *tests, *map(str, modules)], plugins=[trial])
    return 0


if __name__ == "__main__":
    sys.exit(main())
