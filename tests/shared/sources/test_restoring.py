from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.fetch import Validators
from shared.formats.capability_index import read_index
from shared.model.record import Record, RecordDetails
from shared.model.registration import Registration
from shared.model.source import SourceView
from shared.model.source_update import StoredSource
from shared.model.status import Status
from shared.model.stored_content import HeldContent, StoredContent
from shared.sources.restoring import admit, restored
from shared.sources.room import ContentRoom
from tests.builders import Hands, capability, index, registration

ROW = Registration(**registration(), registered_at="", updated_at="", registered_by="operator", revision=1)
NOW = "2026-11-23T10:00:00Z"


def kept(number: int) -> StoredContent:
    return StoredContent(ROW.url, Validators(), NOW, read_index(index(capability(number)), ROW.repo))


def details(wait: float | None = 600.0) -> RecordDetails:
    return RecordDetails((), None, 3200.0, 4400.0, 3000.0, wait)


def record(*, details: RecordDetails = details(), **changes: Any) -> Record:  # noqa: B008 - never changed
    facts = {"checked_at": NOW, "succeeded_at": NOW, "digest": kept(1).content.digest, "next_check_at": NOW}
    return Record(ROW.repo, ROW.url, "", 1, Status(state="fresh", **{**facts, **changes}), details)


def known(record: Record | None = None, good: int = 1) -> StoredSource:
    """Return a *record*, content number 1 that is served, or the number *good*, and number 2 that is held."""
    return StoredSource(record, kept(good), kept(2))


def test_without_a_record_the_content_is_there_and_due() -> None:
    hands = Hands()
    time = hands.running()

    source, wait = restored(ROW, known(), time)

    assert (source.last_good, wait, source.good) == (kept(1), 0.0, time.ran)
    # It came by a check, whose record is lost: fresh content that was never checked there is none.
    assert source.status.checked_at == source.status.succeeded_at == kept(1).changed_at
    assert source.held is not None
    assert (source.held.stored, source.held.seen_since) == (kept(2), None)


@pytest.mark.parametrize(
    ("next_check_at", "wait", "seconds"),
    [
        pytest.param("2026-11-23T10:10:00Z", 700.0, 600, id="later"),
        pytest.param("2026-11-23T09:00:00Z", 700.0, 0, id="overdue"),
        pytest.param("2036-11-23T10:00:00Z", 700.0, 700, id="the clock is behind"),
        pytest.param("2036-11-23T10:00:00Z", None, 3960, id="the clock is behind, and the wait was not written"),
    ],
)
def test_the_record_says_when_the_next_check_is_due(
    next_check_at: str, wait: float | None, seconds: float
) -> None:
    hands = Hands()
    time = hands.running()
    time.resume(5000.0, 4000.0)

    source, ahead = restored(ROW, known(record(next_check_at=next_check_at, details=details(wait=wait))), time)

    assert ahead == pytest.approx(seconds)
    assert (source.good, source.looked) == (4400.0, 3000.0)
    assert source.held is not None
    assert source.held.seen_since == 3200.0


def test_moments_ahead_of_the_running_time_that_was_saved_are_now() -> None:
    time = Hands().running()
    time.resume(100.0, 50.0)

    source = restored(ROW, known(record()), time).view

    assert source.held is not None
    assert (source.good, source.looked, source.held.seen_since) == (100.0, 50.0, 100.0)


def test_what_an_acceptance_left_behind_is_not_held() -> None:
    assert restored(ROW, known(good=2), Hands().running()).view.held is None


def test_what_is_held_counts_for_nothing_where_what_it_was_to_replace_is_gone() -> None:
    source = restored(ROW, StoredSource(None, None, kept(2)), Hands().running()).view

    assert (source.last_good, source.held, source.good, source.status.state) == (None, None, None, "never")


def views(count: int, *, held: bool = False) -> list[SourceView]:
    """Return views of one capability each, the last registered first; with *held*, one more of each is held."""
    rows = [replace(ROW, repo=f"repo-{number}", sequence=number) for number in range(count)]
    return [SourceView(row, Status(), kept(1), HeldContent(kept(2), None) if held else None) for row in reversed(rows)]


def test_what_is_served_finds_room_before_what_is_held(caplog: pytest.LogCaptureFixture) -> None:
    those, room = views(3, held=True), ContentRoom(4, 64)

    admitted = admit(those, room, Hands().running())

    assert [view.repo for view in admitted] == ["repo-2", "repo-1", "repo-0"]
    assert [(view.last_good is not None, view.held is not None) for view in admitted] == [
        (True, False),
        (True, False),
        (True, True),
    ]
    assert room.used.capabilities == 4
    (line,) = caplog.messages
    assert line.endswith(
        "what was held of these sources can't be accepted until a check reads it again: repo-1, repo-2"
    )


def test_what_finds_no_room_is_named_up_to_twenty_times(caplog: pytest.LogCaptureFixture) -> None:
    those = views(23, held=True)

    *others, last = admit(those, ContentRoom(1, 64), Hands().running())

    assert (last.last_good, last.held) == (kept(1), None)
    assert {(view.last_good, view.held, view.status.digest) for view in others} == {(None, None, None)}
    assert {view.status.checked_at for view in others} == {NOW}
    served, held = caplog.messages
    assert served.endswith("repo-19, repo-20 and 2 more")
    assert held.endswith(": repo-0")


def test_what_an_earlier_start_left_out_counts_as_it_did_before() -> None:
    left = record(digest=None, error={"type": "hub-full", "detail": "No room."}, consecutive_failures=3)

    source = restored(ROW, known(left), Hands().running()).view

    status = source.status
    assert (status.error, status.consecutive_failures, status.succeeded_at) == (None, 0, NOW)
    assert (source.last_good, status.digest) == (kept(1), kept(1).content.digest)


@pytest.mark.parametrize(("sequence", "counts"), [(7, True), (6, False), (0, True)])
def test_a_record_is_not_that_of_another_registration_of_the_same_second(
    sequence: int, counts: bool
) -> None:
    row = replace(ROW, sequence=7)
    failing = record(digest=None, error={"type": "source-timeout", "detail": "Late."}, consecutive_failures=3)

    source = restored(row, StoredSource(failing._replace(sequence=sequence)), Hands().running()).view

    # 0 is what a version wrote that did not number them: then the time has to do.
    failures = source.status.consecutive_failures
    assert (failures, source.status.error is not None) == ((3, True) if counts else (0, False))


def test_what_was_left_out_is_not_called_fresh_where_the_last_check_failed() -> None:
    error = {"type": "source-status", "detail": "The source answered 404."}
    # A start had no room for the content, and the check after it failed; this start has room.
    failed = record(digest=None, error=error, consecutive_failures=1)

    source = restored(ROW, known(failed), Hands().running()).view

    assert (source.last_good, source.status.error, source.status.consecutive_failures) == (kept(1), error, 1)
    assert source.status.digest == kept(1).content.digest
