"""What a template becomes on one sample: channels, gates, matrix, ready to be written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cytocar.gates.walk import walk
from cytocar.signals.compensation import SpilloverMatrix
from cytocar.signals.panel import resolve
from cytocar.template.gatingml.write import Applied

if TYPE_CHECKING:
    from cytocar.fcs.events import EventTable
    from cytocar.gates.populations import Populations
    from cytocar.regions.kinds import FixedGate
    from cytocar.template.model import Template

KEYWORDS_OF_FCS = ("$SPILLOVER", "SPILLOVER", "SPILL", "$SPILL")
"""Keywords that every program understands by Gating-ML's ``FCS``."""


def applied_to(
    events: EventTable,
    template: Template,
    *,
    populations: Populations | None = None,
    gates: Mapping[str, FixedGate] | None = None,
    markers: Mapping[str, str] | None = None,
    compensation: SpilloverMatrix | None = None,
) -> Applied:
    """Return a template as it is applied to one sample.

    Parameters
    ----------
    events : EventTable
        The sample.
    template : Template
        Its gates.
    populations : Populations, optional
        The sample as gated already, for instance with control samples; gated here without any otherwise.
    gates : mapping, optional
        In place of ``populations``: the gates of a counted sample.
    markers, compensation
        As for gating.
    """
    if gates is None:
        gates = (populations or walk(events, template, markers=markers, compensation=compensation)).fitted
    carried = SpilloverMatrix.from_keywords(events.keywords)
    is_plain = carried is not None and _is_what_fcs_means(carried, events)
    if compensation is None and template.compensation.source == "file" and not is_plain:
        compensation = carried
    panel = resolve(template.panel, events.channels, overrides=markers)
    return Applied(
        sample=events.path.name if events.path is not None else "the sample",
        channels={name: channel.detector for name, channel in panel.items()},
        gates=dict(gates),
        compensated=carried.detectors if carried is not None and is_plain else (),
        matrix=compensation,
    )


def _is_what_fcs_means(matrix: SpilloverMatrix, events: EventTable) -> bool:
    """True if other programs read the same matrix from the file; any other one is written out.

    FlowKit 1.3 for one demands that it covers every fluorescence channel.
    """
    fluorescent = {
        channel.detector
        for channel in events.channels
        if not channel.is_time and not channel.detector.upper().startswith(("FSC", "SSC"))
    }
    return matrix.origin in KEYWORDS_OF_FCS and set(matrix.detectors) == fluorescent
