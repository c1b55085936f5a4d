from __future__ import annotations

import asyncio
import errno
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pytest

from router import ENDPOINTS, application
from shared.hub import open_hub
from tests.builders import WRITER, capability, client_of, index, refresh, register, url_of

if TYPE_CHECKING:
    from pathlib import Path

    import respx

    from shared.hub import Hub
    from shared.settings import Settings


async def ask(hub: Hub) -> httpx.Response:
    transport = httpx.ASGITransport(application(hub, ENDPOINTS))
    async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
        return await client.get("/ready", headers={"Accept": "text/plain"})


@pytest.mark.parametrize(("refresh", "refresher"), [(True, "ok"), (False, "off")], ids=["on", "off"])
async def test_is_ready_when_every_check_is_ok_or_off(settings: Settings, refresh: bool, refresher: str) -> None:
    hub = open_hub(replace(settings, refresh=refresh))
    async with hub.running():
        answer = await ask(hub)

    checks = {"storage": "ok", "federation": "ok", "search": "ok", "refresher": refresher}
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "checks": checks})


@pytest.mark.parametrize("name", ["federation", "search", "refresher"])
async def test_is_not_ready_when_a_task_in_the_background_died(settings: Settings, name: str) -> None:
    hub = open_hub(replace(settings, refresh=True))
    async with hub.running():
        hub.background.tasks[name].cancel()
        await asyncio.wait([hub.background.tasks[name]])
        answer = await ask(hub)

    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert answer.headers["content-type"] == "application/json"
    bad = {check: verdict for check, verdict in answer.json()["checks"].items() if verdict != "ok"}
    assert bad == {name: "not running"}


@pytest.mark.parametrize("call", ["fsync", "replace", "open"])
async def test_names_what_could_not_be_written_and_stays_ready_because_reading_goes_on(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, upstream: respx.MockRouter, call: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    upstream.get(url_of("state-hub")).respond(content=index())
    hub = open_hub(settings)
    async with hub.running(), client_of(hub) as client:
        await register(client)
        await refresh(client)
        with monkeypatch.context() as full:
            full.setattr(os, call, refuse)
            patched = await client.patch("/v1/repos/state-hub", json={"required": True}, headers=WRITER)
            upstream.get(url_of("state-hub")).respond(content=index(capability(1), capability(2)))
            taken = await client.post("/v1/repos/state-hub/refresh", headers=WRITER)
            upstream.get(url_of("state-hub")).respond(500)
            checked = await client.post("/v1/repos/state-hub/refresh", headers=WRITER)
            during = await ask(hub)
        await client.patch("/v1/repos/state-hub", json={"required": True}, headers=WRITER)
        upstream.get(url_of("state-hub")).respond(content=index(capability(1), capability(2)))
        await refresh(client)
        after = await ask(hub)

    assert (patched.status_code, taken.status_code, checked.status_code, during.status_code) == (507, 507, 507, 200)
    failing = "the last write of registrations, contents, states of sources failed, the log says why; reading goes on"
    assert during.json()["checks"] == {"storage": failing, "federation": "ok", "search": "ok", "refresher": "off"}
    assert after.json()["checks"]["storage"] == "ok"


async def test_says_that_the_tokens_file_is_refused_and_stays_ready_because_the_tokens_before_it_count(
    settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "tokens.yaml"
    path.write_text("tokens: []")
    hub = open_hub(replace(settings, tokens_file=path))
    async with hub.running():
        before = await ask(hub)
        path.write_text("tokens: [{a-secret: 1}]")
        during = await ask(hub)
        path.write_text("tokens: []")
        after = await ask(hub)

    assert [one.status_code for one in (before, during, after)] == [200, 200, 200]
    assert [one.json()["checks"]["tokens_file"] for one in (before, after)] == ["ok", "ok"]
    assert during.json()["checks"]["tokens_file"] == (
        "it can't be used, the log says why; the tokens read before go on to count, also those taken out since"
    )


async def test_is_not_ready_before_it_runs(settings: Settings) -> None:
    hub = open_hub(settings)
    answer = await ask(hub)
    async with hub.running():
        pass

    assert answer.status_code == 503
