"""Loading SciPy's special functions without what they do not need."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOADED = """
import sys
import numpy
{before}
from cytocar.statistics.special import load_special_functions
listed = numpy.__all__, dir(numpy)
load_special_functions()
load_special_functions()
assert (numpy.__all__, dir(numpy)) == listed
from scipy.special import gammaincinv
print([name for name in ("numpy.f2py", "numpy.testing", "numpy.ma") if name in sys.modules], gammaincinv(3, 0.5))
"""


def _printed(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_numpys_reader_of_fortran_is_not_loaded_and_what_numpy_lists_stays() -> None:
    names, value = _printed(LOADED.format(before="")).rsplit(maxsplit=1)
    assert names == "[]"
    plain = _printed("from scipy.special import gammaincinv; print(gammaincinv(3, 0.5))")
    assert value == plain


def test_what_was_loaded_before_stays_loaded() -> None:
    assert _printed(LOADED.format(before="import numpy.ma")).startswith("['numpy.ma'")


@pytest.mark.parametrize("how", ["", "documented=False"])
def test_what_else_scipy_offers_works_after_it(how: str) -> None:
    code = f"""
from cytocar.statistics.special import load_special_functions
load_special_functions({how})
import numpy as np
from scipy import optimize, signal, spatial, stats
assert abs(stats.chi2.ppf(0.95, 2) - 5.991) < 0.001
assert abs(stats.gmean([1.0, 4.0]) - 2) < 1e-12
assert abs(optimize.brentq(lambda x: x**2 - 2, 0, 2) ** 2 - 2) < 1e-9
assert len(signal.find_peaks([0, 1, 0])[0]) == 1
assert spatial.ConvexHull(np.random.default_rng(1).random((9, 2))).volume > 0
assert np.ma.masked_array([1.0], [True]).count() == 0
print("works")
"""
    assert _printed(code) == "works"


def test_a_command_does_without_the_help_of_functions_and_others_keep_it() -> None:
    code = """
from cytocar.statistics.special import load_special_functions
load_special_functions({how})
from scipy.special import gammaincinv
from scipy.stats import gmean
print(len(gammaincinv.__doc__ or "") > 100, len(gmean.__doc__) > 100, gammaincinv(3, 0.5))
"""
    known = _printed(code.format(how=""))
    assert known.startswith("True True")
    assert _printed(code.format(how="documented=False")).split()[1:] == known.split()[1:]


def test_a_scipy_that_rewrites_elsewhere_is_loaded_as_ever() -> None:
    code = """
from cytocar.statistics import special
special._WHERE_SCIPY_REWRITES = "scipy._lib.not_there"
special.load_special_functions(documented=False)
from scipy.special import gammaincinv
print(bool(gammaincinv.__doc__))
"""
    assert _printed(code) == "True"
