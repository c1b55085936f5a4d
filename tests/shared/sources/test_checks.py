from __future__ import annotations

import asyncio
import errno
import os
import shutil
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from shared.hub import Hub, open_hub
from shared.model.author import Author
from shared.model.registration import Registration
from shared.problems import HeldReplaced, NothingHeld, Overloaded, RepoNotFound, SourceStatus
from shared.sources import intake
from shared.sources.hosts import AT_A_TIME, IN_ALL
from shared.sources.shrink_guard import past_of
from shared.storage.files import contents
from tests.builders import WRITER, Hands, capability, index, refresh, register, registration, served, url_of

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    import respx

    from shared.model.source import Outcome
    from shared.model.stored_content import StoredContent
    from shared.settings import Settings

ROW = Registration(
    **registration(), registered_at="2026-11-23T10:00:00Z", updated_at="", registered_by="operator", revision=1
)
OPERATOR = Author("operator")
DAY = 24 * 3600


def sends(*numbers: int, tag: str = "") -> httpx.Response:
    """Return the answer of a source that publishes these entries, none when there are no numbers."""
    body = index(*(capability(n) for n in numbers)) if numbers else b'{"version": 1, "capabilities": []}'
    return httpx.Response(200, content=body, headers={"ETag": f'"{tag}"'} if tag else {})


NOT_MODIFIED = httpx.Response(304)


@pytest.fixture
def route(upstream: respx.MockRouter) -> respx.Route:
    """The route of the registered URL."""
    return upstream.get(ROW.url)


async def answered(hub: Hub, route: respx.Route, *answers: httpx.Response | type[Exception]) -> Outcome:
    """Have the source checked once for each answer; return the last outcome."""
    route.side_effect = list(answers)
    outcomes = [await hub.sources.refresh("state-hub") for _ in answers]
    return outcomes[-1]


def serving(hub: Hub) -> int:
    """Return how many capabilities of the source are served."""
    content = hub.sources.parts()[0].content
    return len(content.entries) if content else 0


def asked_by(route: respx.Route) -> str | None:
    """Return the entity tag that the last request named."""
    tag: str | None = route.calls.last.request.headers.get("if-none-match")
    return tag


@pytest.fixture
async def held(hub: Hub, route: respx.Route) -> Hub:
    """A hub whose one source lost half of its four entries."""
    hub.sources.watch(ROW)
    outcome = await answered(hub, route, sends(1, 2, 3, 4, tag="whole"), sends(1, 2, tag="half"))
    assert outcome.outcome == "held"
    return hub


async def test_what_shrinks_is_held_and_the_last_good_content_served(held: Hub) -> None:
    status = held.sources.status("state-hub")

    assert (status.state, status.error, status.consecutive_failures) == ("held", None, 0)
    assert (status.capability_count, serving(held)) == (4, 4)
    assert status.changed_at == "2026-11-23T10:00:00Z"


async def test_an_empty_index_is_held_too(hub: Hub, route: respx.Route) -> None:
    hub.sources.watch(ROW)

    assert (await answered(hub, route, sends(1), sends())).outcome == "held"
    assert serving(hub) == 1


async def test_while_held_the_source_is_asked_by_the_validators_of_what_is_held(held: Hub, route: respx.Route) -> None:
    outcome = await answered(held, route, NOT_MODIFIED)

    assert (asked_by(route), outcome.outcome, outcome.source.state) == ('"half"', "held", "held")
    assert outcome.source.http_status == 304


@pytest.mark.parametrize(
    ("answer", "outcome", "count"),
    [
        pytest.param(sends(1, 2, 3, 4, tag="again"), "unchanged", 4, id="the same as before"),
        pytest.param(sends(1, 2, 3, tag="other"), "changed", 3, id="less, but not too little"),
        pytest.param(sends(1, 2, 3, 4, 5, tag="more"), "changed", 5, id="more"),
    ],
)
async def test_a_source_that_recovers_leaves_no_trace(
    held: Hub, route: respx.Route, answer: httpx.Response, outcome: str, count: int
) -> None:
    assert (await answered(held, route, answer)).outcome == outcome

    assert (held.sources.status("state-hub").state, serving(held)) == ("fresh", count)
    assert list((held.settings.data_dir / "held").iterdir()) == []
    with pytest.raises(NothingHeld):
        await held.sources.accept("state-hub", *held.sources.held("state-hub"))
    await answered(held, route, NOT_MODIFIED)
    assert asked_by(route) == answer.headers["etag"]


async def test_other_content_that_shrinks_is_held_in_its_place(held: Hub, route: respx.Route) -> None:
    outcome = await answered(held, route, sends(3, tag="one"), NOT_MODIFIED)

    assert (outcome.outcome, asked_by(route)) == ("held", '"one"')
    await held.sources.accept("state-hub", *held.sources.held("state-hub"))
    assert serving(held) == 1


