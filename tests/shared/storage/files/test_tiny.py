from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from shared.clock import Clock
from shared.model.author import Author
from shared.model.registration import RegistrationFields
from shared.problems import RepoExists, RepoNotFound, StartError, StorageUnavailable
from shared.shortage import cause
from shared.storage.files.tiny import TinyStore
from shared.storage.ledger import Ledger
from shared.storage.lines import HistoryLines
from shared.tally import Tally
from tests.builders import registration, url_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from shared.storage import Store
    from tests.builders import Hands

ANNA, BERT = Author("anna"), Author("bert")


def wanted(repo: str = "state-hub", **changes: Any) -> RegistrationFields:
    """Return what a client may want."""
    return RegistrationFields(**registration(repo=repo, **{"url": url_of(repo), **changes}))


async def told(store: TinyStore) -> list[Any]:
    """Return all that a store tells about its registrations."""
    return [(row, list(await store.history(row.repo))) for row in store.all()]


@pytest.fixture
def reopen(tmp_path: Path, hands: Hands) -> Callable[[], TinyStore]:
    """Open the store, as a start or a restart does."""
    return lambda: TinyStore(tmp_path, hands.clock(), Tally())


@pytest.fixture
def store(reopen: Callable[[], TinyStore]) -> TinyStore:
    """A store that was never used."""
    return reopen()


async def test_a_restart_knows_what_was_answered(store: TinyStore, reopen: Callable[[], TinyStore]) -> None:
    await store.add(wanted("a"), ANNA)
    await store.replace(wanted("a", required=True), ANNA)
    await store.add(wanted("b"), ANNA)
    await store.remove("b", ANNA)

    again = reopen()

    assert await told(again) == await told(store)
    assert [line.action for line in await again.history("b")] == ["deregister", "register"]
    assert (await again.add(wanted("b"), ANNA)).revision == 3


async def test_writers_that_arrive_together_share_one_write_of_each_file(
    store: TinyStore, monkeypatch: pytest.MonkeyPatch, reopen: Callable[[], TinyStore]
) -> None:
    await store.add(wanted("first"), ANNA)
    synced, real = list[str](), os.fsync

    def note(handle: int) -> None:
        synced.append(Path(f"/proc/self/fd/{handle}").readlink().name)
        real(handle)

    monkeypatch.setattr(os, "fsync", note)
    await asyncio.gather(*(store.add(wanted(f"r{number}"), ANNA) for number in range(32)))

    assert sorted(name for name in synced if name.endswith(("json", "jsonl"))) == [
        ".draft-registrations.json",
        "history.jsonl",
    ]
    assert len(reopen().all()) == 33


async def test_a_batch_that_fails_is_refused_to_all_and_the_next_goes_on(
    store: TinyStore, monkeypatch: pytest.MonkeyPatch, reopen: Callable[[], TinyStore]
) -> None:
    await store.add(wanted("first"), ANNA)
    before = await told(store)

    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, "")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fail)
        outcomes = await asyncio.gather(
            *(store.add(wanted(f"r{number}"), ANNA) for number in range(4)),
            store.add(wanted("r0"), BERT),
            return_exceptions=True,
        )
    # The last one's refusal would rest on a write that did not happen.
    assert [type(outcome) for outcome in outcomes] == [StorageUnavailable] * 5
    assert await told(store) == await told(reopen()) == before

    assert (await store.add(wanted("r0"), BERT)).revision == 1
    assert [line.by for line in await reopen().history("r0")] == ["bert"]


async def test_a_line_of_history_without_its_registration_does_not_count(
    store: TinyStore, monkeypatch: pytest.MonkeyPatch, reopen: Callable[[], TinyStore]
) -> None:
    await store.add(wanted("first"), ANNA)
    before, real = await told(store), os.replace

    def fail(_: object, target: Path) -> None:
        raise OSError(errno.EIO, str(target))

    with monkeypatch.context() as broken:
        broken.setattr(os, "replace", fail)
        with pytest.raises(StorageUnavailable):
            await store.add(wanted("lost"), ANNA)

    # A kill at this point, then a start:
    again = reopen()
    assert await told(again) == await told(store) == before
    with pytest.raises(RepoNotFound):
        await again.history("lost")
    # Or it went on:
    monkeypatch.setattr(os, "replace", real)
    await store.add(wanted("lost"), BERT)
    assert [line.by for line in await reopen().history("lost")] == ["bert"]


