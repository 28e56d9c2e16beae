"""Counts of two sides: differences, verdicts and their causes."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from cytocar.errors.tree import UsageError
from cytocar.regions.boxes import RangeGate, RectangleGate
from cytocar.report.comparison.page import comparison_page
from cytocar.run.comparison.compare import Verdict, compare
from cytocar.run.comparison.counts import Counts, SampleCounts, of_workspace, read_counts
from cytocar.signals.compensation import Matrix
from cytocar.signals.declaration import declare
from cytocar.signals.scales import LinearScale
from cytocar.template.flowjo.document import open_workspace
from cytocar.template.model import Compensation, Template
from tests.runs import cytocar_command, small_inputs, small_run
from tests.workspaces import Tube, above, matrix, workspace

GATES = above(40, name="T", count=60, under=above(60, name="CD4+", count=40, channel="Comp-FITC-A"))


def _stored(gates: str = GATES) -> Counts:
    return of_workspace(open_workspace(workspace(Tube(1, gates, head=matrix("1 0.25 0 1"))), source="x.wsp"))


def _ours(stored: Counts, events: dict[str, int] | None = None, *, template: Template | None = None) -> Counts:
    (sample,) = stored.samples.values()
    counted: dict[str, int | None] = {"all": 100, "T": 60, "CD4+": 40, **(events or {})}
    return Counts("run", {"tube1": SampleCounts(counted, frozenset(), template or sample.template)})


def _cause(ours: Counts, other: Counts, population: str = "CD4+") -> str:
    return next(row.cause for row in compare(ours, other).rows if row.population == population)


def _template(stored: Counts) -> Template:
    (sample,) = stored.samples.values()
    assert sample.template is not None
    return sample.template


def test_verdicts_follow_the_tolerance_in_percent_of_the_others_count() -> None:
    stored = _stored(above(1, name="p", count=1000))
    for events, verdict in ((1000, "exact"), (1010, "within"), (990, "within"), (1011, "beyond"), (989, "beyond")):
        comparison = compare(_ours(stored, {"p": events}), stored, tolerance_percent=1.0)
        assert [row.verdict for row in comparison.rows if row.population == "p"] == [verdict]
        assert comparison.agrees == (verdict != "beyond")


def test_what_flowjo_has_not_counted_is_no_difference_and_what_the_run_lacks_is() -> None:
    stored = _stored(above(1, name="p") + above(1, name="q", count=3))
    comparison = compare(_ours(stored, {"p": 5}), stored)
    assert {row.population: row.verdict for row in comparison.rows} == {
        "all": Verdict.EXACT,
        "p": Verdict.NOT_COUNTED,
        "q": Verdict.MISSING,
    }
    assert not comparison.agrees


def test_a_population_that_the_run_lacks_is_named_beside_the_one_that_may_be_meant(tmp_path: Path) -> None:
    path = tmp_path / "counts.csv"
    path.write_text("sample_id,population,events\ntube1,cd4,40\ntube1,NKT,3\n", "utf-8")
    lacking = {row.population: row.cause for row in compare(_ours(_stored()), read_counts(path)).rows}
    assert lacking == {
        "cd4": "the run has no such population, did you mean 'CD4+'?",
        "NKT": "the run has no such population",
    }


def test_another_file_is_the_first_cause() -> None:
    stored = _stored()
    ours = _ours(stored, {"all": 101, "CD4+": 50})
    assert _cause(ours, stored) == "other file: 101 events in the run, 100 on the other side"


def test_a_gate_that_was_moved_above_a_population_is_named() -> None:
    stored = _stored()
    first, second = _template(stored).populations
    gate = declare(RectangleGate, {"kind": "rectangle", "bounds": {"CD3": {"min": 41}}})
    moved = replace(_template(stored), populations=(replace(first, gate=gate), second))
    assert _cause(_ours(stored, {"CD4+": 39}, template=moved), stored) == "moved gate: T"


def test_the_cause_is_the_scale_that_a_gate_on_it_is_drawn_on() -> None:
    stored = _stored()
    template = _template(stored)
    (marker,) = template.population("T").gate.markers()
    drawn = RangeGate(marker=marker, min=0.3, units="scale")
    populations = tuple(replace(one, gate=drawn) if one.name == "T" else one for one in template.populations)
    one, other = (
        replace(template, populations=populations, scales={**template.scales, marker: scale})
        for scale in (LinearScale(T=1000), LinearScale(T=2000))
    )
    assert _cause(_ours(stored, template=one), _ours(stored, {"CD4+": 39}, template=other)) == f"other scale: {marker}"


def test_another_matrix_is_named_for_compensated_gates_only() -> None:
    stored = _stored()
    other = Matrix(fluorochromes=("FITC-A", "PE-A"), detectors=("FITC-A", "PE-A"), values=((1, 0.5), (0, 1)))
    template = replace(_template(stored), compensation=Compensation(source="m", matrices={"m": other}))
    ours = _ours(stored, {"CD4+": 30, "T": 59}, template=template)
    assert _cause(ours, stored) == "other matrix"
    assert _cause(ours, stored, "T") == "not known"


def test_a_population_under_a_polygon_may_differ_because_flowjo_bins_it() -> None:
    vertices = "".join(
        f'<gating:vertex><gating:coordinate data-type:value="{x}"/><gating:coordinate data-type:value="{y}"/>'
        "</gating:vertex>"
        for x, y in ((0, 0), (0, 50), (50, 50))
    )
    sides = "".join(
        f'<gating:dimension><data-type:fcs-dimension data-type:name="{name}"/></gating:dimension>'
        for name in ("FITC-A", "PE-A")
    )
    polygon = (
        f'<Population name="poly" count="9"><Gate><gating:PolygonGate>{sides}{vertices}</gating:PolygonGate></Gate>'
    )
    gates = f"{polygon}<Subpopulations>{above(1, name='p', count=5)}</Subpopulations></Population>"
    stored = _stored(gates)
    assert _cause(_ours(stored, {"poly": 9, "p": 6}), stored, "p") == "binned polygon or ellipse: poly"
    assert _cause(_ours(stored, {"poly": 9, "p": 55}), stored, "p").startswith("not known")


def test_samples_are_found_by_their_file_where_their_names_differ() -> None:
    stored = _stored()
    (sample,) = _ours(stored).samples.values()
    ours = Counts("run", {"day9": SampleCounts(sample.events, frozenset({"TUBE1.fcs"}))})
    assert {row.sample_id for row in compare(ours, stored).rows} == {"day9"}


def test_a_population_has_the_path_of_its_gates_not_the_note_beside_it(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    comparison = compare(read_counts(run), read_counts(run))
    paths = {row.population: row.path for row in comparison.rows}
    assert paths["leukocytes"] == "singlets/leukocytes"
    assert paths["car_t"].endswith("/t_cells/car_t")


def test_a_sample_that_the_run_lacks_is_no_agreement() -> None:
    stored = _stored()
    comparison = compare(Counts("run", {}), stored)
    assert comparison.only_there == ("tube1",)
    assert not comparison.agrees


# ---------------------------------------------------------------- tables


def test_a_table_of_flowjos_editor_is_read_and_a_long_one(tmp_path: Path) -> None:
    wide, long = tmp_path / "wide.csv", tmp_path / "long.csv"
    wide.write_text(",T | Count,T/CD4+ | Count,T | Freq. of Parent\ntube1.fcs,60,40,60\nMean,60,40,60\n")
    long.write_text("sample_id;population;events\ntube1;T;60\ntube1;T/CD4+;40\n")
    for path in (wide, long):
        stored = read_counts(path)
        ours = _ours(_stored())
        (sample,) = ours.samples.values()
        with_paths = SampleCounts(sample.events, paths={"CD4+": "T/CD4+"})
        comparison = compare(Counts("run", {"tube1": with_paths}), stored)
        assert [row.verdict for row in comparison.rows] == [Verdict.EXACT, Verdict.EXACT]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("sample_id;population;events\ns;T;5,5\n", "row 2: T: '5,5' is no number of events"),
        ("sample_id;population;events\ns;T;5.000\n", "row 2: T: '5.000' may be 5000 or 5: write one of these"),
        ("sample_id,population,events\ns,T,5,000\n", "row 2 has more cells than the header: '000'"),
        (
            "sample_id,population,events\ns,T,-5\ns,U,many\n",
            "row 2: T: '-5' is no number of events; row 3: U: 'many' is",
        ),
        ("sample_id,population,events\ns,T,50\ns,T,60\n", "row 3: T of s comes twice, with 50 and 60 events"),
        (",T | Count\na.fcs,60.5\n", "row 2: T: '60.5' is no number of events"),
    ],
)
def test_every_count_that_is_none_or_may_be_two_is_named(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(UsageError) as caught:
        read_counts(tmp_path / "x.csv")
    assert caught.value.code == "E155"
    assert fault in caught.value.message


def test_thousands_and_empty_counts_of_programs_are_read(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text('sample_id,population,events\ns,T,"1,234"\ns,U,60.0\ns,V,n/a\ns,W,\n')
    assert read_counts(tmp_path / "x.csv").samples["s"].events == {"T": 1234, "U": 60, "V": None, "W": None}


def test_what_holds_no_counts_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    (tmp_path / "x.wsp").write_text("<html></html>")
    for name in ("x.csv", "x.wsp"):
        with pytest.raises(UsageError) as caught:
            read_counts(tmp_path / name)
        assert caught.value.code == "E155"


def test_a_gate_that_the_data_placed_elsewhere_is_the_cause(tmp_path: Path) -> None:
    """As with and without a baseline: the template is the same, and only the threshold of CAR differs."""
    cytocar_command("gate", small_inputs(tmp_path), "-o", tmp_path / "run", "-j", "1", "--no-report")
    run = read_counts(tmp_path / "run")
    name, sample = next((name, sample) for name, sample in run.samples.items() if sample.events["car_t"])
    gate = sample.placed["car_t"]
    assert isinstance(gate, RangeGate)
    assert gate.min is not None
    moved = {**sample.placed, "car_t": replace(gate, min=1.1 * gate.min)}
    fewer = {
        population: events and (events - 1 if population == "car_t" else events)
        for population, events in sample.events.items()
    }
    other = Counts("other", {name: replace(sample, events=fewer, placed=moved)})
    assert _cause(run, other, "car_t") == "gate placed elsewhere by the data: car_t"
    same = Counts("other", {name: replace(sample, events=fewer)})
    assert _cause(run, same, "car_t") == "not known"
    assert _cause(run, other, "t_cells") == ""


# ---------------------------------------------------------------- the page and the command


def test_the_page_shows_what_differs_first_and_escapes_names() -> None:
    stored = _stored(above(1, name="&lt;b&gt;", count=3) + above(2, name="p", count=5))
    page = comparison_page(compare(_ours(stored, {"<b>": 3, "p": 9}), stored))
    assert "<b>" not in page
    assert page.index(">beyond</td>") < page.index(">exact</td>")
    assert "Does not agree" in page


def test_the_command_writes_both_and_exits_1_beyond_the_tolerance(tmp_path: Path) -> None:
    tube = Tube(1, above(40, name="T cells", count=57))
    tube.write(tmp_path / "files")
    (tmp_path / "x.wsp").write_bytes(workspace(tube))
    cytocar_command("template", "import", tmp_path / "x.wsp", "--files", tmp_path / "files", "-o", tmp_path / "in")
    run = tmp_path / "run"
    cytocar_command("gate", tmp_path / "in" / "sheet.csv", "-o", run, "--no-report", "-j", "1")
    plain = cytocar_command("compare", run, tmp_path / "x.wsp")
    assert plain.code == 1
    assert "tube1,T cells,T cells,60,57,3,5.26316,beyond,not known" in plain.stdout
    wide = cytocar_command(
        "compare", run, tmp_path / "in" / "flowjo_counts.csv", "--tolerance", "6", "-o", tmp_path / "c"
    )
    assert wide.code == 0
    assert (tmp_path / "c" / "comparison.html").is_file()
    itself = cytocar_command("compare", run, run, "--tolerance", "0")
    assert itself.code == 0
    assert "1 of 1 populations equal" in itself.stderr


def test_a_table_that_is_no_text_is_refused_and_no_bug(tmp_path: Path) -> None:
    (tmp_path / "counts.csv").write_bytes(b"\xb0\xff\x00binary")
    with pytest.raises(UsageError, match=r"counts\.csv is no table: it is not UTF-8 text") as caught:
        read_counts(tmp_path / "counts.csv")
    assert caught.value.code == "E155"
