"""The command ``cytocar``: a table of verbs, each loaded when it is called.

``cytocar --help`` loads no verb and no numeric library, so it answers at once.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise
from types import FrameType
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from cytocar.cli import screen
from cytocar.errors.near_names import near_names
from cytocar.errors.tree import CytocarError, IntegrityError, UsageError
from cytocar.files.address import is_address, without_secrets
from cytocar.version import __version__

VERBS: dict[str, str] = {
    "demo": "Lay out the sample course, gate it, draw it: needs no input.",
    "gate": "Count cells in FCS files, folders or a sample sheet.",
    "show": "Show columns of a table by name.",
    "merge": "Join the shards of one run.",
    "compare": "Put counts beside FlowJo's, another run's or a table's.",
    "series": "Join runs into courses: CAR-T cells over time, kinetics, figures.",
    "groups": "Compare groups of subjects, or before and after a drug.",
    "report": "Draw every gate of a run on one page.",
    "template": "Fit a template to your files, edit, show, check and lock it.",
    "inspect": "Show what is in FCS files.",
    "plot": "Draw two channels, or one gate of a template.",
    "sheet": "Draft and check sample sheets.",
    "compensate": "Estimate the spillover matrix from single-stain controls.",
    "simulate": "Write FCS files of stained blood with known truth.",
    "product": "Tell dose and release of infusion products.",
    "validate": "Plan and evaluate a method validation.",
    "plan-sample": "Plan T cells and blood for a limit of detection.",
    "qc": "Chart controls and instrument over runs, with Westgard rules.",
    "review": "Look at every gate on a local page, move them with a reason.",
    "override": "Move one gate of one sample, with a reason; reversible.",
    "sign": "Note that a run was reviewed, approved or rejected.",
    "export": "Hand the tables of a run on, on record.",
    "reproduce": "Do a run again from its manifest and compare.",
    "verify": "Compare a run with what was recorded about it.",
    "scrub": "Copy FCS files without what may identify a person.",
    "doctor": "Examine this installation.",
    "explain": "Explain a warning or error code.",
}
EXIT_SOME_FAILED, EXIT_USAGE, EXIT_FAIL_ON, EXIT_INTEGRITY, EXIT_BUG = 1, 2, 3, 4, 70
_INTERRUPTED = "interrupted; what is finished of a run is kept: the same `cytocar gate` goes on from there"
_PAGE_ENDED = "the page is closed; what was saved is kept"
_GLOBAL_FLAGS = {"-q", "--quiet", "-v", "--verbose", "--no-color"}


class Interrupted(BaseException):
    """Ctrl-C or a polite kill; finished samples are kept."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.exit_code = 128 + signal_number


class WholeSentences(TyperGroup):
    """Commands with the first paragraph of their help, wrapped and never cut."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands."""
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        paragraphs = {name: (command.help or "").partition("\n\n")[0] for name, command in commands.items() if command}
        with formatter.section("Commands"):
            formatter.write_dl([(name, " ".join(text.split())) for name, text in paragraphs.items()])


class Command(TyperCommand):
    """A command whose help lists options under the headings that they name, and whose numbers are finite."""

    def get_params(self, ctx: Any) -> Any:
        """Return arguments and options; what stands for a value is written as on the page of commands."""
        params = super().get_params(ctx)
        for param in params:
            param.metavar = param.metavar or _stands_for(param)
        return params

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the words of the usage line; a needed argument stands there without typer's braces."""
        return [piece.removeprefix("{").removesuffix("}") for piece in super().collect_usage_pieces(ctx)]

    def invoke(self, ctx: Any) -> Any:
        """Refuse NaN and infinity, which every comparison with a limit lets pass; then run the command."""
        for param in self.get_params(ctx):
            value = ctx.params.get(param.name)
            for number in value if isinstance(value, list | tuple) else (value,):
                if isinstance(number, float) and not math.isfinite(number):
                    raise typer.BadParameter(f"{number} is not a finite number.", ctx=ctx, param=param)
        return super().invoke(ctx)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments and options."""
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for param in self.get_params(ctx):
            heading = "Arguments" if param.param_type_name == "argument" else getattr(param, "rich_help_panel", None)
            record = param.get_help_record(ctx)
            if record is not None:
                sections.setdefault(heading or "Options", []).append(record)
        for heading, records in sections.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)


LONGEST_CHOICE = 50
"""Signs of a choice that stand beside an option: more are listed after its meaning, wrapped to the terminal."""


def _stands_for(param: Any) -> str:
    """What stands in the help for a value: FOLDER, NUMBER, PATH, or the words that may be given."""
    if param.param_type_name == "argument":
        return str(param.name).upper()
    if choices := [str(getattr(choice, "value", choice)) for choice in getattr(param.type, "choices", ())]:
        words = "|".join(choices)
        if len(words) <= LONGEST_CHOICE:
            return words
        param.help = f"{param.help} NAME: {', '.join(choices)}."
        return "NAME"
    kind = param.type.name
    return "NUMBER" if kind.startswith(("int", "float")) else "PATH" if kind == "path" else "TEXT"


class _Verbs(TyperGroup):
    """The verbs of the table, in its order, loaded when called."""

    def list_commands(self, _ctx: Any) -> list[str]:
        return list(VERBS)

    def get_command(self, _ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in VERBS:
            return None
        module = import_module(f"cytocar.cli.verbs.{cmd_name.replace('-', '_')}")
        if hasattr(module, "app"):
            for command in module.app.registered_commands:
                command.cls = Command
            return get_command(module.app)
        single = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        grouped = single.command(cmd_name, cls=Command, help=module.command.__doc__, context_settings=CONTEXT)
        grouped(module.command)
        return get_command(single)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the verb that is called; of one that is none, say which is near."""
        near = near_names(args[0], VERBS) if args and args[0] not in VERBS else ()
        if near:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except EOFError as bug:  # which click takes for the end of a person's answers: "Aborted!"
            raise RuntimeError(f"EOFError: {bug}") from bug

    def format_commands(self, _ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


CONTEXT = {"help_option_names": ["-h", "--help"]}
app = typer.Typer(
    cls=_Verbs,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=CONTEXT,
    no_args_is_help=True,
)


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"cytocar {__version__}\n")
        raise typer.Exit


