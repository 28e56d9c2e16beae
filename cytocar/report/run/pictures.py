"""The pictures of a run: each FCS file is read once more and gated by the gates that its sample was counted with."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct, field

from cytocar.errors.tree import SampleError
from cytocar.fcs import keywords
from cytocar.fcs.events import EventTable
from cytocar.fcs.reader import open_fcs
from cytocar.figures.gate_pictures.axis import PictureAxis
from cytocar.figures.gate_pictures.flow import TimeTrace
from cytocar.figures.gate_pictures.panels import Picture, draw_gate_pictures
from cytocar.figures.gate_pictures.views import View, views
from cytocar.files.places import Place
from cytocar.files.source import FileState, at_hand, file_sha256, local_state
from cytocar.report.run.limits import axis_tops, detectors_of
from cytocar.report.run.source import FinishedRun
from cytocar.run.observer import NOBODY, Observer, observed
from cytocar.run.workers import Workers, packed, run_tasks, unpacked
from cytocar.sample.analysis import gate_again
from cytocar.sample.protocol import Protocol
from cytocar.sample.result import SampleResult
from cytocar.template.model import Template

FEW_SAMPLES = 3
"""So many are drawn before a worker process is ready."""


class Gallery(Struct, frozen=True, eq=False):
    """What the pictures of every sample of one template have in common: which ones, on which axes."""

    template: Template
    views: tuple[View, ...]
    axes: Mapping[str, PictureAxis]
    detectors: Mapping[str, str] = field(default_factory=dict)
    """Detector of each marker, where all samples looked at have the same."""

    def label(self, marker: str) -> str:
        """What stands at an axis: the marker and its detector."""
        detector = self.detectors.get(marker, "")
        return f"{marker} ({detector})" if detector not in {"", marker} else marker


class Acquisition(Struct, frozen=True):
    """What a file says about its recording that identifies nobody."""

    cytometer: str | None
    version: str
    channels: tuple[tuple[str, str | None, float | None], ...]
    """Detector, marker and voltage of each channel."""


class SamplePictures(Struct, frozen=True):
    """The pictures of one sample, one per view; or the problem that kept them from being drawn."""

    sample_id: str
    pictures: tuple[Picture, ...] = ()
    time: TimeTrace | None = None
    acquisition: Acquisition | None = None
    problem: str = ""


class PictureTask(Struct, frozen=True, eq=False):
    """One sample whose pictures a worker draws."""

    result: SampleResult
    protocol: Protocol
    file: Place
    gallery: Gallery
    state: FileState | None = None
    """Of the file when this command counted it, if it did: a file that still has it is not hashed once more."""

    def __reduce__(self) -> tuple[Callable[..., PictureTask], tuple[object, ...]]:
        """How to make this task again in a worker."""
        return _unpacked_task, (self.result, packed(self.protocol), self.file, packed(self.gallery), self.state)


def _unpacked_task(
    result: SampleResult, protocol: bytes, file: Place, gallery: bytes, state: FileState | None
) -> PictureTask:
    return PictureTask(result, unpacked(protocol), file, unpacked(gallery), state)


# ---------------------------------------------------------------- one run


def galleries(run: FinishedRun) -> Mapping[str, Gallery]:
    """Return each template's gallery, by the template's hash; all samples of a template share their limits."""
    made = {}
    for sha256, template in run.templates.items():
        chosen = views(template)
        markers = tuple(dict.fromkeys(marker for view in chosen for marker in view.markers))
        tops = axis_tops(run, sha256, markers)
        axes = {marker: PictureAxis.of(marker, template.scale(marker), top=tops[marker]) for marker in markers}
        made[sha256] = Gallery(template, chosen, axes, detectors_of(run, sha256))
    return made


def draw_run(
    run: FinishedRun,
    gallery_of: Mapping[str, Gallery],
    workers: Workers | None,
    observer: Observer = NOBODY,
    states: Mapping[str, FileState | None] | None = None,
) -> Mapping[str, SamplePictures]:
    """Return every counted sample's pictures, by sample_id; ``states`` are those of files that were just counted."""
    known = states or {}
    tasks = [
        PictureTask(
            result, run.plan.protocols[name], run.files[name], gallery_of[result.template.sha256], known.get(name)
        )
        for result in run.counted
        for name in (result.sample.sample_id,)
    ]
    drawn = run_tasks(draw_sample, tasks, workers if len(tasks) > FEW_SAMPLES else None, killed=_killed)
    return {pictures.sample_id: pictures for pictures in observed(drawn, len(tasks), observer)}


def _killed(task: PictureTask) -> SamplePictures:
    return SamplePictures(task.result.sample.sample_id, problem="the process that drew it was killed, twice")


# ---------------------------------------------------------------- one sample


def draw_sample(task: PictureTask) -> SamplePictures:
    """Return the pictures of a sample, or why there are none; its numbers stand either way."""
    result, gallery = task.result, task.gallery
    sample_id, sample = result.sample.sample_id, result.sample
    try:
        with at_hand(task.file) as file:
            as_counted = task.state is not None and local_state(task.file) == task.state
            if not as_counted and file_sha256(file) != result.file_sha256:
                return SamplePictures(
                    sample_id, problem="the file has changed since the run: its SHA-256 is another one"
                )
            events = open_fcs(file, data_set=sample.data_set)
            gated = gate_again(events, task.protocol, result)
            drawing = draw_gate_pictures(
                gated, gallery.views, gallery.axes, car=result.roles.car, beads=result.roles.beads
            )
    except SampleError as error:
        return SamplePictures(sample_id, problem=f"{sample.file_as_given}: {error.message}")
    differing = [
        population.name for population in result.populations if drawing.counts[population.name] != population.events
    ]
    if differing:
        return SamplePictures(
            sample_id,
            problem=f"gating the file again gave other counts than the run ({', '.join(differing)}): the program or "
            "its libraries have changed; count again",
        )
    return SamplePictures(sample_id, drawing.pictures, drawing.time, _acquisition(events))


def _acquisition(events: EventTable) -> Acquisition:
    return Acquisition(
        cytometer=keywords.cytometer(events),
        version=events.version,
        channels=tuple((channel.detector, channel.marker, channel.voltage) for channel in events.channels),
    )
