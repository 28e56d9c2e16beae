"""``cytocar merge``: one run from its shards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cytocar.cli import screen
from cytocar.errors.tree import counted


def command(
    shards: Annotated[list[Path], typer.Argument(metavar="SHARD...", help="Run folders of `gate --shard I/N`.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The run folder to write.")],
    by: Annotated[
        str | None, typer.Option("--by", metavar="NAME", help="Who joins them, for the audit trail. [your login]")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Set a finished run in OUT aside, merge anew.")] = False,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Draw every gate: OUT/report.html.")] = True,
) -> None:
    """Join the shards of one run, in any order: the same tables as if one machine had counted all."""
    from cytocar.cli.verbs.gate import draw_report
    from cytocar.report.run.page import REPORT
    from cytocar.run.count import finished_but_for
    from cytocar.run.finished.recorded_plan import recorded_plan
    from cytocar.run.folder import finish, open_run
    from cytocar.run.merge import plan_merge, tell_of_merged
    from cytocar.run.trail.who import author, now

    plan = plan_merge(shards, out)
    if report and not force and finished_but_for(REPORT, out, plan.manifest):
        screen.say("all shards were merged before; going on with the report")
    else:
        with open_run(out, plan.manifest, author=author(by), clock=now, force=force) as run:
            for sample_id, place in plan.parts.items():
                run.parts.keep(sample_id, place.read_bytes())
            tell_of_merged(run.parts, plan)
            finish(run, plan.manifest, recorded_plan(plan.manifest))
    if report:
        draw_report(out, by=by)
    screen.say(f"{counted(len(plan.parts), 'sample')} of {len(shards)} shards; tables in {out}")
