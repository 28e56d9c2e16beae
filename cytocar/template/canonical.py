"""The canonical form of a template, and its hash: what it says, whatever it looks like.

Comments, layout, the order of keys, ``1200`` or ``1200.0``, and a default that is spelt out or left to itself do not
count. The order of populations does.
"""

from __future__ import annotations

import hashlib
import json

from cytocar.template.model import Template


def canonical_json(template: Template) -> str:
    """Return the canonical form: sorted keys, no blanks, numbers in their shortest exact form."""
    return json.dumps(
        template.beyond_defaults(), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def template_sha256(template: Template) -> str:
    """Return the SHA-256 of the canonical form, in hexadecimal digits.

    Examples
    --------
    >>> from msgspec.structs import replace
    >>> from cytocar.signals.marker import Marker
    >>> from cytocar.template.model import Population
    >>> from cytocar.regions.boxes import RangeGate
    >>> cd3 = Population(name="t_cells", gate=RangeGate(marker="CD3", min=1200.0))
    >>> a = Template(name="demo", version="1.0.0", panel={"CD3": Marker()}, populations=(cd3,))
    >>> template_sha256(a) == template_sha256(replace(a, title="other"))
    False
    """
    return hashlib.sha256(canonical_json(template).encode("utf-8")).hexdigest()
