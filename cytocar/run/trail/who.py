"""Who runs the command, and when: what the audit trail is told."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from cytocar.errors.tree import UsageError
from cytocar.run.trail.audit import Author


def author(operator: str | None) -> Author:
    """Return who acts: the name given with ``--by``, else the account's.

    Raises
    ------
    UsageError
        E110 if the name given is blank: a script's empty variable is nobody's name.
    """
    if operator is not None and not operator.strip():
        raise UsageError(
            "--by names nobody", code="E110", hint="give a name, or leave --by out: your login stands then"
        )
    import getpass

    try:
        account = getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number that no account has
        account = f"uid {os.getuid()}" if hasattr(os, "getuid") else "unknown"
    return Author(operator.strip() if operator is not None else account, account)


def now() -> datetime:
    """Return the clock's time."""
    return datetime.now(UTC)
