"""What is tried is what is saved; what is saved is an override, a mark or a signature, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from cytocar.report.run.numbers import people
from cytocar.review.handles import fields
from cytocar.review.worklist import needs_a_look
from cytocar.run.execute import control_signals
from cytocar.run.finished.checks import Verdict
from cytocar.run.finished.verify import verify
from cytocar.run.lines import rows_of
from cytocar.run.parts import PARTS, Parts
from cytocar.run.trail.audit import Action, read_trail
from cytocar.sample.control_signals import References
from cytocar.sample.result import SampleResult
from cytocar.sheet.rows import SampleRow
from cytocar.simulate import Preparation, blood_tube
from tests.review.visitor import Visitor, words
from tests.runs import cytocar_command


def rows(result: SampleResult) -> dict[str, list[dict[str, object]]]:
    return {name: [dict(row) for row in table] for name, table in rows_of(result).items()}


def saved(run: Path, sample_id: str) -> SampleResult:
    outcome = Parts(run / PARTS).read(sample_id)
    assert isinstance(outcome, SampleResult)
    return outcome


def unchanged(run: Path) -> bool:
    return all(check.verdict is not Verdict.CHANGED for check in verify(run))


def tables(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.glob("*.csv")}


@pytest.mark.parametrize(
    ("population", "typed"),
    [
        ("car_t", {"threshold": "700"}),
        ("t_cells", {"threshold": "1500"}),
        ("viable", {"threshold": "1400.5"}),
        ("beads", {"center_CD4": "55000"}),
        ("leukocytes", {"CD45 min": "2000"}),
    ],
)
def test_what_is_tried_is_what_is_saved(course: Visitor, population: str, typed: dict[str, str]) -> None:
    opened, number = course.session.opened(), course.sample("day09")
    gate = course.session.moved(opened, number, population, typed)
    at_once = course.session.kept_by(opened, number, population, gate)
    tried = course.session.counted_with(opened, number, population, gate)
    where = course.gate("day09", population)
    form = {f"number:{name}": text for name, text in typed.items()}
    answer = course.post(f"{where}/save", {"seen": course.seen(where), "by": "A. Muster", "reason": "dim", **form})
    assert answer.status_code == 303, words(answer)
    after = saved(course.run, "day09")
    assert rows(tried) == rows(after)
    assert tried.gates == after.gates
    counted = after.population(population)
    assert counted is not None
    assert (at_once.events, at_once.of_events) == (counted.events, counted.of_events)
    assert at_once.percent == counted.percent_of_parent.value
    assert unchanged(course.run)


def test_a_second_gate_is_tried_on_top_of_the_first_that_was_saved(course: Visitor) -> None:
    course.save(course.gate("day09", "t_cells"), threshold="1500")
    opened, number = course.session.opened(), course.sample("day09")
    gate = course.session.moved(opened, number, "car_t", {"threshold": "900"})
    tried = course.session.counted_with(opened, number, "car_t", gate)
    course.save(course.gate("day09", "car_t"), threshold="900")
    assert rows(tried) == rows(saved(course.run, "day09"))


def test_a_gate_moved_on_the_page_is_one_moved_by_the_command(
    course: Visitor, course_run: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(course_run, tmp_path / "other" / "run"))
    words_of = ("override", other, "day09", "car_t", "--value", "700", "--reason", "dim", "--by", "A. Muster")
    assert cytocar_command(*words_of).code == 0
    course.save(course.gate("day09", "car_t"), threshold="700")
    course.session.draw_report()
    assert tables(course.run) == tables(other)
    assert (course.run / "report.html").read_bytes() == (other / "report.html").read_bytes()
    trails = [
        [(entry.action, entry.operator, entry.what, entry.before, entry.after, entry.why) for entry in trail.entries]
        for trail in (read_trail(course.run), read_trail(other))
    ]
    assert trails[0] == trails[1]


def test_a_move_is_taken_back_to_the_same_bytes_and_that_can_be_tried_too(visitor: Visitor) -> None:
    before = tables(visitor.run)
    result = saved(visitor.run, "d9")
    where = visitor.gate("d9", "car_t")
    visitor.save(where, CAR_min="20000")
    assert tables(visitor.run) != before
    tried = visitor.session.counted_with(visitor.session.opened(), visitor.sample("d9"), "car_t", None)
    assert rows(tried) == rows(result)
    answer = visitor.post(f"{where}/undo", {"seen": visitor.seen(where), "by": "B", "reason": "agreed"})
    assert answer.status_code == 303
    assert tables(visitor.run) == before
    assert unchanged(visitor.run)


def test_the_report_is_drawn_again_once_for_all_that_was_saved(course: Visitor) -> None:
    course.save(course.gate("day09", "car_t"), threshold="700")
    course.save(course.gate("day09", "t_cells"), threshold="1500")
    assert course.redrawn == ["redraw", "redraw"]
    assert course.session.opened().report_behind
    course.session.draw_report()
    course.session.draw_report()
    drawn = [entry for entry in read_trail(course.run).entries if entry.action == Action.REPORT_BUILT]
    assert len(drawn) == 2  # the run's own, and one
    assert not course.session.opened().report_behind
    assert "CD3 min" in (course.run / "report.html").read_text("utf-8")


def test_a_report_that_shows_what_is_no_more_is_not_kept(course: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    from cytocar.review import session

    course.save(course.gate("day09", "car_t"), threshold="700")
    made = []

    def drawn_while_somebody_saves(*about: object, **options: object) -> dict[str, bytes]:
        made.append(about)
        if len(made) == 1:
            course.save(course.gate("day09", "car_t"), CAR_min="800")
        return {"report.html": f"drawing {len(made)}".encode()}

    monkeypatch.setattr(session, "report_files", drawn_while_somebody_saves)
    course.session.draw_report()
    assert (course.run / "report.html").read_text("utf-8") == "drawing 2"


def test_the_report_is_drawn_by_the_next_who_asks_when_a_disk_failed_once(
    course: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cytocar.review import session

    def full(*_: object, **__: object) -> dict[str, bytes]:
        raise OSError(28, "No space left on device", "scratch")

    course.save(course.gate("day09", "car_t"), threshold="700")
    with monkeypatch.context() as failing:
        failing.setattr(session, "report_files", full)
        course.session.draw_report()
    problem = course.session.report_problem
    assert problem is not None
    assert problem.code == "E109"
    assert "No space left on device" in words(course.get())
    course.session.draw_report()
    assert course.session.report_problem is None
    assert not course.session.opened().report_behind


def test_a_run_is_not_signed_while_its_report_shows_what_is_no_more(
    course: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cytocar.review import session

    def broken(*_: object, **__: object) -> dict[str, bytes]:
        raise KeyError("lost")

    course.save(course.gate("day09", "car_t"), threshold="700")
    monkeypatch.setattr(session, "report_files", broken)
    answer = course.post("sign", {"seen": course.seen(""), "by": "Dr. B", "meaning": "approved", "note": ""})
    assert (answer.status_code, "E199" in answer.text) == (400, True)
    assert "report.html is not up to date" in words(course.get())


def test_samples_that_need_a_look_come_first(visitor: Visitor) -> None:
    places = visitor.session.opened().items
    assert [place.needs_a_look for place in places] == sorted((place.needs_a_look for place in places), reverse=True)
    assert "broken" in [place.sample_id for place in places if place.needs_a_look]
    assert all(place.needs_a_look == needs_a_look(place.outcome) for place in places)


def test_a_look_counts_until_a_gate_is_moved(visitor: Visitor) -> None:
    number, where = visitor.sample("d9"), visitor.gate("d9", "car_t")
    answer = visitor.post(f"sample/{number}/look", {"seen": visitor.seen(where), "by": "A. Muster", "note": "fine"})
    assert answer.status_code == 303
    last = read_trail(visitor.run).last
    assert last is not None
    assert (last.action, last.what, last.after, last.why) == ("signed", "sample d9", "reviewed", "fine")
    place = visitor.session.opened().item(number)
    assert place is not None
    assert place.marks.looked_at == last
    visitor.save(where, CAR_min="20000")
    place = visitor.session.opened().item(number)
    assert place is not None
    assert place.marks.looked_at is None
    assert set(place.marks.moved) == {"car_t"}
    assert unchanged(visitor.run)


def test_a_failed_sample_can_be_marked_and_leads_on(visitor: Visitor) -> None:
    number = visitor.sample("broken")
    page = visitor.get(f"sample/{number}/")
    assert "E0" in page.text
    answer = visitor.post(
        f"sample/{number}/look", {"seen": visitor.seen(f"sample/{number}/"), "by": "A", "note": "", "next": "1"}
    )
    assert answer.status_code == 303
    assert visitor.session.opened().after(-1) is None or "sample/" in answer.headers["Location"]


def test_the_run_is_signed_as_by_the_command(visitor: Visitor) -> None:
    form = {"seen": visitor.seen(""), "by": "Dr. B", "meaning": "approved", "note": "week 1"}
    assert visitor.post("sign", form).status_code == 303
    last = read_trail(visitor.run).last
    assert last is not None
    assert (last.action, last.what, last.after, last.operator) == ("signed", "run", "approved", "Dr. B")
    assert "approved by Dr. B" in words(visitor.get())
    assert unchanged(visitor.run)


def test_a_run_that_is_not_what_was_recorded_is_not_signed(visitor: Visitor) -> None:
    seen = visitor.seen("")
    with (visitor.run / "counts.csv").open("a", encoding="utf-8") as file:
        file.write("x\n")
    answer = visitor.post("sign", {"seen": seen, "by": "Dr. B", "meaning": "approved", "note": ""})
    assert (answer.status_code, "E123" in answer.text) == (400, True)


def test_every_number_of_a_gate_can_be_typed(course: Visitor) -> None:
    opened, number = course.session.opened(), course.sample("day09")
    result = opened.result(number)
    assert result is not None
    template = opened.gallery_of[result.template.sha256].template
    assert [one.name for one in fields(result, "car_t", template)] == ["threshold"]
    beads = [one.name for one in fields(result, "beads", template)]
    assert beads[:4] == ["center_CD4", "center_CD8", "CD4 corner 1", "CD8 corner 1"]


# ---------------------------------------------------------------- causes


@pytest.fixture
def plate(fixed_run: Path, tmp_path: Path) -> Visitor:
    """Somebody who reviews a run in which three files cannot be read, two of them for one reason."""
    folder = Path(shutil.copytree(fixed_run.parent / "inputs", tmp_path / "inputs"))
    rows = ["file,sample_id,beads_added,sample_volume_ul"]
    rows += [f"{name}.fcs,{name},50000,50" for name in ("day0", "day9")]
    for name, content in (("a", b"no FCS"), ("b", b"none either"), ("c", b"")):
        (folder / f"{name}.fcs").write_bytes(content)
        rows.append(f"{name}.fcs,{name},50000,50")
    sheet = folder / "plate.csv"
    sheet.write_text("\n".join(rows) + "\n", "utf-8")
    words_of = ("gate", sheet, "-t", "cart-cd19fc-fixed", "-o", tmp_path / "run", "-j", "1", "-q", "--no-report")
    assert cytocar_command(*words_of).code == 1
    return Visitor(tmp_path / "run")


def test_samples_that_ask_for_a_look_stand_by_cause_the_worst_and_commonest_first(plate: Visitor) -> None:
    groups = plate.session.opened().groups
    shown = [(group.cause.code, group.cause.severity, [item.sample_id for item in group.items]) for group in groups]
    assert shown[:2] == [("E012", "fail", ["a", "b"]), ("E011", "fail", ["c"])]
    assert [item.sample_id for item in plate.session.opened().items][:3] == ["a", "b", "c"]
    text = words(plate.get(""))
    assert text.index("E012") < text.index("E011") < text.index("day9")
    assert "Mark all 2 as looked at" in text


def test_a_whole_group_is_marked_at_once_with_an_entry_for_each_sample(plate: Visitor) -> None:
    form = {"seen": plate.seen(""), "cause": "E012-fail", "by": "A. Muster", "note": "wrong folder copied"}
    assert plate.post("look", form).status_code == 303
    last = read_trail(plate.run).entries[-2:]
    assert [(entry.action, entry.what, entry.why) for entry in last] == [
        ("signed", "sample a", "wrong folder copied"),
        ("signed", "sample b", "wrong folder copied"),
    ]
    assert 'value="E012-fail"' not in plate.get("").text
    answer = plate.post("look", {**form, "seen": plate.seen("")})
    assert (answer.status_code, "E115" in answer.text) == (400, True)
    answer = plate.post("look", {**form, "seen": "another"})
    assert "E180" in answer.text
    assert all(check.verdict is not Verdict.CHANGED for check in verify(plate.run))


def test_approving_with_samples_that_nobody_looked_at_asks_for_a_reason_and_keeps_it(plate: Visitor) -> None:
    form = {"seen": plate.seen(""), "by": "Dr. B", "meaning": "approved", "note": " "}
    answer = plate.post("sign", form)
    assert (answer.status_code, "E115" in answer.text) == (400, True)
    assert cytocar_command("sign", plate.run, "--by", "Dr. B", "--meaning", "approved").code == 2
    assert plate.post("sign", {**form, "meaning": "reviewed"}).status_code == 303
    assert plate.post("sign", {**form, "note": "files are drawn again tomorrow"}).status_code == 303
    last = read_trail(plate.run).entries[-1]
    assert (last.after, last.why) == ("approved", "files are drawn again tomorrow")
    assert "not looked at: a, b, c" in last.before


def test_a_run_of_t_cells_shows_their_numbers_and_none_of_a_car(tmp_path: Path) -> None:
    tube = blood_tube(car_per_ul=0, preparation=Preparation(drawn_share=0.05), seed=3)
    tube.write(tmp_path / "x.fcs")
    words_of = ("gate", tmp_path / "x.fcs", "-t", "tcell", "-o", tmp_path / "run", "-j", "1", "-q", "--no-report")
    answer = cytocar_command(*words_of, "--beads-added", "20000", "--sample-volume-ul", "50")
    assert answer.code in (0, 1), answer.stderr
    visitor = Visitor(tmp_path / "run")
    row = next(item.outcome.row() for item in visitor.session.opened().items)
    shown = words(visitor.get(""))
    assert "T cells/µL CD4/µL CD8/µL CD4/CD8" in shown
    assert "CAR" not in shown
    page = words(visitor.get("sample/0/"))
    assert "CAR-T" not in page
    assert people(row["cd4_cd8_ratio"]) in page


def test_signals_of_a_control_are_read_once_for_all_of_its_samples(
    course: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def noted(own: SampleRow, *rest: Any, **more: Any) -> References:
        read.append(own.sample_id)
        return control_signals(own, *rest, **more)

    monkeypatch.setattr("cytocar.review.open_sample.control_signals", noted)
    opened = course.session.opened()
    controlled = [item.number for item in opened.items if getattr(item.outcome, "control_ids", ())]
    assert len(controlled) > 1
    for number in controlled:
        course.session.make_ready(number)
    assert len(read) == 1
