"""A name or a path becomes a validated template; everything that is wrong with it is said at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from cytocar.errors.near_names import did_you_mean
from cytocar.errors.tree import CompensationError, TemplateError, listed
from cytocar.files.bundled import template_folder
from cytocar.files.places import Address, Place, is_address, lies_in, place_of, whole_bytes
from cytocar.files.toml import parse_toml
from cytocar.signals.applied_matrix import UNMIXED
from cytocar.signals.compensation import SpilloverMatrix
from cytocar.template.canonical import template_sha256
from cytocar.template.faults import Fault, check_document
from cytocar.template.lock import LockStatus, lock_status
from cytocar.template.model import Template

if TYPE_CHECKING:
    from cytocar.template.flowjo.document import Workspace
    from cytocar.template.gatingml.round_trip import Imported

MAXIMUM_BYTES = 20_000_000


class LoadedTemplate(Struct, frozen=True):
    """A template, where it came from, the hash of what it says, whether it is locked, and what an import lost."""

    template: Template
    path: Place
    sha256: str
    status: LockStatus
    losses: tuple[str, ...] = ()


def load_template(name_or_path: str | Place) -> Template:
    """Return a validated gating template.

    Parameters
    ----------
    name_or_path : str or Path
        The name of a bundled template, or the path of a ``.toml`` or a Gating-ML 2.0 ``.xml`` file.

    Raises
    ------
    TemplateError
        If there is no such template, or if it has faults; the message lists every one.
    IntegrityError
        If it was changed after it had been locked.
    """
    return read_template(name_or_path).template


def read_template(name_or_path: str | Place, *, check_lock: bool = True) -> LoadedTemplate:
    """Return a validated template with its path, hash and lock.

    ``check_lock=False`` takes a changed locked template for a draft: for looking at it, comparing it, locking it anew.
    """
    path = template_path(name_or_path)
    losses: tuple[str, ...] = ()
    if path.suffix.lower() == ".xml":
        imported = import_gatingml(path)
        template, losses = imported.template, imported.losses
    else:
        template = parse_template(_read_text(path), source=path.name, folder=path.parent)
    status = lock_status(template, path) if check_lock else LockStatus.DRAFT
    return LoadedTemplate(template, path, template_sha256(template), status, losses)


# ---------------------------------------------------------------- names and paths


def bundled_templates() -> tuple[str, ...]:
    """Return the names of the templates that come with cytocar."""
    return tuple(sorted(path.stem for path in template_folder().glob("*.toml")))


def template_path(name_or_path: str | Place) -> Place:
    """Return the file of a bundled name or of a path or address ending in ``.toml`` or ``.xml``."""
    text = name_or_path.url if isinstance(name_or_path, Address) else str(name_or_path)
    if text.lower().endswith((".toml", ".xml")):
        path = place_of(name_or_path)
        if str(path) != text and isinstance(path, Address):
            raise TemplateError(
                f"{path}: the address of this template holds a key or a signature, and the manifest would keep it",
                code="E060",
                hint="copy the template to this machine, and give its path",
            )
        if not path.is_file():
            raise TemplateError(
                f"there is no template file {path}", code="E060", hint="check the path; a bundled one goes by its name"
            )
        return path
    names = bundled_templates()
    if text in names:
        return template_folder() / f"{text}.toml"
    if Path(text).is_file() or "/" in text or "\\" in text:
        raise TemplateError(
            f"{text} is not a template file: the path of a template ends in .toml, or in .xml for Gating-ML",
            code="E060",
            hint=f"give such a file, or one of the bundled names: {', '.join(names)}",
        )
    beside = f"; for the file {text}.toml of this folder write ./{text}.toml" if Path(f"{text}.toml").is_file() else ""
    raise TemplateError(
        f"there is no bundled template {text!r}{did_you_mean(text, names)}",
        code="E060",
        hint=f"bundled templates: {', '.join(names) or 'none'}{beside}",
    )


def _read_bytes(path: Place, *, larger: int = 1) -> bytes:
    limit = MAXIMUM_BYTES * larger
    try:
        if path.stat().st_size > limit:
            raise TemplateError(
                f"{path.name} is larger than {limit // 1_000_000} MB", code="E061", hint="does it hold gates?"
            )
        return whole_bytes(path)
    except OSError as error:
        raise TemplateError(
            f"{path.name} cannot be read: {error.strerror}", code="E060", hint="check the file and its permissions"
        ) from error


def _read_text(path: Place) -> str:
    try:
        return _read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TemplateError(
            f"{path.name} is not UTF-8 text (byte {error.start + 1})", code="E061", hint="save it as UTF-8"
        ) from error


def import_gatingml(path: Place) -> Imported:
    """Return the template of a Gating-ML 2.0 file, with what could not be kept."""
    from cytocar.template.gatingml.read import read_gatingml
    from cytocar.template.gatingml.round_trip import reunite

    return reunite(read_gatingml(_read_bytes(path), source=path.name, name=document_name(path)))


def import_document(path: Path, *, sample: str | None = None) -> Imported:
    """Return the gates of a document of another program as a template; it is told by its content, not by its name.

    Parameters
    ----------
    path : Path
        Gating-ML 2.0, a FlowJo workspace, or a FACSDiva experiment.
    sample : str, optional
        Whose gates, of a workspace: name or ``sampleID``; the first sample with gates by default. Of Gating-ML: the
        file that gates were tailored to; the untailored ones by default.

    Raises
    ------
    TemplateError
        It cannot be read.
    """
    from cytocar.template.documents import DocumentKind, kind_of
    from cytocar.template.flowjo.document import LARGER, document_of
    from cytocar.template.gatingml.read import read_gatingml
    from cytocar.template.gatingml.round_trip import reunite

    data = _read_bytes(path, larger=LARGER)
    if kind_of(data) not in (DocumentKind.FLOWJO, DocumentKind.DIVA) and path.suffix.lower() != ".wsp":
        return reunite(read_gatingml(data, source=path.name, name=document_name(path), sample=sample))
    return reunite(document_of(open_study(data, source=path.name), name=document_name(path), sample=sample))


def read_study(path: Path) -> Workspace:
    """Return all samples of a FlowJo workspace, or all tubes of a FACSDiva experiment."""
    from cytocar.template.flowjo.document import LARGER

    return open_study(_read_bytes(path, larger=LARGER), source=path.name)


def open_study(data: bytes, *, source: str) -> Workspace:
    """Return all samples of a study, told by its content."""
    from cytocar.template.diva import read_experiment
    from cytocar.template.documents import DocumentKind, kind_of
    from cytocar.template.flowjo.document import open_workspace

    if kind_of(data) is DocumentKind.DIVA:
        return read_experiment(data, source=source)
    return open_workspace(data, source=source)


def document_name(path: Place) -> str:
    """Return the name of the template that a document gives."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("-._") or "imported"


