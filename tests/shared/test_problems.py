from __future__ import annotations

import re

import pytest

from shared.problems import PROBLEMS, BadQuery, InvalidRegistration, Offence, Problem, SourceProblem, SourceStatus


@pytest.mark.parametrize("kind", [pytest.param(kind, id=slug) for slug, kind in PROBLEMS.items()])
def test_every_type_says_what_it_means_and_what_to_do(kind: type[Problem]) -> None:
    assert re.fullmatch("[a-z]+(-[a-z]+)*", kind.slug)
    assert 400 <= kind.status < 600
    assert kind.title[0].isupper()
    assert not kind.title.endswith(".")
    assert kind.meaning().endswith(".")
    assert "  " not in kind.meaning()
    assert kind.remedy.endswith((".", "}."))


def test_released_slugs_never_change() -> None:
    of_sources = {slug for slug, kind in PROBLEMS.items() if issubclass(kind, SourceProblem)}

    assert of_sources == {
        *("source-unreachable", "source-timeout", "source-status", "source-redirect", "source-too-large"),
        *("source-not-an-index", "invalid-index", "address-refused"),
    }
    assert PROBLEMS.keys() - of_sources == {
        *("malformed-body", "bad-query", "unauthorized", "read-only", "not-found", "repo-not-found"),
        *("method-not-allowed", "not-acceptable", "repo-exists", "url-registered", "repo-disabled"),
        *("precondition-failed", "body-too-large", "unsupported-media-type", "invalid-registration"),
        *("internal-error", "federation-incomplete", "storage-unavailable"),
    }


def test_an_occurrence_has_the_members_of_rfc_9457() -> None:
    fault = BadQuery("limit is given twice.")

    assert fault.as_json("http://hub", "/v1/repos") == {
        "type": "http://hub/problems/bad-query",
        "title": "The query is not understood",
        "status": 400,
        "detail": "limit is given twice.",
        "instance": "/v1/repos",
    }
    assert (str(fault), fault.headers, fault.errors) == ("limit is given twice.", {}, ())


def test_an_invalid_document_lists_its_offences() -> None:
    fault = InvalidRegistration("See errors.", errors=[Offence("/repo", "is required")], headers={"A": "b"})

    assert fault.as_json("", "/")["errors"] == [{"pointer": "/repo", "detail": "is required"}]
    assert fault.headers == {"A": "b"}


def test_an_occurrence_may_have_a_status_of_its_own() -> None:
    fault = PROBLEMS["storage-unavailable"]("Full.", status=507)

    assert (fault.as_json("", "/")["status"], fault.answer_status, fault.status) == (507, 507, 503)


def test_a_fault_of_a_source_knows_what_the_source_answered() -> None:
    fault = SourceStatus("It answered 404.", source_status=404)

    assert (fault.source_status, fault.answer_status) == (404, 502)
    assert SourceStatus("It answered nothing.").source_status is None
