"""What readers and writers get through a proxy that is set up as docs/deploy/Proxies.md says."""

from __future__ import annotations

import asyncio
import gzip
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zstandard

from shared.settings import Settings
from tests.builders import TOKEN, WRITER, registration
from tests.crawling import Crawler
from tests.proxies.proxies import DOCUMENT, KINDS, MODES, block_of, blocks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from tests.proxies.conftest import Behind

LARGEST = 1024 * 1024


def _of_zstd(body: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(body)


UNPACK = {"gzip": gzip.decompress, "zstd": _of_zstd}


@pytest.mark.parametrize("kind", KINDS)
def test_the_document_has_a_block_for_each_way(kind: str) -> None:
    assert len(blocks(kind)) == len(MODES) + (kind == "nginx")
    assert ["/reuse/" in block_of(kind, mode) for mode in MODES] == [False, True, True]


@pytest.mark.parametrize("kind", KINDS)
def test_the_hub_waits_longer_for_a_request_than_a_proxy_that_is_set_up_so(kind: str) -> None:
    for mode in MODES:
        text = block_of(kind, mode) + (blocks(kind)[0] if kind == "nginx" else "")
        (kept,) = re.findall(r"\b(?:keepalive_timeout|keepalive|idleConnTimeout:) (\d+)s", text)
        assert int(kept) < Settings().idle_seconds
        # The table below the blocks says the same.
        assert re.search(rf"^\| {kind} \| [^|]+ \| {kept} s \|$", DOCUMENT, re.MULTILINE)


@pytest.mark.parametrize("kind", KINDS)
def test_a_proxy_that_is_set_up_so_keeps_more_connections_than_its_two_by_default(kind: str) -> None:
    for mode in MODES:
        text = block_of(kind, mode) + (blocks(kind)[0] if kind == "nginx" else "")
        names = "keepalive|keepalive_idle_conns_per_host|maxIdleConnsPerHost:"
        (kept,) = re.findall(rf"\b(?:{names}) (\d+);?$", text, re.MULTILINE)
        assert int(kept) >= 16


async def test_every_address_that_the_hub_names_is_there_and_beneath_its_public_url(
    behind: Behind, client: httpx.AsyncClient
) -> None:
    crawler = Crawler(client, behind.public)

    seen = await crawler.crawl(f"{behind.public}/", f"{behind.public}/v1/repos?limit=1", f"{behind.public}/robots.txt")

    assert crawler.outside == set()
    # nginx and Caddy add the slash where the path stands alone; /ard/ is what clients of ARD put more behind.
    other = {url: status for url, status in seen.items() if status not in {200, 301, 302}}
    assert other == {f"{behind.public}/ard/": 404}
    assert {url for url, status in seen.items() if status in {301, 302}} <= {behind.public}
    assert {f"{behind.public}/sources/sky", f"{behind.public}/v1/federated"} <= seen.keys()
    assert sum("cursor=" in url for url in seen) == 2


async def test_the_front_door_opens_with_and_without_a_slash(behind: Behind, client: httpx.AsyncClient) -> None:
    answer = await client.get(behind.public)
    while answer.is_redirect:
        # It leads to the port that the proxy listens on, which the public URL does not name.
        answer = await client.get(re.sub(r":\d+", "", str(answer.next_request.url)) if answer.next_request else "")

    assert answer.json()["links"]["federated"] == f"{behind.public}/v1/federated"


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
async def test_an_answer_keeps_its_coding_and_its_tag(behind: Behind, client: httpx.AsyncClient, coding: str) -> None:
    headers = {"Accept-Encoding": coding}
    async with client.stream("GET", "/v1/federated", headers=headers) as answer:
        raw = b"".join([part async for part in answer.aiter_raw()])
    etag = answer.headers["etag"]
    direct = behind.hub.ask("GET", "/v1/federated")
    unchanged = await client.get("/v1/federated", headers={**headers, "If-None-Match": etag})

    assert (answer.status_code, answer.headers["content-encoding"]) == (200, coding)
    assert UNPACK[coding](raw) == direct.body
    assert etag.startswith('"')
    assert (unchanged.status_code, unchanged.headers["etag"], unchanged.content) == (304, etag, b"")


async def test_a_head_tells_the_tag_and_no_body(client: httpx.AsyncClient) -> None:
    whole = await client.get("/v1/federated")
    head = await client.head("/v1/federated")

    assert (head.status_code, head.headers["etag"], head.content) == (200, whole.headers["etag"], b"")


async def test_a_repo_is_registered_changed_by_its_tag_and_deregistered(
    behind: Behind, client: httpx.AsyncClient, repo: str
) -> None:
    body = registration(repo=repo, url=f"{_publisher(behind)}/{repo}.yaml")
    refused = await client.post("/v1/repos", json=body | {"url": "https://10.0.0.1/x"}, headers=WRITER)
    made = await client.put(f"/v1/repos/{repo}", json=body, headers=WRITER)
    shown = await client.get(f"/v1/repos/{repo}", headers={"Accept-Encoding": "gzip"})
    patch = {"description": "changed"}
    headers = {**WRITER, "If-Match": shown.headers["etag"]}
    changed = await client.patch(f"/v1/repos/{repo}", json=patch, headers=headers)
    again = await client.patch(f"/v1/repos/{repo}", json=patch | {"domain": "other"}, headers=headers)
    gone = await client.delete(f"/v1/repos/{repo}", headers=WRITER)

    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    path = behind.public.partition("example")[2]
    assert (made.status_code, made.headers["location"]) == (201, f"{path}/v1/repos/{repo}")
    assert [one.status_code for one in (shown, changed, again, gone)] == [200, 200, 412, 204]


def _publisher(behind: Behind) -> str:
    """Return where the indexes are that the hub may read."""
    listed: str = behind.hub.ask("GET", "/v1/repos/sky").json()["url"]
    return listed.rpartition("/")[0]


async def test_a_page_is_whole_and_says_what_a_browser_may_do(client: httpx.AsyncClient, behind: Behind) -> None:
    page = await client.get("/sources/sky", headers={"Accept": "text/html"})
    style = await client.get("http://tools.example" + re.findall(r'href="([^"]*hub\.css[^"]*)"', page.text)[0])

    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.text.rstrip().endswith("</html>")
    assert (style.status_code, style.headers["cache-control"]) == (200, "public, max-age=31536000, immutable")
    assert str(style.request.url).startswith(f"{behind.public}/assets/")


@pytest.mark.parametrize(("size", "status"), [(LARGEST, 200), (LARGEST + 1, 413)])
async def test_a_long_body_arrives_or_is_refused_by_the_hub(client: httpx.AsyncClient, size: int, status: int) -> None:
    index = b"version: 1\ncapabilities: []\n#"
    headers = {"Content-Type": "application/yaml"}

    answer = await client.post("/v1/validate", content=index.ljust(size, b"x"), headers=headers)

    assert answer.status_code == status
    assert answer.headers["content-type"] == ("application/json" if status == 200 else "application/problem+json")


async def test_a_body_of_unknown_length_arrives(client: httpx.AsyncClient) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for part in (b"version: 1\n", b"capabilities: ", b"[]\n"):
            yield part

    answer = await client.post("/v1/validate", content=parts(), headers={"Content-Type": "application/yaml"})

    assert (answer.status_code, answer.json()["valid"]) == (200, True)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/repos/nobody", 404), ("GET", "/v1/repos?limit=x", 400), ("PUT", "/v1/federated", 405)],
)
async def test_a_failure_is_told_by_the_hub(
    behind: Behind, client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await client.request(method, path)
    body = answer.json()

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert body["type"].startswith(f"{behind.public}/problems/")
    assert f"http://tools.example{body['instance']}" == behind.public + path.partition("?")[0]
    assert (await client.get(body["type"])).status_code == 200


async def test_the_hub_counts_wrong_tokens_by_the_client_behind_the_proxy(
    behind: Behind, real_network: None
) -> None:
    place = 1 + list(MODES).index(behind.mode) + 10 * KINDS.index(behind.kind)
    wrong = {"Authorization": f"Bearer {TOKEN}-not"}
    async with behind.client(f"127.7.{place}.1") as guesser, behind.client(f"127.7.{place}.2") as other:
        guessed = [(await guesser.post("/v1/federated/compose", headers=wrong)).status_code for _ in range(3)]
        claimed = await guesser.post("/v1/federated/compose", headers={**wrong, "X-Forwarded-For": "192.0.2.7"})
        mistaken = await other.post("/v1/federated/compose", headers=wrong)

    assert real_network is None
    assert (guessed, claimed.status_code, mistaken.status_code) == ([401, 401, 429], 429, 401)
    assert int(claimed.headers["retry-after"]) in range(1, 61)


async def test_connections_to_the_hub_are_kept_and_used_again(behind: Behind, client: httpx.AsyncClient) -> None:
    for _ in range(5):
        assert (await client.get("/v1/repos")).status_code == 200
    before = _connections(behind.hub.port)
    for _ in range(5):
        assert (await client.get("/v1/repos")).status_code == 200

    # The same ones: none was closed, and none was opened.
    assert before == _connections(behind.hub.port) != set()


def _connections(port: int) -> set[str]:
    """Return the local ends of the connections that are established to *port* of loopback."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]]
    return {line[1] for line in lines if line[2] == f"0100007F:{port:04X}" and line[3] == "01"}


async def test_many_ask_at_once_and_each_gets_its_own_answer(client: httpx.AsyncClient) -> None:
    repos = ["sky", "shed", "fork"] * 20

    answers = await asyncio.gather(*(client.get(f"/v1/repos/{repo}") for repo in repos))

    assert [answer.json()["repo"] for answer in answers] == repos
