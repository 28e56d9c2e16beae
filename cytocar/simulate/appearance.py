"""What files of other laboratories look like: the CAR channel's label, the instrument, channels that are not stored,
signals that were unmixed.
"""

from __future__ import annotations

import re

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from cytocar.errors.tree import UsageError
from cytocar.fcs.keywords import BY_STANDARD, VOLUME_RULES
from cytocar.simulate.acquire import MARKERS, SimulatedTube
from cytocar.simulate.instrument import FLUORESCENCE, SCATTER, SPILLOVER

_CAR_DETECTOR = "PE-A"
SPECTRAL_GAIN = 16.0
"""From a scale of 262,144 to one of 4,194,304."""


class Appearance(Struct, frozen=True):
    """How a simulated tube is labelled; its events are the same.

    Parameters
    ----------
    car_label : str
        What ``$PnS`` of the CAR channel says.
    cytometer : str, optional
        ``$CYT``; ``$VOL`` is then written in the unit that this instrument writes.
    without : tuple of str
        Scatter channels that are not stored, such as ``FSC-H``.
    unmixed : bool
        The dyes' own signals on a spectral cytometer's scale, with an identity in place of the spillover matrix.

    Raises
    ------
    UsageError
        E100 if a channel to leave out is no scatter channel: without a dye the matrix would be another.
    """

    car_label: str = MARKERS[_CAR_DETECTOR]
    cytometer: str | None = None
    without: tuple[str, ...] = ()
    unmixed: bool = False

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.without) - set(SCATTER)):
            raise UsageError(
                f"{unknown[0]} cannot be left out",
                code="E100",
                hint=f"scatter channels can: {', '.join(SCATTER)}",
            )

    @property
    def template(self) -> str:
        """The bundled template that reads such a file; empty where none does."""
        if self.without or self.unmixed:
            return ""
        return "cart-cd19fc" if self.car_label == MARKERS[_CAR_DETECTOR] else "cart-generic"

    def of(self, tube: SimulatedTube) -> SimulatedTube:
        """Return the tube as such a file shows it.

        Examples
        --------
        >>> from cytocar.simulate.acquire import blood_tube
        >>> tube = Appearance("anti-FMC63", "Aurora", ("FSC-H",)).of(blood_tube(car_per_ul=100, seed=1))
        >>> tube.markers["PE-A"], tube.keywords["$CYT"], tube.keywords["$VOL"], "FSC-H" in tube.columns
        ('anti-FMC63', 'Aurora', '450', False)
        """
        keywords = dict(tube.keywords)
        if self.cytometer is not None:
            named = (rule for rule in VOLUME_RULES if re.search(rule.cytometer, self.cytometer.casefold()))
            rule = next((rule for rule in named if rule.key == "$VOL"), BY_STANDARD)
            keywords |= {"$CYT": self.cytometer, "$VOL": f"{tube.drawn.acquired_volume_ul * rule.units_per_ul:g}"}
        columns = dict(tube.columns)
        if self.unmixed:
            signals = np.column_stack([columns[name] for name in FLUORESCENCE]) @ np.linalg.inv(SPILLOVER)
            columns |= dict(zip(FLUORESCENCE, signals.T, strict=True))
            scaled = {name: SPECTRAL_GAIN * columns[name] for name in (*FLUORESCENCE, *SCATTER) if name in columns}
            columns |= {name: values.astype(np.float32) for name, values in scaled.items() if not name.endswith("-W")}
            identity = (f"{value:g}" for value in np.eye(len(FLUORESCENCE)).ravel())
            keywords["$SPILLOVER"] = ",".join([str(len(FLUORESCENCE)), *FLUORESCENCE, *identity])
        return replace(
            tube,
            columns={name: column for name, column in columns.items() if name not in self.without},
            markers={**tube.markers, _CAR_DETECTOR: self.car_label},
            keywords=keywords,
        )
