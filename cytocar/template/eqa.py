"""A template as proficiency samples are gated: stabilised cells are dead, so no gate asks whether they live."""

from __future__ import annotations

from msgspec.structs import replace

from cytocar.template.model import Population, Template

OF_VIABILITY = frozenset({"viability_percent", "viable_events"})
"""Acceptance checks that a stabilised tube cannot meet and need not."""


def regardless_of_viability(template: Template) -> Template:
    """Return a template whose gates start from all cells; the gate of the viable ones stays, and is reported.

    What started from the viable cells starts from their parent; acceptance rules on viability are left out. UK NEQAS
    sends stabilised cells, and its participants do not use the viability dye (CD19 CAR-T pilot, 2026-27).
    """
    name = template.report.viable
    if name is None:
        return template
    viable = template.population(name)

    def moved(population: Population) -> Population:
        if population.parent != name:
            return population
        aside = tuple(dict.fromkeys((*viable.exclude, *population.exclude)))
        return replace(population, parent=viable.parent, exclude=aside)

    return replace(
        template,
        populations=tuple(map(moved, template.populations)),
        acceptance=tuple(rule for rule in template.acceptance if rule.check not in OF_VIABILITY),
    )
