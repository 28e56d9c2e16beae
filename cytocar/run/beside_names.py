"""Whether a file was acquired as the sample that the sheet makes of it: its own names against the rows of the run.

A sheet whose rows slipped by one well gives each file the numbers of another; the names that the operator typed at the
cytometer are in the file. Names that are used again (``T1`` each day, ``A01`` on each plate), and a second acquisition
under the first one's name, are what laboratories do, and tell nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from cytocar.errors.findings import Finding, Severity
from cytocar.sheet.rows import SampleRow

NAME_KEYS = ("TUBE NAME", "TUBENAME", "SAMPLE ID", "SAMPLEID", "SAMPLE NAME", "$SMNO", "$SRC", "@SAMPLEID1", "$FIL")
"""Of the cytometers' software: BD FACSDiva, Cytek SpectroFlo, Beckman Coulter, Miltenyi, and the standard's."""
NAMES_CHECK = "names"
FEWEST_CHARACTERS, FEWEST_DIGITS = 2, 4
"""Of an identifier with a letter and a digit, and of one of digits alone: shorter ones stand in names by chance."""


def names_in(keywords: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return the keywords that name the sample, with their values as words joined by ``_``."""
    return tuple((key, _words(keywords[key])) for key in NAME_KEYS if keywords.get(key))


def _words(text: str) -> str:
    """Return letters and digits in lower case, whatever is between them as ``_``, at both ends too.

    >>> _words("P03 d28.fcs")
    '_p03_d28_fcs_'
    """
    return "_".join(("", *re.findall(r"[^\W_]+", text.casefold()), ""))


def _is_telling(words: str) -> bool:
    plain = words.replace("_", "")
    if plain.isdigit():
        return len(plain) >= FEWEST_DIGITS
    return len(plain) >= FEWEST_CHARACTERS and any(map(str.isdigit, plain)) and any(map(str.isalpha, plain))


class Identifiers:
    """Sample and subject identifiers of a run's rows, as they may stand in a file's names.

    Parameters
    ----------
    rows : sequence of SampleRow
        Of the run.
    names : mapping of str to sequence of (keyword, words), optional
        By sample_id those of each file: a sample's identifier that stands in several is a name used again.
    """

    def __init__(self, rows: Sequence[SampleRow], names: Mapping[str, Sequence[tuple[str, str]]] | None = None) -> None:
        of_draw: dict[tuple[str, float], list[str]] = {}
        for row in rows:
            if (draw := _draw(row)) is not None:
                of_draw.setdefault(draw, []).append(row.sample_id)
        self._own = {
            row.sample_id: [_words(one) for one in (row.sample_id, row.subject_id, *_others(row, of_draw)) if one]
            for row in rows
        }
        self._plain = {_words(one): one for row in rows for one in (row.sample_id, row.subject_id) if one}
        self._most_words = max((one.count("_") - 1 for one in self._plain), default=0)
        files_with = Counter(one for of_file in (names or {}).values() for one in self._standing_in(of_file))
        subjects = {_words(row.subject_id) for row in rows if row.subject_id}
        telling = filter(_is_telling, self._plain)
        once = (one for one in telling if one in subjects or files_with[one] <= 1)
        self._known = {one: place for place, one in enumerate(sorted(once, key=len, reverse=True))}

    def finding(self, sample_id: str, names: Sequence[tuple[str, str]]) -> Finding | None:
        """Return a finding where the longest identifier that a file's names hold is another row's; else None."""
        standing = self._standing_in(names)
        longest = min(standing.keys() & self._known.keys(), key=self._known.__getitem__, default=None)
        if longest is None:
            return None
        key = standing[longest]
        own = self._own.get(sample_id, [])
        if longest in own or any(len(one) >= len(longest) and one in text for one in own for _, text in names):
            return None
        message = f"{key} holds the identifier {self._plain[longest]}, which is another row's of the sheet"
        return Finding(NAMES_CHECK, "W261", Severity.REVIEW, message)

    def _standing_in(self, names: Sequence[tuple[str, str]]) -> Mapping[str, str]:
        """Return the identifiers that stand in a file's names, each with the first keyword that holds it.

        Every run of words is looked up, so that a file costs the same in a run of ten tubes and of ten thousand.
        """
        key_of: dict[str, str] = {}
        for key, text in names:
            words = text.strip("_").split("_")
            for first in range(len(words)):
                for last in range(first + 1, min(len(words), first + self._most_words) + 1):
                    identifier = f"_{'_'.join(words[first:last])}_"
                    if identifier in self._plain:
                        key_of.setdefault(identifier, key)
        return key_of


def _draw(row: SampleRow) -> tuple[str, float] | None:
    return (row.subject_id, row.day) if row.subject_id and row.day is not None else None


def _others(row: SampleRow, of_draw: Mapping[tuple[str, float], Sequence[str]]) -> Sequence[str]:
    """Return the samples of the same subject and day: a second acquisition keeps the first one's name."""
    draw = _draw(row)
    return of_draw[draw] if draw is not None else ()
