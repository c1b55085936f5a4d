from __future__ import annotations

import ast
import errno
import inspect
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import pytest

from router import ENDPOINTS, application, create_app
from shared.hub import open_hub
from shared.pages import PAGE
from shared.problems import StartError
from tests.builders import PLACES, TOKEN, WRITER, ard_error, index, problem, registration, url_of

if TYPE_CHECKING:
    import respx
    from starlette.requests import Request

    from shared.hub import Hub
    from shared.settings import Settings
    from shared.web.resource import Row

ROWS = [pytest.param(row, id=f"{row[0]} {row[1]}") for row in ENDPOINTS]


class Case(NamedTuple):
    """What is sent to a row that is served alone, and the documented answer."""

    path: str
    status: int
    body: dict[str, Any] | None = None
    says: Any = None


HUB = "urn:air:reuse-surface.invalid:registry:federation"
KNOWN = "/v1/repos/state-hub"
ALONE = {
    ("GET", "/v1/federated"): Case("/v1/federated", 200, says={"version": 1, "serial": 1, "complete": True}),
    ("GET", "/v1/federated/changes"): Case("/v1/federated/changes?since=0", 200, says={"serial": 1, "next": None}),
    ("POST", "/v1/federated/compose"): Case("/v1/federated/compose", 200, says={"counts": {"changed": 1}}),
    ("GET", "/v1/capabilities"): Case("/v1/capabilities?q=x", 200, says={"capabilities": [], "total": 0, "next": None}),
    ("GET", "/v1/capabilities/{repo}/{id}"): Case("/v1/capabilities/state-hub/x", 404, says={"status": 404}),
    ("GET", "/v1/domains"): Case("/v1/domains", 200, says={"total": 1, "next": None}),
    ("GET", "/v1/repos/{repo}/ai-catalog.json"): Case(f"{KNOWN}/ai-catalog.json", 200, says={"entries": []}),
    ("GET", "/.well-known/ard.json"): Case("/.well-known/ard.json", 200, says={"specVersion": "1.0"}),
    ("GET", "/.well-known/ai-catalog.json"): Case("/.well-known/ai-catalog.json", 200, says={"specVersion": "1.0"}),
    ("POST", "/ard/search"): Case("/ard/search", 200, {"query": {"text": "x"}}, {"results": []}),
    ("POST", "/ard/explore"): Case("/ard/explore", 200, {"resultType": {"facets": []}}, {"facets": {}}),
    ("GET", "/ard/agents"): Case("/ard/agents", 200, says={"items": [], "total": 0}),
    ("GET", "/ard/agents/{identifier}"): Case(f"/ard/agents/{HUB}", 200, says={"identifier": HUB}),
    ("GET", "/ard/catalogs/{domain}"): Case("/ard/catalogs/none", 404, says={"errorCode": "NOT_FOUND"}),
    ("GET", "/llms.txt"): Case("/llms.txt", 200),
    ("GET", "/robots.txt"): Case("/robots.txt", 200),
    ("GET", "/v1/repos"): Case("/v1/repos", 200, says={"total": 1, "next": None}),
    ("POST", "/v1/repos"): Case("/v1/repos", 201, registration(repo="new", url=url_of("new")), {"repo": "new"}),
    ("GET", "/v1/repos/{repo}"): Case(KNOWN, 200, says={"repo": "state-hub", "revision": 1}),
    ("PUT", "/v1/repos/{repo}"): Case(KNOWN, 200, registration(required=True), {"required": True, "revision": 2}),
    ("PATCH", "/v1/repos/{repo}"): Case(KNOWN, 200, {"domain": "other"}, {"domain": "other", "revision": 2}),
    ("DELETE", "/v1/repos/{repo}"): Case(KNOWN, 204),
    ("POST", "/v1/repos/{repo}/refresh"): Case(f"{KNOWN}/refresh", 200, says={"outcome": "changed"}),
    ("POST", "/v1/repos/{repo}/accept"): Case(f"{KNOWN}/accept", 409, says={"title": "Nothing is held"}),
    ("GET", "/v1/repos/{repo}/history"): Case(f"{KNOWN}/history", 200, says={"next": None}),
    ("GET", "/v1/repos/{repo}/badge.svg"): Case(f"{KNOWN}/badge.svg", 200),
    ("GET", "/"): Case("/", 200, says={"name": "reuse-surface"}),
    ("GET", "/capabilities"): Case("/capabilities", 200),
    ("GET", "/sources"): Case("/sources", 200),
    ("GET", "/sources/{repo}"): Case("/sources/state-hub", 200),
    ("GET", "/findings"): Case("/findings", 200),
    ("GET", "/register"): Case("/register", 200),
    ("GET", "/assets/{file}"): Case("/assets/hub.css", 200),
    ("POST", "/v1/validate"): Case("/v1/validate", 200, registration(), {"valid": False}),
    ("GET", "/v1/findings"): Case("/v1/findings", 200, says={"total": 1, "next": None}),
    ("GET", "/v1/backup"): Case("/v1/backup", 200),
    ("GET", "/v1/sources"): Case("/v1/sources", 200, says={"version": 1}),
    ("GET", "/cli.py"): Case("/cli.py", 200),
    ("GET", "/cli.py.sha256"): Case("/cli.py.sha256", 200),
    ("GET", "/health"): Case("/health", 200, says={"status": "ok"}),
    ("GET", "/ready"): Case("/ready", 200, says={"ready": True}),
    ("GET", "/metrics"): Case("/metrics", 200),
    ("GET", "/openapi.json"): Case("/openapi.json", 200, says={"servers": [{"url": "http://hub"}]}),
    ("GET", "/schemas/{name}"): Case("/schemas/problem", 200, says={"title": "Problem"}),
    ("GET", "/problems/{slug}"): Case("/problems/not-found", 200, says={"slug": "not-found"}),
}


