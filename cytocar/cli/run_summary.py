"""What ``cytocar gate`` and ``cytocar demo`` write after a run: rows on stdout; notes, tally and faults on stderr."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

import typer

from cytocar.cli import screen
from cytocar.errors.tree import counted
from cytocar.gates.decision import Flag

if TYPE_CHECKING:
    from cytocar.run.execute import FinishedSample
    from cytocar.run.lines import OwnColumns
    from cytocar.run.parts import Parts


class Format(StrEnum):
    """How results are written to stdout."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    NDJSON = "ndjson"


_COPIES_SHOWN = 3
_MESSAGES_SHOWN = 3
"""Of one code, where the samples' numbers differ: enough to see what it is about."""
_CONCERNS_SHOWN = 10
"""As many as fit on a screen; the samples of the others stand in counts.csv."""


def show_rows(
    parts: Parts,
    sample_ids: Sequence[str],
    own: OwnColumns,
    output: Format | None,
    *,
    to_folder: bool,
    gated: bool = True,
) -> None:
    """Write the results to stdout; a run folder has them already, so a pipe gets them only on request."""
    from cytocar.run.lines import tables
    from cytocar.tables.columns import csv_text, json_row

    terminal = sys.stdout.isatty()
    chosen = output or (Format.TABLE if terminal or to_folder else Format.CSV)
    if to_folder and output is None and not terminal:
        return
    outcomes = parts.every(sample_ids)
    if chosen is Format.TABLE:
        from cytocar.cli.result_table import show

        show(outcomes, gated=gated)
        return
    columns = tables(own)["counts"]
    rows = (outcome.row() for outcome in outcomes)
    if chosen is Format.CSV:
        sys.stdout.write(csv_text(columns, rows))
    elif chosen is Format.NDJSON:
        sys.stdout.writelines(json_row(columns, row) + "\n" for row in rows)
    else:
        sys.stdout.write("[\n" + ",\n".join(json_row(columns, row) for row in rows) + "\n]\n")
    sys.stdout.flush()


_Messages = dict[tuple[str, str], list[str]]
"""The samples to which one message and its fix were given, by message and fix."""


def show_faults(done: Sequence[FinishedSample]) -> None:
    """Write each code once, with the samples that it befell; where their messages differ, the first of them."""
    by_code: dict[str, _Messages] = defaultdict(lambda: defaultdict(list))
    for sample in done:
        for fault in sample.faults:
            by_code[fault.code][fault.message, fault.hint].append(sample.sample_id)
    for code, messages in by_code.items():
        _show_code("error" if code.startswith("E") else "warning", code, messages)


def _show_code(level: str, code: str, messages: _Messages) -> None:
    """Write one problem of many samples: its title and some of their messages, where these differ."""
    from cytocar.errors.codes import explanations

    explained = explanations().get(code)
    (message, hint), *_ = messages
    names = list(dict.fromkeys(name for befallen in messages.values() for name in befallen))
    notes = []
    if len(messages) > 1:
        shown = list(messages.items())[:_MESSAGES_SHOWN]
        notes = [f"{screen.few(befallen, most=2)}: {message}" for (message, _), befallen in shown]
        if len(messages) > _MESSAGES_SHOWN:
            notes.append(f"and {len(messages) - _MESSAGES_SHOWN} more: each sample's own stands in quality.csv")
        message = explained.title if explained else message
    fix = hint or (explained.fix if explained else "")
    screen.show_problem(level, code, message, where=screen.few(names), hint=fix, notes=notes)


def show_what_to_look_at(done: Sequence[FinishedSample]) -> None:
    """Write which samples need a person's eyes, why, and what to do; nothing with ``--quiet``."""
    waiting = [sample for sample in done if sample.status == "review"]
    if not waiting or screen.quiet():
        return
    by_code: dict[str, _Messages] = defaultdict(lambda: defaultdict(list))
    for sample in waiting:
        for concern in sample.concerns:
            by_code[concern.code][concern.message, concern.hint].append(sample.sample_id)
    shown = list(by_code.items())[:_CONCERNS_SHOWN]
    for code, messages in shown:
        _show_code("review", code, messages)
    named = {name for _, messages in shown for names in messages.values() for name in names}
    if unnamed := [sample.sample_id for sample in waiting if sample.sample_id not in named]:
        screen.say(f"and {len(unnamed)} more to look at: their status_codes say why")


