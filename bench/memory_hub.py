"""The hub over an engine in memory: the limit that durable writes are held against.

Takes ``--port`` and ``--data-dir`` as ``cli.py serve`` does, and begins with the registrations of that folder. Nothing
is written there.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import uvicorn

from router import ENDPOINTS, application
from shared.clock import Clock
from shared.hub import open_hub
from shared.model.author import Author
from shared.settings import Settings
from shared.storage.files import FilesEngine
from shared.storage.memory import MemoryEngine
from shared.tally import Tally


async def filled(data_dir: Path) -> MemoryEngine:
    """Return an engine that holds the registrations of *data_dir*, and nothing that was read from their sources."""
    files, engine = FilesEngine(data_dir, Clock(), Tally()), MemoryEngine(Clock())
    files.open()
    try:
        for registration in files.registrations.all():
            await engine.registrations.add(registration.client_fields(), Author(registration.registered_by))
    finally:
        await files.registrations.close()
        files.release()
    return engine


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--data-dir", type=Path)
    args = parser.parse_args()
    hub = open_hub(Settings.from_environment(), engine=asyncio.run(filled(args.data_dir)))
    app = application(hub, ENDPOINTS, lambda _: hub.running())
    uvicorn.run(app, host="127.0.0.1", port=args.port, log_config=None, server_header=False)


if __name__ == "__main__":
    main()
