"""A hub whose engine says that another process is on duty: it checks no source, records nothing of them, and serves."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pytest

from shared.hub import Pace, open_hub
from shared.model.author import Author
from shared.problems import StorageUnavailable
from shared.registration_fields import read_fields
from shared.sources import timeline
from shared.storage.engine import Duty
from shared.storage.memory import MemoryEngine
from tests.announced import announcing
from tests.builders import WRITER, capability, client_of, index, problem, register, registration, url_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import respx

    from shared.hub import Hub
    from shared.model.content import Content
    from shared.settings import Settings
    from tests.builders import Hands

REPO = "state-hub"
WHY = "Another process that shares the storage checks the sources and records what they bring"


class PassingDuty(Duty):
    """A duty that passes from one process to another when the test says so."""

    mine = True


@pytest.fixture
def duty() -> PassingDuty:
    return PassingDuty()


@pytest.fixture
def engine(hands: Hands, duty: PassingDuty) -> MemoryEngine:
    """An engine that a second process shares."""
    made = MemoryEngine(hands.clock())
    made.duty = duty
    return made


@pytest.fixture
async def hub(
    settings: Settings, hands: Hands, engine: MemoryEngine, upstream: respx.MockRouter
) -> AsyncIterator[Hub]:
    """A running hub that has read one source, of which newer content is held."""
    route = upstream.get(url_of(REPO)).respond(content=index(*map(capability, range(40))))
    opened = open_hub(settings, hands.clock(), engine)
    async with opened.running():
        opened.sources.watch(await opened.store.add(read_fields(registration(), opened.guard), Author("operator")))
        await opened.sources.refresh(REPO)
        route.respond(content=index(capability(1)))
        await opened.sources.refresh(REPO)
        await opened.registry.shown("It is read.")
        yield opened


@pytest.fixture
async def client(hub: Hub) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(hub) as session:
        yield session


def contents_of(hub: Hub) -> tuple[Content | None, Content | None]:
    """Return what is served and held of the source."""
    view = hub.sources.view(REPO)
    assert view is not None
    return view.contents


async def until(true: Callable[[], object]) -> None:
    """Return when *true* holds; fail after 5 s."""
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - what is waited for happens in threads too, which sets no event
            await asyncio.sleep(0.005)


async def test_reads_and_registrations_go_on_without_it(
    client: httpx.AsyncClient, hub: Hub, duty: PassingDuty, upstream: respx.MockRouter
) -> None:
    before = [(await client.get(path)).json() for path in ("/v1/federated", "/ready", f"/v1/repos/{REPO}")]
    fetched = upstream.calls.call_count

    duty.mine = False

    after = [(await client.get(path)).json() for path in ("/v1/federated", "/ready", f"/v1/repos/{REPO}")]
    assert after == before
    assert (await register(client, "other", url=url_of("other")))["repo"] == "other"
    assert [row.repo for row in await hub.store.registrations()] == ["other", REPO]
    assert upstream.calls.call_count == fetched


@pytest.mark.parametrize(
    "path", [f"/v1/repos/{REPO}/refresh", f"/v1/repos/{REPO}/accept", "/v1/federated/compose?force=true"]
)
async def test_what_is_asked_of_the_one_on_duty_is_refused_and_changes_nothing(
    client: httpx.AsyncClient, hub: Hub, duty: PassingDuty, upstream: respx.MockRouter, path: str
) -> None:
    async def everything() -> list[object]:
        history, contents = await hub.store.history(REPO), contents_of(hub)
        return [hub.sources.status(REPO), contents, hub.engine.holdings.load(await hub.store.registrations()), history]

    before, fetched = await everything(), upstream.calls.call_count
    duty.mine = False

    body = problem(await client.post(path, headers=WRITER), "storage-unavailable")

    assert body["detail"].startswith(WHY)
    assert (await everything(), upstream.calls.call_count) == (before, fetched)


async def test_a_check_during_which_it_is_lost_comes_to_nothing(
    hub: Hub, engine: MemoryEngine, duty: PassingDuty, upstream: respx.MockRouter
) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        duty.mine = False
        return httpx.Response(200, content=index(*map(capability, range(50))))

    rows = engine.registrations.all()
    before = hub.sources.status(REPO), contents_of(hub), engine.holdings.load(rows)
    used, checked = hub.sources._room.used, dict(hub.tally.checks)
    fetched = upstream.calls.call_count
    upstream.get(url_of(REPO)).side_effect = answer

    with pytest.raises(StorageUnavailable, match=WHY):
        await hub.sources.refresh(REPO)

    assert (hub.sources.status(REPO), contents_of(hub), engine.holdings.load(rows)) == before
    assert (hub.sources._room.used, hub.tally.checks, upstream.calls.call_count) == (used, checked, fetched + 1)


async def test_so_does_a_check_that_fails_then(hub: Hub, duty: PassingDuty, upstream: respx.MockRouter) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        duty.mine = False
        return httpx.Response(500)

    before = hub.sources.status(REPO)
    upstream.get(url_of(REPO)).side_effect = answer

    with pytest.raises(StorageUnavailable, match=WHY):
        await hub.sources.refresh(REPO)

    assert hub.sources.status(REPO) == before


async def test_an_acceptance_during_which_it_is_lost_lets_in_nothing(hub: Hub, duty: PassingDuty) -> None:
    served, held = hub.sources.held(REPO)
    duty.mine = False

    with pytest.raises(StorageUnavailable, match=WHY):
        await hub.sources.accept(REPO, served, held)

    assert hub.sources.held(REPO) == (served, held)


async def test_what_was_checked_side_by_side_while_it_was_lost_says_why(hub: Hub, duty: PassingDuty) -> None:
    duty.mine = False

    with pytest.raises(StorageUnavailable) as refused:
        await hub.sources.refresh_all([REPO])

    assert refused.value.detail.startswith(f"{WHY}, so what at least one source publishes now could not be kept.")


async def test_records_and_the_timeline_are_left_to_the_one_on_duty(
    hub: Hub, hands: Hands, engine: MemoryEngine, duty: PassingDuty
) -> None:
    await hub.sources.record_saver.save()
    await hub.timeline.look()
    records, spans = engine.holdings.load(engine.registrations.all()), engine.timeline.load()
    duty.mine = False

    other = read_fields(registration(repo="other", url=url_of("other")), hub.guard)
    hub.sources.watch(await engine.registrations.add(other, Author("operator")))
    hands.advance(timeline.SAVE_SECONDS + 60)
    # As after a check that changed a state and ended before the duty passed on.
    hub.sources._table.states += 1
    for write in (hub.sources.record_saver.save, hub.sources.secure, hub.timeline.look, hub.timeline.close):
        await write()
    await hub.sources.close()

    assert engine.timeline.load() == spans
    assert engine.holdings.load(engine.registrations.all()).sources == {**records.sources, "other": (None, None, None)}


async def test_what_a_start_finds_is_tidied_by_the_one_on_duty(
    settings: Settings, hands: Hands, hub: Hub, engine: MemoryEngine, duty: PassingDuty
) -> None:
    registered = engine.registrations.all()
    await engine.registrations.remove(REPO, Author("operator"))
    kept = engine.holdings.load(registered)
    for mine, left in ((False, kept.sources), (True, {REPO: (None, None, None)})):
        duty.mine = mine
        open_hub(settings, hands.clock(), engine).prepare()
        assert engine.holdings.load(registered).sources == left
    assert [view.repo for view in hub.sources.views()] == [REPO]


async def test_the_schedule_rests_without_it_and_goes_on_with_it(
    settings: Settings, hands: Hands, duty: PassingDuty, engine: MemoryEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    duty.mine = False
    refreshing, rounds = replace(settings, refresh=True), list[bool]()
    hub = open_hub(refreshing, hands.clock(), engine, Pace(look_seconds=0.005))
    come_round = hub.refresher._come_round

    def counted() -> None:
        come_round()
        rounds.append(duty.mine)

    def states() -> set[str]:
        hands.advance(1)
        return {status.state for _, status in hub.sources.followed()}

    monkeypatch.setattr(hub.refresher, "_come_round", counted)
    async with hub.running():
        for repo in ("one", "two"):
            row = read_fields(registration(repo=repo, url=url_of(repo)), hub.guard)
            hub.sources.watch(await hub.store.add(row, Author("operator")))
        await until(lambda: len(rounds) > 3)
        # To fetch anything now would fail: no source is announced.
        assert (states(), hub.refresher.health(), hub.federation.idle) == ({"never"}, "ok", True)
        assert hub.refresher._pause() == 0.005

        with announcing() as upstream:
            upstream.get(url__regex=".*").respond(content=index())
            duty.mine = True
            await until(lambda: states() == {"fresh"})
