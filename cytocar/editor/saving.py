"""The template's file: what is to be written, what changed since, in words, and the lock."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from cytocar.editor.draft import Document, Draft
from cytocar.errors.tree import TemplateError, UsageError
from cytocar.files.places import Address, place_of
from cytocar.signals.marker import Marker
from cytocar.template.accept import accept_doubts
from cytocar.template.canonical import template_sha256
from cytocar.template.diff import Difference, compare
from cytocar.template.load import bundled_templates, parse_template, read_template
from cytocar.template.lock import Lock, LockStatus, read_lock, write_lock
from cytocar.template.model import Template
from cytocar.template.toml_edit import edited


class TemplateFile(Struct, eq=False):
    """The file of the template on the bench.

    Attributes
    ----------
    text : str
        What it said when it was read or written last; nothing where there is none yet.
    saved : Template, optional
        The template that it holds.
    added : frozenset of str
        Markers that the editor has added to the panel, so that they can be looked at.
    lists_all : bool
        Whether those that no gate looks at are written too: in a new template.
    """

    path: Path
    text: str = ""
    saved: Template | None = None
    added: frozenset[str] = frozenset()
    lists_all: bool = False

    @property
    def name(self) -> str:
        """The name of a new template: that of its file."""
        return re.sub(r"^[^A-Za-z0-9]+", "", re.sub(r"[^A-Za-z0-9._-]+", "-", self.path.stem)) or "drawn"

    @property
    def lock(self) -> Lock | None:
        """The lock beside the file."""
        return read_lock(self.path)

    def status(self) -> str:
        """Return the state of the file: ``new``, ``draft``, ``locked``, or ``changed since it was locked``."""
        if self.saved is None:
            return "new"
        lock = self.lock
        if lock is None:
            return LockStatus.DRAFT
        return LockStatus.LOCKED if template_sha256(self.saved) == lock.sha256 else "changed since it was locked"

    def to_write(self, draft: Draft) -> Template:
        """Return the template that saving would write.

        Of the channels that the editor has added, those that gates look at are required, and the others stay out;
        a new template lists them as optional.
        """
        used = {marker for one in draft.template.populations for marker in one.gate.markers()}
        panel: dict[str, Marker] = {}
        for name, entry in draft.template.panel.items():
            if name not in self.added:
                panel[name] = entry
            elif name in used or self.lists_all:
                panel[name] = replace(entry, optional=name not in used)
        scales = {name: scale for name, scale in draft.template.scales.items() if name in panel or name == "default"}
        return replace(draft.template, panel=panel, scales=scales)

    def difference(self, draft: Draft) -> Difference | None:
        """Return the changes that saving would write, None for a new file; of a locked one, since it was locked."""
        return None if self.saved is None else compare(self.saved, self.to_write(draft))

    def proposed_version(self, draft: Draft) -> str:
        """Return the version that the changes ask for; a draft below 1.0.0 that was never locked keeps its own."""
        difference = self.difference(draft)
        if difference is None or (self.lock is None and difference.before.startswith("0.")):
            return draft.template.version if difference is None else difference.before
        return difference.proposed

    def save(self, draft: Draft, version: str) -> Template:
        """Write the draft under a version, comments kept, and return the template that the file holds now.

        Raises
        ------
        UsageError
            E222 the file was changed by another program; E223 there is no population yet, or a locked template was
            changed and its version not raised.
        TemplateError
            E062 the version is none.
        """
        if not draft.template.populations:
            raise UsageError("there is no population to save", code="E223", hint="draw a gate first")
        self._require_unchanged()
        document: Document = {**draft.document, "version": version.strip()}
        template = self.to_write(Draft.of(document, draft.names))
        self._require_raised(template)
        text = edited(self.text, self.saved, template, names=draft.names)
        written_down = parse_template(text, source=self.path.name, folder=self.path.parent)
        if template_sha256(written_down) != template_sha256(template):
            raise TemplateError(
                f"{self.path.name} would say something else than what is shown here",
                code="E224",
                hint="nothing was written; please report it with the file",
            )
        written = self.path.with_name(f".{self.path.name}.writing")
        written.write_text(text, encoding="utf-8")
        written.replace(self.path)
        self.text, self.saved = text, written_down
        return written_down

    def accept(self, draft: Draft, codes: Sequence[str], *, by: str, reason: str) -> Template:
        """Write who accepts which doubts of the template as it was saved; return what the file holds now.

        Raises
        ------
        UsageError
            E222 the file was changed by another program; E223 something shown here is not saved yet, or no doubt was
            chosen; else as ``accept_doubts``.
        """
        difference = self.difference(draft)
        if difference is None or difference.changes:
            raise UsageError("doubts are accepted of what is saved", code="E223", hint="save first, then accept them")
        if not codes:
            raise UsageError("no doubt was chosen", code="E223", hint="choose those that you accept")
        self._require_unchanged()
        self.saved = accept_doubts(self.path, codes, by=by, reason=reason)
        self.text = self.path.read_text("utf-8-sig")
        return self.saved

    def lock_it(self, *, by: str, reason: str, clock: Callable[[], datetime]) -> Lock:
        """Lock the file as it was saved; raises as ``write_lock``."""
        if self.saved is None:
            raise TemplateError("the template was not saved yet", code="E064", hint="save it, then lock it")
        at = clock().isoformat(timespec="seconds")
        return write_lock(self.saved, self.path, by=by, at=at, reason=reason)

    def _require_unchanged(self) -> None:
        here = self.path.read_text("utf-8-sig") if self.path.is_file() else ""
        if here != self.text:
            raise UsageError(
                f"{self.path.name} was changed by another program since it was opened",
                code="E222",
                hint="save that file under another name, then save here again; or end the editor and open it anew",
            )

    def _require_raised(self, template: Template) -> None:
        lock = self.lock
        if lock is None or self.saved is None:
            return
        difference = compare(self.saved, template)
        if not difference.fits:
            raise UsageError(
                f"version {lock.version} is locked: {difference.verdict()}",
                code="E223",
                hint=f"save it as version {difference.proposed}",
            )


def template_file(name: str) -> TemplateFile:
    """Return the file of a template to edit; one that is not there is a new template.

    Raises
    ------
    UsageError
        E220 for a bundled template, an address, or what is no TOML file.
    TemplateError
        As ``read_template``.
    """
    if name in bundled_templates():
        raise UsageError(
            f"{name} is a bundled template, which is not edited",
            code="E220",
            hint=f"copy it first: cytocar template new mine.toml --from {name}",
        )
    path = place_of(name)
    if isinstance(path, Address) or path.suffix.lower() != ".toml":
        raise UsageError(
            f"{name} is not a template file that can be edited here",
            code="E220",
            hint="give the path of a file that ends in .toml; `cytocar template import` makes one from other formats",
        )
    if not path.exists():
        if not path.parent.is_dir():
            raise UsageError(f"there is no folder {path.parent}", code="E220", hint="make it first, or check the path")
        return TemplateFile(path)
    loaded = read_template(path, check_lock=False)
    return TemplateFile(path, path.read_text("utf-8-sig"), loaded.template)
