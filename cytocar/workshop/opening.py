"""A template and files put on the bench."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cytocar.errors.tree import UsageError
from cytocar.fit.names import Book
from cytocar.workshop.draft import Draft
from cytocar.workshop.panel import empty_template, with_other_channels
from cytocar.workshop.saving import TemplateFile, template_file
from cytocar.workshop.session import Bench
from cytocar.workshop.tubes import open_tube

if TYPE_CHECKING:
    from cytocar.files.places import Place

MOST_FILES = 24
"""Files are held in memory, and all are counted while a gate is dragged: more than a quarter plate takes too long."""


def open_bench(
    name: str, files: Sequence[Place], book: Book, *, markers: Mapping[str, str] | None = None
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
    own = Draft.of_template(file.saved if file.saved is not None else empty_template(file.name, tables, book))
    draft = own if file.saved is None else Draft.of(with_other_channels(own.document, tables, book))
    there = frozenset(file.saved.panel) if file.saved is not None else frozenset()
    file.added = frozenset(draft.template.panel) - there
    file.lists_all = file.saved is None
    for tube in tubes:
        tube.own_panel = there or file.added
    return Bench(draft, tubes), file
