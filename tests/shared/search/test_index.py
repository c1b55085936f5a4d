from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.search import nothing
from shared.search.facts import KINDS
from shared.search.index import Index
from shared.search.query import Position, SearchRequest
from shared.search.sources import SearchSource
from tests.builders import capability
from tests.shared.search.editions import edition
from tests.shared.sharing import EARLY, LATER, part

if TYPE_CHECKING:
    from shared.model.compose import Part
    from shared.search.query import SearchResult

NOTHING = SearchRequest()


def never() -> bool:
    return False


def index(*parts: Part) -> Index:
    return Index(edition(*parts), nothing)


def of(*names: str, repo: str = "ours") -> Part:
    """Return a part with a capability for each name, in the order of their ids."""
    return part(repo, *(capability(id=f"{repo}.n{place}", name=name) for place, name in enumerate(names)))


def find(where: Index, text: str | None = None, **more: Any) -> SearchResult:
    return where.find(SearchRequest(terms=tuple(text.split()) if text else None, **more), never)


def names(found: SearchResult) -> list[str]:
    return [hit.entry.json.split(b'"name":"')[1].split(b'"')[0].decode() for hit in found.hits]


def test_all_words_must_be_found_each_whole_or_as_a_beginning() -> None:
    where = index(of("read the weather", "weather forecast", "forecasts"))

    assert names(find(where, "weather")) == ["weather forecast", "read the weather"]
    assert names(find(where, "weather fore")) == ["weather forecast"]
    assert names(find(where, "snow")) == []


def test_a_whole_word_comes_before_a_beginning() -> None:
    where = index(of("forecasts", "forecast", "others", "else", "more"))

    assert names(find(where, "forecast")) == ["forecast", "forecasts"]


def test_a_single_character_is_no_beginning() -> None:
    assert names(find(index(of("c compiler", "compiler")), "c")) == ["c compiler"]


def test_no_words_list_everything_and_a_text_without_a_word_finds_nothing() -> None:
    where = index(of("b", "a"), of("c", repo="first"))

    assert names(find(where)) == ["c", "b", "a"]
    assert [hit.score for hit in find(where).hits] == [0, 0, 0]
    found = where.find(SearchRequest(terms=()), never)
    assert (found.hits, found.total, found.following) == ([], 0, None)


def test_scores_are_in_proportion_to_the_best() -> None:
    where = index(of("pear", "a pear among very many other words", "x", "y", "z"))

    first, second = (hit.score for hit in find(where, "pear").hits)

    assert first == 100
    assert 0 < second < 100


def test_with_some_any_word_that_tells_something_is_enough() -> None:
    where = index(of("find a pear", *(f"find a thing {number}" for number in range(30)), "apple"))

    assert names(find(where, "find a pear tree", some=True)) == ["find a pear"]
    assert names(find(where, "apple pear", some=True)) == ["apple", "find a pear"]
    assert find(where, "find a", some=True).total == 31
    assert find(where, "tree", some=True).total == 0


def test_filters_facets_and_totals_look_at_all_that_is_found() -> None:
    entries = [capability(n, tags=["even"] if n % 2 == 0 else ["odd"], vector=f"A{n % 4}") for n in range(8)]
    where = index(part("ours", *entries))

    found = find(where, "example", filters=(("tag", ("even",)),), facets=KINDS, limit=1)

    assert (found.total, len(found.hits)) == (4, 1)
    assert {kind: values for kind, values in found.facets.items() if values} == {
        "domain": [("helix_forge", 4)], "repo": [("ours", 4)], "tag": [("even", 4)],
        "availability": [("A0", 2), ("A2", 2)],
    }  # fmt: skip
    assert find(where, filters=(("availability", ("A2", "A3")),)).total == 4