async def test_the_same_content_at_every_check_of_a_day_is_let_in(held: Hub, route: respx.Route, hands: Hands) -> None:
    hands.advance(DAY - 1)
    early = await answered(held, route, sends(2, 1))
    hands.advance(1)
    late = await answered(held, route, NOT_MODIFIED if early.source.http_status == 304 else sends(1, 2, tag="half"))

    assert (early.outcome, late.outcome) == ("held", "changed")
    assert (late.source.state, late.source.changed_at) == ("fresh", "2026-11-24T10:00:00Z")
    assert serving(held) == 2
    assert list((held.settings.data_dir / "held").iterdir()) == []


async def test_a_304_counts_as_seeing_it(held: Hub, route: respx.Route, hands: Hands) -> None:
    hands.advance(DAY)

    assert (await answered(held, route, NOT_MODIFIED)).outcome == "changed"
    assert serving(held) == 2


@pytest.mark.parametrize(
    "between",
    [
        pytest.param(httpx.Response(500), id="a failure"),
        pytest.param(sends(3), id="other content"),
    ],
)
async def test_a_check_that_does_not_see_it_begins_the_day_anew(
    held: Hub, route: respx.Route, hands: Hands, between: httpx.Response
) -> None:
    hands.advance(DAY / 2)
    await answered(held, route, between, sends(1, 2))
    hands.advance(DAY / 2)

    assert (await answered(held, route, sends(1, 2))).outcome == "held"
    hands.advance(DAY / 2)
    assert (await answered(held, route, sends(1, 2))).outcome == "changed"


async def test_a_failure_while_held_is_stale_and_what_is_held_stays_for_whoever_accepts_it(
    held: Hub, route: respx.Route
) -> None:
    failed = await answered(held, route, httpx.ConnectError)
    accepted = await held.sources.accept("state-hub", *held.sources.held("state-hub"))

    assert (failed.source.state, accepted.outcome, accepted.source.state) == ("stale", "changed", "stale")
    assert (accepted.source.error, serving(held)) == (failed.source.error, 2)


async def test_what_is_held_survives_a_restart_with_its_validators_and_its_day(
    settings: Settings, hands: Hands, route: respx.Route
) -> None:
    first = open_hub(settings, hands.clock())
    async with first.running():
        first.sources.watch(await first.store.add(ROW.client_fields(), OPERATOR))
        await answered(first, route, sends(1, 2, 3, 4), sends(1, 2, tag="half"))
        serial = (await first.federation.shown()).serial
        hands.advance(DAY / 2)
        await answered(first, route, NOT_MODIFIED)

    # Neither the days in which the hub is off nor those by which the clock is wrong are days of looking.
    hands.advance(3 * DAY)
    hands.jump(10 * DAY)
    again = open_hub(settings, hands.clock())
    async with again.running():
        assert (again.sources.status("state-hub").state, serving(again)) == ("held", 4)
        assert again.federation.document.serial == serial
        assert (await answered(again, route, NOT_MODIFIED)).outcome == "held"
        assert asked_by(route) == '"half"'
        hands.advance(DAY / 2 - 1)
        assert (await answered(again, route, NOT_MODIFIED)).outcome == "held"
        hands.advance(1)
        assert (await answered(again, route, NOT_MODIFIED)).outcome == "changed"


async def test_a_clock_that_is_ahead_at_the_start_hides_nothing_that_is_stale(
    settings: Settings, hands: Hands, route: respx.Route
) -> None:
    first = open_hub(settings, hands.clock())
    async with first.running():
        first.sources.watch(await first.store.add(ROW.client_fields(), OPERATOR))
        await answered(first, route, sends(1, 2), httpx.Response(500))

    hands.jump(10 * DAY)
    again = open_hub(settings, hands.clock())
    async with again.running():
        ahead = again.sources.status("state-hub").state, serving(again)
        hands.jump(-10 * DAY)
        hands.advance(settings.max_stale_seconds - 1)
        again.sources.expire()
        right = again.sources.status("state-hub").state
        hands.advance(2)
        again.sources.expire()

        assert (ahead, right, again.sources.status("state-hub").state) == (("stale", 2), "stale", "failed")


async def vanished(hub: Hub, route: respx.Route, hands: Hands, *sizes: int, hours: float) -> list[tuple[int, str]]:
    """Let the source publish so many entries one after the other; return the sizes with what became of each."""
    outcomes: list[tuple[int, str]] = []
    for size in sizes:
        outcomes.append((size, (await answered(hub, route, sends(*range(size)))).outcome))
        hands.advance(hours * 3600)
    return outcomes


async def test_what_vanishes_within_a_day_counts_together(hub: Hub, route: respx.Route, hands: Hands) -> None:
    hub.sources.watch(ROW)
    sizes = (100, 70, 49, 35, 25, 18, 13, 10, 7, 5, 4, 3, 2)

    outcomes = await vanished(hub, route, hands, *sizes, hours=0.01)

    assert outcomes == [(100, "changed"), (70, "changed"), *((size, "held") for size in sizes[2:])]
    assert serving(hub) == 70


