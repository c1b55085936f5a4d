from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.memory_hub import over
from shared.clock import Clock
from shared.model.author import Author
from shared.model.registration import RegistrationFields
from shared.problems import StorageUnavailable
from shared.storage.memory import MemoryEngine, MemoryStore
from tests.builders import registration

if TYPE_CHECKING:
    from shared.hub import Hub

ANNA = Author("anna")


async def test_a_hub_over_it_registers_and_writes_nothing_of_it(hub: Hub) -> None:
    store, kept = MemoryStore(Clock()), hub.store
    in_memory = over(hub, store)

    made = await in_memory.registry.register(RegistrationFields(**registration()), ANNA)

    assert list(await in_memory.store.registrations()) == [made]
    assert list(await kept.registrations()) == []


async def test_two_stores_share_nothing() -> None:
    one, other = MemoryStore(Clock()), MemoryStore(Clock())

    await one.add(RegistrationFields(**registration()), ANNA)

    assert (len(one.all()), len(other.all())) == (1, 0)


def test_a_write_is_decided_and_kept_before_anybody_else_runs() -> None:
    store = MemoryStore(Clock())
    write = store.add(RegistrationFields(**registration()), ANNA)

    # Without an event loop: the write never waits for one.
    with pytest.raises(StopIteration) as end:
        write.send(None)

    assert store.all() == [end.value.value]


async def test_a_hub_in_memory_has_no_folder_and_no_backup() -> None:
    engine = MemoryEngine(Clock())

    assert engine.folder is None
    with pytest.raises(StorageUnavailable, match="nothing to back up"):
        await engine.snapshot("2026-11-23T10:00:00Z")
