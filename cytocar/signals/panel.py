"""Which channel of a file carries which marker: the only place where names are matched.

Aliases are compared with ``$PnS``, then detectors with ``$PnN``, then, for channels without any ``$PnS``, aliases with
``$PnN``. Case and punctuation do not count, ``Comp-`` and ``<>`` around a name neither, and in ``$PnS`` the words for
fluorochromes, filters and viability stand aside: ``CD8 APC-H7``, ``BV785 - CD3``, ``viability;7-AAD;695/40@488/A``.
What is left must be the whole alias: CD4 is not CD45. Every marker leads to exactly one channel; anything else is an
error that lists the candidates, and ``--marker`` settles it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct

from cytocar.errors.near_names import did_you_mean
from cytocar.errors.tree import PanelError

if TYPE_CHECKING:
    from cytocar.fcs.events import Channel
    from cytocar.signals.marker import Marker


COMPENSATED = "Comp-"
"""What FlowJo, and many programs after it, put before the name of a compensated channel."""


@dataclass(frozen=True, eq=False)
class Panel(Mapping[str, "Channel"]):
    """Marker to channel, for every marker of a template that has a channel of its own.

    Ratios and rows of a spectrum matrix are derived from several channels and are not in it, and neither is an optional
    marker that the file does not have.
    """

    channels: Mapping[str, Channel]

    def __getitem__(self, marker: str) -> Channel:
        return self.channels[marker]

    def __iter__(self) -> Iterator[str]:
        return iter(self.channels)

    def __len__(self) -> int:
        return len(self.channels)


def resolve(
    markers: Mapping[str, Marker], channels: Sequence[Channel], *, overrides: Mapping[str, str] | None = None
) -> Panel:
    """Return the channel of each marker of a template.

    Parameters
    ----------
    markers : mapping of str to Marker
        Its panel says what each marker answers to.
    channels : sequence of Channel
        The channels of a file.
    overrides : mapping, optional
        Marker to ``$PnN``, where a person has settled it (``--marker CD3=FITC-A``).

    Raises
    ------
    PanelError
        If a marker has no channel (E040), several (E041), a channel that another marker claims by its name (E042), or
        an override names a marker that the template does not have (E043). One message lists them all.
    """
    settled = dict(overrides or {})
    faults = [_unknown_marker(name, markers) for name in settled if name not in markers]
    matches: dict[str, _Match] = {}
    for name, marker in markers.items():
        if marker.ratio is not None or marker.fluorochrome is not None:
            continue
        match = _settled(name, settled[name], channels) if name in settled else _search(name, marker, channels)
        if len(match.channels) == 1:
            matches[name] = match
        elif match.channels:
            message = f"marker {name} has several channels: {_listed(match.channels)}"
            faults.append(_Fault("E041", message, f"{name}=CHANNEL"))
        elif not marker.optional or name in settled:
            message = f"marker {name} has no channel: looked for {match.sought}{_perhaps(name, marker, channels)}"
            faults.append(_Fault("E040", message, f"{name}=CHANNEL"))
    faults += _contradictions(matches)
    if faults:
        unmixes = any(marker.fluorochrome is not None for marker in markers.values())
        raise _error(faults, channels, raw=not unmixes and raw_spectral(channels))
    return Panel({name: match.channels[0] for name, match in matches.items()})


# ---------------------------------------------------------------- searching


RAW = re.compile(r"(UV|V|B|YG|R)\d{1,2}-[AH]")
FEWEST_RAW = 20
"""Raw detectors: the file of an Aurora with three lasers has 42; other cytometers name a few so."""
UNMIX_FIRST = "unmix the file in the acquisition software first and export it unmixed"


def raw_spectral(channels: Sequence[Channel]) -> bool:
    """True if channels are the raw detectors of a spectral cytometer (``V1-A``, ``YG3-A``): lasers and numbers."""
    return sum(bool(RAW.fullmatch(channel.detector.strip())) for channel in channels) >= FEWEST_RAW


class _Match(Struct, frozen=True):
    channels: tuple[Channel, ...]
    sought: str
    by_alias: bool


class _Fault(Struct, frozen=True):
    code: str
    message: str
    example: str


def _search(name: str, marker: Marker, channels: Sequence[Channel]) -> _Match:
    named = bool(marker.aliases or marker.detectors)
    aliases = marker.aliases if named else (name,)
    detectors = marker.detectors if named else (name,)
    hits = [channel for channel in channels if any(_is_label(alias, channel.marker or "") for alias in aliases)]
    by_alias = bool(hits)
    hits = hits or _by_detector(detectors, channels)
    if not hits:
        unlabelled = [channel for channel in channels if not (channel.marker or "").strip()]
        hits = [channel for channel in unlabelled if any(_is_label(alias, channel.detector) for alias in aliases)]
    sought = " and ".join(
        f"{', '.join(names)} in {keyword}" for names, keyword in ((aliases, "$PnS"), (detectors, "$PnN")) if names
    )
    return _Match(_area_of(hits), sought, by_alias)


def _settled(name: str, detector: str, channels: Sequence[Channel]) -> _Match:
    return _Match(tuple(_by_detector((detector,), channels)), f"{detector} in $PnN (--marker {name}={detector})", True)


def _by_detector(detectors: Sequence[str], channels: Sequence[Channel]) -> list[Channel]:
    """Return the channels of these names: the very names if there are such, else up to case and punctuation."""
    exact = [channel for channel in channels if channel.detector in detectors]
    if exact:
        return exact
    plain = {_plain(detector) for detector in detectors}
    return [channel for channel in channels if _plain(channel.detector) in plain]


def _area_of(channels: Sequence[Channel]) -> tuple[Channel, ...]:
    """Return the area channel where area, height and width of one detector carry the same label."""
    names = {
        channel.index: re.sub(r"[-_ ]*(A|H|W)(rea|eight|idth)?$", r"-\1", _unwrapped(channel.detector))
        for channel in channels
    }
    bases = {name[:-2] if name[-2:] in ("-A", "-H", "-W") else name for name in names.values()}
    areas = [channel for channel in channels if names[channel.index].endswith("-A")]
    if len(channels) > 1 and len(bases) == 1 and len(areas) == 1:
        return tuple(areas)
    return tuple(channels)


# ---------------------------------------------------------------- comparing names


@lru_cache(maxsize=65536)
def _unwrapped(name: str) -> str:
    """Return a name without the ``Comp-`` and ``<>`` that analysis programs put around compensated channels."""
    return re.sub(r"^(fj)?comp[-_ ]", "", name.strip(), flags=re.IGNORECASE).strip("<> ")


def channel_behind(name: str) -> str | None:
    """Return the channel that a compensated name (``Comp-PE-A``) stands for; None for any other name."""
    behind = name.strip().removeprefix(COMPENSATED)
    return behind if behind and behind != name.strip() else None


@lru_cache(maxsize=65536)
def _words(name: str) -> tuple[str, ...]:
    """Return the words of a name in small letters; the last one for a pulse measure as its letter (``FSC - Area``)."""
    words = [word for word in re.split(r"[\W_]+", _unwrapped(name).casefold()) if word]
    return (*words[:-1], _PULSES.get(words[-1], words[-1])) if len(words) > 1 else tuple(words)


_PULSES = {"area": "a", "height": "h", "width": "w"}


_FILTER = re.compile(r"\b\d{3}/\d{1,3}\b(@\d{3}(/\w+)?)?")
_DETECTOR_WORD = re.compile(r"fl\d+|[buvyrg]\d+|\d{1,3}|lin|log|int|peak|comp")


@lru_cache(maxsize=65536)
def _plain(name: str) -> str:
    return "".join(_words(name))


@lru_cache(maxsize=16384)
def _is_label(alias: str, label: str) -> bool:
    """True if a ``$PnS`` names a marker, words that name no marker left aside.

    Examples
    --------
    >>> _is_label("CD3", "BV785 - CD3"), _is_label("CD4", "CD45 V500"), _is_label("cd19fc", "CD19-Fc PE")
    (True, False, True)
    """
    wanted = _plain(alias)
    if not wanted:
        return False
    if wanted == _plain(label):
        return True
    words = _words(_FILTER.sub(" ", _unwrapped(label)))
    return any(
        "".join(words[start:end]) == wanted and _says_nothing(words[:start]) and _says_nothing(words[end:], last=True)
        for start in range(len(words))
        for end in range(start + 1, len(words) + 1)
    )


def answers(alias: str, label: str) -> bool:
    """True if a ``$PnS`` names a marker; other words may stand beside it.

    >>> answers("CD3", "CD3 clone UCHT1 FITC"), answers("CD19-Fc", "CD19 PE")
    (True, False)
    """
    words = _words(label)
    parts = {"".join(words[start:end]) for start in range(len(words)) for end in range(start + 1, len(words) + 1)}
    return _is_label(alias, label) or _plain(alias) in parts


def marker_words(label: str) -> tuple[str, ...]:
    """Return the words of a ``$PnS`` unless all of them name fluorochromes, filters or a detector.

    >>> marker_words("HLA-DR PE"), marker_words("PE-A"), marker_words("FL2 INT LIN")
    (('hla', 'dr', 'pe'), (), ())
    """
    words = _words(_FILTER.sub(" ", _unwrapped(label)))
    meaningful = tuple(word for word in words if not _DETECTOR_WORD.fullmatch(word))
    return () if _says_nothing(meaningful, last=True) else words


def _says_nothing(words: tuple[str, ...], *, last: bool = False) -> bool:
    """True if words name no marker: fluorochromes, viability, and at the end the letter of the pulse measure."""
    if not words or (last and words in (("a",), ("h",), ("w",))):
        return True
    return any(
        _is_fluorochrome("".join(words[:end])) and _says_nothing(words[end:], last=last)
        for end in range(1, len(words) + 1)
    )


_NUMBERED = re.compile(
    r"(|a|af|alexa|alexafluor|apcalexafluor|apcefluor|apcfire|apcr|apcvio|atto|ax|bb|bl|brilliantblue|brilliantultraviolet"
    r"|brilliantviolet|buv|bv|by|byg|bylm|cf|cfluor\w*|dl|dylight|ef|efluor|fvs|hilyte|ivd|kiravia\w*|krome|mitotracker\w*"
    r"|nir|nova\w+|pacificblue|pb|pecf|pedazzle|peefluor|pefire|percpef|percpefluor|percpvio|pevio|qd|qdot|r|rb|realblue"
    r"|realyellow|ry|ryg|sb|snb|snv|spark\w+|starbright\w+|superbright|v|vio|vioblue|viobright|viogreen|zombie\w+)"
    r"\d{2,3}[cm]?"
)
_NAMES = """
fitc pe apc percp ecd cy3 cy5 cy55 cy7 pecy5 pecy55 pecy7 pecyanine5 pecyanine7 apccy7 apccyanine7 apch7 percpcy55
percpcyanine55 percpcy5 pc5 pc55 pc7 petr petxred petexasred texasred txred pacblue pacificblue pacblu pacificorange
pacorange paco pb po krome kromeorange ko amcyan amcy cascadeblue cascadeyellow aqua violet nearir green red blue
yellow dapi pi propidium propidiumiodide 7aad draq7 draq5 sytox topro3 ghostdye ghost zombie ecfp gfp egfp yfp eyfp
mcherry tdtomato dsred bd viogreen vioblue viobright vioviolet pevio percpvio apcvio supernova dye fixable stain
viability viable livedead live dead ld lived amine area height width yg horizon kro rpe nir uv
"""
_NAMED = frozenset(_NAMES.split())


@cache
def _is_fluorochrome(word: str) -> bool:
    return word in _NAMED or _NUMBERED.fullmatch(word) is not None


# ---------------------------------------------------------------- what goes wrong


def _contradictions(matches: Mapping[str, _Match]) -> Iterator[_Fault]:
    """Yield markers that fell back on a detector whose label names another marker of the same template."""
    claimed = {match.channels[0].detector: name for name, match in matches.items() if match.by_alias}
    for name, match in matches.items():
        channel = match.channels[0]
        owner = claimed.get(channel.detector)
        if owner is not None and not match.by_alias:
            message = f"marker {name} would take {channel.detector}, which the file calls {channel.marker} ({owner})"
            yield _Fault("E042", message, f"{name}=CHANNEL")


def _unknown_marker(name: str, markers: Mapping[str, Marker]) -> _Fault:
    meant = did_you_mean(name, markers, f" (there are: {', '.join(markers)})")
    return _Fault("E043", f"--marker {name}: the template has no such marker{meant}", "MARKER=CHANNEL")


def _perhaps(name: str, marker: Marker, channels: Sequence[Channel]) -> str:
    """Return the channels whose label holds a name of the marker among other words; too little to take them."""
    wanted = {_plain(alias) for alias in (name, *marker.aliases)} - {""}
    near = [channel for channel in channels if wanted.intersection(_words(channel.marker or ""))]
    return f" (perhaps {_listed(near)}?)" if near else ""


def _listed(channels: Sequence[Channel]) -> str:
    labelled = [(channel.detector, (channel.marker or "").strip()) for channel in channels]
    return ", ".join(f"{detector} ({label})" if label else detector for detector, label in labelled)


def _error(faults: Sequence[_Fault], channels: Sequence[Channel], *, raw: bool) -> PanelError:
    first = min(faults, key=lambda fault: fault.code)
    message = first.message
    if len(faults) > 1:
        message = "\n  ".join(
            [f"the panel does not fit in {len(faults)} places:", *(fault.message for fault in faults)]
        )
    hint = f"name the channel with --marker {first.example}, or add the file's name for it to the marker's aliases"
    if first.code == "E040" and raw:
        message += "\n  these are raw spectral detectors, not markers"
        hint = UNMIX_FIRST
    elif first.code == "E040":
        hint += (
            "; or take a template that fits (-t NAME; `cytocar inspect FILE` names the bundled ones), "
            "or make one for this panel: cytocar template fit FILE... -o mine.toml"
        )
    return PanelError(f"{message}\n  channels of the file: {_listed(channels)}", code=first.code, hint=hint)
