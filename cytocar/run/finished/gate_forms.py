"""The forms in which gates are handed on; apart from the writers, so that help is shown without loading them."""

from __future__ import annotations

from enum import StrEnum


class GatesAs(StrEnum):
    """A form in which gates are handed on."""

    WSP = "wsp"
    GATINGML = "gatingml"
    CYTOBANK = "cytobank"
