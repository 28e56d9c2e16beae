"""Mixture and clusters agree with lines between clouds, and warn of a line through one."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from cytocar.fit.crosscheck import compare_with_clusters
from cytocar.fit.gated import Study
from cytocar.fit.names import alias_book
from cytocar.fit.template import fit_template
from cytocar.simulate import Preparation, blood_tube


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The gated events of a small tube."""
    tube = blood_tube(car_per_ul=300, preparation=Preparation(sample_volume_ul=50, drawn_share=0.1), seed=4)
    file = tube.write(tmp_path_factory.mktemp("crosscheck") / "tube.fcs")
    return fit_template([file], alias_book(), name="mine").study


def test_lines_between_clouds_raise_no_doubt(study: Study) -> None:
    assert "W347" not in [code for code, _ in study.doubts]


def test_a_line_through_a_cloud_is_doubted(study: Study) -> None:
    bright = study.tubes[0].signals["CD8"] > np.median(study.signals("CD8", "cd8")[0])
    cut = replace(study, masks={**study.masks, "cd8": [study.masks["cd8"][0] & bright]}, doubts=[])
    compare_with_clusters(cut, "t_cells")
    assert [code for code, _ in cut.doubts] == ["W347", "W347"]
    assert "CD8 2.0" in cut.doubts[0][1]
