"""The channels that the editor offers beside a template's own: each of the file's, also where two bear one label."""

from __future__ import annotations

import numpy as np

from cytocar.editor.panel import with_other_channels
from cytocar.fcs.events import EventTable
from cytocar.fit.names import alias_book
from cytocar.signals.declaration import declare
from cytocar.signals.marker import Marker
from cytocar.signals.panel import resolve


def test_two_channels_of_one_label_are_each_offered_and_in_the_file() -> None:
    names = ("FSC-A", "SSC-A", "FITC-A", "610/20Yellow-A", "710/50Yellow-A", "APC-A")
    labels = {"FITC-A": "CD3", "610/20Yellow-A": "EMPTY", "710/50Yellow-A": "EMPTY", "APC-A": "CD4"}
    table = EventTable.from_columns({name: np.ones(9) for name in names}, markers=labels)
    document = with_other_channels({"panel": {"CD3": {"aliases": ["CD3"]}}}, [table], alias_book())
    panel = {name: declare(Marker, entry) for name, entry in document["panel"].items()}
    assert {channel.detector for channel in resolve(panel, table.channels).values()} == set(names)
