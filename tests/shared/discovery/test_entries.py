from __future__ import annotations

from typing import Any

import pytest

from shared.discovery import entries
from shared.discovery.naming import Naming
from tests.builders import capability
from tests.shared.sharing import part

HUB = Naming("https://reuse.example.org")
GOOD = {"identifier": "urn:air:example.org:a", "displayName": "A", "type": "text/html", "url": "https://example.org/"}


def described(**changes: Any) -> dict[str, Any]:
    """Return the entry that a capability becomes."""
    share = part("ours", capability(**changes))
    assert share.content
    return entries.capability(HUB, share, share.content.entries[0])


def test_a_capability_says_all_that_it_says() -> None:
    entry = described(
        name=" Record a decision ", summary="Keeps it. With reasons.", tags=["a", "b"], vector="D5 / A4",
        status="active", owner="team", version="1.2", domain="own", path="x.md",
    )  # fmt: skip

    assert entry == {
        "identifier": "urn:air:reuse.example.org:capability:ours:capability.example.n1",
        "displayName": "Record a decision",
        "type": "application/json",
        "url": "https://reuse.example.org/v1/capabilities/ours/capability.example.n1",
        "description": "Keeps it. With reasons.",
        "tags": ["a", "b"],
        "capabilities": ["capability.example.n1"],
        "representativeQueries": ["Record a decision", "Keeps it"],
        "version": "1.2",
        "updatedAt": "2026-11-23T11:00:00Z",
        "metadata": {
            "domain": "own", "source_repo": "ours", "status": "active", "owner": "team",
            "definition": "D5", "availability": "A4",
        },
        "extensions": {
            "org.example.reuse.source": {
                "source_repo": "ours", "source_url": "https://git.example.org/ours/capabilities.yaml", "state": "fresh",
            }
        },
    }  # fmt: skip
    assert entries.fault(entry) is None


def test_a_capability_leaves_out_what_it_does_not_say() -> None:
    entry = described(version=2, tags=[])

    assert entry.keys() == {
        "identifier", "displayName", "type", "url", "capabilities", "updatedAt", "metadata", "extensions",
    }  # fmt: skip
    assert entry["metadata"] == {"domain": "helix_forge", "source_repo": "ours"}


@pytest.mark.parametrize(
    ("changes", "queries"),
    [
        ({"representativeQueries": ["a", "b", "c"], "summary": "S"}, ["a", "b", "c"]),
        ({"representativeQueries": ["a"], "summary": "S"}, ["Example 1", "S"]),
        ({"representativeQueries": ["a", 1], "summary": "S"}, ["Example 1", "S"]),
        ({"representativeQueries": "ab", "summary": "S"}, ["Example 1", "S"]),
        ({"summary": "Example 1"}, None),
        ({"summary": "x" * 300}, ["Example 1", "x" * 200]),
        ({"summary": " "}, None),
        ({"name": " ", "summary": "S"}, None),
        ({}, None),
    ],
    ids=str,
)
def test_sample_queries_are_the_publisher_s_else_name_and_summary(
    changes: dict[str, Any], queries: list[str] | None
) -> None:
    assert described(**changes).get("representativeQueries") == queries


def test_the_document_of_the_entry_is_named_where_it_is_known() -> None:
    entry = described(entry_url="https://git.example.org/x.md")

    assert entry["extensions"]["org.example.reuse.source"]["entry_url"] == "https://git.example.org/x.md"


@pytest.mark.parametrize(
    "changes",
    [
        {"identifier": "urn:air:localhost:a"},
        {"identifier": "urn:air:example.org:a b"},
        {"identifier": None},
        {"displayName": ""},
        {"displayName": " \t"},
        {"type": "library"},
        {"url": "ftp://example.org/"},
        {"url": "https://[::/"},
        {"url": "https://example.org:x/"},
        {"url": "https://:80/"},
        {"data": {}},
        {"tags": [1]},
        {"representativeQueries": ["one"]},
        {"version": 1},
        {"updatedAt": "today"},
        {"metadata": {"a": []}},
        {"colour": "red"},
    ],
    ids=str,
)
def test_what_some_reader_would_not_take_has_a_fault(changes: dict[str, Any]) -> None:
    assert entries.fault(GOOD) is None
    assert str(entries.fault(GOOD | changes)).startswith(f"/{next(iter(changes))}")


@pytest.mark.parametrize("number", [1, 2])
def test_catalogs_and_the_search_are_entries_too(number: int) -> None:
    made = [
        entries.registry(HUB),
        entries.catalog(HUB, part("ours", capability()), number, 2),
        entries.catalog(HUB, part("empty", state="never"), number, 1),
        entries.domain(HUB, "helix_forge", number, 2),
    ]

    assert [entries.fault(one) for one in made] == [None] * len(made)
    assert len({one["identifier"] for one in made}) == 4
    assert made[1]["displayName"] == f"ours ({number} of 2)"
    assert made[1]["url"].endswith("/ours/ai-catalog.json" + ("" if number == 1 else "?part=2"))
    assert made[3]["url"].endswith("/ard/catalogs/helix_forge" + ("" if number == 1 else "?part=2"))
