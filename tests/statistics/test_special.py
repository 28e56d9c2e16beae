"""The compiled functions are SciPy's own, and they come without what else its package loads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cytocar

PACKAGE = Path(cytocar.__file__).parent
NAMES = (
    "betaincinv",
    "fdtri",
    "gammainc",
    "gammaincc",
    "gammaincinv",
    "gammaln",
    "log_ndtr",
    "ndtr",
    "pdtr",
    "stdtrit",
    "xlogy",
)


def _python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    return done.stdout.strip()


def test_intervals_load_the_compiled_functions_alone() -> None:
    code = (
        "import sys; from cytocar.statistics.intervals import clopper_pearson; clopper_pearson(20, 20_000)\n"
        "print(sorted({'scipy.special', 'numpy.f2py', 'numpy.testing', 'scipy._lib._array_api'} & set(sys.modules)))"
    )
    assert _python(code) == "[]"


def test_the_package_loaded_after_them_is_whole_and_has_the_same_functions() -> None:
    code = (
        "from cytocar.statistics import special; import scipy.special, scipy.stats\n"
        f"print(all(getattr(scipy.special, name) is getattr(special, name) for name in {NAMES}))\n"
        "print(scipy.special.logsumexp([0, 0]) > 0.69, round(scipy.stats.binom.ppf(0.5, 10, 0.5)))"
    )
    assert _python(code).split() == ["True", "True", "5"]


def test_beside_other_threads_the_package_is_loaded_as_a_whole() -> None:
    code = (
        "import sys, threading; stop = threading.Event(); threading.Thread(target=stop.wait).start()\n"
        "from cytocar.statistics import special; print(hasattr(sys.modules['scipy.special'], 'logsumexp')); stop.set()"
    )
    assert _python(code) == "True"


def test_nothing_loads_the_package_for_one_function() -> None:
    wrong = [
        path.name
        for path in PACKAGE.rglob("*.py")
        if path.name != "special.py" and "from scipy.special import" in path.read_text("utf-8")
    ]
    assert wrong == []
