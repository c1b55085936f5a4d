"""What the specification says under *Rules for every request*, tested over all rows of ENDPOINTS."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from router import ENDPOINTS, application
from shared.web.dialect import ARD
from tests.builders import (
    PLACES,
    TOKEN,
    WRITER,
    ard_error,
    index,
    problem,
    refresh,
    register,
    registration,
    searchable,
    served,
    url_of,
    world,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx
    import respx
    from starlette.types import ASGIApp

    from shared.hub import Hub
    from shared.settings import Settings

ROWS = [(method, path.format_map(PLACES)) for method, path, *_ in ENDPOINTS]
PATHS = {path: {method for method, other in ROWS if other == path} for _, path in ROWS}
NEEDED = {"/v1/federated/changes": "?since=1"}
READS = [path + NEEDED.get(path, "") for method, path in ROWS if method == "GET"]
DIALECTS = {path.format_map(PLACES): dialect for _, path, _, dialect in ENDPOINTS}
VALIDATE = ("POST", "/v1/validate")
WRITES = [row for row in ROWS if row[0] not in DIALECTS[row[1]].reads and row != VALIDATE]
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/v1/repos"): registration(repo="new", url=url_of("new")),
    ("PUT", "/v1/repos/state-hub"): registration(required=True),
    ("PATCH", "/v1/repos/state-hub"): {"required": True},
}

every_write = pytest.mark.parametrize("row", WRITES, ids=" ".join)
every_row_of_v1 = pytest.mark.parametrize("row", [row for row in ROWS if row[1].startswith("/v1")], ids=" ".join)
every_body = pytest.mark.parametrize("row", BODIES, ids=" ".join)
every_read_of_json = pytest.mark.parametrize("path", ["/v1/federated", "/v1/repos", "/v1/capabilities", "/v1/findings"])


@pytest.fixture
async def known(client: httpx.AsyncClient, upstream: respx.MockRouter) -> httpx.AsyncClient:
    """A client of a hub that serves the index of state-hub, and has another content before it."""
    upstream.get(url_of("state-hub")).respond(content=index())
    await register(client)
    await refresh(client)
    upstream.get(url_of("state-hub")).respond(content=index(domain="another"))
    return await searchable(client)


@pytest.fixture
async def prepared(known: httpx.AsyncClient, upstream: respx.MockRouter, row: tuple[str, str]) -> httpx.AsyncClient:
    """The same, where *row* is an acceptance with something to accept."""
    if row[1].endswith("/accept"):
        upstream.get(url_of("state-hub")).respond(content=b'{"version": 1, "capabilities": []}')
        assert (await refresh(known))["outcome"] == "held"
    return known


@pytest.fixture
async def locked(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a hub that has a registration and no token."""
    async with served(settings) as client:
        await register(client)
    async with served(replace(settings, token=None)) as client:
        yield client


async def ask(client: httpx.AsyncClient, row: tuple[str, str], **more: Any) -> httpx.Response:
    body = {"json": BODIES[row]} if row in BODIES else {}
    return await client.request(*row, **{"headers": WRITER, **body, **more})


@pytest.mark.parametrize("path", READS)
async def test_head_answers_as_get_does_but_without_a_body(known: httpx.AsyncClient, path: str) -> None:
    same = {"X-Request-ID": "one", **WRITER}
    whole, head = await known.get(path, headers=same), await known.head(path, headers=same)
    if path == "/metrics":  # counts the request that asks, so its length moves
        head.headers["content-length"] = whole.headers["content-length"]

    assert (head.status_code, head.headers) == (200, whole.headers)
    assert (head.content, len(whole.content) > 0) == (b"", True)


@pytest.mark.parametrize("path", [*READS, "/sources/nobody", "/schemas/nothing", "/v1/repos/nobody", "/nowhere"])
async def test_what_comes_in_several_forms_says_by_what_it_was_chosen(known: httpx.AsyncClient, path: str) -> None:
    for header, values in {
        "Accept": ["application/json", "application/yaml", "text/html"],
        "Accept-Encoding": ["identity", "gzip"],
    }.items():
        answers = [await known.get(path, headers={**WRITER, header: value}) for value in values]
        answers = [answer for answer in answers if answer.status_code != 406]
        forms = {(one.headers["content-type"], one.headers.get("content-encoding")) for one in answers}
        varies = [one for one in answers if header in one.headers.get("vary", "").split(", ")]
        assert len(forms) < 2 or varies == answers, (path, header)