@pytest.mark.parametrize("fault", [RuntimeError("can't start new thread"), MemoryError()], ids=["thread", "memory"])
@pytest.mark.parametrize("at", ["copy", "exact_stamp", "to_thread"])
async def test_whatever_fails_before_the_disk_is_told_to_all_who_wait_and_changes_nothing(  # noqa: PLR0917 - fixtures
    store: TinyStore,
    monkeypatch: pytest.MonkeyPatch,
    reopen: Callable[[], TinyStore],
    caplog: pytest.LogCaptureFixture,
    fault: Exception,
    at: str,
) -> None:
    await store.add(wanted("first"), ANNA)
    before = await told(store)

    def fail(*_: object, **__: object) -> None:
        raise fault

    with monkeypatch.context() as short:
        short.setattr({"copy": Ledger, "exact_stamp": Clock, "to_thread": asyncio}[at], at, fail)
        async with asyncio.timeout(10):
            outcomes = await asyncio.gather(
                *(store.add(wanted(f"r{number}"), ANNA) for number in range(3)), return_exceptions=True
            )

    assert [type(outcome) for outcome in outcomes] == [StorageUnavailable] * 3
    assert "Nothing was changed" in str(outcomes[0])
    assert cause(fault) in caplog.text
    assert await told(store) == await told(reopen()) == before
    assert (await store.add(wanted("r0"), BERT)).repo == "r0"


