from __future__ import annotations

import re
from dataclasses import replace

import pytest

from shared.model.registration import Registration, RegistrationFields, is_name
from tests.builders import registration

ROW = Registration(
    **registration(required=True, description="about", cache_ttl_seconds=60),
    registered_at="t0", updated_at="t1", registered_by="anna", revision=4,
)  # fmt: skip


def test_a_registration_is_read_back_as_it_was_written() -> None:
    assert Registration.from_json(ROW.as_json()) == ROW
    others = [replace(ROW, domain="other"), replace(ROW, url="https://b.example/"), replace(ROW, updated_at="t2")]

    assert re.fullmatch('"4-[0-9a-f]{16}"', ROW.etag)
    assert ROW.etag == Registration.from_json(ROW.as_row()).etag
    assert len({ROW.etag, *(other.etag for other in others)}) == 4
    fields = registration(required=True, description="about", cache_ttl_seconds=60)
    assert ROW.client_fields() == RegistrationFields(**fields)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("a", True), ("0.b-c_d", True), ("a" * 100, True), ("a" * 101, False), (".a", False), ("A", False)],
)
def test_what_a_repo_may_be_called(text: str, is_one: bool) -> None:
    assert is_name(text) is is_one
