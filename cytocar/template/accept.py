"""Doubts of a fitted template accepted by a person, in its file, with name and reason."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from cytocar.errors.tree import TemplateError, UsageError
from cytocar.files.whole import write_atomically
from cytocar.template.canonical import template_sha256
from cytocar.template.diff import compare
from cytocar.template.load import parse_template, read_template
from cytocar.template.lock import read_lock
from cytocar.template.model import Template
from cytocar.template.toml_edit import edited


def accept_doubts(path: Path, codes: Sequence[str], *, by: str, reason: str) -> Template:
    """Write who accepts which doubts of a template into its file, and return what the file says now.

    Parameters
    ----------
    codes : sequence of str
        Codes of open doubts; one that stands several times is accepted everywhere.
    by, reason : str
        Who accepts them, and why.

    Raises
    ------
    UsageError
        E111 if the template has no open doubt of a code, or name or reason are empty.
    TemplateError
        E224 if the file is laid out in a way that cannot be changed piece by piece; as ``read_template``.
    """
    before = read_template(path, check_lock=False).template
    open_codes = [*dict.fromkeys(doubt.code for doubt in before.open_doubts)]
    unknown = [code for code in codes if code not in open_codes]
    if unknown:
        raise UsageError(
            f"{path.name} has no open doubt {', '.join(unknown)}",
            code="E111",
            hint=f"open: {', '.join(open_codes) or 'none'}",
        )
    if not by.strip() or not reason.strip():
        raise UsageError(
            "an acceptance needs a name and a reason", code="E111", hint="give both: --by NAME --reason WHY"
        )
    accepted = {"accepted_by": by.strip(), "reason": reason.strip()}
    doubts = tuple(
        replace(doubt, **accepted) if doubt in before.open_doubts and doubt.code in codes else doubt
        for doubt in before.doubts
    )
    after = replace(before, doubts=doubts)
    lock = read_lock(path)
    if lock is not None and lock.sha256 == template_sha256(before):
        after = replace(after, version=compare(before, after).proposed)
    text = edited(path.read_text("utf-8-sig"), before, after)
    written = parse_template(text, source=path.name, folder=path.parent)
    if written != after:
        raise TemplateError(
            f"{path.name} cannot be changed piece by piece",
            code="E224",
            hint="write accepted_by and reason below the doubt by hand",
        )
    write_atomically(path, text)
    return after
