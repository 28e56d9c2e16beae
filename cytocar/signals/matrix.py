"""A spillover or spectrum matrix as a template declares it."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import model_validator

from cytocar.signals.declaration import Part


class Matrix(Part):
    """A named spectrum matrix: one row per fluorochrome, one column per detector."""

    fluorochromes: tuple[str, ...]
    detectors: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    inverted: bool = False

    @model_validator(mode="after")
    def _shape_fits_names(self) -> Self:
        rows, columns = len(self.fluorochromes), len(self.detectors)
        said = []
        if len(set(self.fluorochromes)) < rows or len(set(self.detectors)) < columns:
            said.append("a fluorochrome or a detector is named twice")
        if len(self.values) != rows or any(len(row) != columns for row in self.values):
            said.append(f"values needs {rows} rows (fluorochromes) of {columns} numbers (detectors)")
        elif rows == 0 or np.linalg.matrix_rank(np.array(self.values)) < rows:
            said.append("values cannot be inverted: the rows must not follow from one another")
        if said:
            raise ValueError("; ".join(said))
        return self
