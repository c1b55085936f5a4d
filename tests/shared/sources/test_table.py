from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from shared.fetch import Validators
from shared.formats.capability_index import read_index
from shared.model.registration import Registration
from shared.model.source import SourceView
from shared.model.source_update import SourceUpdate
from shared.model.status import Status
from shared.model.stored_content import HeldContent, StoredContent
from shared.problems import RepoNotFound
from shared.sources.hosts import Hosts
from shared.sources.room import ContentRoom
from shared.sources.table import AT_ONCE, SourceTable
from tests.builders import Hands, capability, index, registration

if TYPE_CHECKING:
    from shared.signals import SourceNotice
    from shared.sources.source import Source

ROW = Registration(**registration(), registered_at="", updated_at="", registered_by="operator", revision=1)
NOW = "2026-11-23T10:00:00Z"
LATE = {"type": "source-timeout", "detail": "Late."}


def kept(*numbers: int, url: str = ROW.url) -> StoredContent:
    return StoredContent(url, Validators(), NOW, read_index(index(*map(capability, numbers)), ROW.repo, url))


class Followed:
    """A table, the room of its contents, and the hands that move its clocks."""

    def __init__(self, *, max_stale: float = 86400, scheduled: bool = False) -> None:
        self.hands, self.room = Hands(), ContentRoom(100, 64)
        self.time = self.hands.running(scheduled=scheduled)
        self.table = SourceTable(Hosts(), self.room, self.time, max_stale)
        self.notices: list[SourceNotice] = []
        self.table.signal.subscribe("the test", self.notices.append)

    @property
    def now(self) -> float:
        """The monotonic clock."""
        return self.time.clock.monotonic()

    @property
    def counts(self) -> tuple[int, int, list[bool]]:
        """The changes of states, all changes, and for each notice whether the index may have to say something else."""
        return self.table.states, self.table.generation, [notice.indexed for notice in self.notices]

    def add(self, view: SourceView | None = None) -> Source:
        """Follow the source of *view*, else one that is fresh and serves three capabilities."""
        view = view or SourceView(ROW, Status(checked_at=NOW), kept(1, 2, 3), good=self.time.ran)
        self.room.take(*view.contents)
        return self.table.add(view, self.now)

    def settle(self, source: Source, view: SourceView, wait: float | None = None) -> None:
        """Let a check, or an acceptance without *wait*, come to what *view* says."""
        self.table.settle(source, SourceUpdate("changed", view.record(0.0), view.last_good, view.held, wait=wait))


def test_a_source_is_followed_under_its_name_until_it_is_removed() -> None:
    hub = Followed()
    source = hub.add()
    host, epoch, due = source.host, source.epoch, source.due

    assert (hub.table.get("state-hub"), hub.table.require("state-hub"), len(hub.table)) == (source, source, 1)
    assert (source.status.state, host.sources, due, hub.table.views()) == ("fresh", {source}, hub.now, [source.view])
    assert hub.table.remove("state-hub") is source

    assert (source.followed, source.epoch is epoch, host.sources) == (False, False, set())
    assert hub.room.used == (0, 0)
    assert (hub.table.get("state-hub"), hub.table.views(), hub.table.remove("state-hub")) == (None, [], None)
    with pytest.raises(RepoNotFound):
        hub.table.require("state-hub")


@pytest.mark.parametrize(
    ("view", "counts"),
    [
        pytest.param(SourceView(ROW, Status(checked_at=NOW), kept(1, 2, 3)), (0, 1, [False]), id="nothing new"),
        pytest.param(SourceView(ROW, Status(checked_at=NOW), kept(1, 2)), (0, 1, [True]), id="other content"),
        pytest.param(SourceView(ROW, Status(error=LATE), kept(1, 2, 3)), (1, 1, [True]), id="another state"),
        pytest.param(
            SourceView(ROW, Status(checked_at=NOW), kept(1, 2, 3), HeldContent(kept(7), 0.0)), (1, 1, [True]), id="held"
        ),
    ],
)
def test_what_a_check_changed_is_counted_and_signalled(
    view: SourceView, counts: tuple[int, int, list[bool]]
) -> None:
    hub = Followed()
    source, before = hub.add(), hub.counts

    hub.settle(source, view, wait=60.0)

    assert (before, hub.counts) == ((0, 0, []), counts)
    assert hub.room.used.capabilities == sum(len(one.entries) for one in view.contents if one)
    assert (source.view.last_good, source.view.held, source.due) == (view.last_good, view.held, hub.now + 60)
    assert source.status.next_check_at == "2026-11-23T10:01:00Z"


def test_an_acceptance_leaves_the_date_of_the_next_check_and_lets_a_check_under_way_not_count() -> None:
    hub = Followed()
    source = hub.add()
    due, epoch = source.due, source.epoch

    hub.table.outdate(source)
    hub.settle(source, replace(source.view, last_good=kept(7)))

    assert (source.due, source.epoch is epoch, hub.room.used.capabilities) == (due, False, 1)


