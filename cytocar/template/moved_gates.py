"""Gates that stand elsewhere on some samples, as a file beside the sheet: what its column ``overrides`` names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Literal

from msgspec import field
from msgspec.structs import replace

from cytocar.errors.tree import SheetError
from cytocar.files.places import Place
from cytocar.regions.kinds import FixedGate
from cytocar.signals.declaration import Declaration, NotDeclaredError, declare
from cytocar.signals.scales import AnyScale
from cytocar.template.model import Template


class MovedGates(Declaration, frozen=True, kw_only=True):
    """What stands elsewhere on one sample: gates by their population, scales by their marker."""

    gates: dict[str, FixedGate] = field(default_factory=dict)
    scales: dict[str, AnyScale] = field(default_factory=dict)
    reason: str = ""

    def on(self, template: Template) -> Template:
        """Return a template with its gates and scales as they are on the sample."""
        populations = tuple(
            replace(population, gate=self.gates[population.name]) if population.name in self.gates else population
            for population in template.populations
        )
        return replace(template, populations=populations, scales={**template.scales, **self.scales})


class MovedGatesFile(Declaration, frozen=True, kw_only=True):
    """The file: why, and what of each sample."""

    format: Literal["cytocar-overrides-1"] = "cytocar-overrides-1"
    reason: str
    samples: dict[str, MovedGates]

    def text(self) -> str:
        """Return the file's content."""
        content = {"format": self.format, **self.beyond_defaults()}
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def read_moved_gates(path: Place) -> Mapping[str, MovedGates]:
    """The moved gates, by sample.

    Raises
    ------
    SheetError
        E148 the file cannot be read, or is not as it should be.
    """
    try:
        read = declare(MovedGatesFile, json.loads(path.read_bytes()))
    except OSError as error:
        raise _unusable(path, error.strerror or "cannot be read") from error
    except NotDeclaredError as error:
        raise _unusable(path, str(error.faults[0])) from error
    except ValueError as error:
        raise _unusable(path, f"it is not JSON: {error}") from error
    return {name: replace(moved, reason=read.reason) for name, moved in read.samples.items()}


def check_fits(moved: MovedGates, template: Template, *, where: str) -> None:
    """Refuse gates on populations or markers that the template does not have (E148)."""
    populations = {population.name for population in template.populations}
    markers = {marker for gate in moved.gates.values() for marker in (*gate.markers(), *moved.scales)}
    unknown = sorted({*moved.gates} - populations) + sorted(markers - set(template.panel))
    if unknown:
        raise SheetError(
            f"{where}: the overrides name {', '.join(unknown)}, which template {template.name} does not have",
            code="E148",
            hint="import the study again, or correct the file of overrides",
        )


def _unusable(path: Place, why: str) -> SheetError:
    return SheetError(
        f"the overrides {path.name} cannot be used: {why}",
        code="E148",
        hint="import the study again, or correct the sheet's column overrides",
    )
