"""What every test may ask for."""

from __future__ import annotations

import gc
import os
import shutil
import sys
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
    """Keep bytecode for the time of the tests where Python is told to keep none; every process would compile anew."""
    if sys.dont_write_bytecode and not hasattr(config, "workerinput"):
        folder = mkdtemp(prefix="bytecode-")
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
        sys.dont_write_bytecode, sys.pycache_prefix = False, folder
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = folder


def pytest_collection_finish() -> None:
    """Look for garbage among what the tests make, seldom: looking through 5000 tests again and again took a sixth."""
    gc.freeze()
    gc.set_threshold(50_000)
