"""The process of the command ``cytocar``, or ``python -m cytocar``: what holds for all of it, then the command line."""

from __future__ import annotations

import gc
import os
import sys
import warnings

INTERRUPTED = 130

OBJECTS_BEFORE_COLLECTION = 200_000
"""Imports and a first tube leave 106,000 objects and little garbage: one look at them all takes 34 ms, a tenth of a
short command's time. Looking as often as by default, and once more when the interpreter ends, took a seventh."""


def main() -> None:
    """Run the command line of this process."""
    gc.set_threshold(OBJECTS_BEFORE_COLLECTION)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when NumPy is loaded; 8 x 8 matrices gain nothing by more
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"  # what else is installed has no say in what a template may hold
    if not sys.warnoptions:  # what a library warns of is for who develops; what a user must know has a code
        warnings.simplefilter("ignore")
    try:
        from cytocar.cli.app import main as command_line

        command_line()
    except KeyboardInterrupt:  # before the command line took signals over
        sys.exit(INTERRUPTED)
    finally:
        gc.freeze()


if __name__ == "__main__":
    main()
