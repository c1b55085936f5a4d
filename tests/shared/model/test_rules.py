"""The rules as tables: what an engine has read, what is wanted, and what comes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from shared.model import rules
from shared.model.author import Author, Grant
from shared.model.registration import Registration, RegistrationFields
from shared.model.rules import Decision, DecisionBasis, Note, RegistrationBounds
from shared.problems import (
    Forbidden,
    PreconditionFailed,
    Problem,
    RegistrationsFull,
    RepoExists,
    RepoNotFound,
    UrlRegistered,
)
from tests.builders import demand, registration, url_of

if TYPE_CHECKING:
    from shared.model.rules import Edit, Precondition

NOW = "2026-11-23T10:00:00.000000Z"
WANTED = RegistrationFields(**registration())
ROW = Registration(
    **registration(), registered_at="t0", updated_at="t0", registered_by="anna", revision=4, sequence=2
)
OTHER = replace(ROW, repo="other", url=url_of("other"), registered_by="bert")
ADMIN = Author("operator", "request-1")
ANNA = Author("anna", grant=Grant())
TEAM = Author("team", grant=Grant(("state-*",), ("helix_*",)))
STRANGER = Author("stranger", grant=Grant(("x-*",)))
BOUNDS = RegistrationBounds(in_all=3, per_token=2)


@pytest.mark.parametrize("author", [ADMIN, TEAM])
def test_what_is_new_is_numbered_and_begins_beyond_every_earlier_life(author: Author) -> None:
    made = rules.decide(DecisionBasis(last_revision=7, sequence=9), WANTED, author, NOW)

    assert made.before is None
    assert made.after == Registration(
        **registration(), registered_at=NOW, updated_at=NOW, registered_by=author.name, revision=8, sequence=10
    )
    assert made.line is not None
    assert (made.line.action, made.line.revision, made.line.by) == ("register", 8, author.name)


@pytest.mark.parametrize("author", [ADMIN, TEAM, ANNA])
@pytest.mark.parametrize("holder", [None, ROW], ids=["a free URL", "its own URL"])
def test_what_says_something_else_keeps_its_birth_and_goes_one_revision_on(
    author: Author, holder: Registration | None
) -> None:
    wanted = replace(WANTED, required=True, domain="helix_2")

    made = rules.decide(DecisionBasis(ROW, 4, holder, in_all=3, of_author=2, bounds=BOUNDS), wanted, author, NOW)

    assert made.before is ROW
    assert made.after == replace(ROW, required=True, domain="helix_2", updated_at=NOW, revision=5)
    assert made.line is not None
    assert (made.line.action, made.line.revision) == ("update", 5)
    assert made.line.after == {"domain": "helix_2", "required": True}


@pytest.mark.parametrize("holder", [ROW, OTHER, None], ids=["its own URL", "a URL that two have", "a URL of nobody"])
def test_what_says_it_already_changes_nothing_at_all(holder: Registration | None) -> None:
    made = rules.decide(DecisionBasis(ROW, 4, holder), ROW.client_fields(), ADMIN, NOW)

    assert made == Decision(ROW, ROW, None)
    assert made.after is ROW


@pytest.mark.parametrize("author", [ADMIN, TEAM, ANNA])
def test_deregistering_takes_a_revision_of_its_own(author: Author) -> None:
    before, after, line = rules.decide(DecisionBasis(ROW, 4), None, author, NOW)

    assert (before, after) == (ROW, None)
    assert line is not None
    assert (line.action, line.revision, line.before, line.after) == ("deregister", 5, WANTED.as_json(), None)


def test_where_there_is_nothing_and_nothing_is_wanted_nothing_changes() -> None:
    assert rules.decide(DecisionBasis(last_revision=7), None, ADMIN, NOW) == Decision(None, None, None)


REFUSED: dict[str, tuple[DecisionBasis, RegistrationFields | None, Author, type[Problem], str]] = {
    "a new name that the patterns do not cover": (DecisionBasis(), WANTED, ANNA, Forbidden, "the repo state-hub"),
    "a new one of a domain that is not theirs": (
        DecisionBasis(), replace(WANTED, domain="railiance"), TEAM, Forbidden, "the domain railiance",
    ),
    "to change what others have": (
        DecisionBasis(ROW, 4), replace(WANTED, required=True), STRANGER, Forbidden, "state-hub",
    ),
    "to say of what others have what it says": (DecisionBasis(ROW, 4), WANTED, STRANGER, Forbidden, "state-hub"),
    "to deregister what others have": (DecisionBasis(ROW, 4), None, STRANGER, Forbidden, "state-hub"),
    "to move a repo into a domain that is not theirs": (
        DecisionBasis(ROW, 4), replace(WANTED, domain="railiance"), TEAM, Forbidden, "the domain railiance",
    ),
    "to take a repo out of a domain that is not theirs": (
        DecisionBasis(replace(ROW, domain="railiance"), 4), WANTED, TEAM, Forbidden, "the domain railiance",
    ),
    "a new one with the URL of another": (
        DecisionBasis(url_holder=OTHER), WANTED, ADMIN, UrlRegistered, "other is registered with this URL, by bert",
    ),
    "the URL of another": (
        DecisionBasis(ROW, 4, OTHER), replace(WANTED, url=OTHER.url), ADMIN, UrlRegistered, "other is registered",
    ),
    "a new one where the hub is full": (
        DecisionBasis(in_all=3, bounds=BOUNDS), WANTED, ADMIN, RegistrationsFull, "takes 3 registrations",
    ),
    "a new one of a token that has as many as it may": (
        DecisionBasis(of_author=2, bounds=BOUNDS), WANTED, TEAM,
        RegistrationsFull, "The token team has registered 2 repos",
    ),
    "the URL before the room": (
        DecisionBasis(url_holder=OTHER, in_all=3, bounds=BOUNDS), WANTED, ADMIN, UrlRegistered, "other is registered",
    ),
    "the right before the URL": (DecisionBasis(url_holder=OTHER), WANTED, STRANGER, Forbidden, "state-hub"),
}  # fmt: skip


@pytest.mark.parametrize(("basis", "wanted", "author", "kind", "says"), REFUSED.values(), ids=REFUSED)
def test_refuses(
    basis: DecisionBasis, wanted: RegistrationFields | None, author: Author, kind: type[Problem], says: str
) -> None:
    with pytest.raises(kind, match=says):
        rules.decide(basis, wanted, author, NOW)


@pytest.mark.parametrize(
    "basis",
    [DecisionBasis(in_all=2, bounds=BOUNDS), DecisionBasis(of_author=9, bounds=BOUNDS)],
    ids=["room", "an admin"],
)
def test_takes_what_is_within_the_bounds(basis: DecisionBasis) -> None:
    assert rules.decide(basis, WANTED, ADMIN, NOW).after is not None
    assert rules.refusal(basis, WANTED, ADMIN) is None


EDITS: dict[str, tuple[Edit, bool, bool]] = {
    # The edit, and whether it is for what is registered and for what is not.
    "add": (rules.to_add(WANTED), False, True),
    "replace": (rules.to_replace(WANTED, None), True, True),
    "update": (rules.to_update("state-hub", Registration.client_fields, None), True, False),
    "remove": (rules.to_remove("state-hub", None), True, False),
    "replace what is as demanded": (rules.to_replace(WANTED, demand(ROW.etag)), True, False),
    "update what is as demanded": (
        rules.to_update("state-hub", Registration.client_fields, demand(ROW.etag)), True, False,
    ),
    "remove what is as demanded": (rules.to_remove("state-hub", demand(ROW.etag)), True, False),
    "replace what is not as demanded": (rules.to_replace(WANTED, demand('"4"')), False, False),
    "update what is not as demanded": (
        rules.to_update("state-hub", Registration.client_fields, demand()), False, False,
    ),
    "remove what is not as demanded": (rules.to_remove("state-hub", demand('"9"')), False, False),
}


@pytest.mark.parametrize(("edit", "registered", "new"), EDITS.values(), ids=EDITS)
def test_each_write_is_for_what_is_registered_or_for_what_is_new(edit: Edit, registered: bool, new: bool) -> None:
    for current, allowed in ((ROW, registered), (None, new)):
        if allowed:
            assert rules.target(current, edit, ADMIN) in {WANTED, None}
        else:
            with pytest.raises((RepoExists, RepoNotFound, PreconditionFailed)):
                rules.target(current, edit, ADMIN)


@pytest.mark.parametrize("edit", [edit for edit, *_ in EDITS.values()], ids=EDITS)
def test_rights_come_before_everything_that_an_edit_says(edit: Edit) -> None:
    with pytest.raises(Forbidden):
        rules.target(ROW, edit, STRANGER)


@pytest.mark.parametrize(
    ("precondition", "current", "says"),
    [
        pytest.param(demand(ROW.etag), ROW, None, id="its tag"),
        pytest.param(demand('"9"', ROW.etag), ROW, None, id="its tag among others"),
        pytest.param(demand("*"), ROW, None, id="any"),
        pytest.param(demand(), ROW, "is at revision 4, with another ETag", id="none"),
        pytest.param(demand('"4"'), ROW, "a revision alone is none", id="its revision"),
        pytest.param(demand(replace(ROW, domain="x").etag), ROW, "at revision 4", id="that of other data"),
        pytest.param(demand('"*"'), ROW, "at revision 4", id="a star in quotes"),
        pytest.param(demand("*"), None, "the repo is not registered", id="any of nothing"),
        pytest.param(demand(ROW.etag), None, "the repo is not registered", id="a tag of nothing"),
    ],
)
def test_a_precondition_holds_of_what_it_names(
    precondition: Precondition, current: Registration | None, says: str | None
) -> None:
    if says is None:
        precondition.must_hold(current)
    else:
        with pytest.raises(PreconditionFailed, match=says):
            precondition.must_hold(current)


@pytest.mark.parametrize(
    ("basis", "author", "kind"),
    [
        pytest.param(DecisionBasis(), ADMIN, type(None), id="nothing in the way"),
        pytest.param(DecisionBasis(ROW, 4, ROW), ADMIN, RepoExists, id="the name is taken"),
        pytest.param(DecisionBasis(url_holder=OTHER), ADMIN, UrlRegistered, id="the URL is taken"),
        pytest.param(DecisionBasis(in_all=3, bounds=BOUNDS), ADMIN, RegistrationsFull, id="no room"),
    ],
)
def test_says_why_something_could_not_be_registered(basis: DecisionBasis, author: Author, kind: type[Any]) -> None:
    assert type(rules.refusal(basis, WANTED, author)) is kind


@pytest.mark.parametrize("basis", [DecisionBasis(), DecisionBasis(ROW, 4, ROW)], ids=["new", "taken"])
def test_to_ask_what_one_may_not_write_is_forbidden(basis: DecisionBasis) -> None:
    with pytest.raises(Forbidden):
        rules.refusal(basis, WANTED, STRANGER)


def test_a_note_is_a_line_at_the_present_revision_for_those_who_may_write() -> None:
    note = Note("accept", {"served": 2}, {"served": 1})

    before, after, line = rules.annotate(ROW, note, TEAM, NOW)

    assert before is after is ROW
    assert line is not None
    assert (line.action, line.revision, line.by, line.before, line.after) == (
        "accept", 4, "team", {"served": 2}, {"served": 1}
    )  # fmt: skip
    with pytest.raises(Forbidden):
        rules.annotate(ROW, note, STRANGER, NOW)
