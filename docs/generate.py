"""Write ``docs/reference`` (commands, tables, codes, template keys) and ``docs/man`` from the code, when a test asks.

``python docs/generate.py`` from the top folder; ``tests/test_docs.py`` holds the pages equal to what this returns.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from importlib import import_module
from itertools import groupby, pairwise
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec.structs import FieldInfo
from typer.models import ArgumentInfo, OptionInfo

REFERENCE = Path(__file__).resolve().parent / "reference"
MANUAL = Path(__file__).resolve().parent / "man"
sys.path.insert(0, str(REFERENCE.parents[1]))

from cytocar.cli.app import VERBS  # noqa: E402
from cytocar.counting.blank_tubes import HISTORY  # noqa: E402
from cytocar.course import tables as course_tables  # noqa: E402
from cytocar.course.exchange import EXCHANGE  # noqa: E402
from cytocar.course.subjects import SUBJECTS  # noqa: E402
from cytocar.errors.codes import explanations  # noqa: E402
from cytocar.product.release import PRODUCT  # noqa: E402
from cytocar.qc.bridging import BRIDGING  # noqa: E402
from cytocar.qc.eqa import EQA, EQA_GROUPS  # noqa: E402
from cytocar.qc.levey_jennings import LEVEY_JENNINGS  # noqa: E402
from cytocar.run.comparison.compare import COLUMNS as COMPARISON  # noqa: E402
from cytocar.run.study.folder import COUNT_COLUMNS, MATCH_COLUMNS  # noqa: E402
from cytocar.signals.declaration import Declaration  # noqa: E402
from cytocar.tables import columns as tables  # noqa: E402
from cytocar.tables.columns import Column  # noqa: E402
from cytocar.template.model import Template  # noqa: E402
from cytocar.validation.gates import GATE_AGREEMENT  # noqa: E402
from cytocar.validation.study import TUBES  # noqa: E402
from cytocar.validation.verdicts import VALIDATION  # noqa: E402

_MADE = "<!-- Made by docs/generate.py from the code: change that, not this page. -->\n\n"


def pages() -> dict[str, str]:
    """Return the text of every page by its file name."""
    return {
        "commands.md": _MADE + "".join(_commands()),
        "tables.md": _MADE + "".join(_tables()),
        "codes.md": _MADE + "".join(_codes()),
        "templates.md": _MADE + "".join(_templates()),
        "constants.md": _MADE + "".join(_constants()),
    }


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


# ---------------------------------------------------------------- commands


def _commands() -> Iterator[str]:
    yield "# Commands\n\n"
    yield "Anywhere in a command: `-q/--quiet`, `-v/--verbose`, `--no-color`; `cytocar --version`.\n\n"
    yield _table(("command", "does"), [(f"[`cytocar {verb}`](#cytocar-{verb})", does) for verb, does in VERBS.items()])
    for verb in VERBS:
        module = import_module(f"cytocar.cli.verbs.{verb.replace('-', '_')}")
        if not hasattr(module, "app"):
            yield from _command(f"cytocar {verb}", module.command)
            continue
        yield f"\n## cytocar {verb}\n\n{VERBS[verb]}\n"
        for info in module.app.registered_commands:
            name = info.name or info.callback.__name__.replace("_", "-")
            yield from _command(f"cytocar {verb} {name}", info.callback, level="###")


def manual() -> dict[str, str]:
    """Return the pages of the manual by file name: ``cytocar.1``, and one for each verb."""
    found = {"cytocar.1": "".join(_manual_of_all())}
    for verb, does in VERBS.items():
        module = import_module(f"cytocar.cli.verbs.{verb.replace('-', '_')}")
        if hasattr(module, "app"):
            commands = [
                (f"cytocar {verb} {one.name or one.callback.__name__.replace('_', '-')}", one.callback)
                for one in module.app.registered_commands
            ]
        else:
            commands = [(f"cytocar {verb}", module.command)]
        found[f"cytocar-{verb}.1"] = "".join(_manual_page(f"cytocar-{verb}", does, commands))
    return found


def _manual_of_all() -> Iterator[str]:
    yield _manual_head("cytocar", "absolute CAR-T cell counts and CD4/CD8 ratios from flow-cytometry FCS files")
    yield ".SH SYNOPSIS\n.B cytocar\n[\\-q] [\\-v] [\\-\\-no\\-color] COMMAND ...\n.SH COMMANDS\n"
    for verb, does in VERBS.items():
        yield f".TP\n\\fBcytocar\\-{_roff(verb)}\\fR(1)\n{_roff(does)}\n"
    yield ".SH OPTIONS\n"
    for option, meaning in (
        ("-q, --quiet", "Errors only on stderr."),
        ("-v, --verbose", "Say more; show where a bug happened."),
        ("--no-color", "No colour; NO_COLOR is honoured too."),
        ("--version", "Print the version and stop."),
        ("--install-completion", "Complete commands and options in this shell."),
    ):
        yield f".TP\n\\fB{_roff(option)}\\fR\n{_roff(meaning)}\n"
    yield ".SH NOTES\nResearch use, not for diagnosis.\n"


def _manual_page(name: str, does: str, commands: Sequence[tuple[str, Callable[..., None]]]) -> Iterator[str]:
    yield _manual_head(name, does)
    for called, function in commands:
        given = _given(function)
        arguments = " ".join(_argument(one, info) for one, _, info in given if isinstance(info, ArgumentInfo))
        options = any(not isinstance(info, ArgumentInfo) for _, _, info in given)
        yield f".SH {_roff(called.upper())}\n.B {_roff(called)}\n{_roff(arguments)}{' [OPTIONS]' if options else ''}\n"
        for paragraph in (inspect.getdoc(function) or "").split("\n\n"):
            yield f".PP\n{_roff(' '.join(paragraph.split()))}\n"
        for one, kind, info in given:
            shown = _argument(one, info) if isinstance(info, ArgumentInfo) else _option(one, kind, info)
            yield f".TP\n\\fB{_roff(shown)}\\fR\n{_roff(info.help or shown)}\n"
    yield ".SH SEE ALSO\n.BR cytocar (1)\n"


def _manual_head(name: str, does: str) -> str:
    return f'.TH {_roff(name.upper())} 1 "" "cytocar" "User Commands"\n.SH NAME\n{_roff(name)} \\- {_roff(does)}\n'


def _roff(text: str) -> str:
    """Return text in which roff takes no sign for its own: backslash, hyphen, a dot or quote that begins a line."""
    plain = text.replace("\\", "\\e").replace("``", "").replace("`", "").replace("-", "\\-")
    return f"\\&{plain}" if plain.startswith((".", "'")) else plain


def _given(function: Callable[..., None]) -> list[tuple[inspect.Parameter, Any, Any]]:
    """Return the parameters of a command, each with its type and what typer knows of it."""
    return [
        (parameter, *get_args(parameter.annotation)[:2])
        for parameter in inspect.signature(function, eval_str=True).parameters.values()
    ]


def _command(name: str, function: Callable[..., None], *, level: str = "##") -> Iterator[str]:
    yield f"\n{level} {name}\n\n{inspect.getdoc(function) or ''}\n\n"
    given = _given(function)
    arguments = [_argument(one, info) for one, _, info in given if isinstance(info, ArgumentInfo)]
    if arguments:
        yield f"`{name} {' '.join(arguments)}`\n\n"
    if given:
        rows = [
            (
                f"`{_argument(one, info) if isinstance(info, ArgumentInfo) else _option(one, kind, info)}`",
                info.help or "",
            )
            for one, kind, info in given
        ]
        yield _table(("option", "meaning"), rows)


def _argument(parameter: inspect.Parameter, info: ArgumentInfo) -> str:
    shown = (info.metavar or parameter.name.upper()).strip("[]")
    needed = parameter.default in (inspect.Parameter.empty, ...)
    return shown if needed else f"[{shown}]"


def _option(parameter: inspect.Parameter, kind: Any, info: OptionInfo) -> str:
    # typer takes the first name of an option for its default, until it builds the command
    first = (info.default,) if isinstance(info.default, str) and info.default.startswith("-") else ()
    names = ", ".join([*first, *(info.param_decls or ())]) or f"--{parameter.name.replace('_', '-')}"
    plain = next(inner for inner in get_args(kind) or (kind,) if inner is not type(None))
    plain = (get_args(plain) or (plain,))[0]
    if plain is bool:
        return names
    if issubclass(plain, Enum):
        return f"{names} {info.metavar or '|'.join(str(choice.value) for choice in plain)}"
    words = {str: "TEXT", int: "NUMBER", float: "NUMBER", Path: "PATH"}
    return f"{names} {info.metavar or words[plain]}"


# ---------------------------------------------------------------- tables


def _tables() -> Iterator[str]:
    yield "# Tables\n\n"
    yield "UTF-8 without BOM, `,`, `\\n`, `.`, a header, missing = empty, six digits. "
    yield "Text that a spreadsheet would run as a formula gets a leading `'`.\n"
    for name, columns in _named_tables().items():
        yield f"\n## {name}\n\n"
        rows = [(f"`{column.name}`", column.type, column.unit, column.meaning) for column in columns]
        yield _table(("column", "type", "unit", "meaning"), rows)
        if name == "populations.csv":
            yield "\nThen a column `median_MARKER` for each marker that the template lists under `[report] medians`.\n"


def _named_tables() -> dict[str, tuple[Column, ...]]:
    of_runs = {f"{name}.csv": getattr(tables, name.upper()) for name in ("counts", "populations", "gates", "quality")}
    of_courses = {
        f"{name.lower()}.csv": columns
        for name, columns in vars(course_tables).items()
        if name.isupper() and isinstance(columns, tuple) and columns and isinstance(columns[0], Column)
        if not name.startswith("_") and name not in ("COUNTS", "POPULATIONS", "GATES", "QUALITY")
    }
    of_laboratories = {
        "product.csv": PRODUCT,
        "validation.csv": VALIDATION,
        "validation_tubes.csv": TUBES,
        "table of `cytocar validate gates`": GATE_AGREEMENT,
        "levey_jennings.csv": LEVEY_JENNINGS,
        "table of `cytocar qc lots`": BRIDGING,
        "eqa.csv": EQA,
        "eqa_groups.csv": EQA_GROUPS,
        "history of `cytocar qc --history`": HISTORY,
    }
    of_others = {
        "subjects.csv, which you give": SUBJECTS,
        "comparison.csv": COMPARISON,
        "flowjo_counts.csv": COUNT_COLUMNS,
        "flowjo_samples.csv": MATCH_COLUMNS,
    } | {f"{form.replace('-', '_')}.csv of `series --as {form}`": columns for form, (columns, _) in EXCHANGE.items()}
    return of_runs | of_courses | of_laboratories | of_others


# ---------------------------------------------------------------- codes


def _codes() -> Iterator[str]:
    yield "# Codes\n\nThe same as `cytocar explain CODE`. `E`: an error; `W`: a finding; words: flags of gates.\n"
    for code, text in explanations().items():
        yield f"\n## {code}: {text.title}\n\n{text.meaning}\n\n**Cause.** {text.cause}\n\n**Fix.** {text.fix}\n"


# ---------------------------------------------------------------- template keys


def _templates() -> Iterator[str]:
    yield "# Template keys\n\nOne TOML file; see [how to write one](../how-to/write-and-lock-a-template.md).\n"
    for part in _parts(Template):
        name = part.__name__
        yield f"\n## {name}\n\n{inspect.cleandoc(part.__doc__ or '')}\n\n"
        tag = part.__struct_config__.tag
        rows = [("`kind`", f'`"{tag}"`', "needed")] if tag else []
        rows += [(f"`{field.name}`", _type(field.type), _default(field)) for field in msgspec.structs.fields(part)]
        yield _table(("key", "type", "default"), rows)


def _parts(root: type[Declaration]) -> list[type[Declaration]]:
    """Return a declaration and all that it is made of, each once, outer ones first."""
    found: list[type[Declaration]] = []
    waiting: list[type[Declaration]] = [root]
    while waiting:
        part = waiting.pop(0)
        if part not in found:
            found.append(part)
            waiting += [inner for field in msgspec.structs.fields(part) for inner in _inside(field.type)]
    return found


def _inside(annotation: Any) -> list[type[Declaration]]:
    if isinstance(annotation, type) and issubclass(annotation, Declaration):
        return [annotation]
    return [part for argument in get_args(annotation) for part in _inside(argument)]


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(arguments[0])
    if origin is Literal:
        return " or ".join(f"`{argument!r}`".replace("'", '"') for argument in arguments)
    if origin in (Union, UnionType):
        return " or ".join(_type(argument) for argument in arguments if argument is not type(None))
    if origin is dict:
        return f"table of {_type(arguments[1])}"
    if origin in (tuple, list):
        return f"list of {_type(arguments[0])}"
    words = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    if annotation in words:
        return words[annotation]
    name = annotation.__name__
    return f"[{name}](#{name.lower()})"


def _default(field: FieldInfo) -> str:
    if field.required:
        return "needed"
    value = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    if value is None or value in ("", (), {}) or isinstance(value, Declaration):
        return ""
    return f"`{value!r}`".replace("'", '"')


# ---------------------------------------------------------------- constants


DECIDING = ("statistics", "fcs", "signals", "gates", "counting", "sample", "kinetics", "course", "qc")
"""Folders whose numbers decide what comes out."""


def _constants() -> Iterator[str]:
    yield "# Constants\n\n"
    yield "Numbers in the code that decide, and why they are what they are. What a laboratory may choose is not here "
    yield "but in the [template](templates.md). "
    yield "How the gates do with them is measured in [validity](../validity.md).\n\n"
    folder = ""
    for module, rows in groupby(constants(), key=lambda row: row[0]):
        if module.split("/")[0] != folder:
            folder = module.split("/")[0]
            yield f"## {folder}\n\n"
        yield f"`{module}`\n\n"
        yield (
            _table(("constant", "value", "why"), [(f"`{name}`", f"`{value}`", why) for _, name, value, why in rows])
            + "\n"
        )


def constants() -> Iterator[tuple[str, str, str, str]]:
    """Yield module, name, value and reason of the numbers on the top level of modules; no reason where none is given.

    The reason is a docstring below, a comment behind, or a comment in the line above.
    """
    package = REFERENCE.parents[1] / "cytocar"
    for folder in DECIDING:
        for path in sorted((package / folder).rglob("*.py")):
            text = path.read_text("utf-8")
            lines, body = text.splitlines(), ast.parse(text).body
            for statement, following in pairwise([*body, ast.Pass()]):
                if isinstance(statement, ast.Assign) and _is_number(statement.value):
                    name, value = (
                        ast.unparse(statement.targets[0]).strip("()"),
                        ast.unparse(statement.value).strip("()"),
                    )
                    if name.replace(", ", "").replace("_", "").isupper():
                        why = _docstring(following) or _comment(lines, statement)
                        yield path.relative_to(package).as_posix(), name, value, why


def _is_number(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=value):
            return isinstance(value, int | float) and not isinstance(value, bool)
        case ast.UnaryOp(operand=operand):
            return _is_number(operand)
        case ast.BinOp(left=left, right=right):
            return _is_number(left) and _is_number(right)
        case ast.Tuple(elts=elements):
            return bool(elements) and all(map(_is_number, elements))
    return False


def _docstring(node: ast.stmt) -> str:
    match node:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return " ".join(text.split())
    return ""


def _comment(lines: Sequence[str], statement: ast.stmt) -> str:
    behind = lines[(statement.end_lineno or statement.lineno) - 1].partition("#")[2].strip()
    above = lines[statement.lineno - 2].strip()
    return behind or (above.removeprefix("#").strip() if above.startswith("# ") and "---" not in above else "")


if __name__ == "__main__":
    REFERENCE.mkdir(exist_ok=True)
    MANUAL.mkdir(exist_ok=True)
    for folder, written in ((REFERENCE, pages()), (MANUAL, manual())):
        for page, content in written.items():
            (folder / page).write_text(content, "utf-8")
