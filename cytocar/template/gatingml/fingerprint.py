"""What a gate of a document is, whatever its dimensions are called: to see whether somebody edited it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from cytocar.regions.kinds import FixedGate
from cytocar.template.model import Template


def axis_description(template: Template, marker: str, *, with_scale: bool = True) -> str:
    """The description of an imported document's axis: channel or dye, matrix, ratio, and its scale."""
    entry = template.panel[marker]
    described: dict[str, Any] = {"channel": entry.fluorochrome or entry.detectors}
    if entry.ratio is not None:
        operands = (entry.ratio.numerator, entry.ratio.denominator)
        described["ratio"] = [axis_description(template, operand) for operand in operands]
        described["constants"] = [entry.ratio.A, entry.ratio.B, entry.ratio.C]
    else:
        source = entry.compensation or template.compensation.source
        matrix = template.compensation.matrices.get(source)
        described["compensation"] = source if matrix is None else matrix.beyond_defaults()
    if with_scale:
        described["scale"] = template.scale(marker).beyond_defaults()
    return _text(described)


def fingerprints(template: Template) -> dict[str, str]:
    """Return a digest of each gate of an imported document, by its id.

    Numbers count to nine digits: a program that only writes them in another way has edited nothing.
    """
    digests = {}
    for population in template.populations:
        if not isinstance(population.gate, FixedGate):
            raise TypeError(f"{population.name!r} of an imported document is not fixed")
        gate = population.gate.with_markers(lambda marker: axis_description(template, marker))
        text = _text({"parent": population.parent, "gate": gate.beyond_defaults()})
        digests[population.name] = hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]
    return digests


def _text(value: Any) -> str:
    return json.dumps(_rounded(value), sort_keys=True)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.9g}"
    if isinstance(value, dict):
        return {key: _rounded(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(entry) for entry in value]
    return value
