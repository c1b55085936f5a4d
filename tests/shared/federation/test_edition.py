from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.federation.document import DocumentEncoder, substance
from shared.federation.edition import MOST_REPOS, Edition, ServedCounts, dated, disputed, missing
from shared.model.compose import Composition, compose
from shared.model.status import Status
from tests.builders import capability
from tests.shared.sharing import LATER, part

if TYPE_CHECKING:
    from shared.model.compose import Part

IDS = [capability(number)["id"] for number in range(10)]


@pytest.fixture
def edition() -> Edition:
    return edition_of(
        part("first", capability(1), capability(3)),
        part("second", capability(1), capability(2), at=LATER),
        part("off", capability(5), state="disabled"),
    )


def edition_of(*shares: Part) -> Edition:
    parts = list(shares)
    composition = compose(parts)
    document = DocumentEncoder().document(composition, substance(composition), 1, "2026-11-23T10:00:00Z")
    return Edition(document, composition, parts)


@pytest.mark.parametrize(
    ("repo", "number", "winner"), [("first", 1, "first"), ("second", 1, "first"), ("second", 2, "second")]
)
def test_an_entry_is_found_with_the_repo_that_is_served(edition: Edition, repo: str, number: int, winner: str) -> None:
    claim = edition.claim(repo, IDS[number])

    assert claim
    assert (claim.part.repo, claim.entry.id, claim.winner) == (repo, IDS[number], winner)


@pytest.mark.parametrize(("repo", "entry_id"), [("first", IDS[2]), ("first", "z"), ("off", IDS[5]), ("nobody", IDS[1])])
def test_what_nobody_publishes_is_not_found(edition: Edition, repo: str, entry_id: str) -> None:
    assert edition.claim(repo, entry_id) is None


@pytest.mark.parametrize(
    ("repo", "standing"),
    [("first", (2, 2, ())), ("second", (2, 1, (("first", 1),))), ("off", (0, 0, ())), ("nobody", (0, 0, ()))],
)
def test_tells_how_much_of_each_repo_is_served_and_who_serves_the_rest(
    edition: Edition, repo: str, standing: tuple[int, int, tuple[tuple[str, int], ...]]
) -> None:
    assert edition.standing(repo) == ServedCounts(*standing)


def test_names_those_who_serve_most_of_the_rest_and_not_more_than_so_many() -> None:
    rivals = [part(f"r{number:02}", capability(number)) for number in range(MOST_REPOS + 1)]
    greatest = part("z", capability(100), capability(101))
    loser = part("loser", *(capability(number) for number in [*range(MOST_REPOS + 1), 100, 101]), at=LATER)

    standing = edition_of(*rivals, greatest, loser).standing("loser")

    assert (standing.entries, standing.served) == (MOST_REPOS + 3, 0)
    assert standing.elsewhere[:2] == (("z", 2), ("r00", 1))
    assert len(standing.elsewhere) == MOST_REPOS


def test_describes_a_source_by_its_status_and_by_what_is_served(edition: Edition) -> None:
    told = edition.described("second", Status(state="fresh", capability_count=2))

    assert (told["state"], told["capability_count"], told["served_count"]) == ("fresh", 2, 1)
    assert told["served_elsewhere"] == [{"repo": "first", "count": 1}]


OTHERS = [{"repo": "x", "identical": True}, {"repo": "y", "identical": False}]
CONFLICT = {"id": "a.b", "repo": "first", "others": OTHERS}


def composition(*required: str, conflicts: bool = False) -> Composition:
    return Composition(list(required), [], [], [CONFLICT] if conflicts else [])


def test_a_trouble_keeps_its_date_while_it_lasts() -> None:
    first = dated(composition("one"), {}, "T1")

    second = dated(composition("one", "two", conflicts=True), first, "T2")
    third = dated(composition("two"), second, "T3")

    assert second == {
        missing("one"): "T1",
        missing("two"): "T2",
        disputed("a.b", "first", "x"): "T2",
        disputed("a.b", "first", "y"): "T2",
    }
    assert third == {missing("two"): "T2"}
    assert dated(composition("one"), third, "T4") == {missing("one"): "T4"}
