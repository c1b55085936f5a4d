"""A hub under a path of its host, behind proxies of two kinds: one takes the path off requests, one leaves it there."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from router import ENDPOINTS, application, create_app, operations
from shared.hub import open_hub
from shared.problems import StartError
from tests.builders import PLACES, WRITER, capability, index, refresh, registration, searchable, url_of
from tests.crawling import Crawler, addresses_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import respx
    from starlette.types import ASGIApp, Receive, Scope, Send

    from shared.settings import Settings

PUBLIC = "https://tools.example/reuse"
TEMPLATES = Path(__file__).resolve().parents[1] / "shared/pages/templates"


class Proxy:
    """Serves *app* under /reuse and nothing else; *strips* says whether the app sees that in its paths."""

    def __init__(self, app: ASGIApp, *, strips: bool) -> None:
        self._app, self._strips = app, strips

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if not re.match("/reuse($|/)", scope["path"]):
            await elsewhere(send)
            return
        path = scope["path"].removeprefix("/reuse") if self._strips else scope["path"]
        await self._app({**scope, "path": path or "/"}, receive, send)


async def elsewhere(send: Send) -> None:
    """Answer for another service of the same host."""
    await send({"type": "http.response.start", "status": 421, "headers": []})
    await send({"type": "http.response.body", "body": b"This is another service."})


@pytest.fixture(params=[True, False], ids=["stripping", "keeping"])
async def client(request: pytest.FixtureRequest, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a hub behind a proxy. Paths are beneath the public URL."""
    hub = open_hub(replace(settings, public_url=PUBLIC))
    proxy = Proxy(application(hub, ENDPOINTS), strips=request.param)
    transport = httpx.ASGITransport(proxy, raise_app_exceptions=False)
    async with hub.running(), httpx.AsyncClient(transport=transport, base_url=PUBLIC) as session:
        yield session


