"""What a laboratory's own studies say of a tube: its place in a method validation, and the product that it is of."""

from __future__ import annotations

from cytocar.sheet.tube import Tube


class LaboratoryTube(Tube, frozen=True, kw_only=True):
    """A tube of a validation or of an infusion product; ``None`` where the sheet says nothing.

    ``val_*``: study, level, day, run, replicate and operator name the tube's place in a design; ``val_expected`` is the
    value that was expected, ``val_hours`` the hours since the specimen was drawn. ``bag_volume_ml``, ``tnc_per_ml``
    (nucleated cells), ``weight_kg`` of the recipient and ``vcn_per_cell`` (vector copies) describe a product.
    """

    val_study: str | None = None
    val_level: str | None = None
    val_day: str | None = None
    val_run: str | None = None
    val_rep: str | None = None
    val_operator: str | None = None
    val_expected: float | None = None
    val_hours: float | None = None
    bag_volume_ml: float | None = None
    tnc_per_ml: float | None = None
    weight_kg: float | None = None
    vcn_per_cell: float | None = None


LOT_COLUMN = "x_lot_"
"""How a column of the sheet begins that names the lot of a reagent: ``x_lot_CD3``."""

LABORATORY_COLUMNS = tuple(name for name in LaboratoryTube.__struct_fields__ if name not in Tube.__struct_fields__)
"""The columns of ``LaboratoryTube``, in their order."""
