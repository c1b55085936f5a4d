from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.memory_hub import filled
from shared.clock import Clock
from shared.hub import open_hub
from shared.model.author import Author
from shared.model.registration import RegistrationFields
from shared.problems import StartError, StorageUnavailable
from shared.storage.memory import MemoryEngine, MemoryStore
from tests.builders import register, registration, served, url_of

if TYPE_CHECKING:
    from pathlib import Path

    from shared.settings import Settings
    from tests.builders import Hands

ANNA = Author("anna")


def contents(folder: Path) -> dict[Path, bytes | None]:
    """Return what each file below *folder* holds, None for a folder."""
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


async def test_the_hub_that_durable_writes_are_held_against_writes_nothing(settings: Settings, hands: Hands) -> None:
    async with served(settings, hands) as client:
        made = await register(client)
    before = contents(settings.data_dir)

    hub = open_hub(settings, hands.clock(), await filled(settings.data_dir))
    async with hub.running():
        other = await hub.registry.register(RegistrationFields(**registration(repo="other", url=url_of("other"))), ANNA)
        [new, kept] = await hub.store.registrations()

    assert (kept.repo, kept.url, kept.registered_by) == (made["repo"], made["url"], made["registered_by"])
    assert new == other
    assert contents(settings.data_dir) == before


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
    with pytest.raises(StartError, match="nothing to back up"):
        engine.at_rest()
    with pytest.raises(StartError, match="nothing can be restored"):
        engine.restore_target()
