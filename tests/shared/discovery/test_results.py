from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from shared.discovery.naming import Naming
from shared.discovery.results import FirstEntry, Listing, Results
from shared.search import Hit, Position, SearchResult
from tests.builders import capability
from tests.shared.sharing import part

if TYPE_CHECKING:
    from collections.abc import Callable

HUB = Naming("https://reuse.example.org")


def made(render: Callable[[SearchResult], bytes], *numbers: int, following: Position | None = None) -> dict[str, Any]:
    """Return what *render* makes of some capabilities, of which the one numbered 3 is no good."""
    share = part("ours", *(capability(n, name=" " if n == 3 else f"N{n}", summary="S.") for n in numbers))
    assert share.content
    hits = [Hit(share, entry, 100 - place) for place, entry in enumerate(share.content.entries)]
    body: dict[str, Any] = json.loads(render(SearchResult(1, hits, len(hits), following, {})))
    return body


def test_results_are_entries_with_a_score_and_where_they_were_found() -> None:
    body = made(Results(HUB, referrals=False), 1, 2, 3)

    assert body.keys() == {"results"}
    assert [(one["displayName"], one["score"], one["source"]) for one in body["results"]] == [
        ("N1", 100, "https://reuse.example.org/ard/"), ("N2", 99, "https://reuse.example.org/ard/"),
    ]  # fmt: skip
    assert all({"identifier", "type", "url"} <= one.keys() for one in body["results"])
    assert not any("representativeQueries" in one for one in body["results"])


def test_referrals_are_named_where_they_are_asked_for_and_there_are_none() -> None:
    assert made(Results(HUB, referrals=True))["referrals"] == []


def test_a_listing_has_whole_entries_without_scores() -> None:
    body = made(Listing(HUB), 1, 3)

    assert body["total"] == 2
    (entry,) = body["items"]
    assert entry["representativeQueries"] == ["N1", "S"]
    assert not {"score", "source"} & entry.keys()


def test_a_token_leads_to_the_next_page() -> None:
    assert made(Listing(HUB), 1, following=Position(None, "ours", "x"))["pageToken"]
    assert made(Results(HUB, referrals=False), 1, following=Position(1, "ours", "x"))["pageToken"]


def test_one_is_the_first_good_one_or_nothing() -> None:
    assert made(FirstEntry(HUB), 3, 5)["displayName"] == "N5"
    assert FirstEntry(HUB)(SearchResult(1, [], 0, None, {})) == b""


def test_equal_renderers_share_what_is_kept() -> None:
    assert {Results(HUB, referrals=False): 1}[Results(HUB, referrals=False)] == 1
    assert Results(HUB, referrals=False) != Results(HUB, referrals=True)
