"""What the tests of fetching share: sources that misbehave, and the answers of the resolver."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.shared.fetch.hostile import Hostile

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


@pytest.fixture
async def source() -> AsyncIterator[Hostile]:
    """A server on loopback."""
    server = Hostile()
    async with server.running():
        yield server


@pytest.fixture
async def turns() -> AsyncIterator[list[None]]:
    """The turns that the event loop gives to another task, as many as there were."""
    counted: list[None] = []

    async def count() -> None:
        while True:
            counted.append(None)
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    yield counted
    counting.cancel()


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Let a test say what the resolver answers from now on; returns the names that were asked for."""
    asked: list[str] = []

    def announce(*addresses: str) -> list[str]:
        def resolve(name: str, port: int, **_: Any) -> list[Any]:
            asked.append(name)
            return [(0, 0, 0, "", (address, port)) for address in addresses]

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        return asked

    return announce
