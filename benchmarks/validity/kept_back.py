"""Spike-ins of further real files without a control, looked at once after the fall of negatives had been set."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.validity.spikes import LARGE, SPIKES, Side, Spike, shared_data, unaided_tubes

OF_68983, ACTIVATION = "flowjo_studies/flowsom_68983/68983.fcs", "tcell_human/more/activation_10.fcs"
MARKERS = {
    LARGE: ("CD57", "CCR7", "CD127"),
    OF_68983: ("CD4", "CD8", "CD3", "NK1/1", "CD19"),
    ACTIVATION: ("PE-A", "Alexa Fluor 700-A", "Alexa Fluor 405-A", "Qdot 605-A", "Alexa Fluor 488-A"),
}
KEPT_BACK = {
    **{
        f"{marker} of {file}": Spike(marker, Side(file, (), (marker,)), Side(file, (marker,)))
        for file, markers in MARKERS.items()
        for marker in markers
    },
    **{name: spike for name, spike in SPIKES.items() if "PBMC" not in name},
}
PERCENTAGES, PLACES = (0.0, 0.1, 1.0, 10.0, 40.0), (0.8, 1.0, 1.2, 1.4)
FEW_NEGATIVES = 0.05
HEAD = (
    "files kept back, no control",
    "threshold",
    "tubes",
    "holds the truth",
    "wrong and does not ask",
    "asks, of tubes with less than 5 % negatives in the gate",
)


def rows(tubes: int) -> Iterator[tuple[str, ...]]:
    """Yield a line per percentage and threshold over all files, for so many tubes of each."""
    folder = shared_data()
    if folder is None:
        return
    for percent in PERCENTAGES:
        for place in PLACES:
            trials = [
                (one.low <= one.true <= one.high, one.asks, negatives < FEW_NEGATIVES)
                for spike in KEPT_BACK.values()
                for one, negatives in unaided_tubes(folder, spike, percent, place, tubes)
            ]
            holds, asks, few = np.array(trials).T
            yield (
                f"{percent:g} %",
                f"{place:g}",
                str(len(holds)),
                f"{100 * holds.mean():.0f} %",
                f"{100 * (~holds & ~asks).mean():.1f} %",
                f"{100 * asks[few].mean():.0f} % of {few.sum()}" if few.any() else "",
            )
