"""Garbage collection in short pauses: objects that a full collection leaves alive are frozen, and skipped by the next.

A full collection looks at every object there is while no request is answered: 40 ms for a thousand sources, ten times
that for ten thousand. Nearly all of it is code, entries and registrations, which form no cycles and go as soon as
nobody refers to them, frozen or not.
"""

from __future__ import annotations

import gc
import sys

_GROWTH = 2

_SMALL = 500_000
"""The blocks, some 50 MB, that a heap is taken for at least: as much may die frozen before it is looked for."""


class Survivors:
    """Freezes what a full collection leaves, and looks at all of it again once the heap has doubled.

    A cycle that dies frozen is found then, so that such garbage never takes more than what is alive, or the heap is
    small. It is measured in blocks: counting what is frozen would take longer than the collection that it spares.
    """

    def __init__(self) -> None:
        """Collect, and freeze every object of the process so far."""
        gc.collect()
        gc.freeze()
        self._alive = sys.getallocatedblocks()
        self._thawed = False

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        """Freeze after a full collection, and thaw all where the heap has doubled; for ``gc.callbacks``."""
        if phase != "stop" or info["generation"] != 2:  # noqa: PLR2004 - the oldest, so a full collection
            return
        gc.freeze()
        blocks = sys.getallocatedblocks()
        if self._thawed:
            self._alive, self._thawed = blocks, False
        elif blocks > _GROWTH * max(self._alive, _SMALL):
            gc.unfreeze()
            self._thawed = True


def keep_pauses_short() -> None:
    """Install Survivors in ``gc.callbacks``, for as long as the process lives."""
    gc.callbacks.append(Survivors())
