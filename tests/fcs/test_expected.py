"""Real files of many instruments, against what other readers found in them (``expected.json`` beside the files)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cytocar import EventTable, open_fcs
from cytocar.errors.tree import ReadError
from cytocar.fcs.decode import as_stored
from cytocar.fcs.reader import samples_in

REFUSED = {
    "fcs/fcsparser/corrupted.fcs": "E012",
    "fcs/fcmcmp/EMPTY_Specimen_001_C1_C01_003.fcs": "E011",
    "fcs/fcsparser/sample_header.fcs": "E018",
    "fcs/isac_reference/fcsdata/invalid-bad_data_set_type.fcs": "E017",
}
DECIDED = {  # where readers disagree, the ISAC description or a decoder written from the standard is right
    "fcs/isac_reference/fcsdata/double-5_events.fcs": "manual_numpy_masked",
    "fcs/isac_reference/fcsdata/float-1_event.fcs": "flowio_raw",
    "fcs/isac_reference/transformation/float-1_event.fcs": "flowio_raw",
    "fcs/isac_reference/compensation/int-10_events_8_parameters.fcs": "fcsparser",
    "fcs/flowio/data_start_offset_discrepancy_example.fcs": "flowio_raw",
    "fcs/flowio/data_stop_offset_discrepancy_example.fcs": "flowio_raw",
}


def sums(events: EventTable) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    stored = as_stored(events)
    total: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = stored.columns(stored.channels).sum(axis=0)
    return total


@pytest.fixture(scope="module")
def expected(shared_data: Path) -> dict[str, dict[str, Any]]:
    content: dict[str, dict[str, Any]] = json.loads((shared_data / "expected.json").read_text("utf-8"))
    return content


def test_every_file_is_read_as_the_readers_agree_or_refused_with_a_reason(
    shared_data: Path, expected: dict[str, dict[str, Any]]
) -> None:
    wrong = []
    for name, entry in expected.items():
        if name in REFUSED or name.endswith(".lmd"):
            continue
        answers = {reader: answer for reader, answer in entry["readers"].items() if "error" not in answer}
        if name in DECIDED:
            answers = {DECIDED[name]: answers[DECIDED[name]]}
        events = open_fcs(shared_data / name)
        for reader, answer in _agreeing(answers).items():
            names = [detector or f"P{n}" for n, detector in enumerate(answer["pnn"] or [], 1)]
            if answer["events"] != events.n_events:
                wrong.append(f"{name}: {events.n_events} events, {reader} has {answer['events']}")
            elif names and names != [channel.detector for channel in events.channels]:
                wrong.append(f"{name}: names differ from {reader}")
            elif not np.allclose(sums(events), answer["sum"], rtol=1e-6, equal_nan=True):
                wrong.append(f"{name}: sums differ from {reader}")
    assert wrong == []


def _agreeing(answers: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The readers that agree with the decoder written from the standard, or all where it has no answer."""
    manual = answers.get("manual_numpy_masked")
    if manual is None:
        return answers
    return {
        reader: answer
        for reader, answer in answers.items()
        if answer["sum"] == manual["sum"] or reader == "manual_numpy_masked"
    }


@pytest.mark.parametrize(("name", "code"), REFUSED.items())
def test_what_cannot_be_read_correctly_is_refused(shared_data: Path, name: str, code: str) -> None:
    with pytest.raises(ReadError) as caught:
        open_fcs(shared_data / name)
    assert caught.value.code == code


def test_the_same_events_at_two_resolutions_are_one_sample(shared_data: Path) -> None:
    path = shared_data / "fcs/flowio/coulter.lmd"
    events = open_fcs(path)
    assert (events.n_events, events.version, events.channels[0].range) == (18_110, "FCS3.0", 1_048_576)
    assert samples_in(path) == (None,)
    assert open_fcs(path, data_set=1).channels[2].decades == 4


def test_four_data_sets_are_four_samples_with_the_events_that_their_description_lists(shared_data: Path) -> None:
    path = shared_data / "fcs/isac_reference/faceflow/int-4_ds_2_events_2_parameters.fcs"
    assert samples_in(path) == (1, 2, 3, 4)
    first = [open_fcs(path, data_set=number).column("AS")[0] for number in (1, 2, 3, 4)]
    assert first == [170, 210, 250, 290]


def test_numbers_written_as_text_are_the_ones_that_isac_lists(shared_data: Path) -> None:
    folder = shared_data / "fcs/isac_reference/fcsdata"
    four = open_fcs(folder / "ascii-4_events.fcs")
    np.testing.assert_array_equal(four.columns(four.channels), [[125, 150], [175, 150], [150, 125], [150, 175]])
    unnamed = open_fcs(folder / "ascii-2_events_missing_parameter_names.fcs")
    assert [channel.detector for channel in unnamed.channels] == ["123", "P2", "SSC", "P4"]  # its $P1N
    np.testing.assert_array_equal(unnamed.columns(unnamed.channels), [[125, 150, 175, 150], [150, 125, 150, 175]])


def test_scale_conversion_is_the_one_that_isac_lists(shared_data: Path) -> None:
    events = open_fcs(shared_data / "fcs/isac_reference/fcsdata/int-scale_conversion.fcs")
    values = events.columns(["FS", "LOG"])
    np.testing.assert_allclose(values, [[25.6, 10], [51.2, 100], [76.8, 1000]], rtol=1e-12)


def test_gain_divides_scatter_and_leaves_the_clock_as_stored(shared_data: Path) -> None:
    events = open_fcs(shared_data / "gatingml/data1.fcs")
    stored = as_stored(events)
    np.testing.assert_allclose(events.column("FSC-H"), stored.column("FSC-H") / 3.67)
    np.testing.assert_allclose(events.column("SSC-H"), stored.column("SSC-H") / 8)
    np.testing.assert_array_equal(events.column("Time"), stored.column("Time"))
