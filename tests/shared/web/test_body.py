from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.problems import BodyTooLarge, MalformedBody, Overloaded, UnsupportedMediaType
from shared.web.body import JSON, MERGE_PATCH, leave_body, read_bytes, read_json
from shared.web.places import Admission, BodyRoom, admission_of
from tests.shared.asking import asking

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Message

TYPE = ("content-type", JSON)

MAX_BYTES = 65536


def text_of(size: int) -> bytes:
    """Return JSON of so many bytes."""
    return b'"' + b"x" * (size - 2) + b'"'


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param("application/json", id="plain"),
        pytest.param("Application/JSON", id="upper case"),
        pytest.param("application/json; charset=utf-8", id="a charset"),
        pytest.param('application/json;charset="UTF-8"', id="a quoted charset"),
        pytest.param("application/json ;", id="an empty parameter"),
        pytest.param("application/json; charset=utf-8;", id="an empty parameter behind the charset"),
        pytest.param("application/json; odata=verbose", id="a parameter that means nothing"),
        pytest.param("application/json;charset=utf-8;v=1", id="a parameter behind the charset"),
        pytest.param('application/json;x="; charset=latin-1";CHARSET = US-ASCII', id="a charset in quotes"),
        pytest.param("application/json; charset=", id="an empty charset"),
    ],
)
async def test_reads_json(sent: str) -> None:
    request = asking(("content-type", sent), chunks=[b'{"a": ', "[1, null, 'ü']}".replace("'", '"').encode()])

    assert await read_json(request) == {"a": [1, None, "ü"]}


@pytest.mark.parametrize("sent", [JSON, MERGE_PATCH])
async def test_reads_the_types_that_an_endpoint_names(sent: str) -> None:
    assert await read_json(asking(("content-type", sent), chunks=[b"{}"]), (MERGE_PATCH, JSON)) == {}


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([], id="no type"),
        pytest.param([("content-type", "")], id="an empty type"),
        pytest.param([("content-type", "text/json")], id="another type"),
        pytest.param([("content-type", "application/merge-patch+json")], id="a type of another endpoint"),
        pytest.param([("content-type", "application/x-www-form-urlencoded")], id="a form"),
        pytest.param([("content-type", "application/json; charset=latin-1")], id="another charset"),
        pytest.param([("content-type", "application/json; v=1; charset=utf-16")], id="another charset at the end"),
        pytest.param([("content-type", "application/json; charset=utf-8; charset=utf-16")], id="two charsets"),
        pytest.param([("content-type", "application/json, text/plain")], id="two types"),
        pytest.param([TYPE, ("content-encoding", "gzip")], id="a content coding"),
        pytest.param([TYPE, ("content-encoding", "identity, gzip")], id="two content codings"),
    ],
)
async def test_refuses_other_types_and_codings(headers: list[tuple[str, str]]) -> None:
    with pytest.raises(UnsupportedMediaType):
        await read_json(asking(*headers, chunks=[b"{}"]))


async def test_a_refused_type_names_the_right_ones() -> None:
    with pytest.raises(UnsupportedMediaType, match=r"application/merge-patch\+json or application/json"):
        await read_json(asking(chunks=[b"{}"]), (MERGE_PATCH, JSON))


@pytest.mark.parametrize("sent", ["", "Identity", " identity , ", ",", "identity, identity"])
async def test_the_identity_is_no_coding(sent: str) -> None:
    assert await read_json(asking(TYPE, ("content-encoding", sent), chunks=[b"7"])) == 7


async def test_every_line_of_a_list_counts() -> None:
    with pytest.raises(UnsupportedMediaType, match="without Content-Encoding"):
        await read_json(asking(TYPE, ("content-encoding", "identity"), ("content-encoding", "gzip"), chunks=[b"7"]))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"", r"not JSON: Expecting value \(line 1, column 1\)\.$", id="nothing"),
        pytest.param(b'{\n"a"', r"not JSON: .* \(line 2, column 4\)\.$", id="cut off"),
        pytest.param(b'{"a": 1, "a": 1}', r"twice in one object\.$", id="a repeated key"),
        pytest.param(b"\xff", r"not UTF-8 at byte 0\.$", id="no UTF-8"),
    ],
)
async def test_refuses_what_is_no_strict_json(content: bytes, says: str) -> None:
    with pytest.raises(MalformedBody, match=says):
        await read_json(asking(TYPE, chunks=[content]))


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "streamed"])
async def test_reads_64_kib(announced: bool) -> None:
    headers = [("content-length", str(MAX_BYTES))] if announced else []
    chunks = [text_of(MAX_BYTES)[:1000], text_of(MAX_BYTES)[1000:]]

    assert len(await read_json(asking(TYPE, *headers, chunks=chunks))) == MAX_BYTES - 2


