"""The largest heads and bodies that the hub takes, made to be slow to read: none holds the event loop for 20 ms.

What is counted is the time that this thread has the processor, in rounds of a loop that is timed right beside it:
neither other processes, nor the hub's own threads, nor the machine's speed count. 700,000 rounds take 20 ms on the
machine that the figures of docs/Performance.md come from.
"""

from __future__ import annotations

import base64
import contextlib
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from router import ENDPOINTS, application
from shared.hub import open_hub
from shared.problems import Problem
from shared.server import heads
from shared.settings import Settings
from tests.builders import PLACES, TOKEN, Hands

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
    from pathlib import Path

    from starlette.applications import Starlette

HEAD, BODY = 32_000, 65_000
ROUNDS = 700_000
ATTEMPTS = 3
READS = [path.format_map(PLACES) for method, path, *_ in ENDPOINTS if method == "GET"]


def filled(piece: str, most: int = HEAD) -> str:
    return piece * (most // len(piece))


TAGS = {"tags": filled('"",'), "tags without an end": filled('"a '), "weak ones": filled('W/"a",')}
HOSTS = {"colons": b"[" + b":" * HEAD, "letters": b"a" * HEAD + b"\0", "ports": b"a:" * 16_000, "codes": b"%" * HEAD}
TARGETS = {
    "a long host": b"http://" + b"a" * HEAD,
    "ports": b"http://" + b"a:" * 16_000,
    "half an address": b"http://[" + b":" * HEAD,
    "names before the host": b"http://" + b"a@" * 16_000,
    "a long query": b"HTTP://a" + b"?" * HEAD,
    "no path": b"x" * HEAD,
    "fragments": b"#" * HEAD,
}
QUERIES = {
    "many parameters": filled("a&"),
    "many values": filled("q=1&"),
    "one long value": "q=" + filled("a"),
    "percent signs": "q=" + filled("%C3%A9"),
    "many filters": "filter=" + filled("+AND+", 10_000) + filled("'", 21_000),
    "many conditions": "filter=" + filled("createdAfter>'2026-01-31'+AND+"),
    "a filter of blanks": "filter=" + "type" + filled("+"),
    "a long cursor": "cursor=" + filled("QUFB"),
    "a long page token": "pageToken=" + filled("QUFB"),
    "many fields": "fields=" + filled("a,"),
    "a text of ligatures": "q=" + quote("\ufdfa" * 200),
    "what can not be seen": "q=" + quote("\u200b" * 200),
    "marks out of order": "q=" + quote("a" + "\u0301\u0316" * 90),
    "many marks out of order": "q=" + filled(quote("\u0301\u0316")),
    "ten thousand names": "&".join(f"{number:x}" for number in range(6_000)),
    "a hundred long names": "&".join("%41" * 100 for _ in range(99)),
    "codes that are none": filled("%4"),
    "codes that are no text": "q=" + filled("%ff"),
    "nothing but separators": filled("="),
    "semicolons": filled("q=1;"),
    "a long name of a repo": "repo=" + filled("a-") + "A",
    "a long number": "limit=" + filled("9"),
    "a number of zeros": "since=" + filled("0") + "1",
    "a long level": "min_availability=A" + filled("4"),
    "a cursor of changes": "since=0&cursor=" + base64.urlsafe_b64encode(b"1 2 " + b"a" * 20_000 + b" ").decode(),
    "a cursor of digits": "since=0&cursor=" + base64.urlsafe_b64encode(b"1" * 20_000).decode(),
    "an address of points": "url=" + filled("https://a.") + "&repo=a&domain=b",
    "an address of other letters": "url=https://" + quote("\u00e0" * 4_000) + "/&repo=a",
    "an address of numbers": "url=https://" + filled("1.", 4_000) + "/&repo=a",
    "an encoded address": "url=https://xn--" + filled("9a", 4_000) + "/&repo=a",
    "an address in brackets": "url=https://[" + filled("::1", 4_000) + "]/&repo=a",
    "a path of points": "url=https://a.example/" + filled("../", 4_000) + "&repo=a",
}
HEADERS = {
    "choices": ("accept", filled("a/b;q=0.5,")),
    "parameters of a choice": ("accept", "a/b" + filled(";x=y")),
    "weights with a comma": ("accept", filled(";q=0,5")),
    "quotes": ("accept", filled('"\\"') + ",a/b"),
    "blanks": ("accept", "a/b;" + filled(" ") + "q=0"),
    "codings": ("accept-encoding", filled("a,")),
    "tags": ("if-none-match", filled('"",')),
    "tags without an end": ("if-none-match", filled('"a ')),
    "hops": ("x-forwarded-for", filled("::1,")),
    "odd hops": ("x-forwarded-for", filled(":")),
    "cookies": ("cookie", filled("a=b;")),
    "an id": ("x-request-id", filled("x")),
    "a token": ("authorization", "Bearer " + filled("x")),
    "types": ("content-type", filled('a;"";')),
    "a length": ("content-length", filled("9")),
    "ranges": ("range", "bytes=" + filled("0-1,")),
    "proxies": ("forwarded", filled('for="[::1]";by=x,')),
    "expectations": ("expect", filled("100-continue,")),
    "stars": ("accept", filled("*/*;q=")),
    "weights of many digits": ("accept", "a/b;q=0." + filled("9") + ",c/d;q=" + filled("1e")),
    "names of choices": ("accept", filled("a/")),
    "codings with weights": ("accept-encoding", filled("gzip;q=0.1,")),
    "dates": ("if-modified-since", filled("Mon, ")),
    "tags of other bytes": ("if-none-match", filled('W/"\u00ff\\",')),
    "a range in a tag": ("if-range", filled('"\\"')),
    "hosts of proxies": ("x-forwarded-host", filled("a.")),
    "mapped hops": ("x-forwarded-for", filled("::ffff:1.2.3.4,")),
    "zones of hops": ("x-forwarded-for", "fe80::1%" + filled("a")),
    "numbers of hops": ("x-forwarded-for", filled("1.")),
    "types with quotes": ("content-type", "application/json;charset=" + filled('"\\"')),
    "parts of a form": ("content-type", "multipart/form-data; boundary=" + filled("-")),
    "bodies in codings": ("content-encoding", filled("gzip,")),
    "methods": ("access-control-request-method", filled("GET,")),
    "other letters of an id": ("x-request-id", filled("\u00e9")),
}
JSON = {
    "numbers": "[" + filled("1,", BODY) + "1]",
    "texts": "[" + filled('"",', BODY) + "1]",
    "objects": "[" + filled("{},", BODY) + "1]",
    "keys": "{" + ",".join(f'"k{number}":1' for number in range(6000)) + "}",
    "escapes": '"' + filled("\\u0041", BODY) + '"',
    "no number before a text without an end": '[NaN,"' + filled('\\"', BODY),
    "no number behind texts": "[" + filled('"",', BODY) + "NaN]",
    "what is hidden": '"' + filled("\\\\", BODY) + '\\u202e"',
    "depth": filled("[", BODY),
    "depth of objects": filled('{"a":', BODY),
    "depth that ends": filled("[", 30_000) + filled("]", 30_000),
    "a whole number of many digits": "[" + filled("9", BODY) + "]",
    "many whole numbers": "[" + filled("9999999999999999,", BODY) + "1]",
    "a number of many digits": "[1." + filled("9", BODY) + "]",
    "many numbers of many digits": "[" + filled("0." + "1" * 800 + ",", BODY) + "1]",
    "large exponents": "[" + filled("1e308,", BODY) + "1e999]",
    "an exponent of many digits": "[1e" + filled("9", BODY) + "]",
    "blanks": filled(" ", BODY) + "[]",
    "the same key": "{" + filled('"a":1,', BODY) + '"a":1}',
    "long keys": "{" + ",".join(f'"{number}{"k" * 3000}":1' for number in range(20)) + "}",
    "halves of characters": '"' + filled("\\ud800", BODY) + '"',
    "an escape without an end": '"' + filled("\\", BODY - 1),
    "what is hidden behind others": '["' + filled("\\u202", BODY) + '","\\u202e"]',
    "what hides, three times": '"' + filled("\u200b\u200bx", BODY // 3) + '\u200b\u200b\u200b"',
    "no UTF-8": filled("\udcff", BODY),
    "marks out of order": json.dumps({"query": {"text": "a" + "\u0301\u0316" * 999}}, ensure_ascii=False),
    "many marks out of order": json.dumps(
        {"repo": "a", "domain": "b", "url": "https://a.example/", "description": "\u0301\u0316" * 15_000},
        ensure_ascii=False,
    ),
    "a host of other letters": json.dumps(
        {"repo": "a", "domain": "b", "url": "https://" + "\u00e0" * 30_000 + "/"}, ensure_ascii=False
    ),
    "an encoded host": json.dumps({"repo": "a", "domain": "b", "url": "https://xn--" + filled("9a", 60_000) + "/"}),
    "a host of encoded names": json.dumps({"repo": "a", "domain": "b", "url": "https://" + filled("xn--9a.", 60_000)}),
    "a path of points": json.dumps({"repo": "a", "domain": "b", "url": "https://a.example/" + filled("../", 60_000)}),
    "codes in a path": json.dumps({"repo": "a", "domain": "b", "url": "https://a.example/" + filled("%2e", 60_000)}),
    "half a host": json.dumps({"repo": "a", "domain": "b", "url": "https://[" + filled(":", 60_000)}),
    "names before a host": json.dumps({"repo": "a", "domain": "b", "url": "https://" + filled("a@", 60_000)}),
    "a long digest": json.dumps({"digest": "sha256:" + filled("0", 60_000)}),
    "a long page token": json.dumps({"query": {"text": "a"}, "pageToken": filled("QUFB", 60_000)}),
    "many filters": json.dumps({"query": {"text": "a", "filter": {f"k{number}": 1 for number in range(5_000)}}}),
    "a large filter": json.dumps({"query": {"text": "a", "filter": {"tags": [10**300] * 100}}}),
    "words": json.dumps({"query": {"text": "\ufdfa" * 2000}}, ensure_ascii=False),
    "values": json.dumps({"query": {"text": "a", "filter": {"tags": ["x" * 600] * 100}}}),
    "facets": json.dumps({"resultType": {"facets": [{"field": "tags"}] * 900}}),
    "a long URL": json.dumps({"repo": "a", "domain": "b", "url": "https://" + filled("a.", 60_000) + "/x"}),
    "a long name": json.dumps(
        {"repo": filled("a-", 60_000), "domain": filled("a.", 4000), "url": "https://a.example/"}
    ),
}
BODIES = [(method, path.format_map(PLACES)) for method, path, *_ in ENDPOINTS if method in {"POST", "PUT", "PATCH"}]


def counted() -> float:
    """Return the seconds of this thread that the rounds take now."""
    started, total = time.thread_time(), 0
    for number in range(ROUNDS):
        total += number
    return time.thread_time() - started


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[Starlette]:
    trusted = ("::1/128", *(f"10.{number}.0.0/16" for number in range(20)))
    limits = {"wrong_tokens_per_minute": 10**6, "validations_per_minute": 10**6}
    settings = Settings(data_dir=tmp_path, public_url="http://hub", token=TOKEN, trusted_proxies=trusted, **limits)  # type: ignore[arg-type]
    hub = open_hub(settings, Hands().clock())
    async with hub.running():
        yield application(hub, ENDPOINTS)


async def seconds(app: Starlette, scope: dict[str, Any], body: bytes = b"") -> float:
    """Return the seconds of the loop's thread that one request takes."""
    started = time.thread_time()
    await answered(app, {**scope}, body)
    return time.thread_time() - started


def time_of(call: Callable[[], object]) -> float:
    """Return the seconds of this thread that *call* takes, the least of some, whether the request is refused or not."""
    took = []
    for _ in range(ATTEMPTS):
        started = time.thread_time()
        with contextlib.suppress(Problem):
            call()
        took.append(time.thread_time() - started)
    return min(took)


async def answered(app: Starlette, scope: dict[str, Any], body: bytes) -> None:
    messages: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    def send(message: MutableMapping[str, Any]) -> Awaitable[None]:
        messages.append(message)
        return _nothing()

    await app(scope, receive, send)
    assert messages[0]["status"] != 500


async def _nothing() -> None:
    return None


def asked(method: str, path: str, query: str = "", *headers: tuple[str, str]) -> dict[str, Any]:
    return {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers],
        "client": ("::1", 50000), "server": ("hub", 80), "scheme": "http", "http_version": "1.1", "root_path": "",
    }  # fmt: skip


async def exceeding(app: Starlette, requests: list[tuple[dict[str, Any], bytes]]) -> list[str]:
    """Return those of *requests* that take longer than the rounds, each time that they are tried."""
    bound, found = counted(), []
    for scope, body in requests:
        for _ in range(ATTEMPTS):
            took = await seconds(app, scope, body)
            if took < bound:
                break
            bound = counted()
        else:
            found.append(f"{scope['method']} {scope['path'][:60]}: {20 * took / bound:.0f} ms")
    return found


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
async def test_no_query_holds_the_loop(app: Starlette, query: str) -> None:
    assert await exceeding(app, [(asked("GET", path, query), b"") for path in READS]) == []


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
async def test_no_header_holds_the_loop(app: Starlette, header: tuple[str, str]) -> None:
    requests = [(asked("GET", path, "", header), b"") for path in READS]
    requests += [(asked(*row, "", header), b"{}") for row in BODIES]

    assert await exceeding(app, requests) == []


@pytest.mark.parametrize("tags", TAGS.values(), ids=TAGS)
async def test_no_precondition_holds_the_loop(app: Starlette, tags: str) -> None:
    sent = ("authorization", f"Bearer {TOKEN}"), ("if-match", tags), ("content-type", "application/merge-patch+json")
    whole = json.dumps({"repo": "state-hub", "domain": "d", "url": "https://a.example/x", "enabled": False}).encode()
    place = "/v1/repos/state-hub"
    await answered(app, asked("PUT", place, "", sent[0], ("content-type", "application/json")), whole)

    requests = [(asked(method, place, "", *sent), b"{}") for method in ("PATCH", "DELETE")]
    assert await exceeding(app, requests) == []


@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
def test_no_host_holds_the_loop(host: bytes) -> None:
    assert time_of(lambda: heads.check(b"GET", "1.1", [(b"host", host)])) < counted()


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_no_target_holds_the_loop(target: bytes) -> None:
    assert time_of(lambda: heads.routed(b"GET", target)) < counted()


@pytest.mark.parametrize("piece", ["a", "/", "%", "\u00e9", "a/", "../", ":"])
async def test_no_path_holds_the_loop(app: Starlette, piece: str) -> None:
    begun = ["/v1/repos/", "/v1/capabilities/", "/ard/agents/urn:air:", "/ard/catalogs/", "/problems/", "/sources/"]

    assert await exceeding(app, [(asked("GET", path + filled(piece)), b"") for path in begun]) == []


@pytest.mark.parametrize("body", JSON.values(), ids=JSON)
async def test_no_body_holds_the_loop(app: Starlette, body: str) -> None:
    headers = [("content-type", "application/json"), ("authorization", f"Bearer {TOKEN}")]
    content = body.encode("utf-8", "surrogateescape")

    assert await exceeding(app, [(asked(*row, "", *headers), content) for row in BODIES]) == []
