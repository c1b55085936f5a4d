"""The hub over a store in memory: the limit that durable writes are held against.

Takes ``--port`` and ``--data-dir`` as ``cli.py serve`` does, and begins with the registrations of that folder.
"""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from router import ENDPOINTS, application
from shared.clock import Clock
from shared.hub import open_hub
from shared.model.author import Author
from shared.settings import Settings
from shared.storage.memory import MemoryStore

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from shared.hub import Hub
    from shared.storage import Store


async def _filled(data_dir: Path) -> Starlette:
    settings = replace(Settings.from_environment(), data_dir=data_dir)
    hub, store = open_hub(settings), MemoryStore(Clock())
    for registration in await hub.store.registrations():
        await store.add(registration.wanted(), Author("operator"))
    return application(over(hub, store), ENDPOINTS, lambda _: hub.running())


def over(hub: Hub, store: Store) -> Hub:
    """Return *hub* with its registrations in *store*, for reads and for writes."""
    return replace(hub, store=store, registry=replace(hub.registry, store=store))


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--data-dir", type=Path)
    args = parser.parse_args()
    app = asyncio.run(_filled(args.data_dir))
    uvicorn.run(app, host="127.0.0.1", port=args.port, log_config=None, server_header=False)


if __name__ == "__main__":
    main()
