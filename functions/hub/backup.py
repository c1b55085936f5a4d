"""GET /v1/backup: everything the hub knows, as it is at this moment, as a tar that `restore` brings back.

For admins only: it holds the history with its request ids. Writing goes on while it is sent. HEAD takes none.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from starlette.responses import StreamingResponse

from shared.storage.archive import MEDIA_TYPE
from shared.web.handling import OPEN, Hub, Request, read_query

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Receive, Scope, Send

    from shared.storage.archive import Snapshot


async def handle(hub: Hub, request: Request) -> StreamingResponse:
    """Answer the tar."""
    hub.auth.require_admin(request)
    read_query(request, (MEDIA_TYPE,))
    if request.method == "HEAD":
        # No backup is sent, so the metric of the last one stays.
        return StreamingResponse(iter(()), 200, _headers(hub), MEDIA_TYPE)

    snapshot = await hub.snapshot()

    return Backup(hub, snapshot)


def _headers(hub: Hub) -> dict[str, str]:
    name = f"reuse-surface-{hub.clock.stamp().replace(':', '')}.tar"
    return {**OPEN, "Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{name}"'}


class Backup(StreamingResponse):
    """Streams a snapshot, and closes it however the transfer ends."""

    def __init__(self, hub: Hub, snapshot: Snapshot) -> None:
        super().__init__(_sent(hub, snapshot), 200, _headers(hub), MEDIA_TYPE)
        self._snapshot = snapshot

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the snapshot."""
        async with contextlib.AsyncExitStack() as stack:
            # In a thread: closing removes two links for each of thousands of sources.
            stack.push_async_callback(asyncio.to_thread, self._snapshot.close)
            await super().__call__(scope, receive, send)


def _sent(hub: Hub, snapshot: Snapshot) -> Iterator[bytes]:
    """Yield the bytes of the snapshot; after the last one it counts as the last backup in the metrics."""
    yield from snapshot.stream()
    hub.tally.moments["backup"] = hub.clock.now().timestamp()
