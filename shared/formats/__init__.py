"""The formats in which a source may publish, and the one place where they are listed.

A further format is a module beside ``capability_index.py`` and a row in FORMATS.
"""

from __future__ import annotations

from shared.formats.capability_index import INDEX
from shared.formats.federated_index import HUB
from shared.formats.protocol import UNKNOWN, Publisher, Reading, Relayed, SourceFormat

__all__ = ["FORMATS", "HUB", "INDEX", "UNKNOWN", "Publisher", "Reading", "Relayed", "SourceFormat", "recognised"]

FORMATS: dict[str, SourceFormat] = {INDEX.name: INDEX, HUB.name: HUB}
"""Every format by its name. INDEX is that of every registration."""


def recognised(data: object) -> SourceFormat | None:
    """Return the format whose signs *data* bears, that with the most of them where several fit, or None.

    For telling people what a document seems to be. How a source is read is never decided by what it sends: whoever
    publishes one index would otherwise speak for every repo.
    """
    members = data.keys() if isinstance(data, dict) else ()
    fitting = [row for row in FORMATS.values() if row.signs <= set(members)]
    return max(fitting, key=lambda row: len(row.signs), default=None)
