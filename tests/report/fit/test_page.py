"""The page of a fitted template shows every gate of every file, and says what is not in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from cytocar.fit.names import alias_book
from cytocar.fit.own_files import looks_on_own_files
from cytocar.fit.template import FittedTemplate, fit_template
from cytocar.gates.walk import walk
from cytocar.report.fit.page import fit_html
from cytocar.simulate import Preparation, blood_tube
from cytocar.template.gate_kinds import ValleyGate
from cytocar.template.model import Population


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> FittedTemplate:
    """A template of two small tubes, one with a name that would be markup."""
    folder = tmp_path_factory.mktemp("fit")
    small = Preparation(sample_volume_ul=50, drawn_share=0.06)
    names = ("one.fcs", "<b>two.fcs")
    files = [blood_tube(car_per_ul=300, preparation=small, seed=n).write(folder / name) for n, name in enumerate(names)]
    return fit_template(files, alias_book(), name="mine")


@pytest.fixture(scope="module")
def page(fitted: FittedTemplate) -> str:
    """The page."""
    return fit_html(fitted, name="mine.toml")


def test_every_gate_has_a_picture_of_every_file(fitted: FittedTemplate, page: str) -> None:
    shown = len(re.findall(r'<figure class="panel">', page))
    steps = len(re.findall(r"<section>", page))
    assert shown == 2 * steps
    for gate in fitted.study.gates:
        if gate.population.gate.kind != "boolean":
            assert '<text class="name"' in page
            assert gate.population.gate.words() in page.replace("&#39;", "'")


def test_counts_are_those_of_a_run(fitted: FittedTemplate, page: str) -> None:
    populations = walk(fitted.study.tubes[0].events, fitted.template)
    assert f"t_cells {populations['t_cells'].events:,} (" in page


def test_what_is_left_out_is_said_and_names_of_files_are_no_markup(fitted: FittedTemplate, page: str) -> None:
    for what, why in fitted.study.left_out:
        assert f"<td>{what}</td>" in page
        assert why.split(":")[0] in page
    assert "&lt;b&gt;two.fcs" in page
    assert "<b>two.fcs" not in page


def test_the_page_fetches_nothing(page: str, tmp_path: Path) -> None:
    assert not re.findall(r"""(?:src|href)=["'](?!#|data:)""", page)
    assert "default-src 'none'" in page.replace("&#39;", "'")


def test_what_the_template_asks_for_on_its_own_files_is_on_the_page(fitted: FittedTemplate, page: str) -> None:
    heading = "On these files the template asks for a look at"
    assert looks_on_own_files(fitted) == ()
    assert heading not in page

    def bounded(population: Population) -> Population:
        gate = population.gate
        if population.name != "t_cells" or not isinstance(gate, ValleyGate) or gate.window is None:
            return population
        high = 2 * gate.window[1]
        elsewhere = {"window": (high, 2 * high), "fallback": high}
        return replace(population, gate=replace(gate, **elsewhere))

    moved = replace(fitted.template, populations=tuple(map(bounded, fitted.template.populations)))
    looks = looks_on_own_files(replace(fitted, template=moved))
    assert ("one.fcs", "<b>two.fcs") in {one.files for one in looks}
    shown = fit_html(fitted, name="mine.toml", looks=looks)
    assert heading in shown
    assert all(one.code in shown for one in looks)