async def test_one_by_one_counts_together_over_restarts_too(
    settings: Settings, hands: Hands, route: respx.Route
) -> None:
    outcomes = []
    for size in range(40, 20, -1):
        hub = open_hub(settings, hands.clock())
        async with hub.running():
            if size == 40:
                hub.sources.watch(await hub.store.add(ROW.client_fields(), OPERATOR))
            outcomes += await vanished(hub, route, hands, size, hours=0.1)
        hands.advance(5 * DAY)

    assert [outcome for _, outcome in outcomes] == ["changed"] * 13 + ["held"] * 7


async def test_a_slow_decline_passes(hub: Hub, route: respx.Route, hands: Hands) -> None:
    hub.sources.watch(ROW)

    outcomes = await vanished(hub, route, hands, 100, 70, 49, 35, 25, hours=25)

    assert {outcome for _, outcome in outcomes} == {"changed"}


async def test_what_was_accepted_is_the_measure_from_then_on(hub: Hub, route: respx.Route, hands: Hands) -> None:
    hub.sources.watch(ROW)
    await vanished(hub, route, hands, 100, 70, 49, hours=0.01)
    await hub.sources.accept("state-hub", *hub.sources.held("state-hub"))

    assert await vanished(hub, route, hands, 35, 34, hours=0.01) == [(35, "changed"), (34, "held")]


async def test_what_a_day_let_in_is_the_measure_from_then_on(hub: Hub, route: respx.Route, hands: Hands) -> None:
    hub.sources.watch(ROW)
    await vanished(hub, route, hands, 100, 70, 49, hours=24)
    assert await vanished(hub, route, hands, 30, 30, hours=24) == [(30, "held"), (30, "changed")]

    assert await vanished(hub, route, hands, 21, 20, hours=0.01) == [(21, "changed"), (20, "held")]


async def test_an_acceptance_that_a_crash_cut_short_is_done_after_the_restart(
    settings: Settings, hands: Hands, route: respx.Route
) -> None:
    first = open_hub(settings, hands.clock())
    async with first.running():
        first.sources.watch(await first.store.add(ROW.client_fields(), OPERATOR))
        await answered(first, route, sends(1, 2, 3, 4), sends(1, 2))
        rest = (settings.data_dir / "held" / "state-hub.json").read_bytes()
        await first.sources.accept("state-hub", *first.sources.held("state-hub"))
    (settings.data_dir / "held" / "state-hub.json").write_bytes(rest)

    again = open_hub(settings, hands.clock())
    async with again.running():
        assert (again.sources.status("state-hub").state, serving(again)) == ("fresh", 2)


async def test_a_new_url_forgets_what_was_held(held: Hub) -> None:
    held.sources.watch(replace(ROW, revision=2, url=url_of("moved")))

    with pytest.raises(NothingHeld):
        await held.sources.accept("state-hub", *held.sources.held("state-hub"))
    assert list((held.settings.data_dir / "held").iterdir()) == []


async def test_what_a_disabled_source_holds_can_be_let_in(held: Hub) -> None:
    held.sources.watch(replace(ROW, revision=2, enabled=False))

    outcome = await held.sources.accept("state-hub", *held.sources.held("state-hub"))

    assert (outcome.source.state, outcome.source.capability_count, serving(held)) == ("disabled", 2, 0)


