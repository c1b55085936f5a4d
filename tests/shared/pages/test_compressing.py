from __future__ import annotations

import gzip

import pytest

from shared.pages.compressing import compressed, takes_gzip


@pytest.mark.parametrize(
    ("wish", "taken"),
    [
        ("gzip", True),
        ("gzip, deflate, br", True),
        ("*", True),
        ("br, gzip;q=0.5, identity;q=0.4", True),
        ("", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip;q=0.4, identity", False),
    ],
)
def test_gzip_is_for_those_who_take_it(wish: str, taken: bool) -> None:
    assert takes_gzip(wish) is taken


def test_what_is_long_becomes_short() -> None:
    body, headers = compressed(b"x" * 5000, "gzip")

    assert (gzip.decompress(body), headers) == (b"x" * 5000, {"Content-Encoding": "gzip"})
    assert compressed(b"x" * 5000, "gzip")[0] == body


@pytest.mark.parametrize(("body", "wish"), [(b"x" * 100, "gzip"), (b"x" * 5000, "br")])
def test_what_is_short_or_not_wanted_stays_as_it_is(body: bytes, wish: str) -> None:
    assert compressed(body, wish) == (body, {})
