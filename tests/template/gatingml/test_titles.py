"""Titles, gate sets and tailored gates that programs write beside the gates."""

from __future__ import annotations

import numpy as np
import pytest

from cytocar.errors.tree import TemplateError
from cytocar.fcs.events import EventTable
from cytocar.gates.walk import walk
from cytocar.template.gatingml.read import Document, read_gatingml

SPACES = (
    'xmlns:gating="http://www.isac-net.org/std/Gating-ML/v2.0/gating" '
    'xmlns:data-type="http://www.isac-net.org/std/Gating-ML/v2.0/datatypes"'
)
EVENTS = EventTable.from_columns({"FSC-A": np.arange(10.0), "SSC-A": np.arange(10.0)[::-1]})


def _cytobank(**entries: str) -> str:
    told = "".join(f"<{key}>{value}</{key}>" for key, value in entries.items())
    return f"<data-type:custom_info><cytobank>{told}</cytobank></data-type:custom_info>"


def _gate(number: int, low: float, *, title: str, channel: str = "FSC-A", file: str = "", of: int = 0) -> str:
    told = _cytobank(name=title, gate_id=str(of or number), fcs_file_filename=file)
    return (
        f'<gating:RectangleGate gating:id="Gate_{number}">{told}<gating:dimension gating:min="{low}" '
        f'gating:compensation-ref="uncompensated"><data-type:fcs-dimension data-type:name="{channel}"/>'
        "</gating:dimension></gating:RectangleGate>"
    )


def _set(number: int, title: str, *gates: int) -> str:
    listed = ", ".join(map(str, gates))
    told = _cytobank(name=title, definition=f'{{"gates":[{listed}],"negGates":[]}}')
    references = "".join(
        f'<gating:gateReference gating:ref="Gate_{gate}"/>' for gate in (gates * 2)[: max(2, len(gates))]
    )
    both = f"<gating:and>{references}</gating:and>"
    return f'<gating:BooleanGate gating:id="GateSet_{number}">{told}{both}</gating:BooleanGate>'


def _read(*gates: str, sample: str | None = None) -> Document:
    text = f"<gating:Gating-ML {SPACES}>{''.join(gates)}</gating:Gating-ML>"
    return read_gatingml(text.encode(), source="x.xml", name="x", sample=sample)


def test_gate_sets_are_populations_under_their_titles_and_in_their_tree() -> None:
    gates = (_gate(1, 2, title="cells"), _gate(2, 4, title="T cells", channel="SSC-A"))
    document = _read(*gates, _set(1, "cells", 1), _set(2, "T cells", 1, 2))
    tree = {one.name: one.parent for one in document.template.populations}
    assert tree == {"cells (gate)": "all", "T cells (gate)": "all", "cells": "all", "T cells": "cells"}
    assert walk(EVENTS, document.template)["T cells"].events == 4


def test_two_populations_of_one_title_keep_their_ids() -> None:
    document = _read(_gate(1, 2, title="x"), _gate(2, 4, title="x"), _gate(3, 5, title="x"))
    assert [one.name for one in document.template.populations] == ["x", "x (gate)", "Gate_3"]


def test_gates_that_were_tailored_to_other_files_are_listed() -> None:
    gates = (_gate(1, 2, title="cells"), _gate(2, 6, title="cells", file="a.fcs", of=1), _set(1, "cells", 1))
    plain = _read(*gates)
    assert walk(EVENTS, plain.template)["cells"].events == 8
    assert plain.losses == (
        "gates tailored to single files (cells; a.fcs): these are the untailored ones; "
        "--sample FILE takes a file's own",
    )
    own = _read(*gates, sample="a.fcs")
    assert walk(EVENTS, own.template)["cells"].events == 4
    assert own.losses == ()


def test_a_file_without_gates_of_its_own_is_refused() -> None:
    with pytest.raises(TemplateError) as caught:
        _read(_gate(1, 2, title="cells"), sample="b.fcs")
    assert caught.value.code == "E144"


def test_an_ellipsoid_whose_covariance_is_not_symmetric_is_decided_by_the_formula_with_a_finding() -> None:
    covariance = np.array([[8.0, 1.0], [3.0, 6.0]])
    rows = "".join(
        "<gating:row>" + "".join(f'<gating:entry data-type:value="{value}"/>' for value in row) + "</gating:row>"
        for row in covariance
    )
    sides = "".join(
        f'<gating:dimension gating:compensation-ref="uncompensated"><data-type:fcs-dimension data-type:name="{name}"/>'
        "</gating:dimension>"
        for name in ("FSC-A", "SSC-A")
    )
    mean = "".join(f'<gating:coordinate data-type:value="{value}"/>' for value in (4, 5))
    document = _read(
        f'<gating:EllipsoidGate gating:id="e">{sides}<gating:mean>{mean}</gating:mean><gating:covarianceMatrix>{rows}'
        '</gating:covarianceMatrix><gating:distanceSquare data-type:value="1"/></gating:EllipsoidGate>'
    )
    offsets = np.column_stack([EVENTS.column("FSC-A") - 4, EVENTS.column("SSC-A") - 5])
    inside = np.einsum("ij,jk,ik->i", offsets, np.linalg.inv(covariance), offsets) <= 1
    populations = walk(EVENTS, document.template)
    assert inside.sum() == 3
    assert populations["e"].mask.tolist() == inside.tolist()
    assert "W271" in [finding.code for finding in populations.findings]
    assert "bounds no ellipsoid" in document.losses[0]
