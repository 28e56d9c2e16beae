"""``cytocar template fit``: a template made from the laboratory's own files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated

import typer

from cytocar.cli import screen
from cytocar.errors.tree import GateError, UsageError, counted
from cytocar.signals.scales import LinearScale, LogicleScale

if TYPE_CHECKING:
    from cytocar.files.places import Place
    from cytocar.fit.gated import FittedGate
    from cytocar.fit.template import FittedTemplate
    from cytocar.signals.compensation import SpilloverMatrix

FILES_SHOWN = 3
ON_OWN_FILES = "on its own files the template asks for a look at:"
COLUMNS = 80
"""Of a narrow terminal: what is shown fits in."""


def fit(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="FCS files of one panel, or folders of them, without their subfolders."),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE.toml", help="Where to write the template.")],
    marker: Annotated[
        list[str] | None, typer.Option("--marker", metavar="CD3=FITC-A", help="Say which detector carries a marker.")
    ] = None,
    control: Annotated[
        list[str] | None, typer.Option("--control", metavar="FILE", help="Stained alike, free of CAR-T cells.")
    ] = None,
    aliases: Annotated[
        Path | None, typer.Option("--aliases", metavar="NAMES.toml", help="Further names of markers.")
    ] = None,
    compensation: Annotated[
        str,
        typer.Option("--compensation", metavar="MATRIX.csv", help="Spillover matrix as in a sheet: a CSV, file, none."),
    ] = "file",
    compensated: Annotated[
        bool, typer.Option("--compensated", help="The values are compensated already: --compensation none.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Write it without T cells too, and over a file.")] = False,
) -> None:
    """Make a template from files: panel from names, scales and gates from the data, the evidence beside each number.

    Files whose markers lie on other detectors give a template of their own: mine-2.toml beside mine.toml.
    """
    from cytocar.files.whole import require_writable
    from cytocar.fit.names import alias_book
    from cytocar.fit.template import fit_layouts

    if out.suffix != ".toml":
        raise UsageError(f"{out} does not end in .toml", code="E111", hint=f"name it {out.stem or 'mine'}.toml")
    if out.exists() and not force:
        raise UsageError(f"{out} exists", code="E105", hint="choose another name, or --force to replace it")
    require_writable(out)
    matrix, as_they_are = _matrix(compensation, compensated=compensated)
    every = fit_layouts(
        _places(files),
        alias_book(aliases),
        name=_name_of(out),
        settled=_settled(marker or []),
        controls=_places(control or []),
        compensated=as_they_are,
        given=matrix,
    )
    paths = [out, *(out.with_stem(f"{out.stem}-{number}") for number in range(2, len(every) + 1))]
    for path in paths[1:]:
        if path.exists() and not force:
            raise UsageError(f"{path} exists", code="E105", hint="choose another name, or --force to replace it")
    for fitted in every:
        for name, why in fitted.skipped:
            screen.show_problem("warning", "W345", why, where=name)
    if len(every) > 1:
        screen.say(f"{len(every)} layouts of markers and detectors: a template for each")
    for number, (fitted, path) in enumerate(zip(every, paths, strict=True)):
        if number:
            sys.stdout.write("\n")
        _show(fitted)
        _write(fitted, path, force=force, is_first=number == 0)
    screen.say("RUN is a folder that does not exist yet: it gets all tables, and report.html with every gate")


def _show(fitted: FittedTemplate) -> None:
    for line in _lines(fitted):
        sys.stdout.write(screen.printable(line) + "\n")
    sys.stdout.flush()  # what is noticed about these files stands under them in a log of both streams
    _show_doubts(fitted)


def _write(fitted: FittedTemplate, path: Path, *, force: bool, is_first: bool) -> None:
    """Write a template and its page; a further layout without T cells is said, and costs the others nothing."""
    from cytocar.fit.draft import refuse_without_t_cells, to_text
    from cytocar.fit.own_files import looks_on_own_files
    from cytocar.report.fit.page import fit_html

    if not force:
        try:
            refuse_without_t_cells(fitted)
        except GateError as error:
            if is_first:
                raise
            for tube in fitted.study.tubes:
                screen.show_problem("warning", "W345", f"{error.code}: {error.message}", where=tube.name)
            return
    looks = looks_on_own_files(fitted)
    for one in looks:
        screen.show_problem("warning", one.code, f"{ON_OWN_FILES} {one.message}", where=screen.few(one.files))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(to_text(fitted), "utf-8")
    page = path.with_suffix(".report.html")
    page.write_text(fit_html(fitted, name=path.name, looks=looks), "utf-8")
    screen.say(f"wrote {path}, a draft; every gate of every file is in {page}")
    screen.say(f"try it: cytocar gate {_shell(str(fitted.study.tubes[0].file))} -t {path} -o RUN")


def _places(names: list[str]) -> list[Place]:
    """Return the files that are named, and the FCS files of folders, in their order."""
    from cytocar.files.places import place_of
    from cytocar.sheet.inputs import by_subfolder, fcs_files

    places: list[Place] = []
    for name in names:
        place = place_of(name)
        if isinstance(place, Path) and place.is_dir():
            every = fcs_files(place)
            inside = [file for file in every if file.parent == place]
            below = by_subfolder(file for file in every if file.parent != place)
            if not inside:
                hint = f"name the files themselves, or a subfolder: {below}" if below else "name the files themselves"
                raise UsageError(f"{place} holds no FCS files", code="E209", hint=hint)
            if below:
                screen.say(f"note: subfolders are left out: {below}; name those whose tubes are stained alike")
            places += inside
        else:
            places.append(place)
    return places


def _name_of(out: Path) -> str:
    import re

    return re.sub(r"^[^A-Za-z0-9]+", "", re.sub(r"[^A-Za-z0-9._-]+", "-", out.stem)) or "fitted"


def _settled(words: list[str]) -> dict[str, str]:
    from cytocar.cli.tube_options import settled_markers

    return settled_markers(words)


def _matrix(words: str, *, compensated: bool) -> tuple[SpilloverMatrix | None, bool]:
    """Return the matrix of a CSV, and whether the values are to be taken as they are."""
    from cytocar.signals.applied_matrix import UNMIXED
    from cytocar.signals.compensation import SpilloverMatrix

    if words in ("none", UNMIXED) or (compensated and words == "file"):
        return None, True
    if compensated:
        hint = "leave one of the two out"
        raise UsageError(f"--compensated leaves no use for --compensation {words}", code="E111", hint=hint)
    if words != "file" and not words.lower().endswith(".csv"):
        hint = "a CSV whose first line names the detectors; `cytocar compensate` writes one"
        raise UsageError(f"--compensation {words!r} is neither file, none, unmixed nor a .csv", code="E111", hint=hint)
    return (None if words == "file" else SpilloverMatrix.from_csv(words)), False


def _shell(word: str) -> str:
    from shlex import quote

    return quote(word)


# ---------------------------------------------------------------- what is shown


def _lines(fitted: FittedTemplate) -> Iterator[str]:
    """Yield the panel, the gates with what they rest on, and the events of the first files."""
    from cytocar.cli.result_table import grid

    study = fitted.study
    channels = study.tubes[0].panel.channels
    panel = ", ".join(f"{marker} = {channels[marker].detector}" for marker in fitted.template.panel)
    scale = next((one for one in fitted.template.scales.values() if not isinstance(one, LinearScale)), None)
    shown = study.tubes[:FILES_SHOWN]
    named = ", ".join(f"{screen.one_line(tube.name)} (file {number})" for number, tube in enumerate(shown, start=1))
    more = f" and {len(study.tubes) - FILES_SHOWN} more" if len(study.tubes) > FILES_SHOWN else ""
    yield from _wrapped(f"{counted(len(study.tubes), 'file')}: {named}{more}")
    yield from _wrapped(f"panel: {panel}")
    if scale is not None:
        width = f", W = {scale.W:g}" if isinstance(scale, LogicleScale) else ""
        source = fitted.template.compensation.source
        yield f"compensation: {source}; {scale.kind}, T = {scale.T:g}{width}, M = {scale.M:g}"
    yield ""
    yield from grid(("population", "gate"), [(one.population.name, one.population.gate.words()) for one in study.gates])
    yield ""
    header = (
        "population",
        "of",
        "rests on",
        *(f"events, file {number}" if number == 1 else f"file {number}" for number in range(1, len(shown) + 1)),
    )
    rows = [_row(gate, fitted, len(shown)) for gate in study.gates]
    yield from grid(header, rows, right=tuple(range(3, 3 + len(shown))))
    if study.left_out:
        yield ""
        for what, why in study.left_out:
            yield from _wrapped(f"left out  {what}: {why}")


def _wrapped(text: str) -> list[str]:
    """Return text in lines of 80 columns, in which no word is broken."""
    return wrap(text, COLUMNS, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _row(gate: FittedGate, fitted: FittedTemplate, files: int) -> tuple[str, ...]:
    population = gate.population
    counts = [f"{int(mask.sum()):,}" for mask in fitted.study.masks[population.name][:files]]
    status = "" if population.gate.kind == "boolean" else str(gate.status)
    return (population.name, population.parent, status, *counts)


def _show_doubts(fitted: FittedTemplate) -> None:
    tubes = fitted.study.tubes
    every = screen.few([tube.name for tube in tubes])
    for note in dict.fromkeys(note for tube in tubes for note in tube.notes):
        noted = screen.few([tube.name for tube in tubes if note in tube.notes])
        screen.show_problem("note", "W346", note, where=noted)
    for code, doubt in (*fitted.study.odd_files, *fitted.study.doubts):
        screen.show_problem("warning", code, doubt, where=every)
