"""Options of ``cytocar gate`` beside those that hold for every tube, by the headings of its help."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cytocar.cli.run_summary import Format
from cytocar.cli.tube_options import TUBES


class FailOn(StrEnum):
    """Which status makes the command exit with 3."""

    NEVER = "never"
    REVIEW = "review"


Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="INPUT...",
        help="FCS files, folders with their subfolders, or a sample sheet (.csv): paths or addresses.",
    ),
]
TemplateName = Annotated[
    str | None, typer.Option("-t", "--template", help="Bundled name or path (.toml). [cart-cd19fc]")
]
Sheet = Annotated[
    str | None, typer.Option("-s", "--sheet", metavar="PATH", help="Sample sheet; INPUT then restricts it.")
]
Out = Annotated[Path | None, typer.Option("-o", "--out", help="Write a run folder.")]
Force = Annotated[bool, typer.Option("--force", help="Set a finished run in RUN aside, run anew.")]

_MANY = "Many files"
Jobs = Annotated[int, typer.Option("-j", "--jobs", min=0, help="Processes; 0: all cores.", rich_help_panel=_MANY)]
Dask = Annotated[
    str | None,
    typer.Option("--dask", metavar="ADDRESS", help="Dask: tcp://HOST:PORT or local:N.", rich_help_panel=_MANY),
]
ShardName = Annotated[
    str | None,
    typer.Option(
        "--shard", metavar="I/N", help="Count the I-th of N parts; then `cytocar merge`.", rich_help_panel=_MANY
    ),
]
Watch = Annotated[
    bool,
    typer.Option(
        "--watch",
        help="Wait in the folders for files, count each when it is whole; Ctrl-C ends.",
        rich_help_panel=_MANY,
    ),
]
Every = Annotated[
    float,
    typer.Option("--every", metavar="SECONDS", min=0.1, help="With --watch: look so often.", rich_help_panel=_MANY),
]

_RESULTS = "Results"
Output = Annotated[
    Format | None, typer.Option("--format", help="On stdout. [table; csv in a pipe]", rich_help_panel=_RESULTS)
]
Gated = Annotated[
    bool,
    typer.Option(
        "--gated/--net", help="The table shows counts as gated, or net of background.", rich_help_panel=_RESULTS
    ),
]
Report = Annotated[
    bool, typer.Option("--report/--no-report", help="Draw every gate: RUN/report.html.", rich_help_panel=_RESULTS)
]
Parquet = Annotated[
    bool, typer.Option("--parquet", help="Tables as Parquet too (needs pyarrow).", rich_help_panel=_RESULTS)
]
By = Annotated[
    str | None,
    typer.Option(
        "--by", metavar="NAME", help="Who runs it, for the audit trail. [your login]", rich_help_panel=_RESULTS
    ),
]
WhenToFail = Annotated[
    FailOn, typer.Option("--fail-on", help="Exit 3 when a sample needs review.", rich_help_panel=_RESULTS)
]

_GATES = "Gates"
Controls = Annotated[
    list[str] | None,
    typer.Option("--controls", metavar="FILE", help="CAR-negative control of these files.", rich_help_panel=_GATES),
]
Background = Annotated[
    Path | None,
    typer.Option(
        "--background",
        metavar="HISTORY",
        help="Earlier CAR-negative tubes: `qc --history` keeps them.",
        rich_help_panel=_GATES,
    ),
]

Subject = Annotated[str | None, typer.Option(help="Subject of these files.", rich_help_panel=TUBES)]
Day = Annotated[float | None, typer.Option(help="Day from infusion.", rich_help_panel=TUBES)]
