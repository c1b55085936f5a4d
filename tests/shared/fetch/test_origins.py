"""Origins that answer anything: whatever is sent and however it is cut, it is a document, or that source's problem."""

from __future__ import annotations

import asyncio
import gzip
import random
from typing import TYPE_CHECKING

import pytest

from shared.fetch import FetchBounds, Fetched, Fetcher, Validators
from shared.fetch.guard import Guard
from shared.problems import SourceProblem
from tests.shared.fetch.hostile import INDEX, Hostile, answer, head, sends

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("real_network")

FOREIGN = answer(body=b"version: 1\ncapabilities:\n- {id: foreign, name: F}\n", ETag='"foreign"')
STATUSES = ["200 OK", "200", "304 Not Modified", "204 No Content", "302 Found", "101 Switching Protocols", "999 X"]
CODINGS = ["", "gzip", "identity, gzip", "utf-8", ",", "br"]
BEFORE = [b"", head("103 Early Hints", Link="<a>"), head("100 Continue") * 3, b"\r\n"]
BEHIND = [b"", FOREIGN, b"junk", head("103 Early Hints") + FOREIGN, bytes(99)]
LENGTHS = ["3", "99999999999", "9" * 5000, "-1", "+5", "5, 5", "5, 6", "0x5", ""]
EXTENSIONS = [b"", b";a=b", b';a="b c"', b";" + b"e" * 3000]
TRAILERS = [b"", b"X: y\r\n", b"Content-Length: 5\r\n", b"no trailer\r\n", b"T: " + b"z" * 5000 + b"\r\n"]


def chunked(chance: random.Random, body: bytes) -> bytes:
    """Return *body* in chunks of all sizes, with extensions and trailers."""
    out = bytearray()
    while body:
        chunk, body = body[: (size := chance.choice([1, 3, 20, 100]))], body[size:]
        out += b"%x%b\r\n%b\r\n" % (len(chunk), chance.choice(EXTENSIONS), chunk)
    return bytes(out) + b"0\r\n" + chance.choice(TRAILERS) + b"\r\n"


def answers(chance: random.Random) -> Iterator[bytes]:
    """Yield answers that are right, nearly right, and damaged."""
    while True:
        coding = chance.choice(CODINGS)
        body = gzip.compress(INDEX, mtime=0) + bytes(chance.choice([0, 1, 512])) if "gzip" in coding else INDEX
        status = chance.choice(STATUSES)
        framed = [
            head(status, Content_Encoding=coding, Location="/good") + body,
            head(status, Content_Encoding=coding, Content_Length=str(len(body))) + body,
            head(status, Content_Encoding=coding, Content_Length=chance.choice(LENGTHS)) + body,
            head(status, Content_Encoding=coding, Transfer_Encoding="chunked") + chunked(chance, body),
            head(status, Transfer_Encoding="chunked", Content_Length="3") + chunked(chance, body),
        ]
        whole = bytearray(chance.choice(BEFORE) + chance.choice(framed) + chance.choice(BEHIND))
        if chance.random() < 0.2:
            whole[chance.randrange(len(whole))] = chance.randrange(256)
        yield bytes(whole[: chance.choice([len(whole), len(whole), chance.randrange(len(whole))])])


def cut(chance: random.Random, whole: bytes) -> list[bytes]:
    """Return *whole* in up to six pieces."""
    places = sorted(chance.randrange(len(whole) + 1) for _ in range(chance.randrange(6)))
    return [whole[start:end] for start, end in zip([0, *places], [*places, len(whole)], strict=True)]


async def outcome(fetcher: Fetcher, url: str) -> Fetched | SourceProblem:
    """Return what fetching *url* comes to; anything but a SourceProblem is raised."""
    try:
        return await fetcher.fetch(url, Validators('"1"'))
    except SourceProblem as problem:
        return problem


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_an_origin_sends_its_other_sources_are_read(source: Hostile, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret, the same in every run
    fetcher = Fetcher(Guard(["127.0.0.0/8"]), "tests", FetchBounds(total_seconds=5))
    good = source.at("/good", answer(body=INDEX, ETag='"good"'))
    bad = [
        source.at(f"/{number}", sends(*cut(chance, whole), close=True))
        for number, whole in zip(range(60), answers(chance), strict=False)
    ]

    outcomes = await asyncio.gather(*(outcome(fetcher, url) for one in bad for url in (one, good)))

    await fetcher.close()
    assert set(outcomes[1::2]) == {Fetched(200, INDEX, Validators('"good"'))}
    details = [one.detail for one in outcomes[::2] if isinstance(one, SourceProblem)]
    assert [detail for detail in details if "could not be read" in detail] == []
    assert not [one for one in outcomes if isinstance(one, Fetched) and one.validators.etag == '"foreign"']
