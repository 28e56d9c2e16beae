"""The compensation of a FlowJo sample: its matrix, and which names mean compensated channels."""

from __future__ import annotations

from collections.abc import Collection
from xml.etree.ElementTree import Element, SubElement

import numpy as np
from msgspec import Struct

from cytocar.signals.compensation import Matrix, SpilloverMatrix
from cytocar.signals.panel import COMPENSATED
from cytocar.template.gatingml.xml import (
    DATA_TYPE,
    TRANSFORMS,
    child,
    children,
    declaration,
    number,
    required,
    tag,
)


class Compensated(Struct, frozen=True):
    """A sample's matrix and the prefix and suffix that mark what went through it; no matrix where it has none."""

    name: str = ""
    matrix: Matrix | None = None
    prefix: str = COMPENSATED
    suffix: str = ""

    def channel_behind(self, written: str, channels: Collection[str]) -> str | None:
        """Return the channel that a compensated name means; None if it is the name of a channel itself.

        Examples
        --------
        >>> Compensated(prefix="<", suffix=">").channel_behind("<PE-A>", ["PE-A"])
        'PE-A'
        >>> Compensated().channel_behind("Comp-PE-A", ["Comp-PE-A"]) is None  # the file has such a channel
        True
        """
        if written in channels:
            return None
        for before, after in ((self.prefix, self.suffix), (COMPENSATED, "")):
            inner = written.removeprefix(before).removesuffix(after)
            if (before or after) and inner != written and written == f"{before}{inner}{after}":
                return inner
        return None


def read_matrix(element: Element) -> Compensated:
    """Return the compensation that a ``<spilloverMatrix>`` declares.

    Raises
    ------
    TemplateError
        E142 where it is not a matrix that can be inverted.
    """
    detectors = tuple(required(entry, "name") for entry in children(child(element, "parameters"), "parameter"))
    rows = [
        tuple(number(entry, "value") for entry in children(row, "coefficient"))
        for row in children(element, "spillover")
    ]
    declared = {"fluorochromes": detectors, "detectors": detectors, "values": rows}
    name = " ".join(element.get("name", "").split()) or "matrix"
    if name in ("file", "none") or name.lower().endswith(".csv"):  # words with a meaning of their own in a template
        name = f"FlowJo {name.removesuffix('.csv')}"
    prefix, suffix = element.get("prefix", ""), element.get("suffix", "")
    return Compensated(name, declaration(element, Matrix, declared), prefix, suffix)


def write_matrix(matrix: SpilloverMatrix) -> Element:
    """Return a matrix as a ``<spilloverMatrix>``."""
    element = Element(
        tag("spilloverMatrix", TRANSFORMS), prefix=COMPENSATED, name=matrix.origin, suffix="", editable="1"
    )
    values = np.linalg.inv(matrix.values) if matrix.inverted else matrix.values
    listed = SubElement(element, tag("parameters", DATA_TYPE))
    for detector in matrix.detectors:
        SubElement(listed, tag("parameter", DATA_TYPE), {tag("name", DATA_TYPE): detector})
    for detector, row in zip(matrix.detectors, values.tolist(), strict=True):
        spillover = SubElement(element, tag("spillover", TRANSFORMS), {tag("parameter", DATA_TYPE): detector})
        for other, value in zip(matrix.detectors, row, strict=True):
            SubElement(
                spillover,
                tag("coefficient", TRANSFORMS),
                {tag("parameter", DATA_TYPE): other, tag("value", TRANSFORMS): repr(value)},
            )
    return element
