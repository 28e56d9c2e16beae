"""What every test may ask for."""

from __future__ import annotations

import gc
import os
import shutil
import sys
from collections import Counter
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import settings

# A first call loads libraries, and the machine is shared: how long an example takes says nothing here.
settings.register_profile("cytocar", deadline=None)
settings.load_profile("cytocar")

ROOT = Path(__file__).resolve().parent.parent


def _shared_data() -> Path | None:
    named = os.environ.get("CYTOCAR_SHARED_DATA")
    places = [Path(named)] if named else [ROOT.parent / "shared" / "data", ROOT.parent.parent / "shared" / "data"]
    return next((place for place in places if place.is_dir()), None)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real FCS files and reference results of others; tests that need them skip where they are absent."""
    folder = _shared_data()
    if folder is None:
        pytest.skip("the folder of real FCS files is not here (set CYTOCAR_SHARED_DATA to its path)")
    return folder


def pytest_configure(config: pytest.Config) -> None:
    """Give each file of tests to one process, and keep bytecode for the time of the tests where Python keeps none.

    What the tests of a file share is then made once, and no process waits for what another one makes. Without bytecode
    every process would compile anew.
    """
    if getattr(config.option, "dist", "") == "load":
        config.option.dist, config.option.loadscopereorder = "loadfile", False
    if sys.dont_write_bytecode and not hasattr(config, "workerinput"):
        folder = mkdtemp(prefix="bytecode-")
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
        sys.dont_write_bytecode, sys.pycache_prefix = False, folder
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = folder


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the files of most slow tests where processes share them: at the end there is something small left."""
    if hasattr(config, "workerinput"):
        slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
        items.sort(key=lambda item: -slow[item.path])


def pytest_collection_finish() -> None:
    """Look for garbage among what the tests make, seldom: looking through 5000 tests again and again took a sixth."""
    gc.freeze()
    gc.set_threshold(50_000)
