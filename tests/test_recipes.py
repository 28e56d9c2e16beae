"""What the recipes say of real files is so; their console blocks are run by ``test_docs.py``."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import cytocar
from cytocar.course.series import join
from cytocar.fcs.keywords import acquired_volume
from cytocar.fcs.write import write_fcs
from cytocar.sample.result import SampleResult
from cytocar.simulate import Preparation, blood_tube
from tests.fcs.files import floats
from tests.fcs.test_data_sets import chain
from tests.stained_tubes import StainedTube
from tests.test_gating_templates import b_cell_events
from tests.test_product_template import product
from tests.test_t_cell_templates import exhaustion_tube, memory_tube

ROOT = Path(__file__).resolve().parents[1]
RECIPES = ROOT / "docs" / "recipes"
SHARED = Path(os.environ.get("CYTOCAR_SHARED_DATA", ROOT.parent / "shared" / "data"))


def real(name: str) -> Path:
    path = SHARED / name
    if not path.is_file():
        pytest.skip(f"{path} is not here: it is not part of the repository")
    return path


def test_the_tbnk_table_is_what_the_real_tube_gives(tmp_path: Path) -> None:
    tube = real("tcell_human/more/canto_tbnk.fcs")
    text = (RECIPES / "tbnk.md").read_text("utf-8")
    expected = re.findall(r"^\| (\w+) \| (\w+) \| (\d+) \| ([\d.]+) \| ([\d.]+) \|$", text, re.MULTILINE)
    (tmp_path / "canto_tbnk.fcs").symlink_to(tube)
    (result,) = run_sheet("tbnk", tmp_path, "tbnk").values()
    found = [
        (one.name, one.parent, str(one.events), f"{one.percent_of_parent.value:.3g}", f"{one.per_ul.value:.3g}")
        for one in result.populations
        if one.name in {name for name, *_ in expected}
    ]
    assert [(*row[:4], f"{float(row[4]):.3g}") for row in found] == [
        (*row[:4], f"{float(row[4]):.3g}") for row in expected
    ]


@pytest.mark.parametrize(
    ("name", "ul", "unit"),
    [
        ("fcs/fcsparser/EY_2013-07-19_PBS_FCS_3.1_Well_A1.001.fcs", 10.67, "nL (MACSQuant)"),
        ("fcs/flowio/G11.fcs", 46, "nL (Attune)"),
        ("fcs/easyflowq/CytoFLEX_01-Well-C3.fcs", 120.5, "nL (CytoFLEX)"),
        ("fcs/fcsparser/cyflow_cube_8.fcs", 99, "nL (CyFlow)"),
        ("tcell_human/more/aurora_unmixed_INF071.fcs", 51.93, "µL (Cytek)"),
    ],
)
def test_a_real_file_of_each_instrument_has_its_volume_in_the_unit_of_the_table(
    name: str, ul: float, unit: str
) -> None:
    volume = acquired_volume(cytocar.open_fcs(real(name)))
    assert volume is not None
    assert volume.rule == f"$VOL in {unit}"
    assert volume.ul == pytest.approx(ul, rel=1e-3)
    instrument = unit[4:-1]
    row = next(line for line in (RECIPES / "volume.md").read_text("utf-8").splitlines() if f"| {instrument}" in line)
    assert unit[:2] in row


def test_the_real_macsquant_file_of_fcs_3_0_has_no_volume() -> None:
    assert acquired_volume(cytocar.open_fcs(real("fcs/fcsparser/FCS3.0_Custom_Compatible.fcs"))) is None


def table(page: str) -> dict[str, tuple[str, int, float]]:
    """Return the parent, events and percent of each population that a recipe expects."""
    text = (RECIPES / page).read_text("utf-8")
    rows = re.findall(r"^\| (\w+) \| (\w+) \| (\d+) \| ([\d.]+) \|$", text, re.MULTILINE)
    assert rows
    return {name: (parent, int(events), float(percent)) for name, parent, events, percent in rows}


SHEETS = RECIPES / "sheets"
"""Sheets as files, to copy: each stands on its page as it is, and is run here on tubes of the names that it has."""


def write(tube: StainedTube, path: Path) -> None:
    write_fcs(path, tube.columns, markers=tube.markers, keywords=tube.keywords)


def run_sheet(name: str, folder: Path, template: str | None = None) -> dict[str, SampleResult]:
    """Return what the sheet of a recipe gives on the tubes that lie beside a copy of it, by sample."""
    shutil.copy2(SHEETS / f"{name}.csv", folder)
    results = cytocar.run(folder / f"{name}.csv", template, jobs=1)
    assert all(isinstance(one, SampleResult) for one in results)
    return {str(one.row()["sample_id"]): one for one in results if isinstance(one, SampleResult)}


@pytest.mark.parametrize("sheet", sorted(SHEETS.glob("*.csv")), ids=lambda sheet: sheet.stem)
def test_the_sheet_on_a_page_is_the_file_that_it_links(sheet: Path) -> None:
    page = (RECIPES / f"{sheet.stem}.md").read_text("utf-8")
    assert f"```csv\n{sheet.read_text('utf-8')}```" in page
    assert f"(sheets/{sheet.name})" in page


def memory(folder: Path) -> SampleResult:
    write(memory_tube(seed=1), folder / "P10_d14_mem.fcs")
    write(memory_tube(with_car=0, seed=5), folder / "P10_before_mem.fcs")
    return run_sheet("memory", folder, "t-memory")["P10-d14-mem"]


def exhausted(folder: Path) -> SampleResult:
    write(exhaustion_tube(seed=1), folder / "P11_d14.fcs")
    write(exhaustion_tube(left_out=("PD-1", "LAG-3", "TIM-3"), seed=2), folder / "P11_fmo.fcs")
    return run_sheet("exhaustion", folder, "exhaustion")["P11-d14"]


def released(folder: Path) -> SampleResult:
    write(product(seed=2), folder / "P12_product.fcs")
    write(product(car=0, seed=4), folder / "P12_untransduced.fcs")
    return run_sheet("product", folder, "product-release")["P12-product"]


@pytest.mark.parametrize(("page", "counted"), [("memory", memory), ("exhaustion", exhausted), ("product", released)])
def test_a_recipe_of_a_panel_expects_what_its_sheet_and_template_give(
    page: str, counted: Callable[[Path], SampleResult], tmp_path: Path
) -> None:
    result = counted(tmp_path)
    assert result.status == "ok", [finding.message for finding in result.findings]
    for name, (parent, events, percent) in table(f"{page}.md").items():
        found = result.population(name)
        assert found is not None and found.parent == parent
        assert found.events == pytest.approx(events, rel=0.01, abs=1), name
        assert found.percent_of_parent.value == pytest.approx(percent, rel=0.02), name


def test_the_sheet_of_b_cells_joins_two_tubes_of_a_draw(tmp_path: Path) -> None:
    for name, car in (("P09_before_CAR", 0.0), ("P09_d28_CAR", 40.0)):
        preparation = Preparation(sample_volume_ul=100, beads_added=52_312)
        blood_tube(car_per_ul=car, preparation=preparation, seed=6).write(tmp_path / f"{name}.fcs")
    events = b_cell_events(120)
    columns = {channel.detector: events.column(channel.detector) for channel in events.channels}
    markers = {channel.detector: channel.marker for channel in events.channels if channel.marker}
    write_fcs(tmp_path / "P09_d28_B.fcs", columns, markers=markers, keywords=dict(events.keywords))
    shutil.copy2(SHEETS / "b-cells.csv", tmp_path)
    cytocar.run(tmp_path / "b-cells.csv", out=tmp_path / "run", jobs=1)
    before, day28 = join([tmp_path / "run"]).points
    assert day28.car_per_ul.value == pytest.approx(40, rel=0.1)
    assert day28.b_cells_per_ul == pytest.approx(180 / 5000 * 52_312 / 200, rel=0.05)
    assert before.b_cells_per_ul is None


def test_the_sheet_of_a_guava_names_the_wells_of_one_file(tmp_path: Path) -> None:
    """Two data sets, the first of which points to the second, and no volume in either: the sheet types it."""
    wells = []
    for seed, car in ((1, 0.0), (2, 30.0)):
        tube = blood_tube(car_per_ul=car, preparation=Preparation(sample_volume_ul=50, beads_added=0), seed=seed)
        assert tube.drawn.acquired_volume_ul == 450
        names = {f"$P{n}S": tube.markers[name] for n, name in enumerate(tube.columns, 1) if name in tube.markers}
        stated = {"$SPILLOVER": tube.keywords["$SPILLOVER"], "$CYT": "Guava easyCyte", **names}
        values = np.column_stack(list(tube.columns.values()))
        wells.append(floats(values, names=list(tube.columns), keywords=stated, delimiter="|", data_at=4096))
    chain(tmp_path / "plate.fcs", *wells)
    results = run_sheet("guava", tmp_path, "cart-cd19fc")
    assert results["P15-before"].row()["car_result"] == "not_detected"
    assert results["P15-day14"].row()["car_per_ul"] == pytest.approx(30, rel=0.15)
