from __future__ import annotations

import asyncio
import errno
import gc
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from shared.disk import write_whole
from shared.hub import Hub, open_hub
from shared.model.author import Author
from shared.model.registration import Registration
from shared.problems import RepoDisabled, RepoNotFound, StorageUnavailable
from shared.sources.checks import BEGUN_AT_ONCE
from shared.storage.files import contents, records_file
from shared.storage.files.records_file import RecordsFile
from tests.builders import WRITER, Hands, capability, federated, index, refresh, register, registration, served

if TYPE_CHECKING:
    from collections.abc import Callable

    import respx

    from shared.settings import Settings

URL = "https://git.example.org/state-hub/capabilities.yaml"
ROW = Registration(
    **registration(), registered_at="2026-11-23T10:00:00Z", updated_at="", registered_by="operator", revision=1
)
OPERATOR = Author("operator")
GOOD = index(capability(1), capability(2))


def changed(**fields: object) -> Registration:
    """Return the next revision of the registration."""
    return replace(ROW, revision=2, **fields)  # type: ignore[arg-type]


@pytest.fixture
def source(upstream: respx.MockRouter) -> respx.Route:
    """The route of the registered URL; it answers with a good index."""
    return upstream.get(URL).respond(content=GOOD, headers={"ETag": '"1"', "Last-Modified": "Mon, 23 Nov 2026"})


async def test_the_first_check_brings_the_content(hub: Hub, source: respx.Route) -> None:
    hub.sources.watch(ROW)
    assert hub.sources.status("state-hub").state == "never"

    outcome = await hub.sources.refresh("state-hub")

    status = outcome.source
    assert (outcome.repo, outcome.outcome, status.state) == ("state-hub", "changed", "fresh")
    assert (status.capability_count, status.bytes, status.http_status) == (2, len(GOOD), 200)
    assert status.checked_at == status.succeeded_at == status.changed_at == "2026-11-23T10:00:00Z"
    assert "2026-11-23T10:54:00Z" <= str(status.next_check_at) <= "2026-11-23T11:06:00Z"
    assert source.call_count == 1


async def test_asks_with_the_validators_and_takes_304_for_unchanged(
    hub: Hub, hands: Hands, source: respx.Route
) -> None:
    hub.sources.watch(ROW)
    await hub.sources.refresh("state-hub")
    source.respond(304)
    hands.advance(60)

    outcome = await hub.sources.refresh("state-hub")

    sent = source.calls.last.request.headers
    assert (sent["if-none-match"], sent["if-modified-since"]) == ('"1"', "Mon, 23 Nov 2026")
    assert (outcome.outcome, outcome.source.http_status, outcome.source.bytes) == ("unchanged", 304, len(GOOD))
    assert (outcome.source.checked_at, outcome.source.changed_at) == ("2026-11-23T10:01:00Z", "2026-11-23T10:00:00Z")


async def test_the_same_content_in_other_bytes_is_unchanged_and_renews_the_validators(
    hub: Hub, source: respx.Route
) -> None:
    hub.sources.watch(ROW)
    await hub.sources.refresh("state-hub")

    source.respond(content=index(capability(2), capability(1)), headers={"ETag": '"2"'})
    outcome = await hub.sources.refresh("state-hub")
    await hub.sources.refresh("state-hub")

    assert outcome.outcome == "unchanged"
    assert source.calls.last.request.headers["if-none-match"] == '"2"'


