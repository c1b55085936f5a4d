from __future__ import annotations

import pytest

from shared.compose import compose
from shared.federation.document import Press, substance
from shared.federation.edition import Edition
from tests.builders import capability
from tests.shared.sharing import LATER, part

IDS = [capability(number)["id"] for number in range(10)]


@pytest.fixture
def edition() -> Edition:
    parts = [
        part("first", capability(1), capability(3)),
        part("second", capability(1), capability(2), at=LATER),
        part("off", capability(5), state="disabled"),
    ]
    composition = compose(parts)
    return Edition(Press().document(composition, substance(composition), 1, "2026-11-23T10:00:00Z"), composition, parts)


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
