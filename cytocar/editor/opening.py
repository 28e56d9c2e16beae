"""A template and files put on the bench."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from cytocar.editor.draft import Draft
from cytocar.editor.from_run import ReviewedGates, taken_over
from cytocar.editor.panel import empty_template, with_other_channels
from cytocar.editor.saving import TemplateFile, template_file
from cytocar.editor.session import Bench
from cytocar.editor.tubes import open_tube
from cytocar.errors.tree import UsageError
from cytocar.fit.names import Book

if TYPE_CHECKING:
    from cytocar.files.places import Place
    from cytocar.template.model import Template

FIRST_VERSION = "0.1.0"
MOST_FILES = 24
"""Files are held in memory, and all are counted while a gate is dragged: more than a quarter plate takes too long."""


def open_bench(
    name: str,
    files: Sequence[Place],
    book: Book,
    *,
    markers: Mapping[str, str] | None = None,
    start: Template | None = None,
) -> tuple[Bench, TemplateFile]:
    """Return the bench with a template and files on it, and the template's file.

    Parameters
    ----------
    name : str
        Path of a template; one that is not there is started from the files' channels.
    book : mapping
        Names of markers, for channels that the template does not name.
    markers : mapping, optional
        Marker to detector, as a person says.
    start : Template, optional
        What a template that is not there is started from, in place of the files' channels.

    Raises
    ------
    UsageError
        E220 for a template that cannot be edited, or files that are none or too many.
    SampleError
        A file cannot be read.
    TemplateError
        As ``read_template``.
    """
    if not 1 <= len(files) <= MOST_FILES:
        raise UsageError(
            f"{len(files)} files were given, and 1 to {MOST_FILES} fit on the page",
            code="E220",
            hint="choose some that show what differs: cytocar template edit mine.toml FILE...",
        )
    file = template_file(name)
    tubes = [open_tube(one, markers or {}) for one in files]
    tables = [tube.events for tube in tubes]
    if file.saved is None and start is not None:
        start = replace(start, name=file.name, version=FIRST_VERSION)
    known = file.saved or start
    own = Draft.of_template(known or empty_template(file.name, tables, book))
    draft = own if known is None else Draft.of(with_other_channels(own.document, tables, book))
    there = frozenset(known.panel) if known is not None else frozenset()
    file.added = frozenset(draft.template.panel) - there
    file.lists_all = known is None
    for tube in tubes:
        tube.own_panel = there or file.added
    return Bench(draft, tubes), file


def open_reviewed(
    name: str, reviewed: ReviewedGates, files: Sequence[Place], book: Book, *, markers: Mapping[str, str] | None = None
) -> tuple[Bench, TemplateFile, list[str]]:
    """Return the bench with the gates that were moved in a run taken into the template, and what became of each.

    A template that is not there is started from the run's. Each gate can be undone. Parameters and errors are those of
    ``open_bench``; without ``files`` those of the run are opened, as many as fit.
    """
    shown = list(files) or list(reviewed.files[:MOST_FILES])
    bench, file = open_bench(name, shown, book, markers=markers, start=reviewed.template)
    drafts, words = taken_over(bench.draft, reviewed)
    for draft in drafts:
        bench.change(draft)
    return bench, file, words
