"""What the keywords of a data set say about the acquisition: volume, time, well, instrument, and who might be named.

Everything here reads :attr:`EventTable.keywords` only; no event is decoded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from cytocar.errors.tree import CountingError, ReadError
from cytocar.fcs.channels import number
from cytocar.fcs.events import EventTable

# ---- volume ------------------------------------------------------------------------------------------------------


class Volume(Struct, frozen=True):
    """The volume that the instrument drew, µL, and the rule by which the keyword was understood."""

    ul: float
    rule: str


class VolumeRule(Struct, frozen=True):
    """How instruments whose ``$CYT`` matches write a volume: which keyword, and how many of its units make a µL."""

    cytometer: str
    key: str
    units_per_ul: float
    unit: str
    name: str


VOLUME_RULES = (
    VolumeRule(r"aurora|northern ?lights|nl-\d{4}", "$VOL", 1.0, "µL", "Cytek"),
    VolumeRule(r"attune", "$VOL", 1000.0, "nL", "Attune"),
    VolumeRule(r"accuri|\bc6\b", "$VOL", 1000.0, "nL", "Accuri"),
    VolumeRule(r"macsquant", "$VOL", 1000.0, "nL", "MACSQuant"),
    VolumeRule(r"cytoflex", "$VOL", 1000.0, "nL", "CytoFLEX"),
    VolumeRule(r"cube|cyflow|partec|sysmex", "$VOL", 1000.0, "nL", "CyFlow"),
    VolumeRule(r"icyt|eclipse|synergy|sony", "$VOL", 1000.0, "nL", "iCyt"),
    VolumeRule(r"", "P$COUNTVOLUME", 0.001, "mL", "Partec"),
)
"""Units as real files of these instruments show them. Cytek writes µL although FCS 3.1 (section 3.2.20) says nL."""

BY_STANDARD = VolumeRule(r"", "$VOL", 1000.0, "nL", "FCS 3.1")
PLAUSIBLE_UL_PER_MINUTE = (3.0, 1000.0)
"""Sample flow of the slowest and the fastest instruments that measure volume."""

PLAUSIBLE_UL = (1.0, 20_000.0)
"""Where no acquisition time is known: from a trace to more than any tube holds."""


def acquired_volume(events: EventTable) -> Volume | None:
    """Return the volume that the instrument drew for this data set, or None where it measured none.

    ``$VOL`` is nanolitres by the standard, but not by every instrument: the unit comes from a table by ``$CYT``, and
    the flow that results (volume by acquisition time) must be one that a cytometer can have.

    Raises
    ------
    CountingError
        If the volume makes no sense in the unit that this instrument should use (E025). Then only the sheet can tell.

    Examples
    --------
    >>> times = {"$BTIM": "10:00:00", "$ETIM": "10:02:00"}
    >>> acquired_volume(EventTable.from_columns({}, keywords={"$CYT": "Aurora", "$VOL": " 30.39", **times}))
    Volume(ul=30.39, rule='$VOL in µL (Cytek)')
    >>> acquired_volume(EventTable.from_columns({}, keywords={"$CYT": "Attune NxT", "$VOL": "46000", **times}))
    Volume(ul=46.0, rule='$VOL in nL (Attune)')
    """
    keywords = events.keywords
    rule = _volume_rule(keywords)
    if rule is None:
        return _without_dollar(events)
    value = number(keywords[rule.key])
    if value is None:
        raise _ambiguous(f"{rule.key} is {keywords[rule.key]!r}, which is no number")
    if value == 0:  # written by instruments that could measure but did not
        return None
    ul = value / rule.units_per_ul
    if not _plausible(ul, duration_seconds(events)):
        raise _ambiguous(
            f"{rule.key} is {keywords[rule.key]}, {ul:.4g} µL as {rule.name} writes it ({rule.unit}), "
            f"{_flow(ul, duration_seconds(events))}"
        )
    return Volume(ul, f"{rule.key} in {rule.unit} ({rule.name})")


def _volume_rule(keywords: Mapping[str, str]) -> VolumeRule | None:
    instrument = " ".join(keywords.get(key, "") for key in ("$CYT", "CYTOMETER", "$SYS")).casefold()
    for rule in (*VOLUME_RULES, BY_STANDARD):
        if keywords.get(rule.key) and re.search(rule.cytometer, instrument):
            return rule
    return None


def _without_dollar(events: EventTable) -> Volume | None:
    """FACSVerse writes ``VOL`` without ``$`` and no document gives its unit: only a flow that fits one unit decides."""
    value = number(events.keywords.get("VOL"))
    seconds = duration_seconds(events)
    if not value:
        return None
    fitting = [
        Volume(value / units, f"VOL in {unit} (the only unit that fits the acquisition time)")
        for unit, units in (("nL", 1000.0), ("µL", 1.0), ("mL", 0.001))
        if seconds and _plausible(value / units, seconds)
    ]
    if len(fitting) != 1:
        raise _ambiguous(f"VOL is {events.keywords['VOL']} in an unknown unit")
    return fitting[0]


def _plausible(ul: float, seconds: float | None) -> bool:
    low, high = PLAUSIBLE_UL_PER_MINUTE
    if seconds:
        return low <= ul / seconds * 60 <= high
    return PLAUSIBLE_UL[0] <= ul <= PLAUSIBLE_UL[1]


def _flow(ul: float, seconds: float | None) -> str:
    return f"a flow of {ul / seconds * 60:.3g} µL/min" if seconds else "with no acquisition time to check it"


def _ambiguous(what: str) -> CountingError:
    return CountingError(
        f"the acquired volume is not certain: {what}",
        code="E025",
        hint="give acquired_volume_ul in the sample sheet (or --acquired-volume-ul)",
    )


# ---- time --------------------------------------------------------------------------------------------------------

_MONTHS = {
    month: index
    for index, names in enumerate(
        (
            "jan janv ene", "feb fev fév févr", "mar mär mrz mars", "apr avr abr", "may mai mei maj", "jun juin",
            "jul juil", "aug août aou ago", "sep sept set", "oct okt out", "nov", "dec dez déc dic",
        ),
        start=1,
    )
    for month in names.split()
}  # fmt: skip


def acquired_at(events: EventTable) -> datetime | None:
    """Return when acquisition began by the instrument's clock, or None where no rule reads the date for certain.

    ``$BEGINDATETIME`` (FCS 3.2), else ``$DATE`` with ``$BTIM``: dd-mmm-yyyy (FCS 3.1), dd-mmm-yy (FCS 2.0),
    yyyy-mmm-dd (MACSQuant), yyyy-mm-dd, yyyymmdd. A date such as 03/04/2021 is not guessed at.

    Examples
    --------
    >>> keywords = {"$DATE": "02-SEP-2009", "$BTIM": "16:21:15"}
    >>> acquired_at(EventTable.from_columns({}, keywords=keywords))
    datetime.datetime(2009, 9, 2, 16, 21, 15)
    """
    both = _iso(events.keywords.get("$BEGINDATETIME"))
    if both is not None:
        return both
    day = _date(events.keywords.get("$DATE", ""))
    seconds = clock_seconds(events.keywords.get("$BTIM", ""))
    return None if day is None else day + timedelta(seconds=seconds or 0.0)


LONGEST_SECONDS = 43_200
"""Half a day: no tube is acquired for as long, and a clock that is set back seems to go on for most of one."""


def duration_seconds(events: EventTable) -> float | None:
    """How long acquisition took by ``$BTIM`` and ``$ETIM`` (over midnight if need be), or None if unknown.

    A clock that was set back in between, to winter time say, leaves an end before the beginning: not known.

    >>> duration_seconds(EventTable.from_columns({}, keywords={"$BTIM": "23:59:30", "$ETIM": "00:01:00.50"}))
    90.5
    """
    begin, end = _iso(events.keywords.get("$BEGINDATETIME")), _iso(events.keywords.get("$ENDDATETIME"))
    if begin is not None and end is not None:
        return (end - begin).total_seconds() or None
    start, stop = (clock_seconds(events.keywords.get(key, "")) for key in ("$BTIM", "$ETIM"))
    if start is None or stop is None or start == stop:
        return None
    seconds = round((stop - start) % 86_400, 6)
    return seconds if seconds < LONGEST_SECONDS else None


def time_step_seconds(events: EventTable) -> float | None:
    """Return the seconds of one tick of the Time channel (``$TIMESTEP``), or None where the file does not say."""
    step = number(events.keywords.get("$TIMESTEP"))
    return step if step and step > 0 else None


def clock_seconds(text: str) -> float | None:
    """Return seconds since midnight of ``hh:mm:ss``, with ``.cc`` (FCS 3.1), ``:tt`` sixtieths (3.0) or ``:mmm``.

    >>> clock_seconds("09:42:05:509"), clock_seconds("18:39:40.59"), clock_seconds("17:29:39:30"), clock_seconds("N/A")
    (34925.509, 67180.59, 62979.5, None)
    """
    read = re.fullmatch(r"\s*(\d{1,2}):(\d{2}):(\d{2})(?:([.:,])(\d{1,6}))?\s*", text)
    if read is None:
        return None
    hours, minutes, seconds = (int(part) for part in read.groups()[:3])
    fraction = read[5] or "0"
    sixtieths = read[4] == ":" and len(fraction) <= 2
    part = int(fraction) / (60 if sixtieths else 10 ** len(fraction))
    return round(hours * 3600 + minutes * 60 + seconds + part, 6)


def _date(text: str) -> datetime | None:
    parts = [part for part in re.split(r"[-/. ]+", text.strip().casefold()) if part]
    if len(parts) == 1 and re.fullmatch(r"\d{8}", parts[0]):
        parts = [parts[0][:4], parts[0][4:6], parts[0][6:]]
    if len(parts) != 3:
        return None
    year_first = len(parts[0]) == 4
    year, month, day = parts if year_first else parts[::-1]
    named = _MONTHS.get(month.rstrip(".")) or (_MONTHS.get(month[:3]) if month.isalpha() else None)
    if named is None and not (year_first and month.isdecimal()):
        return None  # 03/04/2021: nobody knows
    try:
        full_year = int(year) + (0 if len(year) == 4 else 1900 if int(year) >= 70 else 2000)
        return datetime(full_year, named or int(month), int(day))
    except ValueError:
        return None


def _iso(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text.strip()).replace(tzinfo=None) if text else None
    except ValueError:
        return None


# ---- well and plate ----------------------------------------------------------------------------------------------

WELL_KEYS = ("$LOCATIONID", "$WELLID", "WELL ID", "WELLID", "WELL_ID", "GTI$WELL", "BDPM$WELL", "WELL")
PLATE_KEYS = ("$CARRIERID", "$PLATEID", "PLATE ID", "PLATEID", "PLATE_ID")
PLATE_NAME_KEYS = ("$PLATENAME", "PLATE NAME", "PLATENAME", "PLATE_NAME", "PLTNO")

WELL_NAMES = (
    re.compile(r"_([A-P]0?[1-9]\d?)_([A-P]\d{2})(?:_\d{3})?$"),  # BD HTS: Specimen_001_D6_D06_001
    re.compile(r"(?:^|[-_ ])Well[-_ ]([A-P]\d{1,2})$"),  # CytoFLEX: 01-Well-C3
    re.compile(r"(?:^|_)([A-P][1-9]\d?)\.\d{3,4}$"),  # MACSQuant: EY_2013-07-19_A1.0001
    re.compile(r"^([A-P]\d{2})$"),  # Attune: G11
    re.compile(r"^([A-H](?:0[1-9]|1[0-2])) .*$"),  # Accuri: B01 name
)
"""File names that mean a well. All are anchored: ``Specimen_001_E01_008`` is tube E01, file 8, and no well."""


def well(events: EventTable) -> str | None:
    """Return the plate well as ``A01``, from keywords, then from the file's name; None for a tube.

    Raises
    ------
    ReadError
        If keyword and file name, or two keywords, give different wells (E024): one of them belongs to other cells.

    Examples
    --------
    >>> well(EventTable.from_columns({}, keywords={"WELL ID": "D6"}))
    'D06'
    """
    wells = {key: name for key in WELL_KEYS if (name := well_name(events.keywords.get(key, "")))}
    in_name = well_in_file_name(events.path.name) if events.path else None
    if in_name is not None:
        wells["the file's name"] = in_name
    if len(set(wells.values())) > 1:
        listed = ", ".join(f"{place} says {name}" for place, name in wells.items())
        raise ReadError(
            f"the well is not certain: {listed}",
            code="E024",
            hint="find out which one is right, then rename the file or put the well into the sample sheet",
        )
    return next(iter(wells.values()), None)


def well_name(text: str) -> str | None:
    """Return a well of a plate of up to 1536 wells in one spelling, or None where the text is none.

    >>> well_name("a1"), well_name(" H12 "), well_name("AF48"), well_name("NA"), well_name("tube 3")
    ('A01', 'H12', 'AF48', None, None)
    """
    read = re.fullmatch(r"\s*(A?[A-F]|[A-P])-?0*([1-9]\d?)\s*", text.upper())
    return f"{read[1]}{int(read[2]):02d}" if read and int(read[2]) <= 48 else None


def well_in_file_name(name: str) -> str | None:
    """Return the well that a file's name gives by one of the anchored patterns, or None.

    >>> well_in_file_name("Specimen_001_D6_D06.fcs"), well_in_file_name("96Well_E01_008.fcs")
    ('D06', None)
    """
    stem = re.sub(r"(?i)\.(fcs|lmd)$", "", name)
    for pattern in WELL_NAMES:
        match = pattern.search(stem)
        if match:
            wells = {well_name(part) for part in match.groups()}
            return wells.pop() if len(wells) == 1 else None
    return None


def plate(events: EventTable) -> str | None:
    """Return the plate's id, or its name where it has no id; None for tubes and for ``NA``."""
    key = plate_keyword(events)
    return events.keywords[key] if key else None


