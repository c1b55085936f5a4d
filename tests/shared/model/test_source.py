from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from shared.fetch import Validators
from shared.formats.capability_index import read_index
from shared.model.record import DatedFault
from shared.model.registration import Registration
from shared.model.source import SourceView, describing
from shared.model.source_update import SourceUpdate
from shared.model.status import Status
from shared.model.stored_content import HeldContent, StoredContent
from tests.builders import capability, index, registration

ROW = Registration(
    **registration(), registered_at="2026-11-23T09:00:00Z", updated_at="", registered_by="operator", revision=1
)
NOW = "2026-11-23T10:00:00Z"
LESS = read_index(index(capability(1)), "state-hub")
CONTENT = read_index(index(capability(1), capability(2)), "state-hub")
KEPT = StoredContent(ROW.url, Validators(), "2026-11-23T09:30:00Z", CONTENT)
FAILED: dict[str, Any] = {"consecutive_failures": 1, "error": {"type": "source-timeout", "detail": "Slow."}}


def now() -> str:
    return NOW


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
    status: Status, kept: StoredContent | None, enabled: bool, state: str, serves: bool
) -> None:
    view = SourceView(replace(ROW, enabled=enabled), status, kept).settled(0, 0, 86400, now)

    assert (view.status.state, view.status.state_since) == (state, NOW)
    assert (view.served is not None) == serves == (view.part().content is not None)
    assert (view.part().state, view.part().repo) == (state, "state-hub")


@pytest.mark.parametrize(("age", "state"), [(86400, "stale"), (86401, "failed")])
def test_content_that_fails_for_too_long_is_given_up(age: int, state: str) -> None:
    view = SourceView(ROW, Status(checked_at=NOW, **FAILED), KEPT, good=100.0)

    assert view.settled(100.0 + age, 0, 86400, now).status.state == state


def test_content_that_nobody_checked_is_not_given_up() -> None:
    view = SourceView(ROW, Status(checked_at=NOW), KEPT, good=100.0)

    assert view.settled(10 * 86400, 0, 86400, now).status.state == "fresh"


@pytest.mark.parametrize(
    ("watched", "state"),
    [
        pytest.param(10800, "fresh", id="twice its time to live and an hour"),
        pytest.param(10801, "stale", id="longer"),
        pytest.param(30 * 86400, "stale", id="longer than anything"),
        pytest.param(0, "fresh", id="a hub that checks nothing in the background"),
    ],
)
def test_what_nobody_looks_at_is_not_fresh_for_ever(watched: int, state: str) -> None:
    view = SourceView(ROW, Status(checked_at=NOW), KEPT, good=0.0).settled(30 * 86400, watched, 86400, now)

    assert (view.status.state, view.served) == (state, KEPT.content.digest)
    assert view.late is (state == "stale")
    assert (view.status.error or {}).get("type") == ("source-unchecked" if state == "stale" else None)
    assert view.status.doubted(None).error is None


@pytest.mark.parametrize(("error", "state", "asks_for"), [(None, "held", '"2"'), (FAILED["error"], "stale", '"2"')])
def test_what_is_held_is_asked_for_and_not_served(error: dict[str, str] | None, state: str, asks_for: str) -> None:
    held = HeldContent(replace(KEPT, validators=Validators('"2"'), content=LESS), None, None)
    view = SourceView(ROW, Status(checked_at=NOW, error=error), KEPT, held).settled(0, 0, 86400, now)

    assert (view.status.state, view.served) == (state, KEPT.content.digest)
    assert view.newest is not None
    assert view.newest.validators.etag == asks_for


def test_a_disabled_source_has_no_next_check() -> None:
    later = "2026-11-23T11:00:00Z"
    enabled, disabled = (SourceView(replace(ROW, enabled=enabled)).dated(later) for enabled in (True, False))

    assert (enabled.status.next_check_at, disabled.status.next_check_at) == (later, None)
    assert enabled.dated(later) is enabled


def test_a_view_stays_as_it_is_whatever_follows_from_it() -> None:
    """Other threads read it while the event loop goes on: each change is another value."""
    held = HeldContent(replace(KEPT, content=LESS), 0.0, None)
    view = SourceView(ROW, Status(checked_at=NOW, **FAILED), KEPT, held, failing_since=NOW, good=1.0, looked=2.0)
    before = repr(view)

    settled = view.settled(9 * 86400, 9 * 86400, 86400, now)
    moved, emptied = settled.moved(), settled.emptied()

    assert repr(view) == before
    assert (settled.status.state, settled.late) == ("failed", True)
    assert settled.settled(9 * 86400, 9 * 86400, 86400, lambda: "later") is settled
    assert (moved.last_good, moved.held, moved.unread, moved.failing_since) == (KEPT, None, True, None)
    assert (moved.status.checked_at, moved.status.error, moved.good) == (None, None, 1.0)
    assert emptied == SourceView(ROW, looked=2.0, late=True)
    with pytest.raises(FrozenInstanceError):
        view.last_good = None  # type: ignore[misc]


@pytest.mark.parametrize(("error", "unread"), [(None, False), (FAILED["error"], True)], ids=["in order", "failed"])
def test_what_a_check_ended_in_is_known_from_then_on_under_a_newer_registration(
    error: dict[str, str] | None, unread: bool
) -> None:
    newer = replace(ROW, revision=2)
    status, fault = Status(checked_at=NOW, error=error), DatedFault(1, 1, "/x", "is wrong", None, NOW)
    record = SourceView(ROW, status, faults=(fault,), failing_since=NOW, good=3.0, looked=4.0).record(60.0)

    view = SourceView(newer, unread=True).updated(SourceUpdate("changed", record, KEPT, None))

    assert view == SourceView(newer, status, KEPT, None, (fault,), NOW, 3.0, 4.0, unread=unread)
    assert (record.details.wait, record.revision) == (60.0, 1)


def test_the_status_follows_what_is_kept() -> None:
    known = Status(digest="sha256:old", changed_at="2026-11-23T08:00:00Z", capability_count=9)

    status = describing(known, KEPT)

    assert (status.digest, status.changed_at, status.capability_count) == (KEPT.content.digest, KEPT.changed_at, 2)
    assert status.succeeded_at == KEPT.changed_at
    assert describing(status, KEPT) is status
    assert describing(known, None) is known
    view = SourceView(ROW, status, KEPT)
    assert view.described() is view
    assert SourceView(ROW, known, KEPT).described() == view
