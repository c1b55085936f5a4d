from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from shared.model.registration import Registration
from shared.problems import RepoNotFound, StorageUnavailable
from shared.sources.hosts import AT_A_TIME
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
async def running(hub: Hub, hands: Hands) -> AsyncIterator[asyncio.Task[None]]:
    """The refresher at work, at a pace for tests."""
    task = asyncio.create_task(Refresher(hub.sources, hands.clock(), look_seconds=0.005).run())
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


@pytest.fixture(params=[256])
async def between_looks(
    hub: Hub, hands: Hands, request: pytest.FixtureRequest
) -> AsyncIterator[asyncio.Task[None]]:
    """The refresher at work after its first look at all sources; a second one never comes."""
    refresher = Refresher(hub.sources, hands.clock(), look_seconds=3600, most_checks=request.param)
    task = asyncio.create_task(refresher.run())
    await asyncio.sleep(0)
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.usefixtures("between_looks")
async def test_a_check_that_ends_lets_the_next_of_its_host_begin_at_once(
    hub: Hub, upstream: respx.MockRouter
) -> None:
    under_way, most = 0, 0

    async def answer(_: httpx.Request) -> httpx.Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.001)
        under_way -= 1
        return httpx.Response(200, content=index())

    upstream.get(url__regex=".*").side_effect = answer
    for number in range(5 * AT_A_TIME):
        hub.sources.watch(replace(ROW, repo=f"r{number}", url=f"https://forge.example/{number}"))

    await until(lambda: {status.state for _, status in hub.sources.followed()} == {"fresh"})

    assert most <= AT_A_TIME


