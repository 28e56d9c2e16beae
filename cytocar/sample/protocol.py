"""How one sample is counted: its template, settings and what is on record about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct, field

from cytocar.counting.blank_tubes import NO_HISTORY, History
from cytocar.sample.result import ErrorRecord, TemplateStamp
from cytocar.template.canonical import template_sha256
from cytocar.template.lock import LockStatus

if TYPE_CHECKING:
    from cytocar.regions.kinds import FixedGate
    from cytocar.signals.compensation import SpilloverMatrix
    from cytocar.template.model import Template


class Protocol(Struct, frozen=True, eq=False):
    """What a sample is analysed with: all that decides its numbers besides its file and its row of the sheet.

    ``refused`` says why it cannot be analysed, where its row names a spillover matrix that cannot be used.
    """

    template: Template
    stamp: TemplateStamp
    markers: Mapping[str, str] = field(default_factory=dict)
    compensation: SpilloverMatrix | None = None
    overrides: Mapping[str, FixedGate] = field(default_factory=dict)
    refused: ErrorRecord | None = None
    history: History = NO_HISTORY


def unlocked(template: Template) -> TemplateStamp:
    """Return the stamp of a template that nobody has locked."""
    return TemplateStamp(template.name, template.version, template_sha256(template), LockStatus.DRAFT)
