from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from shared.model.author import Author, Grant
from shared.problems import BadQuery, Forbidden, ReadOnly, TooManyRequests, Unauthorized
from shared.settings import Settings
from shared.web.auth import Auth
from shared.web.limits import Limits
from tests.builders import TOKEN, Hands
from tests.shared.asking import asking

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request

GOOD = ("authorization", f"Bearer {TOKEN}")


CI, ANNA, OLD = "a-token-of-the-ci", "a-token-of-an-admin", "a-token-of-yesterday"
FILE = f"""tokens:
- {{name: ci, sha256: {hashlib.sha256(CI.encode()).hexdigest()}, repos: [state-*], domains: [helix_forge]}}
- {{name: anna, sha256: {hashlib.sha256(ANNA.encode()).hexdigest()}, admin: true}}
- name: old
  sha256: {hashlib.sha256(OLD.encode()).hexdigest()}
  repos: ['*']
  expires_at: 2026-11-23T11:01:00+01:00
"""


def auth_of(token: str | None = TOKEN, hands: Hands | None = None, file: Path | None = None) -> Auth:
    """Return what knows *token*, and those of *file*."""
    clock = (hands or Hands()).clock()
    return Auth(token, clock, Limits(Settings(), clock), file)


def bearing(token: str, query: str = "") -> Request:
    """Return a request with a token."""
    return asking(("authorization", f"Bearer {token}"), query=query)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A tokens file."""
    path = tmp_path / "tokens.yaml"
    path.write_text(FILE)
    return path


@pytest.mark.parametrize("sent", [f"Bearer {TOKEN}", f"bearer {TOKEN}", f"BEARER   {TOKEN} "])
def test_knows_the_operator(sent: str) -> None:
    assert auth_of().require_writer(asking(("authorization", sent))) == Author("operator", None)


@pytest.mark.parametrize("headers", [[], [GOOD]], ids=["without a token", "with a token"])
def test_without_a_token_the_hub_is_read_only(headers: list[tuple[str, str]]) -> None:
    with pytest.raises(ReadOnly):
        auth_of(None).require_writer(asking(*headers))


@pytest.mark.parametrize(
    ("headers", "challenge"),
    [
        pytest.param([], 'Bearer realm="reuse-surface"', id="none"),
        pytest.param([("authorization", "")], 'Bearer realm="reuse-surface"', id="an empty header"),
        pytest.param([("authorization", TOKEN)], 'Bearer realm="reuse-surface"', id="a bare token"),
        pytest.param([("authorization", f"Basic {TOKEN}")], 'Bearer realm="reuse-surface"', id="another scheme"),
        pytest.param([GOOD, GOOD], 'Bearer realm="reuse-surface"', id="two headers"),
        pytest.param(
            [("authorization", "Bearer wrong-token-of-enough-length")],
            'Bearer realm="reuse-surface", error="invalid_token"',
            id="a wrong token",
        ),
        pytest.param(
            [("authorization", f"Bearer {TOKEN}x")],
            'Bearer realm="reuse-surface", error="invalid_token"',
            id="a longer token",
        ),
        pytest.param(
            [("authorization", "Bearer \xff")], 'Bearer realm="reuse-surface", error="invalid_token"', id="odd bytes"
        ),
        pytest.param(
            [("authorization", "Bearer ")], 'Bearer realm="reuse-surface", error="invalid_token"', id="no token"
        ),
    ],
)
def test_refuses_everyone_else(headers: list[tuple[str, str]], challenge: str) -> None:
    with pytest.raises(Unauthorized) as raised:
        auth_of().require_writer(asking(*headers))

    assert raised.value.headers == {"WWW-Authenticate": challenge}
    assert "wrong-token" not in raised.value.detail


def test_knows_the_tokens_of_the_file_beside_the_operators(file: Path) -> None:
    auth = auth_of(file=file)

    assert auth.require_writer(bearing(CI)) == Author("ci", None, Grant(("state-*",), ("helix_forge",)))
    assert auth.require_writer(bearing(ANNA)) == Author("anna")
    assert auth.require_writer(bearing(TOKEN)) == Author("operator")
    assert auth_of(None, file=file).require_writer(bearing(CI)).name == "ci"


def test_a_file_that_names_nobody_leaves_the_hub_read_only(file: Path) -> None:
    file.write_text("tokens: []")

    with pytest.raises(ReadOnly):
        auth_of(None, file=file).require_writer(bearing(CI))


def test_a_token_ends_at_its_time(file: Path) -> None:
    hands = Hands()
    auth = auth_of(hands=hands, file=file)
    hands.advance(59)
    assert auth.require_writer(bearing(OLD)).name == "old"

    hands.advance(1)
    with pytest.raises(Unauthorized, match="The token old has expired") as raised:
        auth.require_writer(bearing(OLD))

    assert raised.value.headers == {"WWW-Authenticate": 'Bearer realm="reuse-surface", error="invalid_token"'}


def test_a_token_that_is_taken_from_the_file_is_good_no_longer(file: Path) -> None:
    auth = auth_of(file=file)
    file.write_text("".join(line for line in FILE.splitlines(keepends=True) if "anna" not in line))

    with pytest.raises(Unauthorized):
        auth.require_writer(bearing(ANNA))


def test_only_an_admin_is_an_admin(file: Path) -> None:
    auth = auth_of(file=file)

    assert auth.require_admin(bearing(ANNA)).name == "anna"
    with pytest.raises(Forbidden):
        auth.require_admin(bearing(CI))
    with pytest.raises(Unauthorized):
        auth.require_admin(bearing("another"))


@pytest.mark.parametrize("name", ["access_token", "token", "authorization"])
def test_a_token_in_the_url_is_refused_though_it_is_good(name: str) -> None:
    for request in (asking(query=f"{name}={TOKEN}"), bearing(TOKEN, f"{name}={TOKEN}")):
        with pytest.raises(BadQuery, match="replace this token") as raised:
            auth_of().require_writer(request)
        assert TOKEN not in raised.value.detail


def test_many_wrong_tokens_are_slowed_down_and_right_ones_never_are() -> None:
    auth = auth_of()
    for _ in range(20):
        with pytest.raises(Unauthorized):
            auth.require_writer(bearing("a guess"))

    with pytest.raises(TooManyRequests) as raised:
        auth.require_writer(bearing("a guess"))

    assert raised.value.headers == {"Retry-After": "60"}
    assert auth.require_writer(bearing(TOKEN)).name == "operator"


def test_notes_the_id_of_the_request() -> None:
    request = bearing(TOKEN)
    request.scope["request_id"] = "4711"

    assert auth_of().require_writer(request).request_id == "4711"
