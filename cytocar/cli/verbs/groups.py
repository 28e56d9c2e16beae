"""``cytocar groups``: subjects compared by group, or with themselves before and after a drug."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cytocar.cli import screen
from cytocar.errors.tree import UsageError

if TYPE_CHECKING:
    from cytocar.course.groups import Comparison, Measure

_DEFAULT = "peak,auc_0_28,persistence"


def command(
    course: Annotated[Path, typer.Argument(metavar="COURSE", help="Folder of `cytocar series ... -o COURSE`.")],
    by: Annotated[str | None, typer.Option("--by", metavar="COLUMN", help="Column of subjects.csv: arm.")] = None,
    what: Annotated[
        str, typer.Option("--what", help="What is compared: peak,auc_0_28,ferritin@max,il6@5,all@max")
    ] = _DEFAULT,
    paired: Annotated[
        str | None, typer.Option("--paired", metavar="PHASE,PHASE:DRUG", help="Such as before,after:ruxolitinib")
    ] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Write groups.csv and figures here.")] = None,
) -> None:
    """Compare groups of subjects, or the same subjects before and after, by exact rank tests.

    n, median and quartiles, Mann-Whitney or signed rank, Hodges-Lehmann shift with interval, p adjusted by Holm and by
    Benjamini and Hochberg. Values below a limit are ties; no p value below five per group.
    """
    from cytocar.course.course_folder import read_course
    from cytocar.course.groups import compare, compare_pairs
    from cytocar.course.rows import group_row
    from cytocar.course.tables import GROUPS
    from cytocar.files.whole import write_atomically
    from cytocar.tables.columns import csv_text

    if (by is None) == (paired is None):
        raise UsageError(
            "give --by COLUMN, or --paired PHASE,PHASE:DRUG",
            code="E167",
            hint="for example --by arm, or --paired before,after:ruxolitinib",
        )
    folder = read_course(course)
    names = [name.strip() for name in what.split(",") if name.strip()]
    pairs: list[tuple[Measure, Measure]] = []
    if by is not None:
        measures = folder.measures(names)
        of_subject = folder.subjects.groups(by)
        comparisons = compare(measures, of_subject)
    else:
        phases, drug = _phases(paired or "")
        pairs = folder.pairs(names, phases, drug)
        measures, of_subject = [], {}
        comparisons = compare_pairs(pairs, phases)
    compared = {one.measure for one in comparisons}
    for name in [m.name for m in measures] if by is not None else [first.name for first, _ in pairs]:
        if name not in compared:
            screen.say(f"note: {name} is not compared: no value on both sides")
    table = csv_text(GROUPS, map(group_row, comparisons))
    if out is not None:
        from cytocar.figures.groups import write_figures

        out.mkdir(parents=True, exist_ok=True)
        write_atomically(out / "groups.csv", table)
        for path in write_figures(comparisons, measures, of_subject, out, pairs=pairs):
            screen.say(f"wrote {path}")
    if not sys.stdout.isatty():
        if out is None:
            sys.stdout.write(table)
        return
    _show(comparisons)


def _phases(text: str) -> tuple[tuple[str, str], str]:
    from cytocar.course.course_folder import PHASES

    phases, _, drug = text.partition(":")
    first, _, second = phases.partition(",")
    if not drug or first not in PHASES or second not in PHASES or first == second:
        raise UsageError(
            f"--paired {text!r} names no two phases and a drug",
            code="E167",
            hint="write two of before, during, after, a colon and the drug: before,after:ruxolitinib",
        )
    return (first, second), drug.strip()


def _show(comparisons: Sequence[Comparison]) -> None:
    """Write the comparisons as a table for people."""
    from cytocar.cli.result_table import interval, number, write_samples

    header = ("what", "groups", "n", "medians", "shift", "95 % interval", "p", "Holm", "BH", "status")
    lines = [
        (
            one.measure,
            f"{one.first.name} / {one.second.name}",
            f"{one.first.n} / {one.second.n}",
            f"{number(one.first.median)} / {number(one.second.median)}",
            f"{number(one.effect.value)} {one.effect_kind}" if one.effect else "–",
            interval(one.effect.low, one.effect.high) if one.effect else "–",
            number(one.p),
            number(one.p_holm),
            number(one.p_bh),
            "ok" if one.p is not None else one.note,
        )
        for one in comparisons
    ]
    write_samples(header, lines, statuses=["ok" for _ in comparisons])
