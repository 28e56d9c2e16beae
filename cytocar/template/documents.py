"""What a document from another program is, told by its first bytes, whatever its name ends in."""

from __future__ import annotations

from enum import StrEnum

from cytocar.errors.tree import TemplateError

HEAD = 4096
"""Bytes that are looked at: a root element and its namespaces, behind a comment or two."""


class DocumentKind(StrEnum):
    """What a document is, in words for messages."""

    GATING_ML = "a Gating-ML 2.0 document"
    FLOWJO = "a FlowJo workspace"
    DIVA = "a FACSDiva experiment"
    HTML = "a web page (HTML)"
    UNKNOWN = "no document that cytocar knows"


_MARKS = (
    (b"<!doctype html", DocumentKind.HTML),
    (b"<html", DocumentKind.HTML),
    (b"<workspace", DocumentKind.FLOWJO),
    (b"<bdfacs", DocumentKind.DIVA),
    (b"gating-ml/v2.0/gating", DocumentKind.GATING_ML),
)


def kind_of(data: bytes) -> DocumentKind:
    """The kind of a document, by its first bytes; nothing is parsed.

    Examples
    --------
    >>> kind_of(b"<!DOCTYPE html><html>"), kind_of(b'<?xml version="1.0"?><Workspace version="20.0">')
    (<DocumentKind.HTML: 'a web page (HTML)'>, <DocumentKind.FLOWJO: 'a FlowJo workspace'>)
    """
    head = data[:HEAD]
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        head = head.decode("utf-16", "replace").encode()
    head = head.lower()
    return next((kind for mark, kind in _MARKS if mark in head), DocumentKind.UNKNOWN)


def other_kind(data: bytes, *, source: str, wanted: str) -> TemplateError | None:
    """Return the error for a document that is known to be something else than gates; None otherwise."""
    kind = kind_of(data)
    fixes = {
        DocumentKind.HTML: "download the file itself (on GitHub: Raw): this is the page around it",
        DocumentKind.DIVA: "`cytocar template import` reads it",
        DocumentKind.FLOWJO: "`cytocar template import` reads it",
    }
    if kind not in fixes:
        return None
    return TemplateError(f"{source} is {kind}, not {wanted}", code="E145", hint=fixes[kind])
