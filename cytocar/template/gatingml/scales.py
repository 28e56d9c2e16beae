"""Transformations of Gating-ML 2.0 (section 6.1) as scales of a template, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cytocar.signals.marker import Ratio
from cytocar.signals.scales import AnyScale, AsinhScale, HyperlogScale, LinearScale, LogicleScale, LogScale
from cytocar.template.gatingml.xml import children, declaration, faulty, local_name, number, optional_number, required

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

KINDS: dict[str, type[AnyScale]] = {
    "flin": LinearScale,
    "flog": LogScale,
    "fasinh": AsinhScale,
    "logicle": LogicleScale,
    "hyperlog": HyperlogScale,
}
FUNCTIONS = {"linear": "flin", "log": "flog", "asinh": "fasinh", "logicle": "logicle", "hyperlog": "hyperlog"}
PARAMETERS = {"linear": "TA", "log": "TM", "asinh": "TMA", "logicle": "TWMA", "hyperlog": "TWMA"}
_NAMES = {function: name for name, function in FUNCTIONS.items()}


def _function(element: Element) -> Element:
    for entry in element:
        if isinstance(entry.tag, str) and (local_name(entry) in KINDS or local_name(entry) == "fratio"):
            return entry
    raise faulty(element, f"holds none of {', '.join(KINDS)}, fratio")


def is_ratio(element: Element) -> bool:
    """True if a transformation makes a new dimension of two (section 6.1.3)."""
    return local_name(_function(element)) == "fratio"


def scale_of(element: Element) -> AnyScale:
    """Return the scale that a transformation declares; of a ratio, the bounds of its values."""
    function = _function(element)
    declared: dict[str, object] = {
        "bound_min": optional_number(element, "boundMin"),
        "bound_max": optional_number(element, "boundMax"),
    }
    if local_name(function) == "fratio":
        return declaration(element, LinearScale, declared)
    name = _NAMES[local_name(function)]
    declared |= {"kind": name} | {letter: number(function, letter) for letter in PARAMETERS[name]}
    return declaration(element, KINDS[local_name(function)], declared)


def ratio_operands(element: Element) -> tuple[str, str]:
    """Return the names of a ratio's numerator and denominator."""
    names = [required(entry, "name") for entry in children(_function(element), "fcs-dimension")]
    if len(names) != 2:
        raise faulty(element, "needs two dimensions: numerator and denominator")
    return names[0], names[1]


def ratio_of(element: Element, numerator: str, denominator: str) -> Ratio:
    """Return ``A (numerator - B) / (denominator - C)`` of two panel entries."""
    function = _function(element)
    constants = {letter: number(function, letter) for letter in "ABC"}
    if constants["A"] == 0:
        raise faulty(element, "has A = 0: every ratio would be 0")
    return Ratio(numerator=numerator, denominator=denominator, **constants)
