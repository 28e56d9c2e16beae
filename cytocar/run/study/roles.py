"""Which imported population plays which role in counts.csv: as a person says, else guessed from names and shown."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec.structs import replace

from cytocar.errors.near_names import near_names
from cytocar.errors.tree import UsageError
from cytocar.signals.declaration import declare
from cytocar.template.model import Report, Template

BEADS = "beads"
ROLES = ("lymphocytes", "t_cells", "cd4", "cd8", "car", "car_cd4", "car_cd8", "b_cells", "viable", BEADS)
"""Roles of ``--role``: those of ``[report]`` that a population plays, and the beads of ``[counting]``."""

_USUAL: Mapping[str, str] = {
    "lymphocytes": r"lymph(ocyte)?s?",
    "t_cells": r"(cd3\+?|t|total t)( t)?( cells?)?|t[ -]?cells?|cd3\+?( cells?)?",
    "cd4": r"cd4\+?( ?t)?( cells?)?|t ?helper( cells?)?",
    "cd8": r"cd8\+?( ?t)?( cells?)?|cytotoxic t( cells?)?",
    "car": r"(anti-?)?car([ -]?t)?\+?( cells?)?|car\+ t( cells?)?",
    "b_cells": r"b[ -]?cells?|cd19\+( b)?( cells?)?",
    "viable": r"live|viable|alive|live cells|viable cells|live/dead-?",
    BEADS: r"(counting |count |trucount )?beads?",
}
"""Names that laboratories give, in lower case; the whole last part of the path has to match."""


def guess_roles(template: Template) -> dict[str, str]:
    """Return role to population where exactly one population has a usual name for it."""
    roles: dict[str, str] = {}
    for role, pattern in _USUAL.items():
        candidates = [
            population.name
            for population in template.populations
            if re.fullmatch(pattern, population.name.rpartition("/")[2].strip().casefold())
        ]
        if len(candidates) == 1:
            roles[role] = candidates[0]
    return roles


def named_roles(template: Template, named: Mapping[str, str]) -> dict[str, str]:
    """Return roles as a person named them: a population's name, or its FlowJo path.

    Raises
    ------
    UsageError
        E149 no such role or population.
    """
    by_path = {population.note: population.name for population in template.populations if population.note}
    names = [population.name for population in template.populations]
    roles: dict[str, str] = {}
    for role, wanted in named.items():
        if role not in ROLES:
            raise UsageError(f"--role {role}: no such role", code="E149", hint=f"roles: {', '.join(ROLES)}")
        name = wanted if wanted in names else by_path.get(wanted)
        if name is None:
            near = near_names(wanted, names, most=3) or names[:8]
            raise UsageError(
                f"--role {role}={wanted}: no such population", code="E149", hint=f"there is {', '.join(near)}"
            )
        roles[role] = name
    return roles


def with_roles(template: Template, roles: Mapping[str, str]) -> Template:
    """Return a template whose populations play these roles."""
    report = {role: name for role, name in roles.items() if role != BEADS}
    counting = template.counting
    if BEADS in roles:
        counting = replace(counting, beads=roles[BEADS], method="beads")
    return replace(template, report=declare(Report, report), counting=counting)
