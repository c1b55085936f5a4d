from __future__ import annotations

import pytest

from shared.model.author import Author, Grant
from shared.model.registration import RegistrationFields
from shared.problems import Forbidden
from tests.builders import registration


def of(repo: str = "state-hub", domain: str = "helix_forge") -> RegistrationFields:
    """Return a registration to write."""
    return RegistrationFields(**registration(repo=repo, domain=domain))


def test_an_admin_may_write_everything() -> None:
    Author("anna").must_own(of(), "someone-else")
    Author("anna").must_be_admin()


@pytest.mark.parametrize(
    ("patterns", "repo"),
    [(("state-hub",), "state-hub"), (("x", "state-*"), "state-hub"), (("*",), "a.b"), (("team-[ab]",), "team-a")],
)
def test_a_token_may_write_what_its_patterns_cover(patterns: tuple[str, ...], repo: str) -> None:
    Author("anna", grant=Grant(patterns)).must_own(of(repo), "someone-else")


@pytest.mark.parametrize("patterns", [(), ("state",), ("STATE-HUB",), ("state-?",), ("*-hub-*",), ("hub",)])
def test_a_token_may_write_nothing_else(patterns: tuple[str, ...]) -> None:
    with pytest.raises(Forbidden, match="does not cover the repo state-hub") as raised:
        Author("anna", grant=Grant(patterns)).must_own(of(), "someone-else")

    challenge = 'Bearer realm="reuse-surface", error="insufficient_scope"'
    assert raised.value.headers == {"WWW-Authenticate": challenge}


def test_what_a_token_registered_stays_its_own() -> None:
    Author("anna", grant=Grant(())).must_own(of(), "anna")


@pytest.mark.parametrize("registered_by", ["anna", None])
def test_a_token_of_some_domains_may_write_those_only(registered_by: str | None) -> None:
    author = Author("anna", grant=Grant(("*",), ("helix_*",)))

    author.must_own(of(), registered_by)
    with pytest.raises(Forbidden, match="repos of the domain railiance"):
        author.must_own(of(domain="railiance"), registered_by)


def test_patterns_make_no_admin() -> None:
    with pytest.raises(Forbidden, match="an admin's token is needed"):
        Author("anna", grant=Grant(("*",))).must_be_admin()
