from __future__ import annotations

import pytest

from shared.clock import Clock
from shared.model.author import Author
from shared.model.registration import Wanted
from shared.storage.memory import MemoryStore
from tests.builders import registration

ANNA = Author("anna")


async def test_two_stores_share_nothing() -> None:
    one, other = MemoryStore(Clock()), MemoryStore(Clock())

    await one.add(Wanted(**registration()), ANNA)

    assert (len(one.all()), len(other.all())) == (1, 0)


def test_a_write_is_decided_and_kept_before_anybody_else_runs() -> None:
    store = MemoryStore(Clock())
    write = store.add(Wanted(**registration()), ANNA)

    # Without an event loop: the write never waits for one.
    with pytest.raises(StopIteration) as end:
        write.send(None)

    assert store.all() == [end.value.value]
