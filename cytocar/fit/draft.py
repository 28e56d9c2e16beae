"""A fitted template as a TOML file: the evidence above each gate, and what was left out at the top."""

from __future__ import annotations

from collections.abc import Iterator

from cytocar.errors.tree import GateError
from cytocar.fit.lines import Status
from cytocar.fit.template import FittedTemplate
from cytocar.template.toml_text import to_toml

LONGEST_LIST = 8
FILES_NAMED = 3
WIDTH = 116


def to_text(fitted: FittedTemplate) -> str:
    """Return the text of the template file."""
    evidence = {gate.population.name: [*_wrapped(gate.evidence)] for gate in fitted.study.gates}
    return to_toml(fitted.template, comments=[*_head(fitted)], evidence=evidence)


def refuse_without_t_cells(fitted: FittedTemplate) -> None:
    """Raise E208 if the panel has CD3 and no gate of T cells has evidence: all that matters stands under it."""
    if fitted.study.has("CD3") and fitted.status_of_t_cells is Status.NONE:
        why = dict(fitted.study.left_out).get("t_cells", "no evidence")
        names = [tube.name for tube in fitted.study.tubes]
        more = f" and {len(names) - FILES_NAMED} more" if len(names) > FILES_NAMED else ""
        as_they_are = all(tube.matrix is None for tube in fitted.study.tubes)
        matrix = "if the values are not compensated yet: --compensation MATRIX.csv; else " if as_they_are else ""
        raise GateError(
            f"{', '.join(names[:FILES_NAMED])}{more}: no line of CD3 has evidence, so there are no T cells ({why})",
            code="E208",
            hint=f"{matrix}give files of whole stained tubes; --force writes the gates that have evidence",
        )


def _head(fitted: FittedTemplate) -> Iterator[str]:
    study = fitted.study
    yield "Made by `cytocar template fit`. A draft: look at every gate on its pictures, mend what is wrong, lock it."
    names = [tube.name for tube in study.tubes]
    more = f" and {len(names) - LONGEST_LIST} more" if len(names) > LONGEST_LIST else ""
    yield from _wrapped([f"Files: {', '.join(names[:LONGEST_LIST])}{more}."])
    yield from _wrapped(f"File left out: {name}: {why}." for name, why in fitted.skipped[:LONGEST_LIST])
    yield from _wrapped(f"Not in it: {what}: {why}." for what, why in study.left_out)
    yield from _wrapped(f"Look at it: {code} {sentence}." for code, sentence in study.odd_files)
    yield "What a gate rests on: evidence (three files or more show it), provisional (fewer), pooled (all together)."


def _wrapped(lines: Iterator[str] | tuple[str, ...] | list[str]) -> Iterator[str]:
    from textwrap import wrap

    for line in lines:
        yield from wrap(line, WIDTH, subsequent_indent="  ")
