"""``cytocar series`` as people and pipes see it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.commands import forked

COUNTS = """sample_id,subject_id,day,sample_type,specimen,status,t_cell_events,car_events,car_result,t_cells_per_ul,\
car_per_ul,car_per_ul_low,car_per_ul_high,car_lod_per_ul,car_lloq_per_ul,file_sha256
d0,P1,0,baseline,blood,ok,20000,0,not_detected,1000,0,0,0.2,1,1.1,a
d9,P1,9,sample,blood,ok,20000,5000,quantified,1000,250,243,257,1,1.1,b
d14,P1,14,sample,blood,failed,,,,,,,,,,c
x,P1,,sample,blood,ok,20000,5000,quantified,1000,250,243,257,1,1.1,d
"""


def cytocar(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [*forked(), "series", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False, timeout=120)


def run_table(tmp_path: Path) -> Path:
    table = tmp_path / "run" / "counts.csv"
    table.parent.mkdir()
    table.write_text(COUNTS, "utf-8")
    return table


def test_a_pipe_gets_the_series_as_csv(tmp_path: Path) -> None:
    done = cytocar(run_table(tmp_path))
    assert done.returncode == 0
    assert done.stdout.splitlines()[0].startswith("subject_id,day,sample_id,car_per_ul,")
    assert [line.split(",")[:4] for line in done.stdout.splitlines()[1:]] == [
        ["P1", "0", "d0", "0"],
        ["P1", "9", "d9", "250"],
        ["P1", "14", "d14", ""],
    ]
    assert "sample x is on no course: no day" in done.stderr


def test_a_folder_gets_tables_figures_and_a_page(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = cytocar(run_table(tmp_path), "-o", out)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert str(out / "course.html") in done.stderr
    assert (out / "kinetics.csv").is_file()


def test_a_score_without_clinical_values_is_not_left_out_in_silence(tmp_path: Path) -> None:
    done = cytocar(run_table(tmp_path), "-o", tmp_path / "out", "--score", "easix")
    assert done.returncode == 0
    assert "note: no score is calculated: --clinical names no value" in done.stderr


def test_all_faults_of_the_clinical_tables_come_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    clinical, drugs = tmp_path / "clinical.csv", tmp_path / "drugs.csv"
    clinical.write_text("subject_id,day,variable,value,unit\nP1,0,crp,5,\nP9,0,crp,5,mg/L\n", "utf-8")
    drugs.write_text("subject_id,name,start_day,end_day,dose,unit\nP1,dasatinib,13,7,100,mg/day\n", "utf-8")
    done = cytocar(run_table(tmp_path), "-o", tmp_path / "out", "--clinical", clinical, "--interventions", drugs)
    assert done.returncode == 2
    assert done.stderr.startswith("error[E130]: 3 faults")
    for text in ("crp has no unit", "subject 'P9' has no sample", "ends on day 7, before it starts on day 13"):
        assert text in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_no_run_is_a_usage_error(tmp_path: Path) -> None:
    done = cytocar(tmp_path / "nowhere")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error[E132]")
    assert done.stderr.splitlines()[-1].strip().startswith("fix:")


def test_help_names_the_options() -> None:
    done = cytocar("--help")
    assert done.returncode == 0
    for option in ("--clinical", "--interventions", "--subject", "--replicates", "--score", "--decline"):
        assert option in done.stdout


def test_late_flags_are_warned_of_only_when_asked(tmp_path: Path) -> None:
    run = run_table(tmp_path)
    later = "d91,P1,91,sample,blood,ok,20000,40,quantified,1000,2,1.4,2.8,1,1.1,e\n"
    again = "d200,P1,200,sample,blood,ok,20000,400,quantified,1000,20,18,22,1,1.1,f\n"
    run.write_text(COUNTS + later + again, "utf-8")
    assert "W323" not in cytocar(run).stderr
    done = cytocar(run, "--re-expansion", "5", "--cd3-negative", "1", "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "warning W323: P1: 20.0 CAR-T cells/µL on day 200, 10.0 times the 2.00 of day 91" in done.stderr
    assert "no tube has the population car_cd3_negative" in done.stderr
    lines = (tmp_path / "out" / "late.csv").read_text("utf-8").splitlines()
    assert lines[1].startswith("P1,200,re-expansion,W323,20,18,22,91,2,,5,")
    assert "Late flags" in (tmp_path / "out" / "course.html").read_text("utf-8")