def test_the_room_counts_what_is_there_also_after_the_same_entries_were_read_from_another_url() -> None:
    """Their URLs are other ones then, and so are their bytes."""
    hub = Followed()
    places = ["https://raw.githubusercontent.com/o/r/main/i.yaml", "https://raw.githubusercontent.com/owner/r/main/i.yaml"]
    body = index(capability(1, path="a.md"))
    short, long = (StoredContent(url, Validators(), NOW, read_index(body, ROW.repo, url)) for url in places)
    source = hub.add(SourceView(ROW, Status(checked_at=NOW), short))
    before = hub.room.used.bytes

    hub.settle(source, replace(source.view, last_good=long))
    after = hub.room.used.bytes
    hub.table.remove("state-hub")

    assert after - before == len("owner") - len("o")
    assert hub.room.used == (0, 0)


@pytest.mark.parametrize("due", [None, 7.0], ids=["as before", "at once"])
def test_another_registration_moves_the_source_to_its_host_and_outdates_its_check(due: float | None) -> None:
    hub = Followed()
    source = hub.add()
    host, epoch, before = source.host, source.epoch, source.due
    moved = replace(source.view.moved(), registration=replace(ROW, url="https://other.example/", revision=2))

    hub.table.edit(source, moved, due=due)

    assert (source.registration.revision, source.status.state, source.epoch is epoch) == (2, "stale", False)
    assert (host.sources, source.host.sources, source.host is host) == (set(), {source}, False)
    assert source.due == (before if due is None else due)
    # The caller signals it, once the registration is scheduled; the record has to be saved.
    assert hub.counts == (1, 0, [])
    hub.table.note("state-hub")
    assert hub.counts == (1, 1, [True])


async def test_a_check_is_under_way_until_it_ends_and_the_next_is_at_least_half_a_minute_later() -> None:
    hub = Followed()
    source = hub.add()
    flight: asyncio.Task[None] = asyncio.create_task(asyncio.sleep(0))

    hub.table.ask(source)
    hub.table.begin(source, flight)
    under_way = source.flight, source.on_request, source.waits(hub.now)
    hub.table.end(source)
    await flight

    assert under_way == (flight, True, False)
    assert (source.flight, source.on_request, source.due) == (None, False, hub.now + 30)


@pytest.mark.parametrize(("host", "paused"), [(True, ["a", "b"]), (False, ["a"])], ids=["the host", "the source alone"])
async def test_a_pause_is_dated_for_all_whom_it_lets_wait(host: bool, paused: list[str]) -> None:
    hub = Followed()
    first, second, other = (
        hub.add(SourceView(replace(ROW, repo=repo, url=f"https://{name}.example/{repo}")))
        for repo, name in (("a", "busy"), ("b", "busy"), ("c", "free"))
    )

    hub.table.pause(first, 120.0, host=host)

    dates = {source.view.repo: source.status.next_check_at for source in (first, second, other)}
    assert [repo for repo, at in dates.items() if at == "2026-11-23T10:02:00Z"] == paused
    assert dates["c"] == NOW
    assert second.waits(hub.now) is not host


def test_a_spread_start_is_dated() -> None:
    hub = Followed()
    source = hub.add()

    hub.table.spread([(source, hub.now + 5)])

    assert (source.spread_to, source.status.next_check_at) == (hub.now + 5, "2026-11-23T10:00:05Z")


async def test_the_dates_of_thousands_are_set_by_slices() -> None:
    hub = Followed()
    for number in range(2 * AT_ONCE + 1):
        hub.add(SourceView(replace(ROW, repo=f"r{number}")))
    hub.hands.jump(3600)

    hub.table.date_all(list(hub.table.all()))
    dated = []
    for _ in range(3):
        dated.append(sum(view.status.next_check_at != NOW for view in hub.table.views()))
        await asyncio.sleep(0)

    assert dated == [AT_ONCE, 2 * AT_ONCE, 2 * AT_ONCE + 1]


def test_what_is_too_old_or_was_not_looked_at_is_signalled_once() -> None:
    hub = Followed(max_stale=4 * 3600, scheduled=True)
    failing = hub.add(SourceView(ROW, Status(checked_at=NOW, error=LATE), kept(1), good=0.0))
    quiet = hub.add(SourceView(replace(ROW, repo="quiet", cache_ttl_seconds=60), Status(checked_at=NOW), kept(2)))
    states = []

    for seconds in (3600, 3600, 4 * 3600, 0):
        hub.hands.advance(seconds)
        hub.table.expire()
        states.append((failing.status.state, quiet.status.state, hub.table.states))

    assert states == [("stale", "fresh", 0), ("stale", "stale", 1), ("failed", "stale", 2), ("failed", "stale", 2)]
