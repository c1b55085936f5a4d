from __future__ import annotations

import pytest

from shared.model.status import Status, state_of
from shared.problems import SourceStatus


def test_a_success_clears_an_old_error_and_keeps_what_was_not_sent_again() -> None:
    status = Status(consecutive_failures=3, error={"type": "source-timeout", "detail": "Slow."}, bytes=10)

    after = status.checked("T", 304, None, 7)

    assert (after.error, after.consecutive_failures, after.bytes) == (None, 0, 10)
    assert (after.checked_at, after.succeeded_at, after.http_status, after.duration_ms) == ("T", "T", 304, 7)


def test_a_failure_counts_and_keeps_the_last_success() -> None:
    status = Status(succeeded_at="S", consecutive_failures=1, digest="sha256:x")

    after = status.failed("T", SourceStatus("The source answered 500.", source_status=500), 9)

    assert after.error == {"type": "source-status", "detail": "The source answered 500."}
    assert (after.consecutive_failures, after.http_status, after.duration_ms) == (2, 500, 9)
    assert (after.checked_at, after.succeeded_at, after.digest) == ("T", "S", "sha256:x")


def test_a_state_is_dated_when_it_begins() -> None:
    fresh = Status().settled("fresh", "T1")

    assert (fresh.state, fresh.state_since) == ("fresh", "T1")
    assert fresh.settled("fresh", "T2") == fresh
    assert fresh.settled("stale", "T3").state_since == "T3"
    assert Status().settled("never", "T4").state_since == "T4"


@pytest.mark.parametrize("outlived", [True, False])
def test_nothing_to_serve_is_failed(outlived: bool) -> None:
    checked = Status(checked_at="T", error={"type": "invalid-index", "detail": "Bad."})

    assert state_of(checked, enabled=True, has_content=False, held=False, outlived=outlived) == "failed"


@pytest.mark.parametrize(("error", "state"), [(None, "held"), ({"type": "source-timeout", "detail": "Slow."}, "stale")])
def test_what_is_held_shows_while_checks_go_well(error: dict[str, str] | None, state: str) -> None:
    status = Status(checked_at="T", error=error)

    assert state_of(status, enabled=True, has_content=True, held=True, outlived=False) == state
    assert state_of(status, enabled=False, has_content=True, held=True, outlived=False) == "disabled"
