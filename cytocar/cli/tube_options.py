"""Options of the command line that hold for every tube, as columns of a sheet hold for one."""

from __future__ import annotations

from typing import Annotated

import typer

from cytocar.errors.tree import UsageError

TUBES = "Every tube (in a sheet: its empty cells)"
"""Heading of these options in the help."""

Marker = Annotated[
    list[str] | None,
    typer.Option("--marker", metavar="CD3=FITC-A", help="Settle a marker's channel.", rich_help_panel="Gates"),
]
CountMethod = Annotated[
    str | None, typer.Option("--count-method", help="beads, volumetric, dual_platform or none.", rich_help_panel=TUBES)
]
BeadsAdded = Annotated[float | None, typer.Option("--beads-added", help="Beads in each tube.", rich_help_panel=TUBES)]
SampleVolume = Annotated[
    float | None, typer.Option("--sample-volume-ul", help="Specimen in each tube, µL.", rich_help_panel=TUBES)
]
AcquiredVolume = Annotated[
    float | None,
    typer.Option("--acquired-volume-ul", help="Volume that the instrument drew, µL.", rich_help_panel=TUBES),
]
Lymphocytes = Annotated[
    float | None, typer.Option("--lymphocytes-per-ul", help="Analyser's lymphocytes per µL.", rich_help_panel=TUBES)
]
Leukocytes = Annotated[
    float | None, typer.Option("--wbc-per-ul", help="Analyser's leukocytes per µL.", rich_help_panel=TUBES)
]
Dilution = Annotated[
    float | None, typer.Option("--dilution-factor", help="Dilution before pipetting.", rich_help_panel=TUBES)
]


def settled_markers(settled: list[str]) -> dict[str, str]:
    """Return marker -> channel of ``--marker CD3=FITC-A``, given any number of times."""
    pairs = [word.partition("=") for word in settled]
    wrong = [f"{name}{mark}{channel}" for name, mark, channel in pairs if not (name and channel)]
    if wrong:
        raise UsageError(
            f"--marker {wrong[0]!r} is not MARKER=CHANNEL", code="E111", hint="for example --marker CD3=FITC-A"
        )
    return {name.strip(): channel.strip() for name, _, channel in pairs}
