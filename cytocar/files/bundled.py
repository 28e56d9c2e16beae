"""Where the bundled templates and the sample data lie: beside the package in a checkout, inside it when installed."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def _bundled(name: str) -> Path:
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def template_folder() -> Path:
    """Return the folder of the bundled gating templates (``*.toml``)."""
    return _bundled("gating_templates")


def sample_data_folder() -> Path:
    """Return the folder of the sample course: scenario, sheet, clinical values, small FCS files."""
    return _bundled("sample_data")