@pytest.mark.parametrize(
    ("answer", "slug", "status"),
    [
        pytest.param(httpx.Response(500), "source-status", 500, id="an error"),
        pytest.param(httpx.Response(200, content=b"version: 2"), "invalid-index", 200, id="an invalid index"),
        pytest.param(httpx.Response(200, content=b" <html>"), "source-not-an-index", 200, id="markup"),
        pytest.param(httpx.Response(200, html="<html>"), "source-not-an-index", 200, id="a web page"),
        pytest.param(httpx.Response(302, headers={"Location": "http://a.example/"}), "source-redirect", 302, id="down"),
        pytest.param(httpx.ConnectTimeout, "source-timeout", None, id="silence"),
    ],
)
async def test_the_last_good_content_outlives_a_failure(
    hub: Hub, source: respx.Route, answer: httpx.Response | type[Exception], slug: str, status: int | None
) -> None:
    hub.sources.watch(ROW)
    digest = (await hub.sources.refresh("state-hub")).source.digest

    source.mock(side_effect=[answer])
    failed = await hub.sources.refresh("state-hub")
    source.mock(side_effect=[httpx.Response(304)])
    recovered = await hub.sources.refresh("state-hub")

    assert (failed.outcome, failed.source.state, failed.source.digest) == ("failed", "stale", digest)
    assert failed.source.error is not None
    assert (failed.source.error["type"], failed.source.http_status) == (slug, status)
    assert (recovered.source.state, recovered.source.error, recovered.source.consecutive_failures) == ("fresh", None, 0)


async def test_without_content_a_failure_is_failed(hub: Hub, source: respx.Route) -> None:
    source.respond(404)
    hub.sources.watch(ROW)

    outcome = await hub.sources.refresh("state-hub")

    assert (outcome.source.state, outcome.source.consecutive_failures) == ("failed", 1)
    assert hub.sources.parts()[0].content is None