def pages(where: Index, text: str | None, limit: int) -> list[str]:
    """Return what all pages show, one after the other."""
    shown: list[str] = []
    found = find(where, text, limit=limit)
    shown += names(found)
    while found.following:
        found = find(where, text, limit=limit, after=found.following)
        assert found.hits
        shown += names(found)
    return shown


@pytest.mark.parametrize("ranked_at_most", [0, 2, 7, 100], ids="ranking at most {}".format)
@pytest.mark.parametrize("text", [None, "pear", "common"])
def test_the_pages_together_are_the_whole_without_repeating(
    text: str | None, ranked_at_most: int
) -> None:
    named = [
        capability(number, name=f"pear {number}" if number % 3 else f"no {number}", summary="pear common")
        for number in range(10)
    ]
    both = ([{**one, "id": f"{repo}.{one['id']}"} for one in named] for repo in ("ours", "theirs"))
    parts = (part(f"repo-{number}", *entries) for number, entries in enumerate(both))
    where = Index(edition(*parts), nothing, ranked_at_most=ranked_at_most)
    whole = names(find(where, text, limit=100))

    assert len(whole) == 20
    for limit in (1, 3, 5, 19, 20):
        assert pages(where, text, limit) == whole


def test_where_too_many_match_those_with_the_words_in_id_or_name_come_first() -> None:
    entries = [capability(n, name="pear" if n in {4, 6} else f"n{n}", summary="pear") for n in range(8)]
    where = Index(edition(part("ours", *entries)), nothing, ranked_at_most=2)

    found = find(where, "pear")

    assert names(found) == ["pear", "pear", "n0", "n1", "n2", "n3", "n5", "n7"]
    assert [hit.score > 0 for hit in found.hits] == [True, True, *[False] * 6]


def test_a_page_starts_after_what_was_shown_last_wherever_that_stands_now() -> None:
    where = index(of("pear", "pear tree", "pear tree far away", "w", "x", "y", "z"))
    first = find(where, "pear", limit=2)
    assert names(first) == ["pear", "pear tree"]

    assert where.follow(edition(of("pear", "pear tree", "pear tree far away", "pear", "x", "y", "z"), serial=2))

    assert names(find(where, "pear", limit=2, after=first.following)) == ["pear tree far away"]


@pytest.mark.parametrize(
    ("after", "rest"),
    [
        pytest.param(Position(1, "ours", "gone"), 2, id="it is gone: where it stood"),
        pytest.param(Position(99, "nobody", "gone"), 0, id="it is gone, and so are those before it"),
    ],
)
def test_a_ranked_page_goes_on_though_what_was_shown_last_is_gone(after: Position, rest: int) -> None:
    assert len(find(index(of("pear", "pear", "pear")), "pear", after=after).hits) == rest


@pytest.mark.parametrize(
    ("repo", "entry_id", "shown"),
    [
        ("m", "m.n0", ["m1", "z0"]),
        ("m", "m.n00", ["m1", "z0"]),
        ("m", "a", ["m0", "m1", "z0"]),
        ("m", "z", ["z0"]),
        ("a", "z", ["m0", "m1", "z0"]),
        ("n", "a", ["z0"]),
        ("zz", "a", []),
    ],
)
def test_a_list_goes_on_after_the_place_of_what_was_shown_last(repo: str, entry_id: str, shown: list[str]) -> None:
    where = index(of("m0", "m1", repo="m"), of("z0", repo="z"))

    assert names(find(where, after=Position(None, repo, entry_id))) == shown


def said(where: Index) -> list[object]:
    """Return all that the tests can ask *where*, ranks included."""
    asked = [
        SearchRequest(terms=terms, facets=KINDS, limit=1000)
        for terms in (None, ("n1",), ("pear",), ("example", "ap"))
    ]
    found = [where.find(wanted, never) for wanted in asked]
    return [
        (one.total, one.facets, one.serial, [(hit.part.repo, hit.entry.json, hit.score) for hit in one.hits])
        for one in found
    ]


