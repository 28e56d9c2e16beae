"""Placeholder."""

from __future__ import annotations

from dataclasses import dataclass

from cytocar.template.gatingml.read import Document
from cytocar.template.model import Template


@dataclass(frozen=True, slots=True)
class Imported:
    """An imported template, and everything of the document that it could not keep."""

    template: Template
    losses: tuple[str, ...]


def reunite(document: Document) -> Imported:
    """Return the template of a document."""
    return Imported(document.template, document.losses)
