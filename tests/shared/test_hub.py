from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from shared.hub import Hub, Pace, open_hub
from shared.model.author import Author
from shared.problems import StartError
from shared.registration_fields import read_fields
from shared.search import SearchPace, SearchRequest
from shared.shortage import cause
from shared.storage.files.directory import DataDirectory
from tests.builders import Hands, capability, index, refresh, register, registration, served, url_of

if TYPE_CHECKING:
    import respx

    from shared.settings import Settings


async def test_is_ready_while_it_runs_and_says_what_does_not(settings: Settings, hands: Hands) -> None:
    hub = open_hub(settings, hands.clock())
    assert hub.checks() == {"storage": "ok", "federation": "not running", "search": "not running", "refresher": "off"}

    async with hub.running():
        assert hub.checks() == {"storage": "ok", "federation": "ok", "search": "ok", "refresher": "off"}

    assert hub.checks()["federation"] == "not running"


async def test_the_refresher_counts_where_it_is_on(settings: Settings, hands: Hands) -> None:
    hub = open_hub(replace(settings, refresh=True), hands.clock())
    assert hub.checks()["refresher"] == "not running"

    async with hub.running():
        assert hub.checks()["refresher"] == "ok"
        hub.background.tasks["refresher"].cancel()
        await asyncio.wait([hub.background.tasks["refresher"]])
        assert hub.checks()["refresher"] == "not running"


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Name here the threads that the system refuses, by how their names begin."""
    begins, real = set[str](), threading.Thread.start

    def start(thread: threading.Thread) -> None:
        if any(thread.name.startswith(one) for one in begins):
            raise RuntimeError("can't start new thread")
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    return begins


async def becomes(hub: Hub, name: str, verdict: str) -> None:
    """Return when the check called *name* begins with *verdict*; fail after 10 s."""
    async with asyncio.timeout(10):
        while not hub.checks()[name].startswith(verdict):  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("threads", ["search_", "hub_"])
async def test_threads_that_are_refused_for_a_while_are_had_later_and_it_is_ready_again(
    settings: Settings,
    refused: set[str],
    caplog: pytest.LogCaptureFixture,
    threads: str,
) -> None:
    refused.add(threads)
    hub = open_hub(settings, pace=Pace(search=SearchPace(again=0.01)))
    async with hub.running():
        if threads == "hub_":
            await becomes(hub, "search", "the search index could not be made (the machine has no threads left)")
        else:
            await becomes(hub, "search", "ok")
            with pytest.raises(RuntimeError):
                await hub.search.answer(SearchRequest(), lambda _: b"")
        refused.clear()

        await becomes(hub, "search", "ok")
        assert (await hub.search.answer(SearchRequest(), lambda _: b"found")).body == b"found"
    assert "no threads left" in caplog.text or threads == "search_"
    assert "Traceback" not in caplog.text


async def test_threads_that_are_refused_later_are_not_needed(
    settings: Settings, refused: set[str], upstream: respx.MockRouter
) -> None:
    upstream.get(registration()["url"]).respond(content=index())
    hub = open_hub(settings)
    async with hub.running():
        refused.update({"search_", "hub_", "index_"})
        hub.sources.watch(await hub.store.add(read_fields(registration(), hub.guard), Author("anna")))
        await hub.sources.refresh("state-hub")
        await hub.registry.shown("It is read.")

        assert (await hub.search.answer(SearchRequest(), lambda found: str(found.total).encode())).body == b"1"


@pytest.mark.parametrize("fault", [MemoryError(), asyncio.CancelledError()], ids=["memory", "cancelled within"])
@pytest.mark.parametrize("name", ["federation", "search", "timeline", "refresher"])
async def test_a_task_that_ends_is_named_and_started_again(  # noqa: PLR0917 - fixtures
    settings: Settings,
    hands: Hands,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str,
    fault: BaseException,
) -> None:
    hub = open_hub(replace(settings, refresh=True), hands.clock(), pace=Pace(again_seconds=0.05))
    part = getattr(hub, name)
    follow = "run" if name == "refresher" else "follow"
    begun = list[str]()
    real = getattr(part, follow)

    async def end_once() -> None:
        begun.append(name)
        if len(begun) == 1:
            raise fault
        await real()

    monkeypatch.setattr(part, follow, end_once)
    async with hub.running():
        async with asyncio.timeout(10):
            while not hub.background.troubles:  # noqa: ASYNC110 - what is waited for tells nobody
                await asyncio.sleep(0.001)
            if name != "timeline":
                assert hub.checks()[name] == f"ended ({cause(fault)}); it is started again"
            while hub.background.troubles or len(begun) < 2:  # noqa: ASYNC110 - the same
                await asyncio.sleep(0.001)
        assert set(hub.checks().values()) == {"ok"}
    assert f"the task {name} ended, and is started again: {cause(fault)}" in caplog.text


async def test_its_end_finishes_every_write_and_frees_the_data_directory(settings: Settings, hands: Hands) -> None:
    hub = open_hub(settings, hands.clock())
    async with hub.running():
        write = asyncio.create_task(hub.store.add(read_fields(registration(), hub.guard), Author("anna")))
        await asyncio.sleep(0)

    assert write.done()
    async with open_hub(settings, hands.clock()).running():
        pass


async def test_a_part_that_can_not_be_ended_keeps_no_other_from_its_end(
    settings: Settings, hands: Hands, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        raise MemoryError

    hub = open_hub(settings, hands.clock())
    async with hub.running():
        monkeypatch.setattr(hub.sources, "close", fail)

    assert "ending Sources failed" in caplog.text
    async with open_hub(settings, hands.clock()).running():
        pass


async def test_ends_though_a_source_never_answers(hub: Hub, upstream: respx.MockRouter) -> None:
    async def hang(_: object) -> None:
        await asyncio.Event().wait()

    upstream.get(registration()["url"]).mock(side_effect=hang)
    made = await hub.store.add(read_fields(registration(), hub.guard), Author("anna"))
    hub.sources.watch(made)
    check = asyncio.create_task(hub.sources.refresh("state-hub"))
    await asyncio.sleep(0.01)

    await hub.sources.close()

    assert hub.sources.under_way() == []
    with pytest.raises(asyncio.CancelledError):
        await check


@pytest.mark.parametrize("name", ["registrations.json", "history.jsonl", "sources.json", "federated.json"])
def test_a_start_that_fails_lets_go_of_the_data_directory(settings: Settings, name: str) -> None:
    settings.data_dir.mkdir()
    (settings.data_dir / name).write_bytes(b"something else")

    with pytest.raises(StartError, match=name):
        open_hub(settings)

    DataDirectory(settings.data_dir).close()
    assert (settings.data_dir / name).read_bytes() == b"something else"


def test_a_hub_that_can_not_be_made_ready_lets_go_of_the_data_directory(settings: Settings) -> None:
    hub = open_hub(settings)
    (settings.data_dir / "held").write_bytes(b"")

    with pytest.raises(StartError, match="held can't be used"):
        hub.prepare()

    DataDirectory(settings.data_dir).close()


def test_opens_on_the_clock_of_the_machine_where_none_is_given(settings: Settings) -> None:
    with contextlib.closing(open_hub(settings)) as hub:
        assert abs(hub.clock.now() - datetime.now(UTC)) < timedelta(minutes=1)
        assert abs(hub.clock.monotonic() - time.monotonic()) < 60


FILES = ("registrations.json", "history.jsonl", "sources.json", "federated.json", "content/state-hub.json")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("leads_to", ["itself", "nowhere"])
async def test_a_file_that_is_there_and_can_not_be_reached_stops_the_start_instead_of_beginning_anew(
    settings: Settings, upstream: respx.MockRouter, name: str, leads_to: str
) -> None:
    upstream.get(url_of("state-hub")).respond(content=index(capability(1)))
    async with served(settings) as client:
        await register(client)
        await refresh(client, "state-hub")
    path = settings.data_dir / name
    path.unlink()
    path.symlink_to(path if leads_to == "itself" else settings.data_dir / "not-mounted" / name)

    with pytest.raises(StartError, match=f"{name} can't be read: .*It was left untouched"):
        open_hub(settings)

    assert path.is_symlink()
