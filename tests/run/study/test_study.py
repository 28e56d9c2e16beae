"""A whole FlowJo study comes in with one call, and no wrong file is counted as a sample."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from cytocar.errors.tree import TemplateError, UsageError
from cytocar.run.study.count import count_sheet
from cytocar.run.study.folder import Study, make_study, write_study
from cytocar.run.study.match import Match, match_samples, read_headers
from cytocar.template.flowjo.document import open_workspace
from tests.runs import cytocar_command
from tests.workspaces import EVENTS, Tube, above, matrix, workspace

TREE = above(40, name="T cells", under=above(60, name="CD4+"))
MOVED = above(40, name="T cells", under=above(80, name="CD4+"))


def _study(folder: Path, *tubes: Tube, roles: dict[str, str] | None = None) -> Study:
    headers, _ = read_headers(sorted(folder.glob("*.fcs")))
    return make_study(open_workspace(workspace(*tubes), source="x.wsp"), headers, name="x", roles=roles)


def _matches(folder: Path, tube: Tube) -> tuple[Match, str]:
    headers, _ = read_headers(sorted(folder.glob("*.fcs")))
    (matched,) = match_samples(open_workspace(workspace(tube), source="x").samples, headers)
    return matched.match, matched.why


# ---------------------------------------------------------------- matching


def test_a_file_whose_name_events_and_begin_agree_is_exactly_the_sample(tmp_path: Path) -> None:
    tube = Tube(1, TREE)
    tube.write(tmp_path)
    Tube(2, TREE, begun="11:00:00").write(tmp_path)
    assert _matches(tmp_path, tube) == (Match.EXACT, "$TOT, name, $BTIM agree")


def test_a_renamed_file_is_likely_by_its_begin_and_exact_by_its_guid(tmp_path: Path) -> None:
    tube = Tube(1, TREE)
    tube.write(tmp_path / "a", name="renamed.fcs")
    assert _matches(tmp_path / "a", tube)[0] is Match.LIKELY
    marked = Tube(1, TREE, keywords={"GUID": "698c2f7d"})
    marked.write(tmp_path / "b", name="renamed.fcs")
    assert _matches(tmp_path / "b", marked)[0] is Match.EXACT


@pytest.mark.parametrize(
    ("tube", "why"),
    [
        (Tube(1, TREE, total=99), "tube1.fcs is another file: 100 events, the study's has 99"),
        (Tube(1, TREE, begun="12:00:00"), "tube1.fcs is another file: begun 10:00:00 on ?, the study's at 12:00:00"),
        (Tube(1, above(1, channel="FSC-A"), keywords={"$P2N": "FSC-A"}), "tube1.fcs is another file: no channel FSC-A"),
    ],
)
def test_a_file_of_the_right_name_that_is_another_is_never_taken(tmp_path: Path, tube: Tube, why: str) -> None:
    Tube(1, TREE).write(tmp_path)
    assert _matches(tmp_path, tube) == (Match.MISSING, why)


def test_of_two_files_that_may_be_the_sample_none_is_taken(tmp_path: Path) -> None:
    tube = Tube(1, TREE)
    for name in ("one.fcs", "two.fcs"):
        tube.write(tmp_path, name=name)
    assert _matches(tmp_path, tube) == (Match.AMBIGUOUS, "2 files agree: one.fcs, two.fcs")


def test_a_file_that_may_be_several_samples_is_only_that_of_its_name(tmp_path: Path) -> None:
    marked = {"GUID": "698c2f7d"}
    tubes = [Tube(number, TREE, name=f"{number}.fcs", keywords=marked) for number in (1, 2)]
    tubes[0].write(tmp_path)
    headers, _ = read_headers(sorted(tmp_path.glob("*.fcs")))
    matched = match_samples(open_workspace(workspace(*tubes), source="x").samples, headers)
    assert [one.match for one in matched] == [Match.EXACT, Match.AMBIGUOUS]


# ---------------------------------------------------------------- one template, overrides


def test_gates_that_were_moved_on_one_sample_are_its_overrides(tmp_path: Path) -> None:
    tubes = [Tube(number, MOVED if number == 3 else TREE, begun=f"1{number}:00:00") for number in (1, 2, 3)]
    for tube in tubes:
        tube.write(tmp_path / "files")
    study = _study(tmp_path / "files", *tubes)
    assert len(study.families) == 1
    assert list(study.families[0].moved) == ["tube3"]
    write_study(study, tmp_path / "out")
    counts, failed = count_sheet(tmp_path / "out" / "sheet.csv")
    assert failed == ()
    assert [counts.samples[f"tube{number}"].events["CD4+"] for number in (1, 2, 3)] == [40, 40, 20]
    overrides = json.loads((tmp_path / "out" / "overrides.json").read_text("utf-8"))
    assert overrides["reason"] == "moved in FlowJo"


def test_samples_with_other_populations_get_a_template_of_their_own(tmp_path: Path) -> None:
    tubes = [Tube(1, TREE), Tube(2, TREE, begun="11:00:00"), Tube(3, above(10, name="B"), begun="12:00:00")]
    for tube in tubes:
        tube.write(tmp_path / "files")
    study = _study(tmp_path / "files", *tubes)
    assert [(family.template.name, family.samples) for family in study.families] == [
        ("x", ("tube1", "tube2")),
        ("x-2", ("tube3",)),
    ]


def test_each_sample_is_compensated_with_its_own_matrix_and_it_is_compared_with_the_files(tmp_path: Path) -> None:
    gates = above(0, channel="Comp-PE-A", name="positive")
    tubes = [
        Tube(1, gates, head=matrix("1 0.25 0 1"), keywords={"$SPILLOVER": "2,FITC-A,PE-A,1,0.25,0,1"}),
        Tube(2, gates, head=matrix("1 0.25 0 1"), begun="11:00:00"),
        Tube(3, gates, head=matrix("1 1 0 1"), begun="12:00:00"),
    ]
    for tube in tubes:
        tube.write(tmp_path / "files")
    study = _study(tmp_path / "files", *tubes)
    write_study(study, tmp_path / "out")
    counts, _ = count_sheet(tmp_path / "out" / "sheet.csv")
    found = [counts.samples[f"tube{number}"].events["positive"] for number in (1, 2, 3)]
    assert found == [int((EVENTS[:, 1] - share * EVENTS[:, 0] >= 0).sum()) for share in (0.25, 0.25, 1.0)]
    with (tmp_path / "out" / "flowjo_samples.csv").open(encoding="utf-8") as file:
        assert [row["matrix"] for row in csv.DictReader(file)] == [
            "m; as in the file",
            "m; the file has none",
            "m; the file has none",
        ]


def test_samples_of_one_name_are_told_apart_in_the_sheet(tmp_path: Path) -> None:
    tubes = [Tube(1, TREE, name="a.fcs"), Tube(2, TREE, name="a.fcs", begun="11:00:00")]
    assert list(_study(tmp_path, *tubes).names) == ["a (1)", "a (2)"]


# ---------------------------------------------------------------- roles


def test_roles_are_guessed_from_usual_names_and_named_ones_win(tmp_path: Path) -> None:
    study = _study(tmp_path, Tube(1, TREE), roles={"car": "T cells/CD4+"})
    assert study.roles == {"t_cells": "T cells", "cd4": "CD4+", "car": "CD4+"}
    assert set(study.guessed) == {"t_cells", "cd4"}
    assert study.families[0].template.report.cd4 == "CD4+"


@pytest.mark.parametrize("role", [{"cd9": "CD4+"}, {"cd4": "CD8+"}])
def test_a_role_or_a_population_that_is_not_there_is_refused(tmp_path: Path, role: dict[str, str]) -> None:
    with pytest.raises(UsageError) as caught:
        _study(tmp_path, Tube(1, TREE), roles=role)
    assert caught.value.code == "E149"


def test_a_study_without_gates_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TemplateError) as caught:
        _study(tmp_path, Tube(1, ""))
    assert caught.value.code == "E144"


# ---------------------------------------------------------------- the command


def test_a_study_is_imported_counted_and_held_against_flowjos_counts_in_one_call(tmp_path: Path) -> None:
    tree = above(40, name="T cells", count=60, under=above(60, name="CD4+", count=40))
    tubes = (Tube(1, tree), Tube(2, tree, begun="11:00:00"))
    tubes[0].write(tmp_path / "files")
    (tmp_path / "study.wsp").write_bytes(workspace(*tubes))
    out = tmp_path / "out"
    imported = cytocar_command("template", "import", tmp_path / "study.wsp", "--files", tmp_path / "files", "-o", out)
    assert imported.code == 0
    assert "2 samples: 1 exact, 1 missing" in imported.stderr
    assert "tube2: missing: no such file" in imported.stderr
    assert "role cd4: CD4+ (guessed by its name)" in imported.stderr
    assert "1 sample: 2 of 2 populations equal, 1 sample only there" in imported.stderr
    run = cytocar_command("gate", out / "sheet.csv", "-o", tmp_path / "run", "--no-report", "-j", "1")
    assert run.code == 0, run.stderr
    with (tmp_path / "run" / "counts.csv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert (row["sample_id"], row["t_cell_events"], row["cd4_events"]) == ("tube1", "60", "40")


def test_an_override_of_the_sheet_is_reproduced_and_stands_in_the_trail_with_its_reason(tmp_path: Path) -> None:
    tubes = [Tube(number, MOVED if number == 3 else TREE, begun=f"1{number}:00:00") for number in (1, 2, 3)]
    for tube in tubes:
        tube.write(tmp_path / "files")
    write_study(_study(tmp_path / "files", *tubes), tmp_path / "out")
    run = tmp_path / "run"
    assert cytocar_command("gate", tmp_path / "out" / "sheet.csv", "-o", run, "--no-report", "-j", "1").code == 0
    trail = [json.loads(line) for line in (run / "audit.jsonl").read_text("utf-8").splitlines()]
    assert [(one["what"], one["why"]) for one in trail if one["action"] == "override"] == [
        ("tube3 / CD4+", "moved in FlowJo")
    ]
    assert cytocar_command("reproduce", run, "-j", "1").code == 0
    (tmp_path / "out" / "overrides.json").write_text("{}")
    refused = cytocar_command("gate", tmp_path / "out" / "sheet.csv", "-j", "1")
    assert refused.code == 2
    assert "error[E148]" in refused.stderr


def test_a_real_study_comes_in_whole(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "flowjo_studies" / "coereba_study"
    answer = cytocar_command("template", "import", folder / "CytoML.wsp", "--files", folder, "-o", tmp_path / "study")
    assert "30 samples: 30 exact" in answer.stderr
    assert "30 samples: 30 of 30 populations equal" in answer.stderr
