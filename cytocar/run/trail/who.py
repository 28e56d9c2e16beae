"""Who runs the command, and when: what the audit trail is told."""

from __future__ import annotations

import getpass
import os
from datetime import UTC, datetime

from cytocar.run.trail.audit import Author


def author(operator: str | None) -> Author:
    """Return who acts: the name given with ``--by``, else the account's."""
    try:
        account = getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number that no account has
        account = f"uid {os.getuid()}" if hasattr(os, "getuid") else "unknown"
    return Author((operator or "").strip() or account, account)


def now() -> datetime:
    """Return the clock's time."""
    return datetime.now(UTC)
