"""The other programs, each in an environment of its own: they disagree about NumPy's version."""

from __future__ import annotations

import subprocess
import venv
from pathlib import Path

FLOWKIT = ("flowkit==1.3.2", "flowcal==1.3.1")  # brings FlowIO and flowutils
FCSPARSER = ("fcsparser==0.2.8", "six", "numpy<2")


def environment(folder: Path, requirements: tuple[str, ...]) -> Path:
    """Return the Python of an environment with these packages, made and filled if it is not there yet."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements], check=True)
    return python
