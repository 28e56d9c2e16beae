"""A panel is settled by names or by a person, never by a guess."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from cytocar.errors.tree import PanelError
from cytocar.fcs.events import Channel
from cytocar.fit.names import alias_book
from cytocar.fit.panel import FoundPanel, find_panel

BOOK = alias_book()


def _panel(names: Mapping[str, str | None], **settled: str) -> FoundPanel:
    channels = [Channel(index, detector, label) for index, (detector, label) in enumerate(names.items())]
    return find_panel(channels, BOOK, settled=settled)


def _detectors(panel: FoundPanel) -> dict[str, str]:
    return {marker: channel.detector for marker, channel in panel.channels.items()}


def test_a_file_without_names_is_refused_with_a_command_that_assigns_nothing_until_it_is_filled_in() -> None:
    nameless = {"FSC-A": None, "FITC-A": None, "PE-A": None, "APC-A": None}
    with pytest.raises(PanelError) as caught:
        _panel(nameless)
    assert caught.value.code == "E200"
    assert "FITC-A, PE-A, APC-A" in caught.value.message
    assert "--marker CD3=DETECTOR --marker CD4=DETECTOR --marker CD8=DETECTOR" in caught.value.hint
    assert not any(detector in caught.value.hint for detector in nameless)
    with pytest.raises(PanelError, match="no such detector") as caught:
        _panel(nameless, CD3="DETECTOR", CD4="DETECTOR", CD8="DETECTOR")
    assert caught.value.code == "E202"
    assert "FITC-A, PE-A, APC-A" in caught.value.message


def test_what_a_person_settles_goes_before_names() -> None:
    panel = _panel({"FITC-A": None, "PE-A": "CD3"}, CD3="FITC-A")
    assert _detectors(panel) == {"CD3": "FITC-A"}


def test_two_channels_of_one_marker_are_asked_about() -> None:
    names = {"FL2-H": "CD8 B PE", "FL3-H": "CD3 PerCP", "FL4-H": "CD8 APC"}
    with pytest.raises(PanelError) as caught:
        _panel(names)
    assert caught.value.code == "E201"
    assert "FL2-H (CD8 B PE), FL4-H (CD8 APC)" in caught.value.message
    assert "--marker CD8=DETECTOR" in caught.value.hint
    assert _detectors(_panel(names, CD8="FL4-H"))["CD8"] == "FL4-H"


def test_cd8a_goes_before_cd8b_and_cd8b_alone_is_taken_with_a_note() -> None:
    assert _detectors(_panel({"A": "CD8a", "B": "CD8b"})) == {"CD8": "A"}
    alone = _panel({"B": "CD8b"})
    assert _detectors(alone) == {"CD8": "B"}
    assert "CD8b alone misses NK" in alone.notes[0]


def test_areas_go_before_heights_of_one_detector() -> None:
    assert _detectors(_panel({"FL1-H": "CD3", "FL1-A": "CD3"})) == {"CD3": "FL1-A"}


def test_files_with_heights_only_use_them_for_scatter_and_have_no_second_pulse() -> None:
    assert _detectors(_panel({"FSC-H": None, "SSC-H": None, "FL1-H": "CD3"})) == {
        "FSC-A": "FSC-H",
        "SSC-A": "SSC-H",
        "CD3": "FL1-H",
    }


def test_area_and_height_are_of_one_detector() -> None:
    names = {"VSSC-H": None, "VSSC-A": None, "SSC-A": None, "FS00-A": None, "FS00-H": None, "PE-A": "CD3"}
    found = _detectors(_panel(names))
    assert (found["SSC-A"], found["FSC-A"], found["FSC-H"]) == ("SSC-A", "FS00-A", "FS00-H")
    assert "SSC-H" not in found


def test_a_second_side_scatter_does_not_take_the_place_of_the_first() -> None:
    assert _detectors(_panel({"SSC-B-A": None, "SSC-A": None, "BV421-A": "CD3"}))["SSC-A"] == "SSC-A"


def test_an_optional_marker_with_two_channels_is_left_out_and_that_is_said() -> None:
    panel = _panel({"A": "CD3", "B": "Viability", "C": "DAPI"})
    assert "viability" not in panel
    assert panel.notes == ("viability is left out: B (Viability), C (DAPI) may be it; settle it with --marker",)


def test_a_settled_detector_that_is_not_there_is_an_error_with_the_list() -> None:
    with pytest.raises(PanelError, match="no such detector") as caught:
        _panel({"FITC-A": None}, CD3="PE-A")
    assert caught.value.code == "E202"


def test_raw_spectral_detectors_are_called_so() -> None:
    with pytest.raises(PanelError, match="raw spectral detectors") as caught:
        _panel({f"{laser}{number}-A": None for laser in "VBR" for number in range(1, 11)})
    assert "unmix" in caught.value.hint


def test_a_plain_name_beside_an_area_is_the_height() -> None:
    panel = _panel({"FSC": None, "FSCW": None, "FSCA": None, "SSC": None, "FL1": "CD3"})
    scatter = {name: detector for name, detector in _detectors(panel).items() if name[1:3] == "SC"}
    assert scatter == {"FSC-A": "FSCA", "FSC-H": "FSC", "FSC-W": "FSCW", "SSC-A": "SSC"}


def test_a_marker_that_shares_its_dye_is_left_out_with_the_reason() -> None:
    panel = _panel({"FL1": "CD3/CD19", "FL2": "CD4", "FL3": "CD8"})
    assert "CD3" not in panel
    assert panel.notes == ("CD3 is left out: on FL1 (CD3/CD19) it shares a dye with another marker",)
