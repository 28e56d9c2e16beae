"""One tube of the sample course as columns, to be written with one thing changed: what such a file must come to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
from msgspec import Struct, field
from msgspec.structs import replace

from cytocar.errors.findings import Severity
from cytocar.fcs.reader import open_fcs
from cytocar.fcs.write import Storage, write_fcs
from cytocar.sample.analysis import quantify
from cytocar.sample.result import SampleResult
from cytocar.simulate import Preparation, blood_tube
from cytocar.simulate.course import read_scenario
from cytocar.template.load import load_template

EVENTS = 40_000
CAR_PER_UL, T_CELLS, CD4, CAR_CELLS, BEADS = 1076.76, 20_064, 6_396, 18_235, 6_774
"""What the fixed template counts in the tube with 20,000 beads in 50 µL."""

FLUORESCENCE = ("FITC-A", "PE-A", "PerCP-Cy5-5-A", "PE-Cy7-A", "APC-A", "APC-H7-A", "V450-A", "V500-A")


class ReferenceTube(Struct, frozen=True):
    """Columns and keywords of a tube; each method returns a changed copy."""

    columns: Mapping[str, npt.NDArray[np.float64]]
    markers: Mapping[str, str]
    keywords: Mapping[str, str]
    ranges: Mapping[str, float] = field(default_factory=dict)

    def labelled(self, **markers: str) -> Self:
        """Return the tube with other ``$PnS``, by detector with ``_`` for ``-``."""
        changed = {name.replace("_", "-"): label for name, label in markers.items()}
        return replace(self, markers={k: v for k, v in {**self.markers, **changed}.items() if v})

    def with_keywords(self, **keywords: str | None) -> Self:
        """Return the tube with other keywords, whose ``$`` is written ``S_``; None takes one away."""
        changed = {name.replace("S_", "$", 1): text for name, text in keywords.items()}
        return replace(self, keywords={k: v for k, v in {**self.keywords, **changed}.items() if v is not None})

    def with_column(self, detector: str, values: npt.ArrayLike) -> Self:
        """Return the tube with another column."""
        return replace(self, columns={**self.columns, detector: np.asarray(values, dtype=np.float64)})

    def renamed(self, names: Mapping[str, str]) -> Self:
        """Return the tube with other detector names."""
        return replace(
            self,
            columns={names.get(name, name): column for name, column in self.columns.items()},
            markers={names.get(name, name): label for name, label in self.markers.items()},
        )

    def write(self, path: Path, *, storage: Storage = "float32") -> Path:
        """Write the tube as an FCS file."""
        write_fcs(path, self.columns, markers=self.markers, ranges=self.ranges, keywords=self.keywords, storage=storage)
        return path


def spillover(values: npt.ArrayLike, names: tuple[str, ...] = FLUORESCENCE) -> str:
    """Return a matrix as ``$SPILLOVER`` spells it."""
    return ",".join([str(len(names)), *names, *(f"{value:.10g}" for value in np.asarray(values).reshape(-1))])


@cache
def reference_tube(events: int = EVENTS) -> ReferenceTube:
    """Return the first events of the sample course's day 9."""
    return _course_tube("day09", 5, volume_ul=50, events=events)


@cache
def baseline_tube(events: int = EVENTS) -> ReferenceTube:
    """Return the first events of the sample course's baseline, which holds no CAR-T cell."""
    return _course_tube("baseline", 0, volume_ul=200, events=events)


def _course_tube(name: str, place: int, *, volume_ul: float, events: int) -> ReferenceTube:
    scenario = read_scenario()
    known = scenario.tubes[name]
    tube = blood_tube(
        car_per_ul=known.car_per_ul,
        car_cd4_cd8=known.car_cd4_cd8,
        blood=known.blood,
        preparation=Preparation(
            sample_volume_ul=volume_ul, beads_added=20_000, stored_below_ssc=known.stored_below_ssc
        ),
        seed=np.random.SeedSequence(scenario.seed, spawn_key=(place,)),
        acquired_at=datetime(2024, 3, 14, 8, 15),
    )
    table = tube.events
    columns = {channel.detector: table.column(channel)[:events] for channel in table.channels}
    matrix = table.keywords["$SPILLOVER"]
    return ReferenceTube(
        columns=columns,
        markers={channel.detector: channel.marker for channel in table.channels if channel.marker},
        keywords={"$SPILLOVER": matrix, "$TIMESTEP": table.keywords["$TIMESTEP"]},
    )


def count(path: Path, **given: object) -> SampleResult:
    """Return the counts of a file, with 20,000 beads in 50 µL unless something else is given."""
    row = {"beads_added": 20_000, "sample_volume_ul": 50} | given
    return quantify(open_fcs(path), load_template("cart-cd19fc-fixed"), **row)  # type: ignore[arg-type]  # the caller's words


def codes(result: SampleResult, *outcomes: Severity) -> set[str]:
    """Return the codes of a result's findings, those that passed left out."""
    return {one.code for one in result.findings if one.code and (not outcomes or one.outcome in outcomes)}
