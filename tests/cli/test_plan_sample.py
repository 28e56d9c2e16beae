from __future__ import annotations

import subprocess

import pytest

from cytocar.counting.unseen_positives import planned_sensitivity
from tests.commands import forked


def planned(*options: str) -> tuple[int, str]:
    command = [*forked(), "plan-sample", "--percent", "0.1", "--background", "0", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout.splitlines()[1].split()[2]), done.stderr


@pytest.mark.parametrize("stain_index", [12.0, 6.0, 3.0])
def test_a_plan_counts_the_car_t_cells_above_the_threshold_alone(stain_index: float) -> None:
    bright, _ = planned("--stain-index", "1000")
    needed, about = planned("--stain-index", str(stain_index))
    above = planned_sensitivity(stain_index)
    assert needed == pytest.approx(bright / above, rel=0.02)
    assert f"at a stain index of {stain_index:g} {100 * above:.0f} % lie above the threshold" in about
    assert planned()[0] == planned("--stain-index", "6")[0]
