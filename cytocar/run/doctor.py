"""Is this installation sound: versions, extras, templates, and a sample whose counts are known."""

from __future__ import annotations

import csv
import math
import platform
import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from msgspec import Struct

from cytocar.errors.tree import CytocarError
from cytocar.files.bundled import sample_data_folder
from cytocar.files.cores import usable_cores
from cytocar.run.plan import make_plan
from cytocar.sample.analysis import analyse
from cytocar.sample.result import SampleResult
from cytocar.sheet.inputs import collect, given_for_all
from cytocar.tables.columns import COUNTS_NUMBERS, cell
from cytocar.template.load import bundled_templates, read_template
from cytocar.version import __version__

GOLDEN_SAMPLE = "day09.fcs"
GOLDEN_TABLE = "day09.expected.csv"
"""Made by ``cytocar gate day09.fcs -t cart-cd19fc-fixed --beads-added 2500 --sample-volume-ul 6 --format csv``: fixed
gates, so that no library's change of a density estimate counts as a fault of the installation."""
GOLDEN_TEMPLATE = "cart-cd19fc-fixed"
_TOLERANCE = 1e-5
"""Tables have six digits; the last one may round either way."""
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[.*?\])?\s*([^;]*)(?:;.*extra == ['\"]([^'\"]+)['\"])?")


class Health(StrEnum):
    """What became of one thing that was examined."""

    OK = "ok"
    ABSENT = "absent"  # an extra: nothing is wrong
    WRONG = "wrong"


class Examined(Struct, frozen=True):
    """One thing that was examined."""

    health: Health
    what: str
    message: str


def examine() -> tuple[Examined, ...]:
    """Return everything that was examined."""
    here = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {usable_cores()} cores"
    return (
        Examined(Health.OK, "cytocar", f"{__version__} in {Path(__file__).parents[1]}"),
        Examined(Health.OK, "system", here),
        *_packages(),
        *_templates(),
        _golden(),
    )


def _packages() -> Iterator[Examined]:
    try:
        needed = requires("cytocar") or []
    except PackageNotFoundError:
        yield Examined(Health.ABSENT, "packages", "cytocar runs from its source folder, so their list is not known")
        return
    for requirement in needed:
        name, wanted, extra = _parsed(requirement)
        if extra in ("test", "dev"):
            continue
        what = f"{name} (extra {extra})" if extra else name
        try:
            installed = version(name)
        except PackageNotFoundError:
            installed = "not installed"
        if installed != "not installed" and satisfies(installed, wanted):
            yield Examined(Health.OK, what, installed)
        elif extra:
            yield Examined(
                Health.ABSENT, what, f"{installed}, wanted is {wanted}: in the clone: pip install '.[{extra}]'"
            )
        else:
            yield Examined(Health.WRONG, what, f"{installed}, needed is {wanted or 'any version'}")


def _parsed(requirement: str) -> tuple[str, str, str | None]:
    """Return name, version and extra of a requirement.

    Examples
    --------
    >>> _parsed("pyarrow>=14 ; extra == 'parquet'")
    ('pyarrow', '>=14', 'parquet')
    """
    match = _REQUIREMENT.match(requirement)
    return (match[1], match[2].strip(), match[3]) if match else (requirement, "", None)


def satisfies(installed: str, wanted: str) -> bool:
    """True if a version is among those wanted: ``>=``, ``<`` and ``==`` are all that our requirements use.

    Examples
    --------
    >>> satisfies("2.4.6", ">=1.26"), satisfies("2.4.6", "<2"), satisfies("1.4.0", "<2,>=1.4")
    (True, False, True)
    """
    here = _numbers(installed)
    for term in filter(None, (part.strip() for part in wanted.split(","))):
        sign, number = term.rstrip("0123456789.").strip(), _numbers(term)
        holds = {">=": here >= number, "<": here < number, "==": here[: len(number)] == number}.get(sign, True)
        if not holds:
            return False
    return True


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:4])


def _templates() -> Iterator[Examined]:
    for name in bundled_templates():
        try:
            loaded = read_template(name)
        except CytocarError as error:
            yield Examined(Health.WRONG, f"template {name}", error.message)
        else:
            about = f"{loaded.template.version}, {loaded.status}, {loaded.sha256[:12]}"
            yield Examined(Health.OK, f"template {name}", about)


# ---------------------------------------------------------------- the golden sample


def _golden() -> Examined:
    what = "golden sample"
    folder = sample_data_folder() / "small"
    try:
        with (folder / GOLDEN_TABLE).open(encoding="utf-8", newline="") as file:
            expected = next(csv.DictReader(file))
        counted = golden_row(folder / GOLDEN_SAMPLE)
    except (OSError, StopIteration, CytocarError) as error:
        return Examined(Health.WRONG, what, f"cannot be counted: {error}")
    differing = [name for name, text in counted.items() if not same_number(expected.get(name, ""), text)]
    if differing:
        name = differing[0]
        more = f", and {len(differing) - 1} more columns" if len(differing) > 1 else ""
        return Examined(Health.WRONG, what, f"{name} is {counted[name]}, expected {expected.get(name)}{more}")
    return Examined(
        Health.OK, what, f"{counted['car_per_ul']} CAR-T cells/µL, and {len(counted) - 1} more numbers agree"
    )


def golden_row(file: Path) -> dict[str, str]:
    """Return the numbers of the golden sample's line of counts.csv, as text by column.

    Raises
    ------
    CytocarError
        If it cannot be counted.
    """
    given = given_for_all(beads_added=2500, sample_volume_ul=6)
    plan = make_plan(collect([str(file)], given=given), template=GOLDEN_TEMPLATE)
    (sample,) = plan.samples
    outcome = analyse(sample, plan.protocols[sample.sample_id])
    if not isinstance(outcome, SampleResult):
        raise CytocarError("; ".join(finding.message for finding in outcome.findings), code="E128")
    row = outcome.row()
    return {name: cell(row[name]) for name in COUNTS_NUMBERS}


def same_number(expected: str, actual: str) -> bool:
    """True if two cells hold the same number, to the digits that a table has, or are both empty.

    Examples
    --------
    >>> same_number("514.228", "514.229"), same_number("514.228", "514.3"), same_number("", "0")
    (True, False, False)
    """
    if not expected or not actual:
        return expected == actual
    return math.isclose(float(expected), float(actual), rel_tol=_TOLERANCE, abs_tol=1e-12)


def is_sound(examined: Sequence[Examined]) -> bool:
    """True if nothing is wrong."""
    return all(one.health is not Health.WRONG for one in examined)
