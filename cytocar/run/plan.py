"""All that decides the numbers of a run, settled before the first event is read, and its fingerprint.

The manifest says the same in words that a person and ``cytocar reproduce`` can follow. No clock, no environment.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from cytocar.counting.blank_tubes import NO_HISTORY, History
from cytocar.errors.tree import CompensationError, UsageError
from cytocar.files.places import Place, beside, without_secrets
from cytocar.run.lines import OwnColumns
from cytocar.run.records import from_plain, plain
from cytocar.sample.protocol import Protocol
from cytocar.sample.quality.acceptance import check_acceptance
from cytocar.sample.result import ErrorRecord, TemplateStamp
from cytocar.sheet.inputs import Inputs
from cytocar.sheet.rows import SampleRow, SampleType, carried_columns
from cytocar.signals.applied_matrix import UNMIXED
from cytocar.signals.compensation import Matrix, SpilloverMatrix
from cytocar.tables.columns import COUNTS_NUMBERS
from cytocar.template.canonical import canonical_json, template_sha256
from cytocar.template.eqa import regardless_of_viability
from cytocar.template.load import LoadedTemplate, read_template
from cytocar.template.model import Template
from cytocar.template.moved_gates import MovedGates, check_fits, read_moved_gates
from cytocar.version import __version__

DEFAULT_TEMPLATE = "cart-cd19fc"
_VERSIONS_OF = ("flowio", "numpy", "scipy", "scikit-learn", "msgspec")


class RunPlan(Struct, frozen=True, eq=False):
    """Samples, and for each the protocol that it is analysed with.

    ``matrices`` holds the spillover matrices of the CSV files that the sheet names, ``unusable`` what is wrong with
    those that cannot be used: the rows that name one of these fail, and no other.
    """

    samples: tuple[SampleRow, ...]
    protocols: Mapping[str, Protocol]
    templates: Mapping[str, LoadedTemplate]
    markers: Mapping[str, str]
    sheet: Place | None = None
    default_template: str = DEFAULT_TEMPLATE
    matrices: Mapping[str, Matrix] = field(default_factory=dict)
    unusable: Mapping[str, ErrorRecord] = field(default_factory=dict)
    moved: Mapping[str, MovedGates] = field(default_factory=dict)
    history: History = NO_HISTORY

    @property
    def sample_ids(self) -> tuple[str, ...]:
        """The samples' names, in the order of the tables."""
        return tuple(row.sample_id for row in self.samples)

    def only(self, sample_ids: Collection[str]) -> RunPlan:
        """Return the plan with these samples alone, in the same order."""
        wanted = set(sample_ids)
        return replace(self, samples=tuple(row for row in self.samples if row.sample_id in wanted))

    @property
    def own_columns(self) -> OwnColumns:
        """Markers whose median fluorescence populations.csv holds, and columns that the sheet carries through."""
        named = [marker for loaded in self.templates.values() for marker in loaded.template.report.medians]
        return OwnColumns(tuple(dict.fromkeys(named)), carried_columns(self.samples))

    def manifest(self, command: Sequence[str]) -> dict[str, Any]:
        """Return the manifest: what was run, with which versions, templates and settings."""
        about = {
            "cytocar_version": __version__,
            "settings": {"markers": dict(self.markers), "template": self.default_template},
            "templates": {
                name: {
                    "sha256": template_sha256(loaded.template),
                    "status": loaded.status,
                    "file": loaded.path.name,
                    "canonical": json.loads(canonical_json(loaded.template)),
                }
                for name, loaded in self.templates.items()
            },
            "matrices": plain(dict(self.matrices)),
            "samples": plain(self.samples),
        }
        if self.unusable:
            about["unusable_matrices"] = plain(dict(self.unusable))
        if self.moved:
            about["moved_gates"] = {name: one.beyond_defaults() for name, one in self.moved.items()}
        if self.history.tubes:
            about["background_history"] = plain(self.history)
        return about | {
            "format": "cytocar-run-1",
            "command": [without_secrets(word) for word in command],
            "versions": {"python": platform.python_version()} | {name: _version(name) for name in _VERSIONS_OF},
            "sheet": _sheet(self.sheet),
            "plan_sha256": hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest(),
        }


