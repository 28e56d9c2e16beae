"""What a fitted template asks people to look at on the very files that it was made from, as a run would."""

from __future__ import annotations

from msgspec import Struct

from cytocar.errors.findings import Severity
from cytocar.errors.tree import SampleError
from cytocar.fit.template import FittedTemplate
from cytocar.sample.analysis import quantify


class Look(Struct, frozen=True):
    """One thing to look at: its code, what it is about, the files that it concerns."""

    code: str
    message: str
    files: tuple[str, ...]


def looks_on_own_files(fitted: FittedTemplate) -> tuple[Look, ...]:
    """Return what a run on the files of a template would ask for, without the doubts that the template carries.

    Controls count as such; cells/µL do not matter here.
    """
    doubts = {code for code, _ in fitted.study.doubts}
    controls = [tube.events for tube in fitted.study.tubes if tube.control]
    looks: dict[str, Look] = {}
    for tube in fitted.study.tubes:
        beside = () if tube.control else controls
        try:
            result = quantify(
                tube.events, fitted.template, count_method="none", controls=beside, sample_id=tube.file.stem
            )
        except SampleError as error:
            findings = [(error.code, error.message)]
        else:
            serious = [one for one in result.findings if one.outcome in (Severity.REVIEW, Severity.FAIL)]
            findings = [(str(one.code), one.message) for one in serious]
        for code, message in dict(reversed(findings)).items():
            if code not in doubts:
                before = looks.get(code, Look(code, message, ()))
                looks[code] = Look(code, before.message, (*before.files, tube.name))
    return tuple(looks.values())