@app.callback()
def _globals(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Errors only on stderr.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Say more; show where a bug happened.")] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colour (NO_COLOR is honoured too).")] = False,
) -> None:
    """Absolute CAR-T cell counts (cells/µL) and CD4/CD8 ratios from flow-cytometry FCS files.

    Start with `cytocar demo`; then `cytocar gate SHEET.csv -o RUN`. Research use, not for diagnosis.
    """
    screen.configure(quiet=quiet, verbose=verbose, no_color=no_color)


def _globals_first(arguments: Sequence[str]) -> list[str]:
    """Let global flags stand anywhere: ``cytocar gate -q x.fcs`` is ``cytocar -q gate x.fcs``."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    flags = [word for word in arguments[:end] if word in _GLOBAL_FLAGS]
    return flags + [word for word in arguments[:end] if word not in _GLOBAL_FLAGS] + list(arguments[end:])


def _refuse_remote_output(arguments: Sequence[str]) -> None:
    """Refuse an address where something is written: results change as a whole or not at all on a local disk only."""
    for option, word in pairwise([*arguments, ""]):
        written = word if option in {"-o", "--out"} else option.removeprefix("--out=")
        if is_address(written) and (option in {"-o", "--out"} or written != option):
            raise UsageError(
                f"{without_secrets(written)} is an address, and results are written to a local folder only",
                code="E192",
                hint="name a local folder with -o, and copy it when the run is finished",
            )


_STOPS = (signal.SIGINT, signal.SIGTERM)


SAME_WISH_S = 1.0
"""How soon after a signal another is the same wish: ``timeout`` and batch systems send theirs twice."""


def _interrupt(signal_number: int, _frame: FrameType | None) -> None:
    """Stop in good order; a signal that follows later ends this process at once, whatever became of the exception.

    Python drops an exception that comes up while an object is deleted or a weak reference is called back. What workers
    have under way is not waited for then, they end with this process; what is removed at the interpreter's end, such as
    a copy of a file at an address, stays.
    """
    since = time.monotonic()

    def leave(signal_number: int, _frame: FrameType | None) -> None:
        if time.monotonic() - since > SAME_WISH_S:
            os._exit(128 + signal_number)

    for number in _STOPS:
        signal.signal(number, leave)
    raise Interrupted(signal_number)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with the contract's codes."""
    for number in _STOPS:
        signal.signal(number, _interrupt)
    screen.prepare_streams()
    words: list[str] = []
    try:
        try:
            words = _globals_first(sys.argv[1:] if arguments is None else arguments)
            _refuse_remote_output(words)
            get_command(app).main(args=words, prog_name="cytocar")
        finally:
            sys.stdout.flush()  # here, and not at the interpreter's exit, where a full disk would go unsaid
    except CytocarError as error:
        screen.show_error(error)
        sys.exit(exit_code(error))
    except Interrupted as interrupted:
        screen.say(_PAGE_ENDED if words[:1] == ["review"] or words[:2] == ["template", "edit"] else _INTERRUPTED)
        sys.exit(interrupted.exit_code)
    except BrokenPipeError:
        screen.drop_output()  # the reader of our pipe went away: nothing more to say, and nobody to say it to
        sys.exit(0)
    except OSError as error:
        screen.drop_output()
        screen.show_error(UsageError(_system_message(error), code="E109", hint="check the path, rights and space left"))
        sys.exit(EXIT_USAGE)
    except Exception as bug:  # noqa: BLE001 -- the last boundary: whatever escapes is a mistake of ours, told as one
        screen.show_bug(bug)
        sys.exit(EXIT_BUG)


def _system_message(error: OSError) -> str:
    where = error.filename or "while writing the output"
    return f"{error.strerror}: {where}"


def exit_code(error: CytocarError) -> int:
    """Return the exit code of an error that stopped the command."""
    if isinstance(error, IntegrityError):
        return EXIT_INTEGRITY
    return EXIT_USAGE if isinstance(error, UsageError) else EXIT_SOME_FAILED
