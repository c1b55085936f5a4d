"""What every store promises, run over every store."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from shared.model.author import Author, Grant
from shared.model.history import Change
from shared.model.registration import RegistrationFields
from shared.model.rules import DEFAULT_BOUNDS, RegistrationBounds
from shared.problems import Forbidden, PreconditionFailed, RegistrationsFull, RepoExists, RepoNotFound, UrlRegistered
from shared.storage import PER_REPO, Store
from shared.storage.files.tiny import TinyStore
from shared.storage.lines import HistoryLines
from shared.storage.memory import MemoryStore
from shared.tally import Tally
from tests.builders import demand, registration, url_of
from tests.shared.storage.rows import RowStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from shared.model.registration import Registration
    from shared.model.rules import Precondition
    from tests.builders import Hands

ANNA, BERT = Author("anna", "request-1"), Author("bert")
NOW = "2026-11-23T10:00:00.000000Z"


def wanted(repo: str = "state-hub", **changes: Any) -> RegistrationFields:
    """Return what a client may want."""
    return RegistrationFields(**registration(repo=repo, **{"url": url_of(repo), **changes}))


def required(current: Registration) -> RegistrationFields:
    """Make a registration say that it is required."""
    return replace(current.client_fields(), required=True)


@pytest.fixture(params=["tiny", "memory", "rows"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, hands: Hands) -> AsyncIterator[Store]:
    """Every store, one after the other."""
    clock = hands.clock()
    bounds = RegistrationBounds(in_all=3, per_token=2) if "so_many" in request.node.name else DEFAULT_BOUNDS
    lines = HistoryLines(in_all=30) if "nobody_elses_history" in request.node.name else HistoryLines()
    openers: dict[str, Callable[[], Store]] = {
        "tiny": lambda: TinyStore(tmp_path, clock, Tally(), bounds, lines),
        "memory": lambda: MemoryStore(clock, bounds, lines),
        "rows": lambda: RowStore(clock, bounds, lines),
    }
    opened = openers[request.param]()
    yield opened
    await opened.close()


async def everything(store: Store) -> list[Any]:
    """Return all that a store tells: what a refusal must leave as it was."""
    rows = await store.registrations()
    return [*rows, *[list(await store.history(row.repo)) for row in rows]]


async def test_a_new_store_holds_nothing(store: Store) -> None:
    assert list(await store.registrations()) == []
    for read in (store.get, store.history):
        with pytest.raises(RepoNotFound):
            await read("state-hub")


async def test_registers(store: Store) -> None:
    made = await store.add(wanted(required=True), ANNA)

    assert made.client_fields() == wanted(required=True)
    assert (made.revision, made.registered_by, made.registered_at, made.updated_at) == (1, "anna", NOW, NOW)
    assert await store.get("state-hub") == made
    assert list(await store.registrations()) == [made]


async def test_lists_by_name(store: Store) -> None:
    for repo in ("b", "c", "a.b", "a"):
        await store.add(wanted(repo), ANNA)

    assert [row.repo for row in await store.registrations()] == ["a", "a.b", "b", "c"]


async def test_a_name_is_registered_once(store: Store) -> None:
    await store.add(wanted(), ANNA)
    before = await everything(store)

    with pytest.raises(RepoExists):
        await store.add(wanted(url="https://elsewhere.example/"), BERT)

    assert await everything(store) == before


async def test_a_url_has_one_repo_however_it_is_written(store: Store) -> None:
    await store.add(wanted("a", url="https://Example.org:443/x/../i.yaml"), ANNA)
    await store.add(wanted("b"), ANNA)
    before, same = await everything(store), "https://example.org/i.yaml"

    for write in (
        lambda: store.add(wanted("c", url=same), BERT),
        lambda: store.replace(wanted("b", url=same), BERT),
        lambda: store.update("b", lambda row: replace(row.client_fields(), url=same), BERT),
    ):
        with pytest.raises(UrlRegistered, match="a is registered"):
            await write()

    assert await everything(store) == before


async def test_a_url_is_free_again_once_its_repo_has_another_or_is_gone(store: Store) -> None:
    await store.add(wanted("a"), ANNA)
    await store.replace(wanted("a", url=url_of("other")), ANNA)
    await store.add(wanted("b", url=url_of("a")), ANNA)
    await store.remove("b", ANNA)

    assert (await store.add(wanted("c", url=url_of("a")), ANNA)).repo == "c"


async def test_all_are_one_object_until_one_changes(store: Store) -> None:
    await store.add(wanted("b"), ANNA)
    before = await store.registrations()
    await store.replace(wanted("b"), ANNA)
    await store.note("b", "accept", ANNA, {}, {})
    with pytest.raises(RepoExists):
        await store.add(wanted("b"), ANNA)

    assert await store.registrations() is before is store.all()
    made = await store.add(wanted("a"), ANNA)
    assert list(await store.registrations()) == [made, *before]


async def test_a_note_is_a_line_that_changes_no_registration(store: Store) -> None:
    made = await store.add(wanted(), ANNA)

    await store.note("state-hub", "accept", BERT, {"served": 2}, {"served": 1})

    assert (await store.history("state-hub"))[0] == Change(
        repo="state-hub", at=NOW, by="bert", action="accept", revision=1, before={"served": 2}, after={"served": 1}
    )
    assert await store.get("state-hub") == made
    with pytest.raises(RepoNotFound, match="other is not registered"):
        await store.note("other", "accept", BERT, {}, {})


async def test_nobody_learns_by_a_refusal_what_they_may_not_write(store: Store) -> None:
    await store.add(wanted(), ANNA)
    before, narrow = await everything(store), Author("ci", grant=Grant(("ci-*",)))

    for write in (
        lambda: store.add(wanted(url=url_of("other")), narrow),
        lambda: store.replace(wanted(), narrow, demand('"9"')),
        lambda: store.update("state-hub", required, narrow, demand('"9"')),
        lambda: store.remove("state-hub", narrow, demand('"9"')),
        lambda: store.note("state-hub", "accept", narrow, {}, {}),
        lambda: store.refusal(wanted(), narrow),
    ):
        with pytest.raises(Forbidden):
            await write()

    assert await everything(store) == before


async def test_replaces_and_says_what_was_before(store: Store, hands: Hands) -> None:
    first = await store.add(wanted(), ANNA)
    hands.advance(60)

    before, after = await store.replace(wanted(domain="other"), BERT)

    assert before == first
    assert after == replace(first, domain="other", updated_at="2026-11-23T10:01:00.000000Z", revision=2)
    assert await store.get("state-hub") == after


async def test_replacing_what_is_new_registers_it(store: Store) -> None:
    before, after = await store.replace(wanted(), ANNA)

    assert (before, after.revision, after.registered_by) == (None, 1, "anna")
    assert await store.get("state-hub") == after


async def test_updates_by_what_is_there(store: Store) -> None:
    first = await store.add(wanted(), ANNA)

    before, after = await store.update("state-hub", required, BERT)

    assert (before, after.required, after.revision, after.registered_by) == (first, True, 2, "anna")


async def test_a_write_that_changes_nothing_is_none(store: Store, hands: Hands) -> None:
    first = await store.add(wanted(), ANNA)
    hands.advance(60)
    before = await everything(store)

    assert await store.replace(wanted(), BERT) == (first, first)
    assert await store.update("state-hub", lambda row: row.client_fields(), BERT) == (first, first)

    assert await everything(store) == before


async def test_an_edit_that_refuses_changes_nothing(store: Store) -> None:
    await store.add(wanted(), ANNA)
    before = await everything(store)

    def refuse(_: Registration) -> RegistrationFields:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await store.update("state-hub", refuse, BERT)

    assert await everything(store) == before


async def test_deregisters(store: Store) -> None:
    made = await store.add(wanted(), ANNA)

    assert await store.remove("state-hub", BERT) == made

    assert list(await store.registrations()) == []
    with pytest.raises(RepoNotFound):
        await store.get("state-hub")


async def test_the_revision_goes_on_when_a_name_comes_back(store: Store) -> None:
    await store.add(wanted(), ANNA)
    await store.remove("state-hub", ANNA)

    again = await store.add(wanted(), BERT)

    assert (again.revision, again.registered_by) == (3, "bert")


@pytest.mark.parametrize("write", ["update", "remove"])
async def test_only_what_is_registered_can_be_changed(store: Store, write: str) -> None:
    await store.add(wanted("other"), ANNA)
    before = await everything(store)

    with pytest.raises(RepoNotFound):
        await (store.update("state-hub", required, ANNA) if write == "update" else store.remove("state-hub", ANNA))

    assert await everything(store) == before


CONDITIONAL: dict[str, Callable[[Store, Precondition], Any]] = {
    "replace": lambda store, condition: store.replace(wanted(required=True), BERT, condition),
    "update": lambda store, condition: store.update("state-hub", required, BERT, condition),
    "remove": lambda store, condition: store.remove("state-hub", BERT, condition),
}


@pytest.mark.parametrize("write", CONDITIONAL.values(), ids=CONDITIONAL)
@pytest.mark.parametrize("condition", [demand('"2"'), demand('"1"', '"2"'), demand("1"), demand()])
async def test_a_condition_that_does_not_hold_changes_nothing(
    store: Store, write: Callable[[Store, Precondition], Any], condition: Precondition
) -> None:
    await store.add(wanted(), ANNA)
    before = await everything(store)

    with pytest.raises(PreconditionFailed, match="revision 1"):
        await write(store, condition)

    assert await everything(store) == before


@pytest.mark.parametrize("write", CONDITIONAL.values(), ids=CONDITIONAL)
@pytest.mark.parametrize("tags", [["{}"], ['"9"', "{}"], ["*"], ["*", '"9"']])
async def test_a_condition_that_holds_lets_the_write_in(
    store: Store, write: Callable[[Store, Precondition], Any], tags: list[str]
) -> None:
    made = await store.add(wanted(), ANNA)

    await write(store, demand(*(tag.format(made.etag) for tag in tags)))

    assert len(await store.history("state-hub")) == 2


async def test_a_condition_on_what_is_not_there_does_not_hold(store: Store) -> None:
    with pytest.raises(PreconditionFailed, match="is not registered"):
        await store.replace(wanted(), ANNA, demand("*"))

    assert list(await store.registrations()) == []


async def test_the_history_tells_a_whole_life_newest_first(store: Store, hands: Hands) -> None:
    await store.add(wanted(), ANNA)
    hands.advance(1)
    await store.replace(wanted(required=True, domain="other"), BERT)
    await store.remove("state-hub", ANNA)

    later = "2026-11-23T10:00:01.000000Z"
    assert list(await store.history("state-hub")) == [
        Change(repo="state-hub", at=later, by="anna", action="deregister", revision=3, after=None,
               request_id="request-1", before=wanted(required=True, domain="other").as_json()),
        Change(repo="state-hub", at=later, by="bert", action="update", revision=2, request_id=None,
               before={"domain": "helix_forge", "required": False}, after={"domain": "other", "required": True}),
        Change(repo="state-hub", at=NOW, by="anna", action="register", revision=1, before=None, request_id="request-1",
               after=wanted().as_json()),
    ]  # fmt: skip


async def test_the_history_of_a_repo_is_bounded(store: Store) -> None:
    await store.add(wanted(), ANNA)
    for number in range(PER_REPO + 3):
        await store.replace(wanted(cache_ttl_seconds=number), ANNA)

    revisions = [line.revision for line in await store.history("state-hub")]

    assert revisions == [*range(PER_REPO + 4, 5, -1), 1]


async def test_no_condition_from_an_earlier_life_of_a_name_holds_again(store: Store) -> None:
    await store.add(wanted("a"), ANNA)
    await store.replace(wanted("a", required=True), ANNA)
    await store.remove("a", ANNA)
    await store.add(wanted("b"), ANNA)
    await store.remove("b", ANNA)

    revisions = [(await store.add(wanted(repo), ANNA)).revision for repo in ("a", "b", "c")]

    assert revisions == [6, 6, 6]
    for tag in ('"1"', '"2"', '"3"', '"4"', '"5"'):
        with pytest.raises(PreconditionFailed):
            await store.remove("a", ANNA, demand(tag))


async def test_registrations_are_numbered_in_their_order_whatever_the_clock_says(store: Store, hands: Hands) -> None:
    await store.add(wanted("b"), ANNA)
    hands.jump(-3600)
    await store.add(wanted("a"), ANNA)
    await store.replace(wanted("b", required=True), ANNA)
    await store.remove("a", ANNA)
    await store.add(wanted("c"), ANNA)

    rows = sorted(await store.registrations(), key=lambda row: row.precedence)

    assert [row.repo for row in rows] == ["b", "c"]
    assert "sequence" not in rows[0].as_json()


async def test_there_are_so_many_registrations_and_no_more(store: Store) -> None:
    narrow = Author("ci", grant=Grant(("*",)))
    for repo in ("a", "b"):
        await store.add(wanted(repo), narrow)
    before = await everything(store)

    for write in (store.add, store.replace):
        with pytest.raises(RegistrationsFull, match="The token ci has registered 2 repos"):
            await write(wanted("c"), narrow)
    assert isinstance(await store.refusal(wanted("c"), narrow), RegistrationsFull)
    assert await everything(store) == before
    # Others are not held up by it, nor is what it has; and whoever deregisters has room again.
    await store.add(wanted("c"), ANNA)
    await store.replace(wanted("a", required=True), narrow)
    with pytest.raises(RegistrationsFull, match="takes 3 registrations, and has as many"):
        await store.add(wanted("d"), ANNA)
    await store.remove("b", ANNA)
    await store.add(wanted("d"), narrow)


async def test_who_writes_most_pushes_nobody_elses_history_out(store: Store) -> None:
    await store.add(wanted("state"), ANNA)
    await store.replace(wanted("state", required=True), ANNA)
    await store.add(wanted("gone"), ANNA)
    await store.remove("gone", ANNA)
    for number in range(10):
        if number > 1:
            await store.remove(f"ci-{number - 2}", BERT)
        await store.add(wanted(f"ci-{number}"), BERT)
        for ttl in range(10):
            await store.replace(wanted(f"ci-{number}", cache_ttl_seconds=ttl), BERT)

    assert [line.action for line in await store.history("state")] == ["update", "register"]
    assert [line.action for line in await store.history("gone")] == ["deregister", "register"]
    # Of what is registered the newest line stays, whoever wrote it.
    assert (await store.history("ci-8"))[0].after == {"cache_ttl_seconds": 9}
    with pytest.raises(RepoNotFound):
        await store.history("ci-0")


async def test_who_writes_most_about_a_repo_pushes_nobody_elses_lines_out(store: Store) -> None:
    await store.add(wanted(), ANNA)
    await store.replace(wanted(required=True), ANNA)
    for number in range(2 * PER_REPO):
        await store.replace(wanted(cache_ttl_seconds=number), BERT)

    lines = await store.history("state-hub")

    assert len(lines) == PER_REPO
    assert [(line.by, line.action) for line in lines[-2:]] == [("anna", "update"), ("anna", "register")]


async def test_of_many_who_want_one_name_one_gets_it(store: Store) -> None:
    outcomes = await asyncio.gather(
        *(store.add(wanted(url=url_of(f"u{number}")), ANNA) for number in range(20)), return_exceptions=True
    )

    assert [type(outcome) for outcome in outcomes].count(RepoExists) == 19
    assert len(await store.history("state-hub")) == 1


async def test_of_many_who_saw_one_revision_one_writes(store: Store) -> None:
    seen = (await store.add(wanted(), ANNA)).etag

    outcomes = await asyncio.gather(
        *(store.replace(wanted(cache_ttl_seconds=number), ANNA, demand(seen)) for number in range(20)),
        return_exceptions=True,
    )

    assert [type(outcome) for outcome in outcomes].count(PreconditionFailed) == 19
    assert (await store.get("state-hub")).revision == 2


async def test_each_write_decides_on_what_the_one_before_it_left(store: Store) -> None:
    await store.add(wanted(cache_ttl_seconds=0), ANNA)

    def one_more(current: Registration) -> RegistrationFields:
        return replace(current.client_fields(), cache_ttl_seconds=current.cache_ttl_seconds + 1)

    await asyncio.gather(*(store.update("state-hub", one_more, ANNA) for _ in range(40)))

    now = await store.get("state-hub")
    assert (now.cache_ttl_seconds, now.revision) == (40, 41)