def _version(name: str) -> str:
    """Return the version of an installed library, without parsing its description and licences as ``version`` does."""
    from importlib.metadata import distribution, version

    lines = (distribution(name).read_text("METADATA") or "").splitlines()
    versions = (line.removeprefix("Version: ") for line in lines if line.startswith("Version: "))
    return next(versions, None) or version(name)


def _sheet(path: Place | None) -> dict[str, str] | None:
    if path is None:
        return None
    return {"file": path.name, "path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def make_plan(
    inputs: Inputs,
    *,
    template: str | None = None,
    markers: Mapping[str, str] | None = None,
    history: History | None = None,
) -> RunPlan:
    """Return the plan of a run.

    Parameters
    ----------
    inputs : Inputs
        The samples.
    template : str, optional
        Name or path of the template for samples whose row names none.
    markers : mapping of str to str, optional
        Markers whose channel the user has settled, such as ``{"CD3": "FITC-A"}``.
    history : History, optional
        Earlier tubes without CAR-T cells, which tell the background too.

    Raises
    ------
    TemplateError
        A template cannot be used; nothing is analysed then. A spillover matrix that cannot costs the rows that name it.
    UsageError
        E086 every row names a template, and none the one that is given.
    """
    markers, history = dict(markers or {}), history or NO_HISTORY
    default = template or DEFAULT_TEMPLATE
    templates: dict[str, LoadedTemplate] = {}
    protocols: dict[str, Protocol] = {}
    shared: dict[tuple[str, str | None, bool], Protocol] = {}
    matrices, unusable = _matrices(inputs)
    moved = _moved_gates(inputs)
    for row in inputs.samples:
        name = row.template or default
        if name not in templates:
            folder = inputs.sheet.parent if inputs.sheet and row.template else None
            templates[name] = _read(_beside(name, folder))
        key = what_decides(row, default)
        if key not in shared:
            used = compensated(templates[name], row, matrices, unusable)
            shared[key] = replace(used, markers=markers, history=history)
        protocol = shared[key]
        if row.sample_id in moved:
            check_fits(moved[row.sample_id], protocol.template, where=row.sample_id)
            protocol = replace(protocol, template=moved[row.sample_id].on(protocol.template))
        protocols[row.sample_id] = protocol
    if template is not None:
        _require_effect(template, inputs.samples, templates)
    return RunPlan(
        inputs.samples, protocols, templates, markers, inputs.sheet, default, matrices, unusable, moved, history
    )


def _require_effect(template: str, rows: Sequence[SampleRow], templates: Mapping[str, LoadedTemplate]) -> None:
    """Refuse a template that no row is counted with: whoever gave it takes the numbers for its.

    Raises
    ------
    UsageError
        E086 with the templates of the sheet's column.
    """
    named = dict.fromkeys(row.template for row in rows if row.template)
    all_name_one = bool(rows) and all(row.template for row in rows)
    if not all_name_one and template not in named:
        return
    option = _read(template).sha256
    of_another_folder = template in named and templates[template].sha256 != option
    if of_another_folder or all(templates[name].sha256 != option for name in named):
        beside_sheet = " beside the sheet, which is another file" if of_another_folder else ""
        raise UsageError(
            f"-t says {template}, column template of the sheet says {', '.join(named)}{beside_sheet}",
            code="E086",
            hint="-t is for the rows that name no template: leave it out, or correct or empty the column",
        )


def _moved_gates(inputs: Inputs) -> dict[str, MovedGates]:
    """The gates that the files of the sheet's column overrides move, by sample."""
    folder = inputs.sheet.parent if inputs.sheet else Path()
    read: dict[str, Mapping[str, MovedGates]] = {}
    moved = {}
    for row in inputs.samples:
        if row.overrides and not row.exclude:
            if row.overrides not in read:
                read[row.overrides] = read_moved_gates(beside(folder, row.overrides))
            if row.sample_id in read[row.overrides]:
                moved[row.sample_id] = read[row.overrides][row.sample_id]
    if not moved:
        return {}
    in_order = json.dumps({name: one.beyond_defaults() for name, one in moved.items()}, sort_keys=True)
    return from_plain(json.loads(in_order), dict[str, MovedGates])