async def fill(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    """Register repos of several states; two publish the same id."""
    for number, repo in enumerate(("sky", "shed", "fork")):
        entries = [capability(place, tags=["craft"], owner="team", vector="D5 / A4") for place in (number % 2, 7)]
        upstream.get(url_of(repo)).respond(content=index(*entries))
    upstream.get(url_of("gone")).respond(404)
    for repo in ("sky", "shed", "fork", "gone"):
        body = registration(repo=repo, url=url_of(repo), required=repo == "gone")
        answer = await client.post("/v1/repos", json=body, headers=WRITER)
        assert answer.headers["location"] == f"/reuse/v1/repos/{repo}"
        await refresh(client, repo)
    await searchable(client)


FILLED = {"repo": "sky", "id": "capability.example.n0", "identifier": "urn:air:tools.example:registry:federation"}
NAMED = PLACES | FILLED
NEEDED = {"/v1/federated/changes": "&since=0"}


def readable() -> list[str]:
    """Return a path of every row that can be got; a list is asked for pages of one row."""
    paths = []
    for operation in operations(ENDPOINTS):
        if operation.method == "GET" and operation.path != "/v1/backup":
            paged = "?limit=1" if operation.query.keys() >= {"limit", "cursor"} else ""
            paths.append(operation.path.format_map(NAMED) + paged + NEEDED.get(operation.path, ""))
    return paths


async def test_every_address_that_the_hub_names_is_beneath_its_public_url_and_there(
    client: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    await fill(client, upstream)
    crawler = Crawler(client, PUBLIC)

    seen = await crawler.crawl(f"{PUBLIC}/", *(PUBLIC + path for path in readable()))

    assert crawler.outside == set()
    # Under /ard/ is what clients of ARD put behind it.
    assert {url: status for url, status in seen.items() if status != 200} == {f"{PUBLIC}/ard/": 404}
    assert {f"{PUBLIC}/sources/{repo}" for repo in ("sky", "shed", "fork", "gone")} <= seen.keys()
    assert any("cursor=" in url for url in seen)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing/here", 404),
        ("GET", "/v1/repos/nobody", 404),
        ("GET", "/v1/repos?limit=0", 400),
        ("GET", "/sources/nobody", 404),
        ("DELETE", "/v1/repos", 405),
        ("POST", "/v1/repos", 401),
    ],
)
async def test_a_problem_names_addresses_beneath_the_public_url(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await client.request(method, path)
    page = await client.request(method, path, headers={"Accept": "text/html,*/*;q=0.8"})

    assert (answer.status_code, page.status_code) == (status, status)
    body = answer.json()
    assert body["instance"] == "/reuse" + path.partition("?")[0]
    assert body["type"].startswith(f"{PUBLIC}/problems/")
    assert (await client.get(body["type"])).status_code == 200
    assert {one for one in addresses_of(page) if one.startswith("/") and not one.startswith("/reuse")} == set()


async def test_the_answer_that_lies_ready_is_found_and_counted_under_its_own_path(client: httpx.AsyncClient) -> None:
    answers = [await client.get("/v1/federated") for _ in range(3)]
    etag = answers[0].headers["etag"]
    unchanged = await client.get("/v1/federated", headers={"If-None-Match": etag})
    metrics = (await client.get("/metrics")).text

    assert [answer.status_code for answer in (*answers, unchanged)] == [200, 200, 200, 304]
    counted = [line for line in metrics.splitlines() if "requests_total{" in line and 'route="/v1/federated"' in line]
    assert sum(float(line.rpartition(" ")[2]) for line in counted) == 4
    assert "/reuse" not in metrics


async def test_replacing_names_where_the_new_repo_is(client: httpx.AsyncClient) -> None:
    answer = await client.put("/v1/repos/sky", json=registration(repo="sky"), headers=WRITER)

    assert (answer.status_code, answer.headers["location"]) == (201, "/reuse/v1/repos/sky")
    assert (await client.get(f"https://tools.example{answer.headers['location']}")).status_code == 200


@pytest.mark.parametrize("path", ["", "/"])
async def test_the_front_door_is_open_with_and_without_a_slash(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(f"{PUBLIC}{path}")

    assert answer.json()["links"]["federated"] == f"{PUBLIC}/v1/federated"


async def test_probes_find_the_hub_without_the_path(settings: Settings) -> None:
    hub = open_hub(replace(settings, public_url=PUBLIC))
    transport = httpx.ASGITransport(application(hub, ENDPOINTS))
    async with hub.running(), httpx.AsyncClient(transport=transport, base_url="http://10.0.0.7:8080") as probe:
        for path in ("/health", "/ready", "/metrics", "/reuse/health", "/reuse/ready", "/reuse/metrics"):
            assert (await probe.get(path)).status_code == 200
        assert (await probe.get("/reused/health")).status_code == 404


@pytest.mark.parametrize("path", ["/v1", "/sources", "/sources/hub", "/assets/x", "/llms.txt", "/.well-known"])
def test_a_path_that_begins_as_one_of_the_hubs_own_stops_the_start(settings: Settings, path: str) -> None:
    with pytest.raises(StartError, match=r"^REUSE_SURFACE_PUBLIC_URL: its path begins with /.+ Choose another"):
        create_app(replace(settings, public_url=f"https://tools.example{path}"))

    assert not settings.data_dir.exists()


def test_every_address_in_a_template_begins_with_the_path_of_the_hub() -> None:
    written: list[Any] = []
    for template in TEMPLATES.iterdir():
        written += re.findall(r'\b(?:href|src|action|poster|srcset|data)="([^"]*)', template.read_text("utf-8"))

    assert len(written) > 40
    # The base, a place in the page, an asset (named with the base), or the web.
    begins = ("{{ base }}", "#", "{{ asset(", "{{ url | web }}")
    assert [one for one in written if not one.startswith(begins)] == []
