"""What happens to blood before the laser: how much is pipetted, what is added, how much is drawn."""

from __future__ import annotations

from msgspec import Struct


class Volumes(Struct, frozen=True):
    """Blood in the tube, everything in the tube, and the part of that which the cytometer drew."""

    sample_ul: float
    final_ul: float
    acquired_ul: float


class Preparation(Struct, frozen=True):
    """How the blood was prepared and acquired.

    Parameters
    ----------
    sample_volume_ul : float, optional
        Blood pipetted; without it what ``volume_for`` says.
    beads_added : float
        Beads in the tube, 0 for none.
    drawn_share : float
        Part of the tube that the cytometer draws.
    flow_ul_per_min : float
        Speed of the sample.
    stored_below_ssc : float, optional
        Events with a larger side scatter are not stored: keeps granulocytes out of files about rare cells.
    doublet_share, bead_doublet_share, debris_share, sticky_share : float
        See ``cytocar.simulate.drawing.Mixture``.
    """

    sample_volume_ul: float | None = None
    beads_added: float = 20_000.0
    drawn_share: float = 0.9
    flow_ul_per_min: float = 120.0
    stored_below_ssc: float | None = None
    doublet_share: float = 0.02
    bead_doublet_share: float = 0.002
    debris_share: float = 0.15
    sticky_share: float = 0.0001

    def volumes(self, car_per_ul: float) -> Volumes:
        """Return the volumes of a tube of blood with so many CAR-T cells per µL.

        >>> Preparation().volumes(100)
        Volumes(sample_ul=50.0, final_ul=500.0, acquired_ul=450.0)
        """
        sample_ul = self.sample_volume_ul or volume_for(car_per_ul)
        final_ul = max(500.0, 4 * sample_ul)  # lyse solution is not washed off
        return Volumes(sample_ul, final_ul, self.drawn_share * final_ul)


def volume_for(car_per_ul: float) -> float:
    """Return the blood to pipette, µL: enough for some 300 CAR-T cells, within 50 and 300, as a laboratory would.

    >>> volume_for(1000), volume_for(3), volume_for(0.2)
    (50.0, 100.0, 300.0)
    """
    return min(max(300 / max(car_per_ul, 1e-6), 50.0), 300.0)
