"""Finished samples as JSON: what a run keeps in ``parts/`` so that it can go on where it stopped."""

from __future__ import annotations

from functools import cache
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from cytocar.sample.result import SampleOutcome


@cache
def _adapter() -> TypeAdapter[SampleOutcome]:
    return TypeAdapter(Annotated[SampleOutcome, Field(discriminator="kind")])


def to_json(outcome: SampleOutcome) -> bytes:
    """Return a sample's outcome as JSON; every number survives to its last bit."""
    return _adapter().dump_json(outcome)


def from_json(content: bytes) -> SampleOutcome | None:
    """Return the outcome that ``to_json`` wrote; ``None`` for anything else, such as a part cut short by a crash."""
    try:
        return _adapter().validate_json(content)
    except ValidationError:
        return None
