"""``cytocar doctor``: is this installation sound?"""

from __future__ import annotations

import sys

from cytocar.cli import screen
from cytocar.errors.tree import IntegrityError


def command() -> None:
    """Show versions, extras and templates, and count a built-in sample whose result is known.

    Exit code 4 if something is wrong. Paste the output into a report of a problem.
    """
    from cytocar.run.doctor import Health, examine, is_sound

    examined = examine()
    for one in examined:
        sys.stdout.write(screen.printable(f"{one.health:<7} {one.what}: {one.message}") + "\n")
    if not is_sound(examined):
        wrong = ", ".join(one.what for one in examined if one.health is Health.WRONG)
        raise IntegrityError(
            f"this installation is not sound: {wrong}",
            code="E128",
            hint="install cytocar again into a fresh environment; if that does not help, please report it",
        )
