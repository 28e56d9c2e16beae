"""Files to a template: read, grouped by panel, gated in order, written down with the evidence beside each number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from cytocar.errors.tree import GateError, SampleError, UsageError
from cytocar.fit.axes import scales_of
from cytocar.fit.gated import Study
from cytocar.fit.lines import Status
from cytocar.fit.names import Book
from cytocar.fit.recipe import SMALLEST_T_SHARE, fit_gates
from cytocar.fit.tubes import ALL_EVENTS, FEWEST_EVENTS_HELD, Tube, read_tube
from cytocar.signals.compensation import KEYWORDS, Matrix, SpilloverMatrix
from cytocar.signals.marker import Marker
from cytocar.signals.panel import resolve
from cytocar.template.model import Compensation, Counting, Doubt, Report, Template

if TYPE_CHECKING:
    from cytocar.files.places import Place

NARROWER = 0.2
"""Decades by which the linear part of the axes is narrowed where CD3 shows no valley: too wide a one hides it."""
MOST_OUTSIDE = 0.5
"""Of the living events bright in CD3, outside the gates before the T cells: with more, the line that told where the
lymphocytes are parted debris from all cells, and the next one up is tried."""
DOUBTED_T_CELLS = frozenset({"W342", "W343", "W347", "W348", "W349", "W351"})
"""Doubts of what the T cells are. What comes to them another way is taken without any doubt but their number."""
ROLES = ("viable", "lymphocytes", "t_cells", "cd4", "cd8", "b_cells")


class FittedTemplate(Struct, frozen=True, eq=False):
    """A template made from files, and what it rests on.

    ``skipped`` are files that are not in it, each with the reason.
    """

    template: Template
    study: Study
    skipped: tuple[tuple[str, str], ...] = ()

    @property
    def status_of_t_cells(self) -> Status:
        """Return the status of the CD3 gate."""
        statuses = [gate.status for gate in self.study.gates if gate.population.name == "t_cells"]
        return statuses[0] if statuses else Status.NONE


def fit_template(
    files: Sequence[Place],
    book: Book,
    *,
    name: str,
    settled: Mapping[str, str] | None = None,
    controls: Sequence[Place] = (),
    compensated: bool = False,
    given: SpilloverMatrix | None = None,
) -> FittedTemplate:
    """Return a template made from the files of the most frequent layout; parameters and errors as of ``fit_layouts``.

    Files of other layouts are ``skipped``.
    """
    first, *others = _read_layouts(
        files, book, settled=settled, controls=controls, compensated=compensated, given=given
    )
    further = [(tube.name, _differing(tube, first.tubes[0])) for other in others for tube in other.tubes]
    return _fitted(first, name, skipped=(*first.skipped, *further))


def fit_layouts(
    files: Sequence[Place],
    book: Book,
    *,
    name: str,
    settled: Mapping[str, str] | None = None,
    controls: Sequence[Place] = (),
    compensated: bool = False,
    given: SpilloverMatrix | None = None,
) -> tuple[FittedTemplate, ...]:
    """Return a template for each layout of the files: the same markers on the same detectors, with or without a matrix.

    Parameters
    ----------
    name : str
        Of the template of the most frequent layout, the first one returned; the others get a number behind it.
    settled : mapping, optional
        Marker to detector, as a person says.
    controls : sequence of Place
        Files stained alike that hold no CAR-T cells.
    compensated : bool
        The values are compensated or unmixed, as a person says: the files' matrices are left alone.
    given : SpilloverMatrix, optional
        Takes the place of the files' own, and is written into the template.

    Raises
    ------
    SampleError
        What is wrong with the first file, if none can be used.
    GateError
        E207 if no gate of the most frequent layout has evidence. Other layouts without evidence are ``skipped``.
    """
    first, *others = _read_layouts(
        files, book, settled=settled, controls=controls, compensated=compensated, given=given
    )
    skipped = list(first.skipped)
    further: list[FittedTemplate] = []
    for layout in others:
        try:
            further.append(_fitted(layout, f"{name}-{len(further) + 2}", skipped=()))
        except GateError as error:
            differing = _differing(layout.tubes[0], first.tubes[0])
            skipped += [(tube.name, f"{differing}; {error.code}: {error.message}") for tube in layout.tubes]
    return (_fitted(first, name, skipped=tuple(skipped)), *further)


class _Layout(Struct, frozen=True):
    """Files that can share a template, and, with the most frequent layout, files that could not be read."""

    tubes: tuple[Tube, ...]
    skipped: tuple[tuple[str, str], ...] = ()


def _read_layouts(
    files: Sequence[Place],
    book: Book,
    *,
    settled: Mapping[str, str] | None,
    controls: Sequence[Place],
    compensated: bool,
    given: SpilloverMatrix | None,
) -> list[_Layout]:
    """Return the files that can be read by their layout, the most frequent first."""
    held = max(FEWEST_EVENTS_HELD, ALL_EVENTS // max(1, len(files) + len(controls)))
    groups: dict[tuple[tuple[str, str], ...], list[Tube]] = {}
    skipped: list[tuple[str, str]] = []
    first: SampleError | None = None
    for file in (*files, *controls):
        try:
            control = file in controls
            tube = read_tube(
                file, book, settled=settled, held=held, control=control, compensated=compensated, given=given
            )
        except SampleError as error:
            first = first or type(error)(f"{file.name}: {error.message}", code=error.code, hint=error.hint)
            skipped.append((file.name, f"{error.code}: {error.message.splitlines()[0]}"))
        else:
            groups.setdefault(_layout(tube), []).append(tube)
    if not groups:
        raise first or UsageError("no file was given", code="E207", hint="cytocar template fit FILE... -o mine.toml")
    most, *others = sorted(groups.values(), key=len, reverse=True)
    return [_Layout(tuple(most), tuple(skipped)), *(_Layout(tuple(tubes)) for tubes in others)]


def _fitted(layout: _Layout, name: str, *, skipped: tuple[tuple[str, str], ...]) -> FittedTemplate:
    study = _study(layout.tubes)
    if study.has("CD3") and "t_cells" not in study.masks:
        narrower = _study(layout.tubes, narrower=NARROWER)
        study = narrower if "t_cells" in narrower.masks else study
    study = _undoubted(study)
    if not study.gates:
        reasons = "; ".join(f"{what}: {why}" for what, why in study.left_out)
        raise GateError(
            f"no gate has evidence in these files ({reasons})",
            code="E207",
            hint="give files of whole stained tubes, not of gated populations, unstained cells or single stains",
        )
    return FittedTemplate(_template(study, name), study, skipped)


def _undoubted(study: Study) -> Study:
    """Return the study, or, where its T cells are doubted, one that comes to them another way and has no such doubt.

    A line of CD3 too low parts debris from all cells: the next one up may be that of the T cells, or the one among the
    lymphocytes that CD8+ cells show.
    """
    lost = "t_cells" not in study.masks or study.t_cells_outside > MOST_OUTSIDE
    if not study.has("CD3") or not (lost or study.others_above or DOUBTED_T_CELLS & _codes(study)):
        return study
    believed = []
    for way in ({"topmost": True}, {"among_lymphocytes": True}):
        other = _study(study.tubes, **way)
        if "t_cells" not in other.masks or other.t_cells_outside >= 1 - SMALLEST_T_SHARE:
            continue
        if not other.others_above and not _codes(other) - {"W340"}:
            return other
        believed.append(other)
    return believed[0] if lost and believed else study


def _codes(study: Study) -> set[str]:
    return {code for code, _ in (*study.doubts, *study.odd_files)}


def _study(
    tubes: tuple[Tube, ...], *, narrower: float = 0.0, topmost: bool = False, among_lymphocytes: bool = False
) -> Study:
    scales = scales_of(tubes, narrower=narrower)
    study = Study(tubes, scales, topmost=topmost, among_lymphocytes=among_lymphocytes)
    fit_gates(study)
    return study


def _differing(tube: Tube, usual: Tube) -> str:
    """Return in words how the layout of a file differs from that of most."""
    here, there = dict(_layout(tube)), dict(_layout(usual))
    markers = [marker for marker in {*here, *there} if here.get(marker) != there.get(marker)]
    shown = ", ".join(f"{marker} on {here.get(marker, 'no channel')}" for marker in sorted(markers)[:4])
    return f"another layout than most files ({shown}): fit it apart"


def _layout(tube: Tube) -> tuple[tuple[str, str], ...]:
    return (*tube.panel.signature(), ("matrix", _source(tube)))


def _source(tube: Tube) -> str:
    """Return where the matrix of a tube comes from, as a template says it."""
    if tube.matrix is None:
        return "none"
    return "file" if tube.matrix.origin in KEYWORDS else tube.matrix.origin


def _compensation(tube: Tube) -> Compensation:
    """Return the template's source; a given matrix is written into it."""
    source, matrix = _source(tube), tube.matrix
    if matrix is None or source == "file":
        return Compensation(source=source)
    values = tuple(map(tuple, matrix.values.tolist()))
    named = Matrix(fluorochromes=matrix.fluorochromes, detectors=matrix.detectors, values=values)
    return Compensation(source=source, matrices={source: named})


