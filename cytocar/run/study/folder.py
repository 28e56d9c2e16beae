"""An imported study as a folder: template, sheet, overrides, the other program's counts, and how files were matched."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from cytocar.errors.tree import CompensationError, UsageError
from cytocar.files.places import Place
from cytocar.files.whole import write_atomically
from cytocar.run.study.assemble import Family, assemble
from cytocar.run.study.match import Header, Match, Matched, match_samples
from cytocar.run.study.roles import guess_roles, named_roles, with_roles
from cytocar.signals.compensation import SAME, Matrix, SpilloverMatrix
from cytocar.tables.columns import Column, Value, csv_text, neutral, parse_columns
from cytocar.template.flowjo.document import Workspace
from cytocar.template.flowjo.samples import WorkspaceSample
from cytocar.template.model import Template
from cytocar.template.moved_gates import MovedGatesFile
from cytocar.template.toml_text import to_toml

SHEET, COUNTS, MATCHES, OVERRIDES = "sheet.csv", "flowjo_counts.csv", "flowjo_samples.csv", "overrides.json"

COUNT_COLUMNS = parse_columns("""
sample_id   str -      | sample of the sheet
population  str -      | population of the template
path        str -      | its path in FlowJo
events      int events | events that FlowJo stored, empty where it has not counted
binned      bool -     | FlowJo decides it by steps of its display: a polygon or an ellipse
""")

MATCH_COLUMNS = parse_columns("""
sample_id   str -      | sample of the sheet
flowjo_id   str -      | FlowJo's sampleID
flowjo_name str -      | what FlowJo calls it
groups      str -      | its groups in FlowJo
match       str -      | exact, likely, ambiguous or missing
file        str -      | the file that it was matched to
why         str -      | what agrees, or what does not
matrix      str -      | the workspace's matrix against the file's
moved_gates int -      | gates that stand elsewhere than the template's
""")

_SHEET = [
    "file",
    "sample_id",
    "sample_type",
    "subject_id",
    "day",
    "count_method",
    "sample_volume_ul",
    "beads_added",
    "acquired_volume_ul",
    "dilution_factor",
    "template",
    "compensation",
    "overrides",
    "note",
    "x_flowjo_id",
    "x_flowjo_groups",
]


class Study(Struct, frozen=True, eq=False):
    """A study that was matched and put together.

    Parameters
    ----------
    names : mapping
        Name in the sheet to what became of the sample.
    families : tuple of Family
        Templates, each with its samples.
    roles : mapping
        Role to population; ``guessed`` are those of them that nobody named.
    """

    workspace: Workspace
    names: Mapping[str, Matched]
    families: tuple[Family, ...]
    roles: Mapping[str, str]
    guessed: Mapping[str, str]

    def tally(self) -> Counter[Match]:
        """How many samples were matched how."""
        return Counter(matched.match for matched in self.names.values())

    @property
    def n_moved(self) -> int:
        """The number of samples on which gates stand elsewhere."""
        return sum(len(family.moved) for family in self.families)


def make_study(
    workspace: Workspace, headers: Sequence[Header], *, name: str, roles: Mapping[str, str] | None = None
) -> Study:
    """Return a study: its samples with gates matched to files, their gates joined, roles given.

    Raises
    ------
    TemplateError
        E144 no sample has gates.
    UsageError
        E149 a role that cannot be given.
    """
    workspace.sample(None)  # refuses a workspace without gates, and says where they are
    gated = [sample for sample in workspace.gated if sample.populations]
    ids = sample_ids(gated)
    names = {
        ids[sample.sample_id, index]: matched
        for index, (sample, matched) in enumerate(zip(gated, match_samples(gated, headers), strict=True))
    }
    title = f"Imported from {workspace.source}"
    families = assemble({key: matched.sample for key, matched in names.items()}, name=name, title=title)
    first = families[0].template
    chosen = named_roles(first, roles or {})
    guessed = {role: one for role, one in guess_roles(first).items() if role not in chosen}
    given = {**guessed, **chosen}
    families = tuple(replace(family, template=_with_known(family, given)) for family in families)
    return Study(workspace, names, families, given, guessed)


def _with_known(family: Family, roles: Mapping[str, str]) -> Template:
    known = {population.name for population in family.template.populations}
    return with_roles(family.template, {role: name for role, name in roles.items() if name in known})


def sample_ids(samples: Sequence[WorkspaceSample]) -> dict[tuple[str, int], str]:
    """Return the name in the sheet of each sample, by its ``sampleID`` and place: its name without ``.fcs``."""
    stems = [
        Path(sample.name).stem if sample.name.lower().endswith((".fcs", ".lmd")) else sample.name for sample in samples
    ]
    times = Counter(stems)
    return {
        (sample.sample_id, index): stem if times[stem] == 1 else f"{stem} ({sample.sample_id or index + 1})"
        for index, (sample, stem) in enumerate(zip(samples, stems, strict=True))
    }


def write_study(study: Study, folder: Path) -> tuple[Path, ...]:
    """Write a study into a new folder and return its files.

    Raises
    ------
    UsageError
        E105 the folder is not empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} exists and is not an empty folder", code="E105", hint="name a new folder with -o")
    folder.mkdir(parents=True, exist_ok=True)
    moved = {key: what for family in study.families for key, what in family.moved.items()}
    files = {
        f"{family.template.name}.toml": to_toml(
            family.template, comments=[f"{study.workspace.source}: {len(family.samples)} samples"]
        )
        for family in study.families
    }
    if moved:
        files[OVERRIDES] = MovedGatesFile(reason=f"moved in {study.workspace.program}", samples=moved).text()
    files[SHEET] = csv_text([Column(name, "string", "", "") for name in _SHEET], _sheet_rows(study, folder))
    files[COUNTS] = csv_text(COUNT_COLUMNS, count_rows(study.names))
    files[MATCHES] = csv_text(MATCH_COLUMNS, _match_rows(study, moved))
    for name, content in files.items():
        write_atomically(folder / name, content)
    return tuple(folder / name for name in files)


