from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.formats.capability_index import MAX_CAPABILITIES
from shared.search.numbers import PLACES, Numbers

NAMES = st.text("abc", min_size=1, max_size=3)


@given(st.lists(NAMES), st.lists(NAMES))
def test_numbers_stand_in_the_order_of_names_and_lead_back_to_them(first: list[str], later: list[str]) -> None:
    numbers = Numbers(set(first))
    before = {repo: numbers.row(repo, 0) for repo in first}

    assert all(numbers.has_room_for(repo) for repo in later)

    repos = sorted({*first, *later})
    rows = [numbers.row(repo, place) for repo in repos for place in (0, 1, MAX_CAPABILITIES)]
    assert rows == sorted(rows)
    assert [numbers.entry(row) for row in rows] == [
        (repo, place) for repo in repos for place in (0, 1, MAX_CAPABILITIES)
    ]
    assert {repo: numbers.row(repo, 0) for repo in first} == before


def test_there_is_an_end_of_each_repo_and_of_those_that_are_not_there() -> None:
    numbers = Numbers(["b", "d"])

    assert numbers.row("b", MAX_CAPABILITIES) < numbers.end("b") == numbers.end("c") < numbers.row("d", 0)
    assert numbers.end("a") < numbers.row("b", 0)
    assert numbers.row("d", MAX_CAPABILITIES) < numbers.end("e")


def test_between_two_neighbours_there_is_room_for_some_and_then_none() -> None:
    numbers = Numbers(["a", "b"])
    came = 0
    while numbers.has_room_for("a" + "z" * (came + 1)):
        came += 1
        assert came < 100

    assert came >= 20
    assert numbers.has_room_for("b")
    assert numbers.has_room_for("c")
    assert numbers.row("b", 0) // PLACES == 2 << 20


def test_what_is_left_out_gives_its_number_back_and_the_others_keep_theirs() -> None:
    whole = Numbers(["a", "b", "c"])
    before = whole.row("c", 7)

    numbers = whole.only({"a", "c", "never there"})

    assert (numbers.row("c", 7), numbers.entry(before)) == (before, ("c", 7))
    assert numbers.end("b") == numbers.end("a")
    for _ in range(100):
        assert numbers.has_room_for("b")
        numbers = numbers.only({"a", "c"})