def show_notes(done: Sequence[FinishedSample]) -> None:
    """Write what is so by assumption or by oversight, once for all samples."""
    _note_duplicates(done)
    _note_shared_wells(done)
    _note_missing_controls(done)
    _note_odd_places(done)


def _note_odd_places(done: Sequence[FinishedSample]) -> None:
    """Say which samples have gates or signals far from where the others of the run have them."""
    odd = [
        (sample.sample_id, finding)
        for sample in done
        for finding in (sample.counted.from_others if sample.counted else ())
        if finding.code == "W254"
    ]
    for name, finding in odd[:_COPIES_SHOWN]:
        screen.say(f"note: {screen.one_line(name)} {finding.message} (`cytocar explain W254`)")
    if len(odd) > _COPIES_SHOWN:
        screen.say(f"note: {len(odd) - _COPIES_SHOWN} more lie elsewhere than the others: see report.html")


def _note_duplicates(done: Sequence[FinishedSample]) -> None:
    """Say once which samples came from files with the same bytes."""
    names: dict[str, list[str]] = defaultdict(list)
    for sample in done:
        if sample.source:
            names[sample.source].append(sample.sample_id)
    copied = [same for same in names.values() if len(same) > 1]
    for same in copied[:_COPIES_SHOWN]:
        screen.say(f"note: {screen.few(same)} hold the same bytes: one file in several rows, or copied?")
    if len(copied) > _COPIES_SHOWN:
        screen.say(f"note: {len(copied) - _COPIES_SHOWN} more files occur under several names: see file_sha256")


def _note_shared_wells(done: Sequence[FinishedSample]) -> None:
    """Say once which samples share a well: the page of the plate has room for one of them."""
    names: dict[tuple[str | None, str], list[str]] = defaultdict(list)
    for sample in done:
        if sample.well:
            names[sample.well].append(sample.sample_id)
    shared = [(plate, well, same) for (plate, well), same in names.items() if len(same) > 1]
    for plate, well, same in shared[:_COPIES_SHOWN]:
        where = f"well {well}" + (f" of plate {screen.one_line(plate)}" if plate else "")
        apart = "" if plate else "; plate_id tells plates apart"
        screen.say(f"note: {screen.few(same)} lie in {where}: report.html shows the one to look at first{apart}")
    if len(shared) > _COPIES_SHOWN:
        screen.say(f"note: {len(shared) - _COPIES_SHOWN} more wells hold several samples")


_LACKS = {
    Flag.NO_REFERENCE: "no CAR-negative control for",
    Flag.FEW_REFERENCE_EVENTS: "too few T cells in the controls of",
    Flag.FMO_ONLY: "no control but an FMO for",
}


def _note_missing_controls(done: Sequence[FinishedSample]) -> None:
    """Say once which samples had no CAR-negative control that counts: what is assumed for them is not silent."""
    for flag, lacks in _LACKS.items():
        if alone := [sample.sample_id for sample in done if sample.lacks_control is flag]:
            assumed = "background" if flag is Flag.FMO_ONLY else "threshold and background"
            screen.say(
                f"note: {lacks} {screen.few(alone)}: {assumed} of the CAR gate are what the template assumes "
                f"(`cytocar explain {flag}`)"
            )


def tally(done: Sequence[FinishedSample]) -> str:
    """How many samples have which status."""
    times = Counter(sample.status.value for sample in done)
    return f"{counted(len(done), 'sample')}: " + ", ".join(
        f"{count} {status.replace('_', ' ')}" for status, count in times.items()
    )


def exit_by_status(done: Sequence[FinishedSample], *, review_fails: bool) -> None:
    """End the command with the code that its samples ask for, where that is not 0."""
    from cytocar.cli.app import EXIT_BUG, EXIT_FAIL_ON, EXIT_SOME_FAILED
    from cytocar.sample.result import Status

    statuses = {sample.status for sample in done}
    if any(fault.code == "E199" for sample in done for fault in sample.faults):
        raise typer.Exit(EXIT_BUG)
    with_counts = [
        sample
        for sample in done
        if sample.status != Status.NO_COUNT and not any(fault.code.startswith("E") for fault in sample.faults)
    ]
    if review_fails and statuses - {Status.OK, Status.EXCLUDED}:
        raise typer.Exit(EXIT_FAIL_ON)
    if len(with_counts) < len(done):
        raise typer.Exit(EXIT_SOME_FAILED)
