"""Tables as Parquet, for whoever joins many runs: typed columns, with unit and meaning in each column's metadata.

Needs pyarrow (``pip install '.[parquet]'``). Numbers have six digits, as in the CSV tables; text is as it is,
since no spreadsheet runs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from io import BytesIO

from cytocar.errors.tree import UsageError
from cytocar.tables.columns import Column, Row, json_value


def require_pyarrow() -> None:
    """Refuse early, before anything is counted, where pyarrow is not installed.

    Raises
    ------
    UsageError
        E117 if it is not.
    """
    if find_spec("pyarrow") is None:
        raise UsageError(
            "Parquet tables need pyarrow, which is not installed",
            code="E117",
            hint="in the clone: pip install '.[parquet]'; or leave out --parquet: the CSV tables hold the same",
        )


def parquet_bytes(columns: Sequence[Column], rows: Sequence[Row]) -> bytes:
    """Return a table as a Parquet file."""
    import pyarrow
    from pyarrow import parquet

    types = {
        "string": pyarrow.string(),
        "integer": pyarrow.int64(),
        "number": pyarrow.float64(),
        "boolean": pyarrow.bool_(),
    }
    fields = [
        pyarrow.field(column.name, types[column.type], metadata={"unit": column.unit, "description": column.meaning})
        for column in columns
    ]
    arrays = [
        pyarrow.array([_typed(row.get(column.name), column) for row in rows], type=types[column.type])
        for column in columns
    ]
    out = BytesIO()
    parquet.write_table(pyarrow.Table.from_arrays(arrays, schema=pyarrow.schema(fields)), out)
    return out.getvalue()


def _typed(value: str | float | bool | None, column: Column) -> str | float | bool | None:
    number = json_value(value)
    return float(number) if column.type == "number" and isinstance(number, int) else number
