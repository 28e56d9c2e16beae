"""``cytocar gate`` as a user meets it: tables, run folders, and what happens to bad input."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
from pathlib import Path

import pytest

from cytocar.tables.columns import COUNTS
from tests.cli.conftest import Cytocar
from tests.runs import cytocar_command

FIXED = ("-t", "cart-cd19fc-fixed")
TABLES = (*FIXED, "--no-report")
"""For what is about tables, manifest and parts: a report takes twice as long as the counts."""


def _rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def _tables(run: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(run.glob("*.csv"))}


def test_a_sheet_in_a_pipe_gives_the_counts_as_csv(cytocar: Cytocar, tubes: Path) -> None:
    done = cytocar("gate", tubes / "sheet.csv", *FIXED)
    assert done.returncode == 0, done.stderr
    rows = _rows(done.stdout)
    assert list(rows[0]) == [column.name for column in COUNTS]
    assert [(row["sample_id"], row["status"], row["car_result"]) for row in rows] == [
        ("D7", "ok", "quantified"),
        ("D9", "ok", "quantified"),
        ("D28", "ok", "quantified"),
    ]
    for row, truth in zip(rows, (100, 1000, 20), strict=True):
        assert float(row["car_per_ul_low"]) < truth < float(row["car_per_ul_high"])


def test_files_and_folders_need_no_sheet(cytocar: Cytocar, tubes: Path) -> None:
    told = ("--beads-added", 20_000, "--sample-volume-ul", 50, "--subject", "P1", "--day", 9)
    one = _rows(cytocar("gate", tubes / "day9.fcs", *FIXED, *told).stdout)
    assert [(row["sample_id"], row["subject_id"], row["day"]) for row in one] == [("day9", "P1", "9")]
    assert float(one[0]["car_per_ul"]) == pytest.approx(1000, rel=0.1)
    (tubes / "late").mkdir()
    (tubes / "day28.fcs").rename(tubes / "late" / "day28.fcs")
    folder = cytocar("gate", tubes, *FIXED, *told)
    assert [row["sample_id"] for row in _rows(folder.stdout)] == ["day7", "day9", "day28"]
    assert "note: subfolders are counted too: late (1); name files, or a sheet, to leave some out" in folder.stderr


@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_json_says_the_same_as_csv(cytocar: Cytocar, tubes: Path, form: str) -> None:
    done = cytocar("gate", tubes / "sheet.csv", *FIXED, "--format", form)
    found = json.loads(done.stdout) if form == "json" else [json.loads(line) for line in done.stdout.splitlines()]
    rows = _rows(cytocar("gate", tubes / "sheet.csv", *FIXED, "--format", "csv").stdout)
    assert [row["car_per_ul"] for row in found] == [float(row["car_per_ul"]) for row in rows]
    assert found[0]["car_percent_net"] is None


def test_a_run_folder_is_the_same_whatever_the_jobs_the_order_and_the_place(cytocar: Cytocar, tubes: Path) -> None:
    once, again, moved, turned = (tubes / name for name in ("once", "again", "moved", "turned"))
    assert cytocar("gate", tubes / "sheet.csv", *TABLES, "-o", once, "-j", 1, fresh=True).returncode == 0
    assert cytocar("gate", "sheet.csv", *TABLES, "-o", again, "-j", 2, cwd=tubes).returncode == 0
    assert set(_tables(once)) == {"counts.csv", "populations.csv", "gates.csv", "quality.csv"}
    assert _tables(once) == _tables(again)
    told = (*TABLES, "--beads-added", 20_000, "--sample-volume-ul", 50)
    assert cytocar("gate", tubes / "day9.fcs", tubes / "day7.fcs", *told, "-o", moved).returncode == 0
    assert cytocar("gate", "day7.fcs", "day9.fcs", *told, "-o", turned, cwd=tubes, fresh=True).returncode == 0
    assert _tables(moved) == _tables(turned)


def test_a_finished_run_is_not_overwritten_and_force_sets_it_aside(cytocar: Cytocar, tubes: Path) -> None:
    run = tubes / "run"
    assert cytocar("gate", tubes / "sheet.csv", *FIXED, "-o", run).returncode == 0
    before = _tables(run)
    refused = cytocar("gate", tubes / "sheet.csv", *FIXED, "-o", run)
    assert refused.returncode == 2
    assert "error[E106]" in refused.stderr
    assert refused.stderr.rstrip().splitlines()[-1].lstrip().startswith("fix:")
    assert cytocar("gate", tubes / "sheet.csv", *FIXED, "-o", run, "--force").returncode == 0
    assert _tables(run) == before == _tables(run / "revisions" / "1")


def test_an_interrupted_run_goes_on_where_it_stopped(cytocar: Cytocar, tubes: Path) -> None:
    run = tubes / "run"
    assert cytocar("gate", tubes / "sheet.csv", *TABLES, "-o", run).returncode == 0
    whole = _tables(run)
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps({**manifest, "state": "running"}))
    (run / "counts.csv").unlink()
    parts = sorted((run / "parts").glob("*.json"))
    parts[0].unlink()
    parts[1].write_bytes(parts[1].read_bytes()[:100])
    again = cytocar("gate", tubes / "sheet.csv", *TABLES, "-o", run)
    assert again.returncode == 0, again.stderr
    assert "1 of 3 samples were finished before" in again.stderr
    assert _tables(run) == whole


def test_an_interrupted_run_counts_again_where_a_file_was_replaced(cytocar: Cytocar, tubes: Path) -> None:
    """The row of a sample never tells of other bytes than those that lie there when the run is finished."""
    run = tubes / "run"
    assert cytocar("gate", tubes / "sheet.csv", *FIXED, "-o", run).returncode == 0
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps({**manifest, "state": "running"}))
    first, second = (tubes / row["file"] for row in _rows((run / "counts.csv").read_text())[:2])
    first.write_bytes(second.read_bytes())
    again = cytocar("gate", tubes / "sheet.csv", *FIXED, "-o", run)
    assert "was replaced since it was counted: all are counted again" in again.stderr
    rows = _rows((run / "counts.csv").read_text())
    assert rows[0]["file_sha256"] == rows[1]["file_sha256"]
    assert rows[0]["total_events"] == rows[1]["total_events"]
    assert cytocar("verify", run).returncode == 0


def test_an_interrupted_run_refuses_another_template(cytocar: Cytocar, tubes: Path) -> None:
    run = tubes / "run"
    assert cytocar("gate", tubes / "sheet.csv", *TABLES, "-o", run).returncode == 0
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps({**manifest, "state": "running"}))
    other = cytocar("gate", tubes / "sheet.csv", "-t", "cart-cd19fc", "-o", run)
    assert (other.returncode, "error[E107]" in other.stderr) == (2, True)


# ---------------------------------------------------------------- bad input: one sample


def _spoilt(tubes: Path, name: str, content: bytes) -> None:
    (tubes / name).write_bytes(content)


@pytest.mark.parametrize(
    "content",
    [b"", b"not an FCS file at all, just text\n" * 20, b"FCS3.1", None],
    ids=["empty", "text", "header cut off", "data cut off"],
)
def test_one_bad_file_costs_no_other_sample(cytocar: Cytocar, tubes: Path, content: bytes | None) -> None:
    whole = (tubes / "day9.fcs").read_bytes()
    _spoilt(tubes, "day9.fcs", whole[: len(whole) // 2] if content is None else content)
    done = cytocar("gate", tubes / "sheet.csv", *FIXED)
    assert done.returncode == 1
    assert [row["status"] for row in _rows(done.stdout)] == ["ok", "failed", "ok"]
    assert "error[E0" in done.stderr
    assert "D9" in done.stderr
    assert "fix:" in done.stderr


def test_a_missing_file_is_a_failed_sample(cytocar: Cytocar, tubes: Path) -> None:
    (tubes / "day7.fcs").unlink()
    done = cytocar("gate", tubes / "sheet.csv", *FIXED)
    assert done.returncode == 1
    assert [row["status"] for row in _rows(done.stdout)] == ["failed", "ok", "ok"]
    assert "error[E010] D7: the file does not exist" in done.stderr


def test_a_sample_to_look_at_is_explained_without_a_run_folder_too(cytocar: Cytocar, tubes: Path) -> None:
    done = cytocar("gate", tubes / "day9.fcs", *FIXED, "--acquired-volume-ul", 30, "--count-method", "volumetric")
    (row,) = _rows(done.stdout)
    assert (row["status"], row["status_codes"]) == ("review", "W221 W249")
    assert "review[W221] day9: neither a final volume nor a dilution factor is given" in done.stderr
    assert "fix: Give `dilution_factor`" in done.stderr


def test_the_same_fault_of_many_wells_is_said_once(cytocar: Cytocar, tubes: Path) -> None:
    for name in ("day7.fcs", "day9.fcs", "day28.fcs"):
        _spoilt(tubes, name, b"")
    done = cytocar("gate", tubes / "sheet.csv", *FIXED)
    assert done.returncode == 1
    assert done.stderr.count("error[") == 1
    assert "D7, D9, D28" in done.stderr


def test_without_a_bead_number_there_are_percentages_and_a_reason(cytocar: Cytocar, tubes: Path) -> None:
    done = cytocar("gate", tubes / "day9.fcs", *FIXED)
    (row,) = _rows(done.stdout)
    assert (done.returncode, row["status"], row["status_codes"], row["car_per_ul"]) == (1, "no_count", "E030", "")
    assert float(row["car_percent_of_t_cells"]) > 50
    assert (row["car_result"], row["car_report"]) == ("not_evaluable", "not evaluable")


def test_without_beads_in_the_tube_there_is_no_count(cytocar: Cytocar, tubes: Path) -> None:
    blood = Path(tubes / "none.fcs")
    from cytocar.simulate import Preparation, blood_tube

    blood_tube(car_per_ul=100, preparation=Preparation(beads_added=0, drawn_share=0.05), seed=3).write(blood)
    done = cytocar("gate", blood, *FIXED, "--beads-added", 20_000, "--sample-volume-ul", 50)
    (row,) = _rows(done.stdout)
    assert (done.returncode, row["status"], row["car_per_ul"]) == (1, "no_count", "")
    assert "beads found" in done.stderr


def test_an_excluded_sample_keeps_its_row(cytocar: Cytocar, tubes: Path) -> None:
    sheet = tubes / "sheet.csv"
    lines = sheet.read_text().splitlines()
    sheet.write_text("\n".join([lines[0] + ",exclude,exclude_reason", lines[1] + ",yes,clotted", *lines[2:]]) + "\n")
    done = cytocar("gate", sheet, *FIXED)
    assert done.returncode == 0, done.stderr
    assert [row["status"] for row in _rows(done.stdout)] == ["excluded", "ok", "ok"]


def test_a_marker_that_is_not_there_is_said_with_what_is(cytocar: Cytocar, tubes: Path) -> None:
    done = cytocar("gate", tubes / "sheet.csv", *FIXED, "--marker", "CD3=Nonsense-A")
    assert done.returncode in {1, 2}
    assert "error[E04" in done.stderr
    assert "FITC-A" in done.stderr


def test_fail_on_review_exits_with_three(cytocar: Cytocar, tubes: Path) -> None:
    done = cytocar("gate", tubes / "day9.fcs", *FIXED, "--fail-on", "review")
    assert done.returncode == 3


# ---------------------------------------------------------------- bad input: nothing is analysed


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("file,", "fiel,"), "E082"),
        (("D9,", "D7,"), "E082"),
        (("beads_added", "bead_added"), "E082"),
        (("20000", "twenty"), "E082"),
    ],
    ids=["no column file", "duplicate ids", "unknown column", "a word for a number"],
)
def test_a_faulty_sheet_stops_the_run(cytocar: Cytocar, tubes: Path, change: tuple[str, str], code: str) -> None:
    sheet = tubes / "sheet.csv"
    sheet.write_text(sheet.read_text().replace(*change))
    done = cytocar("gate", sheet, *FIXED, "-o", tubes / "run")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"error[{code}]" in done.stderr
    assert not (tubes / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("none.fcs",), "E103"),
        ((".",), "E102"),
        (("none.csv",), "E080"),
        (("--sample-volume-ul", "-3", "TUBE"), "E110"),
        (("-t", "no-such-template", "TUBE"), "E060"),
        (("--marker", "CD3", "TUBE"), "E111"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_code(
    cytocar: Cytocar, tubes: Path, arguments: tuple[str, ...], code: str
) -> None:
    words = [str(tubes / "day9.fcs") if word == "TUBE" else word for word in arguments]
    done = cytocar("gate", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"error[{code}]" in done.stderr
    assert "fix:" in done.stderr


def test_a_template_with_a_typo_is_refused_with_the_nearest_name(cytocar: Cytocar, tubes: Path) -> None:
    assert cytocar("template", "new", "mine.toml", cwd=tubes).returncode == 0
    mine = tubes / "mine.toml"
    mine.write_text(mine.read_text().replace('parent = "viable"', 'parent = "vialbe"', 1))
    done = cytocar("gate", tubes / "day9.fcs", "-t", mine)
    assert done.returncode == 2
    assert "viable" in done.stderr


def test_an_output_folder_with_something_else_in_it_is_left_alone(cytocar: Cytocar, tubes: Path) -> None:
    done = cytocar("gate", tubes / "sheet.csv", *FIXED, "-o", tubes)
    assert (done.returncode, "error[E105]" in done.stderr) == (2, True)
    assert not (tubes / "manifest.json").exists()


def test_an_output_folder_that_cannot_be_written_is_said(cytocar: Cytocar, tubes: Path) -> None:
    (tubes / "plain").write_text("a file, not a folder")
    done = cytocar("gate", tubes / "sheet.csv", *FIXED, "-o", tubes / "plain" / "run")
    assert (done.returncode, "error[E108]" in done.stderr) == (2, True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_folder_without_rights_is_said(cytocar: Cytocar, tubes: Path) -> None:
    (tubes / "locked").mkdir(mode=0o500)
    done = cytocar("gate", tubes / "sheet.csv", *FIXED, "-o", tubes / "locked" / "run")
    assert (done.returncode, "error[E108]" in done.stderr) == (2, True)


def test_files_that_the_sheet_forgets_and_copies_are_said_once(cytocar: Cytocar, tubes: Path) -> None:
    for number in range(5):
        shutil.copy(tubes / "day9.fcs", tubes / f"copy{number}.fcs")
    listed = cytocar("gate", tubes / "sheet.csv", *FIXED).stderr
    assert "note: not in the sheet, though beside it: copy0.fcs, copy1.fcs, copy2.fcs, copy3.fcs and 1 more" in listed
    copies = cytocar("gate", tubes, *FIXED).stderr
    assert copies.count("the same bytes") == 1
    assert "copy0, copy1, copy2, copy3 and 2 more hold the same bytes" in copies
    twice = "file,sample_id,template\nday9.fcs,car,cart-cd19fc-fixed\nday9.fcs,lost,cart-cd3-negative\n"
    (tubes / "twice.csv").write_text(twice, "utf-8")
    assert "the same bytes" not in cytocar("gate", tubes / "twice.csv").stderr, "one file by two templates is no copy"


def test_samples_without_a_control_are_named_once_and_controls_are_not(cytocar: Cytocar, tubes: Path) -> None:
    said = cytocar("gate", tubes / "sheet.csv").stderr
    assert said.count("no CAR-negative control") == 1
    assert "no CAR-negative control for D7, D9, D28: threshold and background" in " ".join(said.split())
    sheet = (tubes / "sheet.csv").read_text().replace("beads_added", "beads_added,sample_type", 1)
    as_baseline = [f"{line},{'baseline' if line.startswith('day7') else 'sample'}" for line in sheet.splitlines()[1:]]
    (tubes / "sheet.csv").write_text("\n".join([sheet.splitlines()[0], *as_baseline]) + "\n")
    assert "no CAR-negative control" not in cytocar("gate", tubes / "sheet.csv").stderr
    assert "no CAR-negative control" not in cytocar("gate", tubes / "sheet.csv", *FIXED).stderr


def test_a_copied_plate_is_said_in_a_few_lines(cytocar: Cytocar, tubes: Path) -> None:
    for number in range(5):
        (tubes / f"well{number}.fcs").write_bytes(b"no FCS file %d" % number)
        shutil.copy(tubes / f"well{number}.fcs", tubes / f"again{number}.fcs")
    said = cytocar("gate", tubes, *FIXED).stderr
    assert said.count("hold the same bytes") == 3
    assert "2 more files occur under several names" in said


def test_a_tube_without_any_t_cell_asks_for_a_look(cytocar: Cytocar, tubes: Path, tmp_path: Path) -> None:
    template = tmp_path / "t.toml"
    template.write_text(
        'name = "t"\nversion = "1.0.0"\n[panel]\nCD3 = { aliases = ["CD3"] }\n[report]\nt_cells = "t_cells"\n'
        '[[populations]]\nname = "t_cells"\nparent = "all"\ngate = { kind = "range", marker = "CD3", min = 1e9 }\n'
    )
    done = cytocar("gate", tubes / "day9.fcs", "-t", template, "--count-method", "none")
    (row,) = _rows(done.stdout)
    assert (row["status"], row["t_cell_events"]) == ("review", "0")
    assert "W287" in row["status_codes"].split()


def test_a_run_that_stopped_in_its_report_goes_on_with_the_report(tubes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise SystemExit(137)

    command = ("gate", tubes / "sheet.csv", *FIXED, "-o", tubes / "run", "-j", "1")
    with monkeypatch.context() as patched:
        patched.setattr("cytocar.cli.verbs.gate.draw_report", stopped)
        assert cytocar_command(*command).code == 137
    tables = _tables(tubes / "run")
    again = cytocar_command(*command)
    assert (again.code, "going on with the report" in again.stderr) == (0, True), again.stderr
    assert (tubes / "run" / "report.html").is_file()
    assert _tables(tubes / "run") == tables
    assert "error[E106]" in cytocar_command(*command).stderr


def test_a_tube_without_its_beads_is_no_count_and_exits_with_1(cytocar: Cytocar, tmp_path: Path) -> None:
    made = cytocar("simulate", "-o", tmp_path / "tubes", "--artefact", "missing-beads", "--sample-volume-ul", 6)
    assert made.returncode == 0, made.stderr

    done = cytocar("gate", tmp_path / "tubes" / "sheet.csv", "--format", "csv")

    assert (done.returncode, _rows(done.stdout)[0]["status"]) == (1, "no_count")


def test_a_control_that_lies_in_the_folder_is_counted_once_and_as_a_control(cytocar: Cytocar, tubes: Path) -> None:
    told = ("--beads-added", 20_000, "--sample-volume-ul", 50, "--controls", tubes / "day7.fcs")
    rows = _rows(cytocar("gate", tubes, *FIXED, *told).stdout)
    assert [(row["sample_id"], row["sample_type"]) for row in rows] == [
        ("day7", "baseline"),
        ("day9", "sample"),
        ("day28", "sample"),
    ]


def test_the_help_lists_options_under_headings(cytocar: Cytocar) -> None:
    words = cytocar("gate", "--help").stdout
    headings = [line.removesuffix(":") for line in words.splitlines() if line.endswith(":") and line[0] != " "]
    assert headings == [
        "Arguments",
        "Options",
        "Many files",
        "Results",
        "Gates",
        "Every tube (in a sheet: its empty cells)",
    ]
    for option in ("--template", "--dask", "--by NAME", "--controls", "--beads-added", "--day"):
        assert words.count(f"  {option} ") + words.count(f", {option} ") == 1


def test_a_blank_name_is_refused_before_anything_is_counted(cytocar: Cytocar, tubes: Path) -> None:
    answer = cytocar("gate", tubes / "sheet.csv", "-o", tubes / "nobody", "--by", " ")
    assert (answer.returncode, (tubes / "nobody").exists()) == (2, False)
    assert "error[E110]: --by names nobody" in answer.stderr


def test_names_of_controls_are_told_apart_whatever_is_in_them(cytocar: Cytocar, tubes: Path) -> None:
    rows = list(csv.DictReader(io.StringIO((tubes / "sheet.csv").read_text())))
    made = [
        {**rows[0], "sample_id": f"H {place}", "sample_type": "healthy", "subject_id": f"D{place}"} for place in "12"
    ]
    made.append({**rows[-1], "sample_id": "d 9", "sample_type": "sample"})
    with (tubes / "spaced.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(made[0]))
        writer.writeheader()
        writer.writerows(made)
    answer = cytocar("gate", tubes / "spaced.csv", "--format", "csv")
    ids = {row["sample_id"]: row["control_ids"] for row in csv.DictReader(io.StringIO(answer.stdout))}
    assert ids["d 9"] == "H 1|H 2", answer.stderr
