"""What becomes of an export that another program has changed."""

from __future__ import annotations

import re

import pytest

from cytocar.regions.boxes import RangeGate
from cytocar.regions.polygon import PolygonGate
from cytocar.sample.applied_template import applied_to
from cytocar.template.canonical import template_sha256
from cytocar.template.gatingml.read import read_gatingml
from cytocar.template.gatingml.round_trip import Imported, export_gatingml, reunite
from cytocar.template.load import parse_template
from tests.template.gatingml.documents import small_table

TEMPLATE = parse_template(
    """
name = "demo"
version = "2.1.0"
[panel]
"FSC-A" = {}
CD3 = { aliases = ["CD3"] }
CAR = { detectors = ["PE-A"] }
[scales]
default = { kind = "logicle" }
"FSC-A" = { kind = "linear" }
[[populations]]
name = "debris"
gate = { kind = "range", marker = "FSC-A", max = 20 }
[[populations]]
name = "cells"
exclude = ["debris"]
gate = { kind = "range", marker = "FSC-A", max = 900 }
[[populations]]
name = "CD3+"
parent = "cells"
gate = { kind = "valley", marker = "CD3", keep = "above", fallback = 150, window = [100, 300] }
[[populations]]
name = "CAR+"
parent = "CD3+"
gate = { kind = "polygon", x = "CD3", y = "CAR", vertices = [[100, 200], [2000, 200], [2000, 2000], [100, 2000]] }
[report]
t_cells = "CD3+"
car = "CAR+"
""",
    source="demo.toml",
)
EVENTS = small_table()
EXPORT = export_gatingml(TEMPLATE, applied_to(EVENTS, TEMPLATE)).decode()


def _read(text: str) -> Imported:
    return reunite(read_gatingml(text.encode(), source="x.xml", name="x"))


def _replaced(old: str, new: str) -> str:
    assert old in EXPORT
    return EXPORT.replace(old, new)


def test_an_untouched_export_is_the_template_with_its_data_driven_gates() -> None:
    imported = _read(EXPORT)
    assert template_sha256(imported.template) == template_sha256(TEMPLATE)
    assert imported.losses == ()


def test_another_layout_or_another_way_to_write_numbers_is_no_edit() -> None:
    text = re.sub(r">\s+<", "><", _replaced('max="900.0"', 'max="9.0E2"'))
    assert _read(text) == _read(EXPORT)


def test_an_edited_gate_wins_and_data_driven_gates_become_fixed() -> None:
    imported = _read(_replaced('max="900.0"', 'max="800"'))
    cells, t_cells = imported.template.population("cells"), imported.template.population("CD3+")
    assert cells.gate == RangeGate(marker="FSC-A", max=800)
    assert cells.exclude == ("debris",)
    assert isinstance(t_cells.gate, RangeGate)
    assert t_cells.gate.marker == "CD3"
    assert imported.template.population("CAR+") == TEMPLATE.population("CAR+")
    assert imported.losses == (
        "cells: edited elsewhere, the document's gate is used",
        "CD3+: was found by valley, now fixed where it lay on the sample",
    )


def test_an_edited_polygon_keeps_its_markers_and_stands_on_their_scale() -> None:
    corner = re.search(r'<gating:vertex>\s*<gating:coordinate data-type:value="([0-9.]+)"', EXPORT)
    assert corner is not None
    imported = _read(_replaced(corner[1], "0.4"))
    gate = imported.template.population("CAR+").gate
    assert isinstance(gate, PolygonGate)
    assert gate.units == "scale"
    assert gate.markers() == ("CD3", "CAR")
    assert imported.template.panel == TEMPLATE.panel


def test_a_removed_gate_is_missed_everywhere_and_listed() -> None:
    text = re.sub(r"<gating:PolygonGate.*</gating:PolygonGate>", "", EXPORT, flags=re.DOTALL)
    imported = _read(text)
    assert imported.template.report.car is None
    assert imported.template.report.t_cells == "CD3+"
    assert "CAR+: removed elsewhere" in imported.losses
    assert "report.car: its population is gone" in imported.losses


def test_an_added_gate_on_a_channel_of_the_panel_uses_its_marker() -> None:
    gate = (
        '<gating:RectangleGate gating:id="dim" gating:parent_id="CD3pos">'
        '<gating:dimension gating:compensation-ref="FCS" gating:max="500">'
        '<data-type:fcs-dimension data-type:name="PE-A"/></gating:dimension></gating:RectangleGate>'
    )
    imported = _read(_replaced("</gating:Gating-ML>", gate + "</gating:Gating-ML>"))
    added = imported.template.population("dim")
    assert added.parent == "CD3+"
    assert added.gate == RangeGate(marker="CAR", max=500)


def test_an_added_gate_on_another_channel_brings_its_own_panel_entry() -> None:
    gate = (
        '<gating:RectangleGate gating:id="apc">'
        '<gating:dimension gating:compensation-ref="uncompensated" gating:max="500">'
        '<data-type:fcs-dimension data-type:name="APC-A"/></gating:dimension></gating:RectangleGate>'
    )
    imported = _read(_replaced("</gating:Gating-ML>", gate + "</gating:Gating-ML>"))
    assert imported.template.panel["APC-A"].compensation == "none"
    assert imported.template.scale("APC-A").kind == "linear"


@pytest.mark.parametrize("damage", ["", "{", '{"template": 3}', '{"template": {}}'])
def test_a_damaged_note_leaves_the_gates_of_the_document(damage: str) -> None:
    text = re.sub(r"(<cytocar:template[^>]*>).*(</cytocar:template>)", rf"\1{damage}\2", EXPORT, flags=re.DOTALL)
    imported = _read(text)
    assert imported.template.population("CD3pos").gate.kind == "range"
    assert imported.losses == ("the note about the original template cannot be read",)


def test_a_note_that_speaks_of_another_population_is_not_believed() -> None:
    imported = _read(
        _replaced("&quot;CD3pos&quot;: &quot;CD3+&quot;" if "&quot;" in EXPORT else '"CD3pos": "CD3+"', '"CD3pos": "x"')
    )
    assert imported.losses == ("the note about the original template cannot be read",)


def test_a_program_that_drops_custom_info_still_hands_on_every_gate() -> None:
    text = re.sub(r"<data-type:custom_info>.*?</data-type:custom_info>", "", EXPORT, flags=re.DOTALL)
    names = {population.name for population in _read(text).template.populations}
    assert {"debris", "cells", "CD3pos", "CARpos"} <= names
