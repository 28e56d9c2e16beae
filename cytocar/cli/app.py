"""The command ``cytocar``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    sys.exit(2)
