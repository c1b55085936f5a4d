from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from shared.model.author import Author, Grant
from shared.model.registration import Registration, RegistrationFields
from shared.model.rules import Note, RegistrationBounds
from shared.problems import RegistrationsFull, RepoNotFound, UrlRegistered
from shared.storage.ledger import Ledger
from tests.builders import registration, url_of

if TYPE_CHECKING:
    from collections.abc import Callable

ANNA = Author("anna")
WANTED = RegistrationFields(**registration())
ROW = Registration(
    **registration(), registered_at="t0", updated_at="t0", registered_by="anna", revision=4
)


def wanting(wanted: RegistrationFields | None) -> Callable[[Registration | None], RegistrationFields | None]:
    """Return the edit that wants this, whatever is there."""
    return lambda _: wanted


def told(ledger: Ledger) -> tuple[object, ...]:
    """Return what a ledger knows."""
    return dict(ledger.rows), ledger.retired


def test_deciding_keeps_nothing() -> None:
    ledger = Ledger([ROW], 7)
    before = told(ledger)

    for wanted in (None, replace(WANTED, required=True)):
        line = ledger.decide("state-hub", wanting(wanted), ANNA, "t1").line
        assert line is not None
        assert line.revision == 5

    assert told(ledger) == before


def test_what_was_decided_is_kept_when_it_is_applied() -> None:
    ledger = Ledger([ROW], 7)

    ledger.apply(ledger.decide("state-hub", wanting(None), ANNA, "t1"))
    assert told(ledger) == ({}, 7)

    ledger.apply(ledger.decide("gone", wanting(replace(WANTED, repo="gone")), ANNA, "t1"))
    assert (list(ledger.rows), ledger.retired) == (["gone"], 7)


def test_a_copy_goes_its_own_way() -> None:
    ledger = Ledger([ROW])
    twin = ledger.copy()

    twin.apply(twin.decide("state-hub", wanting(None), ANNA, "t1"))

    assert (told(ledger), told(twin)) == (({"state-hub": ROW}, 0), ({}, 5))
    with pytest.raises(UrlRegistered):
        ledger.decide("b", wanting(replace(WANTED, repo="b")), ANNA, "t1")
    assert twin.decide("b", wanting(replace(WANTED, repo="b")), ANNA, "t1").after is not None


def test_knows_a_revision_that_no_earlier_life_of_a_name_passed() -> None:
    ledger = Ledger([ROW], 7)

    assert [ledger.last_revision(repo) for repo in ("state-hub", "gone", "never")] == [4, 7, 7]


def test_knows_what_is_registered_only() -> None:
    ledger = Ledger([ROW], 7)

    assert ledger.get("state-hub") == ROW
    with pytest.raises(RepoNotFound, match="gone is not registered"):
        ledger.get("gone")


def test_deregistering_frees_the_url_only_of_that_repo() -> None:
    other = replace(ROW, repo="other", url=url_of("other"))
    ledger = Ledger([ROW, other])
    ledger.apply(ledger.decide("state-hub", wanting(None), ANNA, "t1"))

    assert ledger.decide("new", wanting(replace(WANTED, repo="new")), ANNA, "t1").after is not None
    with pytest.raises(UrlRegistered, match="other is registered"):
        ledger.decide("new", wanting(replace(WANTED, repo="new", url=other.url)), ANNA, "t1")


def test_of_two_that_have_one_url_by_now_each_can_be_deregistered() -> None:
    ledger = Ledger([ROW, replace(ROW, repo="other", url=ROW.url.replace("https://git", "https://GIT"))])
    author = Author("operator")

    for repo in ("state-hub", "other"):
        ledger.apply(ledger.decide(repo, lambda _: None, author, "t1"))

    assert ledger.rows == {}
    assert ledger.decide("new", lambda _: replace(WANTED, repo="new"), author, "t2").after is not None


def test_a_decision_that_changes_no_registration_leaves_everything_as_it_is() -> None:
    ledger = Ledger([ROW], 7)
    before, rows = told(ledger), ledger.all()

    for edit in (wanting(ROW.client_fields()), Note("accept", {}, {})):
        ledger.apply(ledger.decide("state-hub", edit, ANNA, "t1"))

    assert told(ledger) == before
    assert ledger.all() is rows


def test_tells_the_rules_who_holds_a_url_however_it_is_written_and_how_many_there_are() -> None:
    bounds, narrow = RegistrationBounds(in_all=2, per_token=1), Author("ci", grant=Grant(("*",)))
    ledger = Ledger([ROW], 0, bounds)
    same = replace(WANTED, repo="b", url=ROW.url.replace("https://git", "https://GIT"))
    assert isinstance(ledger.refusal(same, ANNA), UrlRegistered)
    assert ledger.refusal(replace(WANTED, repo="b", url=url_of("b")), narrow) is None

    ledger.apply(ledger.decide("b", wanting(replace(WANTED, repo="b", url=url_of("b"))), narrow, "t1"))

    full = ledger.refusal(replace(WANTED, repo="c", url=url_of("c")), narrow)
    assert isinstance(full, RegistrationsFull)
    assert ledger.rows["b"].sequence == ROW.sequence + 1
    ledger.apply(ledger.decide("state-hub", wanting(None), ANNA, "t1"))
    full = ledger.refusal(replace(WANTED, repo="c", url=url_of("c")), narrow)
    assert full is not None
    assert "The token ci has registered 1 repos" in full.detail