ENTRIES = st.lists(
    st.builds(
        capability, st.integers(0, 5), name=st.sampled_from(["pear", "apple pie", "Äpfel"]),
        tags=st.lists(st.sampled_from("ab"), max_size=2), status=st.sampled_from(["x", "y"]),
    ),
    max_size=4, unique_by=lambda entry: str(entry["id"]),
)  # fmt: skip
EDITIONS = st.lists(st.dictionaries(st.sampled_from("abcdef"), ENTRIES, max_size=4), min_size=2, max_size=5)


@given(EDITIONS)
def test_an_index_that_followed_finds_what_a_new_one_does(history: list[dict[str, list[dict[str, Any]]]]) -> None:
    editions = [
        edition(*(part(repo, *entries) for repo, entries in one.items()), serial=serial)
        for serial, one in enumerate(history)
    ]
    where = Index(editions[0], nothing)
    for one in editions[1:]:
        assert where.follow(one)
        assert said(where) == said(Index(one, nothing))


def test_only_what_was_registered_or_changed_later_is_found() -> None:
    shares = [of("a", repo="early"), part("later", capability(1, name="b"), at=LATER), part("none", state="never")]
    where = index(*shares)
    second, eleven = datetime.fromisoformat(EARLY), datetime(2026, 11, 23, 11, tzinfo=UTC)

    assert names(find(where, since=(("registered_at", second),))) == ["b"]
    assert names(find(where, since=(("registered_at", second - timedelta(seconds=1)),))) == ["a", "b"]
    assert names(find(where, "b", since=(("changed_at", eleven - timedelta(seconds=1)),))) == ["b"]
    assert names(find(where, since=(("registered_at", second - timedelta(days=1)), ("changed_at", eleven)))) == []


def test_a_moment_may_leave_more_repos_than_sqlite_takes_values() -> None:
    (one,) = edition(part("a", capability(1, name="one"))).parts
    assert one.content is not None
    parts = [replace(one, registration=replace(one.registration, repo=f"r{number}")) for number in range(33_000)]
    where = index(part("r32999", capability(1, name="one")))
    where._sources |= {each.repo: SearchSource(each, one.content, frozenset()) for each in parts}
    moment = datetime.fromisoformat(EARLY) - timedelta(days=1)

    assert names(find(where, since=(("registered_at", moment), ("changed_at", moment)))) == ["one"]


def test_a_repo_that_serves_nothing_any_more_is_forgotten() -> None:
    where = index(of("a", repo="a"), of("b", repo="b"))
    for count in range(30):
        shares = (of("a", repo="a"), part("a" + "z" * (count + 1), capability(1)), of("b", repo="b"))
        # Those that came before and are gone leave their numbers to this one.
        assert where.follow(edition(*shares, serial=count + 2))

    assert names(find(where)) == ["a", "Example 1", "b"]


def test_a_great_change_is_left_to_a_new_index() -> None:
    where = Index(edition(of("a", "b")), nothing, small_change=3)
    before = said(where)

    assert not where.follow(edition(of("c", "d"), serial=2))
    assert said(where) == before
    assert where.follow(edition(of("a", "b"), part("more", capability(1)), serial=2))


def test_a_repo_for_which_no_number_is_left_is_left_to_a_new_index() -> None:
    shares = [of("a", repo="a"), part("b", capability(1))]
    where = index(*shares)
    for count in range(30):
        shares.append(part("a" + "z" * (count + 1)))
        if not where.follow(edition(*shares, serial=count + 2)):
            break

    assert where.edition.document.serial == len(shares) - 2
    assert names(find(where)) == ["a", "Example 1"]


def test_more_facts_can_be_found_by() -> None:
    where = Index(edition(of("a", "b")), lambda share, found: [("first", found.name + share.repo)])

    assert names(find(where, filters=(("first", ("bours",)),))) == ["b"]
    assert find(where, facets=("first",)).facets == {"first": [("aours", 1), ("bours", 1)]}
