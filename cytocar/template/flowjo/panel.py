"""The axes of a FlowJo sample: which channel a written name means, how it is drawn, what it is called here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct, field

from cytocar.errors.tree import TemplateError
from cytocar.signals.marker import Marker
from cytocar.signals.scales import AnyScale, LinearScale
from cytocar.template.flowjo.matrices import Compensated
from cytocar.template.flowjo.scales import Display, read_display
from cytocar.template.gatingml.xml import child, required

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

DERIVED = "E147"


class Axis(Struct):
    """One axis that gates stand on, with what the gates asked of its scale.

    ``at_low`` and ``at_high``: a polygon or an ellipse ends at this end of the display.
    """

    marker: str
    display: Display
    at_low: bool = False
    at_high: bool = False

    def mark_ends(self, low: bool, high: bool) -> None:
        """Note that an edge ends at an end of the display."""
        self.at_low |= low
        self.at_high |= high


class SamplePanel(Struct):
    """The panel of one sample, made as gates ask for channels.

    Parameters
    ----------
    keywords : mapping
        The sample's keywords as FlowJo keeps them.
    transformations : mapping
        Channel to its ``<Transformations>`` entry; read where a gate needs it.
    compensated : Compensated
        Its matrix.
    uses_gain : bool
        FlowJo divided by ``$PnG``, as cytocar does.
    """

    keywords: Mapping[str, str]
    transformations: Mapping[str, Element]
    compensated: Compensated
    uses_gain: bool = False
    markers: dict[str, Marker] = field(default_factory=dict)
    is_compensated: bool = False
    axes: dict[str, Axis] = field(default_factory=dict)
    _numbers: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        highest = int(text) if (text := self.keywords.get("$PAR", "")).isdecimal() else None
        for key, value in self.keywords.items():
            number = key[2:-1] if key.startswith("$P") and key.endswith("N") else ""
            # FlowJo numbers its compensated channels behind those of the file.
            if number.isdecimal() and (highest is None or int(number) <= highest):
                self._numbers[value] = int(number)

    def scales(self) -> dict[str, AnyScale]:
        """Return the scale of each marker that has one."""
        scales = {}
        for axis in self.axes.values():
            scale = axis.display.bounded(low=axis.at_low, high=axis.at_high)
            if scale is not None and scale != LinearScale():
                scales[axis.marker] = scale
        return scales

    def axis(self, dimension: Element) -> Axis:
        """Return the axis of a ``<dimension>``.

        Raises
        ------
        TemplateError
            E147 it is no channel of the file, but derived from others.
        """
        written = required(child(dimension, "fcs-dimension"), "name")
        if written not in self.axes:
            behind = self.compensated.channel_behind(written, self._numbers)
            detector = behind or written
            if self._numbers and detector not in self._numbers:
                raise TemplateError(
                    f"{written} is a derived parameter, which the FCS file does not have",
                    code=DERIVED,
                    hint="gate on the channels that it is made of",
                )
            name = self._free_name(detector, written)
            self.markers[name] = Marker(detectors=(detector,), compensation=None if behind else "none")
            self.is_compensated |= behind is not None
            self.axes[written] = Axis(name, self._display(written, detector))
        return self.axes[written]

    def _free_name(self, detector: str, written: str) -> str:
        label = self._keyword(detector, "S") or detector
        candidates = (label, f"{label} {detector}", written, f"{written} 2")
        return next(name for name in candidates if name not in self.markers and name != "default")

    def _display(self, written: str, detector: str) -> Display:
        entry = self.transformations.get(written)
        entry = self.transformations.get(detector) if entry is None else entry
        per_unit = self._per_unit(detector, entry)
        return (
            Display("linear", LinearScale(), None, None, per_unit)
            if entry is None
            else read_display(entry, per_unit=per_unit)
        )

    def _per_unit(self, detector: str, entry: Element | None) -> float:
        """Return FlowJo's number for a data value of 1.

        Time is in seconds: ticks times the ``gain`` of the workspace (which FlowJo works out from the clock at begin
        and end), ``$TIMESTEP`` where it has none. Other channels are shown as stored unless the cytometer's
        ``useGain`` is set; cytocar always divides linear ones by ``$PnG``.
        """
        if detector.casefold() == "time":
            gain = None if entry is None else positive(entry.get("gain"))
            has_display = entry is not None and positive(_bare(entry, "maxRange")) is not None
            return (gain if has_display else None) or positive(self.keywords.get("$TIMESTEP")) or gain or 1.0
        amplifier = positive(self._keyword(detector, "G")) or 1.0
        if self.uses_gain or amplifier == 1.0 or not self._is_linear(detector):
            return 1.0
        return amplifier

    def _is_linear(self, detector: str) -> bool:
        """True if the channel is stored on a linear scale; ``$PnG`` is ignored on the other ones."""
        return self.keywords.get("$DATATYPE", "I") in ("F", "D") or _decades(self._keyword(detector, "E")) == 0

    def _keyword(self, detector: str, letter: str) -> str:
        number = self._numbers.get(detector)
        return "" if number is None else self.keywords.get(f"$P{number}{letter}", "").strip()


def _bare(element: Element, name: str) -> str | None:
    return next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == name), None)


def positive(text: str | None) -> float | None:
    """Return a number above 0 that a text holds; None where it holds none."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 < value < float("inf") else None


def _decades(text: str) -> float:
    return positive(text.partition(",")[0]) or 0.0
