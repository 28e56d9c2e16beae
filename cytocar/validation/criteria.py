"""What a validation has to meet: measurands, limits of their statistics, and the settings that some of these need."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any, Self

from msgspec import Meta
from msgspec.structs import replace

from cytocar.errors.near_names import did_you_mean, each_did_you_mean
from cytocar.signals.declaration import Declaration
from cytocar.tables.columns import COUNTS_NUMBERS
from cytocar.validation.designs import Kind
from cytocar.validation.evaluate.statistic import NAMES, Settings, Statistic
from cytocar.validation.limits import Bound, Sources

ANY_MEASURAND = frozenset({Kind.PRECISION, Kind.COMPARISON, Kind.STABILITY, Kind.OPERATORS})
"""Studies that tell something of every number; the others are made for one: a dilution leaves a share as it is, and a
blank of CAR-T cells is none of T cells."""


class Needs(Declaration, frozen=True, kw_only=True):
    """Limits that a statistic itself needs: the lowest level that meets a CV and a bias, the change that is allowed."""

    lloq_cv_percent: Annotated[float, Meta(gt=0)] = 20.0
    lloq_bias_percent: Annotated[float, Meta(gt=0)] = 20.0
    stability_percent: Annotated[float, Meta(gt=0, lt=100)] = 20.0
    mixed_lots: bool = False

    def settings(self) -> Settings:
        """Return those that evaluations take."""
        return Settings(self.lloq_cv_percent, self.lloq_bias_percent, self.stability_percent)


class Criterion(Bound, frozen=True, kw_only=True):
    """A limit of one statistic of a kind of study; without ``level`` of each level."""

    study: Kind
    measurand: str
    statistic: str
    level: str = ""

    def faults(self) -> Iterator[str]:
        """Yield what does not go together."""
        yield from super().faults()
        yield from self.wrong_words(self.present())

    @classmethod
    def wrong_words(cls, table: Mapping[str, Any]) -> Iterator[str]:
        """Yield a statistic and a measurand that there are not, of a study that there is."""
        study = next((kind for kind in Kind if kind == table.get("study")), None)
        if study is None:
            return
        for key, known in (("statistic", tuple(NAMES[study])), ("measurand", COUNTS_NUMBERS)):
            word = table.get(key)
            if isinstance(word, str) and word not in known:
                otherwise = f" (there are: {', '.join(known[:8])}{', ...' if len(known) > 8 else ''})"
                yield f"{word!r} is not known of {study}{did_you_mean(word, known, otherwise)}"

    def is_about(self, kind: Kind, measurand: str, statistic: Statistic) -> bool:
        """True if it limits this statistic."""
        return (self.study, self.measurand, self.statistic) == (kind, measurand, statistic.name) and self.level in (
            "",
            statistic.level,
        )


class Criteria(Sources, frozen=True, kw_only=True):
    """A file of criteria."""

    settings: Needs = Needs()
    measurands: tuple[str, ...] = ()
    criteria: Annotated[tuple[Criterion, ...], Meta(min_length=1)]

    def faults(self) -> Iterator[str]:
        """Yield what does not go together."""
        yield from self.wrong_words({"measurands": self.measurands})

    @classmethod
    def wrong_words(cls, table: Mapping[str, Any]) -> Iterator[str]:
        """Yield measurands that are no numbers of counts.csv."""
        named = table.get("measurands")
        words = [word for word in named if isinstance(word, str)] if isinstance(named, list | tuple) else []
        strange = [word for word in words if word not in COUNTS_NUMBERS]
        for word, meant in each_did_you_mean(strange, COUNTS_NUMBERS):
            yield f"measurand {word!r} is not a number of counts.csv{meant}"

    def only(self, kinds: Collection[Kind]) -> Self:
        """Return the criteria of these kinds of study; of all where none is named."""
        criteria = tuple(one for one in self.criteria if not kinds or one.study in kinds)
        return replace(self, criteria=criteria)

    def measurands_of(self, kind: Kind) -> tuple[str, ...]:
        """What is evaluated of a kind of study: what is limited there, and what the file names beside it."""
        limited = [one.measurand for one in self.criteria if one.study is kind]
        return tuple(dict.fromkeys((*limited, *(self.measurands if kind in ANY_MEASURAND else ()))))
