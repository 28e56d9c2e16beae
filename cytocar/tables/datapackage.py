"""``datapackage.json``: the tables of a run described for machines (Data Package v2: types, units, keys)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cytocar.tables.columns import Column
from cytocar.version import __version__

_PROFILE = "https://datapackage.org/profiles/2.0/datapackage.json"
_PRIMARY_KEYS = {"counts": ["sample_id"], "populations": ["sample_id", "population"]}


def describe(tables: Mapping[str, Sequence[Column]], *, name: str = "cytocar-run") -> dict[str, Any]:
    """Return the descriptor of a run's or a course's tables, by table name.

    Source: Data Package v2 (datapackage.org); units stand as ``unit`` beside each field.
    """
    return {
        "$schema": _PROFILE,
        "name": name,
        "title": "Absolute cell counts from flow cytometry",
        "description": f"Written by cytocar {__version__}. Research use, not for diagnosis.",
        "resources": [_resource(table, columns, of_counts="counts" in tables) for table, columns in tables.items()],
    }


def _resource(name: str, columns: Sequence[Column], *, of_counts: bool) -> dict[str, Any]:
    schema: dict[str, Any] = {"fields": [_field(column) for column in columns], "missingValues": [""]}
    if name in _PRIMARY_KEYS:
        schema["primaryKey"] = _PRIMARY_KEYS[name]
    if of_counts and name != "counts":
        reference = {"resource": "counts", "fields": ["sample_id"]}
        schema["foreignKeys"] = [{"fields": ["sample_id"], "reference": reference}]
    return {
        "name": name,
        "path": f"{name}.csv",
        "type": "table",
        "scheme": "file",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "dialect": {"lineTerminator": "\n"},
        "schema": schema,
    }


def _field(column: Column) -> dict[str, Any]:
    field: dict[str, Any] = {"name": column.name, "type": column.type, "description": column.meaning}
    return field | {"unit": column.unit} if column.unit else field
