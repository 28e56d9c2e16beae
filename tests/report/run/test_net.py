"""``report --net``: the net count is what is printed first, and the page says so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cytocar.report.run.one_page import one_page_files
from cytocar.report.run.page import report_files
from cytocar.report.run.source import open_finished_run
from cytocar.sample.result import SampleResult
from cytocar.simulate import Preparation, blood_tube
from tests.runs import cytocar_command


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Count a tube with its baseline by gates that adapt."""
    folder = tmp_path_factory.mktemp("net")
    for name, car, seed in (("baseline", 0, 1), ("d9", 40, 2)):
        blood_tube(car_per_ul=car, preparation=Preparation(drawn_share=0.2), seed=seed).write(folder / f"{name}.fcs")
    lines = "file,sample_id,sample_type,subject_id,day,plate_id,well,beads_added,sample_volume_ul"
    tubes = "baseline.fcs,B,baseline,P1,-5,1,A01,20000,50\nd9.fcs,d9,sample,P1,9,1,A02,20000,50"
    (folder / "sheet.csv").write_text(f"{lines}\n{tubes}\n")
    command = ("gate", folder / "sheet.csv", "-t", "cart-cd19fc", "-o", folder / "run", "--no-report")
    assert cytocar_command(*command).code == 0
    return folder / "run"


def test_the_net_count_is_printed_where_it_is_asked_for(run: Path) -> None:
    result = next(one for one in open_finished_run(run).counted if one.sample.sample_id == "d9")
    assert isinstance(result, SampleResult) and result.car is not None
    gated, net = (open_finished_run(run, gated=one).row(result)["car_report"] for one in (True, False))
    assert (gated, net) == (result.car.report(), result.car.report(gated=False))
    as_gated = report_files(run)["report.html"].decode()
    as_net = report_files(run, gated=False)["report.html"].decode()
    assert "CAR-T cells/µL, net" in as_net
    assert "CAR-T cells/µL, net" not in as_gated
    order = [re.findall(r"CAR-T/µL, (gated|net)", text)[:2] for text in (as_gated, as_net)]
    assert order == [["gated", "net"], ["net", "gated"]]
    assert "CAR-T cells, net" in one_page_files(run, gated=False)["one-page.html"].decode()


def test_the_command_takes_both_words(run: Path) -> None:
    for word in ("--gated", "--net"):
        assert cytocar_command("report", run, word).code == 0
    assert "CAR-T cells/µL, net" in (run / "report.html").read_text()