# ---------------------------------------------------------------- text -> template


def parse_template(text: str, *, source: str, folder: Place | None = None) -> Template:
    """Return the validated template that a TOML text declares.

    Parameters
    ----------
    text : str
        The file's content.
    source : str
        What to call it in messages.
    folder : Path, optional
        Where a spillover matrix named by the template lies; without it such a template is refused.
    """
    try:
        document, unread = _with_matrix(_document(text, source), folder)
        template, faults = check_document(document)
    except RecursionError as error:
        raise TemplateError(f"{source} is nested too deeply", code="E061", hint="is it a template?") from error
    faults += unread
    if template is None or faults:
        raise faults_error(source, faults)
    return template


def _document(text: str, source: str) -> dict[str, Any]:
    try:
        return parse_toml(text)
    except ValueError as error:  # TOMLDecodeError, and Python's own about a number with thousands of digits
        raise TemplateError(
            f"{source} is not valid TOML: {_lower_first(str(error))}{_line_shown(text, str(error))}",
            code="E061",
            hint="text stands in quotes, lists in [ ], a number has a decimal point, one key a line",
        ) from error


def faults_error(source: str, faults: Sequence[Fault]) -> TemplateError:
    """Return the one error that lists the faults."""
    count = "1 fault" if len(faults) == 1 else f"{len(faults):,} faults"
    return TemplateError(
        f"template {source} has {count}:{listed(faults)}",
        code="E062",
        hint="correct the file and run `cytocar template validate` on it",
    )


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


LONGEST_LINE = 200
"""Letters of a line that is shown with its fault: two lines of a screen tell which it is."""


def _line_shown(text: str, message: str) -> str:
    place = re.search(r"at line (\d+), column (\d+)", message)
    if place is None:
        return ""
    line = text.splitlines()[int(place[1]) - 1 : int(place[1])]
    shown = line[0].strip() if line else ""
    return f"\n  {shown[:LONGEST_LINE]}{' ...' if len(shown) > LONGEST_LINE else ''}" if shown else ""


def _with_matrix(document: dict[str, Any], folder: Place | None) -> tuple[dict[str, Any], tuple[Fault, ...]]:
    """Return the document with the CSV that its compensation names taken in, so that its hash covers the matrix."""
    compensation = document.get("compensation", {})
    matrices = compensation.get("matrices", {}) if isinstance(compensation, dict) else None
    if not isinstance(matrices, dict):
        return document, ()
    source = compensation.get("source", "file")
    if not isinstance(source, str) or source in ("file", "none", UNMIXED, *matrices):
        return document, ()
    place = "compensation.source"
    if not source.lower().endswith(".csv"):
        known = ("file", "none", UNMIXED, *matrices)
        return document, (
            Fault(
                place,
                f"no source {source!r}: file, none, unmixed, a matrix's name or a .csv{did_you_mean(source, known)}",
            ),
        )
    if folder is None:
        return document, (Fault(place, f"{source!r} stands beside no file"),)
    path = (folder / source).resolve()
    if is_address(source) or Path(source).is_absolute() or not lies_in(path, folder):
        return document, (Fault(place, f"{source!r} must lie in the template's folder"),)
    if not path.is_file():
        return document, (Fault(place, f"no file {source!r} beside the template"),)
    try:
        matrix = SpilloverMatrix.from_csv(path)
    except CompensationError as error:
        return document, (Fault(place, error.message),)
    read = {"detectors": matrix.detectors, "fluorochromes": matrix.fluorochromes, "values": matrix.values.tolist()}
    return {**document, "compensation": {**compensation, "matrices": {**matrices, source: read}}}, ()