def client_of(hub: Hub, *rows: Row) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(application(hub, rows), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://hub")


async def has_state_hub(hub: Hub) -> None:
    """Register state-hub by the interfaces that handlers use, so that no other handler takes part."""
    from shared.model.author import Author  # noqa: PLC0415
    from shared.registration_fields import read_fields  # noqa: PLC0415 - one helper's own

    hub.sources.watch(await hub.store.add(read_fields(registration(), hub.guard), Author("operator")))


@pytest.mark.parametrize("row", ROWS)
async def test_every_row_answers_as_documented_when_it_is_served_alone(
    hub: Hub, upstream: respx.MockRouter, row: Row
) -> None:
    method, path, *_ = row
    case = ALONE[method, path]
    upstream.get(url_of("state-hub")).respond(content=index())
    await has_state_hub(hub)

    async with client_of(hub, row) as client:
        headers = {**WRITER, "Accept": "application/json, */*;q=0.5"}
        answer = await client.request(method, case.path, json=case.body, headers=headers)
        elsewhere = await client.get("/elsewhere")

    assert answer.status_code == case.status, answer.text
    if case.says is not None:
        assert answer.json() | case.says == answer.json()
    problem(elsewhere, "not-found")


def test_there_is_a_case_for_every_row_and_no_row_twice() -> None:
    assert [(method, path) for method, path, *_ in ENDPOINTS] == list(dict.fromkeys(ALONE))


def test_every_module_of_handlers_has_its_row() -> None:
    folder = Path(__file__).resolve().parent.parent / "functions"
    modules = {file.relative_to(folder.parent) for file in folder.rglob("*.py") if file.name != "__init__.py"}
    routed = {Path(*handle.__module__.split(".")).with_suffix(".py") for _, _, handle, _ in ENDPOINTS}

    assert len(modules) > 40
    assert modules == routed


@pytest.mark.parametrize("row", ROWS)
def test_a_handlers_docstring_opens_with_its_row(row: Row) -> None:
    method, path, handle, _ = row
    module = sys.modules[handle.__module__]

    first, _, _ = (module.__doc__ or "").partition("\n")
    assert first.startswith(f"{method} {path}: ")
    assert first.endswith((".", ";", ":"))


@pytest.mark.parametrize("row", ROWS)
def test_a_handler_has_no_try_and_takes_the_hub_and_the_request(row: Row) -> None:
    handle = row[2]
    tree = ast.parse(inspect.getsource(sys.modules[handle.__module__]))

    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Try)]
    taken = [name.lstrip("_") for name in inspect.signature(handle).parameters]
    assert taken == ["hub"] if isinstance(handle, type) else ["hub", "request"]


@pytest.mark.parametrize(
    "path",
    ["/index.html", "/v1", "/v2/repos", "/v1/repos/a/b/c", "//v1/repos", "/V1/repos", "/v1/repos/a%2Fb", "/health.js"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "HEAD"])
