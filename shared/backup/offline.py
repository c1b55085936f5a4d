"""A backup of a hub that is stopped, taken from its data directory."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from shared.backup import Snapshot
from shared.hub import open_hub
from shared.problems import StartError
from shared.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


def back_up(folder: Path) -> bytes:
    """Return the backup of the hub whose data directory is *folder*.

    Raise StartError when nothing of a hub is there, when a hub runs on it, or when it is damaged.
    """
    if not (folder / "registrations.json").exists():
        raise StartError(f"{folder} holds nothing of a hub.")
    hub = open_hub(Settings(data_dir=folder, refresh=False))
    with contextlib.closing(hub.directory):
        about = {"serial": hub.federation.document.serial, "registrations": len(hub.sources.followed())}
        with contextlib.closing(Snapshot(folder, hub.clock.stamp(), **about)) as snapshot:
            return b"".join(snapshot.stream())
