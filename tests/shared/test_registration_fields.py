from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.fetch.guard import Guard
from shared.model.registration import Registration, RegistrationFields
from shared.problems import InvalidRegistration
from shared.registration_fields import merged, read_fields
from tests.builders import registration

GUARD = Guard((), (80, 443))
ROW = Registration(
    **registration(required=True, description="about", cache_ttl_seconds=60),
    registered_at="t0", updated_at="t1", registered_by="anna", revision=4,
)  # fmt: skip


def refused(document: object, repo: str | None = None) -> list[tuple[str, str]]:
    """Return the offences for which *document* is refused."""
    with pytest.raises(InvalidRegistration) as raised:
        read_fields(document, GUARD, repo)
    return [(offence.pointer, offence.detail) for offence in raised.value.errors]


def test_reads_what_is_wanted_and_adds_the_defaults() -> None:
    assert read_fields(registration(), GUARD).as_json() == {
        **registration(), "enabled": True, "required": False, "cache_ttl_seconds": 3600, "description": "",
    }  # fmt: skip


def test_a_whole_number_may_be_written_with_a_point() -> None:
    ttl = read_fields(registration(cache_ttl_seconds=60.0), GUARD).cache_ttl_seconds

    assert (ttl, type(ttl)) == (60, int)


@pytest.mark.parametrize(
    ("changes", "pointer", "says"),
    [
        pytest.param({"repo": "State"}, "/repo", "does not match", id="a capital"),
        pytest.param({"repo": "a\n"}, "/repo", "does not match", id="a line feed at the end"),
        pytest.param({"repo": None}, "/repo", "is required", id="no name"),
        pytest.param({"domain": 7}, "/domain", "must be text", id="a number for text"),
        pytest.param({"enabled": "true"}, "/enabled", "must be true or false", id="text for a flag"),
        pytest.param({"cache_ttl_seconds": 604801}, "/cache_ttl_seconds", "at most 604,800", id="too long"),
        pytest.param({"cache_ttl_seconds": True}, "/cache_ttl_seconds", "whole number", id="a flag for a number"),
        pytest.param({"description": "\x1b[31m"}, "/description", "does not match", id="an escape sequence"),
        pytest.param({"url": "ftp://example.org/"}, "/url", "http or https", id="another scheme"),
        pytest.param({"url": "http://127.0.0.1/"}, "/url", "", id="a private address"),
        pytest.param({"url": "https://me@example.org/"}, "/url", "user name", id="user info"),
        pytest.param({"url": ""}, "/url", "empty", id="no URL"),
        pytest.param({"colour": "red"}, "/colour", "not a known field", id="an unknown field"),
        pytest.param({"revision": 9}, "/revision", "send the ETag as If-Match", id="a field of the hub"),
        pytest.param({"index": "local.yaml"}, "/index", "register its raw URL", id="a local path"),
    ],
)
def test_refuses(changes: dict[str, Any], pointer: str, says: str) -> None:
    [(place, detail)] = refused(registration(**changes))

    assert place == pointer
    assert says in detail


def test_names_every_offence_in_order() -> None:
    offences = refused({"url": "http://10.0.0.1/", "domain": "", "source_repo": "x", "required": 1})

    assert [pointer for pointer, _ in offences] == ["/domain", "/repo", "/required", "/source_repo", "/url"]


@pytest.mark.parametrize("document", [None, [], "text", 7])
def test_refuses_what_is_no_object(document: object) -> None:
    assert [pointer for pointer, _ in refused(document)] == [""]


def test_the_name_in_the_path_may_be_left_out_of_the_body_but_not_contradicted() -> None:
    nameless = registration(repo=None)

    assert read_fields(nameless, GUARD, "state-hub").repo == "state-hub"
    assert read_fields(registration(), GUARD, "state-hub").repo == "state-hub"
    says = "must be a, or left out: the name of a repo never changes"
    assert refused(registration(repo="b"), "a") == [("/repo", says)]
    assert [pointer for pointer, _ in refused(registration(repo=7), "a")] == ["/repo"]


def test_a_patch_changes_what_it_names() -> None:
    assert merged(ROW, {"domain": "other", "repo": "state-hub"}, GUARD) == replace(ROW.client_fields(), domain="other")
    assert merged(ROW, {}, GUARD) == ROW.client_fields()


def test_null_resets_an_optional_field() -> None:
    patch = {"required": None, "description": None, "cache_ttl_seconds": None, "enabled": None}

    assert merged(ROW, patch, GUARD) == RegistrationFields(**registration())


@pytest.mark.parametrize(
    ("patch", "pointer"),
    [({"url": None}, "/url"), ({"repo": "b"}, "/repo"), ({"colour": None}, "/colour"), ([], ""), (None, "")],
)
def test_a_patch_is_refused(patch: object, pointer: str) -> None:
    with pytest.raises(InvalidRegistration) as raised:
        merged(ROW, patch, GUARD)

    assert [offence.pointer for offence in raised.value.errors] == [pointer]
