"""Export with a note about the original, and import that finds the original again.

The note holds the declaration of the whole template and a fingerprint of every gate as it was written. An import whose
fingerprints are all the same returns the declaration untouched. Where a gate was edited elsewhere its geometry wins;
data-driven gates then stay where they lay on the sample that was exported, and everything that could not be kept is
listed.
"""

from __future__ import annotations

from msgspec import Struct

from cytocar.template.faults import check_document
from cytocar.template.gatingml.fingerprint import axis_description, fingerprints
from cytocar.template.gatingml.merge import Origin, merge
from cytocar.template.gatingml.read import Document, read_gatingml
from cytocar.template.gatingml.write import Applied, Writer, add_note, serialize
from cytocar.template.model import Template


class Imported(Struct, frozen=True):
    """An imported template, and everything of the document that it could not keep."""

    template: Template
    losses: tuple[str, ...]


def export_gatingml(template: Template, applied: Applied) -> bytes:
    """Return a template, as applied to one sample, as a Gating-ML 2.0 document.

    Raises
    ------
    TemplateError
        E143 where a gate cannot be said in Gating-ML.
    """
    writer = Writer(template, applied)
    root = writer.write()
    written = read_gatingml(serialize(root), source="export", name="export").template
    behind = sorted(_markers_behind(writer, written))
    origin = Origin(
        template=template,
        sample=applied.sample,
        names=writer.names,
        helpers=tuple(writer.helpers),
        parents={population.name: population.parent for population in written.populations},
        axes={
            axis_description(written, entry): marker
            for entry, marker in behind
            if written.scale(entry) == template.scale(marker)
        },
        data_axes={axis_description(written, entry, with_scale=False): marker for entry, marker in behind},
        fingerprints=fingerprints(written),
    )
    add_note(root, origin.to_json(), sample=applied.sample)
    return serialize(root)


def _markers_behind(writer: Writer, written: Template) -> set[tuple[str, str]]:
    """Return each panel entry of the document as it was read back, with the markers that it was written for."""
    pairs: set[tuple[str, str]] = set()
    for population in written.populations:
        name = writer.names.get(population.name)
        if name is None:
            continue
        applied = writer.applied.gates.get(name, writer.template.population(name).gate)
        entries, markers = population.gate.markers(), applied.markers()
        if len(entries) == len(markers):  # two markers on one channel are one dimension of a document
            pairs |= set(zip(entries, markers, strict=True))
    return pairs


def reunite(document: Document) -> Imported:
    """Return the template of a document: the original where the document was made here and nothing was edited."""
    if document.note is None:
        return Imported(document.template, document.losses)
    origin = Origin.from_json(document.note.text or "")
    if origin is None:
        return Imported(document.template, (*document.losses, "the note about the original template cannot be read"))
    fingerprints_now = fingerprints(document.template)
    if fingerprints_now == origin.fingerprints:
        return Imported(origin.template, ())
    merged, losses = merge(document.template, origin, fingerprints_now)
    template, faults = check_document(merged.beyond_defaults())
    if template is None or faults:
        losses_now = tuple(f"the original template does not fit any more: {fault}" for fault in faults)
        return Imported(document.template, (*document.losses, *losses_now))
    return Imported(template, (*document.losses, *losses))
