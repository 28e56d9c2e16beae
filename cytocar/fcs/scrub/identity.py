"""Which keywords reading and gating need, which only describe the instrument, and which may tell who a person is.

The lists name what may stay. A keyword that is on none of them is taken for a person's: free text can hold anything,
and nobody can list every key that a laboratory has invented.
"""

from __future__ import annotations

import re
from enum import StrEnum

SCRUBBED = "x- "
"""What removed values are overwritten with (the first that is not the delimiter), and blanks."""


class Role(StrEnum):
    """What a keyword is for."""

    NEEDED = "needed"
    TECHNICAL = "technical"
    DATE = "date"
    PERSONAL = "personal"


_NEEDED = re.compile(
    r"\$(PAR|TOT|MODE|DATATYPE|BYTEORD|NEXTDATA|(BEGIN|END)(DATA|ANALYSIS|STEXT)|UNICODE|TIMESTEP|BTIM|ETIM|VOL|CYT"
    r"|SPILLOVER|SPILL|COMP|DFC\d+TO\d+|WELLID)"
    r"|\$P\d+([A-Z]|DATATYPE|CALIBRATION|DET|TYPE|TAG|ANALYTE|FEATURE)"
    r"|SPILL|SPILLOVER|COMP|VOL|P\$COUNTVOLUME|(WELL|GTI\$WELL|BDPM\$WELL)([ _]?ID)?|CYTOMETER|TIMETICKS"
)

_TECHNICAL = re.compile(
    r"\$(ABRT|LOST|CYTSN|SYS|TR|GATE|GATING|CS\w+|R\d+[IW]|G\d+\w|PK\d+|PKN\d+|ORIGINALITY|UNSTAINEDINFO)"
    r"|CREATOR|SOFTWARE|SOFTWARE.?VERSION|FCSVERSION|SWVER|FILVER|APPLY[ _]COMPENSATION|TRANSFORMATION|AUTOBS"
    r"|THRESHOLD|WINDOW EXTENSION|FSC ASF|SETTINGS|CYTNUM|SN|CST (SETUP|REGULATORY) STATUS"
    r"|CYTOMETER CONFIG NAME|#?LASER\w*|#?P\d+(DISPLAY|BS|MS|LABEL|TARGET|ISFLUORESCENT|DIMENSION|DETECTOR\w*)"
    r"|BD\$(P\d+N|WORD\d+|NPAR|LASERMODE|ACQLIBVERSION)|FLOWCORE_\$P\d+R(MIN|MAX)|FJ_\$(P\d+R|TIMESTEP)"
    r"|@(P\d+[A-Z]+|MCA\w+|MB_P\d+_(BASE|RANGE|SCALE|VIEW)|BASELINEOFFSET|COMPENSATIONMODE|DISCRIMINATOR|ACQTIME)"
    r"|CH\d+[A-Z]+|COMP(A|H|FA|FH|BGA|BGH|CHA|CHH|GAINA|GAINH)|ACQTIME|DURTIM|RC(TIM|TOT|VOL)"
)

_DATE = re.compile(
    r"\$(DATE|BEGINDATETIME|ENDDATETIME|LAST_MODIFIED)|.*(\bDATE|DATE\b|DATETIME|_MODIFIED|EXPORT TIME|Y2KDATE).*"
)

_SUSPICIOUS = re.compile(
    r"\$(SRC|SMNO|OP|EXP|INST|INSTADDRESS|COM|COMMENT|PROJ|CELLS|FIL|LAST_MODIFIER|LOCATION|PLATENAME|PLATEID|CARRIERID"
    r"|PROJECT|SPECIMEN|SAMPLEID)"
    r"|.*(PATIENT|SUBJECT|DONOR|SPECIMEN|SAMPLE.?(ID|NAME|NO)|TUBE.?(NAME|ID)|VIAL|CASE|BARCODE|ACCESSION|BIRTH|\bDOB\b"
    r"|GENDER|\bSEX\b|\bAGE\b|OPERATOR|USER|LOGIN|OWNER|AUTHOR|PHYSICIAN|DOCTOR|INVESTIGATOR|HOSPITAL|INSTITUT"
    r"|EXPERIMENT.?NAME|PROJECT|STUDY|COMMENT|NOTE|REMARK|FILENAME|FILE NAME|ORIGINAL.?GUID|\bGUID\.ORIGINAL|\bPIN\b"
    r"|DATASETNAME|TBNM|TESTNAME|TESTFILE|PANEL.?NAME|GROUPNAME|KEYWORD|VIRAL|SEROC|DATE OF).*"
)


def role(key: str) -> Role:
    """Return what a keyword is for; ``key`` in upper case.

    >>> [str(role(key)) for key in ("$P3S", "LASER1NAME", "EXPORT TIME", "TUBE NAME", "WHATEVER")]
    ['needed', 'technical', 'date', 'personal', 'personal']
    """
    if _NEEDED.fullmatch(key):
        return Role.NEEDED
    if _DATE.fullmatch(key):
        return Role.DATE
    return Role.TECHNICAL if _TECHNICAL.fullmatch(key) else Role.PERSONAL


def is_suspicious(key: str) -> bool:
    """Return whether a keyword's name says that its value may identify a person.

    A shorter list than all that is not known to be harmless: for people who look at a file, not for scrubbing one.
    """
    return _SUSPICIOUS.fullmatch(key) is not None
