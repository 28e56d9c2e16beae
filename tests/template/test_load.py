"""A template is loaded whole, or every fault of it is said at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cytocar.errors.tree import TemplateError
from cytocar.template.load import bundled_templates, load_template, parse_template, read_template

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """
format = 1
name = "demo"
version = "1.0.0"
[panel]
CD3 = { aliases = ["CD3"] }
CD4 = {}
"FSC-A" = {}
[scales]
default = { kind = "logicle" }
[[populations]]
name = "t_cells"
gate = { kind = "range", marker = "CD3", min = 1200 }
[[populations]]
name = "cd4"
parent = "t_cells"
gate = { kind = "range", marker = "CD4", min = 1500 }
"""


def _faults(text: str) -> list[str]:
    with pytest.raises(TemplateError) as caught:
        parse_template(text, source="demo.toml")
    assert caught.value.code == "E062"
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def _with_gate(gate: str) -> str:
    return GOOD + f'[[populations]]\nname = "last"\nparent = "cd4"\ngate = {{ {gate} }}\n'


def test_a_template_is_loaded_from_a_path(tmp_path: Path) -> None:
    path = tmp_path / "demo.toml"
    path.write_text(GOOD, encoding="utf-8")
    template = load_template(path)
    assert template.population("cd4").parent == "t_cells"
    assert load_template(str(path)) == template


def test_a_byte_order_mark_and_windows_line_ends_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "demo.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert load_template(path) == parse_template(GOOD, source="demo.toml")


@pytest.mark.parametrize("name", bundled_templates())
def test_every_bundled_template_loads(name: str) -> None:
    assert load_template(name).name == name


def test_an_unknown_name_lists_the_bundled_templates_and_the_nearest() -> None:
    with pytest.raises(TemplateError) as caught:
        load_template("cart-cd19-fc")
    assert caught.value.code == "E060"
    assert all(name in caught.value.hint for name in bundled_templates())


def test_a_missing_file_is_said_to_be_missing() -> None:
    with pytest.raises(TemplateError, match=r"there is no template file nowhere/x\.toml"):
        load_template("nowhere/x.toml")


def test_a_syntax_error_names_line_and_column_and_shows_the_line() -> None:
    with pytest.raises(TemplateError) as caught:
        parse_template('name = "a"\nversion : 3\n', source="x.toml")
    assert caught.value.code == "E061"
    assert "line 2, column 9" in str(caught.value)
    assert "version : 3" in str(caught.value)


def test_text_that_is_not_utf8_is_refused_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "demo.toml"
    path.write_bytes(b'title = "\xff"')
    with pytest.raises(TemplateError, match="byte 10"):
        load_template(path)


def test_a_misspelt_key_gets_the_nearest_name_and_is_not_also_missing() -> None:
    assert _faults(_with_gate('kind = "range", markr = "CD3", min = 1')) == [
        "populations[3] 'last' gate.markr: unknown key, did you mean 'marker'?"
    ]


def test_a_misspelt_key_does_not_hide_the_next_fault() -> None:
    assert _faults(_with_gate('kind = "range", markr = "CD33", min = 5, max = 2')) == [
        "populations[3] 'last' gate.markr: unknown key, did you mean 'marker'?",
        "populations[3] 'last' gate: min (5) must be below max (2)",
        "populations[3] 'last' gate.marker: no marker 'CD33', did you mean 'CD3'?",
    ]


@pytest.mark.parametrize(
    ("gate", "fault"),
    [
        ('kind = "rnge", marker = "CD3"', "gate: unknown kind 'rnge', did you mean 'range'?"),
        ('kind = "range", marker = "CD3"', "gate: needs min, max or both"),
        ('kind = "range", marker = "CD3", min = "12"', "gate.min: must be a number, not the text '12'"),
        ('kind = "range", marker = "CD3", min = true', "gate.min: must be a number, not true"),
        ('kind = "range", marker = "CD3", min = nan', "gate.min: must be a finite number, not nan"),
        ('kind = "range", marker = "CD3", min = inf', "gate.min: must be a finite number, not inf"),
        ('kind = "range", marker = 3, min = 1', "gate.marker: must be text in quotes, not 3"),
        ('kind = "range", marker = "CD3", min = 1, units = "log"', "gate.units: must be 'data' or 'scale'"),
        ('kind = "rectangle", bounds = {}', "gate.bounds: needs at least 1, has 0"),
        ('kind = "rectangle", bounds = { CD9 = { min = 1 } }', "gate.bounds.CD9: no marker 'CD9'"),
        (
            'kind = "polygon", x = "CD3", y = "CD4", vertices = [[1, 2], [3, 4]]',
            "gate: a polygon needs at least three corners, vertices has 2",
        ),
        (
            'kind = "polygon", x = "CD3", y = "CD4", vertices = [[1, 2], [3], [5, 6]]',
            "gate.vertices[2]: needs at least 2 numbers",
        ),
        (
            'kind = "polygon", x = "CD3", y = "CD3", vertices = [[1, 2], [3, 4], [5, 6]]',
            "gate: x and y are the same marker 'CD3'",
        ),
        (
            'kind = "ellipse", axes = ["CD3", "CD4"], center = [1, 2], covariance = [[1, 2]], distance_square = 1',
            "gate: covariance must be square, 2 rows of 2 numbers",
        ),
        (
            'kind = "ellipse", axes = ["CD3", "CD4"], center = [1, 2], covariance = [[1, 2], [2, 1]], '
            "distance_square = 1",
            "gate: covariance must be symmetric and positive definite",
        ),
        ('kind = "quadrant", keep = "+-"', "gate: needs x and y, or axes"),
        (
            'kind = "quadrant", x = { marker = "CD3", at = 1 }, y = { marker = "CD4", at = [1, 2] }, keep = [0, 3]',
            "gate: keep says interval 3 on 'CD4', which has 0 to 2",
        ),
        (
            'kind = "quadrant", x = { marker = "CD3", at = [2, 1] }, y = { marker = "CD4", at = 1 }, keep = "+-"',
            "gate.x: the values of at must rise",
        ),
        (
            'kind = "quadrant", x = { marker = "CD3", at = 1 }, y = { marker = "CD4", at = 1 }, keep = "+"',
            'gate.keep: must be "--", "-+", "+-" or "++", or a list',
        ),
        ('kind = "boolean"', "gate: needs all_of, any_of or none_of"),
        ('kind = "boolean", all_of = ["cd5"]', "gate.all_of[1]: no population 'cd5', did you mean 'cd4'?"),
        ('kind = "boolean", none_of = ["last"]', "gate.none_of[1]: 'last' refers to itself"),
        (
            'kind = "valley", marker = "CD3", keep = "above", fallback = 300, window = [400, 5000]',
            "gate: fallback (300) must lie inside its window [400, 5000]",
        ),
        (
            'kind = "valley", marker = "CD3", keep = "above", fallback = 300, window = [400, 40]',
            "gate: window must rise: [400, 40]",
        ),
        ('kind = "singlets", area = "FSC-A"', "gate: needs height or width beside area, and not both"),
        ('kind = "cluster", x = "CD3", y = "CD4", near = [0, 1]', "gate: near must be two numbers above 0"),
    ],
)
def test_a_faulty_gate_is_named_by_number_name_and_key(gate: str, fault: str) -> None:
    faults = _faults(_with_gate(gate))
    assert len(faults) == 1
    assert faults[0].startswith(f"populations[3] 'last' {fault}")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('[compensation]\nsource = "../x.csv"', "compensation.source: '../x.csv' stands beside no file"),
        ('[compensation]\nsource = "fil"', "compensation.source: no source 'fil'"),
        ('[report]\ncar = "car_t"', "report.car: no population 'car_t'"),
        ('[report]\nmedians = ["CAR"]', "report.medians[1]: no marker 'CAR'"),
        ('[report]\nkar = "cd4"', "report.kar: unknown key, did you mean 'car'?"),
        ('[counting]\nmethod = "beads"', 'counting.beads: is missing: method "beads" needs'),
        ('[counting]\nbeads = "beads"', "counting.beads: no population 'beads'"),
        ("[limits]\ndetection_events = 30", "limits: detection_events (30) must not be above"),
        ('[[acceptance]]\ncheck = "viability_percent"', "acceptance[1]: needs minimum, maximum or both"),
        ('[[acceptance]]\ncheck = "viabilty_percent"\nminimum = 1', "acceptance[1].check: no check 'viabilty_percent'"),
    ],
)
def test_a_fault_outside_the_gates_is_named_by_table_and_key(text: str, fault: str) -> None:
    faults = _faults(f"{GOOD}\n{text}\n")
    assert len(faults) == 1
    assert faults[0].startswith(fault)


def test_a_child_above_its_parent_a_cycle_and_a_second_name_are_faults() -> None:
    text = GOOD.replace('name = "t_cells"', 'name = "t_cells"\nparent = "cd4"')
    assert _faults(text) == [
        "populations[1] 't_cells' parent: 'cd4' must stand above its child (it is populations[2], further down)"
    ]
    again = GOOD + '[[populations]]\nname = "cd4"\ngate = { kind = "range", marker = "CD4", max = 10 }\n'
    assert _faults(again) == ["populations[3] 'cd4' name: 'cd4' is already the name of populations[2]"]


def test_every_fault_of_a_file_is_in_one_message() -> None:
    text = _with_gate('kind = "range", markr = "CD3", min = 1').replace('"1.0.0"', "1").replace("CD4 = {}", "CD4 = 7")
    faults = _faults(text)
    assert [fault.split(":")[0] for fault in faults] == ["version", "panel.CD4", "populations[3] 'last' gate.markr"]


def test_a_spillover_matrix_must_lie_beside_the_template(tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    (tmp_path / "outside.csv").write_text("FITC-A,PE-A\n1,0.1\n0,1\n", encoding="utf-8")
    for source, fault in (("../outside.csv", "must lie in the template's folder"), ("a.csv", "no file 'a.csv' beside")):
        path = folder / "demo.toml"
        path.write_text(f'{GOOD}[compensation]\nsource = "{source}"\n', encoding="utf-8")
        with pytest.raises(TemplateError, match=fault):
            load_template(path)


def test_a_spillover_matrix_beside_the_template_is_part_of_what_it_says(tmp_path: Path) -> None:
    path, matrix = tmp_path / "demo.toml", tmp_path / "a.csv"
    path.write_text(f'{GOOD}[compensation]\nsource = "a.csv"\n', encoding="utf-8")
    matrix.write_text("FITC-A,PE-A\n1,0.1\n0,1\n", encoding="utf-8")
    before = read_template(path)
    assert list(before.template.compensation.matrices["a.csv"].values) == [(1, 0.1), (0, 1)]
    matrix.write_text("FITC-A,PE-A\n1,0.2\n0,1\n", encoding="utf-8")
    assert read_template(path).sha256 != before.sha256
    matrix.write_text("FITC-A,PE-A\n1,1\n1,1\n", encoding="utf-8")
    with pytest.raises(TemplateError, match=r"compensation\.source: .*singular"):
        load_template(path)


@pytest.mark.parametrize("text", ["x = " + "[" * 5000 + "]" * 5000, "x = " + "9" * 5000, "a." * 3000 + "b = 1", "\x00"])
def test_a_file_made_to_break_the_reader_is_refused_like_any_other(text: str) -> None:
    with pytest.raises(TemplateError) as caught:
        parse_template(text, source="x.toml")
    assert caught.value.code == "E061"


def test_hundreds_of_faults_are_counted_after_the_first_forty() -> None:
    name, gates = (
        GOOD.split("[[populations]]", maxsplit=1)[0],
        "".join(f'[[populations]]\nname = "p{n}"\ngate = {{ kind = "range", marker = "CD3" }}\n' for n in range(300)),
    )
    faults = _faults(name + gates)
    assert len(faults) == 41
    assert faults[-1] == "and 260 more"


def test_more_populations_than_a_machine_can_bear_are_one_fault() -> None:
    name, gates = (
        GOOD.split("[[populations]]", maxsplit=1)[0],
        "".join(
            f'[[populations]]\nname = "p{n}"\ngate = {{ kind = "range", marker = "CD3", min = {n} }}\n'
            for n in range(2001)
        ),
    )
    (fault,) = _faults(name + gates)
    assert fault.startswith("populations: needs at most 2000")


def test_a_key_of_thousands_of_parts_is_refused_before_it_takes_memory(tmp_path: Path) -> None:
    (tmp_path / "gates.toml").write_text("format = 1\n" + "a." * 30_000 + "b = 1\n", "utf-8")
    with pytest.raises(TemplateError, match=r"more than 16 parts \(at line 2, column 1\)") as caught:
        load_template(tmp_path / "gates.toml")
    assert caught.value.code == "E061"
    assert len(caught.value.message) < 500
