from __future__ import annotations

from typing import Any

import pytest

from shared.discovery.naming import NOBODY, Naming, is_urn, publisher_of
from shared.model.capability import Capability
from tests.builders import capability
from tests.shared.sharing import part

HUB = Naming("https://reuse.example.org/base")
ID = str(capability()["id"])


@pytest.mark.parametrize(
    ("public", "publisher"),
    [
        ("https://Reuse.Example.org:8443", "reuse.example.org"),
        ("http://127.0.0.1:8080", NOBODY),
        ("http://[::1]:8080", NOBODY),
        ("http://hub", NOBODY),
        ("http://hub.x1", NOBODY),
        (f"http://{'a' * 64}.org", NOBODY),
    ],
)
def test_the_hub_names_things_by_its_domain_if_it_has_one(public: str, publisher: str) -> None:
    assert Naming(public).urn("a", "b") == f"urn:air:{publisher}:a:b"


def test_where_things_come_from_stands_under_the_domain_in_reverse() -> None:
    assert HUB.extension == "org.example.reuse.source"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("urn:air:example.org:a", True),
        ("urn:air:a-b.example.org:tools:x.y_z-1", True),
        ("urn:air:reuse.example.org:capability:other:x", False),
        ("urn:air:REUSE.example.org:x", False),
        ("urn:air:localhost:x", False),
        ("urn:air:127.0.0.1:x", False),
        ("urn:air:example.org", False),
        ("urn:air:example.org:", False),
        ("urn:air:example.org:a b", False),
        ("urn:air:example.org:a\n", False),
        ("urn:ai:example.org:a", False),
        ("urn:air:" + "a." * 130 + "org:x", False),
        ("urn:air:example.org:" + "a" * 1000, False),
        (7, False),
        (None, False),
    ],
)
def test_a_publisher_s_own_name_is_kept_where_it_is_one_and_not_the_hub_s(given: Any, kept: bool) -> None:
    expected = given if kept else f"urn:air:reuse.example.org:capability:ours:{ID}"

    assert HUB.identifier("ours", Capability(capability(identifier=given))) == expected


@pytest.mark.parametrize(
    ("changes", "address", "media_type"),
    [
        ({}, f"https://reuse.example.org/base/v1/capabilities/ours/{ID}", "application/json"),
        ({"url": "https://x.org/SKILL.MD?raw#top"}, "https://x.org/SKILL.MD?raw#top", "text/markdown"),
        ({"url": "https://x.org/md"}, "https://x.org/md", "text/html"),
        ({"url": "https://x.org/a.md", "type": "application/x+json"}, "https://x.org/a.md", "application/x+json"),
        ({"url": "https://x.org/", "type": "library"}, "https://x.org/", "text/html"),
        ({"url": "https://x.org/", "type": 7}, "https://x.org/", "text/html"),
    ],
)  # fmt: skip
def test_an_entry_leads_to_its_own_url_else_to_the_hub(changes: dict[str, Any], address: str, media_type: str) -> None:
    said = Capability(capability(**changes))

    assert (HUB.address("ours", said), HUB.media_type(said)) == (address, media_type)


def test_more_facts_are_told_for_searches() -> None:
    own = capability(1, identifier="urn:air:Example.org:x")

    assert dict(HUB.facts(part("ours", own), Capability(own))) == {
        "type": "application/json", "publisher": "example.org", "identifier": "urn:air:Example.org:x",
    }  # fmt: skip
    assert dict(HUB.facts(part("ours"), Capability(capability()))) == {
        "type": "application/json", "publisher": "reuse.example.org",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "verdict"),
    [("urn:air:a.b:c", True), ("urn:air:host:c", True), ("urn:air:a.b", False), ("x", False), ("urn:air:a:b\n", False)],
)  # fmt: skip
def test_tells_a_urn_from_nonsense(text: str, verdict: bool) -> None:
    assert is_urn(text) is verdict
    assert not is_urn(text + ":" + "a" * 1000)


def test_the_publisher_is_the_domain_in_the_urn() -> None:
    assert publisher_of("urn:air:Example.org:a:b") == "example.org"
