"""How FlowJo draws a channel: the scale of an axis, the ends of its display, and the unit of its numbers.

FlowJo decides events where it draws them, and draws all that lies beyond the display at its end. So a gate that ends
there is open there.
"""

from __future__ import annotations

import math
from xml.etree.ElementTree import Element, SubElement

from msgspec import Struct
from msgspec.structs import replace

from cytocar.signals.scales import AnyScale, AsinhScale, HyperlogScale, LinearScale, LogicleScale, LogScale
from cytocar.template.flowjo.logicle_as import LogicleAs
from cytocar.template.gatingml.xml import DATA_TYPE, TRANSFORMS, declaration, local_name, number, optional_number, tag

STEPS = 256.0
"""Steps of the display, in which ellipses are stored."""
TABLE_STEPS = 4096
"""Steps of FlowJo's table of a biexponential scale, and of FACSDiva's display: an end is known to one of them."""
BEYOND = 1e-9
"""How far outside the display a corner on its end is put, as a share of the scale: events at the end are inside."""


class Display(Struct, frozen=True):
    """The display of one channel.

    Attributes
    ----------
    kind : str
        FlowJo's name of the scale.
    scale : AnyScale, optional
        The scale in data units; None where there is no equivalent.
    low, high : float, optional
        The ends of the display on the scale, None where they are not known.
    per_unit : float
        FlowJo's numbers per data unit: seconds per tick of Time, the gain that FlowJo applied or did not.
    """

    kind: str
    scale: AnyScale | None
    low: float | None
    high: float | None
    per_unit: float = 1.0

    def value(self, stored: float) -> float:
        """Return one of FlowJo's numbers in data units."""
        return stored / self.per_unit

    def ends_at(self, value: float) -> tuple[bool, bool]:
        """True if a bound in data units lies at or beyond the lower, and the upper, end of the display."""
        if self.scale is None:
            return False, False
        place = float(self.scale.unbounded(value))
        slack = 0.0 if self.low is None or self.high is None else (self.high - self.low) / TABLE_STEPS
        slack *= 1 + BEYOND if self.kind in ("biex", "diva") else 1e-6
        at_low = self.low is not None and (place <= self.low + slack or math.isnan(place))
        return at_low, self.high is not None and place >= self.high - slack

    def bounded(self, *, low: bool, high: bool) -> AnyScale | None:
        """Return the scale on which events beyond an end stand at the end."""
        if self.scale is None:
            return None
        ends = {}
        if low and self.low is not None:
            ends["bound_min"] = self.low
        if high and self.high is not None:
            ends["bound_max"] = self.high
        return replace(self.scale, **ends)

    def corner(self, value: float) -> float:
        """Return a coordinate of a polygon; a hair outside the display if it lies on its end."""
        if self.scale is None or self.low is None or self.high is None:
            return value
        at_low, at_high = self.ends_at(value)
        hair = BEYOND * (self.high - self.low)
        place = float(self.scale.unbounded(value))
        if place <= self.low - hair / 2 or place >= self.high + hair / 2:
            return value  # outside already
        if at_low:
            place = min(place, self.low) - hair if math.isfinite(place) else self.low - hair
        elif at_high:
            place = max(place, self.high) + hair
        else:
            return value
        return float(self.scale.inverse(place))


def read_display(element: Element, *, per_unit: float) -> Display:
    """Return the display that a ``<Transformations>`` entry declares.

    A biexponential scale is a logicle of ``W = log10(-width) / 2``, ``M = pos``, ``A = neg`` that was rounded to 4096
    steps; a log scale stands at its lower end for everything below.

    Raises
    ------
    TemplateError
        E142 where it lacks a number.
    """
    kind = local_name(element)
    if kind == "linear":
        low, high = (optional_number(element, key) for key in ("minRange", "maxRange"))
        if high is None or high <= (low or 0.0):
            return Display(kind, LinearScale(), None, None, per_unit)
        return Display(kind, LinearScale(), (low or 0.0) / per_unit, high / per_unit, per_unit)
    if kind == "log":
        offset, decades = number(element, "offset"), number(element, "decades")
        top = offset * 10**decades / per_unit
        values: dict[str, object] = {"kind": "log", "T": top, "M": decades, "bound_min": 0.0}
        return Display(kind, declaration(element, LogScale, values), 0.0, 1.0, per_unit)
    if kind == "biex":
        values = {
            "kind": "logicle",
            "T": number(element, "maxRange") / per_unit,
            "W": math.log10(max(-number(element, "width"), 1.0)) / 2,
            "M": number(element, "pos"),
            "A": max(number(element, "neg"), 0.0),
        }
        return Display(kind, declaration(element, LogicleScale, values), 0.0, 1.0, per_unit)
    known: dict[str, tuple[type[AnyScale], str, str]] = {
        "fasinh": (AsinhScale, "asinh", "TMA"),
        "logicle": (LogicleScale, "logicle", "TWMA"),
        "hyperlog": (HyperlogScale, "hyperlog", "TWMA"),
    }
    if kind not in known:
        return Display(kind, None, None, None, per_unit)
    model, name, letters = known[kind]
    values = {"kind": name, **{letter: number(element, letter) for letter in letters}}
    values["T"] = number(element, "T") / per_unit
    return Display(kind, declaration(element, model, values), 0.0, 1.0, per_unit)


def write_display(scale: AnyScale, written: str, *, top: float, logicle_as: LogicleAs) -> Element:
    """Return the ``<Transformations>`` entry of a channel as it is ``written``; ``top`` ends a linear display."""
    match scale:
        case LogicleScale(T=T, W=W, M=M, A=A) if logicle_as is LogicleAs.LOGICLE:
            numbers = {"T": T, "W": W, "M": M, "A": A}
            element = Element(tag("logicle", TRANSFORMS), {tag("length", TRANSFORMS): "256"})
        case LogicleScale(T=T, W=W, M=M, A=A):
            numbers = {"maxRange": T, "neg": A, "width": -(10.0 ** (2 * W)), "pos": M}
            element = Element(tag("biex", TRANSFORMS), {tag("length", TRANSFORMS): "256"})
        case LogScale(T=T, M=M):
            numbers = {"offset": T / 10.0**M, "decades": M}
            element = Element(tag("log", TRANSFORMS))
        case AsinhScale(T=T, M=M, A=A):
            numbers = {"maxRange": T, "T": T, "A": A, "M": M}
            element = Element(tag("fasinh", TRANSFORMS), {tag("length", TRANSFORMS): "256"})
        case _:
            numbers = {"minRange": 0.0, "maxRange": top}
            element = Element(tag("linear", TRANSFORMS), gain="1")
    for name, value in numbers.items():
        element.set(tag(name, TRANSFORMS), repr(float(value)))
    SubElement(element, tag("parameter", DATA_TYPE), {tag("name", DATA_TYPE): written})
    return element
