"""Small FlowJo workspaces and FCS files for tests, built from what they hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cytocar.fcs.write import write_fcs

SPACES = (
    'xmlns:gating="http://www.isac-net.org/std/Gating-ML/v2.0/gating" '
    'xmlns:transforms="http://www.isac-net.org/std/Gating-ML/v2.0/transformations" '
    'xmlns:data-type="http://www.isac-net.org/std/Gating-ML/v2.0/datatypes"'
)
EVENTS = np.column_stack([np.arange(100.0), np.arange(100.0)[::-1]])
"""FITC-A rises from 0 to 99, PE-A falls from 99 to 0."""


def above(low: float, *, name: str = "p", channel: str = "FITC-A", under: str = "", count: int | None = None) -> str:
    """Return a population: a rectangle that is open above."""
    counted = "" if count is None else f' count="{count}"'
    return (
        f'<Population name="{name}"{counted}><Gate><gating:RectangleGate eventsInside="1">'
        f'<gating:dimension gating:min="{low}"><data-type:fcs-dimension data-type:name="{channel}"/></gating:dimension>'
        f"</gating:RectangleGate></Gate><Subpopulations>{under}</Subpopulations></Population>"
    )


@dataclass(frozen=True)
class Tube:
    """One sample of a workspace and its file."""

    number: int
    gates: str
    name: str = ""
    begun: str = "10:00:00"
    head: str = ""
    total: int = 100
    keywords: Mapping[str, str] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """The file's name."""
        return self.name or f"tube{self.number}.fcs"

    def text(self) -> str:
        """Return the ``<Sample>``."""
        keywords = {
            "$P1N": "FITC-A",
            "$P1S": "CD3",
            "$P2N": "PE-A",
            "$PAR": "2",
            "$TOT": str(self.total),
            "$BTIM": self.begun,
            **self.keywords,
        }
        listed = "".join(f'<Keyword name="{key}" value="{value}"/>' for key, value in keywords.items())
        return (
            f'<Sample><DataSet uri="file:/c:/study/{self.file}" sampleID="{self.number}"/>{self.head}'
            f"<Keywords>{listed}</Keywords>"
            f'<SampleNode name="{self.file}" sampleID="{self.number}" count="{self.total}">'
            f"<Subpopulations>{self.gates}</Subpopulations></SampleNode></Sample>"
        )

    def write(self, folder: Path, events: npt.NDArray[np.float64] = EVENTS, *, name: str = "") -> Path:
        """Write the file into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / (name or self.file)
        columns = {"FITC-A": events[:, 0], "PE-A": events[:, 1]}
        write_fcs(path, columns, markers={"FITC-A": "CD3"}, keywords={"$BTIM": self.begun, **self.keywords})
        return path


def workspace(*tubes: Tube, before: str = "") -> bytes:
    """Return a workspace."""
    listed = "".join(tube.text() for tube in tubes)
    return f'<Workspace version="20.0" {SPACES}>{before}<SampleList>{listed}</SampleList></Workspace>'.encode()


def matrix(values: str, *, name: str = "m") -> str:
    """Return a ``<spilloverMatrix>`` of FITC-A and PE-A from its numbers, row by row: ``1 0.25 0 1``."""
    numbers = values.split()
    rows = "".join(
        "<transforms:spillover>"
        + "".join(f'<transforms:coefficient transforms:value="{value}"/>' for value in row)
        + "</transforms:spillover>"
        for row in (numbers[:2], numbers[2:])
    )
    listed = "".join(f'<data-type:parameter data-type:name="{one}"/>' for one in ("FITC-A", "PE-A"))
    return (
        f'<transforms:spilloverMatrix name="{name}" prefix="Comp-" suffix=""><data-type:parameters>{listed}'
        f"</data-type:parameters>{rows}</transforms:spilloverMatrix>"
    )
