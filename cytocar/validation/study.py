"""The tubes of a validation, from finished runs: read, sorted into studies, and refused where they do not fit."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from cytocar.errors.tree import UsageError
from cytocar.run.finished.recorded_plan import recorded_plan
from cytocar.run.parts import PARTS, Parts, require_parts
from cytocar.run.trail.journal import finished_manifest
from cytocar.sample.result import SampleOutcome, SampleResult, Status
from cytocar.sheet.rows import SampleRow
from cytocar.tables.columns import Row, Value, parse_columns
from cytocar.validation.designs import Design, Kind

NUMBERS_FROM = (Status.OK, Status.REVIEW, Status.NO_COUNT)
"""Tubes of these statuses have numbers; one that asks for a look is used, and said."""

TUBES = parse_columns("""
study           str - | study of the validation, from val_study
val_level       str - | level or sample
val_day         str - | day
val_run         str - | run, or method of a comparison
val_rep         str - | replicate
val_operator    str - | operator
val_expected    num - | what was expected
val_hours       num h | hours since the specimen was drawn
status          str - | status of the tube in its run
used            str - | yes, or why not
run             str - | run folder
sample_id       str - | tube
file            str - | FCS file, as the sheet names it
file_sha256     str - | hash of its bytes
template_name   str - | gating template
template_sha256 str - | hash of its canonical form
bead_lot        str - | lot of the counting beads
cytocar_version str - | program that counted it
""")


class Tube(Struct, frozen=True):
    """One tube of a study: its row of counts.csv, and the run that it is of."""

    run: str
    outcome: SampleOutcome
    row: Mapping[str, Value]

    @property
    def sample(self) -> SampleRow:
        """What the sheet says of it."""
        return self.outcome.sample

    @property
    def level(self) -> str:
        """The level, or the sample, that it is of."""
        return self.sample.val_level or ""

    def number(self, measurand: str) -> float | None:
        """Return a number of its row of counts.csv."""
        value = self.row.get(measurand)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

    @property
    def why_not(self) -> str:
        """Why it cannot be used at all; empty where it can."""
        if isinstance(self.outcome, SampleResult) and self.outcome.status in NUMBERS_FROM:
            return ""
        reason = self.outcome.findings[0].message if self.outcome.findings else ""
        return f"{self.outcome.status}: {reason}" if reason else str(self.outcome.status)

    def line(self, study: str) -> Row:
        """Return its line of validation_tubes.csv."""
        own = {name: getattr(self.sample, name) for name in ("val_level", "val_day", "val_run", "val_rep")}
        columns = ("sample_id", "status", "file", "file_sha256", "template_name", "template_sha256", "cytocar_version")
        return {
            **own,
            **{name: self.row.get(name) for name in columns},
            "study": study,
            "val_operator": self.sample.val_operator,
            "val_expected": self.sample.val_expected,
            "val_hours": self.sample.val_hours,
            "bead_lot": self.sample.bead_lot,
            "run": self.run,
            "used": self.why_not or "yes",
        }


class Study(Struct, frozen=True):
    """The tubes of one study, in the order of runs and sheets; ``notes`` are what a reader has to know of them."""

    name: str
    kind: Kind
    tubes: tuple[Tube, ...]
    notes: tuple[str, ...] = ()

    @property
    def used(self) -> tuple[Tube, ...]:
        """Tubes with numbers."""
        return tuple(tube for tube in self.tubes if not tube.why_not)

    @property
    def template(self) -> tuple[str, str, str]:
        """Name, version and hash of the one template behind it."""
        stamp = self.tubes[0].outcome.template
        return stamp.name, stamp.version, stamp.sha256

    @property
    def data_sha256(self) -> str:
        """Hash over the hashes of its files: the same data, whatever their order."""
        hashes = sorted(tube.outcome.file_sha256 or "" for tube in self.used)
        return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def read_studies(runs: Sequence[Path], *, mixed_lots: bool = False, only: Collection[Kind] = ()) -> tuple[Study, ...]:
    """Return the studies that the tubes of finished runs belong to: of these kinds ``only``, or of all.

    Raises
    ------
    UsageError
        E250 no tube names a study, E251 an unknown design, E252 several templates in a study, E253 several lots of
        beads, E256 a file that stands twice.
    """
    groups: dict[str, list[Tube]] = defaultdict(list)
    for run in runs:
        for tube in _tubes(run):
            if tube.sample.val_study:
                groups[tube.sample.val_study].append(tube)
    if not groups:
        raise UsageError(
            f"no tube of {', '.join(str(run) for run in runs)} belongs to a study: val_study is empty in every row",
            code="E250",
            hint="`cytocar validate plan --design ... -o sheet.csv` makes a sheet with these columns",
        )
    return tuple(
        _study(name, tubes, mixed_lots=mixed_lots)
        for name, tubes in sorted(groups.items())
        if not only or kind_of(name) in only
    )


def _tubes(run: Path) -> Iterator[Tube]:
    manifest = finished_manifest(run)
    plan = recorded_plan(manifest, run)
    require_parts(run, manifest, plan.sample_ids)
    for outcome in Parts(run / PARTS).every(plan.sample_ids):
        yield Tube(run.resolve().name, outcome, outcome.row())


def kind_of(study: str) -> Kind:
    """What a study finds out, from its name: ``precision-5x3/lot A`` is a study of precision.

    Raises
    ------
    UsageError
        E251 if the name does not begin with a design.
    """
    design = study.partition("/")[0].strip()
    for kind in Kind:
        if design == kind or (kind is Kind.PRECISION and design.startswith(f"{kind}-")):
            return kind
    raise UsageError(
        f"val_study {study!r} does not begin with a design",
        code="E251",
        hint=f"write one of {', '.join(Design)}, and after a slash a name of your own",
    )


def _study(name: str, tubes: list[Tube], *, mixed_lots: bool) -> Study:
    kind = kind_of(name)
    _refuse_templates(name, tubes)
    _refuse_copies(name, tubes)
    lots = _named(tubes, lambda tube: tube.sample.bead_lot or "")
    notes = []
    if len(lots) > 1:
        if not mixed_lots:
            raise UsageError(
                f"{name}: tubes of {len(lots)} lots of beads: {_some(lots)}",
                code="E253",
                hint="evaluate each lot as a study of its own (precision-5x3/lot A), or set mixed_lots = true in the "
                "criteria: the lot is then part of the variation",
            )
        notes.append(f"tubes of {len(lots)} lots of beads: {_some(lots)}")
    unused = [tube for tube in tubes if tube.why_not]
    notes += [f"{tube.sample.sample_id} is not used: {tube.why_not}" for tube in unused]
    look = [tube.sample.sample_id for tube in tubes if tube.outcome.status is Status.REVIEW]
    if look:
        few = ", ".join(look[:4]) + (f" and {len(look) - 4} more" if len(look) > 4 else "")
        notes.append(f"{len(look)} of {len(tubes)} tubes ask for a look, and are used as they are: {few}")
    return Study(name, kind, tuple(tubes), tuple(notes))


def _named(tubes: Sequence[Tube], key: Callable[[Tube], str]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = defaultdict(list)
    for tube in tubes:
        names[key(tube)].append(tube.sample.sample_id)
    return names


def _some(named: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{name or '(none named)'}: {', '.join(ids[:3])}" for name, ids in sorted(named.items()))


def _refuse_templates(name: str, tubes: Sequence[Tube]) -> None:
    stamps = _named(tubes, lambda tube: f"{tube.row['template_name']} {str(tube.row['template_sha256'])[:12]}")
    if len(stamps) > 1 and kind_of(name) is not Kind.COMPARISON:
        raise UsageError(
            f"{name}: tubes of {len(stamps)} templates: {_some(stamps)}",
            code="E252",
            hint="count all tubes of a study with the template that is validated; a study comparison takes two",
        )


def _refuse_copies(name: str, tubes: Sequence[Tube]) -> None:
    places: dict[tuple[str, str], list[str]] = defaultdict(list)
    for tube in tubes:
        method = (tube.sample.val_run or "") if kind_of(name) is Kind.COMPARISON else ""
        operator = (tube.sample.val_operator or "") if kind_of(name) is Kind.OPERATORS else ""
        if tube.outcome.file_sha256:
            places[f"{tube.outcome.file_sha256}#{tube.sample.data_set or 1}", method + operator].append(
                tube.sample.sample_id
            )
    copies = [ids for ids in places.values() if len(ids) > 1]
    if copies:
        raise UsageError(
            f"{name}: the same data stand under several names: {', '.join(' = '.join(ids) for ids in copies[:3])}",
            code="E256",
            hint="a replicate is a tube of its own: name each file once, and each run once",
        )
