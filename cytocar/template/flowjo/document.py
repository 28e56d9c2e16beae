"""A FlowJo workspace, streamed: its samples one after another, its groups, and what else it may turn out to be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse
from msgspec import Struct

from cytocar.errors.boundary import reason
from cytocar.errors.tree import TemplateError
from cytocar.template.documents import DocumentKind, kind_of, other_kind
from cytocar.template.flowjo.samples import WorkspaceSample, has_gates, read_sample
from cytocar.template.gatingml.read import Document
from cytocar.template.gatingml.xml import MAXIMUM_BYTES, MAXIMUM_ELEMENTS, children, local_name

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

LARGER = 10  # a workspace holds tables, layouts and every sample's keywords beside the gates
OLDER = ("1.4", "1.5", "1.6", "1.61", "2.0")
"""Versions of workspaces that FlowJo 7 to 9 wrote; FlowJo 10 writes 1.8 and 20.0."""


class Workspace(Struct, frozen=True, eq=False):
    """What a workspace holds: its samples in its order, groups as name to sample ids, groups that gates stand on."""

    source: str
    samples: tuple[WorkspaceSample, ...]
    groups: Mapping[str, tuple[str, ...]]
    gated_groups: tuple[str, ...]
    program: str = "FlowJo"

    @property
    def gated(self) -> tuple[WorkspaceSample, ...]:
        """Return the samples that have gates."""
        return tuple(sample for sample in self.samples if sample.populations or sample.losses)

    def sample(self, wanted: str | None) -> WorkspaceSample:
        """Return a sample by its name or its ``sampleID``; the first with gates by default.

        Raises
        ------
        TemplateError
            E144 there is none, it has no gates, or several have this name.
        """
        gated = self.gated
        if wanted is None:
            if gated:
                return gated[0]
            raise self._no_gates()
        by_id = [sample for sample in gated if sample.sample_id == wanted]
        named = [sample for sample in gated if sample.name == wanted] or by_id
        if len(named) == 1:
            return named[0]
        if named:
            raise TemplateError(
                f"{len(named)} samples of {self.source} are called {wanted!r}",
                code="E144",
                hint=f"give the sampleID: {', '.join(sample.sample_id for sample in named)}",
            )
        listed = ", ".join(sample.name for sample in gated[:20])
        raise TemplateError(
            f"sample {wanted!r} of {self.source} has no gates",
            code="E144",
            hint=f"samples with gates: {listed or 'none'}",
        )

    def _no_gates(self) -> TemplateError:
        if self.gated_groups:
            return TemplateError(
                f"no sample of {self.source} has gates: they stand on the group {', '.join(self.gated_groups)} only",
                code="E144",
                hint=f"apply the group's gates to its samples in {self.program}, and save",
            )
        return TemplateError(
            f"no sample of {self.source} has gates", code="E144", hint="draw gates in FlowJo, and save the workspace"
        )


def document_of(workspace: Workspace, *, name: str, sample: str | None = None) -> Document:
    """Return the gates of one sample of a workspace as a template; E144 where it has none."""
    source = workspace.source
    chosen = workspace.sample(sample)
    losses = list(chosen.losses)
    others = [other for other in workspace.gated if other is not chosen]
    if others and sample is None:
        losses.append(
            f"gates of {len(others)} other samples ({_called(others[0], chosen)} ...): these are of "
            f"{_called(chosen, others[0])}; --files FOLDER imports all of them"
        )
    if not chosen.populations:
        raise TemplateError(
            f"no gate of sample {chosen.name!r} of {source} could be read:\n  " + "\n  ".join(losses),
            code="E144",
            hint="choose another sample with --sample",
        )
    title = f"Imported from {source}, sample {chosen.name}"
    return Document(chosen.template(name, title=title), None, tuple(losses))


def _called(sample: WorkspaceSample, other: WorkspaceSample) -> str:
    """Return a sample's name; with its ``sampleID`` where the other one has the same name."""
    return sample.name if sample.name != other.name else f"{sample.name} (sampleID {sample.sample_id})"


