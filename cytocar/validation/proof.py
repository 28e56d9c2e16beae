"""An evaluation as the ground on which a template is locked: whole, of this template, and with every criterion met."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from cytocar.errors.boundary import boundary
from cytocar.errors.tree import IntegrityError
from cytocar.files.json_object import json_object
from cytocar.tables.delimited import read_delimited
from cytocar.validation.limits import Verdict
from cytocar.validation.verdicts import Validation
from cytocar.version import __version__

TABLE, RECORD = "validation.csv", "validation.json"


def record_of(validation: Validation, contents: Mapping[str, bytes]) -> str:
    """What an evaluation keeps of itself as JSON: criteria, verdict, and the hashes of its files.

    No clock: same data and criteria, same bytes.
    """
    record = {
        "format": "cytocar-validation-1",
        "cytocar_version": __version__,
        "verdict": validation.line(),
        "passed": validation.passed,
        "criteria": validation.criteria.beyond_defaults(),
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in sorted(contents.items())},
    }
    return json.dumps(record, indent=1, ensure_ascii=False) + "\n"


def proof_of(folder: Path, template_sha256: str) -> str:
    """What a lock says of the evaluation in a folder: its name, and the hash of its table.

    Raises
    ------
    IntegrityError
        E258 it is of another template, E259 a criterion is not met, or the folder holds no evaluation.
    """
    path = folder / TABLE
    with boundary(lambda why: _unfit(f"{path} cannot be read: {why}")):
        content = path.read_bytes()
        recorded = json_object((folder / RECORD).read_bytes())["files"]
        table = read_delimited(path)
    if recorded != {**recorded, TABLE: hashlib.sha256(content).hexdigest()}:
        raise _unfit(f"{path} is not as `cytocar validate evaluate` wrote it")
    rows = [row.cells for row in table.rows]
    verdicts = [row.get("verdict", "") for row in rows]
    if not any(verdicts):
        raise _unfit(f"{path} holds no verdict")
    others = sorted({row["template_sha256"] for row in rows if row.get("template_sha256")} - {template_sha256})
    if others:
        raise IntegrityError(
            f"{path} is of the template with hash {others[0][:12]}, not of {template_sha256[:12]}",
            code="E258",
            hint="lock the template that was validated, or validate this one",
        )
    unmet = [row for row in rows if row.get("verdict") not in ("", Verdict.PASS)]
    if unmet:
        first = unmet[0]
        raise _unfit(
            f"{len(unmet)} criteria of {path} are not met: {first['study']}, {first['measurand']}, "
            f"{first['statistic']} {first['level']}: {first['verdict']}".replace(" :", ":")
        )
    kinds = ", ".join(sorted({row["study"].partition("/")[0] for row in rows}))
    return f"{folder.resolve().name}/{TABLE} ({kinds}) sha256 {hashlib.sha256(content).hexdigest()}"


def _unfit(why: str) -> IntegrityError:
    return IntegrityError(
        why,
        code="E259",
        hint="evaluate again with `cytocar validate evaluate ... -o DIR`, or lock without --validation",
    )
