"""The parsers, each with good files to damage and a call that reads one."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from random import Random

from benchmarks.fuzz import mutate
from benchmarks.fuzz.reader import DAMAGERS, Good, good_files, read
from cytocar.course.clinical import read_record
from cytocar.course.run_tables import read_tubes
from cytocar.fcs.scrub.batch import read_linkage
from cytocar.files.bundled import template_folder
from cytocar.qc.levey_jennings import read_targets
from cytocar.qc.measures import measure
from cytocar.report.run.source import open_finished_run
from cytocar.run.finished.verify import verify
from cytocar.sheet.plate_map import read_plate_map
from cytocar.sheet.rows import read_sheet
from cytocar.signals.compensation import SpilloverMatrix
from cytocar.template.load import import_document, read_template

ROOT = Path(__file__).resolve().parents[2]
SPACES = (
    'xmlns:gating="http://www.isac-net.org/std/Gating-ML/v2.0/gating" '
    'xmlns:transforms="http://www.isac-net.org/std/Gating-ML/v2.0/transformations" '
    'xmlns:data-type="http://www.isac-net.org/std/Gating-ML/v2.0/datatypes"'
)
WORKSPACE = f"""<?xml version="1.0" encoding="UTF-8"?>
<Workspace version="20.0" flowJoVersion="10.8.1" {SPACES}><Cytometers><Cytometer cyt="X" useGain="0"/></Cytometers>
<Groups><GroupNode name="All Samples"><Group name="All"><SampleRefs><SampleRef sampleID="1"/></SampleRefs></Group></GroupNode></Groups>
<SampleList><Sample><Keywords><Keyword name="$P1N" value="FITC-A"/><Keyword name="$P1S" value="CD3"/><Keyword name="$P2N" value="PE-A"/></Keywords>
<Transformations><transforms:log transforms:offset="1" transforms:decades="4.5"><data-type:parameter data-type:name="FITC-A"/></transforms:log></Transformations>
<SampleNode name="a.fcs" sampleID="1" count="100"><Subpopulations><Population name="T" count="50"><Gate gating:id="ID1">
<gating:RectangleGate gating:id="ID1"><gating:dimension gating:min="10" gating:max="200"><data-type:fcs-dimension data-type:name="FITC-A"/></gating:dimension>
<gating:dimension gating:min="5"><data-type:fcs-dimension data-type:name="PE-A"/></gating:dimension></gating:RectangleGate></Gate>
<Subpopulations><Population name="P" count="20"><Gate gating:id="ID2" gating:parent_id="ID1"><gating:PolygonGate gating:id="ID2">
<gating:dimension><data-type:fcs-dimension data-type:name="FITC-A"/></gating:dimension><gating:dimension><data-type:fcs-dimension data-type:name="PE-A"/></gating:dimension>
<gating:vertex><gating:coordinate data-type:value="1"/><gating:coordinate data-type:value="2"/></gating:vertex>
<gating:vertex><gating:coordinate data-type:value="9"/><gating:coordinate data-type:value="2"/></gating:vertex>
<gating:vertex><gating:coordinate data-type:value="9"/><gating:coordinate data-type:value="8"/></gating:vertex></gating:PolygonGate></Gate></Population>
</Subpopulations></Population></Subpopulations></SampleNode></Sample></SampleList></Workspace>
"""
SHEET = b"file,sample_id,subject_id,day,beads_added,sample_volume_ul,well,note\nd0.fcs,d0,P1,0,20000,50,A01,\nd9.fcs,d9,P1,9,20000,50,A02,x\n"
GRID = b",1,2,3\nA,D0,D7,D9\nB,D14,,D28\n\nday,1,2,3\nA,0,7,9\nB,14,,28\n"
CLINICAL = b"subject_id,day,variable,value,unit\nP1,0,CRP,12,mg/L\nP1,3,IL-6,150,pg/mL\nP1,9,ferritin,1e3,ng/mL\n"
DRUGS = b"subject_id,name,start_day,end_day,dose,unit\nP1,tocilizumab,3,3,8,mg/kg\nP1,dexamethasone,4,,10,mg\n"
MATRIX = b"FITC-A,PE-A,APC-A\n1,0.12,0\n0.02,1,0.001\n0,0.3,1\n"
TARGETS = b"measure,control,mean,sd\nvoltage,FITC-A,400,2\nbead_recovery_percent,,45,3\n"
LINKS = b"copy,file,subject_id,shift_days,file_sha256,copy_sha256\n0001.fcs,/data/a.fcs,P1,17,ab,cd\n"


@dataclass(frozen=True)
class Target:
    """A parser: its name, good files, how they are damaged, what reads one, under which name it looks for it."""

    name: str
    seeds: tuple[bytes, ...]
    mutators: tuple[mutate.Mutator, ...]
    read: Callable[[Path], object]
    path: Path
    restore: Callable[[], object] = field(default=lambda: None)

    def damaged(self, rng: Random) -> bytes:
        """Return one damaged file; the same for the same generator."""
        content = rng.choice(self.seeds)
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            content = rng.choice(self.mutators)(content, rng, self.seeds)
        return content


def targets(scratch: Path, folders: list[Path]) -> Iterator[Target]:
    """Yield every parser with its seeds."""
    toml = tuple(path.read_bytes() for path in sorted(template_folder().glob("*.toml")))
    xml = tuple(path.read_bytes() for path in sorted((ROOT / "tests" / "template").rglob("*.xml")))
    yield Target("template", toml, mutate.TEXT, read_template, scratch / "gates.toml")
    yield Target("Gating-ML", xml, mutate.TEXT, import_document, scratch / "gates.xml")
    yield Target("workspace", (WORKSPACE.encode(),), mutate.TEXT, import_document, scratch / "gates.wsp")
    yield Target("sheet", (SHEET, SHEET.replace(b",", b";")), mutate.TEXT, read_sheet, scratch / "sheet.csv")
    yield Target("plate map", (GRID,), mutate.TEXT, read_plate_map, scratch / "map.csv")
    yield Target("clinical", (CLINICAL,), mutate.TEXT, lambda path: read_record(path, None), scratch / "clinical.csv")
    yield Target("drugs", (DRUGS,), mutate.TEXT, lambda path: read_record(None, path), scratch / "drugs.csv")
    yield Target("matrix", (MATRIX,), mutate.TEXT, SpilloverMatrix.from_csv, scratch / "matrix.csv")
    yield Target("qc targets", (TARGETS,), mutate.TEXT, read_targets, scratch / "targets.csv")
    yield Target("linkage", (LINKS,), mutate.TEXT, read_linkage, scratch / "linkage.csv")
    yield from _workbooks(scratch)
    yield from _run(scratch)
    yield from _fcs(scratch, folders)


def _workbooks(scratch: Path) -> Iterator[Target]:
    try:
        from openpyxl import Workbook
    except ImportError:
        return
    for name, table, reads in (("sheet.xlsx", SHEET, read_sheet), ("map.xlsx", GRID, read_plate_map)):
        book = Workbook()
        for line in table.decode().splitlines():
            book.active.append(line.split(","))
        out = BytesIO()
        book.save(out)
        yield Target(name, (out.getvalue(),), mutate.WORKBOOK, reads, scratch / name)


def _run(scratch: Path) -> Iterator[Target]:
    """Yield the files of a run folder, each damaged alone while the others are whole."""
    from cytocar.run.count import Work, count, open_store
    from cytocar.run.plan import make_plan
    from cytocar.sheet.inputs import collect, given_for_all
    from cytocar.simulate import Preparation, blood_tube

    tube, whole, damaged = scratch / "d9.fcs", scratch / "whole", scratch / "run"
    blood_tube(car_per_ul=100, preparation=Preparation(drawn_share=0.02), seed=9).write(tube)
    plan = make_plan(
        collect([tube], given=given_for_all(beads_added=20000.0, sample_volume_ul=50.0)), template="cart-cd19fc-fixed"
    )
    with open_store(plan, whole, Work(jobs=1)) as store:
        count(plan, Work(jobs=1), store)
    shutil.copytree(whole, damaged)

    def reads(_path: Path) -> None:
        from cytocar.errors.tree import CytocarError

        verify(damaged)
        for opens in (open_finished_run, measure, lambda run: list(read_tubes(run))):
            try:
                opens(damaged)
            except CytocarError:
                continue

    for file in sorted(path.relative_to(whole) for path in whole.rglob("*") if path.is_file()):
        if file.suffix not in {".json", ".jsonl", ".csv"}:
            continue
        mutators = mutate.TEXT if file.suffix == ".csv" else mutate.JSON
        seed = (whole / file).read_bytes()

        def put_back(file: Path = file, seed: bytes = seed) -> None:
            (damaged / file).write_bytes(seed)

        yield Target(f"run: {file.name.split('-')[0]}", (seed,), mutators, reads, damaged / file, put_back)


def _fcs(scratch: Path, folders: list[Path]) -> Iterator[Target]:
    goods = list(good_files(folders, scratch))

    def damage(good: Good) -> tuple[mutate.Mutator, ...]:
        return tuple(lambda _content, rng, _others, damager=damager: damager(good, rng)[0] for damager in DAMAGERS)

    for good in goods:
        yield Target("FCS", (good.content,), damage(good), read, scratch / "damaged.fcs")
