"""The channels of the files as panel entries, so that any two of them can be looked at, and drawn on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from cytocar.errors.tree import SampleError
from cytocar.fit.axes import scales_of
from cytocar.fit.names import Book, is_fluorescence, markers_of, pulse_of
from cytocar.fit.tubes import read_tube
from cytocar.signals.compensation import carried, leaves_as_it_is
from cytocar.signals.declaration import declare
from cytocar.signals.marker import Marker
from cytocar.signals.panel import resolve
from cytocar.signals.scales import AnyScale, LinearScale, LogicleScale
from cytocar.template.model import Compensation, Template

if TYPE_CHECKING:
    from cytocar.fcs.events import Channel, EventTable

EVENTS_FOR_SCALE = 20_000
BD_TOP = 262144.0


def empty_template(name: str, files: Sequence[EventTable], book: Book) -> Template:
    """Return a template without populations: the panel is every channel of the files, the scales are from the data."""
    stain = _stain_scale(files, book)
    panel = dict(entries_of(files, book))
    scales: dict[str, AnyScale] = {"default": stain}
    for marker, entry in panel.items():
        channel = _channel(marker, entry, files)
        if channel is not None and not is_fluorescence(channel):
            scales[marker] = LinearScale()
    matrix = carried(files[0].keywords).matrix
    dyes = [channel.detector for channel in files[0].channels if is_fluorescence(channel)]
    applied = matrix is not None and not leaves_as_it_is(matrix, dyes)
    return Template(
        name=name,
        version="0.1.0",
        panel={marker: replace(entry, optional=True) for marker, entry in panel.items()},
        compensation=Compensation(source="file" if applied else "none"),
        scales=scales,
        populations=(),
    )


def with_other_channels(document: Mapping[str, Any], files: Sequence[EventTable], book: Book) -> dict[str, Any]:
    """Return a document with the channels that its panel does not name, as optional markers."""
    panel = {name: declare(Marker, entry) for name, entry in document["panel"].items()}
    claimed = {
        channel.detector
        for name, entry in panel.items()
        for file in files
        if (channel := _channel_in(name, entry, file)) is not None
    }
    added: dict[str, Any] = {}
    scales: dict[str, Any] = {}
    for marker, entry in entries_of(files, book, besides=claimed):
        name = marker
        while name in panel or name in added:
            name += " (other)"
        by_name = (marker,) if name != marker and not entry.detectors else ()
        own = Marker(detectors=entry.detectors, aliases=entry.aliases or by_name)
        added[name] = replace(own, optional=True).beyond_defaults()
        channel = _channel(marker, entry, files)
        if channel is not None and not is_fluorescence(channel):
            scales[name] = {"kind": "linear"}
    return {
        **document,
        "panel": {**document["panel"], **added},
        "scales": {**document.get("scales", {}), **scales},
    }


def entries_of(files: Sequence[EventTable], book: Book, *, besides: set[str] | None = None) -> list[tuple[str, Marker]]:
    """Return a panel entry for each channel that the files have, but for the clock and for some detectors."""
    entries: dict[str, Marker] = {}
    seen = set(besides or ())
    for file in files:
        for channel in file.channels:
            if channel.is_time or channel.detector in seen:
                continue
            seen.add(channel.detector)
            name = _name_of(channel, book)
            if name in entries:
                name = channel.detector.strip()
            if name not in entries:
                entries[name] = _entry(name, channel, file)
    return list(entries.items())


def _name_of(channel: Channel, book: Book) -> str:
    label = (channel.marker or "").strip()
    if pulse_of(channel) is not None or not is_fluorescence(channel):
        return channel.detector.strip()
    named = markers_of(label, book)
    return named[0] if len(named) == 1 else label or channel.detector.strip()


def _entry(name: str, channel: Channel, file: EventTable) -> Marker:
    """Return names by which the channel is found, by its label rather than by its detector."""
    label = (channel.marker or "").strip()
    choices = (
        Marker(),
        Marker(aliases=tuple(dict.fromkeys((name, label))) if label else ()),
        Marker(detectors=(channel.detector,)),
    )
    fits = [
        one
        for one in choices
        if (channel_there := _channel_in(name, one, file)) and channel_there.detector == channel.detector
    ]
    return fits[0] if fits else choices[-1]


def _channel_in(name: str, entry: Marker, file: EventTable) -> Channel | None:
    """Return the channel of a marker in a file; None where it has none, or several."""
    if entry.ratio is not None or entry.fluorochrome is not None:
        return None
    try:
        return resolve({name: entry}, file.channels).get(name)
    except SampleError:
        return None


def _channel(name: str, entry: Marker, files: Sequence[EventTable]) -> Channel | None:
    return next((channel for file in files if (channel := _channel_in(name, entry, file)) is not None), None)


def _stain_scale(files: Sequence[EventTable], book: Book) -> AnyScale:
    """Return the scale that the fit would choose; without T-cell markers, a logicle to the top of the channels."""
    tubes = []
    for file in files:
        try:
            if file.path is not None:
                tubes.append(read_tube(file.path, book, held=EVENTS_FOR_SCALE))
        except SampleError:
            continue
    for tube in tubes:
        scales = scales_of(tubes)
        return next(scales[name] for name, channel in tube.panel.channels.items() if is_fluorescence(channel))
    dyes = [channel.top for file in files for channel in file.channels if is_fluorescence(channel)]
    return LogicleScale(T=max(dyes, default=BD_TOP))
