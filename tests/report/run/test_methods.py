"""The sentences of the methods: what was done to how many files, what each gate and each limit is."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from cytocar.report.run.methods import _compensation, _counting, _gates, _limits
from cytocar.statistics.estimate import Estimate
from cytocar.template.load import load_template
from tests.reference_tube import count, reference_tube


def test_the_methods_say_what_was_done_to_how_many_files(tmp_path: Path) -> None:
    result = count(reference_tube(3000).write(tmp_path / "ref.fcs"))
    others = [replace(result, compensation=way) for way in ("none", "unmixed", "unmixed", "already compensated")]
    assert _compensation([result, *others]) == (
        "Signals were compensated with the spillover matrix of $SPILLOVER (n = 1); taken as compensated already, as "
        "the names of their channels say (n = 1); not compensated (n = 1); taken as unmixed already (n = 2)."
    )
    assert _compensation([]) == ""


def test_the_methods_tell_what_a_combination_keeps_and_what_it_leaves_out() -> None:
    gates = list(_gates(load_template("cart-cd19fc")))
    assert "cd4 from t_cells by their place in all of cd4_bright and none of cd8_bright" in gates
    assert "lymphocytes from bright_cd45 by their place in any of t_cells, lymphocyte_scatter" in gates


def test_the_methods_tell_what_decides_detection_and_what_holds_without_a_control_alone() -> None:
    limits = _limits(load_template("cart-cd19fc"))
    detected, rest = limits.split("; ", 1)
    assert "at least 13 events, more than the limit of blank of their tube" in detected
    assert rest.startswith("where no control showed the background, with at least 0.1 % of the T cells.")
    assert "22 events" in rest
    assert rest.endswith("Where too few told their brightness, limits suppose a stain index of 6.")
    assert "stain index" not in _limits(load_template("cart-cd19fc-fixed"))


def test_the_methods_say_that_the_gated_interval_holds_the_net_one_where_there_is_a_net_one(tmp_path: Path) -> None:
    fixed = count(reference_tube(3000).write(tmp_path / "ref.fcs"))
    template = load_template("cart-cd19fc-fixed")
    assert fixed.car is not None
    with_net = replace(fixed, car=replace(fixed.car, net_per_ul=Estimate(10.0, 8.0, 12.0)))
    sentence = "That of CAR-T cells as gated holds the limits of their net count too."
    assert sentence not in list(_counting([fixed], template))
    assert list(_counting([fixed, with_net], template))[-1] == sentence