async def test_head_fails_as_get_does(client: httpx.AsyncClient) -> None:
    answer = await client.head("/v1/repos/nobody")

    assert (answer.status_code, answer.content) == (404, b"")


@pytest.mark.parametrize("path", PATHS)
async def test_a_path_with_a_slash_or_a_line_feed_behind_it_is_another_one(known: httpx.AsyncClient, path: str) -> None:
    before = await world(known)

    methods = sorted(PATHS[path] | {"HEAD"})
    targets = [(method, f"http://hub{path}{behind}") for method in methods for behind in ("/", "%0A")]
    answers = [await known.request(*target, headers=WRITER) for target in targets]

    # Behind a name it is part of the name, which is refused as bad or after the lack of a body.
    assert {answer.status_code for answer in answers} <= {400, 404, 415}
    assert await world(known) == before


@pytest.mark.parametrize(("path", "methods"), PATHS.items(), ids=PATHS)
async def test_options_name_the_methods_and_let_other_origins_read(
    client: httpx.AsyncClient, path: str, methods: set[str]
) -> None:
    answer = await client.options(path, headers={"Origin": "https://elsewhere.example"})

    assert (answer.status_code, answer.content) == (204, b"")
    implied = {"OPTIONS", "HEAD"} if "GET" in methods else {"OPTIONS"}
    assert set(answer.headers["allow"].split(", ")) == methods | implied
    assert answer.headers["access-control-allow-origin"] == "*"
    posts = ", POST" if DIALECTS[path] is ARD else ""
    assert answer.headers["access-control-allow-methods"] == f"GET, HEAD{posts}"
    assert answer.headers.get("access-control-allow-headers") == ("Content-Type" if posts else None)


@pytest.mark.parametrize("path", PATHS)
async def test_a_method_that_is_not_offered_is_refused_with_those_that_are(known: httpx.AsyncClient, path: str) -> None:
    before = await world(known)

    answer = await known.request("PURGE", path, headers=WRITER)

    if DIALECTS[path] is ARD:
        ard_error(answer, 405, "NOT_IMPLEMENTED")
    else:
        problem(answer, "method-not-allowed")
    assert answer.headers["allow"] == (await known.options(path)).headers["allow"]
    assert await world(known) == before


@every_row_of_v1
@pytest.mark.parametrize("query", ["colour=red", "colour="])
async def test_a_query_that_is_not_understood_changes_nothing(
    known: httpx.AsyncClient, row: tuple[str, str], query: str
) -> None:
    before = await world(known)

    answer = await ask(known, (row[0], row[1]), params=query)

    problem(answer, "bad-query")
    assert await world(known) == before


@pytest.mark.parametrize(
    "target",
    [
        "/v1/repos?limit=1&limit=1",
        "/v1/federated?format=json&format=json",
        "/v1/federated?strict=false&strict=true",
        "/v1/repos/state-hub/history?limit=1&limit=2",
    ],
)
async def test_a_parameter_that_is_given_twice_is_refused(known: httpx.AsyncClient, target: str) -> None:
    assert "given twice" in problem(await known.get(target), "bad-query")["detail"]


