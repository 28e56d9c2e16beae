"""Which keywords a scrubbed copy keeps, and what their values may look like.

Two lists name what may stay: keys, each with a pattern for its value, and words of instruments' names. Everything else
goes, because free text can hold anything and nobody can list every key that a laboratory has invented.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

SCRUBBED = "x- "
"""What removed values are overwritten with (the first that is not the delimiter), and blanks."""

SHORTEST_NAME = 3
"""Letters of a removed word that is looked for elsewhere: "Doe" is a name, two letters stand everywhere by chance."""


class Role(StrEnum):
    """What becomes of a keyword's value."""

    KEPT = "kept"
    LABEL = "label"
    NAME = "name"
    INSTRUMENT = "instrument"
    DATE = "date"
    REMOVED = "removed"


_PLAIN = r"[+\-]?\d*\.?\d*([eE][+\-]?\d+)?%?"
_NUMBER = rf"\s*{_PLAIN}\s*"
_NUMBERS = rf"\s*{_PLAIN}([,/]\s*{_PLAIN})*\s*"
"""A number, and several: no blanks or further points within, which telephone and record numbers have."""
_TIME = r"\s*\d{1,2}:\d{2}(:\d{2}([.:]\d{1,6})?)?\s*"
_VALUES: tuple[tuple[str, str], ...] = (
    (r"\$(PAR|TOT|NEXTDATA|(BEGIN|END)(DATA|ANALYSIS|STEXT)|TIMESTEP|VOL|ABRT|LOST)", _NUMBER),
    (r"VOL|P\$COUNTVOLUME|TIMETICKS", _NUMBER),
    (r"\$MODE", r"\s*[A-Z]?\s*"),
    (r"\$DATATYPE|\$P\d+DATATYPE", r"\s*[AIFD]?\s*"),
    (r"\$BYTEORD", r"[\s1-8,]*"),
    (r"\$UNICODE", r"\s*\d+(,\$?\w{1,8})*\s*"),
    (r"\$(B|E)TIM", _TIME),
    (r"\$P\d+B", r"[\s\d.*]*"),
    (r"\$P\d+[REGVLOP]", _NUMBERS + r"(nm|mW|NA)?\s*"),
    (r"\$P\d+D", r"\s*(Linear|Logarithmic)\s*,[\s\d.,+\-eE]*"),
    (r"\$P\d+CALIBRATION", r"[\s\d.+\-eE]+,\s*\w{1,8}\s*"),
    (r"\$DFC\d+TO\d+", _NUMBER),
    (r"\$WELLID|(WELL|GTI\$WELL|BDPM\$WELL)([ _]?ID)?", r"\s*[A-P]\d{1,2}\s*"),
    (r"APPLY[ _]COMPENSATION", r"\s*(TRUE|FALSE)\s*"),
    (r"\$?COMP|\$?SPILL(OVER)?", r"\s*\d+\s*(,[\s\d.+\-eE]*)+"),
    (r"FCSVERSION", r"\s*\d(\.\d)?\s*"),
)
"""Keys, and what their values look like (FCS 3.2; times and wells as vendors write them)."""

_KEPT = tuple((re.compile(key), re.compile(value, re.IGNORECASE)) for key, value in _VALUES)
_LABEL = re.compile(r"\$P\d+(N|S|DET|TYPE|TAG|ANALYTE|FEATURE)")
_MATRIX = re.compile(r"\$?SPILL(OVER)?|\$?COMP")
_MATRIX_VALUE = re.compile(r"\s*\d+\s*(,[^,]*)+")
_INSTRUMENT = re.compile(r"\$CYT|CYTOMETER")
_DATE = re.compile(r"\$(DATE|BEGINDATETIME|ENDDATETIME)")
_OF_A_PARAMETER = re.compile(r"\$P(\d+)[A-Z]+")
_STANDARD_KEY = re.compile(
    r"\$(ABRT|BTIM|ETIM|CELLS|COM|CSMODE|CSVBITS|CYT|CYTSN|DATE|EXP|FIL|GATE|GATING|INST|LAST_MODIFIED|LAST_MODIFIER"
    r"|LOST|OP|ORIGINALITY|PLATEID|PLATENAME|PROJ|SMNO|SRC|SYS|TIMESTEP|TR|UNICODE|VOL|WELLID|LOCATIONID|CARRIERID"
    r"|CARRIERTYPE|(BEGIN|END)DATETIME|UNSTAINEDINFO|UNSTAINEDCENTERS|FLOWRATE|MODE|SPILLOVER|DFC\d+TO\d+|P\d+[A-Z]+"
    r"|PK\d+|PKN\d+|G\d+[A-Z]|R\d+[IW])"
)

