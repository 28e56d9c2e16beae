"""Many samples: plan, execute, count, workers, shards, the run folder.

The folder can be called: ``cytocar.run(rows, template, out=None, jobs=0, ...)`` is ``cytocar.run.from_python.run``,
whose docstring explains it. Python lets a module have a class of its own for that; modules in here are imported as
from any other folder, before a call or after one.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import inspect


class _CallableFolder(ModuleType):
    """A package that counts samples when it is called."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from cytocar.run.from_python import run

        return run(*args, **kwargs)

    @property
    def __signature__(self) -> inspect.Signature:
        """What ``help`` and editors show of the call."""
        import inspect

        from cytocar.run.from_python import run

        return inspect.signature(run)


sys.modules[__name__].__class__ = _CallableFolder
