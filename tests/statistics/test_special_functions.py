"""The functions behind intervals: SciPy's own, had without the rest of ``scipy.special``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import scipy.special

from cytocar.statistics import special_functions

ROOT = Path(special_functions.__file__).parents[2]


def _said_by(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout.strip()


def test_they_are_the_functions_that_scipy_hands_out() -> None:
    for name in special_functions.__all__:
        assert getattr(special_functions, name) is getattr(scipy.special, name)


def test_an_interval_loads_neither_the_rest_of_scipy_special_nor_numpys_compiler_tools() -> None:
    code = (
        "import sys; from cytocar.statistics.intervals import clopper_pearson; clopper_pearson(20, 20_000)\n"
        "print(sorted({'scipy.special', 'numpy.f2py', 'numpy.testing'} & set(sys.modules)))"
    )
    assert _said_by(code) == "[]"


def test_the_whole_package_can_be_imported_afterwards_and_holds_the_same_functions() -> None:
    code = (
        "import numpy; from cytocar.statistics.special_functions import betaincinv\n"
        "import scipy.special, scipy.stats\n"
        "assert scipy.special.betaincinv is betaincinv\n"
        "assert scipy.special._ufuncs.betaincinv is betaincinv\n"
        "assert abs(scipy.special.loggamma(5) - numpy.log(24)) < 1e-12\n"
        "print(round(scipy.stats.binomtest(20, 20_000).proportion_ci().low, 8))"
    )
    assert _said_by(code) == "0.00061093"


def test_beside_another_thread_the_whole_package_is_imported() -> None:
    code = (
        "import sys, threading\n"
        "over = threading.Event(); threading.Thread(target=over.wait).start()\n"
        "from cytocar.statistics.special_functions import gammaincinv\n"
        "over.set(); print('scipy.special' in sys.modules, round(gammaincinv(1, 0.975), 4))"
    )
    assert _said_by(code) == "True 3.6889"


def test_a_scipy_whose_compiled_module_lies_elsewhere_is_imported_whole() -> None:
    code = (
        "import sys\n"
        "class Elsewhere:\n"
        "    refused = 0\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'scipy.special._ufuncs' and not Elsewhere.refused:\n"
        "            Elsewhere.refused = 1; raise ImportError(name)\n"
        "sys.meta_path.insert(0, Elsewhere())\n"
        "from cytocar.statistics.special_functions import pdtr\n"
        "print(Elsewhere.refused, 'scipy.special' in sys.modules, round(pdtr(0, 1), 6))"
    )
    assert _said_by(code) == "1 True 0.367879"
