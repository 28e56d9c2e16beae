"""One small run with a report, for all tests of this room."""

from __future__ import annotations

from pathlib import Path

import pytest

from cytocar.simulate import Blood, Preparation, blood_tube
from tests.runs import cytocar_command

ODD_NAMES = ("<script>alert(1)</script>", "[/red] & \"both\" 'quotes'", "=2+3", "ﷺ\u202ereversed")
HEADER = "file,sample_id,subject_id,day,sample_type,plate_id,well,beads_added,sample_volume_ul"


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of five samples: a baseline, three tubes with odd names, and one that is no FCS file."""
    folder = tmp_path_factory.mktemp("report")
    lines = [HEADER, "base.fcs,base,P1,-4,baseline,p,A01,20000,50"]
    for number, (name, per_ul) in enumerate(zip(ODD_NAMES[:3], (0, 1, 400), strict=True)):
        quoted = '"' + name.replace('"', '""') + '"'
        lines.append(f"t{number}.fcs,{quoted},P1,{7 * number + 1},sample,p,A{number + 2:02},20000,50")
        tube = blood_tube(car_per_ul=per_ul, preparation=Preparation(drawn_share=0.05), seed=number)
        tube.write(folder / f"t{number}.fcs")
    before = Blood(granulocytes=200).with_t_cells(2000)  # a control needs 5000 T cells
    base = blood_tube(car_per_ul=0, blood=before, preparation=Preparation(drawn_share=0.2), seed=9)
    base.write(folder / "base.fcs")
    (folder / "no.fcs").write_bytes(b"hello")
    lines += [f"no.fcs,{ODD_NAMES[3]},P1,30,sample,p,H12,20000,50"]
    (folder / "sheet.csv").write_text("\n".join(lines) + "\n", "utf-8")
    assert cytocar_command("gate", folder / "sheet.csv", "-o", folder / "run", "-j", "1", "-q").code == 1
    return folder / "run"
