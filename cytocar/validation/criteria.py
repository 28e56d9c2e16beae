"""What a validation has to meet: measurands, limits of their statistics, and the settings that some of these need."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from typing import Self

from pydantic import Field, model_validator

from cytocar.signals.declaration import Declaration
from cytocar.tables.columns import COUNTS_NUMBERS
from cytocar.validation.designs import Kind
from cytocar.validation.evaluate.statistic import NAMES, Settings, Statistic
from cytocar.validation.limits import Bound, Sources

ANY_MEASURAND = frozenset({Kind.PRECISION, Kind.COMPARISON, Kind.STABILITY, Kind.OPERATORS})
"""Studies that tell something of every number; the others are made for one: a dilution leaves a share as it is, and a
blank of CAR-T cells is none of T cells."""


class Needs(Declaration):
    """Limits that a statistic itself needs: the lowest level that meets a CV and a bias, the change that is allowed."""

    lloq_cv_percent: float = Field(default=20.0, gt=0)
    lloq_bias_percent: float = Field(default=20.0, gt=0)
    stability_percent: float = Field(default=20.0, gt=0, lt=100)
    mixed_lots: bool = False

    def settings(self) -> Settings:
        """Return those that evaluations take."""
        return Settings(self.lloq_cv_percent, self.lloq_bias_percent, self.stability_percent)


class Criterion(Bound):
    """A limit of one statistic of a kind of study; without ``level`` of each level."""

    study: Kind
    measurand: str
    statistic: str
    level: str = ""

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        for word, known in ((self.statistic, tuple(NAMES[self.study])), (self.measurand, COUNTS_NUMBERS)):
            if word not in known:
                near = get_close_matches(word, known, n=3) or list(known)[:8]
                raise ValueError(f"{word!r} is not known of {self.study}; did you mean {', '.join(near)}?")
        return self

    def is_about(self, kind: Kind, measurand: str, statistic: Statistic) -> bool:
        """True if it limits this statistic."""
        return (self.study, self.measurand, self.statistic) == (kind, measurand, statistic.name) and self.level in (
            "",
            statistic.level,
        )


class Criteria(Sources):
    """A file of criteria."""

    settings: Needs = Needs()
    measurands: tuple[str, ...] = ()
    criteria: tuple[Criterion, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _measurands_are_known(self) -> Self:
        for word in self.measurands:
            if word not in COUNTS_NUMBERS:
                raise ValueError(f"measurand {word!r} is not a number of counts.csv")
        return self

    def only(self, kinds: Collection[Kind]) -> Self:
        """Return the criteria of these kinds of study; of all where none is named."""
        criteria = tuple(one for one in self.criteria if not kinds or one.study in kinds)
        return self.model_copy(update={"criteria": criteria})

    def measurands_of(self, kind: Kind) -> tuple[str, ...]:
        """What is evaluated of a kind of study: what is limited there, and what the file names beside it."""
        limited = [one.measurand for one in self.criteria if one.study is kind]
        return tuple(dict.fromkeys((*limited, *(self.measurands if kind in ANY_MEASURAND else ()))))
