"""Names of channels, as laboratories write them, lead to the marker that they mean and to no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from cytocar.errors.tree import UsageError
from cytocar.fcs.events import Channel
from cytocar.fit.names import alias_book, candidates, is_fluorescence, markers_of, pulse_of
from cytocar.fit.panel import find_panel

BOOK = alias_book()


@pytest.mark.parametrize(
    ("label", "marker"),
    [
        ("CD3", "CD3"),
        ("cd3 PE-A", "CD3"),
        ("BV785 - CD3", "CD3"),
        ("110_114-CD3", "CD3"),
        ("CD3_Er170", "CD3"),
        ("CD 3 FITC", "CD3"),
        ("Leu-4 FITC", "CD3"),
        ("anti-hCD4", "CD4"),
        ("huCD8a PE", "CD8"),
        ("NKH-1 PE", "CD56"),
        ("ViaDye Red", "viability"),
        ("ViaKrome 808", "viability"),
        ("APCCy7 - CD4", "CD4"),
        ("CD8α", "CD8"),
        ("CD8b", "CD8b"),
        ("cd45 VioBlue-A", "CD45"),
        ("CD45.2", "CD45"),
        ("L/D Aqua - Viability", "viability"),
        ("l/d", "viability"),
        ("7-AAD-A", "viability"),
        ("viability;7-AAD;695/40@488/A", "viability"),
        ("CD19;APC-H7;780/60@640/A", "CD19"),
        ("CD19-Fc PE", "CAR"),
        ("BCMA-Fc", "CAR"),
        ("anti-FMC63 scFv AF647", "CAR"),
        ("Protein L", "CAR"),
        ("tEGFR", "CAR"),
        ("CAR ID", "CAR"),
        ("Dump", "dump"),
        ("Lineage-", "dump"),
        ("CD3FITC", "CD3"),
        ("CD4PE-Cy7", "CD4"),
        ("CD8aAPC", "CD8"),
        ("CD8BV785", "CD8"),
        ("mCD4", "CD4 of the mouse"),
        ("mouse CD4", "CD4 of the mouse"),
        ("CD3VioBlue", "CD3"),
        ("CD4A700", "CD4"),
        ("CD8SB436", "CD8"),
        ("CD3pos", "CD3"),
        ("sCD3 FITC", "CD3"),
        ("FITC CD3 UCHT1", "CD3"),
        ("FL1 LOG:CD3 FITC", "CD3"),
        ("Dead cells", "viability"),
    ],
)
def test_a_label_names_one_marker(label: str, marker: str) -> None:
    assert markers_of(label, BOOK) == (marker,)


@pytest.mark.parametrize(
    "label",
    [
        "CD45RA-PE",
        "CD 45RA",
        "CD33",
        "CD34 PE",
        "CD38",
        "CD44",
        "CD41b",
        "CD45RA",
        "CD45 RO",
        "CD85j",
        "CD3-zeta",
        "PE-A",
        "EMPTY",
        "FL1 LinA",
    ],
)
def test_a_label_of_another_marker_names_none(label: str) -> None:
    assert markers_of(label, BOOK) == ()


def test_a_mouse_panel_is_known_and_the_mouse_beside_human_cells_left_alone() -> None:
    mouse = [Channel(at, f"D{at}-A", label) for at, label in enumerate(["mCD3", "mCD4", "msCD8a", "mCD45"])]
    found = find_panel(mouse, BOOK).channels
    assert {marker: channel.marker for marker, channel in found.items()} == {
        "CD3": "mCD3",
        "CD4": "mCD4",
        "CD8": "msCD8a",
        "CD45": "mCD45",
    }
    both = [*mouse, *(Channel(at + 4, f"E{at}-A", label) for at, label in enumerate(["hCD3", "CD4", "CD8", "hCD45"]))]
    assert {channel.marker for channel in find_panel(both, BOOK).channels.values()} == {"hCD3", "CD4", "CD8", "hCD45"}


def test_two_markers_on_one_detector_are_both_read() -> None:
    assert markers_of("CD16+56", BOOK) == ("CD16", "CD56")
    assert markers_of("VIVID / CD14", BOOK) == ("viability", "CD14")
    assert markers_of("CD16/56 PE", BOOK) == markers_of("CD16CD56", BOOK) == ("CD16", "CD56")
    assert markers_of("CD3/19", BOOK) == ("CD3", "CD19")


def test_a_detector_for_either_of_two_dyes_is_no_viability_channel() -> None:
    assert candidates([Channel(0, "PI/PE-Cy5-A")], BOOK) == {}
    assert list(candidates([Channel(0, "7-AAD-A")], BOOK)) == ["viability"]


@pytest.mark.parametrize(
    ("detectors", "chosen"),
    [
        (("488 FITC LogH", "488 FITC LogA", "488 FITC LinH", "488 FITC LinA"), "488 FITC LinA"),
        (("GRN-B-HLog", "GRN-B-W", "GRN-B-HLin"), "GRN-B-HLin"),
        (("FL1 PEAK LOG", "FL1 INT LOG"), "FL1 INT LOG"),
        (("FITC Height", "FITC Area"), "FITC Area"),
    ],
)
def test_of_the_measures_of_one_pulse_the_linear_area_is_taken(detectors: tuple[str, ...], chosen: str) -> None:
    channels = [Channel(at, name, "CD3") for at, name in enumerate(detectors)]
    assert [channel.detector for channel in candidates(channels, BOOK)["CD3"]] == [chosen]


def test_a_label_goes_before_the_name_of_its_detector() -> None:
    assert candidates([Channel(0, "7-AAD-A", "CD33")], BOOK) == {}


@pytest.mark.parametrize(
    ("name", "forward", "measure"),
    [
        ("FSC-A", True, "A"),
        ("FSC - Area", True, "A"),
        ("FSC-Height", True, "H"),
        ("FS PEAK LIN", True, "H"),
        ("FSC", True, ""),
        ("SS", False, ""),
        ("SSC-W", False, "W"),
        ("FSCA", True, "A"),
        ("VSSC-A", False, "A"),
        ("FS00-H", True, "H"),
        ("SS02-A", False, "A"),
        ("BSC-A", False, "A"),
        ("FSC 488/10-A", True, "A"),
        ("FSC488/10-A", True, "A"),
        ("FSC1-A", True, "A"),
        ("FS1", True, ""),
        ("BluSSC", False, ""),
        ("FSC LogH", True, "H"),
        ("FSC-HLin", True, "H"),
        ("Forward Scatter Area", True, "A"),
        ("Side Scatter", False, ""),
        ("LALS", False, ""),
    ],
)
def test_scatter_is_known_by_its_many_names(name: str, forward: bool, measure: str) -> None:
    pulse = pulse_of(Channel(0, name))
    assert pulse is not None
    assert (pulse.forward, pulse.measure) == (forward, measure)


def test_the_clock_and_numbers_of_programs_are_no_dyes() -> None:
    assert not any(is_fluorescence(Channel(0, name)) for name in ("Time", "Original_ID", "Event_length", "FSC-A"))
    assert is_fluorescence(Channel(0, "PE-A"))


def test_a_laboratory_adds_its_own_names(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('[CAR]\nnames = ["Reagent 7"]\n')
    assert markers_of("Reagent 7 PE", alias_book(mine)) == ("CAR",)
    assert markers_of("CD19-Fc", alias_book(mine)) == ("CAR",)


def test_a_book_that_is_no_table_of_names_is_refused(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('[CAR]\nname = "Reagent 7"\n')
    with pytest.raises(UsageError, match=r"mine\.toml") as caught:
        alias_book(mine)
    assert caught.value.code == "E203"
