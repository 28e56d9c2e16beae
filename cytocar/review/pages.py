"""What the pages of a review show: the list of samples, and one sample with one of its gates on the bench."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from cytocar.errors.tree import CytocarError
from cytocar.figures.gate_pictures.drawn_gates import DrawnGate
from cytocar.figures.gate_pictures.panels import Picture
from cytocar.figures.gate_pictures.views import View
from cytocar.report.run.explained import title_of
from cytocar.report.run.page import REPORT, AxesDrawing, axes_drawings
from cytocar.report.run.pictures import Gallery, SamplePictures
from cytocar.report.run.strip import Combination, GateCaption, StripPicture, combinations, panels
from cytocar.report.run.templating import page_environment
from cytocar.review.handles import GateField, Handle, fields, handles
from cytocar.review.preview import Compared, compared
from cytocar.review.session import ReviewSession
from cytocar.review.site import TEMPLATES
from cytocar.review.worklist import ReviewedRun, WorkItem
from cytocar.run.trail.audit import Action, Entry, Meaning
from cytocar.sample.result import SampleResult

SAVED = (Action.OVERRIDE, Action.OVERRIDE_UNDONE, Action.SIGNED)
"""What a page confirms as saved."""


class MadeTemplate(Struct, frozen=True):
    """A template that was made from the gates moved in a run: its file, its version, what was taken, in words."""

    path: Path
    version: str
    words: tuple[str, ...]


class Entered(Struct, frozen=True):
    """What somebody has typed, and what came of it: an entry of the trail, a template that was made, or an error."""

    typed: Mapping[str, str] = field(default_factory=dict)
    by: str | None = None
    reason: str = ""
    note: str = ""
    entry: int | None = None
    error: CytocarError | None = None
    made: MadeTemplate | None = None


class BenchPicture(Struct, frozen=True):
    """One picture of the gate on the bench: the gate itself, others that share the picture, and what can be dragged."""

    number: int
    view: View
    axes: AxesDrawing
    picture: Picture | None
    own: DrawnGate | None
    others: tuple[DrawnGate, ...]
    handles: tuple[Handle, ...]
    control: str = ""
    control_picture: Picture | None = None


class Bench(Struct, frozen=True):
    """The gate that can be moved."""

    number: int
    of: int
    population: str
    caption: GateCaption
    pictures: tuple[BenchPicture, ...]
    fields: tuple[GateField, ...]
    moved: Entry | None
    compared: tuple[Compared, ...]
    before: int | None
    after: int | None

    @property
    def few(self) -> tuple[GateField, ...]:
        """The numbers that are shown at once."""
        return tuple(one for one in self.fields if not one.corner)

    @property
    def corners(self) -> tuple[GateField, ...]:
        """The corners of a polygon."""
        return tuple(one for one in self.fields if one.corner)


class Step(Struct, frozen=True):
    """One picture of the strip, and the gate that it leads to."""

    panel: StripPicture
    gate: int
    here: bool
    moved: bool


class Pages:
    """The pages of one review.

    Parameters
    ----------
    root : str
        Where they begin on this server: the secret part of the address.
    makes_templates : bool
        Whether the gates that were moved can become a template here.
    """

    def __init__(self, session: ReviewSession, root: str, *, makes_templates: bool = False) -> None:
        self.session = session
        self.root = root
        self.makes_templates = makes_templates
        self.environment = page_environment(TEMPLATES)
        self.environment.filters["title_of"] = title_of

    def overview(self, opened: ReviewedRun, entered: Entered) -> str:
        """Return the list of samples."""
        shown = {
            "meanings": tuple(Meaning),
            "seen": opened.version,
            "template_of_moved": self._template_of_moved(opened),
        }
        return self._filled("review-list.html", opened, entered, **shown)

    def _template_of_moved(self, opened: ReviewedRun) -> tuple[str, int] | None:
        """Return the file name offered for a template of the moved gates, and how many samples they are of."""
        samples = sum(bool(item.marks.moved) for item in opened.items)
        templates = list(opened.run.templates.values())
        if not self.makes_templates or not samples or len(templates) != 1:
            return None
        return f"{templates[0].name}-reviewed.toml", samples

    def ended(self, opened: ReviewedRun) -> str:
        """What is shown when the review is closed."""
        return self._filled("review-ended.html", opened, Entered())

    def refused(self, error: CytocarError, *, stranger: bool = False) -> str:
        """Return a page for an error that leaves nothing else to show; a stranger is not told the address."""
        root = "" if stranger else self.root
        return self.environment.get_template("review-error.html").render(
            error=error, root=root, program="cytocar review", first="All samples"
        )

    def sample(self, opened: ReviewedRun, item: WorkItem, gate: int | None, entered: Entered) -> str:
        """Return a sample with a gate on the bench; without ``gate``, the first that has a flag, or the first."""
        order = [one.number for one in opened.items]
        here = order.index(item.number)
        shown: dict[str, object] = {
            "item": item,
            "outcome": item.outcome,
            "row": item.outcome.row(),
            "seen": opened.revision(item.number),
            "previous": opened.items[here - 1] if here else None,
            "following": opened.items[here + 1] if here + 1 < len(order) else None,
            "waiting": opened.after(item.number),
            "fault": self.session.fault(opened, item.number),
            **self._gates(opened, item, gate),
        }
        return self._filled("review-sample.html", opened, entered, **shown)

    def _gates(self, opened: ReviewedRun, item: WorkItem, gate: int | None) -> dict[str, object]:
        result = opened.result(item.number)
        if result is None:
            nothing = SamplePictures("")
            return {"bench": None, "steps": (), "drawings": (), "drawn": nothing, "combinations": (), "controls": {}}
        gallery = opened.gallery_of[result.template.sha256]
        drawn = self.session.pictures(opened, item.number)
        control = self.session.control(opened, result)
        names = gates_in_order(gallery)
        chosen = _chosen(names, gate, result)
        control_picture: Mapping[str, tuple[int, Picture]] = {control[0]: (0, control[1])} if control else {}
        strip = tuple(panels(result, gallery, 0, drawn, control_picture))
        bench = _bench(names, chosen, result, gallery, strip, item)
        return {
            "bench": bench,
            "steps": _steps(strip, names, bench, item),
            "drawings": _drawings(gallery),
            "drawn": drawn,
            "combinations": _combinations(result, gallery),
            "controls": {panel.picture_id: panel.picture for panel in strip if panel.picture_id},
        }

    def _filled(self, template: str, opened: ReviewedRun, entered: Entered, **shown: object) -> str:
        to_look = [item for item in opened.items if item.needs_a_look]
        looked = sum(item.marks.looked_at is not None for item in to_look)
        return self.environment.get_template(template).render(
            opened=opened,
            run=opened.run,
            root=self.root,
            entered=entered,
            entry=next(
                (entry for entry in opened.entries if entry.number == entered.entry and entry.action in SAVED), None
            ),
            by=self.session.operator if entered.by is None else entered.by,
            report=self.report_state(opened),
            to_look=len(to_look),
            looked=looked,
            **shown,
        )

    def report_state(self, opened: ReviewedRun) -> tuple[str, str]:
        """How the report stands, as a class of the style sheet and in words."""
        if not (opened.run.path / REPORT).is_file():
            return "none", "this run has no report.html"
        if not opened.report_behind:
            return "ready", "report.html shows what is saved"
        if problem := self.session.report_problem:
            return "problem", f"report.html is not up to date: {problem.code} {problem.message}. {problem.hint}"
        return "drawing", "report.html is being drawn again"


def gates_in_order(gallery: Gallery) -> tuple[str, ...]:
    """Return the populations whose gates are on pictures, in the order of the pictures: a gate's number on the page."""
    return tuple(dict.fromkeys(name for view in gallery.views for name in view.populations))