@pytest.mark.parametrize(
    "accept",
    ["text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "application/json;q=.5", "*/*;q=0.8000", "*"],
    ids=["java", "without its zero", "computed", "a lone star"],
)
@every_read_of_json
async def test_weights_that_clients_write_are_no_refusal(known: httpx.AsyncClient, path: str, accept: str) -> None:
    answer = await known.get(path, headers={"Accept": accept, **WRITER})

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")


@every_row_of_v1
async def test_what_can_not_be_accepted_is_not_done(known: httpx.AsyncClient, row: tuple[str, str]) -> None:
    before = await world(known)

    answer = await ask(known, row, headers={**WRITER, "Accept": "image/png, application/json;q=0"})

    problem(answer, "not-acceptable")
    assert await world(known) == before


@every_write
@pytest.mark.parametrize(
    "sent",
    [
        pytest.param([], id="no token"),
        pytest.param([("Authorization", "Bearer another-token-of-some-length")], id="an unknown token"),
        pytest.param([("Authorization", f"Bearer {TOKEN}x")], id="a token that only starts well"),
        pytest.param([("Authorization", "Bearer")], id="no token after the scheme"),
        pytest.param([("Authorization", f"Basic {TOKEN}")], id="another scheme"),
        pytest.param([("Authorization", TOKEN)], id="no scheme"),
        pytest.param([("Authorization", f"Bearer {TOKEN}")] * 2, id="two headers"),
    ],
)
async def test_only_the_token_may_write(
    known: httpx.AsyncClient, row: tuple[str, str], sent: list[tuple[str, str]]
) -> None:
    before = await world(known)

    answer = await ask(known, row, headers=sent)

    problem(answer, "unauthorized")
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert TOKEN not in answer.text
    assert await world(known) == before


@every_write
async def test_a_hub_without_a_token_is_read_only(locked: httpx.AsyncClient, row: tuple[str, str]) -> None:
    before = await world(locked)

    answer = await ask(locked, row)

    problem(answer, "read-only")
    assert await world(locked) == before


@pytest.mark.parametrize("row", [row for row in WRITES if "state-hub" in row[1] and row[0] != "PUT"], ids=" ".join)
async def test_nothing_can_be_done_to_a_repo_that_is_not_registered(
    client: httpx.AsyncClient, row: tuple[str, str]
) -> None:
    before = await world(client)

    problem(await ask(client, row), "repo-not-found")

    assert await world(client) == before


def nested(levels: int) -> bytes:
    return b'{"colour": ' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


BAD_BODIES = [
    pytest.param(b"", id="nothing"),
    pytest.param(b'{"repo": "a"', id="cut off"),
    pytest.param(b"{} {}", id="two documents"),
    pytest.param(b"repo: a", id="not JSON"),
    pytest.param(b"{'repo': 'a'}", id="quotes of another language"),
    pytest.param(b'{"repo": "a", "repo": "b"}', id="a repeated key"),
    pytest.param(b'{"x": {"a": 1, "a": 1}}', id="a repeated key further in"),
    pytest.param(b'{"cache_ttl_seconds": NaN}', id="NaN"),
    pytest.param(b'{"cache_ttl_seconds": -Infinity}', id="an infinity"),
    pytest.param(b'{"description": "\xff"}', id="bytes that are no UTF-8"),
    pytest.param(b'{"description": "\xed\xa0\x80"}', id="a surrogate in UTF-8"),
    pytest.param(b'{"description": "\\ud800"}', id="half a character"),
    pytest.param(json.dumps({"domain": "x"}).encode("utf-16"), id="UTF-16"),
    pytest.param(nested(22), id="too deep"),
    pytest.param(b"[" * 30_000 + b"]" * 30_000, id="far too deep"),
]


@every_body
@pytest.mark.parametrize("content", BAD_BODIES)
async def test_a_body_that_is_not_strict_json_is_refused(
    known: httpx.AsyncClient, row: tuple[str, str], content: bytes
) -> None:
    before = await world(known)

    answer = await known.request(*row, content=content, headers={**WRITER, "Content-Type": "application/json"})

    problem(answer, "malformed-body")
    assert await world(known) == before


@every_body
@pytest.mark.parametrize("content", [b"[]", b"null", b'"text"', b"7"])
async def test_a_body_that_is_no_object_is_no_registration(
    known: httpx.AsyncClient, row: tuple[str, str], content: bytes
) -> None:
    before = await world(known)

    answer = await known.request(*row, content=content, headers={**WRITER, "Content-Type": "application/json"})

    problem(answer, "invalid-registration", "")
    assert await world(known) == before


@every_body
async def test_a_body_may_nest_twenty_levels_before_its_fields_are_looked_at(
    known: httpx.AsyncClient, row: tuple[str, str]
) -> None:
    answer = await known.request(*row, content=nested(20), headers={**WRITER, "Content-Type": "application/json"})

    assert answer.status_code == 422
    assert "/colour" in [error["pointer"] for error in answer.json()["errors"]]


@pytest.mark.parametrize("behind", ["; charset=utf-8;", "; odata=verbose", ";charset=utf-8;v=1", "; x=y"])
@every_body
async def test_parameters_of_a_type_that_mean_nothing_are_ignored(
    known: httpx.AsyncClient, row: tuple[str, str], behind: str
) -> None:
    kind = "application/merge-patch+json" if row[0] == "PATCH" else "application/json"
    headers = {"Content-Type": kind + behind, **WRITER}
    answer = await known.request(*row, content=json.dumps(BODIES[row]), headers=headers)

    assert answer.status_code in {200, 201}, answer.text


@every_body
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="none"),
        pytest.param({"Content-Type": "text/plain"}, id="text"),
        pytest.param({"Content-Type": "application/yaml"}, id="YAML"),
        pytest.param({"Content-Type": "application/x-www-form-urlencoded"}, id="a form"),
        pytest.param({"Content-Type": "application/json; charset=latin-1"}, id="another charset"),
        pytest.param({"Content-Type": "application/json", "Content-Encoding": "gzip"}, id="compressed"),
    ],
)
async def test_a_body_of_another_type_is_refused(
    known: httpx.AsyncClient, row: tuple[str, str], headers: dict[str, str]
) -> None:
    before = await world(known)

    answer = await known.request(*row, content=json.dumps(BODIES[row]), headers={**WRITER, **headers})

    problem(answer, "unsupported-media-type")
    assert await world(known) == before


@every_body
async def test_a_body_may_have_64_kib_and_not_a_byte_more(known: httpx.AsyncClient, row: tuple[str, str]) -> None:
    before = await world(known)
    headers = {**WRITER, "Content-Type": 'Application/JSON; charset="UTF-8"'}
    largest = json.dumps(BODIES[row]).encode().ljust(64 * 1024)

    problem(await known.request(*row, content=largest + b" ", headers=headers), "body-too-large")
    assert await world(known) == before
    assert (await known.request(*row, content=largest, headers=headers)).is_success


@every_body
async def test_a_body_that_does_not_say_how_long_it_is_is_read_no_further_than_64_kib(
    known: httpx.AsyncClient, row: tuple[str, str]
) -> None:
    before, sent = await world(known), 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for sent in range(1, 101):  # noqa: B007 - counts what was taken
            yield b" " * 1024

    answer = await known.request(*row, content=endless(), headers={**WRITER, "Content-Type": "application/json"})

    problem(answer, "body-too-large")
    assert sent == 65
    assert await world(known) == before


@every_write
@pytest.mark.parametrize(("fault", "status"), [(errno.ENOSPC, 507), (errno.EIO, 503)], ids=["full", "broken"])
async def test_what_the_volume_does_not_take_is_not_done(
    prepared: httpx.AsyncClient, row: tuple[str, str], fault: int, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_handle: int) -> NoReturn:
        raise OSError(fault, os.strerror(fault))

    before = await world(prepared)
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", refuse)
        answer = await ask(prepared, row, params="force=true" if "compose" in row[1] else "")

    assert (problem(answer, "storage-unavailable")["status"], answer.status_code) == (status, status)
    assert await world(prepared) == before
    assert (await ask(prepared, row)).is_success


@pytest.mark.parametrize("path", READS)
async def test_anyone_may_read_from_anywhere(known: httpx.AsyncClient, path: str) -> None:
    headers = (await known.get(path)).headers

    assert headers["access-control-allow-origin"] == "*"
    exposed = "ETag, Link, Retry-After, Reuse-Surface-Serial, Reuse-Surface-Complete"
    assert headers["access-control-expose-headers"] == exposed
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["referrer-policy"] == "no-referrer"
    assert "server" not in headers
    assert "cache-control" in headers


@every_write
async def test_more_than_the_hub_takes_on_at_a_time_is_refused_at_once(
    known: httpx.AsyncClient, hub: Hub, row: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await world(known)
    with monkeypatch.context() as busy:
        busy.setattr(hub.limits.writers.places, "_most", 0)
        answer = await ask(known, row)
        assert (await known.get("/health")).status_code == 200

    problem(answer, "overloaded")
    assert answer.headers["retry-after"] == "1"
    assert await world(known) == before
    assert (await ask(known, row)).status_code != answer.status_code


OTHERS = [row for row in ROWS if row[0] != "GET" and row not in WRITES]
DOCUMENT = b'{"version": 1, "capabilities": []}'


@pytest.mark.parametrize("row", OTHERS, ids=" ".join)
async def test_those_without_a_token_have_places_of_their_own(
    known: httpx.AsyncClient, hub: Hub, row: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub.limits.others.places, "_most", 0)
    answer = await known.request(*row, content=DOCUMENT, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert (await known.post("/v1/repos/state-hub/refresh", headers=WRITER)).status_code == 200


@pytest.mark.parametrize("row", [*OTHERS, *BODIES], ids=" ".join)
@pytest.mark.parametrize("parts", [[], [b"{", b" "]], ids=["nothing", "a part"])
async def test_bodies_that_never_come_take_no_place(
    known: httpx.AsyncClient, hub: Hub, row: tuple[str, str], parts: list[bytes]
) -> None:
    begun = asyncio.Semaphore(0)
    most, app = hub.settings.max_requests, application(hub, ENDPOINTS)
    waiting = [asyncio.create_task(leave(app, row, parts, f"10.0.0.{n % 250}", begun)) for n in range(most + 1)]
    for _ in waiting:
        await begun.acquire()
    assert hub.limits.others.bytes.in_use + hub.limits.writers.bytes.in_use == len(waiting) * len(parts)

    for write in WRITES:
        assert (await ask(known, write)).status_code not in {408, 429, 500, 503}, write
    for other in OTHERS:
        answer = await known.request(*other, content=DOCUMENT, headers={"Content-Type": "application/json"})
        assert answer.status_code < 429, other

    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert (hub.limits.others.bytes.in_use, hub.limits.writers.bytes.in_use) == (0, 0)


async def leave(app: ASGIApp, row: tuple[str, str], parts: list[bytes], client: str, begun: asyncio.Semaphore) -> None:
    """Send the head of a request with a good token, and *parts* of its body; the rest never comes."""
    left = [*parts]

    async def receive() -> dict[str, Any]:
        if not left:
            begun.release()
            await asyncio.Event().wait()
        return {"type": "http.request", "body": left.pop(0), "more_body": True}

    async def send(message: Any) -> None:
        raise AssertionError(message)

    fields = {**WRITER, "Content-Type": "application/json", "Content-Length": "1000"}
    headers = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
    scope = {"type": "http", "method": row[0], "path": row[1], "query_string": b"", "client": (client, 1),
             "headers": headers}  # fmt: skip
    await app(scope, receive, send)


@every_body
async def test_the_size_of_a_body_is_as_the_operator_sets_it(settings: Settings, row: tuple[str, str]) -> None:
    async with served(replace(settings, max_body_bytes=10)) as client:
        answer = await client.request(*row, json=BODIES[row], headers=WRITER)

    assert "at most 10 bytes" in problem(answer, "body-too-large")["detail"]


async def test_a_client_that_goes_away_before_its_body_has_arrived_is_no_fault(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    sent: list[Any] = []

    async def gone() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(name.lower().encode(), value.encode()) for name, value in WRITER.items()]
    scope = {"type": "http", "method": "POST", "path": "/v1/repos", "query_string": b"",
             "headers": [*headers, (b"content-type", b"application/json")]}  # fmt: skip
    await application(hub, ENDPOINTS)(scope, gone, send)

    assert [record for record in caplog.records if record.levelno > logging.INFO] == []
    assert list(await hub.store.registrations()) == []
