"""What inspect says about a file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cytocar import gate, load_template
from cytocar.errors.tree import CompensationError
from cytocar.fcs.events import Channel, EventTable, FloatArray
from cytocar.sample.inspection import as_json, inspect_file, report_on
from cytocar.sample.suited import suited_templates
from cytocar.simulate import Preparation, blood_tube
from tests.fcs.files import floats, integers


def test_a_report_holds_what_a_person_wants_to_know(tmp_path: Path) -> None:
    keywords = {
        "$P1S": "CD3", "$P2V": "512", "$CYT": "Aurora", "$VOL": " 30", "$DATE": "01-JAN-2024", "$BTIM": "10:00:00",
        "$ETIM": "10:02:00", "WELL ID": "B3", "$SRC": "Jane Doe", "$SPILLOVER": "2,FITC-A,PE-A,1,0.1,0.02,1",
    }  # fmt: skip
    path = floats([[1, 2], [3, 4]], names=["FITC-A", "PE-A"], keywords=keywords).write(tmp_path / "a.fcs")
    (report,) = inspect_file(path, sums=True)
    assert (report.events, report.well, report.date) == (2, "B03", "2024-01-01T10:00:00")
    assert report.volume is not None
    assert (report.volume.ul, report.volume.rule) == (30, "$VOL in µL (Cytek)")
    assert report.spillover is not None
    assert report.spillover.detectors == ("FITC-A", "PE-A")
    assert [(channel.marker, channel.sum, channel.voltage) for channel in report.channels] == [
        ("CD3", 4, None),
        (None, 6, 512),
    ]
    assert report.identifying_keywords == ("$SRC",)
    assert "Jane" not in json.dumps(as_json(report))


def test_sums_are_of_linear_values_and_of_stored_ones(tmp_path: Path) -> None:
    path = integers([[256, 256]], "<u2", keywords={"$P1R": "1024", "$P1E": "4,1", "$P2G": "2"}).write(
        tmp_path / "a.fcs"
    )
    (report,) = inspect_file(path, sums=True)
    assert [channel.sum for channel in report.channels] == [pytest.approx(10), 128]
    assert [channel.stored_sum for channel in report.channels] == [256, 256]
    assert [channel.amplification for channel in report.channels] == [(4, 1), None]
    assert [repair.code for repair in report.repairs] == []


def test_a_data_set_that_cannot_be_read_is_a_warning_of_the_one_that_can(tmp_path: Path) -> None:
    first = floats([[1, 2]], keywords={"$NEXTDATA": "2064"}).build()
    path = tmp_path / "a.fcs"
    path.write_bytes(first + floats([[1, 2]], keywords={"$MODE": "U"}).build())
    (report,) = inspect_file(path)
    assert [warning.code for warning in report.warnings] == ["W216"]


def test_what_json_cannot_write_is_null(tmp_path: Path) -> None:
    path = floats([[np.nan, 1], [np.inf, 2]]).write(tmp_path / "a.fcs")
    (report,) = inspect_file(path, sums=True)
    first = as_json(report)["channels"][0]
    assert [first["sum"], first["non_finite"]] == [None, 2]


def test_what_the_keywords_do_not_tell_for_certain_is_a_problem_and_no_error(tmp_path: Path) -> None:
    keywords = {"WELL ID": "B3", "$VOL": "30", "$BTIM": "10:00:00", "$ETIM": "10:02:00", "$SPILLOVER": "2,A,B,1"}
    (report,) = inspect_file(floats([[1, 2]], keywords=keywords).write(tmp_path / "x_A1_A01.fcs"))
    assert sorted(problem.code for problem in report.problems)[:2] == ["E024", "E025"]
    assert len(report.problems) == 3


def test_the_nearest_template_is_named_with_what_it_lacks() -> None:
    dyes = {"FITC-A": "CD3", "APC-A": "CD4", "PE-A": "ViViD"}
    columns = {name: [1.0, 2.0] for name in ("FSC-A", "SSC-A", *dyes)}
    report = report_on(EventTable.from_columns(columns, markers=dyes))
    assert report.nearest_template == "tcell"
    assert report.nearest_lacks == ("CD8",)


@pytest.mark.parametrize(
    ("keywords", "fits"),
    [
        ({}, False),
        ({"$SPILLOVER": "3,FITC-A,APC-A,PE-A,1,0,0,0,1,0,0,0,1"}, False),
        ({"$SPILLOVER": "3,FITC-A,APC-A,PE-A,1,0,0.2,0,1,0,0.02,0,1"}, True),
    ],
)
def test_a_template_that_would_ask_for_a_matrix_does_not_fit_unmixed_files(
    keywords: dict[str, str], *, fits: bool
) -> None:
    dyes = {"FITC-A": "CD3", "APC-A": "CD4", "PE-A": "CD8"}
    columns = {name: [1.0, 2.0] for name in ("FSC-A", "SSC-A", *dyes)}
    events = EventTable.from_columns(columns, markers=dyes, keywords=keywords)
    report = report_on(events)
    assert ("tcell" in report.templates) == fits
    if not fits:
        assert (report.nearest_template, report.nearest_lacks) == ("tcell", ("spillover matrix",))
        with pytest.raises(CompensationError):
            gate(events, load_template("tcell"))


def test_a_file_without_names_is_near_to_no_template() -> None:
    report = report_on(EventTable.from_columns({name: [1.0] for name in ("FSC-A", "FSC-H", "SSC-A", "FITC-A")}))
    assert report.nearest_template is None
    unlabelled = ("FITC-A", "PE-A", "PE-Cy7-A", "APC-H7-A", "V450-A", "V500-A", "7-AAD-A", "FSC-A", "FSC-H", "SSC-A")
    events = EventTable.from_columns({name: [1.0] for name in unlabelled})
    assert suited_templates(events) == (), "detectors of another laboratory are no names"
    assert report_on(events).nearest_template is None


def test_a_detector_that_is_named_after_something_else_does_not_stand_in() -> None:
    markers = {
        "FITC-A": "CD3",
        "APC-H7-A": "CD8",
        "V450-A": "CD4",
        "V500-A": "CD45",
        "7-AAD-A": "7-AAD",
        "PE-A": "ICOS",
    }
    columns = {name: [1.0] for name in (*markers, "FSC-A", "FSC-H", "SSC-A")}
    spill = {"$SPILLOVER": "3,FITC-A,V450-A,PE-A,1,0,0.2,0,1,0,0.02,0,1"}
    events = EventTable.from_columns(columns, markers=markers, keywords=spill)
    assert [one.name for one in suited_templates(events)] == ["tcell"]


def test_templates_are_proposed_that_find_t_cells_and_read_most_of_the_panel_first() -> None:
    tube = blood_tube(car_per_ul=300, preparation=Preparation(sample_volume_ul=50, drawn_share=0.05), seed=5).events
    suited = suited_templates(tube)
    assert suited[0].name == "cart-cd19fc"
    assert [one.markers for one in suited] == sorted((one.markers for one in suited), reverse=True)
    assert all(one.t_cells and not one.refused for one in suited)

    def dimmed(channel: Channel) -> FloatArray:
        return tube.column(channel) * (1e-3 if channel.is_fluorescence else 1)

    dim = EventTable.from_columns(
        {channel.detector: dimmed(channel) for channel in tube.channels},
        markers={channel.detector: channel.marker for channel in tube.channels if channel.marker},
        keywords={"$SPILLOVER": tube.keywords["$SPILLOVER"]},
    )
    report = report_on(dim)
    assert report.templates == ()
    assert {one.refused for one in report.tried} == {"no T cells are found"}
    assert report_on(dim, tried=False).templates == tuple(one.name for one in suited)


def test_real_files_are_offered_only_what_finds_t_cells_in_them(shared_data: Path) -> None:
    folder = shared_data / "tcell_human"
    assert inspect_file(folder / "100715.fcs")[0].templates == ("tcell-basic",)
    (report,) = inspect_file(folder / "more" / "canto_tbnk.fcs")
    assert report.templates == ("tbnk", "tcell")
    (aurora,) = inspect_file(folder / "more" / "aurora_unmixed_INF071.fcs")
    assert aurora.spillover is not None
    assert aurora.spillover.identity
    assert inspect_file(folder / "more" / "activation_10.fcs")[0].nearest_template is None
