"""What a template may refer to."""

from __future__ import annotations

from cytocar.tables import COUNTS
from cytocar.template.references import ACCEPTANCE_CHECKS


def test_every_number_of_counts_csv_may_be_held_against_a_limit() -> None:
    numbers = tuple(column.name for column in COUNTS if column.type in ("integer", "number"))
    assert numbers == ACCEPTANCE_CHECKS
