"""The canonical form of a template, and its hash: what it says, whatever it looks like.

Comments, layout, the order of keys, ``1200`` or ``1200.0``, and a default that is spelt out or left to itself do not
count. The order of populations does.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from cytocar.signals.declaration import Declaration
from cytocar.template.model import Template


def declared(part: Declaration) -> dict[str, Any]:
    """The values of a declaration beyond the defaults, as plain tables, lists, text and numbers.

    ``kind`` is always kept: it says which declaration the table is.
    """
    declaration = {}
    for key, field in type(part).model_fields.items():
        value = getattr(part, key)
        if key == "kind" or field.is_required() or value != field.get_default(call_default_factory=True):
            declaration[key] = _plain(value)
    return declaration


def _plain(value: Any) -> Any:
    if isinstance(value, Declaration):
        return declared(value)
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    return value


def canonical_json(template: Template) -> str:
    """Return the canonical form: sorted keys, no blanks, numbers in their shortest exact form."""
    return json.dumps(declared(template), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def template_sha256(template: Template) -> str:
    """Return the SHA-256 of the canonical form, in hexadecimal digits.

    Examples
    --------
    >>> from cytocar.signals.marker import Marker
    >>> from cytocar.template.model import Population
    >>> from cytocar.regions.boxes import RangeGate
    >>> cd3 = Population(name="t_cells", gate=RangeGate(kind="range", marker="CD3", min=1200))
    >>> a = Template(name="demo", version="1.0.0", panel={"CD3": Marker()}, populations=(cd3,))
    >>> template_sha256(a) == template_sha256(a.model_copy(update={"title": "other"}))
    False
    """
    return hashlib.sha256(canonical_json(template).encode("utf-8")).hexdigest()
