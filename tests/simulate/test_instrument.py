from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256

import numpy as np
import pytest

from cytocar.simulate import Preparation, blood_tube
from cytocar.simulate.instrument import FLUORESCENCE, SPILLOVER, spillover_keyword


def test_the_keyword_says_the_matrix() -> None:
    fields = spillover_keyword().split(",")

    assert fields[0] == "8"
    assert tuple(fields[1:9]) == FLUORESCENCE
    assert np.array_equal(np.array(fields[9:], dtype=float).reshape(8, 8), SPILLOVER)


def test_compensation_brings_the_medians_of_the_dyes_back() -> None:
    tube = blood_tube(car_per_ul=2000, preparation=Preparation(sample_volume_ul=10), seed=2)
    detected = np.column_stack([tube.columns[detector] for detector in FLUORESCENCE]).astype(np.float64)
    medians = dict(
        zip(
            FLUORESCENCE,
            np.median(detected[tube.is_kind("car_cd8_t_cells")] @ np.linalg.inv(SPILLOVER), axis=0),
            strict=True,
        )
    )

    expected = {"FITC-A": 5500, "PE-A": 5000, "PE-Cy7-A": 4000, "APC-H7-A": 20_000, "V500-A": 12_000}
    assert {detector: medians[detector] for detector in expected} == pytest.approx(expected, rel=0.05)


def test_two_cells_add_their_areas_and_not_their_heights() -> None:
    tube = blood_tube(car_per_ul=500, preparation=Preparation(sample_volume_ul=20, doublet_share=0.1), seed=2)
    ratio = tube.columns["FSC-H"] / tube.columns["FSC-A"]

    singles, doublets = ratio[tube.is_kind("car_cd8_t_cells")], ratio[tube.is_kind("doublets")]

    assert np.median(singles) == pytest.approx(0.88, abs=0.03)
    assert np.median(doublets) < 0.7


@pytest.mark.parametrize("threads", ["1", "2"])
def test_the_number_of_threads_changes_no_bit(threads: str) -> None:
    """A matrix product of BLAS does: what it adds in which order depends on its threads."""
    program = (
        "import hashlib; from cytocar.simulate import blood_tube; tube = blood_tube(car_per_ul=100, seed=3);"
        "print(hashlib.sha256(b''.join(column.tobytes() for column in tube.columns.values())).hexdigest())"
    )
    environment = os.environ | dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), threads)
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)

    here = blood_tube(car_per_ul=100, seed=3)
    assert found.stdout.strip() == sha256(b"".join(column.tobytes() for column in here.columns.values())).hexdigest()
