from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.fetch import Validators
from shared.formats.capability_index import read_index
from shared.model.kept import Held, Kept
from shared.model.registration import Registration
from shared.model.status import Status
from shared.sources.source import Source, describing
from tests.builders import Hands, capability, index, registration

ROW = Registration(
    **registration(), registered_at="2026-11-23T09:00:00Z", updated_at="", registered_by="operator", revision=1
)
LESS = read_index(index(capability(1)), "state-hub")
KEPT = Kept(ROW.url, Validators(), "2026-11-23T09:30:00Z", read_index(index(capability(1), capability(2)), "state-hub"))
FAILED: dict[str, Any] = {"consecutive_failures": 1, "error": {"type": "source-timeout", "detail": "Slow."}}


@pytest.mark.parametrize(
    ("status", "kept", "enabled", "state", "serves"),
    [
        pytest.param(Status(), None, True, "never", False, id="not read yet"),
        pytest.param(Status(checked_at="2026-11-23T09:30:00Z"), KEPT, True, "fresh", True, id="in order"),
        pytest.param(Status(), KEPT, True, "fresh", True, id="kept over a crash that lost its state"),
        pytest.param(Status(checked_at="2026-11-23T09:30:00Z", **FAILED), KEPT, True, "stale", True, id="failed since"),
        pytest.param(Status(checked_at="2026-11-23T09:30:00Z", **FAILED), None, True, "failed", False, id="never read"),
        pytest.param(Status(), KEPT, False, "disabled", False, id="disabled"),
    ],
)
def test_the_state_is_what_the_facts_amount_to(
    status: Status, kept: Kept | None, enabled: bool, state: str, serves: bool
) -> None:
    source = Source(replace(ROW, enabled=enabled), status, kept)

    source.settle(Hands().running(), 86400)

    assert (source.status.state, source.status.state_since) == (state, "2026-11-23T10:00:00Z")
    assert (source.served is not None) == serves == (source.part().content is not None)
    assert (source.part().state, source.part().repo) == (state, "state-hub")


@pytest.mark.parametrize(("age", "state"), [(86400, "stale"), (86401, "failed")])
def test_content_that_fails_for_too_long_is_given_up(age: int, state: str) -> None:
    hands = Hands()
    time = hands.running()
    source = Source(ROW, Status(checked_at="2026-11-23T10:00:00Z", **FAILED), KEPT, good=time.ran)

    hands.advance(age)
    source.settle(time, 86400)

    assert source.status.state == state


def test_content_that_nobody_checked_is_not_given_up() -> None:
    hands = Hands()
    time = hands.running()
    source = Source(ROW, Status(checked_at="2026-11-23T10:00:00Z"), KEPT, good=time.ran)

    hands.advance(10 * 86400)
    source.settle(time, 86400)

    assert source.status.state == "fresh"


@pytest.mark.parametrize(
    ("scheduled", "seconds", "state"),
    [
        pytest.param(True, 10800, "fresh", id="twice its time to live and an hour"),
        pytest.param(True, 10801, "stale", id="longer"),
        pytest.param(True, 30 * 86400, "stale", id="longer than anything"),
        pytest.param(False, 30 * 86400, "fresh", id="a hub that checks nothing in the background"),
    ],
)
def test_what_nobody_looks_at_is_not_fresh_for_ever(scheduled: bool, seconds: int, state: str) -> None:
    hands = Hands()
    time = hands.running(scheduled=scheduled)
    source = Source(ROW, Status(checked_at="2026-11-23T10:00:00Z"), KEPT, good=time.ran)

    hands.advance(seconds)
    source.settle(time, 86400)

    assert (source.status.state, source.served) == (state, KEPT.content.digest)
    assert source.late is (state == "stale")
    assert (source.status.error or {}).get("type") == ("source-unchecked" if state == "stale" else None)
    assert source.status.doubted(None).error is None


@pytest.mark.parametrize(("error", "state", "asks_for"), [(None, "held", '"2"'), (FAILED["error"], "stale", '"2"')])
def test_what_is_held_is_asked_for_and_not_served(error: dict[str, str] | None, state: str, asks_for: str) -> None:
    held = Held(replace(KEPT, validators=Validators('"2"'), content=LESS), None, None)
    source = Source(ROW, Status(checked_at="2026-11-23T10:00:00Z", error=error), KEPT, held)

    source.settle(Hands().running(), 86400)

    assert (source.status.state, source.served) == (state, KEPT.content.digest)
    assert source.known is not None
    assert source.known.validators.etag == asks_for


def test_the_next_check_waits_for_all_that_it_must_wait_for() -> None:
    clock = Hands().clock()
    source = Source(ROW, due=clock.monotonic() + 10, spread_to=clock.monotonic() + 20)
    source.stamp(clock)
    spread = source.status.next_check_at
    source.host.cool_until = clock.monotonic() + 30
    source.stamp(clock)

    assert (spread, source.status.next_check_at) == ("2026-11-23T10:00:20Z", "2026-11-23T10:00:30Z")
    assert [source.waits(clock.monotonic() + after) for after in (29, 30)] == [False, True]


def test_a_disabled_source_has_no_next_check() -> None:
    source = Source(replace(ROW, enabled=False), Status(next_check_at="2026-11-23T11:00:00Z"))

    source.settle(Hands().running(), 86400)

    assert source.status.next_check_at is None


def test_the_status_follows_what_is_kept() -> None:
    known = Status(digest="sha256:old", changed_at="2026-11-23T08:00:00Z", capability_count=9)

    status = describing(known, KEPT)

    assert (status.digest, status.changed_at, status.capability_count) == (KEPT.content.digest, KEPT.changed_at, 2)
    assert status.succeeded_at == KEPT.changed_at
    assert describing(status, KEPT) is status
    assert describing(known, None) is known