# ---------------------------------------------------------------- writing it down


def _template(study: Study, name: str) -> Template:
    populations = tuple(gate.population for gate in study.gates)
    used = dict.fromkeys(marker for population in populations for marker in population.gate.markers())
    used |= dict.fromkeys(
        marker for marker in ("FSC-A", "SSC-A") if study.has(marker)
    )  # a run asks them for dead cells
    named = {population.name for population in populations}
    roles = {role: role for role in ROLES if role in named}
    if "viable" in named:
        roles["viable_of"] = next(one.parent for one in populations if one.name == "viable")
    car = {"car": "car_t", "car_cd4": "car_cd4", "car_cd8": "car_cd8"}
    roles |= {role: population for role, population in car.items() if population in named}
    medians = tuple(marker for marker in ("CAR", "CD3", "CD4", "CD8") if marker in used)
    beads = "beads" if "beads" in named else None
    files = f"{len(study.tubes)} file{'s' if len(study.tubes) > 1 else ''}"
    return Template(
        name=name,
        version="0.1.0",
        title=f"{', '.join(marker for marker in used if marker[:3] not in ('FSC', 'SSC'))}: made from {files}",
        panel={marker: _marker(marker, study.tubes) for marker in used},
        compensation=_compensation(study.tubes[0]),
        scales={marker: study.scales[marker] for marker in used},
        populations=populations,
        counting=Counting(method="beads" if beads else "none", beads=beads),
        report=Report(**roles, medians=medians),
        doubts=tuple(Doubt(code=code, message=sentence) for code, sentence in study.doubts),
    )


def _marker(marker: str, tubes: Sequence[Tube]) -> Marker:
    """Return names by which a run finds the marker's channel in every file, and no other."""
    channels = [tube.panel.channels[marker] for tube in tubes]
    labels = tuple(dict.fromkeys(label for channel in channels if (label := (channel.marker or "").strip())))
    detectors = tuple(dict.fromkeys(channel.detector.strip() for channel in channels))
    scatter = marker[:3] in ("FSC", "SSC")
    choices = (
        Marker(aliases=tuple(dict.fromkeys((marker, *labels)))) if not scatter else Marker(),
        Marker(aliases=labels, detectors=detectors),
        Marker(detectors=detectors),
    )
    return next((choice for choice in choices if _finds(marker, choice, tubes)), choices[-1])


def _finds(marker: str, entry: Marker, tubes: Sequence[Tube]) -> bool:
    for tube in tubes:
        try:
            channels = resolve({marker: entry}, tube.events.channels)
        except SampleError:
            return False
        if channels[marker].index != tube.panel.channels[marker].index:
            return False
    return True
