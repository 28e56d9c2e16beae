"""The part of a template that a file's markers allow: populations of optional markers that it lacks are left out."""

from __future__ import annotations

from collections.abc import Collection

from msgspec.structs import replace

from cytocar.template.model import Report, Template


def without_markers(template: Template, absent: Collection[str]) -> tuple[Template, tuple[str, ...]]:
    """Return a template without the populations that look at absent markers, and the names of these.

    What comes from such a population or refers to it goes with it, and so does its role in the report. What sets it
    aside stays: nothing is known that could be set aside.

    Parameters
    ----------
    absent : collection of str
        Markers of the panel that a file does not have.

    Returns
    -------
    Template
        The template itself if nothing has to be left out.
    tuple of str
        Names of the populations left out, in the template's order.
    """
    if not absent:
        return template, ()
    left_out: set[str] = set()
    before = -1
    while len(left_out) > before:  # a template may name a child before its parent
        before = len(left_out)
        for population in template.populations:
            links = {population.parent, *population.gate.references()}
            if links & left_out or not set(absent).isdisjoint(population.gate.markers()):
                left_out.add(population.name)
    if not left_out:
        return template, ()
    return _without(template, left_out), tuple(one.name for one in template.populations if one.name in left_out)


def with_populations(template: Template, names: Collection[str]) -> Template:
    """Return the part of a template that a sample was counted with, by the names of its populations."""
    left_out = {one.name for one in template.populations}.difference(names)
    return _without(template, left_out) if left_out else template


def _without(template: Template, left_out: Collection[str]) -> Template:
    roles = {role: None for role in Report.__struct_fields__ if getattr(template.report, role) in left_out}
    counting = {
        key: None for key in ("beads", "dual_platform_reference") if getattr(template.counting, key) in left_out
    }
    return replace(
        template,
        populations=tuple(
            replace(one, exclude=tuple(name for name in one.exclude if name not in left_out))
            for one in template.populations
            if one.name not in left_out
        ),
        report=replace(template.report, **roles),
        counting=replace(template.counting, **counting),
        acceptance=tuple(rule for rule in template.acceptance if rule.check not in left_out),
    )
