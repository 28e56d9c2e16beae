"""Markers find their channels, and never a wrong one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cytocar.errors.tree import PanelError
from cytocar.fcs.events import Channel
from cytocar.fcs.reader import open_fcs
from cytocar.regions.boxes import RangeGate
from cytocar.signals.marker import Marker, Ratio
from cytocar.signals.panel import UNMIX_FIRST, resolve
from cytocar.template.model import Population, Template

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def _find(panel: Mapping[str, Marker], channels: Sequence[tuple[str, str | None]], **settled: str) -> dict[str, str]:
    gate = RangeGate(marker=next(iter(panel)), min=0)
    template = Template(name="t", version="1.0.0", panel=dict(panel), populations=(Population(name="p", gate=gate),))
    table = [Channel(index, detector, marker) for index, (detector, marker) in enumerate(channels)]
    return {name: channel.detector for name, channel in resolve(template.panel, table, overrides=settled).items()}


def _marker(*aliases: str, detectors: tuple[str, ...] = ()) -> Marker:
    return Marker(aliases=aliases, detectors=detectors)


# Labels of real files: an LSR II, two OMIP-021 donors, an index-sorted Aria, and what FACSDiva users write.
@pytest.mark.parametrize(
    ("alias", "label"),
    [
        ("CD3", "CD3"),
        ("CD3", "cd-3"),
        ("CD3", "BV785 - CD3"),
        ("CD8b", "APC - CD8b"),
        ("CD8", "CD8 APC-H7"),
        ("CD8", "CD8 APC H7-A"),
        ("CD4", "CD4 V450"),
        ("CD2", "CD2 PE-Cy7"),
        ("CD3", "Alexa Fluor 488 CD3"),
        ("CD45RA", "PerCP-Cy55 - CD45RA"),
        ("CD19-Fc", "CD19 Fc PE"),
        ("CD19Fc", "PE CD19-Fc"),
        ("viability", "L/D Aqua - Viability"),
        ("viability", "viability;7-AAD;695/40@488/A"),
        ("7-AAD", "viability;7-AAD;695/40@488/A"),
        ("CD21", "CD21;FITC;530/30@488/B"),
        ("7-AAD", "7AAD"),
        ("7-AAD", "7-AAD PerCP-Cy5-5"),
        ("VIVID/CD14", "VIVID / CD14"),
        ("CD3", "Comp-CD3"),
        ("CD3", "<CD3>"),
        ("TCR Va7", "PE - TCR Va7"),
        ("CD45", "CD45 V500-C"),
        ("CD4", "CD4 BD Horizon V450"),
        ("CD3", "CD3 APC-A750"),
        ("CD8", "CD8 PerCP-Vio700"),
        ("viability", "Fixable Viability Dye eFluor 780"),
        ("viability", "Ghost Dye Red 780 viability"),
        ("Zombie", "Zombie NIR"),
        ("CD27", "CD27 Brilliant Violet 421-A"),
    ],
)
def test_an_alias_matches_a_label_whatever_fluorochrome_stands_beside_it(alias: str, label: str) -> None:
    assert _find({"M": _marker(alias)}, [("X-A", label), ("Y-A", "EMPTY")]) == {"M": "X-A"}


@pytest.mark.parametrize(
    ("alias", "label"),
    [
        ("CD4", "CD45"),
        ("CD4", "CD45RA"),
        ("CD45", "CD45RA"),
        ("CD45", "CD45 RA"),
        ("CD3", "CD38"),
        ("CD3", "CD33"),
        ("CD8", "CD8a"),
        ("CD8", "CD4 CD8"),
        ("CD14", "VIVID / CD14"),
        ("CD19", "CD19-Fc PE"),
        ("CAR", "CD19 CAR"),
        ("PE", "CD19-Fc PE"),
        ("FITC", "CD3 FITC"),
        ("CD3", "CD3 CD19"),
        ("CD3", "TCR CD3e"),
        ("IL-17", "IL-17F"),
        ("HLA", "HLA-DR"),
        ("CCR7", "CCR7/CD45RA"),
    ],
)
def test_an_alias_does_not_match_another_marker(alias: str, label: str) -> None:
    with pytest.raises(PanelError) as caught:
        _find({"M": _marker(alias)}, [("X-A", label), ("Y-A", "other")])
    assert caught.value.code == "E040"


def test_labels_come_before_detectors() -> None:
    found = _find({"CD3": _marker("CD3", detectors=("FITC-A",))}, [("FITC-A", "CD19"), ("APC-A", "CD3")])
    assert found == {"CD3": "APC-A"}


def test_a_detector_answers_where_no_label_does() -> None:
    found = _find({"CD3": _marker("CD3", detectors=("FITC-A", "FL1-A"))}, [("FL1-A", None), ("FL2-A", "")])
    assert found == {"CD3": "FL1-A"}


def test_wrappings_around_a_detector_do_not_count() -> None:
    panel = {"CD3": _marker(detectors=("FITC-A",)), "7-AAD": _marker(detectors=("PerCP-Cy5-5-A",))}
    assert _find(panel, [("Comp-FITC-A", None), ("<PerCP-Cy5.5-A>", None)]) == {
        "CD3": "Comp-FITC-A",
        "7-AAD": "<PerCP-Cy5.5-A>",
    }


def test_a_marker_without_names_answers_to_its_own() -> None:
    assert _find({"FSC-A": Marker()}, [("FSC-H", None), ("FSC-A", None)]) == {"FSC-A": "FSC-A"}


def test_unmixed_channels_that_only_have_a_detector_name_answer_to_aliases() -> None:
    assert _find({"CD8": _marker("CD8", "CD8a")}, [("CD4", None), ("CD8a", "")]) == {"CD8": "CD8a"}


def test_the_area_channel_is_meant_when_area_height_and_width_share_a_label() -> None:
    channels = [("FITC-H", "CD3"), ("FITC-A", "CD3"), ("FITC-W", "CD3"), ("PE-A", "CAR")]
    assert _find({"CD3": _marker("CD3")}, channels) == {"CD3": "FITC-A"}
    assert _find({"FITC": _marker("FITC")}, [("FL1-H", "FITC-H"), ("FL1-A", "FITC-A")]) == {"FITC": "FL1-A"}


def test_two_channels_with_the_same_label_are_an_error_that_lists_both() -> None:
    with pytest.raises(PanelError) as caught:
        _find({"CD3": _marker("CD3")}, [("FITC-A", "CD3"), ("APC-A", "CD3 APC")])
    assert caught.value.code == "E041"
    assert "FITC-A (CD3), APC-A (CD3 APC)" in str(caught.value)
    assert "--marker CD3=CHANNEL" in caught.value.hint, "a person chooses, not the order of the channels"


def test_an_override_settles_which_channel_is_meant() -> None:
    channels = [("FITC-A", "CD3"), ("APC-A", "CD3 APC")]
    assert _find({"CD3": _marker("CD3")}, channels, CD3="apc-a") == {"CD3": "APC-A"}


def test_every_fault_of_a_panel_is_in_one_message() -> None:
    panel = {"CD3": _marker("CD3"), "CD4": _marker("CD4"), "CAR": _marker("CAR")}
    with pytest.raises(PanelError) as caught:
        _find(panel, [("A-A", "CD4"), ("B-A", "CD4")], CAR="PE-A", CDX="PE-A")
    message = str(caught.value)
    assert "CD3 has no channel" in message
    assert "CD4 has several channels" in message
    assert "CAR has no channel: looked for PE-A" in message
    assert "--marker CDX" in message


def test_an_optional_marker_may_be_absent() -> None:
    panel = {"CD3": _marker("CD3"), "CD56": Marker(aliases=("CD56",), optional=True)}
    assert _find(panel, [("FITC-A", "CD3")]) == {"CD3": "FITC-A"}


def test_a_detector_that_the_file_labels_as_another_marker_is_not_taken_silently() -> None:
    panel = {"CD8": _marker("CD8"), "CAR": _marker("CAR", detectors=("APC-A",))}
    with pytest.raises(PanelError) as caught:
        _find(panel, [("APC-A", "CD8"), ("PE-A", None)])
    assert caught.value.code == "E042"


def test_raw_spectral_detectors_are_to_be_unmixed_unless_the_template_does_it() -> None:
    raw = [(f"{laser}{number}-A", None) for laser in ("V", "B", "YG", "R") for number in range(1, 9)]
    with pytest.raises(PanelError, match="raw spectral detectors") as caught:
        _find({"CD19": _marker("CD19")}, raw)
    assert (caught.value.code, caught.value.hint) == ("E040", UNMIX_FIRST)
    with pytest.raises(PanelError) as caught:
        _find({"CD19": Marker(fluorochrome="PE"), "FSC-A": Marker()}, raw)
    assert "--marker FSC-A=CHANNEL" in caught.value.hint


def test_a_ratio_has_no_channel_of_its_own() -> None:
    panel = {"A": Marker(), "B": Marker(), "R": Marker(ratio=Ratio(numerator="A", denominator="B"))}
    assert _find(panel, [("A", None), ("B", None)]) == {"A": "A", "B": "B"}


# Labels and detectors as they stand in real files: PBMC on an LSR II, two OMIP-021 donors, unmixed spectral data.
@pytest.mark.parametrize(
    ("file", "panel", "expected"),
    [
        (
            "tcell_human/100715.fcs",
            {
                "CD3": _marker("CD3"),
                "CD4": _marker("CD4"),
                "CD8": _marker("CD8"),
                "CD45RO": _marker("CD45RO"),
                "viability": _marker("ViViD/CD14"),
                "FSC-A": Marker(),
            },
            {
                "CD3": "R780-A",
                "CD4": "V655-A",
                "CD8": "V800-A",
                "CD45RO": "R660-A",
                "viability": "V450-A",
                "FSC-A": "FSC-A",
            },
        ),
        (
            "tcell_human/cytopipeline_omip021/Donor1.fcs",
            {
                "CD3": _marker("CD3"),
                "CD4": _marker("CD4"),
                "CD8": _marker("CD8a"),
                "CD27": _marker("CD27"),
                "viability": _marker("viability"),
            },
            {
                "CD3": "670/30Violet-A",
                "CD4": "780/60Red-A",
                "CD8": "585/15Violet-A",
                "CD27": "610/20Violet-A",
                "viability": "525/50Violet-A",
            },
        ),
        (
            "tcell_human/wakaflocka_spectral_pbmc/PBMC_spectral_UNMIXED.fcs",
            {"CD3": _marker("CD3"), "CD4": _marker("CD4"), "viability": _marker("Viability")},
            {"CD3": "CD3", "CD4": "CD4", "viability": "Viability"},
        ),
    ],
)
def test_markers_are_found_in_real_files(
    file: str, panel: Mapping[str, Marker], expected: Mapping[str, str], shared_data: Path
) -> None:
    channels = [(channel.detector, channel.marker) for channel in open_fcs(shared_data / file).channels]
    assert _find(panel, channels) == expected


def test_a_real_file_says_which_channels_it_has_instead(shared_data: Path) -> None:
    channels = [(c.detector, c.marker) for c in open_fcs(shared_data / "tcell_human" / "100715.fcs").channels]
    with pytest.raises(PanelError) as caught:
        _find({"CD14": _marker("CD14")}, channels)
    assert caught.value.code == "E040"
    assert "(perhaps V450-A (VIVID / CD14)?)" in str(caught.value)
    assert "--marker CD14=CHANNEL" in caught.value.hint
