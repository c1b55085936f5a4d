from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import pytest
import uvicorn
from uvicorn.server import ServerState

from shared.server.bounds import ServerBounds
from shared.server.connections import Connections
from shared.server.guard import GuardedProtocol
from shared.settings import Settings
from tests.shared.server.guarded import SOON, Served, app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def server(real_network: None) -> AsyncIterator[Served]:
    """A server of the app with tight bounds."""
    del real_network
    bounds = ServerBounds(Settings(max_head_bytes=2000, max_connections=20, public_url="http://hub"), 9999)
    bounds.connections = Connections(20, ["127.0.0.0/8"])
    bounds.receive_seconds = bounds.send_seconds = SOON
    bounds.idle_seconds = 60
    bounds.tick = SOON / 4
    config, state = uvicorn.Config(app, log_config=None), ServerState()
    make = partial(GuardedProtocol, bounds, config=config, server_state=state, app_state={})
    listening = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
    served = Served(listening.sockets[0].getsockname()[1], bounds, state)
    yield served
    listening.close()
    for one in (*state.connections, *served.writers):
        one.transport.abort()
    await asyncio.sleep(0)