_INSTRUMENT_WORDS = frozenset(
    """aurora northern lights attune nxt acoustic focusing cytometer lasers brvy accuri plus bd facs calibur facscalibur
    facscan facscanto facscantoii canto lsr lsrii lsrfortessa fortessa facsaria facsariaii facsariaiii aria melody
    facsmelody facslyric lyric facsverse verse symphony facssymphony discover influx celesta facscelesta macsquant vyb
    cytoflex navios gallios cytomics beckman coulter cytek novocyte quanteon penteon advanteon guava easycyte muse
    stratedigm exi cube cyflow space partec sysmex icyt eclipse synergy sony id7000 sa3800 ze5 propel yeti bigfoot
    cyan adp moflo astrios amnis imagestream intellicyt ique helios cytof fluidigm dxp dako quanta agilent acea miltenyi
    vantage sort s1400exi""".split()  # noqa: SIM905 -- a list of words reads as words
)
"""Words of which the names of instruments consist: makers and models (``$CYT`` of the public files read in tests)."""

_SUSPICIOUS = re.compile(
    r"\$(SRC|SMNO|OP|EXP|INST|INSTADDRESS|COM|COMMENT|PROJ|CELLS|FIL|LAST_MODIFIER|LOCATION|PLATENAME|PLATEID|CARRIERID"
    r"|PROJECT|SPECIMEN|SAMPLEID)"
    r"|.*(PATIENT|SUBJECT|DONOR|SPECIMEN|SAMPLE.?(ID|NAME|NO)|TUBE.?(NAME|ID)|VIAL|CASE|BARCODE|ACCESSION|BIRTH|\bDOB\b"
    r"|GENDER|\bSEX\b|\bAGE\b|OPERATOR|USER|LOGIN|OWNER|AUTHOR|PHYSICIAN|DOCTOR|INVESTIGATOR|HOSPITAL|INSTITUT"
    r"|EXPERIMENT.?NAME|PROJECT|STUDY|COMMENT|NOTE|REMARK|FILENAME|FILE NAME|ORIGINAL.?GUID|\bGUID\.ORIGINAL|\bPIN\b"
    r"|DATASETNAME|TBNM|TESTNAME|TESTFILE|PANEL.?NAME|GROUPNAME|KEYWORD|VIRAL|SEROC|DATE OF).*"
)


def role(key: str, value: str, *, channels: int) -> Role:
    """The value of a keyword in the scrubbed copy; ``key`` in upper case, ``channels`` is ``$PAR``.

    >>> [str(role(key, value, channels=2)) for key, value in (("$TOT", "40"), ("$TOT", "J. Doe"), ("$P9S", "J. Doe"))]
    ['kept', 'removed', 'removed']
    """
    numbered = _OF_A_PARAMETER.fullmatch(key)
    if numbered and not 1 <= int(numbered[1][:6]) <= channels:
        return Role.REMOVED
    if any(known.fullmatch(key) and pattern.fullmatch(value) for known, pattern in _KEPT):
        return Role.KEPT
    if _MATRIX.fullmatch(key):
        return Role.NAME if _MATRIX_VALUE.fullmatch(value) else Role.REMOVED
    for pattern, kind in ((_LABEL, Role.LABEL), (_INSTRUMENT, Role.INSTRUMENT), (_DATE, Role.DATE)):
        if pattern.fullmatch(key):
            return kind
    return Role.REMOVED


def is_standard(key: str) -> bool:
    """True if a key is one of the standard's: such a key tells nothing about a person by itself."""
    return _STANDARD_KEY.fullmatch(key) is not None


