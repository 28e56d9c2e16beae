"""One recording in two rows that are two tubes: the same bytes cannot be both."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from msgspec import Struct

from cytocar.errors.findings import Finding, Severity
from cytocar.sample.result import SampleResult, recorded_bytes
from cytocar.sheet.rows import SampleType

COPIES_CHECK = "copies"
SHARED = frozenset({SampleType.HEALTHY, SampleType.PROCESS_CONTROL})


class Recording(Struct, frozen=True):
    """What a sample was counted from, and which tube the sheet says it is: subject, day, specimen, replicate, well."""

    sample_id: str
    content: str | None
    tube: tuple[object, ...]
    shared: bool = False
    """A donor's tube, or a control of the laboratory, which may stand beside each subject that it serves."""

    @classmethod
    def of(cls, result: SampleResult) -> Recording:
        """The recording of a counted sample."""
        row = result.sample
        well = (row.plate_id, row.well) if row.plate_id and row.well else None
        tube = (row.subject_id, row.day, row.specimen, row.replicate, well)
        return cls(row.sample_id, recorded_bytes(result), tube, row.sample_type in SHARED)

    def contradicts(self, other: Recording) -> bool:
        """True if what both rows say of their tube cannot be one tube's."""
        if self.shared and other.shared:
            return False
        return any(None not in pair and pair[0] != pair[1] for pair in zip(self.tube, other.tube, strict=True))


def copy_findings(recordings: Sequence[Recording]) -> Iterator[tuple[str, Finding]]:
    """Yield samples that were counted from the bytes of another sample, which is another tube by the sheet.

    A tube that is counted twice, by two templates say, is one tube, and no finding.
    """
    by_content: dict[str, list[Recording]] = defaultdict(list)
    for one in recordings:
        if one.content is not None:
            by_content[one.content].append(one)
    for same in by_content.values():
        for one in same:
            others = [other.sample_id for other in same if one.contradicts(other)]
            if others:
                more = f" and {len(others) - 1} more" if len(others) > 1 else ""
                message = f"the recording is that of {others[0]}{more} too, another tube by the sheet"
                yield one.sample_id, Finding(COPIES_CHECK, "W265", Severity.REVIEW, message)
