from __future__ import annotations

import re

import pytest

from cytocar.locations import template_folder
from cytocar.template.load import load_template

TEMPLATES = sorted(path.stem for path in template_folder().glob("*.toml"))


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_bundled_template_is_valid_and_goes_by_its_file_name(name: str) -> None:
    assert load_template(name).name == name


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_gate_says_where_its_numbers_come_from(name: str) -> None:
    """A number without a comment or note nearby is a number that nobody can check."""
    text = (template_folder() / f"{name}.toml").read_text(encoding="utf-8")
    for block in re.split(r"\n(?=\[\[populations\]\])", text)[1:]:
        gate = block.split("\n# ----")[0]
        if re.search(r'kind = "(boolean)"', gate) or not re.search(r"\d{2}", gate):
            continue
        names = re.search(r'name = "(\w+)"', gate)
        assert "#" in gate or re.search(r'keep = "[+-]{2}"', gate), f"{name}: {names and names[1]}"
