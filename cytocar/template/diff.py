"""What changed between two versions of a template, in words, and whether the version says so.

Patch: text, aliases. Minor: a new population, marker or role. Major: any number that can move a count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Any

from msgspec import Struct

from cytocar.regions.kinds import FixedGate
from cytocar.template.model import Template


class Step(IntEnum):
    """How far a version number has to move."""

    NONE = 0
    PATCH = 1
    MINOR = 2
    MAJOR = 3

    def __str__(self) -> str:
        return self.name.lower()


class Change(Struct, frozen=True):
    """One difference: what it is, in words, and the version step that it asks for."""

    step: Step
    text: str


class Difference(Struct, frozen=True):
    """Every change between two templates, the largest step first, and the versions."""

    changes: tuple[Change, ...]
    before: str
    after: str

    @property
    def needed(self) -> Step:
        """Return the step that the changes ask for."""
        return max((change.step for change in self.changes), default=Step.NONE)

    @property
    def fits(self) -> bool:
        """True if the version moved at least as far as the changes ask for."""
        return version_step(self.before, self.after) >= self.needed

    @property
    def proposed(self) -> str:
        """Return the lowest version that fits: the later one where that does already."""
        return self.after if self.fits else _raised(self.before, self.needed)

    def verdict(self) -> str:
        """Return the judgement of the version step, as a sentence."""
        if not self.changes:
            return "the templates say the same"
        if self.fits:
            return f"version {self.before} to {self.after} fits: the changes ask for a {self.needed} step"
        moved = "not raised" if self.before == self.after else f"{self.before} to {self.after}"
        return f"version {moved} does not fit: the changes ask for a {self.needed} step, at least {self.proposed}"


def compare(before: Template, after: Template) -> Difference:
    """The changes from one template to another.

    Examples
    --------
    >>> from cytocar.signals.marker import Marker
    >>> from cytocar.template.model import Population
    >>> from cytocar.regions.boxes import RangeGate
    >>> def demo(version, low):
    ...     gate = RangeGate(marker="CD3", min=low)
    ...     cells = Population(name="t_cells", gate=gate)
    ...     return Template(name="demo", version=version, panel={"CD3": Marker()}, populations=(cells,))
    >>> difference = compare(demo("1.0.0", 1200), demo("1.0.1", 1300))
    >>> [str(change.text) for change in difference.changes]
    ['population t_cells: gate min 1200 -> 1300']
    >>> difference.verdict()
    'version 1.0.0 to 1.0.1 does not fit: the changes ask for a major step, at least 2.0.0'
    """
    changes = sorted(_changes(before, after), key=lambda change: -change.step)
    return Difference(tuple(changes), before.version, after.version)


def version_step(before: str, after: str) -> Step:
    """The number of a version that was raised; None if none was.

    Examples
    --------
    >>> str(version_step("1.2.3", "1.3.0")), str(version_step("1.2.3", "1.2.3"))
    ('minor', 'none')
    """
    old, new = (tuple(int(number) for number in version.split(".")) for version in (before, after))
    if new <= old:
        return Step.NONE
    raised = next(place for place, (low, high) in enumerate(zip(old, new, strict=True)) if high != low)
    return (Step.MAJOR, Step.MINOR, Step.PATCH)[raised]


def _raised(version: str, step: Step) -> str:
    major, minor, patch = (int(number) for number in version.split("."))
    if step is Step.MAJOR:
        return f"{major + 1}.0.0"
    return f"{major}.{minor + 1}.0" if step is Step.MINOR else f"{major}.{minor}.{patch + 1}"


# ---------------------------------------------------------------- finding changes


_WITH_RULES_OF_THEIR_OWN = frozenset(
    {
        *("format", "name", "version", "title", "note"),
        *("panel", "compensation", "scales", "populations", "report", "acceptance", "doubts"),
    }
)


def _changes(before: Template, after: Template) -> Iterator[Change]:
    old, new = before.beyond_defaults(), after.beyond_defaults()
    for key in ("name", "title", "note"):
        if old.get(key) != new.get(key):
            yield Change(Step.PATCH, f"{key}: {_shown(old.get(key))} -> {_shown(new.get(key))}")
    yield from _panel(old["panel"], new["panel"])
    for path, was, now in _differing(old.get("compensation", {}), new.get("compensation", {})):
        yield Change(Step.MAJOR, f"compensation {path}: {_shown(was)} -> {_shown(now)}")
    yield from _scales(before, after)
    yield from _populations(before, after)
    for table in (key for key in dict.fromkeys((*old, *new)) if key not in _WITH_RULES_OF_THEIR_OWN):
        for path, was, now in _differing(old.get(table, {}), new.get(table, {})):
            yield Change(Step.MAJOR, f"{table} {path}: {_shown(was)} -> {_shown(now)}")
    for path, was, now in _differing(old.get("report", {}), new.get("report", {})):
        step = Step.MINOR if was is None or path == "medians" else Step.MAJOR
        yield Change(step, f"report {path}: {_shown(was)} -> {_shown(now)}")
    yield from _acceptance(before, after)
    yield from _doubts(before, after)


def _panel(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for name in (name for name in new if name not in old):
        yield Change(Step.MINOR, f"marker {name}: added")
    for name in (name for name in old if name not in new):
        yield Change(Step.MAJOR, f"marker {name}: removed")
    for name in (name for name in old if name in new):
        for path, was, now in _differing(old[name], new[name]):
            step = Step.PATCH if path in ("aliases", "detectors", "note") else Step.MAJOR
            yield Change(
                Step.MINOR if path == "optional" else step, f"marker {name}: {path} {_shown(was)} -> {_shown(now)}"
            )


def _scales(before: Template, after: Template) -> Iterator[Change]:
    """Yield changed axes: they move a count only where a gate's edges are drawn on them."""
    drawn = {
        marker
        for template in (before, after)
        for population in template.populations
        if not isinstance(population.gate, FixedGate) or population.gate.depends_on_scale
        for marker in population.gate.markers()
    }
    for name in (name for name in before.panel if name in after.panel):
        was, now = before.scale(name), after.scale(name)
        if was != now:
            settings = ", ".join(
                f"{path} {_shown(a)} -> {_shown(b)}"
                for path, a, b in _differing(was.beyond_defaults(), now.beyond_defaults())
            )
            yield Change(Step.MAJOR if name in drawn else Step.PATCH, f"scale of {name}: {settings}")


