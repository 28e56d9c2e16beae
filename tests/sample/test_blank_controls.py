"""Tubes without CAR-T cells: which say something, what they say, and who is named as having said it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from msgspec.structs import replace

from cytocar.counting.blank_rates import learned_rates
from cytocar.counting.blank_tubes import BlankTube, History, beyond_places
from cytocar.gates.decision import THRESHOLD_SD, Background, BlankCount, Decision, ReferenceCount, Source
from cytocar.sample.blank_controls import TubesBackground, background_of_tubes, blank_tube, tells_backgrounds
from cytocar.sample.protocol import Protocol, unlocked
from cytocar.sheet.rows import SampleRow, SampleType
from cytocar.template.load import load_template
from cytocar.template.model import Template

CAR = load_template("cart-cd19fc")
FIXED = load_template("cart-cd19fc-fixed")
NO_CAR = load_template("bcell-aplasia")
GATE = (CAR.name, "car_t", CAR.population("car_t").gate.marker)  # type: ignore[union-attr]
SIGNALS = np.random.default_rng(1).normal(50, 20, 5000)


def row(sample_type: SampleType = SampleType.SAMPLE, subject: str | None = "P1") -> SampleRow:
    return SampleRow(Path("t.fcs"), "t.fcs", "t", sample_type=sample_type, subject_id=subject)


def tube(name: str, subject: str = "", *, above: int = 40, gate: tuple[str, str, str] = GATE) -> BlankTube:
    return BlankTube(name, subject, "healthy", *gate, 50_000 + len(name), (above,) * 16)


@pytest.mark.parametrize("sample_type", list(SampleType))
@pytest.mark.parametrize("template", [CAR, FIXED, NO_CAR])
def test_donors_and_baselines_say_something_where_controls_place_the_car_gate(
    sample_type: SampleType, template: Template
) -> None:
    says = template is CAR and sample_type in {SampleType.BASELINE, SampleType.HEALTHY}
    signals = {CAR.population("car_t").parent: {GATE[2]: SIGNALS}}
    assert tells_backgrounds(template, row(sample_type)) is says
    assert (blank_tube(cast(Any, None), template, row(sample_type), signals=signals) is not None) is says


@pytest.mark.parametrize("worked_out", [False, True])
def test_a_tube_is_kept_as_its_t_cells_beyond_the_places(worked_out: bool) -> None:
    parent = CAR.population("car_t").parent
    values = {(parent, GATE[2]): SIGNALS}
    populations = cast(Any, SimpleNamespace(values=lambda *asked: values[asked]))
    signals = None if worked_out else {parent: {GATE[2]: SIGNALS}}
    found = blank_tube(populations, CAR, row(SampleType.HEALTHY), signals=signals)
    assert found == BlankTube("t", "P1", "healthy", *GATE, 5000, beyond_places(np.sort(SIGNALS)))
    nobody = blank_tube(populations, CAR, row(SampleType.BASELINE, None), signals=signals)
    assert nobody == replace(found, subject_id="", sample_type="baseline")


def test_a_hundred_t_cells_are_enough_to_say_something() -> None:
    enough, few = ({CAR.population("car_t").parent: {GATE[2]: SIGNALS[:n]}} for n in (100, 99))
    assert blank_tube(cast(Any, None), CAR, row(SampleType.HEALTHY), signals=enough) is not None
    assert blank_tube(cast(Any, None), CAR, row(SampleType.HEALTHY), signals=few) is None


def background(*parts: ReferenceCount, ids: tuple[str, ...] = ()) -> dict[str, Background]:
    return {"car_t": Background(30, 60_000, ids, between_cv=None, parts=parts, place=5.0)}


def asked(
    backgrounds: dict[str, Background],
    *,
    run: tuple[BlankTube, ...] = (),
    history: tuple[BlankTube, ...] = (),
    own: BlankTube | None = None,
    template: Template = CAR,
    decisions: tuple[Decision, ...] = (),
) -> TubesBackground:
    protocol = Protocol(template, unlocked(template), history=History(history))
    populations = cast(Any, SimpleNamespace(decisions=decisions))
    return background_of_tubes(populations, protocol, row(), backgrounds, own=own, run=run)


def count(of: BlankTube, events: float = 40.0, *, own: bool = False) -> BlankCount:
    return BlankCount(events, of.t_cells, of.subject_id, own=own)


OTHERS = ReferenceCount(own=False, of_events=60_000, events=(30,))
OWN = ReferenceCount(own=True, of_events=60_000, events=(30,))
A, B, MINE = tube("a", "P2"), tube("bb"), tube("mine", "P1")


@pytest.mark.parametrize(
    ("parts", "ids", "run", "history", "own", "others", "who"),
    [
        pytest.param((OTHERS,), (), (), (), None, [], "controls", id="a donor alone"),
        pytest.param((OWN,), (), (), (), None, [], "own baseline", id="the own baseline alone"),
        pytest.param((OWN, OTHERS), (), (), (), None, [], "own baseline + controls", id="both"),
        pytest.param((OTHERS,), (), (A, B), (), None, [A, B], "controls + run", id="more of the run"),
        pytest.param((OTHERS,), ("a",), (A, B), (), None, [B], "controls + run", id="a control is not counted twice"),
        pytest.param((OTHERS,), (), (A, B), (), B, [A], "controls + run", id="nor the sample itself"),
        pytest.param((OTHERS,), (), (), (A, B), B, [A], "controls + history", id="nor itself in the history"),
        pytest.param((OTHERS,), ("a",), (A,), (A, B), None, [B], "controls + history", id="nor a control of the run"),
        pytest.param((OTHERS,), (), (B,), (A, B), None, [B, A], "controls + run + history", id="nor the run's tubes"),
        pytest.param((OTHERS,), (), (MINE,), (), None, [MINE], "own baseline + controls + run", id="an own tube"),
        pytest.param((OTHERS,), (), (replace(A, marker="x"),), (), None, [], "controls", id="of another gate"),
    ],
)
def test_each_tube_speaks_once_and_is_named(
    parts: tuple[ReferenceCount, ...],
    ids: tuple[str, ...],
    run: tuple[BlankTube, ...],
    history: tuple[BlankTube, ...],
    own: BlankTube | None,
    others: list[BlankTube],
    who: str,
) -> None:
    found = asked(background(*parts, ids=ids), run=run, history=history, own=own)
    told = found.backgrounds["car_t"]
    assert told.others == tuple(count(one, own=one is MINE) for one in others)
    assert (told.events, told.place, found.who) == (30, 5.0, who)
    (finding,) = found.findings
    assert (finding.check, finding.value) == ("background", learned_rates(told).cv)


def test_the_finding_counts_who_told() -> None:
    (finding,) = asked(background(OWN, OTHERS, OTHERS), run=(A,), history=(B, MINE)).findings
    assert finding.message.startswith(
        "background from 1 of the subject's own, 2 other controls, 1 more of the run, 2 of the history; "
    )
    assert finding.message.endswith(f"; {100 * (finding.value or 0):.0f} % from tube to tube")


def test_without_any_tube_the_template_s_background_is_assumed() -> None:
    found = asked({})
    assert (found.backgrounds, found.who) == ({}, "assumed")
    (finding,) = found.findings
    assert (finding.check, finding.value) == ("background", None)
    assert finding.message.startswith("background of 0.05 % assumed")


def test_without_a_control_other_tubes_tell_at_the_place_of_the_gate() -> None:
    def decision(population: str, parameter: str, value: float) -> Decision:
        return Decision(population, "reference", parameter, value, Source.FALLBACK)

    decisions = (
        decision("t_cells", THRESHOLD_SD, 2.0),
        decision("car_t", "threshold", 99.0),
        decision("car_t", THRESHOLD_SD, 7.0),
    )
    steps = replace(A, above=tuple(range(1000, 200, -50)))
    found = asked({}, run=(steps,), decisions=decisions)
    told = found.backgrounds["car_t"]
    assert told == Background(0, 0, (), between_cv=None, others=(count(steps, 600.0),), place=7.0)
    assert found.who == "run"
    assert asked({}, run=(steps,)).who == "assumed"  # a gate that no signal placed has no place


def test_a_template_without_such_a_gate_has_no_background_to_learn() -> None:
    for template in (FIXED, NO_CAR):
        assert asked({}, run=(A,), template=template) == TubesBackground({})
