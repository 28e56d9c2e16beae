"""Compare what a run was made from, its FCS files, sheet, templates and versions, with what is here now."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cytocar.errors.tree import IntegrityError, ReadError, TemplateError
from cytocar.files.places import Place
from cytocar.files.source import file_sha256
from cytocar.run.finished.checks import Check, changed, first_of, note, ok
from cytocar.run.finished.recorded_plan import located, recorded_plan
from cytocar.run.observer import Observer, observed
from cytocar.run.parts import PARTS, Parts
from cytocar.run.trail.journal import MANIFEST, Manifest
from cytocar.run.whereabouts import sheet_now
from cytocar.sample.result import SampleOutcome
from cytocar.template.canonical import template_sha256
from cytocar.template.load import read_template
from cytocar.template.lock import LockStatus
from cytocar.version import __version__


def origins(run: Path, manifest: Manifest, inputs: Place | None, observer: Observer) -> Iterator[Check]:
    """Yield the checks of what a run was made from; ``inputs`` is where its files and sheet lie now."""
    try:
        plan = recorded_plan(manifest, run)
    except IntegrityError as error:
        yield changed(MANIFEST, error.message)
        return
    rows = located(plan.samples, inputs)
    outcomes = {outcome.sample.sample_id: outcome for outcome in Parts(run / PARTS).in_order(plan.sample_ids)}
    digests: dict[Place, str | None] = {}
    same, absent = 0, list[str]()
    for row in observed(rows, len(rows), observer):
        if (outcome := outcomes.get(row.sample_id)) is None or outcome.file_sha256 is None:
            continue
        if row.file not in digests:
            digests[row.file] = _digest(row.file)
        if digests[row.file] == outcome.file_sha256:
            same += 1
        elif digests[row.file] is None and inputs is None:
            absent.append(row.sample_id)
        else:
            yield _changed_input(row.file_as_given, outcome, digests[row.file])
    if absent:
        yield note(
            "inputs",
            f"the files of {len(absent)} of {len(rows)} samples are not here, so they were not checked "
            f"({first_of(absent)}); --inputs DIR says where they are",
        )
    if same:
        yield ok("inputs", f"{same} of {len(rows)} samples' files are as they were read")
    yield from _sheet(run, manifest, inputs)
    for name, loaded in plan.templates.items():
        if template_sha256(loaded.template) != loaded.sha256:
            yield changed(MANIFEST, f"the template {name} in it does not have its hash")
        yield from _template(name, loaded.sha256, loaded.template.version, locked=loaded.status is LockStatus.LOCKED)
    yield from _versions(manifest)


def _digest(place: Place) -> str | None:
    try:
        return file_sha256(place)
    except ReadError:
        return None


def _changed_input(name: str, outcome: SampleOutcome, digest: str | None) -> Check:
    sample = outcome.sample.sample_id
    if digest is not None:
        return changed(
            name, f"the file of sample {sample} was changed: {digest[:12]}, read was {(outcome.file_sha256 or '')[:12]}"
        )
    return changed(name, f"the file of sample {sample} is not in the folder given")


def _sheet(run: Path, manifest: Manifest, inputs: Place | None) -> Iterator[Check]:
    sheet = manifest.get("sheet")
    if not sheet:
        return
    digest = _digest(inputs / sheet["file"] if inputs else sheet_now(manifest, run))
    if digest is None:
        yield note(sheet["file"], "the sheet is not here, so it was not checked; --inputs DIR says where it is")
    elif digest != sheet["sha256"]:
        yield changed(sheet["file"], f"the sheet was changed: {digest[:12]}, read was {sheet['sha256'][:12]}")
    else:
        yield ok(sheet["file"], "the sheet is as it was read")


def _template(name: str, sha256: str, number: str, *, locked: bool) -> Iterator[Check]:
    place = f"template {name}"
    try:
        now = read_template(name)
    except TemplateError:
        yield note(place, "cannot be read here; the manifest holds what was used")
        return
    except IntegrityError as error:
        yield changed(place, error.message)
        return
    if now.sha256 == sha256:
        yield ok(place, f"version {number}, {'locked' if locked else 'draft'}, is what was used")
    elif locked and now.template.version == number:
        yield changed(place, f"version {number} was locked when it was used, and says something else now")
    else:
        yield note(place, f"version {number} was used; here it is {now.template.version} and says something else")


def _versions(manifest: Manifest) -> Iterator[Check]:
    here = {"cytocar": __version__, "python": platform.python_version()}
    then = {"cytocar": manifest.get("cytocar_version"), **manifest.get("versions", {})}
    for name, number in then.items():
        try:
            current = here.get(name) or version(name)
        except PackageNotFoundError:
            current = "not installed"
        if current != number:
            yield note("versions", f"{name} {number} was used; here it is {current}")