async def test_no_timer_is_waited_for_while_the_checks_of_one_host_can_go_on(
    hub: Hub, hands: Hands, upstream: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, fired = asyncio.get_running_loop(), list[float]()
    call_at = loop.call_at

    def watched(when: float, callback: Callable[..., object], *rest: Any, **named: Any) -> asyncio.TimerHandle:
        delay = when - loop.time()

        def fire() -> None:
            fired.append(delay)
            callback(*rest)

        return call_at(when, fire, **named)

    upstream.get(url__regex=".*").respond(content=index())
    refresher = asyncio.create_task(Refresher(hub.sources, hands.clock()).run())
    await asyncio.sleep(0)
    monkeypatch.setattr(loop, "call_at", watched)
    for number in range(40):
        hub.sources.watch(replace(ROW, repo=f"r{number}", url=f"https://forge.example/{number}"))

    await until(lambda: all(hub.sources.status(f"r{number}").state == "fresh" for number in range(40)))

    assert [delay for delay in fired if delay > 0.1] == []
    refresher.cancel()
    await asyncio.gather(refresher, return_exceptions=True)


@pytest.mark.usefixtures("between_looks")
async def test_so_does_a_check_that_somebody_asked_for(hub: Hub, upstream: respx.MockRouter) -> None:
    go = asyncio.Event()

    async def answer(_: httpx.Request) -> httpx.Response:
        await go.wait()
        return httpx.Response(200, content=index())

    upstream.get(url__regex=".*").side_effect = answer
    for number in range(AT_A_TIME):
        hub.sources.watch(replace(ROW, repo=f"r{number}", url=f"https://forge.example/{number}"))
    flights = asyncio.create_task(hub.sources.refresh_all([f"r{number}" for number in range(AT_A_TIME)]))
    await until(lambda: len(hub.sources.under_way()) == AT_A_TIME)
    hub.sources.watch(replace(ROW, repo="last", url="https://forge.example/last"))
    await asyncio.sleep(0.01)
    waiting = "last" not in hub.sources.under_way()
    go.set()

    await until(lambda: hub.sources.status("last").state == "fresh")
    assert waiting
    assert len(await flights) == AT_A_TIME


@pytest.mark.parametrize("between_looks", [1], indirect=True, ids=["one check at a time"])
@pytest.mark.usefixtures("between_looks")
async def test_a_check_that_ends_makes_room_for_one_of_another_host(hub: Hub, upstream: respx.MockRouter) -> None:
    upstream.get(url__regex=".*").respond(content=index())
    for number in range(20):
        hub.sources.watch(replace(ROW, repo=f"r{number}", url=f"https://h{number}.example/"))

    await until(lambda: {status.state for _, status in hub.sources.followed()} == {"fresh"})


@pytest.mark.usefixtures("running")
async def test_no_check_waits_until_the_states_are_written(
    hub: Hub, upstream: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def write(_: object) -> None:
        begun.set()
        go_on.wait(10)

    monkeypatch.setattr(hub.engine.holdings._records_file, "save", write)  # type: ignore[attr-defined]  # its files
    upstream.get(ROW.url).respond(content=index())
    hub.sources._table.note("state-hub")
    saving = asyncio.create_task(hub.sources.record_saver.save())
    await until(begun.is_set)

    hub.sources.watch(ROW)

    await until(lambda: hub.sources.status("state-hub").state == "fresh")
    assert not saving.done()
    go_on.set()
    await saving


@pytest.mark.parametrize(
    "told",
    [
        pytest.param((StorageUnavailable("No room."), "checking state-hub: No room."), id="a problem"),
        pytest.param((RepoNotFound("Gone."), "checking state-hub: Gone."), id="a repo that is gone"),
        pytest.param((RuntimeError("spilt"), "RuntimeError: spilt"), id="what nobody foresaw"),
    ],
)
@pytest.mark.usefixtures("running")
async def test_a_check_that_goes_wrong_does_not_end_it(
    hub: Hub,
    upstream: respx.MockRouter,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    told: tuple[Exception, str],
) -> None:
    caplog.set_level("INFO")
    (fault, text), check = told, hub.sources.check

    async def refuse_once(_: str) -> None:
        monkeypatch.setattr(hub.sources, "check", check)
        hub.sources.schedule.call(hub.sources._table.require("state-hub"))
        raise fault

    monkeypatch.setattr(hub.sources, "check", refuse_once)
    upstream.get(ROW.url).mock(side_effect=httpx.ConnectError)

    hub.sources.watch(ROW)

    await until(lambda: hub.sources.status("state-hub").state == "failed")
    assert text in caplog.text


@pytest.mark.parametrize("broken", ["expire", "pause"])
async def test_a_round_that_goes_wrong_is_told_and_followed_by_the_next(
    hub: Hub, hands: Hands, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, broken: str
) -> None:
    refresher = Refresher(hub.sources, hands.clock(), look_seconds=0.005)
    part = hub.sources if broken == "expire" else hub.sources.schedule
    monkeypatch.setattr(part, broken, lambda *_: 1 / 0)
    task = asyncio.create_task(refresher.run())
    await until(lambda: refresher.health() != "ok")

    trouble = refresher.health()
    monkeypatch.undo()
    await until(lambda: refresher.health() == "ok")

    assert trouble == "a round failed (ZeroDivisionError); the log says how"
    assert "a round of the refresher failed" in caplog.text
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_one_that_has_stopped_says_so(hub: Hub, hands: Hands) -> None:
    refresher = Refresher(hub.sources, hands.clock())

    hands.advance(31)

    assert refresher.health() == "has started no check for 31 s"


@pytest.mark.usefixtures("running")
async def test_after_a_stall_the_overdue_begin_spread_over_time(
    hub: Hub, hands: Hands, upstream: respx.MockRouter
) -> None:
    route = upstream.get(url__regex=".*").respond(content=index())
    for number in range(60):
        hub.sources.watch(replace(ROW, repo=f"r{number}", url=f"https://h{number}.example/"))
    await until(lambda: route.call_count == 60 and not hub.sources.under_way())

    hands.advance(7200)
    followed = hub.sources._table.all()
    await until(lambda: max(source.spread_to for source in followed) > hands.clock().monotonic())
    hands.advance(1.5)
    await until(lambda: route.call_count > 60)
    soon = route.call_count
    hands.advance(1.5)

    await until(lambda: route.call_count == 120)
    assert soon < 110


@pytest.mark.usefixtures("running")
async def test_a_wall_clock_that_is_set_is_logged_and_moves_no_check(
    hub: Hub, hands: Hands, upstream: respx.MockRouter, caplog: pytest.LogCaptureFixture
) -> None:
    route = upstream.get(ROW.url).respond(content=index())
    hub.sources.watch(ROW)
    await until(lambda: hub.sources.status("state-hub").state == "fresh")

    hands.jump(86400)
    hands.advance(1)
    await until(lambda: "the wall clock was set" in caplog.text)

    assert str(hub.sources.status("state-hub").next_check_at).startswith("2026-11-24T1")
    assert route.call_count == 1


@pytest.mark.usefixtures("running")
async def test_content_is_given_up_when_its_time_has_come(hub: Hub, hands: Hands, upstream: respx.MockRouter) -> None:
    hub.sources.watch(replace(ROW, cache_ttl_seconds=604800))
    upstream.get(ROW.url).mock(side_effect=[httpx.Response(200, content=index()), *[httpx.Response(500)] * 30])
    await until(lambda: hub.sources.status("state-hub").state == "fresh")
    await hub.sources.refresh("state-hub")
    hub.sources._table.require("state-hub").due += 10 * 604800

    hands.advance(604799)
    await asyncio.sleep(0.02)
    before = hub.sources.status("state-hub").state
    hands.advance(2)
    await until(lambda: hub.sources.status("state-hub").state == "failed")

    assert before == "stale"
    assert hub.sources.parts()[0].content is None


async def test_readiness_says_what_the_machine_lacks_until_a_check_goes_well_or_none_comes(
    hub: Hub, hands: Hands, upstream: respx.MockRouter
) -> None:
    refresher = Refresher(hub.sources, hands.clock(), look_seconds=0.005)
    task = asyncio.create_task(refresher.run())
    route = upstream.get(ROW.url).mock(side_effect=MemoryError)
    hub.sources.watch(ROW)
    await until(lambda: "no memory left" in refresher.health())

    route.side_effect = None
    route.respond(content=index())
    hands.advance(20)
    assert "no memory left" in refresher.health()
    hands.advance(11)
    await until(lambda: refresher.health() == "ok")
    assert hub.sources.status("state-hub").consecutive_failures == 0

    route.mock(side_effect=MemoryError)
    hands.advance(3600 * 1.11)
    await until(lambda: "no memory left" in refresher.health())
    hub.sources.forget("state-hub")
    hands.advance(91)
    await until(lambda: refresher.health() == "ok")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
