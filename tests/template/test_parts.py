"""Populations of optional markers that a file does not have are left out, and what hangs on them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from cytocar.template.load import load_template
from cytocar.template.model import Acceptance
from cytocar.template.parts import without_markers


def test_what_hangs_on_an_absent_marker_goes_with_it() -> None:
    template = load_template("tbnk")
    template = replace(template, acceptance=(Acceptance(check="b_cells", minimum=1),))
    part, left_out = without_markers(template, {"CD19"})

    assert left_out == ("b_cells", "not_t_not_b", "nk_cells")
    assert [one.name for one in part.populations if one.name in left_out] == []
    assert part.report.b_cells is None
    assert part.report.t_cells == "t_cells"
    assert part.acceptance == ()


@pytest.mark.parametrize("absent", [(), ("a marker of no gate",)])
def test_a_template_of_which_nothing_is_left_out_is_the_very_same(absent: tuple[str, ...]) -> None:
    template = load_template("tbnk")
    assert without_markers(template, absent) == (template, ())
    assert without_markers(template, absent)[0] is template