@pytest.mark.parametrize("announced", [str(64 * 1024 + 1), "9" * 5000])
async def test_refuses_more_than_64_kib_as_soon_as_it_is_announced(announced: str) -> None:
    request = asking(TYPE, ("content-length", announced), chunks=[b"{}"])

    with pytest.raises(BodyTooLarge, match="65,536 bytes"):
        await read_json(request)

    assert await request.body() == b"{}", "nothing was read"


@pytest.mark.parametrize(
    "announced", ["", "7", "-1", "+70000", "7e9", "\xb2"], ids=["", "a lie", "less", "plus", "float", "no digit"]
)
async def test_stops_reading_after_64_kib_whatever_is_announced(announced: str) -> None:
    left: list[bytes] = []

    def chunks() -> list[bytes]:
        return [text_of(MAX_BYTES), b" ", b" ", *left]

    request = asking(TYPE, ("content-length", announced), chunks=chunks())

    with pytest.raises(BodyTooLarge):
        await read_json(request)

    assert (await request.receive())["body"] == b" ", "the rest was not read"


async def test_reads_bytes_within_the_bound_of_an_endpoint() -> None:
    assert await read_bytes(asking(chunks=[b"12", b"345"]), 5) == b"12345"
    with pytest.raises(BodyTooLarge, match="at most 4 bytes"):
        await read_bytes(asking(chunks=[b"12", b"345"]), 4)


def within(room: BodyRoom, *headers: tuple[str, str], chunks: list[bytes]) -> Request:
    """Return a request whose places and bytes are those of *room*."""
    request = asking(*headers, chunks=chunks)
    request.scope["admission"] = Admission(request.scope, room, room, lambda: "192.0.2.1")
    return request


async def test_a_place_is_taken_when_the_whole_body_is_there() -> None:
    room = BodyRoom(1, 1000, "the tests")
    seen: list[tuple[int, int]] = []
    request = within(room, chunks=[b"12", b"345", b"6"])
    receive = request._receive

    async def watched() -> Message:
        seen.append((room.bytes.in_use, room.places.in_use))
        return await receive()

    request._receive = watched
    assert await read_bytes(request, 10) == b"123456"

    assert (seen, room.bytes.in_use, room.places.in_use) == ([(0, 0), (2, 0), (5, 0)], 6, 1)


async def test_bytes_are_counted_as_they_come_whatever_is_announced() -> None:
    room = BodyRoom(1, 100, "the tests")
    request = within(room, ("content-length", "2"), chunks=[b"x" * 40, b"x" * 20, b"x"])

    with pytest.raises(Overloaded, match="bytes of bodies from the tests"):
        await read_bytes(request, 1000)

    assert room.bytes.in_use == 40
    assert (await request.receive())["body"] == b"x", "the rest was not read"


async def test_a_body_that_has_arrived_is_not_refused_for_what_others_took_since() -> None:
    room = BodyRoom(9, 100, "the tests")
    request = within(room, chunks=[b"x" * 50, b""])
    receive = request._receive

    async def beside_another() -> Message:
        message = await receive()
        if not message["body"]:
            room.bytes.take("192.0.2.9", 25)
        return message

    request._receive = beside_another

    assert await read_bytes(request, 1000) == b"x" * 50


async def test_a_body_without_room_is_refused_as_soon_as_it_is_announced() -> None:
    room = BodyRoom(1, 100, "the tests")
    request = within(room, ("content-length", "51"), chunks=[b"{}"])

    with pytest.raises(Overloaded):
        await read_bytes(request, 1000)

    assert await request.body() == b"{}", "nothing was read"


def test_an_endpoint_without_a_body_takes_its_place_at_once() -> None:
    request = within(BodyRoom(1, 1, "the tests"), chunks=[])

    leave_body(request)

    with pytest.raises(Overloaded):
        admission_of(request).begin()
