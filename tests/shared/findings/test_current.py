from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from shared.findings import current, every
from tests.builders import WRITER, capability, index, refresh, register, url_of

if TYPE_CHECKING:
    import httpx
    import pytest
    import respx

    from shared.findings import Finding
    from shared.hub import Hub
    from shared.model.source import SourceView


async def disputed(client: httpx.AsyncClient, upstream: respx.MockRouter, count: int = 30) -> None:
    for repo in ("first", "second"):
        upstream.get(url_of(repo)).respond(content=index(*(capability(number) for number in range(count))))
        await register(client, repo)
        await refresh(client, repo)


async def test_findings_are_made_once_per_change_in_a_thread_however_many_ask(
    hub: Hub, client: httpx.AsyncClient, upstream: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    await disputed(client, upstream)
    made: list[str] = []

    def counted(*about: object) -> list[Finding]:
        made.append(threading.current_thread().name)
        return every(*about)  # type: ignore[arg-type]

    monkeypatch.setattr(current, "every", counted)
    for path in ("/v1/findings", "/metrics", "/findings", "/sources/second", "/"):
        page = {"Accept": "text/html"} if path == "/" else {}
        answers = await asyncio.gather(*(client.get(path, headers=page) for _ in range(5)))
        assert {answer.status_code for answer in answers} == {200}
    upstream.get(url_of("second")).respond(503)
    await refresh(client, "second")
    kinds = [one["kind"] for one in (await client.get("/v1/findings")).json()["findings"]]

    assert kinds == ["stale", "conflict"]
    assert [name.split("_")[0] for name in made] == ["reads", "reads"]
    assert await hub.findings.current() == hub.findings.all()


async def test_a_required_source_that_is_disabled_is_to_be_enabled_and_not_checked(
    hub: Hub, client: httpx.AsyncClient
) -> None:
    await register(client, required=True, enabled=False)
    await client.post("/v1/federated/compose", headers=WRITER)

    [finding] = (await client.get("/v1/findings")).json()["findings"]

    assert (finding["kind"], finding["domain"]) == ("missing-required", "helix_forge")
    assert finding["action"].startswith('Enable it: PATCH /v1/repos/state-hub with {"enabled": true}; or register')
    assert (await client.post("/v1/repos/state-hub/refresh", headers=WRITER)).status_code == 409
    assert await hub.findings.current() == hub.findings.all()


async def test_the_loop_goes_on_while_thousands_of_sources_are_looked_at(
    hub: Hub, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(7):
        await register(client, f"repo-{number}")
    looked: list[str] = []

    def look(view: SourceView) -> bool:
        looked.append(view.repo)
        return True

    monkeypatch.setattr(current, "_is_troubled", look)
    findings = current.Findings(hub.sources, hub.federation, hub.findings.capacity, hub.reads, at_once=3)
    making = asyncio.create_task(findings.current())
    seen = set[int]()
    for _ in range(20):
        await asyncio.sleep(0)
        seen.add(len(looked))

    assert {finding.kind for finding in await making} == {"never-fetched"}
    assert seen == {0, 3, 6, 7}


async def test_one_that_began_earlier_and_ends_later_hides_no_finding(
    hub: Hub, client: httpx.AsyncClient, upstream: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    await disputed(client, upstream, 1)
    begun, go_on = threading.Event(), threading.Event()

    def slow(*about: object) -> list[Finding]:
        if not begun.is_set():
            begun.set()
            go_on.wait(10)
        return every(*about)  # type: ignore[arg-type]

    monkeypatch.setattr(current, "every", slow)
    before = asyncio.create_task(hub.findings.current())
    await asyncio.to_thread(begun.wait, 10)
    upstream.get(url_of("second")).respond(503)
    await refresh(client, "second")
    after = asyncio.create_task(hub.findings.current())
    await asyncio.sleep(0)
    go_on.set()

    assert [finding.kind for finding in await after] == ["stale", "conflict"]
    assert "conflict" in [finding.kind for finding in await before]
    assert await hub.findings.current() is await after


async def test_however_often_something_changes_and_readers_go_away_one_making_waits(
    hub: Hub, client: httpx.AsyncClient, upstream: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    await disputed(client, upstream, 1)
    begun, go_on = threading.Event(), threading.Event()
    made: list[int] = []

    def slow(*about: object) -> list[Finding]:
        made.append(len(made))
        begun.set()
        go_on.wait(10)
        return every(*about)  # type: ignore[arg-type]

    monkeypatch.setattr(current, "every", slow)
    for _ in range(5):
        gone = asyncio.create_task(hub.findings.current())
        await asyncio.to_thread(begun.wait, 10)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        await refresh(client, "second")
    last = asyncio.create_task(hub.findings.current())
    await asyncio.sleep(0)
    go_on.set()
    await last

    assert made == [0, 1]


async def test_what_is_made_where_nothing_waits_is_the_same(
    hub: Hub, client: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    await disputed(client, upstream)

    here = hub.findings.all()

    assert here == every({view.repo: view for view in hub.sources.views()}, hub.findings._served())
    assert await hub.findings.current() is here
    assert (await client.get("/v1/federated/changes?since=0&limit=1")).json()["head"]["conflicts"] == []