async def test_an_acceptance_that_other_content_overtakes_lets_nothing_in(
    held: Hub, route: respx.Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    overtaken = asyncio.Event()
    to_thread = asyncio.to_thread

    async def slow(*arguments: Any) -> Any:
        monkeypatch.undo()
        made = await to_thread(*arguments)
        await overtaken.wait()
        return made

    monkeypatch.setattr(asyncio, "to_thread", slow)
    accepting = asyncio.create_task(held.sources.accept("state-hub", *held.sources.held("state-hub")))
    await asyncio.sleep(0)
    await answered(held, route, sends(3))
    overtaken.set()

    with pytest.raises(HeldReplaced, match=r"is not held any more\. Nothing was let in\."):
        await accepting
    assert (serving(held), held.sources.status("state-hub").state) == (4, "held")
    assert [path.name for path in (held.settings.data_dir / "content").iterdir()] == ["state-hub.json"]


def started_after_a_kill(hub: Hub, folder: Path) -> Hub:
    """Return what a start finds where *hub* is killed now."""
    shutil.copytree(hub.settings.data_dir, folder)
    again = open_hub(replace(hub.settings, data_dir=folder), hub.clock)
    again.close()
    return again


async def test_a_check_that_fails_while_an_acceptance_is_written_is_there_after_a_kill(
    hub: Hub, client: httpx.AsyncClient, route: respx.Route, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register(client)
    await answered(hub, route, sends(1, 2, 3, 4), sends(1, 2))
    begun, go_on, draft = threading.Event(), threading.Event(), contents.ContentFolder.draft

    def slow(self: contents.ContentFolder, repo: str, content: StoredContent) -> Path:
        begun.set()
        go_on.wait(10)
        return draft(self, repo, content)

    monkeypatch.setattr(contents.ContentFolder, "draft", slow)
    accepting = asyncio.create_task(client.post("/v1/repos/state-hub/accept", headers=WRITER))
    await asyncio.to_thread(begun.wait, 10)
    fetched = asyncio.Event()

    def fail(_: httpx.Request) -> httpx.Response:
        fetched.set()
        return httpx.Response(503)

    route.side_effect = fail
    failing = asyncio.create_task(hub.sources.refresh("state-hub"))
    await fetched.wait()
    # The answer is judged within some turns of the loop.
    for _ in range(100):
        await asyncio.sleep(0)
    await hub.sources.record_saver.save()
    go_on.set()
    assert (await accepting).status_code == 200
    await failing
    await hub.registry.shown("It is checked.")

    again = started_after_a_kill(hub, tmp_path / "killed")
    shown = [(one.sources.status("state-hub").state, serving(one)) for one in (hub, again)]
    assert shown == [("stale", 2)] * 2
    assert again.sources.status("state-hub").error == hub.sources.status("state-hub").error


@pytest.mark.parametrize("meanwhile", ["not read", "failing"])
async def test_a_url_that_was_changed_and_changed_back_is_not_read_after_a_kill_either(
    meanwhile: str, hub: Hub, client: httpx.AsyncClient, upstream: respx.MockRouter, tmp_path: Path
) -> None:
    upstream.get(ROW.url).respond(content=index())
    upstream.get(url_of("moved")).respond(503)
    await register(client)
    await refresh(client)
    for url in (url_of("moved"), ROW.url):
        await client.patch("/v1/repos/state-hub", json={"url": url}, headers=WRITER)
        if meanwhile == "failing" and url != ROW.url:
            await refresh(client)

    again = started_after_a_kill(hub, tmp_path / "killed")

    statuses = [one.sources.status("state-hub") for one in (hub, again)]
    assert [status.error and status.error["type"] for status in statuses] == ["source-unchecked"] * 2
    assert [status.state for status in statuses] == ["stale"] * 2
    # The same contents under the same serial: nobody reads the index again for a restart.
    assert again.federation.document.substance == hub.federation.document.substance
    await refresh(client)
    assert started_after_a_kill(hub, tmp_path / "read").sources.status("state-hub").state == "fresh"


@pytest.mark.parametrize(
    ("answers", "kept"),
    [
        pytest.param([sends(1, 2, 3), sends(1, 2)], 2, id="let in"),
        pytest.param([sends(1, 2, 3), sends(1), sends(2)], 1, id="held"),
    ],
)
async def test_what_is_written_for_an_older_registration_does_not_count(
    hub: Hub, route: respx.Route, monkeypatch: pytest.MonkeyPatch, answers: list[httpx.Response], kept: int
) -> None:
    hub.sources.watch(ROW)
    *before, first, second = answers
    if before:
        await answered(hub, route, *before)
    draft = contents.ContentFolder.draft

    def moved_meanwhile(self: contents.ContentFolder, repo: str, content: StoredContent) -> Path:
        monkeypatch.undo()
        loop.call_soon_threadsafe(hub.sources.watch, replace(ROW, revision=2, cache_ttl_seconds=60))
        return draft(self, repo, content)

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(contents.ContentFolder, "draft", moved_meanwhile)
    route.side_effect = [first, second]

    outcome = await hub.sources.refresh("state-hub")

    assert route.call_count == len(answers)
    assert len(hub.sources.view("state-hub").newest.content.entries) == kept  # type: ignore[union-attr]
    assert outcome.outcome == ("held" if len(answers) > 2 else "changed")
    assert not list(hub.settings.data_dir.glob("*/.*"))


async def test_content_for_which_there_is_no_room_is_not_let_in(
    settings: Settings, hands: Hands, route: respx.Route
) -> None:
    hub = open_hub(replace(settings, max_capabilities=4), hands.clock())
    async with hub.running():
        hub.sources.watch(ROW)
        full = await answered(hub, route, sends(1, 2, 3, tag="ok"), sends(1, 2, 3, 4, 5, tag="big"))
        good = await answered(hub, route, NOT_MODIFIED)

        assert (full.outcome, full.source.state, serving(hub)) == ("failed", "stale", 3)
        assert full.source.error == {
            "type": "hub-full",
            "detail": "The hub would hold 5 capabilities; it keeps at most 4 over all sources.",
        }
        assert (asked_by(route), good.source.state) == ('"ok"', "fresh")


async def test_room_is_free_again_when_a_source_goes(settings: Settings, hands: Hands, route: respx.Route) -> None:
    hub = open_hub(replace(settings, max_capabilities=2), hands.clock())
    async with hub.running():
        hub.sources.watch(ROW)
        await answered(hub, route, sends(1, 2))
        hub.sources.forget("state-hub")
        hub.sources.watch(ROW)

        assert (await answered(hub, route, sends(3, 4))).outcome == "changed"


async def test_what_is_held_takes_room_until_it_is_let_in_or_goes(
    settings: Settings, hands: Hands, route: respx.Route
) -> None:
    hub = open_hub(replace(settings, max_capabilities=6), hands.clock())
    async with hub.running():
        hub.sources.watch(ROW)
        await answered(hub, route, sends(1, 2, 3, 4), sends(8, 9))
        full = await answered(hub, route, sends(6, 7, 8))
        await hub.sources.accept("state-hub", *hub.sources.held("state-hub"))
        fits = await answered(hub, route, sends(8, 9, 10, 11, 12))

    assert (full.outcome, full.source.error["type"]) == ("failed", "hub-full")  # type: ignore[index]
    assert (fits.outcome, fits.source.capability_count) == ("changed", 5)


async def test_what_is_held_takes_room_after_a_restart_too(
    settings: Settings, hands: Hands, upstream: respx.MockRouter
) -> None:
    settings = replace(settings, max_capabilities=6)
    routes = {repo: upstream.get(url_of(repo)) for repo in "ab"}
    async with served(settings, hands) as client:
        for repo in "ab":
            await register(client, repo)
        routes["a"].side_effect = [sends(1, 2, 3, 4), sends(8, 9)]
        assert [(await refresh(client, "a"))["outcome"] for _ in range(2)] == ["changed", "held"]
    async with served(settings, hands) as client:
        routes["b"].side_effect = [sends(20), sends(20)]
        full = await refresh(client, "b")
        await client.delete("/v1/repos/a", headers=WRITER)
        fits = await refresh(client, "b")

    assert (full["outcome"], full["source"]["error"]["type"], fits["outcome"]) == ("failed", "hub-full", "changed")


async def test_of_two_that_come_together_the_first_has_the_room_before_it_is_written(
    settings: Settings, hands: Hands, upstream: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = open_hub(replace(settings, max_capabilities=4), hands.clock())
    draft, drafts, loop = contents.ContentFolder.draft, list[str](), asyncio.get_running_loop()

    async def refused() -> None:
        async with asyncio.timeout(10):
            while not any(hub.sources.status(repo).error for repo in "ab"):  # noqa: ASYNC110 - it sets no event
                await asyncio.sleep(0.001)

    def drafted_after_the_other_ended(self: contents.ContentFolder, repo: str, kept: StoredContent) -> Path:
        drafts.append(repo)
        asyncio.run_coroutine_threadsafe(refused(), loop).result()
        return draft(self, repo, kept)

    monkeypatch.setattr(contents.ContentFolder, "draft", drafted_after_the_other_ended)
    async with hub.running():
        for repo in "ab":
            upstream.get(url_of(repo)).mock(sends(1, 2, 3))
            hub.sources.watch(replace(ROW, repo=repo, url=url_of(repo)))
        outcomes = await hub.sources.refresh_all("ab")

    assert sorted(one.outcome for one in outcomes) == ["changed", "failed"]
    assert len(drafts) == 1
    assert hub.sources._room.used.capabilities == 3
    assert not list(settings.data_dir.glob("*/.*"))


async def test_room_is_given_back_where_nothing_was_kept(
    hub: Hub, route: respx.Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.sources.watch(ROW)
    await answered(hub, route, sends(1, 2))
    before = hub.sources._room.used
    with monkeypatch.context() as full:
        full.setattr(contents.ContentFolder, "draft", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            await answered(hub, route, sends(1, 2, 3))
    assert hub.sources._room.used == before

    draft, begun = contents.ContentFolder.draft, asyncio.Event()

    def drafted(self: contents.ContentFolder, repo: str, kept: StoredContent) -> Path:
        loop.call_soon_threadsafe(begun.set)
        return draft(self, repo, kept)

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(contents.ContentFolder, "draft", drafted)
    route.side_effect = [sends(1, 2, 3)]
    check = asyncio.ensure_future(hub.sources.refresh("state-hub"))
    await begun.wait()
    hub.sources.forget("state-hub")
    with pytest.raises(RepoNotFound):
        await check

    assert hub.sources._room.used == (0, 0)


async def test_holding_is_decided_by_what_is_served_when_it_is_written(
    hub: Hub, route: respx.Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.sources.watch(ROW)
    await answered(hub, route, sends(1, 2, 3, 4), sends(1, 2))
    draft, accepted = contents.ContentFolder.draft, asyncio.Event()

    def accepted_meanwhile(self: contents.ContentFolder, repo: str, content: StoredContent) -> Path:
        monkeypatch.undo()
        seen = hub.sources.held("state-hub")
        asyncio.run_coroutine_threadsafe(hub.sources.accept("state-hub", *seen), loop).result()
        loop.call_soon_threadsafe(accepted.set)
        return draft(self, repo, content)

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(contents.ContentFolder, "draft", accepted_meanwhile)

    # Against the four entries that were served this is too little, against the two that were accepted it is not.
    route.side_effect = [sends(1), sends(1)]
    outcome = await hub.sources.refresh("state-hub")

    assert (accepted.is_set(), outcome.source.state, serving(hub)) == (True, "fresh", 1)


def busy(host: str = "busy.example") -> SourceStatus:
    """Return what is wrong with a source whose host asks to be left alone for two minutes."""
    problem = SourceStatus("The source answered 429.", source_status=429)
    problem.retry_after, problem.host = 120.0, host
    return problem


@pytest.fixture
def crowd(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Twenty sources of one busy host; the list of who was asked."""
    asked: list[str] = []

    async def refuse(url: str, *_: object) -> None:
        asked.append(url)
        await asyncio.sleep(0)
        raise busy()

    monkeypatch.setattr(hub.sources._checker._fetcher, "fetch", refuse)
    for number in range(20):
        hub.sources.watch(replace(ROW, repo=f"r{number}", url=f"https://busy.example/{number}"))
    return asked


async def test_a_host_in_a_cool_down_is_asked_no_more(hub: Hub, hands: Hands, crowd: list[str]) -> None:
    outcomes = await hub.sources.refresh_all([f"r{n}" for n in range(20)])

    assert len(crowd) == len(outcomes) == AT_A_TIME
    assert (hub.sources.schedule.due(), hub.sources.schedule.forced()) == ([], [])
    waiting = {hub.sources.status(f"r{n}").next_check_at for n in range(20)}
    assert waiting == {"2026-11-23T10:02:00Z"}
    assert await hub.sources.check("r19") is None
    hands.advance(120)
    assert len(hub.sources.schedule.due()) == 20


@pytest.mark.usefixtures("crowd")
async def test_the_sources_of_a_host_that_asks_for_a_pause_get_their_dates_by_slices(hub: Hub) -> None:
    for number in range(20, 2000):
        hub.sources.watch(replace(ROW, repo=f"r{number}", url=f"https://busy.example/{number}"))

    def waiting() -> int:
        return sum(hub.sources.status(f"r{n}").next_check_at == "2026-11-23T10:02:00Z" for n in range(2000))

    first = hub.sources._table.require("r0")
    hub.sources._table.pause(first, 120.0, host=True)

    assert first.status.next_check_at == "2026-11-23T10:02:00Z"
    assert waiting() <= 501
    for _ in range(4):
        await asyncio.sleep(0)
    assert waiting() == 2000


@pytest.mark.parametrize(
    ("host", "redirected"), [("elsewhere.example", True), ("leads.example", True)], ids=["elsewhere", "and back"]
)
async def test_a_source_that_leads_to_a_busy_host_waits_by_itself(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, host: str, redirected: bool
) -> None:
    async def refuse(*_: object) -> None:
        problem = busy(host)
        problem.redirected = redirected
        raise problem

    monkeypatch.setattr(hub.sources._checker._fetcher, "fetch", refuse)
    for repo in ("a", "b"):
        hub.sources.watch(replace(ROW, repo=repo, url=f"https://leads.example/{repo}"))
    hub.sources.watch(replace(ROW, repo="c", url="https://elsewhere.example/c"))

    await hub.sources.check("a")

    assert hub.sources.schedule.due() == ["b", "c"]
    assert hub.sources.schedule.forced() == ["a", "b", "c"]
    assert hub.sources.status("a").next_check_at == "2026-11-23T10:02:00Z"


async def test_what_somebody_asks_for_by_name_makes_no_other_wait(hub: Hub, hands: Hands, crowd: list[str]) -> None:
    outcome = await hub.sources.refresh("r0")
    free = hub.sources.schedule.due()
    await hub.sources.check("r1")
    hands.advance(119)
    await hub.sources.refresh("r0")
    hands.advance(1)

    assert (outcome.outcome, len(free)) == ("failed", 19)
    assert len(crowd) == 3
    assert "r1" in hub.sources.schedule.due()


async def test_nobody_prolongs_the_pause_of_a_host(hub: Hub, hands: Hands, upstream: respx.MockRouter) -> None:
    """The owner of one source has it refreshed and redirected all day; the other one of that host is looked at."""
    victim = upstream.get("https://busy.example/victim").respond(content=index())
    upstream.get("https://busy.example/limited").respond(429, headers={"Retry-After": "3600"})
    upstream.get("https://evil.example/").respond(302, headers={"Location": "https://busy.example/limited"})
    hub.sources.watch(replace(ROW, repo="victim", url="https://busy.example/victim", cache_ttl_seconds=0))
    hub.sources.watch(replace(ROW, repo="evil", url="https://evil.example/", cache_ttl_seconds=0))
    for _ in range(24):
        await hub.sources.refresh("evil")
        await hub.sources.refresh_all(hub.sources.schedule.due())
        hands.advance(3600)

    assert victim.call_count == 24
    assert hub.sources.status("victim").state == "fresh"


async def test_what_waits_for_its_host_for_long_is_not_fresh_and_has_a_finding(
    settings: Settings, hands: Hands, upstream: respx.MockRouter
) -> None:
    upstream.get("https://busy.example/a").respond(content=index())
    upstream.get("https://busy.example/b").respond(503, headers={"Retry-After": "3600"})
    hub = open_hub(replace(settings, refresh=True), hands.clock())
    hub.prepare()
    sources = hub.sources
    for repo in "ac":
        sources.watch(replace(ROW, repo=repo, url=f"https://busy.example/{repo}", cache_ttl_seconds=0))
    sources.watch(replace(ROW, repo="b", url="https://busy.example/b"))
    await sources.refresh_all("a")
    for _ in range(2):
        await sources.refresh_all("b")
        hands.advance(3600)
        sources.expire()
        if _ == 0:
            fresh = sources.status("a").state

    status = sources.status("a")
    found = {finding.repo: finding for finding in hub.findings.all()}
    assert (fresh, status.state, status.error["type"]) == ("fresh", "stale", "source-unchecked")  # type: ignore[index]
    assert [(found[repo].kind, found[repo].also) for repo in "ac"] == [("waiting", ("stale",)), ("waiting", ())]
    assert "Retry-After" in found["a"].action
    assert (await sources.refresh_all("a"))[0].source.error is None
    assert sources.status("a").state == "fresh"
    await sources.close()
    hub.close()


async def test_who_is_asked_for_by_name_is_asked_all_the_same(hub: Hub, crowd: list[str]) -> None:
    await hub.sources.refresh_all(["r0"])

    outcome = await hub.sources.refresh("r9")

    assert (crowd[-1], outcome.outcome) == ("https://busy.example/9", "failed")
    assert outcome.source.consecutive_failures == 1


async def test_a_url_that_moves_to_another_host_while_it_waits_is_asked_there(
    hub: Hub, upstream: respx.MockRouter
) -> None:
    go = asyncio.Event()

    async def slow(_: httpx.Request) -> httpx.Response:
        await go.wait()
        return sends(1)

    upstream.get(url__regex="https://slow.example/.*").side_effect = slow
    upstream.get("https://quick.example/").respond(content=index())
    for number in range(AT_A_TIME + 1):
        hub.sources.watch(replace(ROW, repo=f"r{number}", url=f"https://slow.example/{number}"))
    checks = asyncio.create_task(hub.sources.refresh_all([f"r{n}" for n in range(AT_A_TIME + 1)]))
    await asyncio.sleep(0.01)
    hub.sources.watch(replace(ROW, repo=f"r{AT_A_TIME}", revision=2, url="https://quick.example/"))
    go.set()

    outcomes = await checks

    assert [outcome.outcome for outcome in outcomes] == ["changed"] * (AT_A_TIME + 1)
    assert {host.busy for host in (source.host for source in hub.sources._table.all())} == {0}


async def test_nine_urls_of_one_owner_that_hang_keep_nobody_else_at_that_host_waiting(
    hub: Hub, upstream: respx.MockRouter
) -> None:
    go = asyncio.Event()

    async def hang(_: httpx.Request) -> httpx.Response:
        await go.wait()
        return httpx.Response(500)

    upstream.get(url__regex="https://forge.example/hangs/.*").side_effect = hang
    upstream.get("https://forge.example/good").respond(content=index())
    for number in range(9):
        url = f"https://forge.example/hangs/{number}"
        hub.sources.watch(replace(ROW, repo=f"hangs{number}", url=url, registered_by="other"))
    hub.sources.watch(replace(ROW, url="https://forge.example/good"))
    hung = asyncio.create_task(hub.sources.refresh_all([f"hangs{number}" for number in range(9)]))
    await asyncio.sleep(0.01)

    async with asyncio.timeout(5):
        outcome = await hub.sources.refresh("state-hub")

    assert (outcome.outcome, hung.done()) == ("changed", False)
    go.set()
    assert [one.outcome for one in await hung] == ["failed"] * 9


@pytest.mark.parametrize("answer", [sends(1), httpx.Response(500)], ids=["fetched", "failed"])
async def test_the_time_that_a_check_waits_for_its_turn_is_not_the_publishers(
    hub: Hub, hands: Hands, route: respx.Route, answer: httpx.Response
) -> None:
    async def slow(_: httpx.Request) -> httpx.Response:
        hands.advance(1.25)
        return answer

    route.side_effect = slow
    hub.sources.watch(ROW)
    gate = hub.sources._table.require("state-hub").host.gate
    for _ in range(IN_ALL):
        await gate.acquire()
    check = asyncio.create_task(hub.sources.refresh("state-hub"))
    for _ in range(9):
        await asyncio.sleep(0)  # until it stands at the gate
    hands.advance(95)
    gate.release()

    outcome = await check

    assert outcome.source.duration_ms == 1250
    assert hub.tally.fetches.total == 1.25


async def test_faults_and_the_first_failure_are_remembered_until_all_is_well(
    hub: Hub, hands: Hands, route: respx.Route
) -> None:
    bad = httpx.Response(200, content=b"version: 1\ncapabilities:\n- id: Upper\n  name: x\n")
    hub.sources.watch(ROW)
    await answered(hub, route, bad)
    hands.advance(60)
    await answered(hub, route, bad)
    failing = hub.sources.view("state-hub")
    assert failing is not None
    found = [(fault.line, fault.pointer, fault.since) for fault in failing.faults], failing.failing_since

    await answered(hub, route, sends(1))

    assert found == ([(3, "/capabilities/0/id", "2026-11-23T10:00:00Z")], "2026-11-23T10:00:00Z")
    view = hub.sources.view("state-hub")
    assert view is not None
    assert (view.faults, view.failing_since) == ((), None)


async def test_of_checks_side_by_side_an_unforeseen_fault_is_told_as_it_is(
    hub: Hub, route: respx.Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    route.mock(sends(1))
    hub.sources.watch(ROW)
    monkeypatch.setattr(contents.ContentFolder, "draft", lambda *_: 1 // 0)

    with pytest.raises(ZeroDivisionError):
        await hub.sources.refresh_all(["state-hub"])


async def test_what_the_hubs_machine_lacks_counts_as_no_failure_of_a_source(
    hub: Hub, hands: Hands, route: respx.Route
) -> None:
    route.mock(sends(1))
    hub.sources.watch(ROW)
    await hub.sources.refresh("state-hub")
    before = hub.sources.status("state-hub")
    route.mock(side_effect=OSError(errno.EMFILE, os.strerror(errno.EMFILE)))

    with pytest.raises(Overloaded, match=r"no open files left to fetch or read with\..* Try again in 30 s\.$"):
        await hub.sources.refresh("state-hub")
    with pytest.raises(Overloaded, match=r"The other sources were checked\.$") as fault:
        await hub.sources.refresh_all(["state-hub"])

    assert fault.value.headers == {"Retry-After": "30"}
    assert hub.sources.status("state-hub") == before
    assert hub.sources._table.require("state-hub").due >= hands.clock().monotonic() + 30


def changed_meanwhile(hub: Hub, work: Any) -> tuple[Any, list[int]]:
    """Return *work* as done while a person changes the source, the first time, and the list of its calls."""
    calls: list[int] = []

    def done(*arguments: Any) -> Any:
        calls.append(len(calls))
        if len(calls) == 1:
            hub.sources._table.outdate(hub.sources._table.require("state-hub"))
        return work(*arguments)

    return done, calls


async def test_what_was_judged_by_an_earlier_state_is_judged_again(
    hub: Hub, route: respx.Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.sources.watch(ROW)
    await answered(hub, route, sends(1, 2))
    judged, calls = changed_meanwhile(hub, past_of)
    monkeypatch.setattr(intake, "past_of", judged)

    # The first check begins anew, and so reads twice.
    route.side_effect = [sends(1, 2, 3), sends(1, 2, 3)]
    outcome = await hub.sources.refresh("state-hub")

    assert (outcome.outcome, serving(hub), len(calls)) == ("changed", 3, 2)


async def test_what_stays_at_a_new_url_is_written_for_the_state_that_is(
    hub: Hub, upstream: respx.MockRouter, route: respx.Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = replace(ROW, url=url_of("moved"), revision=2)
    hub.sources.watch(ROW)
    await answered(hub, route, sends(1, 2))
    hub.sources.watch(moved)
    upstream.get(moved.url).mock(side_effect=[sends(1, 2), sends(1, 2)])
    draft, calls = changed_meanwhile(hub, contents.ContentFolder.draft)
    monkeypatch.setattr(contents.ContentFolder, "draft", draft)

    outcome = await hub.sources.refresh("state-hub")

    assert (outcome.outcome, outcome.source.state, len(calls)) == ("unchanged", "fresh", 2)


async def test_the_ids_of_large_contents_are_compared_beside_the_event_loop(
    hub: Hub, route: respx.Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []

    def noted(*arguments: Any) -> Any:
        threads.append(threading.get_ident())
        return past_of(*arguments)

    monkeypatch.setattr(intake, "past_of", noted)
    hub.sources.watch(ROW)
    for count in (2, 3, intake.FEW_IDS, intake.FEW_IDS + 1):
        await answered(hub, route, sends(*range(count)))

    here = threading.get_ident()
    assert [one == here for one in threads] == [True, False, False]


async def test_a_check_that_could_not_begin_takes_no_place_of_its_host(
    hub: Hub, upstream: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(coroutine: Coroutine[Any, Any, Any]) -> None:
        coroutine.close()
        raise MemoryError

    hub.sources.watch(ROW)
    source = hub.sources._table.require(ROW.repo)
    with monkeypatch.context() as refusing:
        refusing.setattr(asyncio, "create_task", refuse)
        for _ in range(20):
            with pytest.raises(MemoryError):
                hub.sources._checks.start(source)

    assert (source.flight, source.share.busy, hub.sources._table.hosts.checks) == (None, 0, 0)
    assert hub.sources._table.hosts.under_way == {}
    upstream.get(ROW.url).respond(content=index())
    assert (await hub.sources.refresh(ROW.repo)).outcome == "changed"