def _chosen(names: Sequence[str], gate: int | None, result: SampleResult) -> int:
    gated = [number for number, name in enumerate(names) if name in result.gates]  # the file may lack a marker
    if gate is not None and 0 <= gate < len(names):
        return next((number for number in gated if number >= gate), gated[0])
    flagged = {row.population for row in result.decisions if row.flags}
    return next((number for number in gated if names[number] in flagged), gated[0])


def _bench(
    names: Sequence[str],
    number: int,
    result: SampleResult,
    gallery: Gallery,
    strip: Sequence[StripPicture],
    item: WorkItem,
) -> Bench:
    name = names[number]
    known = fields(result, name, gallery.template)
    captions = [caption for panel in strip for caption in panel.captions if caption.population == name]
    row = result.row()
    return Bench(
        number=number,
        of=len(names),
        population=name,
        caption=captions[0],
        pictures=tuple(_bench_pictures(name, known, result, gallery, strip)),
        fields=known,
        moved=item.marks.moved.get(name),
        compared=tuple(compared(row, row)),
        before=number - 1 if number else None,
        after=number + 1 if number + 1 < len(names) else None,
    )


def _bench_pictures(
    name: str, known: Sequence[GateField], result: SampleResult, gallery: Gallery, strip: Sequence[StripPicture]
) -> list[BenchPicture]:
    values = {one.name: float(one.value) for one in known}
    own = {panel.number - 1: panel for panel in strip if not panel.control}
    controls = {panel.number - 1: panel for panel in strip if panel.control}
    drawings = _drawings(gallery)
    made = []
    for number, view in enumerate(gallery.views):
        if name not in view.populations:
            continue
        picture, control = own[number].picture, controls.get(number)
        drawn = picture.gates if picture else ()
        made.append(
            BenchPicture(
                number=number,
                view=view,
                axes=replace(drawings[number], id=f"bench-{number}"),
                picture=picture,
                own=next((gate for gate in drawn if gate.population == name), None),
                others=tuple(gate for gate in drawn if gate.population != name),
                handles=handles(result.gates[name], values, view, gallery.axes),
                control=control.control if control else "",
                control_picture=control.picture if control else None,
            )
        )
    return made


def _steps(strip: Sequence[StripPicture], names: Sequence[str], bench: Bench, item: WorkItem) -> tuple[Step, ...]:
    return tuple(
        Step(
            panel,
            names.index(panel.view.populations[0]),
            bench.population in panel.view.populations and not panel.control,
            any(name in item.marks.moved for name in panel.view.populations),
        )
        for panel in strip
    )


def _drawings(gallery: Gallery) -> tuple[AxesDrawing, ...]:
    return tuple(axes_drawings([gallery]))


def _combinations(result: SampleResult, gallery: Gallery) -> tuple[Combination, ...]:
    return tuple(combinations(result, gallery.template))
