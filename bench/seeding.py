"""Hubs with many registrations: written through the store itself, then fetched by the hub."""

from __future__ import annotations

import asyncio
import shutil
import time
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.error import HTTPError

from bench.rig import DOMAIN
from shared.clock import Clock
from shared.model.author import Author
from shared.model.registration import RegistrationFields
from shared.storage.files.tiny import TinyStore
from shared.tally import Tally

if TYPE_CHECKING:
    from pathlib import Path

    from bench.rig import Rig, Server


def repos(size: int) -> list[str]:
    """Return the names of *size* repos."""
    return [f"repo-{number:05}" for number in range(size)]


def register(folder: Path, urls: dict[str, str]) -> None:
    """Write a registration for each repo and its URL into the data directory *folder*."""
    asyncio.run(_register(folder, urls))


async def _register(folder: Path, urls: dict[str, str]) -> None:
    store = TinyStore(folder, Clock(), Tally())
    author = Author("operator")
    await asyncio.gather(
        *(store.add(RegistrationFields(repo=repo, url=url, domain=DOMAIN), author) for repo, url in urls.items())
    )
    await store.close()


def composed(rig: Rig, size: int, **settings: str) -> tuple[Server, Server]:
    """Return a hub that serves *size* repos of ten capabilities, and the publisher behind it."""
    publisher = rig.publisher()
    data = seeded(rig, publisher, size)
    hub = rig.hub(data, **settings)
    hub.ask("POST", "/v1/federated/compose?force=true")
    settle(hub)
    return hub, publisher


def settle(hub: Server) -> None:
    """Wait until the search has caught up with what is served, so that nothing goes on by itself."""
    served = _serial(hub, "/v1/federated")
    while _serial(hub, "/v1/capabilities?limit=1") < served:
        time.sleep(0.05)


def _serial(hub: Server, path: str) -> int:
    """Return what the answer is about; 0 while there is none yet."""
    try:
        with hub.open("GET", path) as answer:
            return int(answer.headers["Reuse-Surface-Serial"])
    except HTTPError as refusal:
        if refusal.code != HTTPStatus.SERVICE_UNAVAILABLE:
            raise
        return 0


def seeded(rig: Rig, publisher: Server, size: int) -> Path:
    """Return a data directory with *size* registrations at *publisher*."""
    data = rig.data(f"hub-{size}")
    register(data, {repo: f"{publisher.url}/{repo}" for repo in repos(size)})
    return data


def copy(rig: Rig, data: Path) -> Path:
    """Return a copy of a data directory, to start from the same state again."""
    target = rig.data("copy")
    shutil.copytree(data, target, dirs_exist_ok=True)
    return target