def plate_keyword(events: EventTable) -> str | None:
    """Return the keyword that names the plate, for those who may not see the name; None for tubes and for ``NA``."""
    for key in (*PLATE_KEYS, *PLATE_NAME_KEYS):
        text = events.keywords.get(key, "")
        if text and text.upper() not in {"NA", "N/A", "NONE"}:
            return key
    return None


# ---- instrument and people ---------------------------------------------------------------------------------------


def cytometer(events: EventTable) -> str | None:
    """Return the instrument's type (``$CYT``), or None where the file does not say."""
    return events.keywords.get("$CYT") or events.keywords.get("CYTOMETER") or None


def identifying_keywords(events: EventTable) -> tuple[str, ...]:
    """Return the names of the keywords with a value that may tell who a person is; never the values.

    A list of names is a help, not a proof: free text can hold anything. Dates are not listed here, nor values that
    scrubbing has overwritten.

    >>> keywords = {"$SRC": "J. Doe", "$CYT": "LSRII", "Patient ID": "7"}
    >>> identifying_keywords(EventTable.from_columns({}, keywords=keywords))
    ('$SRC', 'PATIENT ID')
    """
    from cytocar.fcs.scrub.identity import SCRUBBED, is_suspicious  # long lists, which counting has no use for

    return tuple(key for key, text in events.keywords.items() if text.strip(SCRUBBED) and is_suspicious(key))
