"""``cytocar explain`` lists what it knows in an order in which a code is found."""

from __future__ import annotations

import pytest

from cytocar.cli.verbs.explain import command
from cytocar.errors.codes import explanations


def test_codes_stand_by_letter_and_number_and_flags_behind_them(capsys: pytest.CaptureFixture[str]) -> None:
    command()
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    codes = [name for name in names if name[0] in "EW" and name[1:].isdigit()]
    assert names == [*sorted(codes), *sorted(set(names) - set(codes))]
    assert set(names) == set(explanations())