def without_strange_words(value: str, filler: str) -> str:
    """Return an instrument's name in which words that are in no maker's or model's name are overwritten.

    >>> without_strange_words("Dr. Rice: LSRII, room 12", "x")
    'xx. xxxx: LSRII, xxxx xx'
    """

    def known(match: re.Match[str]) -> str:
        word = match[0]
        plain = re.sub(r"\d+|i{2,3}$", "", word.lower())
        familiar = {word.lower(), plain} & _INSTRUMENT_WORDS or (
            len(plain) <= 1 and len(word) <= 3 and not word.isdigit()
        )
        return word if familiar else filler * len(word)

    return re.sub(r"[^\W_]+", known, value)


_FIELD_WORDS = frozenset(
    """fitc percp apc pacific blue orange green yellow red violet purple super bright brilliant ultra ultraviolet spark
    alexa fluor texas cyanine tandem live dead viability zombie aqua near viab bead beads counting time fsc ssc fss area
    height width log lin linear peak pulse event events length empty dump lineage isotype fmo unstained autofluorescence
    comp igg igm ige tcr ccr cxcr hla car cart fmc egfr tegfr bcma nkp nkg tim lag foxp tbet ifn tnf gzmb perforin
    granzyme biotin streptavidin vivid ghost fixable eflour efluor vio viobright viogreen vioblue cisplatin sytox draq
    dapi dna center offset residual unmixed fluorescence autofluor scatter side forward logh loga linh lina pecy apccy
    fsca fscw ssca fire dazzle qdot amcyan mcherry txred pacblu pacorange ifng tnfa icos gdtcr tcryd tcrb doublet
    original hladr pstat tetagc channel""".split()  # noqa: SIM905
)
"""Words of markers, dyes and pulses: a tube's name repeats them, and they name nobody."""


def without_words(value: str, words: frozenset[str], filler: str) -> str:
    """Return a value in which words that were removed elsewhere are overwritten, whatever their case.

    >>> without_words("CD3 FITC of jane", frozenset({"jane", "fitc"}), "x")
    'CD3 FITC of xxxx'
    """
    hidden = words - _FIELD_WORDS

    def without(match: re.Match[str]) -> str:
        return filler * len(match[0]) if match[0].lower() in hidden else match[0]

    return re.sub(r"[^\W\d_]+|\d+", without, value)


_RECORD = re.compile(r"(19|20)\d\d[-./]\d\d?[-./]\d\d?|\d\d?[-./]\d\d?[-./](19|20)\d\d|\d{5,}")
"""Dates, and numbers of five digits: those of detectors, dyes and clones in the public files of the tests have four."""


def without_record_numbers(label: str, filler: str) -> str:
    """Return a label in which dates and numbers as long as those of records are overwritten.

    >>> without_record_numbers("CD3 MRN 47110815 1972-05-01 FMC63", "x")
    'CD3 MRN xxxxxxxx xxxxxxxxxx FMC63'
    """
    return _RECORD.sub(lambda match: filler * len(match[0]), label)


def unfamiliar_words(keywords: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Words that stand in no list of markers and dyes, of the channels' labels among keys with their values.

    Only a person can tell whether they name somebody.

    >>> unfamiliar_words([("$P1S", "CD3 FITC-A"), ("$P2S", "CD4 Jane Doe"), ("$P3S", "xxxx"), ("$SYS", "Windows")])
    ('Jane',)
    """
    labels = (value for key, value in keywords if _LABEL.fullmatch(key))
    words = (word for label in labels for word in re.findall(r"[^\W\d_]{4,}", re.sub(r"x{5,}|-{5,}", " ", label)))
    return tuple(
        dict.fromkeys(word for word in words if word.lower() not in _FIELD_WORDS and set(word.lower()) - set(SCRUBBED))
    )


def words_of(values: Iterable[str]) -> frozenset[str]:
    """Return the words of removed values, in lower case, that are looked for in what stays.

    Numbers shorter than four digits are none: they stand everywhere by chance.
    """
    words = {word.lower() for value in values for word in re.findall(r"[^\W\d_]+|\d+", value)}
    return frozenset(
        word for word in words if len(word) >= (4 if word.isdecimal() else SHORTEST_NAME) and set(word) - set(SCRUBBED)
    )


def is_suspicious(key: str) -> bool:
    """True if a keyword's name says that its value may identify a person.

    A shorter list than all that is not known to be harmless: for people who look at a file, not for scrubbing one.
    """
    return _SUSPICIOUS.fullmatch(key) is not None
