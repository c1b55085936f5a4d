"""How an answer says where it ends: which forms are read, and that no part is ever taken for the whole."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from shared.fetch import FetchBounds, Fetcher, Validators
from shared.fetch.guard import Guard
from shared.problems import SourceProblem, SourceUnreachable
from tests.shared.fetch.hostile import INDEX, Hostile, head, sends

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.usefixtures("real_network")

SIZE = str(len(INDEX))
PACKED = gzip.compress(INDEX, mtime=0)
CHUNKED = head(transfer_encoding="chunked")
TRAILERS = b"".join(b"X-%d: y\r\n" % number for number in range(2000))


@pytest.fixture
async def fetcher(source: Hostile) -> AsyncIterator[Fetcher]:
    """A fetcher that may read from loopback."""
    fetcher = Fetcher(Guard(["127.0.0.0/8"], [source.port]), "hub", FetchBounds(total_seconds=10))
    yield fetcher
    await fetcher.close()


def chunks(size: str, end: bytes = b"0\r\n\r\n") -> bytes:
    """Return an answer of one chunk whose size is written so."""
    return CHUNKED + size.encode() + b"\r\n" + INDEX + b"\r\n" + end


def sized(*sizes: str) -> bytes:
    """Return an answer with these values of Content-Length."""
    return b"HTTP/1.1 200 OK\r\n" + b"".join(f"Content-Length: {one}\r\n".encode() for one in sizes) + b"\r\n" + INDEX


HEX = f"{len(INDEX):x}"
READ = {
    "ended by the connection": head() + INDEX,
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\n" + INDEX,
    "lines that end in LF": head(content_length=SIZE).replace(b"\r\n", b"\n") + INDEX,
    "one length twice": sized(SIZE, SIZE),
    "one length as a list": sized(f"{SIZE}, {SIZE}"),
    "bytes behind the length": sized(SIZE) + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmore",
    "a length beside chunks": head(transfer_encoding="chunked", content_length="3") + chunks(HEX)[len(CHUNKED) :],
    "an extension of a chunk": chunks(f"{HEX};name=value"),
    "a size with zeros": chunks(HEX.zfill(20)),
    "trailers": chunks(HEX, b"0\r\nETag: other\r\n\r\n"),
    "trailers by the thousand": chunks(HEX, b"0\r\n" + TRAILERS + b"\r\n"),
    "bytes behind the last chunk": chunks(HEX) + b"more",
    "interim answers": head("103 Early Hints") * 300 + sized(SIZE),
}
REFUSED = {
    "two lengths": sized(SIZE, "3"),
    "two lengths in a list": sized(f"{SIZE}, 3"),
    "a negative length": sized("-1"),
    "a length with a sign": sized(f"+{SIZE}"),
    "a length that is no number": sized("0x20"),
    "an empty length": sized(""),
    "a length of thousands of digits": sized("9" * 4000),
    "a longer length": sized("9999"),
    "chunks in gzip": head(transfer_encoding="gzip, chunked") + chunks(HEX)[len(CHUNKED) :],
    "a coding that is not known": head(transfer_encoding="xchunked") + chunks(HEX)[len(CHUNKED) :],
    "a size with a sign": chunks(f"+{HEX}"),
    "a negative size": chunks("-1"),
    "a size that overflows": chunks("F" * 30),
    "a larger size": chunks("FFFFFFFF"),
    "a size with a prefix": chunks(f"0x{HEX}"),
    "no last chunk": chunks(HEX, b""),
    "no end after the last chunk": chunks(HEX, b"0\r\n"),
    "chunks that end in LF": CHUNKED + chunks(HEX)[len(CHUNKED) :].replace(b"\r\n", b"\n"),
    "another protocol than was asked for": head("101 Switching Protocols", upgrade="h2c") + INDEX,
    "a field without a colon": b"HTTP/1.1 200 OK\r\nfield\r\n\r\n" + INDEX,
    "no head": INDEX,
    "nothing": b"",
}
CUT = {
    "a length": sized(SIZE),
    "chunks": chunks(HEX),
    "trailers": chunks(HEX, b"0\r\nX: y\r\n\r\n"),
    "a length and gzip": head(content_length=str(len(PACKED)), content_encoding="gzip") + PACKED,
    "gzip alone": head(content_encoding="gzip") + PACKED,
}


@pytest.mark.parametrize("form", READ)
async def test_a_form_that_is_read(fetcher: Fetcher, source: Hostile, form: str) -> None:
    answer = await fetcher.fetch(source.at("/", sends(READ[form], close=True)), Validators())

    assert (answer.body, answer.validators) == (INDEX, Validators())


@pytest.mark.parametrize("form", REFUSED)
async def test_a_form_that_is_refused(fetcher: Fetcher, source: Hostile, form: str) -> None:
    url = source.at("/", sends(REFUSED[form], close=True))

    with pytest.raises(SourceUnreachable):
        await fetcher.fetch(url, Validators())


@pytest.mark.parametrize("form", CUT)
async def test_an_answer_that_is_cut_anywhere_is_no_document(fetcher: Fetcher, source: Hostile, form: str) -> None:
    whole = CUT[form]
    # Behind the head there is nothing of a gzip yet: an answer without a body, which is no index.
    nothing = len(whole) - len(PACKED) if form == "gzip alone" else None
    for length in range(len(whole)):
        url = source.at("/", sends(whole[:length], close=True))
        if length == nothing:
            assert (await fetcher.fetch(url, Validators())).body == b""
            continue
        with pytest.raises(SourceProblem):
            await fetcher.fetch(url, Validators())

    assert (await fetcher.fetch(source.at("/", sends(whole, close=True)), Validators())).body == INDEX
