from __future__ import annotations

import gzip
import tracemalloc
from typing import TYPE_CHECKING

import httpx
import pytest

from shared.fetch.answer import Fetched, read, retry_after
from shared.fetch.lanes import LanePlace, Lanes, Widths
from shared.model.stored_content import Validators
from tests.builders import Hands

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CLOCK = Hands().clock()  # it shows 10:00:00
IN_TWO_HOURS = "Mon, 23 Nov 2026 12:00:00 GMT"
DATE = {"Date": "Mon, 23 Nov 2026 12:00:00 GMT"}


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        pytest.param(429, {"Retry-After": "120"}, 120, id="seconds"),
        pytest.param(429, {"Retry-After": "0" * 20 + "120"}, 120, id="zeros before"),
        pytest.param(429, {"Retry-After": "Mon, 23 Nov 2026 12:02:00 +0200"}, 120, id="a date of another zone"),
        pytest.param(429, {"Retry-After": "Mon, 23 Nov 2026 10:02:00 -0000"}, 120, id="a date of no zone"),
        pytest.param(503, {"Retry-After": " 120 "}, 120, id="503"),
        pytest.param(429, {"Retry-After": "0"}, 30, id="at least 30 s"),
        pytest.param(429, {"Retry-After": "9" * 400}, 3600, id="at most 1 h"),
        pytest.param(429, {"Retry-After": "-5"}, 30, id="a negative number"),
        pytest.param(429, {"Retry-After": "soon"}, 30, id="a word"),
        pytest.param(429, {"Retry-After": "1\u0662"}, 30, id="other digits"),
        pytest.param(429, {"Retry-After": "Mon, 23 Nov 2026 10:02:00 GMT"}, 120, id="a date by our clock"),
        pytest.param(429, {"Retry-After": "Mon, 23 Nov 2026 12:02:00 GMT", **DATE}, 120, id="a date by its clock"),
        pytest.param(429, {"Retry-After": "Mon, 23 Nov 2026 09:00:00 GMT"}, 30, id="a date that has passed"),
        pytest.param(429, {"Retry-After": "Tue, 24 Nov 2026 10:00:00 GMT"}, 3600, id="a date far ahead"),
        pytest.param(429, {"Retry-After": "Mon, 23 Nov 2026 10:02:00 GMT", "Date": "now"}, 30, id="no date beside"),
        pytest.param(429, {"Retry-After": "Mon, 99 Nov 2026 10:02:00 GMT"}, 30, id="no date"),
        pytest.param(429, {"Retry-After": f"Mon, {'9' * 20} Nov 2026 10:02:00 GMT"}, 30, id="an endless day"),
        pytest.param(429, {"Retry-After": f"Mon, 23 Nov {'9' * 20} 10:02:00 GMT"}, 30, id="an endless year"),
        pytest.param(429, {"Retry-After": f"Mon, 23 Nov 2026 10:02:{'9' * 20} GMT"}, 30, id="endless seconds"),
        pytest.param(429, {"Retry-After": f"Mon, 23 Nov 2026 10:02:00 +{'9' * 20}"}, 30, id="an endless zone"),
        pytest.param(429, {"Retry-After": IN_TWO_HOURS, "Date": f"Mon, {'9' * 20} Nov 2026 10:02:00 GMT"}, 30,
                     id="an endless day beside"),
        pytest.param(429, {}, None, id="429 without"),
        pytest.param(500, {"Retry-After": "120"}, None, id="another status"),
        pytest.param(404, {"Retry-After": "120"}, None, id="not found"),
    ],
)
def test_a_source_may_ask_to_be_left_alone(status: int, headers: dict[str, str], seconds: float | None) -> None:
    encoded = {name.encode(): value.encode() for name, value in headers.items()}

    assert retry_after(httpx.Response(status, headers=list(encoded.items())), CLOCK) == seconds


@pytest.mark.parametrize("value", ["", "\u00e9", "a\r\nX-Other: 1", "\0", "a" * 257], ids=repr)
def test_a_validator_that_no_source_sends_is_sent_to_none(value: str) -> None:
    assert Validators(value, "then").conditions() == {"last_modified": "then"}


class Chunks(httpx.AsyncByteStream):
    """A body in chunks of 20 bytes."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(20_000):
            yield bytes(bytearray(20))


async def test_a_body_of_tiny_chunks_takes_little_more_than_its_bytes() -> None:
    response = httpx.Response(200, stream=Chunks(), headers={"Transfer-Encoding": "chunked"})
    tracemalloc.start()
    try:
        place = LanePlace(Lanes(Widths()), reliable=False)
        fetched = await read(response, httpx.URL("https://git.example.org/c.yaml"), Validators(), place)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert isinstance(fetched, Fetched)
    assert fetched.body == bytes(400_000)
    assert peak < 3 * 400_000


class Members(httpx.AsyncByteStream):
    """A gzip of empty members, as much at a time as is read at most, all of which has come."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(60):
            yield gzip.compress(b"") * 3276


async def test_a_gzip_of_many_members_holds_up_nobody(turns: list[None]) -> None:
    response = httpx.Response(200, stream=Members(), headers={"Content-Encoding": "gzip"})
    place = LanePlace(Lanes(Widths()), reliable=False)

    await read(response, httpx.URL("https://git.example.org/c.yaml"), Validators(), place)

    assert len(turns) >= 60
