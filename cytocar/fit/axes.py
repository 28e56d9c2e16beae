"""The scales of a template's axes: the top that the data reach, the width that their negatives need."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from cytocar.fit.lines import rounded
from cytocar.fit.names import is_fluorescence
from cytocar.fit.tubes import Tube
from cytocar.signals.scales import AnyScale, AsinhScale, LinearScale, LogicleScale

BD_TOP, BD_DECADES = 262144.0, 4.5
WIDTH_WITHOUT_NEGATIVES, NARROWEST, WIDEST_SHARE = 0.3, 0.2, 0.3
SMALLEST_COUNTED = 1024.0
"""A top below ten bits is a share of the range, not a number of steps: its decades are those of the usual range."""
MASS_COFACTOR = 5.0
"""Of arcsinh on mass cytometers, as everybody draws them: it parts CD3, CD4 and CD8 better there than a logicle."""


def scales_of(tubes: Sequence[Tube], *, narrower: float = 0.0) -> dict[str, AnyScale]:
    """Return the scale of each marker's axis, the same for all files.

    Parameters
    ----------
    narrower : float
        Decades by which the linear part is narrower than the negatives ask for: too wide a one hides a valley.
    """
    stain = _stain_scale(tubes, narrower)
    scales: dict[str, AnyScale] = {}
    for tube in tubes:
        for marker, channel in tube.panel.channels.items():
            if is_fluorescence(channel) or marker not in ("FSC-A", "FSC-H", "FSC-W", "SSC-A", "SSC-H", "SSC-W"):
                scales[marker] = stain
                continue
            highest = max(float(one.signals[marker].max()) for one in tubes if marker in one.signals)
            beyond = highest > 1.01 * channel.top
            scales.setdefault(marker, LinearScale(T=rounded(1.05 * highest)) if beyond else LinearScale())
    return scales


def _stain_scale(tubes: Sequence[Tube], narrower: float) -> LogicleScale | AsinhScale:
    top = float(np.median(sorted(tube.top for tube in tubes)[len(tubes) // 2 :][:1]))
    if all(tube.mass for tube in tubes):
        top = max(top, 1000.0)
        return AsinhScale(T=top, M=round(math.asinh(top / MASS_COFACTOR) / math.log(10), 4))
    negatives = [tube.negatives for tube in tubes if tube.negatives is not None]
    return stain_scale_of(top, float(np.median(negatives)) if negatives else None, narrower=narrower)


def stain_scale_of(top: float, negatives: float | None, *, narrower: float = 0.0) -> LogicleScale:
    """Return the logicle scale of signals that reach a top, with negative values of some size.

    Notes
    -----
    W as Parks 2006 sets it, from a low quantile of the negatives; decades in proportion to the top, from 4.5 of BD's.

    Examples
    --------
    >>> scale = stain_scale_of(262144, 200.0)
    >>> scale.M, scale.W
    (4.5, 0.69)
    """
    decades = math.log10(top / BD_TOP)
    M = BD_DECADES + decades if decades > 0 else max(3.0, BD_DECADES + 0.6 * decades)
    if top < SMALLEST_COUNTED:
        M = BD_DECADES
    W = (M - math.log10(top / negatives)) / 2 if negatives else WIDTH_WITHOUT_NEGATIVES
    W = min(max(W - narrower, NARROWEST), WIDEST_SHARE * M)
    return LogicleScale(T=top, M=round(M, 3), W=round(W, 2))