async def test_an_unknown_path_is_a_404(client: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await client.request(method, f"http://hub{path}")

    assert answer.status_code == 404
    if method != "HEAD":
        problem(answer, "not-found")


@pytest.mark.parametrize("path", [path.format_map(PLACES) for _, path, *_ in ENDPOINTS if path != "/"])
async def test_a_slash_at_the_end_makes_another_path_and_is_not_redirected(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(f"{path}/", follow_redirects=False)

    if path.startswith("/ard/"):
        ard_error(answer, 404, "NOT_FOUND")
    else:
        problem(answer, "not-found")


async def test_an_instance_is_a_uri_reference(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/repos/a%20b%C3%A9%0A")

    assert answer.json()["instance"] == "/v1/repos/a%20b%C3%A9%0A"


async def test_the_methods_of_a_path_find_their_own_handler(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/repos/state-hub", headers=WRITER)

    problem(answer, "method-not-allowed")
    assert answer.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"


async def test_a_handler_that_crashes_is_a_500_that_tells_nothing(hub: Hub) -> None:
    async def crash(_hub: Hub, _request: Request) -> Any:
        raise RuntimeError("the secret of the house")

    async with client_of(hub, ("GET", "/crash", crash, PAGE)) as client:
        answer = await client.get("/crash")

    problem(answer, "internal-error")
    assert "secret" not in answer.text
    assert "RuntimeError" not in answer.text
    assert answer.headers["cache-control"] == "no-store"


async def test_the_crash_itself_goes_on_to_the_servers_log(hub: Hub) -> None:
    async def crash(_hub: Hub, _request: Request) -> Any:
        raise RuntimeError("the secret of the house")

    transport = httpx.ASGITransport(application(hub, [("GET", "/crash", crash, PAGE)]))
    async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
        with pytest.raises(RuntimeError, match="secret"):
            await client.get("/crash")


async def test_a_problem_names_the_public_url_that_is_set(settings: Settings, tmp_path: Path) -> None:
    hub = open_hub(replace(settings, data_dir=tmp_path / "other", public_url="https://reuse.example.org/x"))
    async with hub.running(), client_of(hub, *ENDPOINTS) as client:
        body = (await client.get("/v1/repos/nobody")).json()

    assert body["type"] == "https://reuse.example.org/x/problems/repo-not-found"


async def test_the_application_holds_its_data_directory_while_it_lives(settings: Settings) -> None:
    app = create_app(settings)
    with pytest.raises(StartError, match=str(settings.data_dir)):
        create_app(settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
            ready = await client.get("/ready")
            made = await client.post("/v1/repos", json=registration(), headers=WRITER)
        with pytest.raises(StartError, match="Another process"):
            create_app(settings)

    assert (ready.status_code, made.status_code) == (200, 201)
    again = create_app(settings)
    async with again.router.lifespan_context(again):
        transport = httpx.ASGITransport(again)
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
            assert (await client.get("/v1/repos")).json()["total"] == 1


async def test_the_application_reads_the_environment_when_it_is_given_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REUSE_SURFACE_DATA_DIR", str(tmp_path / "from the environment"))
    monkeypatch.setenv("REUSE_SURFACE_TOKEN", TOKEN)
    monkeypatch.setenv("REUSE_SURFACE_REFRESH", "off")

    app = create_app()
    async with app.router.lifespan_context(app):
        pass

    assert (tmp_path / "from the environment" / "hub.lock").exists()


def test_the_application_stops_at_a_setting_that_is_bad_and_makes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REUSE_SURFACE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("REUSE_SURFACE_TOKEN", "too-short")

    with pytest.raises(StartError, match="REUSE_SURFACE_TOKEN"):
        create_app()
    assert not (tmp_path / "data").exists()


async def test_a_ping_of_the_whole_server_names_the_methods(client: httpx.AsyncClient) -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "OPTIONS", "path": "*", "raw_path": b"*", "query_string": b"", "headers": [],
             "client": ("192.0.2.1", 1), "http_version": "1.1", "scheme": "http", "server": ("hub", 80)}  # fmt: skip
    await client._transport.app(scope, receive, send)  # type: ignore[attr-defined]

    assert sent[0]["status"] == 204
    assert b"GET" in dict(sent[0]["headers"])[b"allow"]


@pytest.mark.parametrize(
    ("fault", "slug"),
    [
        (OSError(errno.EMFILE, "too many"), "overloaded"),
        (MemoryError(), "overloaded"),
        (OSError(errno.EIO, "no"), "internal-error"),
    ],
    ids=["no handle", "no memory", "a fault"],
)
@pytest.mark.parametrize("accept", ["application/json", "text/html"])
async def test_what_the_machine_lacks_is_refused_until_it_is_there(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, fault: Exception, slug: str, accept: str
) -> None:
    def lacks(*_: object) -> None:
        raise fault

    async def handle(_hub: Hub, _request: Request) -> None:
        lacks()

    monkeypatch.setattr("shared.pages.problem_page", lacks)
    served = application(hub, [("GET", "/sources", handle, PAGE)])  # type: ignore[list-item]  # it only raises
    transport = httpx.ASGITransport(served, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
        problem(await client.get("/sources", headers={"Accept": accept}), slug)