def _sheet_rows(study: Study, folder: Path) -> Iterator[dict[str, Value]]:
    for family in study.families:
        for key in family.samples:
            matched = study.names[key]
            if matched.file is None:
                continue  # flowjo_samples.csv says why it has no file
            yield {
                "file": _relative(matched.file.file, folder),
                "sample_id": neutral(key),
                "sample_type": "sample",
                # a volume that the file names asks for no cells/µL: nobody has said how the tube was diluted
                "count_method": family.template.counting.method,
                "acquired_volume_ul": matched.file.acquired_ul,
                "template": f"{family.template.name}.toml",
                "compensation": family.matrices.get(key),
                "overrides": OVERRIDES if key in family.moved else None,
                "note": None if matched.match is Match.EXACT else f"file {matched.match}: {matched.why}",
                "x_flowjo_id": matched.sample.sample_id,
                "x_flowjo_groups": "|".join(_groups(study, matched)),
            }


def _relative(file: Place, folder: Path) -> str:
    if not isinstance(file, Path):
        return str(file)
    near = os.path.relpath(file.resolve(), folder.resolve()).replace(os.sep, "/")
    return near if not near.startswith("../") else str(file.resolve())


def count_rows(names: Mapping[str, Matched]) -> Iterator[dict[str, Value]]:
    """Yield the rows of FlowJo's counts."""
    for key, matched in names.items():
        sample = matched.sample
        yield {"sample_id": neutral(key), "population": "all", "path": "", "events": sample.total, "binned": False}
        for population, counted in sample.counts.items():
            yield {
                "sample_id": neutral(key),
                "population": neutral(population),
                "path": neutral("/".join(counted.path)),
                "events": counted.events,
                "binned": counted.is_binned,
            }


def _match_rows(study: Study, moved: Mapping[str, object]) -> Iterator[dict[str, Value]]:
    for key, matched in study.names.items():
        what = next((family.moved[key] for family in study.families if key in family.moved), None)
        yield {
            "sample_id": neutral(key),
            "flowjo_id": matched.sample.sample_id,
            "flowjo_name": neutral(matched.sample.name),
            "groups": neutral("|".join(_groups(study, matched))),
            "match": str(matched.match),
            "file": None if matched.file is None else neutral(matched.file.file.name),
            "why": neutral(matched.why),
            "matrix": compare_matrices(matched.sample.matrix, matched.file),
            "moved_gates": 0 if what is None else len(what.gates),
        }


def _groups(study: Study, matched: Matched) -> list[str]:
    return [
        name
        for name, members in study.workspace.groups.items()
        if matched.sample.sample_id in members and name != "All Samples"
    ]


def matrix_tally(study: Study) -> Counter[str]:
    """How many matched samples have a matrix that compares with their file's in which way."""
    matched = (one for one in study.names.values() if one.file is not None and one.sample.matrix is not None)
    return Counter(compare_matrices(one.sample.matrix, one.file) for one in matched)


def compare_matrices(of_study: tuple[str, Matrix] | None, file: Header | None) -> str:
    """Return in words how the study's matrix, which is the one that is used, differs from the file's."""
    if of_study is None:
        return "no gate needs one"
    name, matrix = of_study
    if file is None:
        return name
    try:
        carried = SpilloverMatrix.from_keywords(file.keywords)
    except CompensationError as error:
        return f"{name}; the file's cannot be read ({error.code})"
    if carried is None:
        return f"{name}; the file has none"
    if set(carried.detectors) != set(matrix.detectors):
        return f"{name}; the file's has other detectors"
    order = [carried.detectors.index(detector) for detector in matrix.detectors]
    largest = max(
        abs(value - float(carried.values[order[row], order[column]]))
        for row, values in enumerate(matrix.values)
        for column, value in enumerate(values)
    )
    return f"{name}; as in the file" if largest <= SAME else f"{name}; differs from the file's by up to {largest:.3g}"
