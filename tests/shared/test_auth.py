from __future__ import annotations

import pytest

from shared.auth import Auth
from shared.problems import ReadOnly, Unauthorized
from shared.store import Author
from tests.builders import TOKEN
from tests.shared.asking import asking

GOOD = ("authorization", f"Bearer {TOKEN}")


@pytest.mark.parametrize("sent", [f"Bearer {TOKEN}", f"bearer {TOKEN}", f"BEARER   {TOKEN} "])
def test_knows_the_operator(sent: str) -> None:
    assert Auth(TOKEN).require_writer(asking(("authorization", sent))) == Author("operator", None)


@pytest.mark.parametrize("headers", [[], [GOOD]], ids=["without a token", "with a token"])
def test_without_a_token_the_hub_is_read_only(headers: list[tuple[str, str]]) -> None:
    with pytest.raises(ReadOnly):
        Auth(None).require_writer(asking(*headers))


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
        Auth(TOKEN).require_writer(asking(*headers))

    assert raised.value.headers == {"WWW-Authenticate": challenge}
    assert "wrong-token" not in raised.value.detail


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        pytest.param("4711-ab/c", "4711-ab/c", id="plain"),
        pytest.param("x" * 100, "x" * 100, id="100 characters"),
        pytest.param("x" * 101, None, id="101 characters"),
        pytest.param("two words", None, id="a space"),
        pytest.param("\xe9", None, id="beyond ASCII"),
        pytest.param("", None, id="empty"),
    ],
)
def test_notes_a_sane_request_id(sent: str, kept: str | None) -> None:
    assert Auth(TOKEN).require_writer(asking(GOOD, ("x-request-id", sent))).request_id == kept
