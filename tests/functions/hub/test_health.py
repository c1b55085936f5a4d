from __future__ import annotations

import os
from typing import TYPE_CHECKING, NoReturn

from shared.version import VERSION

if TYPE_CHECKING:
    import httpx
    import pytest


async def test_answers_that_the_process_is_alive(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "version": VERSION})


async def test_touches_neither_disk_nor_network(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError

    with monkeypatch.context() as guarded:
        guarded.setattr(os, "open", refuse)
        guarded.setattr("builtins.open", refuse)
        guarded.setattr("socket.socket.connect", refuse)
        assert (await client.get("/health")).status_code == 200


async def test_probes_may_send_what_they_like(client: httpx.AsyncClient) -> None:
    assert (await client.get("/health?probe=1", headers={"Accept": "text/plain"})).status_code == 200
