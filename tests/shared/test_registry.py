from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from shared.hub import Hub, open_hub
from shared.model.author import Author, Grant
from shared.model.registration import RegistrationFields
from shared.model.rules import Precondition
from shared.problems import (
    Forbidden,
    HeldReplaced,
    NotShownYet,
    PreconditionFailed,
    RepoNotFound,
    StorageUnavailable,
    TooManyRequests,
    UrlRegistered,
)
from shared.search import SearchRequest
from tests.builders import Hands, capability, index, registration, url_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    import respx

    from shared.model.registration import Registration
    from shared.settings import Settings

    Call = Callable[[Hub, Author], Awaitable[object]]

REPO = "state-hub"
NEW = RegistrationFields(**registration())
ADMIN = Author("operator")
OWNER = Author("owner", grant=Grant((REPO,)))
STRANGER = Author("stranger", grant=Grant(("other-*",)))
WHOLE = index(*(capability(number) for number in range(5)))
LESS = index(capability(1))


def elsewhere(current: Registration) -> RegistrationFields:
    return replace(current.client_fields(), domain="elsewhere")


CALLS: dict[str, Call] = {
    "register": lambda hub, author: hub.registry.register(NEW, author),
    "replace": lambda hub, author: hub.registry.replace(replace(NEW, domain="elsewhere"), author),
    "update": lambda hub, author: hub.registry.update(REPO, elsewhere, author),
    "deregister": lambda hub, author: hub.registry.deregister(REPO, author),
    "refresh": lambda hub, author: hub.registry.refresh(REPO, author),
    "accept": lambda hub, author: hub.registry.accept(REPO, author),
}


@pytest.fixture
async def source(hub: Hub, upstream: respx.MockRouter) -> respx.Route:
    """A repo of which five capabilities are served, and most of them missing now: what it sends next is held."""
    route = upstream.get(NEW.url).respond(content=WHOLE)
    await hub.registry.register(NEW, ADMIN)
    assert (await hub.registry.refresh(REPO, ADMIN)).outcome == "changed"
    route.respond(content=LESS)
    return route


async def hold(hub: Hub) -> None:
    assert (await hub.registry.refresh(REPO, ADMIN)).outcome == "held"


async def facts(hub: Hub) -> tuple[list[str], list[str], str, bytes]:
    """Return what is stored, what is followed, and what the federated index and the search show, now."""
    stored = [f"{row.repo} {row.domain} {row.revision}" for row in await hub.store.registrations()]
    followed = [f"{row.repo} {row.domain} {row.revision}" for row, _ in hub.sources.followed()]
    shown = [
        f"{part.repo} {part.registration.domain} {len(part.content.entries) if part.content else 0}"
        for part in hub.federation.edition.parts
    ]
    search = await hub.search.answer(SearchRequest(), _total)
    return stored, followed, " ".join(shown), search.body


def _total(found: Any) -> bytes:
    return str(found.total).encode()


async def test_what_is_registered_is_stored_and_due_at_once(hub: Hub) -> None:
    made = await hub.registry.register(NEW, OWNER)

    assert (made.repo, made.registered_by, await hub.store.get(REPO)) == (REPO, "owner", made)
    assert hub.sources.schedule.due() == [REPO]


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize(
    ("name", "after"),
    [
        ("replace", (["state-hub elsewhere 2"], ["state-hub elsewhere 2"], "state-hub elsewhere 5", b"5")),
        ("update", (["state-hub elsewhere 2"], ["state-hub elsewhere 2"], "state-hub elsewhere 5", b"5")),
        ("deregister", ([], [], "", b"0")),
        ("accept", (["state-hub helix_forge 1"], ["state-hub helix_forge 1"], "state-hub helix_forge 1", b"1")),
    ],
)
async def test_what_is_done_is_stored_followed_shown_and_searchable_when_the_call_returns(
    hub: Hub, name: str, after: tuple[Any, ...]
) -> None:
    await hold(hub)

    await CALLS[name](hub, ADMIN)

    assert await facts(hub) == after


async def test_what_a_check_brings_is_shown_when_the_call_returns(hub: Hub, source: respx.Route) -> None:
    source.respond(content=index(*(capability(number) for number in range(7))))
    refreshed = await hub.registry.refresh(REPO, ADMIN)
    after_refresh = (await facts(hub))[2:]
    source.respond(content=index(*(capability(number) for number in range(9))))
    composed = await hub.registry.compose(ADMIN, force=True)

    assert (refreshed.outcome, after_refresh) == ("changed", ("state-hub helix_forge 7", b"7"))
    assert [one.outcome for one in composed] == ["changed"]
    assert (await facts(hub))[2:] == ("state-hub helix_forge 9", b"9")


async def test_composing_checks_what_is_due_and_nothing_else(hub: Hub, source: respx.Route, hands: Hands) -> None:
    before = source.call_count
    nothing = await hub.registry.compose(OWNER)
    hands.advance(2 * 3600)
    due = await hub.registry.compose(OWNER)

    assert (nothing, [one.repo for one in due], source.call_count) == ([], [REPO], before + 1)


