from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest

from shared.model.content import content_of, from_document
from tests.builders import capability

FULL: dict[str, Any] = {
    "zeta": [1, 2.5, None, True],
    "consumption_modes": ["cli"],
    "url": "https://h.example/",
    "path": "a.md",
    "tags": ["x"],
    "owner": "o",
    "status": "s",
    "domain": "d",
    "vector": "D5 / A4",
    "summary": "line\nline",
    "alpha": "ä☺",
    "name": "Name",
    "id": "a.b",
}


def document(*entries: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"version": 1, "capabilities": list(entries), **changes}


def test_an_entry_is_encoded_in_the_order_people_read_it() -> None:
    (entry,) = content_of(document(FULL), "state-hub").entries

    known = ["id", "name", "summary", "vector", "domain", "status", "owner", "tags", "path", "url", "consumption_modes"]
    assert list(json.loads(entry.json)) == [*known, "alpha", "zeta", "source_repo"]


def test_entries_are_sorted_by_id_and_keep_the_domain_beside() -> None:
    content = content_of(document(capability(2), capability(10), capability(1), domain="d"), "state-hub")

    assert [entry.id for entry in content.entries] == [f"capability.example.n{number}" for number in (1, 10, 2)]
    assert (content.domain, content.base_url) == ("d", None)


SAME = [
    pytest.param(document(capability(1), capability(2)), document(capability(2), capability(1)), id="order of entries"),
    pytest.param(
        document(capability(1, domain="d")),
        document(dict(reversed(capability(1, domain="d").items()))),
        id="order of keys",
    ),
    pytest.param(document(capability()), document(capability(), updated="today", unknown=1), id="what is not served"),
]
OTHER = [
    pytest.param(document(capability(name="a")), document(capability(name="b")), id="an entry"),
    pytest.param(document(capability(1)), document(capability(1), capability(2)), id="one more"),
    pytest.param(document(capability()), document(capability(), domain="d"), id="the domain"),
    pytest.param(document(capability()), document(capability(), base_url="https://h.example/"), id="the base"),
    pytest.param(document(domain="d"), document(base_url="d"), id="domain or base"),
    pytest.param(document(capability(x=1)), document(capability(x=1.0)), id="kinds of numbers"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_what_is_not_served_does_not_change_the_digest(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert content_of(one, "state-hub") == content_of(other, "state-hub")


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_what_is_served_changes_the_digest(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert content_of(one, "state-hub").digest != content_of(other, "state-hub").digest


def test_the_digest_is_that_of_one_repo() -> None:
    assert content_of(document(), "one").digest != content_of(document(), "two").digest


def test_the_document_on_disk_is_read_back_as_it_was() -> None:
    content = content_of(document(FULL, capability(), domain="d", base_url="https://h.example/"), "state-hub")

    assert from_document(json.loads(content.document())) == content
    empty = content_of(document(), "state-hub")
    assert from_document(json.loads(empty.document())) == empty


def test_entries_take_no_more_memory_than_they_say() -> None:
    many = document(*({**capability(number), "path": "a.md"} for number in range(200)))
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        content = content_of(many, "state-hub", "https://h.example/raw/index.yaml")
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    said = sum(len(entry.json) for entry in content.entries)
    assert after - before < 2 * said + 50_000
