"""What the matrix of a file does: nothing, twice, to a part of the panel, or what no cytometer's does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from msgspec.structs import replace

from cytocar.errors.findings import Severity
from cytocar.errors.tree import CompensationError
from cytocar.fcs.reader import open_fcs
from cytocar.gates.sampled_events import sampled_events
from cytocar.gates.walk import walk
from cytocar.sample.analysis import quantify
from cytocar.sample.quality.matrix import matrix_findings
from cytocar.signals.compensation import Matrix, SpilloverMatrix
from cytocar.template.load import load_template
from cytocar.template.model import Compensation
from tests.reference_tube import (
    BEADS,
    CAR_CELLS,
    CAR_PER_UL,
    CD4,
    FLUORESCENCE,
    T_CELLS,
    codes,
    count,
    reference_tube,
    spillover,
)

TUBE = reference_tube()
REAL = np.array(TUBE.keywords["$SPILLOVER"].split(",")[9:], dtype=float).reshape(8, 8)
IDENTITY = spillover(np.eye(8))


def test_the_reference_tube_comes_out_as_it_stands_and_says_what_was_applied(tmp_path: Path) -> None:
    row = count(TUBE.write(tmp_path / "ref.fcs")).row()
    assert (row["bead_events"], row["t_cell_events"], row["cd4_events"]) == (BEADS, T_CELLS, CD4)
    assert row["car_events"] == CAR_CELLS
    assert row["car_per_ul"] == pytest.approx(CAR_PER_UL, abs=0.005)
    assert row["status"] == "ok"
    (said,) = (one for one in count(tmp_path / "ref.fcs").findings if one.check == "compensation")
    assert said.outcome is Severity.PASS
    assert "compensated with $SPILLOVER: 8 detectors" in said.message


# ---------------------------------------------------------------- a matrix that changes nothing


@pytest.mark.parametrize("entry", [0.0, 0.001, 0.005])
def test_the_identity_or_near_it_is_refused_where_the_template_wants_a_matrix(tmp_path: Path, entry: float) -> None:
    near = np.eye(8)
    near[0, 1] = entry
    with pytest.raises(CompensationError, match="compensates nothing") as refused:
        count(TUBE.with_keywords(S_SPILLOVER=spillover(near)).write(tmp_path / "identity.fcs"))
    assert refused.value.code == "E066"
    assert "unmixed" in refused.value.hint


def test_an_identity_among_the_panels_detectors_alone_is_refused_too(tmp_path: Path) -> None:
    elsewhere = np.eye(10)
    elsewhere[8, 9] = elsewhere[9, 8] = 0.3
    keyword = spillover(elsewhere, (*FLUORESCENCE, "SSC-H", "SSC-W"))
    with pytest.raises(CompensationError) as refused:
        count(TUBE.with_keywords(S_SPILLOVER=keyword).write(tmp_path / "elsewhere.fcs"))
    assert refused.value.code == "E066"


def test_an_identity_as_a_csv_is_no_other_than_one_in_the_file(tmp_path: Path) -> None:
    csv = tmp_path / "identity.csv"
    lines = [",".join(FLUORESCENCE), *(",".join(f"{entry:g}" for entry in row) for row in np.eye(8))]
    csv.write_text("\n".join(lines), "utf-8")
    matrix = SpilloverMatrix.from_csv(csv)
    template = load_template("cart-cd19fc-fixed")
    declared = Compensation(source="identity", matrices={"identity": _model(matrix)})
    with pytest.raises(CompensationError) as refused:
        quantify(open_fcs(TUBE.write(tmp_path / "ref.fcs")), replace(template, compensation=declared))
    assert refused.value.code == "E066"


def _model(matrix: SpilloverMatrix) -> Matrix:
    values = tuple(map(tuple, matrix.values.tolist()))
    return Matrix(fluorochromes=matrix.fluorochromes, detectors=matrix.detectors, values=values)


@pytest.mark.parametrize(
    ("declared", "column", "outcome", "code"),
    [
        (Compensation(missing="none"), "none", Severity.NOTE, "W243"),
        (Compensation(source="none"), "none", Severity.PASS, ""),
        (Compensation(source="unmixed"), "unmixed", Severity.PASS, ""),
    ],
)
def test_a_template_that_accepts_signals_without_a_matrix_is_obeyed_and_the_report_says_so(
    tmp_path: Path, declared: Compensation, column: str, outcome: Severity, code: str
) -> None:
    template = replace(load_template("cart-cd19fc-fixed"), compensation=declared)
    events = open_fcs(TUBE.with_keywords(S_SPILLOVER=IDENTITY).write(tmp_path / "identity.fcs"))
    result = quantify(events, template, beads_added=20_000, sample_volume_ul=50)
    assert result.compensation == column
    (said,) = (one for one in result.findings if one.check == "compensation")
    assert (said.outcome, said.code) == (outcome, code)


# ---------------------------------------------------------------- twice, in part


def test_data_that_their_names_call_compensated_are_not_compensated_again(tmp_path: Path) -> None:
    recorded = np.column_stack([TUBE.columns[name] for name in FLUORESCENCE])
    compensated = SpilloverMatrix(FLUORESCENCE, FLUORESCENCE, REAL).compensate(recorded)
    names = {name: f"FJComp-{name}" for name in FLUORESCENCE}
    tube = replace(TUBE, columns={**TUBE.columns, **dict(zip(FLUORESCENCE, compensated.T, strict=True))})
    tube = tube.renamed(names).with_keywords(S_SPILLOVER=spillover(REAL, tuple(names.values())))
    result = count(tube.write(tmp_path / "fj.fcs"))
    assert result.row()["cd4_events"] == pytest.approx(CD4, abs=3)
    assert result.row()["car_events"] == pytest.approx(CAR_CELLS, abs=3)
    assert result.compensation == "already compensated"
    assert codes(result) == {"W241"}
    assert result.status == "ok"


def test_markers_outside_the_matrix_are_named(tmp_path: Path) -> None:
    four = spillover(REAL[:4, :4], FLUORESCENCE[:4])
    result = count(TUBE.with_keywords(S_SPILLOVER=four).write(tmp_path / "four.fcs"))
    (said,) = (one for one in result.findings if one.code == "W242")
    assert said.outcome is Severity.REVIEW
    for marker in ("CD4 (V450-A)", "CD8 (APC-H7-A)", "CD45 (V500-A)"):
        assert marker in said.message


# ---------------------------------------------------------------- what no cytometer has


def _with_entry(row: int, column: int, entry: float) -> npt.NDArray[np.float64]:
    changed = REAL.copy()
    changed[row, column] = entry
    return changed


NEARLY_SINGULAR = np.eye(8) + (1 - 1e-9) * (np.ones((8, 8)) - np.eye(8))


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (_with_entry(0, 1, 639_000), "off the diagonal"),
        (_with_entry(0, 1, 6.0), "off the diagonal"),
        (_with_entry(2, 2, 0.0), "diagonal"),
        (NEARLY_SINGULAR, "condition"),
    ],
)
def test_a_matrix_that_no_cytometer_has_is_refused(tmp_path: Path, values: npt.NDArray[np.float64], why: str) -> None:
    with pytest.raises(CompensationError, match=why) as refused:
        count(TUBE.with_keywords(S_SPILLOVER=spillover(values)).write(tmp_path / "huge.fcs"))
    assert refused.value.code == "E065"


def test_the_largest_entry_of_real_matrices_is_accepted(tmp_path: Path) -> None:
    SpilloverMatrix.from_keywords({"$SPILLOVER": "2,A,B,1,3.6,0.05,1"})


# ---------------------------------------------------------------- two keywords


def test_a_broken_comp_beside_a_sound_spillover_is_noted_and_the_sound_one_used(tmp_path: Path) -> None:
    channels = len(TUBE.columns)
    with_zero_row = np.eye(channels)
    with_zero_row[-1, -1] = 0
    comp = ",".join([str(channels), *(f"{entry:g}" for entry in with_zero_row.reshape(-1))])
    result = count(TUBE.with_keywords(S_COMP=comp).write(tmp_path / "gallios.fcs"))
    assert result.row()["car_per_ul"] == pytest.approx(CAR_PER_UL, abs=0.005)
    assert codes(result, Severity.NOTE) == {"W244"}
    assert result.status == "ok"


def test_a_broken_spillover_before_a_sound_comp_is_for_review(tmp_path: Path) -> None:
    tube = TUBE.with_keywords(S_SPILLOVER="8,FITC-A,1", SPILL=TUBE.keywords["$SPILLOVER"])
    result = count(tube.write(tmp_path / "broken.fcs"))
    assert codes(result, Severity.REVIEW) == {"W244"}
    assert result.row()["car_per_ul"] == pytest.approx(CAR_PER_UL, abs=0.005)


def test_a_matrix_without_names_of_fewer_channels_than_the_file_has_is_refused(tmp_path: Path) -> None:
    comp = ",".join(["8", *(f"{entry:g}" for entry in REAL.reshape(-1))])
    with pytest.raises(CompensationError, match="names none") as refused:
        count(TUBE.with_keywords(S_SPILLOVER=None, S_COMP=comp).write(tmp_path / "unnamed.fcs"))
    assert refused.value.code == "E067"


# ---------------------------------------------------------------- what the stained tube says about it


def test_a_matrix_that_fits_passes_the_tube_s_own_audit(tmp_path: Path) -> None:
    (said,) = (one for one in count(TUBE.write(tmp_path / "ref.fcs")).findings if one.check == "matrix")
    assert said.outcome is Severity.PASS
    assert "0 of 56 pairs" in said.message


def test_a_matrix_that_takes_away_more_than_there_is_is_for_review(tmp_path: Path) -> None:
    exaggerated = np.eye(8) + 3 * (REAL - np.eye(8))
    result = count(TUBE.with_keywords(S_SPILLOVER=spillover(exaggerated)).write(tmp_path / "a.fcs"))
    (said,) = (one for one in result.findings if one.code == "W253")
    assert said.outcome is Severity.REVIEW
    assert said.value is not None
    assert said.value >= 2.0


def test_the_audit_of_real_files_alarms_where_the_matrix_is_wrong(shared_data: Path) -> None:
    for name, outcome in (("100715.fcs", Severity.REVIEW), ("cytopipeline_omip021/Donor1.fcs", Severity.PASS)):
        events = open_fcs(shared_data / "tcell_human" / name)
        template = load_template("tcell" if name.startswith("100715") else "tcell-basic")
        (said,) = matrix_findings(sampled_events(walk(events, template).gated))
        assert said.outcome is outcome, name