@pytest.mark.parametrize("name", ["replace", "update", "deregister", "refresh", "accept"])
async def test_whose_repo_it_is_not_changes_nothing_and_fetches_nothing(
    hub: Hub, source: respx.Route, name: str
) -> None:
    await hold(hub)
    before, fetched = await facts(hub), source.call_count

    with pytest.raises(Forbidden, match="does not cover the repo state-hub"):
        await CALLS[name](hub, STRANGER)

    assert (await facts(hub), source.call_count) == (before, fetched)


async def test_to_register_and_to_try_out_take_a_token_that_covers_the_repo(
    hub: Hub, upstream: respx.MockRouter
) -> None:
    for call in (hub.registry.register, hub.registry.try_out):
        with pytest.raises(Forbidden):
            await call(NEW, STRANGER)

    assert (await hub.store.registrations(), upstream.calls.call_count) == ([], 0)


async def test_only_an_admin_forces_a_composition(hub: Hub, source: respx.Route) -> None:
    before = source.call_count

    with pytest.raises(Forbidden, match="an admin's token is needed"):
        await hub.registry.compose(OWNER, force=True)

    assert source.call_count == before


@pytest.fixture
async def narrow(settings: Settings, hands: Hands) -> Any:
    """A hub that takes one write and one fetch of a token in a minute."""
    opened = open_hub(replace(settings, writes_per_minute=1, refreshes_per_minute=1), hands.clock())
    async with opened.running():
        yield opened


@pytest.mark.parametrize("name", ["register", "replace", "update", "deregister", "accept"])
async def test_each_write_counts_for_its_token(narrow: Hub, name: str) -> None:
    await narrow.registry.register(replace(NEW, repo="other", url=url_of("other")), ADMIN)
    narrow.registry.quotas.count_write(OWNER)

    with pytest.raises(TooManyRequests, match="takes 1 writes of one token"):
        await CALLS[name](narrow, OWNER)

    assert [row.repo for row in await narrow.store.registrations()] == ["other"]


async def test_a_refresh_a_trial_and_a_composition_count_as_one_fetch_each(
    narrow: Hub, upstream: respx.MockRouter, hands: Hands
) -> None:
    upstream.get(NEW.url).respond(content=WHOLE)
    await narrow.registry.register(NEW, ADMIN)
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: narrow.registry.compose(OWNER),
        lambda: narrow.registry.refresh(REPO, OWNER),
        lambda: narrow.registry.try_out(NEW, OWNER),
    ]
    for first in calls:
        hands.advance(60)
        await first()
        fetched = upstream.calls.call_count
        for second in calls:
            with pytest.raises(TooManyRequests, match="takes 1 fetches for one token"):
                await second()
        assert upstream.calls.call_count == fetched


@pytest.mark.usefixtures("source")
async def test_a_trial_tells_why_it_would_be_refused_and_that_nothing_would_be_served(
    hub: Hub, upstream: respx.MockRouter
) -> None:
    upstream.get(url_of("other")).respond(content=index(capability(7)))
    upstream.get(NEW.url).respond(content=index(capability(8)))
    before = await facts(hub)

    refusal, refused = await hub.registry.try_out(replace(NEW, repo="other"), ADMIN)
    none, free = await hub.registry.try_out(replace(NEW, repo="other", url=url_of("other")), ADMIN)

    assert (type(refusal), refused["capability_count"], refused["served_count"]) == (UrlRegistered, 1, 0)
    assert (none, free["capability_count"], free["served_count"]) == (None, 1, 1)
    assert await facts(hub) == before


@pytest.mark.usefixtures("source")
async def test_an_acceptance_of_something_else_than_is_held_lets_in_nothing(hub: Hub) -> None:
    await hold(hub)
    before = await facts(hub)

    with pytest.raises(HeldReplaced, match=r"now has the digest sha256:\w+\. Nothing was let in"):
        await hub.registry.accept(REPO, ADMIN, "sha256:" + "0" * 64)

    assert await facts(hub) == before
    assert [line.action for line in await hub.store.history(REPO)] == ["register"]


@pytest.mark.usefixtures("source")
async def test_a_write_on_another_state_than_the_caller_saw_changes_nothing(hub: Hub) -> None:
    before = await facts(hub)

    for call in (
        hub.registry.deregister(REPO, ADMIN, Precondition(frozenset({'"other"'}))),
        hub.registry.update(REPO, elsewhere, ADMIN, Precondition(frozenset({'"other"'}))),
        hub.registry.replace(replace(NEW, domain="elsewhere"), ADMIN, Precondition(frozenset({'"other"'}))),
    ):
        with pytest.raises(PreconditionFailed):
            await call

    assert await facts(hub) == before


