"""What newer files say in other keywords: FCS 3.2's well and analyte, Sony's names, TEXT with two delimiters."""

from __future__ import annotations

from pathlib import Path

import pytest

from cytocar.fcs import keywords
from cytocar.fcs.events import Channel, EventTable
from cytocar.fcs.reader import open_fcs
from cytocar.signals.marker import Marker
from cytocar.signals.panel import resolve
from tests.fcs.files import floats


def test_the_location_of_fcs_32_is_the_well_and_the_carrier_the_plate() -> None:
    events = EventTable.from_columns({}, keywords={"$LOCATIONID": "D7", "$CARRIERID": "P-1"})
    assert (keywords.well(events), keywords.plate(events)) == ("D07", "P-1")


def test_the_analyte_of_fcs_32_is_the_marker_where_no_name_is_given(tmp_path: Path) -> None:
    made = floats([[1, 2]], keywords={"$P1ANALYTE": "CD3", "$P2ANALYTE": "CD4", "$P2S": "CD8"}, version="FCS3.2")
    assert [channel.marker for channel in open_fcs(made.write(tmp_path / "a.fcs")).channels] == ["CD3", "CD8"]


@pytest.mark.parametrize("name", ["FSC - Area", "FSC-Area", "FSC Area", "FSC_A"])
def test_a_pulse_measure_may_be_spelled_out(name: str) -> None:
    channels = [Channel(0, name), Channel(1, name.replace("Area", "Height").replace("_A", "_H"))]
    assert resolve({"FSC-A": Marker()}, channels)["FSC-A"].index == 0


def test_the_area_is_meant_where_all_pulse_measures_are_spelled_out_and_share_a_label() -> None:
    channels = [Channel(n, f"FITC - {pulse}", "CD3") for n, pulse in enumerate(("Height", "Area", "Width"))]
    assert resolve({"CD3": Marker()}, channels)["CD3"].detector == "FITC - Area"


@pytest.mark.parametrize("mark", ["!", "\f", "|", "\\"])
def test_supplemental_text_may_have_a_delimiter_of_its_own(tmp_path: Path, mark: str) -> None:
    more = mark.join(["", "$SPILLOVER", "2,C1,C2,1,0.1,0,1", "$P1S", "CD3 a/b", ""]).encode()
    made = floats([[1, 2], [3, 4]])
    first = made.data_at + len(made.data)
    made.tail = more + b"00000000"
    made.keywords = {"$BEGINSTEXT": str(first), "$ENDSTEXT": str(first + len(more) - 1)}
    events = open_fcs(made.write(tmp_path / "a.fcs"))
    assert events.keywords["$SPILLOVER"] == "2,C1,C2,1,0.1,0,1"
    assert events.channels[0].marker == "CD3 a/b"
    assert not any(finding.code == "W210" for finding in events.findings)
