"""The lock of a template: its hash, who locked it, when and why, in ``NAME.lock.json`` beside it.

A template without a lock works, and everything made with it says ``draft``. A locked template whose hash differs from
its lock's stops: somebody changed a number that others rely on.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from cytocar.errors import IntegrityError, TemplateError
from cytocar.template.canonical import template_sha256
from cytocar.template.model import Template


class LockStatus(StrEnum):
    """What a table and a report say about the template behind them."""

    LOCKED = "locked"
    DRAFT = "draft"


@dataclass(frozen=True, slots=True)
class Lock:
    """The content of a lock file."""

    template: str
    version: str
    sha256: str
    locked_by: str
    locked_at: str
    reason: str


def lock_path(template_path: Path) -> Path:
    """Return where the lock of a template lies.

    Examples
    --------
    >>> lock_path(Path("gates/cart-cd19fc.toml")).name
    'cart-cd19fc.lock.json'
    """
    return template_path.with_suffix(".lock.json")


def read_lock(template_path: Path) -> Lock | None:
    """Return the lock beside a template, or none.

    Raises
    ------
    IntegrityError
        If there is a lock that cannot be read: nobody can tell then whether the template was changed.
    """
    path = lock_path(template_path)
    try:
        content = json.loads(path.read_text("utf-8"))
        return Lock(**{key: str(content[key]) for key in Lock.__dataclass_fields__})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IntegrityError(
            f"the lock {path.name} cannot be read",
            code="E121",
            hint="restore it from version control, or delete it and lock the template again",
        ) from error


def lock_status(template: Template, template_path: Path) -> LockStatus:
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


def write_lock(template: Template, template_path: Path, *, by: str, at: str, reason: str) -> Lock:
    """Write the lock of a template beside it and return it.

    Parameters
    ----------
    by, reason : str
        Who locks it, and why.
    at : str
        When, ISO 8601; the clock is the caller's.
    """
    if not by.strip() or not reason.strip():
        raise TemplateError(
            "a lock needs a name and a reason", code="E064", hint="give both: --by NAME --reason 'validated in ...'"
        )
    lock = Lock(template.name, template.version, template_sha256(template), by.strip(), at, reason.strip())
    path = lock_path(template_path)
    try:
        path.write_text(json.dumps(asdict(lock), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise TemplateError(
            f"the lock {path} cannot be written: {error.strerror}",
            code="E064",
            hint="copy the template to a folder of your own and lock it there",
        ) from error
    return lock