def open_workspace(data: bytes, *, source: str) -> Workspace:
    """Return the samples and groups of a FlowJo workspace.

    Each sample's part of the document is read and dropped before the next one, so that a study of hundreds of samples
    takes little more memory than its bytes.

    Raises
    ------
    TemplateError
        E140 not safe XML, E145 another kind of document.
    """
    if len(data) > MAXIMUM_BYTES * LARGER:
        raise TemplateError(
            f"{source} is larger than {MAXIMUM_BYTES * LARGER // 1_000_000} MB", code="E140", hint="does it hold gates?"
        )
    with _refused(data, source):
        return _Stream(source).read(data)


class _Stream:
    """What has been read of a workspace so far."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.samples: list[WorkspaceSample] = []
        self.groups: dict[str, tuple[str, ...]] = {}
        self.gated_groups: list[str] = []
        self.gains: dict[str, bool] = {}

    def read(self, data: bytes) -> Workspace:
        depth = elements = 0
        for event, element in iterparse(BytesIO(data), events=("start", "end"), forbid_dtd=True):
            if event == "start":
                depth += 1
                elements += 1
                if depth == 1:
                    _check_root(element, self.source)
                if elements > MAXIMUM_ELEMENTS * LARGER:
                    raise TemplateError(
                        f"{self.source} has more than {MAXIMUM_ELEMENTS * LARGER} elements",
                        code="E140",
                        hint="does it hold gates?",
                    )
                continue
            depth -= 1
            if depth in (1, 2):
                self._take(element, depth)
        return Workspace(self.source, tuple(self.samples), self.groups, tuple(self.gated_groups))

    def _take(self, element: Element, depth: int) -> None:
        """Read a part of the document and drop it."""
        name = local_name(element)
        if name == "Cytometer":
            self.gains[element.get("cyt", "")] = element.get("useGain", "0") == "1"
        elif name == "GroupNode":
            self._group(element)
        elif name == "Sample":
            cytometer = next(_keyword(element, "$CYT"), "")
            default = any(self.gains.values()) if len(self.gains) == 1 else False
            self.samples.append(read_sample(element, uses_gain=self.gains.get(cytometer, default)))
        if depth == 1 or name in ("Cytometer", "GroupNode", "Sample"):
            element.clear()

    def _group(self, element: Element) -> None:
        title = element.get("name", "")
        references = [
            reference.get("sampleID", "")
            for group in children(element, "Group")
            for listed in children(group, "SampleRefs")
            for reference in children(listed, "SampleRef")
        ]
        self.groups[title] = tuple(references)
        if has_gates(element):
            self.gated_groups.append(title)


def _keyword(sample: Element, name: str) -> Iterator[str]:
    for listed in children(sample, "Keywords"):
        for entry in children(listed, "Keyword"):
            if entry.get("name") == name:
                yield entry.get("value", "").strip()


def _check_root(root: Element, source: str) -> None:
    name, version = local_name(root), root.get("version", "")
    web_page = other_kind(f"<{name}".encode(), source=source, wanted="a FlowJo workspace")
    if web_page is not None and name != "Workspace":
        raise web_page
    if name != "Workspace":
        raise TemplateError(
            f"{source} is not a FlowJo workspace: its root is {name}",
            code="E145",
            hint="FlowJo 10 writes .wsp; Gating-ML 2.0 (.xml) is read too",
        )
    flowjo = root.get("flowJoVersion", "")
    if version in OLDER or flowjo.partition(".")[0] in ("7", "8", "9"):
        raise TemplateError(
            f"{source} is a workspace of FlowJo {flowjo or '7 to 9'} (version {version or 'not given'})",
            code="E145",
            hint="open it in FlowJo 10 and save it as .wsp",
        )


@contextmanager
def _refused(data: bytes, source: str) -> Iterator[None]:
    """Turn the parser's errors into ours, with what the document is."""
    try:
        yield
    except TemplateError:
        raise
    except Exception as error:
        kind = kind_of(data)
        other = (
            other_kind(data, source=source, wanted="a FlowJo workspace") if kind is not DocumentKind.FLOWJO else None
        )
        if other is not None:
            raise other from error
        if isinstance(error, DefusedXmlException):
            raise TemplateError(
                f"{source} is {kind} with a document type or entities, which a gating file has no use for",
                code="E140",
                hint="remove the <!DOCTYPE ...> part, if you trust the file",
            ) from error
        raise TemplateError(f"{source} is not valid XML: {reason(error)}", code="E140", hint="save it again") from error
