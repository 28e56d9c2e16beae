"""The panel of an imported document: one entry for each dimension, compensation and transformation that a gate uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from cytocar.signals.compensation import Matrix
from cytocar.signals.marker import Marker
from cytocar.signals.panel import channel_behind
from cytocar.signals.scales import AnyScale, LinearScale
from cytocar.template.gatingml.scales import is_ratio, ratio_of, ratio_operands, scale_of
from cytocar.template.gatingml.xml import attribute, children, faulty, required

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

UNCOMPENSATED = "uncompensated"
FROM_FILE = "FCS"


class _Key(Struct, frozen=True):
    """What makes two dimensions the same axis."""

    name: str
    compensation: str
    transformation: str | None
    is_ratio: bool


class PanelBuilder:
    """Collects panel entries and scales while gates are read."""

    def __init__(self, transformations: Mapping[str, Element], matrices: Mapping[str, Matrix]) -> None:
        self._transformations = transformations
        self._matrices = matrices
        self._names: dict[_Key, str] = {}
        self._markers: dict[str, Marker] = {}
        self._scales: dict[str, AnyScale] = {}
        self.needs_matrix = False
        """Whether a channel is compensated by its name alone, so that it must not be taken as it is."""

    def markers(self) -> dict[str, Marker]:
        """Return the panel."""
        return dict(self._markers)

    def scales(self) -> dict[str, AnyScale]:
        """Return the scales of the entries that have one."""
        return dict(self._scales)

    def scale(self, marker: str) -> AnyScale:
        """Return the scale of an entry."""
        return self._scales.get(marker, LinearScale())

    def entry(self, dimension: Element) -> str:
        """Return the panel entry of a ``<dimension>`` or ``<divider>`` (section 4.3)."""
        compensation = attribute(dimension, "compensation-ref") or UNCOMPENSATED
        if compensation not in (UNCOMPENSATED, FROM_FILE, *self._matrices):
            raise faulty(dimension, f"refers to a spectrum matrix {compensation!r} that the document does not have")
        transformation = attribute(dimension, "transformation-ref")
        for entry in children(dimension, "fcs-dimension"):
            name = required(entry, "name")
            behind = channel_behind(name)
            if behind is not None and attribute(dimension, "compensation-ref") is None:
                # FlowJo's own Gating-ML leaves the reference out, and says "compensated" by the name alone.
                name, compensation, self.needs_matrix = behind, FROM_FILE, True
            return self._entry(dimension, _Key(name, compensation, transformation, is_ratio=False))
        for entry in children(dimension, "new-dimension"):
            key = _Key(required(entry, "transformation-ref"), compensation, transformation, is_ratio=True)
            return self._entry(dimension, key)
        raise faulty(dimension, "has neither <fcs-dimension> nor <new-dimension>")

    def _entry(self, dimension: Element, key: _Key) -> str:
        if key not in self._names:
            marker = self._ratio(dimension, key) if key.is_ratio else self._channel(key)
            scale = self._scale(dimension, key)
            name = self._free_name(key)
            self._names[key] = name
            self._markers[name] = marker
            if scale != LinearScale():
                self._scales[name] = scale
        return self._names[key]

    def _channel(self, key: _Key) -> Marker:
        if key.compensation == UNCOMPENSATED:
            return Marker(detectors=(key.name,), compensation="none")
        if key.compensation == FROM_FILE:
            return Marker(detectors=(key.name,))
        if key.name in self._matrices[key.compensation].fluorochromes:
            return Marker(compensation=key.compensation, fluorochrome=key.name)
        return Marker(detectors=(key.name,), compensation=key.compensation)

    def _ratio(self, dimension: Element, key: _Key) -> Marker:
        element = self._transformation(dimension, key.name)
        if not is_ratio(element):
            raise faulty(dimension, f"takes {key.name!r}, which is no fratio, for a new dimension")
        numerator, denominator = (
            self._entry(dimension, _Key(name, key.compensation, None, is_ratio=False))
            for name in ratio_operands(element)
        )
        return Marker(ratio=ratio_of(element, numerator, denominator))

    def _scale(self, dimension: Element, key: _Key) -> AnyScale:
        bounds = scale_of(self._transformation(dimension, key.name)) if key.is_ratio else LinearScale()
        if key.transformation is None:
            return bounds
        element = self._transformation(dimension, key.transformation)
        if is_ratio(element):
            raise faulty(
                dimension, f"takes the fratio {key.transformation!r} for a scale: it belongs in a <new-dimension>"
            )
        scale = scale_of(element)
        return scale if bounds == LinearScale() else _bounded(scale, bounds)

    def _transformation(self, dimension: Element, key: str) -> Element:
        if key not in self._transformations:
            raise faulty(dimension, f"refers to a transformation {key!r} that the document does not have")
        return self._transformations[key]

    def _free_name(self, key: _Key) -> str:
        """Return the shortest name that tells an axis from the others: channel, scale, compensation."""
        compensation = "compensated" if key.compensation == FROM_FILE else key.compensation
        scale = f" {key.transformation}" if key.transformation else ""
        candidates = (key.name, f"{key.name}{scale}", f"{key.name} {compensation}{scale}")
        numbered = (f"{key.name} {number}" for number in range(2, len(self._markers) + 4))
        taken = {*self._markers, "default"}
        return next(name for name in (*candidates, *numbered) if name not in taken)


def _bounded(scale: AnyScale, bounds: AnyScale) -> AnyScale:
    """Return a scale that takes the bounds of the ratio under it: it rises, so they are bounds of its values too."""

    limits = {}
    for key, outer in (("bound_min", max), ("bound_max", min)):
        inner = getattr(bounds, key)
        own = getattr(scale, key)
        values = [value for value in (own, None if inner is None else float(scale.forward(inner))) if value is not None]
        limits[key] = outer(values, default=None)
    return replace(scale, **limits)
