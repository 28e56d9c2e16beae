"""Which control samples place a sample's ``reference`` gates."""

from __future__ import annotations

from collections.abc import Sequence

from cytocar.sheet.rows import SampleRow, SampleType

CONTROL_TYPES = (SampleType.BASELINE, SampleType.HEALTHY, SampleType.FMO)


def choose_references(sample: SampleRow, rows: Sequence[SampleRow]) -> tuple[str, ...]:
    """Return the sample_ids of a sample's controls, the best first; empty where there is none.

    A control that names the sample or its subject under ``control_for`` goes first, then the subject's own baseline,
    then healthy donors: those on the same plate if there are any, else all, and among them the subject's own tubes (of
    a donor whose blood was spiked) before others'. A gate takes of these as many as give it enough events. A control
    without ``control_for`` serves all whom its type fits; a sample is never its own control, nor is a later draw a
    baseline's.
    """
    controls = [row for row in rows if _may_serve(row, sample)]
    named = [row for row in controls if _names(row, sample)]
    unnamed = [row for row in controls if not row.control_for]
    own = [row for row in unnamed if row.sample_type is SampleType.BASELINE and _same_subject(row, sample)]
    healthy = [row for row in unnamed if row.sample_type is SampleType.HEALTHY]
    beside = [row for row in healthy if row.plate_id is not None and row.plate_id == sample.plate_id]
    donors = sorted(beside or healthy, key=lambda row: not _same_subject(row, sample))
    return tuple(dict.fromkeys(row.sample_id for row in (*named, *own, *donors)))


def _may_serve(row: SampleRow, sample: SampleRow) -> bool:
    return row.sample_type in CONTROL_TYPES and row.sample_id != sample.sample_id and not row.exclude


def _names(row: SampleRow, sample: SampleRow) -> bool:
    return sample.sample_id in row.control_for or (
        sample.subject_id is not None and sample.subject_id in row.control_for
    )


def _same_subject(row: SampleRow, sample: SampleRow) -> bool:
    return row.subject_id is not None and row.subject_id == sample.subject_id
