from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model.compose import compose
from tests.builders import capability
from tests.shared.sharing import EARLY, LAST, LATER, part

if TYPE_CHECKING:
    import random

    from shared.model.compose import Composition, Part
    from shared.model.status import State

STATES: tuple[State, ...] = ("never", "fresh", "stale", "failed", "held", "disabled")
REPOS = ("alpha", "beta", "gamma", "delta")


def served(composition: Composition) -> list[tuple[str, str]]:
    """Return whose entry is served under which id, in the order of the document."""
    entries = [orjson.loads(entry.json) for entry in composition.entries]
    return [(entry["source_repo"], entry["id"][-2:]) for entry in entries]


def disputed(composition: Composition) -> list[tuple[str, str, list[tuple[str, bool]]]]:
    """Return for each conflict its id, whose entry is served, and who else claims it."""
    return [
        (one["id"][-2:], one["repo"], [(other["repo"], other["identical"]) for other in one["others"]])
        for one in composition.conflicts
    ]


def test_nothing_makes_a_complete_document_of_nothing() -> None:
    composition = compose([])

    assert (composition.sources, composition.entries, composition.conflicts) == ([], [], [])
    assert composition.complete


ONE, TWO, THREE = (capability(number) for number in (1, 2, 3))
MINE = capability(1, name="Mine")


@pytest.mark.parametrize(
    ("parts", "entries", "conflicts"),
    [
        pytest.param([part("b", TWO), part("a", THREE, ONE)], ["a n1", "a n3", "b n2"], [], id="repo, then id"),
        pytest.param(
            [part("a", ONE, at=LATER), part("b", MINE, at=EARLY)], ["b n1"], ["n1 b: a differs"], id="the earliest wins"
        ),
        pytest.param([part("b", ONE), part("a", MINE)], ["a n1"], ["n1 a: b differs"], id="a tie: the name decides"),
        pytest.param([part("a", ONE), part("b", ONE)], ["a n1"], ["n1 a: b same"], id="the same entry twice"),
        pytest.param(
            [part("a", ONE, at=LAST), part("b", ONE, at=EARLY), part("c", MINE, TWO, at=LATER)],
            ["b n1", "c n2"],
            ["n1 b: c differs, a same"],
            id="the others by age",
        ),
        pytest.param(
            [part("a", ONE, TWO), part("b", TWO, ONE, at=LATER)],
            ["a n1", "a n2"],
            ["n1 a: b same", "n2 a: b same"],
            id="conflicts by id",
        ),
        pytest.param([part("a", ONE, state="failed"), part("b", MINE)], ["b n1"], [], id="only who serves takes part"),
        pytest.param([part("a", ONE, state="disabled"), part("b", MINE)], ["b n1"], [], id="nor who is disabled"),
        pytest.param([part("a", ONE, state="stale"), part("b")], ["a n1"], [], id="what is stale is served"),
    ],
)
def test_merges_what_the_parts_bring(parts: list[Part], entries: list[str], conflicts: list[str]) -> None:
    composition = compose(parts)

    assert [" ".join(one) for one in served(composition)] == entries
    told = [
        f"{name} {winner}: " + ", ".join(f"{repo} {'same' if same else 'differs'}" for repo, same in others)
        for name, winner, others in disputed(composition)
    ]
    assert told == conflicts


@pytest.mark.parametrize("state", STATES)
def test_every_source_is_listed_but_a_disabled_one(state: State) -> None:
    composition = compose([part("a", ONE, state=state, required=True)])

    serves = state in {"fresh", "stale", "held"}
    assert [source["state"] for source in composition.sources] == ([] if state == "disabled" else [state])
    for source in composition.sources:
        assert source["capability_count"] == serves
        assert (source["digest"] is None, source["changed_at"] is None) == (not serves, not serves)
    assert composition.missing_required == ([] if serves else ["a"])
    assert composition.complete is serves


def test_a_source_that_is_not_required_is_never_missing() -> None:
    assert compose([part("a", state="failed"), part("b", state="disabled")]).complete