def _matrices(inputs: Inputs) -> tuple[dict[str, Matrix], dict[str, ErrorRecord]]:
    """Return the matrices of the CSV files that a sheet names, by these names, and why others cannot be used."""
    folder = inputs.sheet.parent if inputs.sheet else Path()
    names = dict.fromkeys(row.compensation for row in inputs.samples if row.compensation and not row.exclude)
    read: dict[str, Matrix] = {}
    unusable: dict[str, ErrorRecord] = {}
    for name in names:
        if name.lower().endswith(".csv"):
            try:
                matrix = SpilloverMatrix.from_csv(beside(folder, name))
            except CompensationError as error:
                unusable[name] = _unusable(error.message, error.hint or "correct the matrix")
                continue
            read[name] = Matrix(
                fluorochromes=matrix.fluorochromes,
                detectors=matrix.detectors,
                values=tuple(map(tuple, matrix.values.tolist())),
            )
    return read, unusable


def _unusable(why: str, hint: str) -> ErrorRecord:
    return ErrorRecord("E084", f"column compensation: {why}", hint)


def what_decides(row: SampleRow, default: str) -> tuple[str, str | None, bool]:
    """What of a row decides its protocol: rows that are alike in this share one, and what is worked out for it."""
    return row.template or default, row.compensation, row.sample_type is SampleType.EQA


def compensated(
    loaded: LoadedTemplate, row: SampleRow, matrices: Mapping[str, Matrix], unusable: Mapping[str, ErrorRecord]
) -> Protocol:
    """Return the protocol of a template with the matrix that the sample's row names in place of its own.

    Proficiency samples are gated whether their cells live or not.

    The row may say ``file``, ``none``, ``unmixed``, a matrix of the template, or a CSV beside the sheet; whatever else
    it says, and a CSV that cannot be used, refuses the row. The template's hash in the tables stays that of the
    template; the column ``compensation`` says what was used.
    """
    template, stamp, name = loaded.template, stamp_of(loaded), row.compensation
    if row.sample_type is SampleType.EQA:
        template = regardless_of_viability(template)
    if name is None:
        return Protocol(template, stamp)
    declared = template.compensation
    known = {**declared.matrices, **matrices}
    refused = unusable.get(name)
    if refused is None and name not in ("file", "none", UNMIXED, *known):
        why = f"{name!r} is neither file, none, unmixed, a matrix of the template nor a .csv"
        refused = _unusable(why, "correct the sheet's column compensation")
    if refused is not None:
        return Protocol(template, stamp, refused=refused)
    used = replace(declared, source=name, matrices=known)
    return Protocol(replace(template, compensation=used), stamp)


def stamp_of(loaded: LoadedTemplate) -> TemplateStamp:
    """The cells of counts.csv that name the template of a row."""
    return TemplateStamp(loaded.template.name, loaded.template.version, loaded.sha256, loaded.status)


def _read(name: str | Place) -> LoadedTemplate:
    """Return a template whose acceptance rules check numbers that there are.

    Its tables stand in the order in which the manifest records them, so that ``cytocar reproduce`` writes the rows of
    gates.csv and quality.csv in the order of the run.
    """
    loaded = read_template(name)
    loaded = replace(loaded, template=from_plain(json.loads(canonical_json(loaded.template)), Template))
    known = (*COUNTS_NUMBERS, *(population.name for population in loaded.template.populations))
    check_acceptance(loaded.template.acceptance, dict.fromkeys(known))
    return loaded


def _beside(name: str, folder: Place | None) -> str | Place:
    return beside(folder, name) if folder is not None and name.endswith((".toml", ".xml")) else name
