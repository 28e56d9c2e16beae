"""``cytocar sheet``: draft and check sample sheets."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cytocar.cli import screen, tube_options
from cytocar.cli.app import CONTEXT, WholeSentences
from cytocar.errors.tree import UsageError, counted

app = typer.Typer(
    cls=WholeSentences,
    help="Draft and check sample sheets.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=CONTEXT,
    no_args_is_help=True,
)


@app.command("new")
def new(
    folder: Annotated[str, typer.Argument(help="Folder of FCS files.")],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Write it here (inside FOLDER), .csv or .xlsx. [stdout]")
    ] = None,
    plate_map: Annotated[
        Path | None, typer.Option("--plate-map", help="Grid of the plate (.csv, .xlsx): names, days ... by well.")
    ] = None,
) -> None:
    """Draft a sheet from the headers of a folder's FCS files; fill in what no file knows: beads, volumes, days."""
    from cytocar.files.places import place_of
    from cytocar.sheet.draft import draft_sheet
    from cytocar.sheet.saving import save_sheet

    place = place_of(folder)
    base = out.parent if out is not None else place
    draft = draft_sheet(place, relative_to=base, plate_map=plate_map)
    for note in draft.notes:
        screen.say(f"note: {note}")
    if out is None:
        sys.stdout.write(draft.text)
        return
    if out.exists():
        raise UsageError(f"{out} exists", code="E105", hint="choose another name, or move it away first")
    save_sheet(out, draft.text)
    fill_in = f"fill in {' and '.join(draft.to_fill_in)}, then " if draft.to_fill_in else "next: "
    screen.say(f"wrote {out}; {fill_in}`cytocar sheet check {out}`")


@app.command("lots")
def lots(
    sheet: Annotated[Path, typer.Argument(help="The sheet.")],
    reagents: Annotated[
        Path, typer.Option("--reagents", metavar="CSV", help="Lots: reagent,clone,lot,expiry,beads_per_tube,...")
    ],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Write it here, beside the sheet, .csv or .xlsx. [stdout]")
    ] = None,
    on: Annotated[
        str | None, typer.Option("--on", metavar="DATE", help="Day of tubes whose file and row name none.")
    ] = None,
) -> None:
    """Complete a sheet from a table of lots: beads by `bead_lot`, lots of reagents as `x_lot_*`; warns of expired ones.

    A number of beads that is not the lot's, and a lot that is not in the table, are errors.
    """
    from datetime import date

    from cytocar.sheet.reagents import complete_sheet, day_of_tube, read_lots
    from cytocar.sheet.saving import save_sheet

    try:
        otherwise = date.fromisoformat(on) if on else None
    except ValueError:
        raise UsageError(f"--on {on!r} is no date", code="E260", hint="write it as 2026-03-31") from None
    if out is not None and out.resolve().parent != sheet.resolve().parent:
        raise UsageError(
            f"{out} does not lie beside {sheet}",
            code="E260",
            hint="files are named relative to the sheet: write it there",
        )
    if out is not None and out.exists():
        raise UsageError(f"{out} exists", code="E105", hint="choose another name, or move it away first")
    done = complete_sheet(sheet, read_lots(reagents), day_of=lambda row: day_of_tube(row, otherwise))
    for note in done.notes:
        screen.say(f"note: {note}")
    for lot in done.expired:
        screen.show_problem("warning", "W381", lot)
    if out is None:
        sys.stdout.write(done.text)
    else:
        save_sheet(out, done.text)
        screen.say(f"wrote {out}")


@app.command("check")
def check(
    sheet: Annotated[str, typer.Argument(help="The sheet.")],
    template: Annotated[str | None, typer.Option("-t", "--template", help="Template of the run.")] = None,
    count_method: tube_options.CountMethod = None,
    beads_added: tube_options.BeadsAdded = None,
    sample_volume_ul: tube_options.SampleVolume = None,
    acquired_volume_ul: tube_options.AcquiredVolume = None,
    lymphocytes_per_ul: tube_options.Lymphocytes = None,
    wbc_per_ul: tube_options.Leukocytes = None,
    dilution_factor: tube_options.Dilution = None,
) -> None:
    """Check a sheet without analysing anything: cells, files, templates, what a count needs. Lists every fault.

    The options fill empty cells, as those of `cytocar gate` do.
    """
    from cytocar.files.places import place_of, require_packages
    from cytocar.run.check_sheet import check_sheet
    from cytocar.sheet.inputs import given_for_all

    given = given_for_all(
        count_method=count_method,
        beads_added=beads_added,
        sample_volume_ul=sample_volume_ul,
        acquired_volume_ul=acquired_volume_ul,
        lymphocytes_per_ul=lymphocytes_per_ul,
        wbc_per_ul=wbc_per_ul,
        dilution_factor=dilution_factor,
    )

    place = place_of(sheet)
    require_packages(place)
    rows = check_sheet(place, template=template, given=given)
    excluded = sum(row.exclude for row in rows)
    sys.stdout.write(f"{place.name}: {counted(len(rows), 'sample')}, {excluded} excluded, no fault found\n")
