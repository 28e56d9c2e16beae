"""The lock of a template: its hash, who locked it, when and why, in ``NAME.lock.json`` beside it.

A template without a lock works, and everything made with it says ``draft``. A locked template whose hash differs from
its lock's stops: somebody changed a number that others rely on.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict

from cytocar.errors.boundary import boundary
from cytocar.errors.tree import IntegrityError, TemplateError
from cytocar.files.json_object import json_object
from cytocar.files.places import Address, Place, whole_bytes
from cytocar.files.whole import write_atomically
from cytocar.template.canonical import template_sha256
from cytocar.template.model import Template

LOCK_SUFFIX = ".lock.json"


class LockStatus(StrEnum):
    """What a table and a report say about the template behind them."""

    LOCKED = "locked"
    DRAFT = "draft"


class Lock(Struct, frozen=True):
    """The content of a lock file; ``validation`` names the evaluation behind it and its hash, empty where none is."""

    template: str
    version: str
    sha256: str
    locked_by: str
    locked_at: str
    reason: str
    validation: str = ""


def lock_path(template_path: Place) -> Place:
    """Where the lock of a template lies.

    Examples
    --------
    >>> lock_path(Path("gates/cart-cd19fc.toml")).name
    'cart-cd19fc.lock.json'
    """
    return template_path.with_suffix(LOCK_SUFFIX)


def read_lock(template_path: Place) -> Lock | None:
    """Return the lock beside a template, or none.

    Raises
    ------
    IntegrityError
        If there is a lock that cannot be read: nobody can tell then whether the template was changed.
    """
    path = lock_path(template_path)
    if not path.exists():
        return None
    with boundary(lambda why: _damaged(path, why)):
        content = json_object(whole_bytes(path))
        content.setdefault("validation", "")  # locks from before there were validations
        return Lock(**{key: str(content[key]) for key in Lock.__struct_fields__})


def _damaged(path: Place, why: str) -> IntegrityError:
    return IntegrityError(
        f"the lock {path.name} cannot be read: {why}",
        code="E121",
        hint="restore it from version control, or delete it and lock the template again",
    )


def lock_status(template: Template, template_path: Place) -> LockStatus:
    """Return whether a template is locked or a draft.

    Raises
    ------
    IntegrityError
        If the template is not the one that was locked.
    """
    lock = read_lock(template_path)
    if lock is None:
        return LockStatus.DRAFT
    digest = template_sha256(template)
    if digest != lock.sha256:
        raise IntegrityError(
            f"template {template_path.name} was changed after {lock.locked_by} locked it on {lock.locked_at[:10]} "
            f"(hash {digest[:12]}, locked {lock.sha256[:12]})",
            code="E120",
            hint="restore the locked file, or raise its version and run `cytocar template lock` again with a reason",
        )
    return LockStatus.LOCKED


def write_lock(
    template: Template, template_path: Place, *, by: str, at: str, reason: str, validation: str = ""
) -> Lock:
    """Write the lock of a template beside it and return it.

    An earlier lock gives way only to a higher version; the locks before this one stay in the file.

    Parameters
    ----------
    by, reason : str
        Who locks it, and why.
    at : str
        When, ISO 8601; the clock is the caller's.
    validation : str
        What the lock rests on: an evaluation and its hash.

    Raises
    ------
    TemplateError
        E064 if name or reason are missing, if this very template is locked already, or if the file cannot be written.
    IntegrityError
        E120 if the template was changed under a version that is locked.
    """
    if not by.strip() or not reason.strip():
        raise TemplateError(
            "a lock needs a name and a reason", code="E064", hint="give both: --by NAME --reason 'validated in ...'"
        )
    if isinstance(template_path, Address):
        raise TemplateError(
            f"{template_path} is an address, and a lock is written beside its template",
            code="E064",
            hint="copy the template to a folder of your own and lock it there",
        )
    lock = Lock(template.name, template.version, template_sha256(template), by.strip(), at, reason.strip(), validation)
    earlier = read_lock(template_path)
    if earlier is not None:
        _refuse_same_version(lock, earlier, template_path)
    content = {**asdict(lock), "previous": _previous(template_path)}
    try:
        write_atomically(
            template_path.with_suffix(LOCK_SUFFIX), json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        )
    except OSError as error:
        raise TemplateError(
            f"the lock {lock_path(template_path)} cannot be written: {error.strerror}",
            code="E064",
            hint="copy the template to a folder of your own and lock it there",
        ) from error
    return lock


def _refuse_same_version(lock: Lock, earlier: Lock, template_path: Path) -> None:
    if lock.sha256 == earlier.sha256:
        raise TemplateError(
            f"template {template_path.name} was locked already by {earlier.locked_by} on {earlier.locked_at[:10]}",
            code="E064",
            hint="nothing to do",
        )
    from cytocar.template.diff import Step, version_step

    if version_step(earlier.version, lock.version) is Step.NONE:
        raise IntegrityError(
            f"template {template_path.name} says something else than the locked version {earlier.version}, "
            f"and its version is {lock.version}",
            code="E120",
            hint="raise its version first; `cytocar template diff` says how far",
        )


def _previous(template_path: Path) -> list[object]:
    """Return the locks before the one to be written, oldest first."""
    path = lock_path(template_path)
    if not path.is_file():
        return []
    with boundary(lambda why: _damaged(path, why)):
        content = json_object(whole_bytes(path))
        before: list[object] = content.pop("previous", [])
        return [*before, content]
