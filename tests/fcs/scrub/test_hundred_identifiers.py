"""A hundred identifiers planted in a hundred keywords, each with its own spelling: none is left in a copy."""

from __future__ import annotations

import random
import re
from pathlib import Path

import numpy as np
import pytest

from cytocar import open_fcs
from cytocar.fcs.scrub.dates import Dates
from cytocar.fcs.scrub.file import ScrubRule, identifying, scrub_file
from tests.fcs.files import floats

KEYS = """$SRC $FIL $OP $EXP $COM $INST $CELLS $SMNO $PROJ $LAST_MODIFIER $ORIGINALITY $PLATEID $PLATENAME $WELLID
$CARRIERID $CARRIERTYPE $LOCATIONID $CYTSN $GATING $GATE $UNSTAINEDCENTERS $UNSTAINEDINFO $TRIGGER $ABRT $LOST $BTIM
$ETIM $DATE $LAST_MODIFIED $SYS $CYT $FLOWRATE $COMP $SPILLOVER $UNICODE $CSMODE $CSVBITS $CSV1FLAG $RNI $PKN1 $PKNN1
$R1I $R1W $P1T $P1F $P1O $P1D $P1CALIBRATION $P1ANALYTE $P1TAG $P1DET $P1FEATURE $P1TYPE $P7N $P7S $P44R $P1X $P2B1 $TR
$VOL $TIMESTEP $P2V $P2G $P2P $P2L VOL PATIENT PATIENT_ID MRN SSN DOB BIRTH ACCESSION ORDER# WARD PHYSICIAN
EXPERIMENT_NAME SAMPLE_ID TUBE_NAME EXPORT_USER_NAME GUID CREATOR FJ_NAME #SAMPLE @MXMODE CONFIG SETTINGS PLATE_NAME
WELL_ID APPLY_COMPENSATION THRESHOLD LASER1NAME AUTOBS CST_SETUP_DATE TARGET Patient_Name NAME\u03a9 Subject:ID
P1DISPLAY P1BS P1MS SPILL_NOTE MACSQuant BARCODE COMMENT NOTE_1""".split()  # noqa: SIM905
FIRST = "Zebulon Ottokar Quirina Wilhelmine Xanthippe Ysolde Umberto Thaddeus Siegbert Rosalinde".split()  # noqa: SIM905
LAST = "Quackenbush Vanterpool Mxyzptlk Bumblethorpe Dinkelacker Oxenstierna Pfefferkorn Zuckermandel".split()  # noqa: SIM905


def planted(seed: int) -> dict[str, str]:
    """One identifier for each key: names, initials, record numbers, mail, telephone, birth date, paths."""
    chance = random.Random(seed)
    values = {}
    for place, key in enumerate(KEYS):
        first, last, number = chance.choice(FIRST), chance.choice(LAST), chance.randrange(10**7, 10**8)
        forms = [
            f"{first} {last}{place}",
            f"{last.upper()}{place}, {first}",
            f"MRN {number}",
            f"{first}.{last}{place}@hospital.example",
            f"+49 30 {number}",
            f"19{chance.randrange(20, 99)}-0{chance.randrange(1, 9)}-1{chance.randrange(0, 9)} {last}{place}",
            rf"D:\data\{last}{place}\{first}",
            f"12.{number}.7",
            f"{last[:4]}{number}",
        ]
        values[key.replace("_", " ")] = forms[(place + seed) % len(forms)]
    return values


@pytest.mark.parametrize("seed", range(9))
@pytest.mark.parametrize(
    "rule",
    [ScrubRule(), ScrubRule(dates=Dates.SHIFT, shift_days=3), ScrubRule(dates=Dates.KEEP)],
    ids=lambda r: r.dates,
)
def test_none_of_a_hundred_identifiers_is_left(seed: int, rule: ScrubRule, tmp_path: Path) -> None:
    values = planted(seed)
    assert len(values) > 100
    secrets = {
        word.lower()
        for value in values.values()
        for word in re.findall(r"[^\W\d_]+|\d{4,}", value)
        if len(word) >= 4 and word.lower() not in {"hospital", "example", "data"}
    }
    events = np.arange(20.0).reshape(10, 2)
    path = floats(events, keywords={**values, "$P1S": "CD3"}, data_at=16_000, tail=b"Zebulon").write(tmp_path / "a.fcs")
    copy = tmp_path / "b.fcs"
    unfamiliar = {word.lower() for word in scrub_file(path, copy, rule).unfamiliar}
    left = copy.read_bytes().decode("latin-1").lower() + copy.read_bytes().decode("utf-8", "replace").lower()
    assert sorted(word for word in secrets - unfamiliar if word in left) == []
    assert len(unfamiliar) <= 2, "names in labels alone are no more than the labels of the two channels"
    assert identifying(copy, rule) == ()
    after = open_fcs(copy)
    np.testing.assert_array_equal(after.columns(after.channels), open_fcs(path).columns(after.channels))


def test_words_in_labels_that_nobody_knows_are_named_and_can_be_hidden(tmp_path: Path) -> None:
    labels = {"$P1S": "CD3 Quackenbush 4711-0815 12.03.1954", "$P2S": "CD4 BV421"}
    path = floats([[1, 2]], keywords=labels).write(tmp_path / "a.fcs")
    done = scrub_file(path, tmp_path / "b.fcs", ScrubRule())
    assert done.unfamiliar == ("Quackenbush",)
    assert open_fcs(tmp_path / "b.fcs").channels[0].marker == "CD3 Quackenbush 4711-0815 xxxxxxxxxx"
    done = scrub_file(path, tmp_path / "c.fcs", ScrubRule(hide=frozenset({"quackenbush"})))
    assert done.unfamiliar == ()
    assert "CD3 xxxxxxxxxxx" in (open_fcs(tmp_path / "c.fcs").channels[0].marker or "")