async def test_a_fault_of_the_reader_is_the_sources_and_logged(
    hub: Hub, source: respx.Route, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("spilt")

    monkeypatch.setattr("shared.formats.SourceFormat.reading", crash)
    hub.sources.watch(ROW)

    outcome = await hub.sources.refresh("state-hub")

    assert source.called
    assert outcome.source.error == {"type": "invalid-index", "detail": "The index could not be read."}
    assert "RuntimeError: spilt" in caplog.text


async def test_wishes_that_come_together_share_one_request(hub: Hub, source: respx.Route) -> None:
    hub.sources.watch(ROW)

    outcomes = await asyncio.gather(*(hub.sources.refresh("state-hub") for _ in range(5)))

    assert source.call_count == 1
    assert {outcome.outcome for outcome in outcomes} == {"changed"}


async def test_refuses_what_is_unknown_or_disabled(hub: Hub, source: respx.Route) -> None:
    hub.sources.watch(replace(ROW, enabled=False))

    with pytest.raises(RepoNotFound):
        await hub.sources.refresh("other")
    with pytest.raises(RepoDisabled):
        await hub.sources.refresh("state-hub")

    assert not source.called
    assert (hub.sources.schedule.forced(), hub.sources.schedule.due()) == ([], [])


MOVED = "https://example.org/moved"


async def test_what_the_old_url_brought_is_served_as_stale_until_the_new_one_is_read(
    hub: Hub, source: respx.Route, upstream: respx.MockRouter
) -> None:
    moved = upstream.get(MOVED)
    moved.side_effect = [httpx.Response(404), httpx.Response(200, content=index(capability(2)))]
    hub.sources.watch(ROW)
    await hub.sources.refresh("state-hub")

    hub.sources.watch(changed(url=MOVED))
    before = hub.sources.status("state-hub")
    failed = await hub.sources.refresh("state-hub")
    served = hub.sources.parts()[0].content
    read = await hub.sources.refresh("state-hub")

    assert (before.state, before.checked_at, before.capability_count) == ("stale", None, 2)
    assert before.error == {
        "type": "source-unchecked",
        "detail": "The URL was changed, and the new address has not been read yet.",
    }
    assert (failed.source.state, failed.source.error["type"]) == ("stale", "source-status")  # type: ignore[index]
    assert served is not None
    assert len(served.entries) == 2
    assert (read.outcome, read.source.state, read.source.error) == ("changed", "fresh", None)
    assert ["if-none-match" in call.request.headers for call in moved.calls] == [False, False]
    assert source.call_count == 1


async def test_what_was_never_read_is_never_read_at_a_new_url_too(hub: Hub, source: respx.Route) -> None:
    hub.sources.watch(ROW)

    hub.sources.watch(changed(url=MOVED))

    assert hub.sources.status("state-hub").state == "never"
    assert hub.sources.schedule.due() == ["state-hub"]
    assert not source.called


async def test_a_new_url_is_due_at_once_and_judged_by_what_the_old_one_brought(
    hub: Hub, source: respx.Route, upstream: respx.MockRouter
) -> None:
    source.respond(content=index(*(capability(number) for number in range(4))))
    upstream.get(MOVED).respond(content=index(capability(1)), headers={"ETag": '"m"'})
    hub.sources.watch(ROW)
    await hub.sources.refresh("state-hub")

    hub.sources.watch(changed(url=MOVED))
    due = hub.sources.schedule.due()
    held = await hub.sources.refresh("state-hub")
    accepted = await hub.sources.accept("state-hub", *hub.sources.held("state-hub"))

    assert due == ["state-hub"]
    assert (held.outcome, held.source.state, held.source.capability_count) == ("held", "held", 4)
    assert (accepted.source.state, accepted.source.capability_count) == ("fresh", 1)


async def test_what_was_too_old_to_be_served_is_not_served_because_of_a_new_url(
    hub: Hub, source: respx.Route, hands: Hands
) -> None:
    hub.sources.watch(ROW)
    await hub.sources.refresh("state-hub")
    hands.advance(hub.settings.max_stale_seconds + 1)
    source.respond(500)
    assert (await hub.sources.refresh("state-hub")).source.state == "failed"

    hub.sources.watch(changed(url=MOVED))

    status = hub.sources.status("state-hub")
    assert (status.state, status.digest, hub.sources.parts()[0].content) == ("never", None, None)


@pytest.mark.usefixtures("source")
async def test_the_url_is_not_read_yet_also_for_longer_than_what_is_stale_is_served(hub: Hub, hands: Hands) -> None:
    hub.sources.watch(ROW)
    await hub.sources.refresh("state-hub")
    hub.sources.watch(changed(url=MOVED))

    hands.advance(hub.settings.max_stale_seconds + 1)
    hub.sources.expire()

    assert hub.sources.status("state-hub").state == "stale"
    assert hub.sources.parts()[0].content is not None


@pytest.mark.parametrize("read", [False, True], ids=["not read yet", "read"])
async def test_entries_lead_where_the_url_lies_that_brought_them(
    settings: Settings, hands: Hands, upstream: respx.MockRouter, read: bool
) -> None:
    old, new = (f"https://raw.githubusercontent.com/o/{name}/main/i.yaml" for name in ("old", "new"))
    for url in (old, new):
        upstream.get(url).respond(content=index(capability(1, path="a.md")))
    async with served(settings, hands) as client:
        await register(client, url=old)
        await refresh(client)
        await client.patch("/v1/repos/state-hub", json={"url": new}, headers=WRITER)
        assert not read or (await refresh(client))["outcome"] == "unchanged"
        before = await federated(client)
    async with served(settings, hands) as client:
        after = await federated(client)
        outcome = await refresh(client)

    place = new if read else old
    assert before["sources"][0]["url"] == new
    assert before["capabilities"][0]["entry_url"] == place.replace("i.yaml", "a.md")
    assert (after["capabilities"], after["sources"]) == (before["capabilities"], before["sources"])
    assert (outcome["outcome"], outcome["source"]["state"]) == ("unchanged", "fresh")


async def test_disabling_hides_and_enabling_brings_back(hub: Hub, source: respx.Route) -> None:
    hub.sources.watch(ROW)
    await hub.sources.refresh("state-hub")

    hub.sources.watch(changed(enabled=False))
    hidden = hub.sources.parts()[0]
    hub.sources.watch(replace(ROW, revision=3))

    assert (hidden.state, hidden.content) == ("disabled", None)
    assert hub.sources.parts()[0].content is not None
    assert hub.sources.schedule.due() == ["state-hub"]
    assert source.call_count == 1


async def test_an_older_revision_changes_nothing(hub: Hub) -> None:
    hub.sources.watch(changed(enabled=False))

    assert hub.sources.watch(ROW) is False
    assert hub.sources.status("state-hub").state == "disabled"


def during(route: respx.Route, act: Callable[[], object], *answers: httpx.Response) -> None:
    """Do *act* while the first request is under way; then answer as told."""
    rest = list(answers)

    def answer(_: httpx.Request) -> httpx.Response:
        if len(rest) == len(answers):
            act()
        return rest.pop(0)

    route.mock(side_effect=answer)


async def test_what_was_read_for_an_older_registration_does_not_count(hub: Hub, source: respx.Route) -> None:
    hub.sources.watch(ROW)
    during(
        source,
        lambda: hub.sources.watch(changed(cache_ttl_seconds=60)),
        httpx.Response(200, content=GOOD),
        httpx.Response(200, content=index(capability(7))),
    )

    outcome = await hub.sources.refresh("state-hub")

    assert (source.call_count, outcome.source.capability_count) == (2, 1)
    assert [path.name for path in (hub.settings.data_dir / "content").iterdir()] == ["state-hub.json"]


async def test_a_failure_for_an_older_registration_does_not_count(hub: Hub, source: respx.Route) -> None:
    hub.sources.watch(ROW)
    during(
        source,
        lambda: hub.sources.watch(changed(cache_ttl_seconds=60)),
        httpx.Response(500),
        httpx.Response(200, content=GOOD),
    )

    assert (await hub.sources.refresh("state-hub")).source.consecutive_failures == 0


async def test_deregistering_ends_a_check_under_way_without_a_trace(hub: Hub, source: respx.Route) -> None:
    hub.sources.watch(ROW)
    during(source, lambda: hub.sources.forget("state-hub"), httpx.Response(200, content=GOOD))

    with pytest.raises(RepoNotFound):
        await hub.sources.refresh("state-hub")

    assert hub.sources.parts() == []
    assert list(hub.settings.data_dir.glob("content/*")) == []
    hub.sources.forget("state-hub")


async def test_many_are_checked_side_by_side_and_one_that_goes_is_left_out(
    hub: Hub, source: respx.Route, upstream: respx.MockRouter
) -> None:
    hub.sources.watch(ROW)
    upstream.get("https://example.org/b").respond(500)
    hub.sources.watch(replace(ROW, repo="b", url="https://example.org/b"))

    outcomes = await hub.sources.refresh_all(["state-hub", "b", "gone"])

    assert [(one.repo, one.outcome) for one in outcomes] == [("b", "failed"), ("state-hub", "changed")]
    assert source.called


async def test_many_checks_begin_a_few_in_each_turn_of_the_loop(hub: Hub, upstream: respx.MockRouter) -> None:
    upstream.get(url__startswith="https://example.org/").respond(content=GOOD)
    repos = [f"r{number}" for number in range(2 * BEGUN_AT_ONCE)]
    for repo in repos:
        hub.sources.watch(replace(ROW, repo=repo, url=f"https://example.org/{repo}"))

    checks = asyncio.create_task(hub.sources.refresh_all(repos))
    await asyncio.sleep(0)
    begun = len(hub.sources.under_way())

    assert begun == BEGUN_AT_ONCE
    assert len(await checks) == len(repos)


async def test_content_that_can_not_be_kept_is_told_and_not_asked_for_again_at_once(
    hub: Hub, source: respx.Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StorageUnavailable("Full.", status=507)

    monkeypatch.setattr(contents, "write_draft", full)
    hub.sources.watch(ROW)

    with pytest.raises(StorageUnavailable):
        await hub.sources.refresh_all(["state-hub"])

    assert hub.sources.status("state-hub").state == "never"
    assert (hub.sources.schedule.due(), source.call_count) == ([], 1)


async def test_checks_go_on_without_a_caller_that_is_cancelled_and_log_nothing_of_what_they_raise(
    hub: Hub, source: respx.Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StorageUnavailable("Full.", status=507)

    logged: list[dict[str, Any]] = []
    monkeypatch.setattr(contents, "write_draft", full)
    asyncio.get_running_loop().set_exception_handler(lambda _, context: logged.append(context))
    hub.sources.watch(ROW)
    caller = asyncio.create_task(hub.sources.refresh_all(["state-hub"]))
    await asyncio.sleep(0)

    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    flight = hub.sources._table.require("state-hub").flight
    assert flight is not None
    await asyncio.wait([flight])
    del caller, flight
    await asyncio.sleep(0)
    gc.collect()

    assert (source.call_count, logged) == (1, [])


async def test_a_restart_serves_what_was_kept_and_reads_again_only_what_is_due(
    settings: Settings, hands: Hands, source: respx.Route
) -> None:
    first = open_hub(settings, hands.clock())
    async with first.running():
        added = await first.store.add(ROW.client_fields(), OPERATOR)
        first.sources.watch(added)
        before = (await first.sources.refresh("state-hub")).source

    hands.advance(600)
    again = open_hub(settings, hands.clock())
    async with again.running():
        assert again.sources.status("state-hub") == before
        assert again.sources.schedule.due() == []
        assert again.sources.parts()[0].content is not None
        hands.advance(3600)
        assert again.sources.schedule.due() == ["state-hub"]
    assert source.call_count == 1


@pytest.mark.parametrize("refresh", [True, False], ids=["scheduled", "not scheduled"])
async def test_a_hub_in_which_nothing_happens_goes_on_counting_its_hours_after_a_restart(
    settings: Settings, hands: Hands, *, refresh: bool
) -> None:
    settings = replace(settings, refresh=refresh)
    for _ in range(3):
        async with open_hub(settings, hands.clock()).running():
            hands.advance(7 * 3600)

    saved = RecordsFile(settings.data_dir / "sources.json").load()

    assert (saved.ran, saved.watched) == (21 * 3600, 21 * 3600 * refresh)


async def test_what_can_not_be_ended_costs_no_state(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    hub.sources.watch(ROW)
    monkeypatch.setattr(hub.sources._checker, "close", fail)

    with pytest.raises(ZeroDivisionError):
        await hub.sources.close()

    assert [*RecordsFile(hub.settings.data_dir / "sources.json").load().records] == [ROW.repo]


async def test_content_outlives_the_loss_of_its_state(settings: Settings, hands: Hands, source: respx.Route) -> None:
    first = open_hub(settings, hands.clock())
    async with first.running():
        first.sources.watch(await first.store.add(ROW.client_fields(), OPERATOR))
        await first.sources.refresh("state-hub")
    (settings.data_dir / "sources.json").unlink()

    again = open_hub(settings, hands.clock())
    async with again.running():
        status = again.sources.status("state-hub")
        assert (status.state, status.capability_count, status.changed_at) == ("fresh", 2, "2026-11-23T10:00:00Z")
        assert again.sources.schedule.due() == ["state-hub"]
    assert source.call_count == 1


async def test_states_that_can_not_be_saved_are_saved_later(
    hub: Hub, source: respx.Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.sources.watch(ROW)
    await hub.sources.refresh("state-hub")
    calls: list[object] = []

    def refuse_once(*args: object) -> None:
        calls.append(args)
        if len(calls) == 1:
            raise StorageUnavailable("Read-only.") from OSError(errno.EROFS, "")
        write_whole(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(records_file, "write_whole", refuse_once)

    with pytest.raises(StorageUnavailable):
        await hub.sources.record_saver.save()
    await hub.sources.record_saver.save()
    await hub.sources.record_saver.save()

    assert source.called
    assert len(calls) == 2


async def test_closing_ends_checks_under_way_and_says_what_could_not_be_saved(
    settings: Settings, hands: Hands, upstream: respx.MockRouter, caplog: pytest.LogCaptureFixture
) -> None:
    async def hang(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    upstream.get(URL).mock(side_effect=hang)
    opened = open_hub(settings, hands.clock())
    async with opened.running():
        opened.sources.watch(ROW)
        flight = asyncio.ensure_future(opened.sources.refresh("state-hub"))
        await asyncio.sleep(0.01)
        assert opened.sources.under_way() == ["state-hub"]
        (settings.data_dir / "sources.json").mkdir()

    with pytest.raises(asyncio.CancelledError):
        await flight
    assert "saving the states of the sources" in caplog.text
