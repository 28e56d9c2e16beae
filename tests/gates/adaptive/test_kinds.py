"""Whatever kind a data-driven gate is: its function is there, and a reader is told where its number is from."""

from __future__ import annotations

from typing import get_args

from cytocar.gates.adaptive import ADAPTIVE
from cytocar.gates.decision import Source
from cytocar.report.run.strip import SOURCES
from cytocar.tables.columns import GATES
from cytocar.template.gate_kinds import AdaptiveGate

HOW = "docs/changing/add-a-gate.md"


def test_every_kind_that_a_template_can_declare_has_its_function() -> None:
    kinds = {gate.__struct_config__.tag for gate in get_args(AdaptiveGate)}
    assert set(ADAPTIVE) == kinds, HOW


def test_every_source_of_a_number_has_its_words_in_report_and_table() -> None:
    assert set(SOURCES) == set(Source), HOW
    (column,) = (column for column in GATES if column.name == "source")
    assert set(column.meaning.split(", ")) == set(Source), HOW
