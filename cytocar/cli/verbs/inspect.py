"""``cytocar inspect``: what is in an FCS file."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from enum import StrEnum
from itertools import chain, repeat
from pathlib import Path
from shlex import quote, split
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cytocar.cli import screen
from cytocar.errors.boundary import one_of_many
from cytocar.errors.tree import CytocarError

if TYPE_CHECKING:
    from cytocar.sample.inspection import ChannelReport, DataSetReport
    from cytocar.sample.suited import Suited

COLUMNS = 80
"""Of a narrow terminal: facts fit in, the table of channels is as wide as it is."""
INDENT = " " * 15


class Reader(StrEnum):
    """The reader that looks at the files beside cytocar's own."""

    FCSPARSER = "fcsparser"


def command(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="FCS files; file.fcs#2 is one data set.")],
    as_json: Annotated[bool, typer.Option("--json", help="JSON, with the sum of each column.")] = False,
    reader: Annotated[Reader | None, typer.Option("--reader", help="Compare with this reader.")] = None,
) -> None:
    """Show what is in FCS files: channels, events, volume, well, date, repairs, templates that fit.

    Of keywords that may identify a person, the names are shown and never the values.
    """
    from cytocar.files.places import place_of
    from cytocar.sample.inspection import as_json as plain
    from cytocar.sample.inspection import inspect_file

    documents: list[dict[str, Any]] = []
    failed = False
    for file in map(place_of, files):
        try:
            with one_of_many():
                reports = inspect_file(file, sums=as_json, second_reader=reader is not None)
        except CytocarError as error:
            failed = True
            screen.show_error(error, where=str(file))
            refusal = {"message": error.message, "code": error.code, "hint": error.hint}
            documents.append({"file": str(file), "error": refusal})
            continue
        documents += [plain(report) for report in reports]
        if not as_json:
            sys.stdout.write("\n\n".join(_text(report, of=len(reports)) for report in reports) + "\n")
    if as_json:
        sys.stdout.write(json.dumps(documents, indent=2, allow_nan=False) + "\n")
    if failed:
        raise typer.Exit(1)


def _text(report: DataSetReport, *, of: int) -> str:
    """Return a report for people."""
    from cytocar.cli.result_table import grid

    title = f"{report.file}#{report.data_set}" if of > 1 else report.file
    facts = [
        ("events", f"{report.events:,} in {len(report.channels)} channels, {report.version}"),
        ("instrument", report.cytometer),
        ("acquired", _acquired(report)),
        ("volume", f"{report.volume.ul:.4g} µL ({report.volume.rule})" if report.volume else "not in the file"),
        ("well", _well(report)),
        ("spillover", _spillover(report)),
        ("templates", _templates(report)),
        ("of your own", _of_your_own(report)),
        ("may identify", _identifying(report)),
    ]
    lines = [title, *(line for name, text in facts if text for line in _fact(name, text)), ""]
    header = ("", "detector", "marker", "bits", "range", "scale", "gain", "volts")
    lines += ["  " + line for line in grid(header, map(_channel_line, report.channels), right=(0, 3, 4, 6, 7))]
    lines += [
        f"  {problem.code} {problem.message}" for problem in (*report.repairs, *report.warnings, *report.problems)
    ]
    lines += _crosscheck(report)
    return screen.printable("\n".join(lines))


def _fact(name: str, text: str) -> Iterator[str]:
    """Yield a fact's lines of 80 columns; each line of its text begins one, a command goes on behind a backslash."""
    width = COLUMNS - len(INDENT)
    heads = chain([f"  {name:<12} "], repeat(INDENT))
    for line in text.split("\n"):
        if line.startswith("cytocar "):
            yield from (next(heads) + piece for piece in _command(line, width))
        else:
            pieces = wrap(line, width, break_long_words=False, break_on_hyphens=False)
            yield from (next(heads) + piece for piece in pieces)


def _command(command: str, width: int) -> Iterator[str]:
    """Yield a command's lines, which end and begin between its words: it can be copied as it stands."""
    first, *words = map(quote, split(command))
    line = first
    for word in words:
        if len(line) + len(word) > width - 3:
            yield line + " \\"
            line = "  " + word
        else:
            line += " " + word
    yield line


