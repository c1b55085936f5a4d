from __future__ import annotations

from shared.problems import PROBLEMS, BadQuery, InvalidRegistration, Offence


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


def test_an_occurrence_is_found_beneath_the_public_url() -> None:
    told = BadQuery("limit is given twice.").as_json("https://h/reuse", "/v1/repos")

    assert (told["type"], told["instance"]) == ("https://h/reuse/problems/bad-query", "/reuse/v1/repos")


def test_an_invalid_document_lists_its_offences() -> None:
    fault = InvalidRegistration("See errors.", errors=[Offence("/repo", "is required")], headers={"A": "b"})

    assert fault.as_json("", "/")["errors"] == [{"pointer": "/repo", "detail": "is required"}]
    assert fault.headers == {"A": "b"}


def test_an_occurrence_may_have_a_status_of_its_own() -> None:
    fault = PROBLEMS["storage-unavailable"]("Full.", status=507)

    assert (fault.as_json("", "/")["status"], fault.answer_status, fault.status) == (507, 507, 503)