async def test_a_write_whose_task_is_refused_does_not_come_with_the_next(
    store: TinyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(coroutine: Coroutine[Any, Any, None], **_: object) -> None:
        coroutine.close()
        raise MemoryError

    with monkeypatch.context() as short:
        short.setattr(asyncio, "create_task", refuse)
        with pytest.raises(MemoryError):
            await store.add(wanted("refused"), ANNA)
    await store.add(wanted("next"), ANNA)

    assert [row.repo for row in await store.registrations()] == ["next"]


@pytest.mark.parametrize("fault", [MemoryError, KeyError])
async def test_a_write_that_is_on_disk_counts_though_its_line_can_not_be_kept(
    store: TinyStore,
    monkeypatch: pytest.MonkeyPatch,
    reopen: Callable[[], TinyStore],
    caplog: pytest.LogCaptureFixture,
    fault: type[Exception],
) -> None:
    def fail(*_: object) -> None:
        raise fault

    monkeypatch.setattr(HistoryLines, "keep", fail)
    async with asyncio.timeout(10):
        assert (await store.add(wanted("a"), ANNA)).repo == "a"
    monkeypatch.undo()

    await store.add(wanted("b"), ANNA)
    assert "1 lines of history can be read after the next start only" in caplog.text
    assert [[line.number for line in await reopen().history(repo)] for repo in ("a", "b")] == [[1], [2]]


async def test_one_refusal_does_not_touch_its_neighbours(store: TinyStore) -> None:
    outcomes = await asyncio.gather(
        store.add(wanted("a"), ANNA), store.add(wanted("a"), BERT), store.add(wanted("b"), BERT), return_exceptions=True
    )

    assert [type(outcome).__name__ for outcome in outcomes] == ["Registration", "RepoExists", "Registration"]
    assert isinstance(outcomes[1], RepoExists)


async def test_a_writer_that_went_away_is_written_all_the_same(store: TinyStore) -> None:
    gone = asyncio.create_task(store.add(wanted("a"), ANNA))
    stays = asyncio.create_task(store.add(wanted("b"), ANNA))
    await asyncio.sleep(0)
    gone.cancel()

    assert (await stays).repo == "b"
    assert [row.repo for row in store.all()] == ["a", "b"]


async def test_closing_waits_for_the_writes_that_were_accepted(
    store: TinyStore, reopen: Callable[[], TinyStore]
) -> None:
    writes = [asyncio.create_task(store.add(wanted(f"r{number}"), ANNA)) for number in range(5)]
    await asyncio.sleep(0)

    await store.close()

    assert all(write.done() for write in writes)
    assert len(reopen().all()) == 5


async def test_a_repo_whose_history_was_lost_has_an_empty_one(
    store: TinyStore, tmp_path: Path, reopen: Callable[[], TinyStore]
) -> None:
    await store.add(wanted(), ANNA)
    (tmp_path / "history.jsonl").unlink()

    again = reopen()

    assert list(await again.history("state-hub")) == []
    await again.remove("state-hub", ANNA)
    assert [line.action for line in await again.history("state-hub")] == ["deregister"]


@pytest.mark.parametrize(
    "row",
    [{"repo": "a"}, {**registration(), "another": 1}, 7],
    ids=["lacks fields", "an unknown field", "no row"],
)
async def test_a_row_that_can_not_be_understood_stops_the_start_and_is_left_as_it_is(
    store: Store, tmp_path: Path, row: object, reopen: Callable[[], TinyStore]
) -> None:
    await store.add(wanted(), ANNA)
    path = tmp_path / "registrations.json"
    path.write_bytes(orjson.dumps(orjson.loads(path.read_bytes()) | {"repos": {"a": row}}))
    before = path.read_bytes()

    with pytest.raises(StartError, match="left untouched"):
        reopen()

    assert path.read_bytes() == before


async def test_names_that_are_gone_take_no_room(
    store: TinyStore, tmp_path: Path, reopen: Callable[[], TinyStore]
) -> None:
    await store.add(wanted("stays"), ANNA)
    path = tmp_path / "registrations.json"
    tables = orjson.loads(path.read_bytes())
    tables["about"]["1"]["format"] = 2
    tables["repos"]["stays"].pop("sequence")
    tables["repos"] |= {f"gone-{number}": {"retired": 2 + number % 7} for number in range(5000)}
    path.write_bytes(orjson.dumps(tables))

    again = reopen()
    again.upgrade()

    assert path.stat().st_size < 1000
    assert [row.repo for row in again.all()] == ["stays"]
    assert [(await again.add(wanted(repo), ANNA)).revision for repo in ("gone-0", "new")] == [9, 9]
    for number in range(50):
        await again.add(wanted(f"ci-{number}"), ANNA)
        await again.remove(f"ci-{number}", ANNA)
    assert orjson.loads(path.read_bytes())["repos"].keys() == {"stays", "gone-0", "new", "(retired)"}


async def test_the_number_of_a_registration_that_is_gone_is_not_given_again(
    store: TinyStore, reopen: Callable[[], TinyStore]
) -> None:
    await store.add(wanted("first"), ANNA)
    await store.add(wanted("again"), ANNA)
    await store.remove("again", ANNA)

    assert (await reopen().add(wanted("again"), ANNA)).sequence == 3


async def test_a_folder_of_an_earlier_version_serves_in_the_order_of_its_registrations(
    tmp_path: Path, reopen: Callable[[], TinyStore]
) -> None:
    times = {"z-first": "2026-11-23T10:00:00.000001Z", "a-later": "2026-11-23T10:00:00.000002Z"}
    facts = {"enabled": True, "required": False, "cache_ttl_seconds": 3600, "description": "", "revision": 1}
    rows = {
        repo: {**registration(repo=repo, url=url_of(repo)), **facts, "registered_at": at, "updated_at": at,
               "registered_by": "anna"}
        for repo, at in times.items()
    }  # fmt: skip
    about = {"kind": "reuse-surface registrations", "format": 2, "written_by": "0.1.0"}
    (tmp_path / "registrations.json").write_bytes(orjson.dumps({"about": {"1": about}, "repos": rows}))
    line = {"repo": "z-first", "at": times["z-first"], "by": "anna", "action": "register", "revision": 1}
    head = {"kind": "reuse-surface history", "format": 1}
    written = orjson.dumps(head) + b"\n" + orjson.dumps({**line, "before": None, "after": {}}) + b"\n"
    (tmp_path / "history.jsonl").write_bytes(written)

    store = reopen()
    await store.add(wanted("b"), ANNA)

    assert [row.repo for row in sorted(store.all(), key=lambda row: row.precedence)] == ["z-first", "a-later", "b"]
    assert [change.action for change in await reopen().history("z-first")] == ["register"]