async def test_a_replacement_that_says_the_same_or_is_new_composes_nothing(hub: Hub) -> None:
    serial = hub.federation.document.serial
    new = await hub.registry.replace(NEW, ADMIN)
    same = await hub.registry.replace(NEW, ADMIN)

    assert (new.before, same.before is same.after, same.after) == (None, True, new.after)
    assert hub.federation.document.serial == serial
    assert hub.sources.schedule.due() == [REPO]


@pytest.mark.parametrize(
    ("fault", "status", "why"),
    [
        (MemoryError(), 503, "composing it failed"),
        (StorageUnavailable("", status=507), 507, "the hub can't write to its volume"),
    ],
    ids=["memory", "volume"],
)
async def test_what_can_not_be_shown_is_done_all_the_same(  # noqa: PLR0917 - fixtures
    hub: Hub, source: respx.Route, monkeypatch: pytest.MonkeyPatch, fault: Exception, status: int, why: str
) -> None:
    def fail(_: object) -> None:
        raise fault

    assert source.called
    with monkeypatch.context() as broken:
        broken.setattr(hub.federation, "_next", fail)
        with pytest.raises(NotShownYet, match=rf"^state-hub is deregistered\. .*: {why}\.") as problem:
            await hub.registry.deregister(REPO, ADMIN)
    assert problem.value.answer_status == status

    assert (await hub.store.registrations(), hub.sources.followed()) == ([], [])


class Disk:
    """Holds up what the store writes: ``begun`` is set when it begins, and it goes on when ``go_on`` is called."""

    def __init__(self, save: Callable[..., None]) -> None:
        self.begun = asyncio.Event()
        self._loop, self._save, self._free = asyncio.get_running_loop(), save, threading.Event()

    def save(self, *batch: Any) -> None:
        """Write *batch*, once that is let go on; called in a thread."""
        self._loop.call_soon_threadsafe(self.begun.set)
        self._free.wait(20)
        self._save(*batch)

    def go_on(self) -> None:
        """Let this and all that comes be written."""
        self._free.set()


@pytest.fixture
def slow(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Disk]]:
    """Make the store's writes wait from now on."""
    made = list[Disk]()

    def begin() -> Disk:
        store: Any = hub.store
        made.append(Disk(store._save))
        monkeypatch.setattr(store, "_save", made[0].save)
        return made[0]

    yield begin
    for disk in made:
        disk.go_on()


async def begin_and_cancel(call: Awaitable[object], disk: Disk) -> None:
    """Cancel *call* once the store has begun to write what it asks for."""
    caller = asyncio.ensure_future(call)
    await disk.begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller


@pytest.mark.parametrize("name", ["register", "replace", "update", "deregister", "accept"])
async def test_what_is_stored_is_followed_though_the_caller_has_gone(
    hub: Hub, upstream: respx.MockRouter, slow: Callable[[], Disk], name: str
) -> None:
    route = upstream.get(NEW.url).respond(content=WHOLE)
    if name != "register":
        await hub.registry.register(NEW, ADMIN)
        await hub.registry.refresh(REPO, ADMIN)
        route.respond(content=LESS)
        await hold(hub)
    disk = slow()

    await begin_and_cancel(CALLS[name](hub, ADMIN), disk)
    disk.go_on()
    await hub.registry.close()

    stored, followed, *_ = await facts(hub)
    expected = {"deregister": [], "replace": ["state-hub elsewhere 2"], "update": ["state-hub elsewhere 2"]}
    assert stored == followed == expected.get(name, ["state-hub helix_forge 1"])
    if name == "accept":
        assert [line.action for line in await hub.store.history(REPO)] == ["accept", "register"]
        assert hub.sources.status(REPO).capability_count == 1


async def test_one_after_the_other_is_what_is_followed_too_though_both_callers_have_gone(
    hub: Hub, slow: Callable[[], Disk]
) -> None:
    disk = slow()
    calls = [hub.registry.register(NEW, ADMIN), hub.registry.deregister(REPO, ADMIN), hub.registry.replace(NEW, ADMIN)]
    callers = [asyncio.ensure_future(call) for call in calls]
    await disk.begun.wait()
    for caller in callers:
        caller.cancel()
    disk.go_on()
    await asyncio.gather(*callers, return_exceptions=True)
    await hub.registry.close()

    assert (await facts(hub))[:2] == (["state-hub helix_forge 3"], ["state-hub helix_forge 3"])


async def test_the_end_of_the_hub_waits_for_what_was_begun(settings: Settings, hands: Hands) -> None:
    hub = open_hub(settings, hands.clock())
    async with hub.running():
        await hub.registry.register(NEW, ADMIN)
        store: Any = hub.store
        disk = Disk(store._save)
        store._save = disk.save
        await begin_and_cancel(hub.registry.deregister(REPO, ADMIN), disk)
        asyncio.get_running_loop().call_later(0.02, disk.go_on)

    assert (hub.sources.followed(), hub.federation.edition.parts) == ([], [])
    again = open_hub(settings, hands.clock())
    async with again.running():
        assert again.federation.document.serial == hub.federation.document.serial
        with pytest.raises(RepoNotFound):
            await again.registry.refresh(REPO, ADMIN)
