from __future__ import annotations

from shared.problems import PROBLEMS, SourceProblem, SourceStatus


def test_released_slugs_never_change() -> None:
    assert {slug for slug, kind in PROBLEMS.items() if issubclass(kind, SourceProblem)} == {
        *("source-unreachable", "source-timeout", "source-status", "source-redirect", "source-too-large"),
        *("source-unchecked", "source-not-an-index", "invalid-index", "address-refused", "hub-full"),
    }


def test_a_fault_of_a_source_knows_what_the_source_answered() -> None:
    fault = SourceStatus("It answered 404.", source_status=404)

    assert (fault.source_status, fault.answer_status) == (404, 502)
    assert SourceStatus("It answered nothing.").source_status is None

    assert (fault.faults, fault.retry_after) == ((), None)