def _templates(report: DataSetReport) -> str:
    """Which bundled templates suit the file and what they find; if none, which one is nearest and what it lacks."""
    if report.tried:
        lines = [", ".join(report.templates) or "none finds T cells here; make one of your own:"]
        shares = [f"{one.name} {_share(one)}" for one in report.tried if one.t_cells is not None and not one.refused]
        lines += [f"T cells of the events tried: {', '.join(shares)}"] if len(shares) > 1 else []
        reasons = dict.fromkeys(one.refused for one in report.tried if one.refused)
        for why in reasons:
            named = ", ".join(one.name for one in report.tried if one.refused == why)
            lines.append(f"not {named}: the names fit, but {why}")
        return "\n".join(lines)
    if report.nearest_template is None:
        return "none of the bundled ones fits"
    lacks = ", ".join(report.nearest_lacks)
    if report.nearest_lacks == ("spillover matrix",):
        has = "the file's is the identity" if report.spillover and report.spillover.identity else "the file has none"
        lacking = f"which needs a spillover matrix, and {has}"
    else:
        lacking = f"which knows no name of this file for {lacks}"
    return f"none fits; nearest is {report.nearest_template}, {lacking}; make one of your own:"


def _share(one: Suited) -> str:
    return f"{one.t_cells:,}" + ("" if one.lymphocytes is None else f" of {one.lymphocytes:,} lymphocytes")


def _of_your_own(report: DataSetReport) -> str:
    """Return the command that makes a template for this panel, or what has to be settled for it."""
    from cytocar.errors.tree import SampleError
    from cytocar.fcs.events import Channel
    from cytocar.files.places import place_of
    from cytocar.fit.names import alias_book
    from cytocar.fit.panel import find_panel
    from cytocar.fit.tubes import read_tube
    from cytocar.sample.suited import MOST_EVENTS

    channels = [Channel(one.number - 1, one.detector, one.marker) for one in report.channels]
    place = place_of(report.file)
    try:
        panel = find_panel(channels, alias_book(), file=report.file)
        if isinstance(place, Path) and report.data_set == 1 and report.events <= MOST_EVENTS:
            read_tube(place, alias_book())
    except SampleError as error:
        return f"{error.code}: {error.message.splitlines()[0]}\n" + error.hint.replace(": cytocar ", ":\ncytocar ")
    markers = ", ".join(marker for marker in panel.channels if marker[:3] not in ("FSC", "SSC"))
    command = f"cytocar template fit {quote(report.file)} -o mine.toml"
    return "\n".join([command, f"finds {markers}", *panel.notes])


def _identifying(report: DataSetReport) -> str:
    """Return the names of keywords, and the command that copies a file without their values."""
    if not report.identifying_keywords:
        return ""
    return f"{', '.join(report.identifying_keywords)} (`cytocar scrub` copies a file without them)"


def _well(report: DataSetReport) -> str:
    plate = f"plate: see {report.plate_keyword}, which may name a person" if report.plate_keyword else ""
    return "; ".join(filter(None, (report.well, plate)))


def _acquired(report: DataSetReport) -> str:
    date = report.date.replace("T", " ") if report.date else ""
    duration = f"{report.duration_seconds:.0f} s" if report.duration_seconds else ""
    return ", ".join(filter(None, (date, duration)))


def _spillover(report: DataSetReport) -> str:
    if report.spillover is None:
        return "not in the file"
    n = len(report.spillover.detectors)
    nothing = ": the identity, which compensates nothing" if report.spillover.identity else ""
    return f"{report.spillover.keyword}, {n} detectors{nothing}"


def _channel_line(channel: ChannelReport) -> tuple[str, ...]:
    scale = "log {:g},{:g}".format(*channel.amplification) if channel.amplification else "linear"
    return (
        str(channel.number),
        channel.detector,
        channel.marker or "",
        str(channel.bits),
        f"{channel.range:.9g}",
        scale,
        "" if channel.gain is None else f"{channel.gain:g}",
        "" if channel.voltage is None else f"{channel.voltage:g}",
    )


def _crosscheck(report: DataSetReport) -> list[str]:
    if report.crosscheck is None:
        return []
    crosscheck = report.crosscheck
    if crosscheck.refusal is not None:
        return [f"  {crosscheck.reader} refuses the file: {crosscheck.refusal}"]
    if not crosscheck.differences:
        return [f"  {crosscheck.reader} reads the same events, names and values"]
    return [f"  {crosscheck.reader} differs:", *(f"    {difference}" for difference in crosscheck.differences)]