def test_required_sources_are_missing_by_name() -> None:
    parts = [part(repo, state="failed", required=True) for repo in ("c", "a", "b")]

    assert compose(parts).missing_required == ["a", "b", "c"]


@st.composite
def federations(draw: st.DrawFn) -> list[Part]:
    """Draw some repos, each with a few entries of few ids, so that many are disputed."""
    made = []
    for repo in draw(st.lists(st.sampled_from(REPOS), unique=True)):
        numbers = draw(st.lists(st.integers(1, 4), unique=True))
        entries = [capability(number, name=draw(st.sampled_from(["Ours", "Theirs"]))) for number in numbers]
        at, state = draw(st.sampled_from([EARLY, LATER])), draw(st.sampled_from(STATES))
        made.append(part(repo, *entries, state=state, at=at, required=draw(st.booleans())))
    return made


@given(federations(), st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(parts: list[Part], chance: random.Random) -> None:
    shuffled = list(parts)
    chance.shuffle(shuffled)

    assert compose(shuffled) == compose(parts)


@given(federations())
def test_composing_again_says_the_same(parts: list[Part]) -> None:
    assert compose(iter(parts)) == compose(parts)


@given(federations())
def test_every_entry_appears_exactly_once_as_served_or_in_conflict(parts: list[Part]) -> None:
    composition = compose(parts)

    told = [(name, repo) for repo, name in served(composition)]
    told += [(name, repo) for name, _, others in disputed(composition) for repo, _ in others]
    brought = [(entry.id[-2:], one.repo) for one in parts if one.content for entry in one.content.entries]
    assert Counter(told) == Counter(brought)


@given(federations())
def test_everything_stands_in_the_documented_order(parts: list[Part]) -> None:
    composition = compose(parts)

    assert served(composition) == sorted(served(composition))
    names = [source["repo"] for source in composition.sources]
    assert names == sorted(set(names))
    assert [one[0] for one in disputed(composition)] == sorted(one[0] for one in disputed(composition))
    winners: dict[str, Any] = {name: repo for repo, name in served(composition)}
    assert all(winners[name] == repo for name, repo, _ in disputed(composition))


@given(federations())
def test_a_served_entry_is_the_earliest_claim(parts: list[Part]) -> None:
    composition = compose(parts)

    age = {one.repo: (one.registration.registered_at, one.repo) for one in parts}
    for _, winner, others in disputed(composition):
        order = [age[winner], *(age[repo] for repo, _ in others)]
        assert order == sorted(order)


@pytest.mark.parametrize(
    ("parts", "counts", "lost"),
    [
        pytest.param([part("a", ONE, TWO), part("b", THREE)], {"a": (2, 2), "b": (1, 1)}, {}, id="no conflict"),
        pytest.param(
            [part("a", ONE, TWO), part("b", ONE, TWO, at=LATER)],
            {"a": (2, 2), "b": (2, 0)},
            {"b": {"a": 2}},
            id="a fork",
        ),
        pytest.param(
            [part("a", ONE), part("b", TWO, at=LATER), part("c", MINE, TWO, THREE, at=LAST)],
            {"a": (1, 1), "b": (1, 1), "c": (3, 1)},
            {"c": {"a": 1, "b": 1}},
            id="lost to two",
        ),
        pytest.param(
            [part("a", ONE, state="disabled"), part("b", ONE, at=LATER)], {"b": (1, 1)}, {}, id="the winner is disabled"
        ),
        pytest.param(
            [part("a", ONE, state="failed"), part("b", ONE, at=LATER)],
            {"a": (0, 0), "b": (1, 1)},
            {},
            id="the winner failed",
        ),
    ],
)
def test_counts_of_each_source_what_is_served(
    parts: list[Part], counts: dict[str, tuple[int, int]], lost: dict[str, dict[str, int]]
) -> None:
    composition = compose(parts)

    told = {source["repo"]: (source["capability_count"], source["served_count"]) for source in composition.sources}
    assert (told, composition.losses) == (counts, lost)
    assert sum(served for _, served in told.values()) == len(composition.entries)
