"""What the recipes say of real files is so; their console blocks are run by ``test_docs.py``."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

import cytocar
from cytocar.fcs.keywords import acquired_volume
from cytocar.fcs.write import write_fcs
from cytocar.sample.result import SampleResult
from tests.test_product_template import product, released
from tests.test_t_cell_templates import exhaustion_tube, memory_tube

ROOT = Path(__file__).resolve().parents[1]
RECIPES = ROOT / "docs" / "recipes"
SHARED = Path(os.environ.get("CYTOCAR_SHARED_DATA", ROOT.parent / "shared" / "data"))


def real(name: str) -> Path:
    path = SHARED / name
    if not path.is_file():
        pytest.skip(f"{path} is not here: it is not part of the repository")
    return path


def test_the_tbnk_table_is_what_the_real_tube_gives() -> None:
    tube = real("tcell_human/more/canto_tbnk.fcs")
    text = (RECIPES / "tbnk.md").read_text("utf-8")
    expected = re.findall(r"^\| (\w+) \| (\w+) \| (\d+) \| ([\d.]+) \| ([\d.]+) \|$", text, re.MULTILINE)
    (result,) = cytocar.run([tube], "tbnk", jobs=1, count_method="dual_platform", lymphocytes_per_ul=1200)
    assert isinstance(result, cytocar.SampleResult)
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


def exhausted(folder: Path) -> SampleResult:
    tubes = {"day14": exhaustion_tube(seed=1), "fmo": exhaustion_tube(left_out=("PD-1", "LAG-3", "TIM-3"), seed=2)}
    for name, tube in tubes.items():
        write_fcs(folder / f"{name}.fcs", tube.columns, markers=tube.markers, keywords=tube.keywords)
    (folder / "sheet.csv").write_text(
        "file,sample_id,sample_type,subject_id,control_for,stain_target\n"
        "day14.fcs,P11-d14,sample,P11,,\nfmo.fcs,P11-fmo,fmo,P11,P11-d14,\n",
        "utf-8",
    )
    (result, *_) = cytocar.run(folder / "sheet.csv", "exhaustion", jobs=1)
    assert isinstance(result, SampleResult)
    return result


@pytest.mark.parametrize("page", ["memory.md", "exhaustion.md", "product.md"])
def test_a_recipe_of_a_panel_expects_what_its_template_finds(page: str, tmp_path: Path) -> None:
    if page == "memory.md":
        result = cytocar.quantify(memory_tube(seed=1).events, cytocar.load_template("t-memory"))
    else:
        result = exhausted(tmp_path) if page == "exhaustion.md" else released(product(seed=2))
    assert result.status == "ok", [finding.message for finding in result.findings]
    for name, (parent, events, percent) in table(page).items():
        found = result.population(name)
        assert found is not None and found.parent == parent
        assert found.events == pytest.approx(events, rel=0.01, abs=1), name
        assert found.percent_of_parent.value == pytest.approx(percent, rel=0.02), name