def _populations(before: Template, after: Template) -> Iterator[Change]:
    old = {population.name: population for population in before.populations}
    new = {population.name: population for population in after.populations}
    for name in (name for name in new if name not in old):
        yield Change(Step.MINOR, f"population {name}: added under {new[name].parent}")
    for name in (name for name in old if name not in new):
        yield Change(Step.MAJOR, f"population {name}: removed")
    if [name for name in old if name in new] != [name for name in new if name in old]:
        yield Change(Step.PATCH, "populations: in another order")
    for name in (name for name in old if name in new):
        was, now = old[name].beyond_defaults(), new[name].beyond_defaults()
        if was["gate"]["kind"] != now["gate"]["kind"]:
            yield Change(Step.MAJOR, f"population {name}: gate {was['gate']['kind']} -> {now['gate']['kind']}")
            was, now = ({**population, "gate": None} for population in (was, now))
        for path, a, b in _differing(was, now):
            step = Step.PATCH if path.endswith("note") else Step.MAJOR
            yield Change(step, f"population {name}: {path} {_shown(a, path)} -> {_shown(b, path)}")


def _acceptance(before: Template, after: Template) -> Iterator[Change]:
    old, new = set(before.acceptance), set(after.acceptance)
    for word, checks in (("removed", old - new), ("added", new - old)):
        for check in sorted(checks, key=lambda check: check.check):
            limits = ", ".join(
                f"{key} {value:g}"
                for key, value in (("minimum", check.minimum), ("maximum", check.maximum))
                if value is not None
            )
            step = Step.MINOR if check.on_fail == "review" else Step.MAJOR
            yield Change(step, f"acceptance of {check.check} ({limits}, else {check.on_fail}): {word}")


def _doubts(before: Template, after: Template) -> Iterator[Change]:
    """Yield doubts that came, went or were accepted: they decide whether a sample is for review, and no number."""
    old, new = ({(doubt.code, doubt.message): doubt for doubt in side.doubts} for side in (before, after))
    for key in dict.fromkeys((*old, *new)):
        was, now = old.get(key), new.get(key)
        if was == now:
            continue
        word = "added" if was is None else "removed"
        if was is not None and now is not None:
            word = f"accepted by {now.accepted_by}: {now.reason}" if now.accepted_by else "accepted no more"
        yield Change(Step.MINOR, f"doubt {key[0]} ({key[1]}): {word}")


def _differing(old: Mapping[str, Any], new: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the path, the old and the new value of everything that differs, tables opened up."""
    for key in dict.fromkeys((*old, *new)):
        was, now = old.get(key), new.get(key)
        here = f"{path} {key}".strip()
        if isinstance(was, dict) and isinstance(now, dict):
            yield from _differing(was, now, here)
        elif was != now:
            yield here, was, now


def _shown(value: Any, path: str = "") -> str:
    if value is None:
        return "all" if path == "parent" else "nothing"
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, list) and any(isinstance(entry, list) for entry in value):
        return f"{len(value)} rows" if path.endswith(("values", "covariance")) else f"{len(value)} corners"
    if isinstance(value, list):
        return "[" + ", ".join(_shown(entry) for entry in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} {_shown(entry)}" for key, entry in value.items()) + " }"
    return repr(value) if isinstance(value, str) else str(value)
