from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest

from shared.problems import StorageUnavailable
from shared.registration import Registration
from shared.sources import refresher as module
from shared.sources.refresher import Refresher
from tests.builders import Hands, index, registration

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import respx

    from shared.hub import Hub

ROW = Registration(
    **registration(), registered_at="2026-11-23T10:00:00Z", updated_at="", registered_by="operator", revision=1
)


@pytest.fixture
async def running(hub: Hub, hands: Hands, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[asyncio.Task[None]]:
    """The refresher at work, at a pace for tests."""
    monkeypatch.setattr(module, "TICK_SECONDS", 0.005)
    task = asyncio.create_task(Refresher(hub.sources, hands.clock()).run())
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def until(true: Callable[[], object]) -> None:
    """Return when *true* holds; fail after 5 s."""
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - what is waited for happens on the disk too, which sets no event
            await asyncio.sleep(0.005)


@pytest.mark.usefixtures("running")
async def test_what_was_just_registered_is_read_at_once(hub: Hub, upstream: respx.MockRouter) -> None:
    upstream.get(ROW.url).respond(content=index())

    hub.sources.watch(ROW)

    await until(lambda: hub.sources.status("state-hub").state == "fresh")


@pytest.mark.usefixtures("running")
async def test_what_is_due_is_read_again(hub: Hub, hands: Hands, upstream: respx.MockRouter) -> None:
    route = upstream.get(ROW.url).respond(content=index())
    hub.sources.watch(ROW)
    await until(lambda: hub.sources.status("state-hub").state == "fresh")

    hands.advance(3600 * 1.11)

    await until(lambda: route.call_count == 2)


async def test_a_problem_does_not_end_it(
    hub: Hub,
    running: asyncio.Task[None],
    upstream: respx.MockRouter,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    refresh = hub.sources.refresh

    async def refuse_once(repo: str) -> object:
        monkeypatch.setattr(hub.sources, "refresh", refresh)
        raise StorageUnavailable(f"No room for {repo}.")

    monkeypatch.setattr(hub.sources, "refresh", refuse_once)
    upstream.get(ROW.url).mock(side_effect=httpx.ConnectError)

    hub.sources.watch(ROW)

    await until(lambda: hub.sources.status("state-hub").state == "failed")
    assert "checking state-hub: No room for state-hub." in caplog.text
    assert not running.done()


async def test_states_are_written_every_few_seconds(
    hub: Hub, hands: Hands, running: asyncio.Task[None], caplog: pytest.LogCaptureFixture
) -> None:
    saved = hub.settings.data_dir / "sources.json"
    saved.unlink(missing_ok=True)
    saved.mkdir()
    hub.sources.watch(ROW)

    hands.advance(6)
    await until(lambda: "saving the states of the sources" in caplog.text)
    saved.rmdir()
    hands.advance(6)

    await until(saved.is_file)
    assert not running.done()
