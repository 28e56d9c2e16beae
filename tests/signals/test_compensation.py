"""Spillover matrices: where they come from, what is wrong with them, and that they undo the mixing of dyes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from flowutils import compensate
from hypothesis import given
from hypothesis import strategies as st

from cytocar.errors.tree import CompensationError
from cytocar.signals.compensation import Matrix, SpilloverMatrix, check_plausible

TWO = {"$SPILLOVER": "2,FITC-A,PE-A,1,0.2,-0.01,1"}


def test_compensating_what_was_mixed_gives_back_the_signals() -> None:
    matrix = SpilloverMatrix(("A", "B"), ("A", "B"), np.array([[1, 0.25], [0.5, 1]]))
    signals = np.array([[1000.0, 0.0], [0.0, 80.0], [10.0, 20.0]])
    np.testing.assert_allclose(matrix.compensate(signals @ matrix.values), signals, atol=1e-12)


@given(
    dyes=st.integers(2, 8),
    more_detectors=st.integers(0, 4),
    seed=st.integers(0, 10_000),
)
def test_mixing_then_compensating_is_the_identity(dyes: int, more_detectors: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.eye(dyes, dyes + more_detectors) + rng.uniform(-0.05, 0.3, (dyes, dyes + more_detectors)) / dyes
    detectors = tuple(f"D{index}" for index in range(dyes + more_detectors))
    matrix = SpilloverMatrix(detectors, detectors[:dyes], values)
    signals = rng.lognormal(6, 2, (50, dyes))
    np.testing.assert_allclose(matrix.compensate(signals @ values), signals, rtol=1e-9, atol=1e-6)


def test_a_real_matrix_compensates_as_flowutils_does(shared_data: Path) -> None:
    matrix = SpilloverMatrix.from_csv(shared_data / "compensation/flowkit_test_comp/comp_complete_example.csv")
    measured = np.random.default_rng(1).lognormal(6, 2, (100, len(matrix.detectors)))
    expected = compensate.compensate(measured, matrix.values)
    np.testing.assert_allclose(matrix.compensate(measured), expected, rtol=1e-10, atol=1e-9)


# ---------------------------------------------------------------- keywords


def test_the_keyword_of_a_file_is_read_with_its_negative_entries() -> None:
    matrix = SpilloverMatrix.from_keywords(TWO)
    assert matrix is not None
    assert matrix.detectors == ("FITC-A", "PE-A")
    assert matrix.values.tolist() == [[1.0, 0.2], [-0.01, 1.0]]
    assert matrix.origin == "$SPILLOVER"


@pytest.mark.parametrize("keyword", ["$SPILLOVER", "SPILL", "SPILLOVER", "$COMP"])
def test_every_keyword_that_instruments_use_is_found(keyword: str) -> None:
    matrix = SpilloverMatrix.from_keywords({keyword: " 2 , FITC-A , PE-A , 1 , 0 , 0.5 , 1 "})
    assert matrix is not None
    assert matrix.detectors == ("FITC-A", "PE-A")


@pytest.mark.parametrize("keywords", [{}, {"$SPILLOVER": ""}, {"$SPILLOVER": " "}, {"SPILL": "0"}])
def test_a_file_without_a_matrix_has_none(keywords: dict[str, str]) -> None:
    assert SpilloverMatrix.from_keywords(keywords) is None


def test_channel_numbers_in_place_of_names_are_resolved() -> None:
    keywords = {"$P1N": "FSC-A", "$P2N": "FITC-A", "$P3N": "PE-A", "SPILL": "2,2,3,1,0.1,0,1"}
    matrix = SpilloverMatrix.from_keywords(keywords)
    assert matrix is not None
    assert matrix.detectors == ("FITC-A", "PE-A")


def test_a_comma_at_the_end_is_no_number() -> None:
    assert SpilloverMatrix.from_keywords({"SPILL": "2,A,B,1,0.1,0,1,"}) is not None


def test_a_comp_keyword_without_names_speaks_of_the_first_channels() -> None:
    matrix = SpilloverMatrix.from_keywords({"$P1N": "FL1", "$P2N": "FL2", "$COMP": "2,1,0.1,0,1"})
    assert matrix is not None
    assert matrix.detectors == ("FL1", "FL2")


def test_two_keywords_that_say_the_same_are_one_matrix() -> None:
    assert SpilloverMatrix.from_keywords({**TWO, "SPILL": "2,PE-A,FITC-A,1,-0.01,0.2,1"}) is not None


def test_two_keywords_that_disagree_are_refused() -> None:
    with pytest.raises(CompensationError, match=r"\$SPILLOVER and SPILL") as caught:
        SpilloverMatrix.from_keywords({**TWO, "SPILL": "2,FITC-A,PE-A,1,0.3,-0.01,1"})
    assert caught.value.code == "E052"


@pytest.mark.parametrize(
    ("text", "code", "why"),
    [
        ("2,FITC-A,PE-A,1,0,0", "E053", "4 numbers, it has 3"),
        ("6,FL2-A,FL2-H,FL4-A,FL4-H,FL7-A,FL7-H", "E053", "it has 0"),
        ("FITC-A,PE-A,1,0,0,1", "E053", "starts with 'FITC-A'"),
        ("2,FITC-A,PE-A,1,0,zero,1", "E053", "'zero' is not a number"),
        ("2,FITC-A,PE-A,1,nan,0,1", "E053", "not finite"),
        ("2,FITC-A,FITC-A,1,0,0,1", "E053", "more than once"),
        ("2,FITC-A,PE-A,100,20,0,100", "E053", "in percent"),
        ("2,FITC-A,PE-A,1,1,1,1", "E051", "singular"),
        ("2,FITC-A,PE-A,1,0,0,0", "E051", "singular"),
        ("2,FITC-A,PE-A,1,0,0,2,0,0,1,0", "E054", "decimal commas"),
    ],
)
def test_a_matrix_that_cannot_be_used_is_refused_with_the_reason(text: str, code: str, why: str) -> None:
    with pytest.raises(CompensationError, match=why) as caught:
        SpilloverMatrix.from_keywords({"SPILL": text})
    assert caught.value.code == code
    assert caught.value.hint


# ---------------------------------------------------------------- CSV


@pytest.mark.parametrize(
    "text",
    [
        "FITC-A,PE-A\n1,0.2\n0.05,1\n",
        "\ufeff,FITC-A,PE-A\nFITC-A,1,0.2\nPE-A,0.05,1\n",
        ";FITC-A;PE-A\nFITC-A;1;0.2\nPE-A;0.05;1\n",
        "# FITC-A\tPE-A\n1\t0.2\n0.05\t1\n",
        ",Comp-FITC-A :: CD3,Comp-PE-A :: CAR\nComp-FITC-A :: CD3,1,0.2\nComp-PE-A :: CAR,0.05,1\n\n",
        '"FITC-A","PE-A"\n"FITC-A",1,0.2\n"PE-A",0.05,1\n',
    ],
)
def test_the_ways_in_which_programs_write_a_matrix_are_read_alike(tmp_path: Path, text: str) -> None:
    path = tmp_path / "matrix.csv"
    path.write_text(text, encoding="utf-8")
    matrix = SpilloverMatrix.from_csv(path)
    assert matrix.detectors == ("FITC-A", "PE-A")
    assert matrix.values.tolist() == [[1.0, 0.2], [0.05, 1.0]]
    assert matrix.origin == "matrix.csv"


def test_a_csv_may_hold_more_detectors_than_fluorochromes(tmp_path: Path) -> None:
    path = tmp_path / "spectra.csv"
    path.write_text(",V1,V2,B1\nBV421,1,0.4,0.1\nFITC,0,0.2,1\n", encoding="utf-8")
    matrix = SpilloverMatrix.from_csv(path)
    assert matrix.fluorochromes == ("BV421", "FITC")
    assert matrix.unmixing.shape == (3, 2)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "E053"),
        ("A,B\n1,0\n", "E053"),
        ("A,B\n1,0\n0,1,0\n", "E053"),
        ("A,B\n1,x\n0,1\n", "E053"),
        ("A;B\n1;0,2,5\n0;1\n", "E053"),
        (",A,B\nA,1,0.2\nA,0.1,1\n", "E053"),
    ],
)
def test_a_csv_that_is_no_matrix_is_refused(tmp_path: Path, text: str, code: str) -> None:
    path = tmp_path / "matrix.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CompensationError, match=r"matrix\.csv") as caught:
        SpilloverMatrix.from_csv(path)
    assert caught.value.code == code


def test_a_csv_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CompensationError, match="cannot be read") as caught:
        SpilloverMatrix.from_csv(tmp_path / "nowhere.csv")
    assert caught.value.code == "E056"


# ---------------------------------------------------------------- template


def test_more_detectors_than_fluorochromes_are_unmixed_by_least_squares() -> None:
    model = Matrix(fluorochromes=("FITC", "PE"), detectors=("B1", "B2", "B3"), values=((1, 0.3, 0.1), (0, 1, 0.5)))
    matrix = SpilloverMatrix.from_model(model)
    measured = np.array([[100.0, 60.0, 30.0]])
    expected = np.linalg.lstsq(matrix.values.T, measured[0], rcond=None)[0]
    np.testing.assert_allclose(matrix.compensate(measured)[0], expected)
    assert (matrix.row("PE"), matrix.row("B1")) == (1, None)


def test_a_matrix_that_is_inverted_already_is_not_inverted_again() -> None:
    spillover = np.array([[1, 0.25], [0.5, 1]])
    inverse = np.linalg.inv(spillover)
    values = tuple(tuple(float(entry) for entry in row) for row in inverse)
    model = Matrix(fluorochromes=("FITC", "PE"), detectors=("B1", "B2"), values=values, inverted=True)
    np.testing.assert_allclose(SpilloverMatrix.from_model(model).unmixing, inverse)


def test_channels_that_the_file_does_not_have_are_named() -> None:
    matrix = SpilloverMatrix.from_keywords(TWO)
    assert matrix is not None
    with pytest.raises(CompensationError, match="PE-A") as caught:
        matrix.check_channels(["FITC-A", "APC-A"])
    assert caught.value.code == "E050"


@pytest.mark.parametrize("count", ["\u00b2", "9" * 5000, "x"])
def test_a_keyword_that_begins_with_no_count_is_a_coded_error(count: str) -> None:
    with pytest.raises(CompensationError) as refused:
        SpilloverMatrix.from_keywords({"$SPILLOVER": f"{count},FITC-A,PE-A,1,0.2,-0.01,1"})
    assert refused.value.code == "E053"


def test_a_dye_that_its_own_detector_hardly_sees_is_refused_without_a_warning() -> None:
    values = np.array([[1.0, 0.12], [0.02, 1e-320]])
    with pytest.raises(CompensationError) as refused:
        check_plausible(SpilloverMatrix(("FITC-A", "PE-A"), ("FITC-A", "PE-A"), values))
    assert refused.value.code in {"E051", "E065"}
