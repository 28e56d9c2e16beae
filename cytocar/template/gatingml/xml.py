"""XML for Gating-ML: names of the standard, reading it safely, small readers of attributes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from cytocar.errors.boundary import reason
from cytocar.errors.tree import TemplateError
from cytocar.signals.declaration import Declaration, NotDeclaredError, declare
from cytocar.template.documents import DocumentKind, kind_of, other_kind

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

AnyPart = TypeVar("AnyPart", bound=Declaration)

GATING = "http://www.isac-net.org/std/Gating-ML/v2.0/gating"
TRANSFORMS = "http://www.isac-net.org/std/Gating-ML/v2.0/transformations"
DATA_TYPE = "http://www.isac-net.org/std/Gating-ML/v2.0/datatypes"
CYTOCAR = "https://github.com/cytocar/cytocar/gating-ml/1"
HIGHEST = 1.7976931348623157e308
"""The highest number: stands for an open bound where one has to be written."""
MAXIMUM_BYTES = 20_000_000
MAXIMUM_ELEMENTS = 500_000


def tag(name: str, namespace: str = GATING) -> str:
    """Return a name as ElementTree writes it with its namespace."""
    return f"{{{namespace}}}{name}"


def parse_safely(data: bytes, *, source: str, larger: int = 1) -> Element:
    """Return the root of an XML file.

    Document types, entities and anything outside the file are refused, and so is a file ``larger`` times beyond any
    gate's need.
    """
    if len(data) > MAXIMUM_BYTES * larger:
        raise TemplateError(
            f"{source} is larger than {MAXIMUM_BYTES * larger // 1_000_000} MB", code="E140", hint="does it hold gates?"
        )
    try:
        root: Element = fromstring(data, forbid_dtd=True)
    except ParseError as error:
        if kind_of(data) is DocumentKind.HTML:
            raise _web_page(data, source) from error
        raise TemplateError(f"{source} is not valid XML: {error}", code="E140", hint="export it again") from error
    except DefusedXmlException as error:
        if kind_of(data) is DocumentKind.HTML:
            raise _web_page(data, source) from error
        raise TemplateError(
            f"{source} has a document type or entities, which a gating file has no use for ({type(error).__name__})",
            code="E140",
            hint="remove the <!DOCTYPE ...> part, if you trust the file",
        ) from error
    except Exception as error:
        raise TemplateError(
            f"{source} cannot be read: {reason(error)}", code="E140", hint="save it as UTF-8"
        ) from error
    if sum(1 for _ in root.iter()) > MAXIMUM_ELEMENTS * larger:
        raise TemplateError(
            f"{source} has more than {MAXIMUM_ELEMENTS * larger} elements", code="E140", hint="does it hold gates?"
        )
    return root


def parse_document(data: bytes, *, source: str) -> Element:
    """Return the root of a Gating-ML 2.0 document."""
    root = parse_safely(data, source=source)
    if root.tag != f"{{{GATING}}}Gating-ML":
        other = other_kind(data, source=source, wanted="a Gating-ML 2.0 document")
        if other is not None:
            raise other
        raise TemplateError(
            f"{source} is not a Gating-ML 2.0 document: its root is {_readable(root.tag)}",
            code="E141",
            hint="export the gates as Gating-ML 2.0; a FlowJo workspace (.wsp) goes through `cytocar template import`",
        )
    return root


def _web_page(data: bytes, source: str) -> TemplateError:
    return other_kind(data, source=source, wanted="gates") or TemplateError(source, code="E145", hint="")


def _readable(tag: str) -> str:
    return tag.replace("{", "").replace("}", " ")


def local_name(element: Element) -> str:
    """Return an element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def children(element: Element, name: str) -> Iterator[Element]:
    """Yield the children of a name in any namespace of the standard: programs differ in which one they use."""
    return (child for child in element if isinstance(child.tag, str) and local_name(child) == name)


def child(element: Element, name: str) -> Element:
    """Return the first child of a name; a fault if there is none."""
    first = next(iter(children(element, name)), None)
    if first is None:
        raise faulty(element, f"has no <{name}>")
    return first


def attribute(element: Element, name: str) -> str | None:
    """Return an attribute by its local name, whichever namespace it was written in."""
    for key, value in element.attrib.items():
        if key.rpartition("}")[2] == name:
            return value
    return None


def required(element: Element, name: str) -> str:
    """Return an attribute that the standard demands."""
    value = attribute(element, name)
    if value is None or not value.strip():
        raise faulty(element, f"has no attribute {name}")
    return value.strip()


def number(element: Element, name: str) -> float:
    """Return a required attribute as a finite number."""
    return as_number(element, required(element, name))


def optional_number(element: Element, name: str) -> float | None:
    """Return an optional bound as a finite number; infinity, or the highest number there is, bounds nothing."""
    text = (attribute(element, name) or "").strip()
    if not text or text.lstrip("+-").upper() in ("INF", "INFINITY"):
        return None
    value = as_number(element, text)
    return None if abs(value) >= HIGHEST else value


def as_number(element: Element, text: str | None) -> float:
    """Return text as a finite number; a fault that names the element otherwise."""
    try:
        value = float((text or "").strip())
    except ValueError:
        raise faulty(element, f"has {text!r} where a number belongs") from None
    if not math.isfinite(value):
        raise faulty(element, f"has {text!r} where a finite number belongs")
    return value


def declaration(element: Element, kind: type[AnyPart], values: Mapping[str, object]) -> AnyPart:
    """The declaration of an element; a fault that names the element if it cannot be so."""
    try:
        return declare(kind, values)
    except NotDeclaredError as error:
        raise faulty(element, f"cannot be used: {error}") from error


def faulty(element: Element, what: str) -> TemplateError:
    """Return the error for an element that is not as the standard says."""
    name = next((value for key, value in element.attrib.items() if key.rpartition("}")[2] in ("id", "name")), None)
    where = f"<{local_name(element)}>" + (f" {name!r}" if name else "")
    return TemplateError(
        f"{where} {what}", code="E142", hint="the document is not as its standard says: export it again"
    )
