from __future__ import annotations

import gc
import sys
import weakref
from typing import TYPE_CHECKING

import pytest

from shared.server.heap import Survivors, keep_pauses_short

if TYPE_CHECKING:
    from collections.abc import Iterator

FULL = {"generation": 2}


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    callbacks = [*gc.callbacks]
    yield
    gc.callbacks[:] = callbacks
    gc.unfreeze()


class Knot:
    """Refers to itself."""

    def __init__(self) -> None:
        self.own = self


@pytest.mark.parametrize(
    ("phase", "info", "left_out"),
    [("stop", FULL, True), ("start", FULL, False), ("stop", {"generation": 1}, False)],
    ids=["after a full collection", "before it", "after a small one"],
)
def test_what_lived_through_a_full_collection_is_left_out(phase: str, info: dict[str, int], left_out: bool) -> None:
    survivors = Survivors()
    knot = Knot()

    survivors(phase, info)

    assert any(one is knot for one in gc.get_objects()) is not left_out


def test_a_cycle_that_died_frozen_is_found_once_the_heap_has_doubled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "getallocatedblocks", iter([600_000, 1_200_001]).__next__)
    survivors = Survivors()
    died = weakref.ref(Knot())
    gc.freeze()
    gc.collect()
    assert died() is not None

    survivors("stop", FULL)
    gc.collect()

    assert died() is None


def test_all_is_looked_at_only_once_in_a_while() -> None:
    survivors = Survivors()

    survivors("stop", FULL)
    before = gc.get_freeze_count()
    survivors("stop", FULL)

    assert gc.get_freeze_count() >= before > 0


def test_after_all_was_looked_at_the_measure_is_what_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = iter([600_000, 1_200_001, 1_300_000, 2_600_000, 2_600_001])
    monkeypatch.setattr(sys, "getallocatedblocks", counts.__next__)
    thawed: list[None] = []
    monkeypatch.setattr(gc, "unfreeze", lambda: thawed.append(None))
    survivors = Survivors()

    seen = []
    for _ in range(4):
        survivors("stop", FULL)
        seen.append(len(thawed))

    assert seen == [1, 1, 1, 2]


def test_a_small_heap_is_not_looked_at_however_much_it_grew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "getallocatedblocks", iter([10, 1_000_000, 1_000_001]).__next__)
    thawed: list[None] = []
    monkeypatch.setattr(gc, "unfreeze", lambda: thawed.append(None))
    survivors = Survivors()

    survivors("stop", FULL)
    assert not thawed
    survivors("stop", FULL)
    assert thawed


def test_it_hears_of_every_collection() -> None:
    keep_pauses_short()

    assert isinstance(gc.callbacks[-1], Survivors)
