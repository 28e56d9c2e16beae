"""``cytocar inspect``: what is in an FCS file."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cytocar.cli import screen
from cytocar.errors.boundary import one_of_many
from cytocar.errors.tree import CytocarError

if TYPE_CHECKING:
    from cytocar.sample.inspection import ChannelReport, DataSetReport


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
            documents.append({"file": str(file), "error": vars(error)})
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
        ("may identify", ", ".join(report.identifying_keywords)),
    ]
    lines = [title, *(f"  {name:<12} {text}" for name, text in facts if text), ""]
    header = ("", "detector", "marker", "bits", "range", "scale", "gain", "volts")
    lines += ["  " + line for line in grid(header, map(_channel_line, report.channels), right=(0, 3, 4, 6, 7))]
    lines += [
        f"  {problem.code} {problem.message}" for problem in (*report.repairs, *report.warnings, *report.problems)
    ]
    lines += _crosscheck(report)
    return screen.printable("\n".join(lines))


def _templates(report: DataSetReport) -> str:
    """Which bundled templates fit; if none does, which one is nearest and what it lacks."""
    if report.templates:
        return ", ".join(report.templates)
    if report.nearest_template is None:
        return "none of the bundled ones fits"
    lacks = ", ".join(report.nearest_lacks)
    return f"none fits; nearest is {report.nearest_template}, which finds no {lacks}; make one of your own:"


def _of_your_own(report: DataSetReport) -> str:
    """Return the command that makes a template for this panel, or what has to be settled for it."""
    from cytocar.errors.tree import PanelError
    from cytocar.fcs.events import Channel
    from cytocar.fit.names import alias_book
    from cytocar.fit.panel import find_panel

    channels = [Channel(one.number - 1, one.detector, one.marker) for one in report.channels]
    try:
        panel = find_panel(channels, alias_book(), file=report.file)
    except PanelError as error:
        return error.hint
    markers = ", ".join(marker for marker in panel.channels if marker[:3] not in ("FSC", "SSC"))
    return f"cytocar template fit {quote(report.file)} -o mine.toml (finds {markers})"


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
    rows = report.spillover.values
    empty = all(value == float(row == column) for row, line in enumerate(rows) for column, value in enumerate(line))
    return f"{report.spillover.keyword}, {n} detectors" + (": the identity, which compensates nothing" if empty else "")


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
