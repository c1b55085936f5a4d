"""The whole API on one screen, and the application that serves it."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from functions.capabilities import search as search_capabilities
from functions.capabilities import show as show_capability
from functions.discovery import (
    ai_catalog,
    ard_agent,
    ard_agents,
    ard_explore,
    ard_manifest,
    ard_search,
    domain_catalog,
    llms,
    repo_catalog,
    robots,
)
from functions.domains import browse as browse_domains
from functions.federated import changes as changes_federated
from functions.federated import compose as compose_federated
from functions.federated import show as show_federated
from functions.hub import backup, client, client_digest, findings, health, metrics, openapi, problem, ready, schema
from functions.pages import asset, capabilities, overview, source, sources
from functions.pages import findings as findings_page
from functions.pages import register as register_page
from functions.repos import accept, badge, browse, deregister, history, refresh, register, replace, show, update
from functions.sources import manifest, validate
from shared.answers import OPEN
from shared.contract import Operation
from shared.discovery import envelope
from shared.edge import Edge, PublicPath, RequestIds, refuse_own
from shared.hub import Hub, open_hub
from shared.pages import for_people, has_pages, problem_page
from shared.prepared import Shortcut
from shared.problems import InternalError, MethodNotAllowed, NotFound, Problem
from shared.settings import Settings
from shared.shortage import log_failure, shortage
from shared.traffic import METHODS, Traffic

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from shared.prepared import Find, Ready

    Handle = Callable[[Hub, Request], Awaitable[Response]]
    Row = tuple[str, str, Handle | type[Ready]]

_log = logging.getLogger("hub.requests")

ENDPOINTS: list[Row] = [
    ("GET", "/v1/federated", show_federated.Show),
    ("GET", "/v1/federated/changes", changes_federated.handle),
    ("POST", "/v1/federated/compose", compose_federated.handle),
    ("GET", "/v1/capabilities", search_capabilities.handle),
    ("GET", "/v1/capabilities/{repo}/{id}", show_capability.handle),
    ("GET", "/v1/domains", browse_domains.handle),
    ("GET", "/v1/repos/{repo}/ai-catalog.json", repo_catalog.handle),
    ("GET", "/.well-known/ard.json", ard_manifest.handle),
    ("GET", "/.well-known/ai-catalog.json", ai_catalog.handle),
    ("POST", "/ard/search", ard_search.handle),
    ("POST", "/ard/explore", ard_explore.handle),
    ("GET", "/ard/agents", ard_agents.handle),
    ("GET", "/ard/agents/{identifier}", ard_agent.handle),
    ("GET", "/ard/catalogs/{domain}", domain_catalog.handle),
    ("GET", "/llms.txt", llms.handle),
    ("GET", "/robots.txt", robots.handle),
    ("GET", "/v1/repos", browse.handle),
    ("POST", "/v1/repos", register.handle),
    ("GET", "/v1/repos/{repo}", show.handle),
    ("PUT", "/v1/repos/{repo}", replace.handle),
    ("PATCH", "/v1/repos/{repo}", update.handle),
    ("DELETE", "/v1/repos/{repo}", deregister.handle),
    ("POST", "/v1/repos/{repo}/refresh", refresh.handle),
    ("POST", "/v1/repos/{repo}/accept", accept.handle),
    ("GET", "/v1/repos/{repo}/history", history.handle),
    ("GET", "/v1/repos/{repo}/badge.svg", badge.handle),
    ("GET", "/", overview.handle),
    ("GET", "/capabilities", capabilities.handle),
    ("GET", "/sources", sources.handle),
    ("GET", "/sources/{repo}", source.handle),
    ("GET", "/findings", findings_page.handle),
    ("GET", "/register", register_page.handle),
    ("GET", "/assets/{file}", asset.handle),
    ("POST", "/v1/validate", validate.handle),
    ("GET", "/v1/findings", findings.handle),
    ("GET", "/v1/backup", backup.handle),
    ("GET", "/v1/sources", manifest.handle),
    ("GET", "/cli.py", client.handle),
    ("GET", "/cli.py.sha256", client_digest.handle),
    ("GET", "/health", health.handle),
    ("GET", "/ready", ready.handle),
    ("GET", "/metrics", metrics.handle),
    ("GET", "/openapi.json", openapi.handle),
    ("GET", "/schemas/{name}", schema.handle),
    ("GET", "/problems/{slug}", problem.handle),
]


def create_app(settings: Settings | None = None) -> Starlette:
    """Return the application on the hub that *settings*, or the environment, describe; raise StartError.

    The hub is open from here on; the lifespan runs what goes on in the background and closes it.
    """
    settings = settings or Settings.from_environment()
    refuse_own(settings.public_path, (path for _, path, _ in ENDPOINTS))
    hub = open_hub(settings)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with hub.running():
            yield

    return application(hub, ENDPOINTS, lifespan)


def operations(endpoints: Iterable[Row]) -> tuple[Operation, ...]:
    """Return what the code says of *endpoints*; a module of a handler says in QUERY how its parameters are read."""
    modules = [(method, path, sys.modules[handle.__module__]) for method, path, handle in endpoints]
    return tuple(
        Operation(method, path, module.__name__.removeprefix("functions."), getattr(module, "QUERY", {}))
        for method, path, module in modules
    )


def application(hub: Hub, endpoints: Iterable[Row], lifespan: Any = None) -> Starlette:  # noqa: ANN401 - Starlette's own type is not public
    """Return an application that serves *endpoints*, any part of the table, on *hub*."""
    endpoints = tuple(endpoints)
    resources: dict[str, Resource] = {}
    for method, path, handle in endpoints:
        resources.setdefault(path, Resource(hub)).add(method, handle)
    routes = [Route(path, resource) for path, resource in resources.items()]
    app = _Application(routes=routes, lifespan=lifespan)
    app.hub = hub
    hub.contract.describe(operations(endpoints))
    app.ready = {path: resource.ready for path, resource in resources.items() if resource.ready is not None}
    app.router.redirect_slashes = False
    app.router.default = _answer_elsewhere
    app.add_middleware(Traffic, tally=hub.tally, clock=hub.clock, clients=hub.limits.clients)

    async def answer_problem(request: Request, fault: Exception) -> Response:
        return render(hub, request, fault)

    for kind in (Problem, HTTPException, Exception):
        app.add_exception_handler(kind, answer_problem)
    async def answer_shortage(request: Request, fault: Exception) -> Response:
        problem = shortage(fault)
        if problem is None:
            raise fault
        log_failure(_log, f"{request.method} {request.scope['path']!r}", fault)
        return render(hub, request, problem)

    # What is read first when it is first asked for, such as templates and schemas, may find no handle or memory then.
    for lack in (OSError, MemoryError):
        app.add_exception_handler(lack, answer_shortage)
    app.add_exception_handler(ClientDisconnect, _nobody_listens)
    return app


async def _answer_elsewhere(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer OPTIONS of the whole server (RFC 9110 §9.3.7), as load balancers ask for it; all else is a 404."""
    if (scope["method"], scope["path"]) != ("OPTIONS", "*"):
        raise HTTPException(404)
    await Response(status_code=204, headers={**OPEN, "Allow": ", ".join(sorted(METHODS))})(scope, receive, send)


async def _nobody_listens(_request: Request, _fault: Exception) -> Response:
    """Answer a client that went away before its body had arrived: nobody reads it, and nothing is wrong here."""
    return Response(status_code=400)


class _Application(Starlette):
    """Starlette within the edge, so that an answer to a crash has an id as well; what lies ready is sent before it."""

    hub: Hub
    ready: Mapping[str, Find]

    def build_middleware_stack(self) -> ASGIApp:
        """Return the whole application."""
        ids = RequestIds()
        whole = Edge(super().build_middleware_stack(), ids, self.hub.settings.max_body_bytes)
        served = Shortcut(whole, self.ready, ids, self.hub.tally, self.hub.clock)
        path = self.hub.settings.public_path
        return PublicPath(served, path) if path else served


class Resource:
    """One path: chooses the handler by method, so that a 405 names every method of the path.

    *ready* finds the answers to GET that lie ready, where the handler keeps some.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._handlers: dict[str, ASGIApp] = {}
        self.ready: Find | None = None

    def add(self, method: str, handle: Handle | type[Ready]) -> None:
        """Serve *method* by *handle*: a function, or a class whose instances answer by themselves."""
        if isinstance(handle, type):
            handler = handle(self._hub)
            self._handlers[method], self.ready = handler, handler.ready
        else:
            # Reads are answered from memory at once; only what has a body or takes a while is bounded.
            self._handlers[method] = self._answering(handle) if method == "GET" else self._admitting(handle)

    def _answering(self, handle: Handle) -> ASGIApp:
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            response = await handle(self._hub, Request(scope, receive))
            await response(scope, receive, send)

        return answer

    def _admitting(self, handle: Handle) -> ASGIApp:
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            request = Request(scope, receive)
            with self._hub.limits.admission(request) as scope["admission"]:
                response = await handle(self._hub, request)
            await response(scope, receive, send)

        return answer

    @property
    def allowed(self) -> str:
        """The methods of the path, as the ``Allow`` header names them."""
        implied = {"OPTIONS", *(["HEAD"] if "GET" in self._handlers else [])}
        return ", ".join(sorted(implied | self._handlers.keys()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        method = scope["method"]
        if method == "HEAD":
            method, send = "GET", _without_body(send)
        handler = self._handlers.get(method, self._without_handler)
        await handler(scope, receive, send)

    async def _without_handler(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "OPTIONS":
            raise MethodNotAllowed(f"This path offers {self.allowed}.", headers={"Allow": self.allowed})
        response = Response(status_code=204, headers={**OPEN, **_preflight(scope["path"], self.allowed)})
        await response(scope, receive, send)


def _preflight(path: str, allowed: str) -> dict[str, str]:
    """Let pages of other hosts read, for which ARD uses POST; writes would need a header that is not allowed."""
    headers = {"Allow": allowed, "Access-Control-Allow-Methods": "GET, HEAD", "Access-Control-Max-Age": "86400"}
    if path.startswith(envelope.PREFIX):
        posts = {"Access-Control-Allow-Methods": "GET, HEAD, POST", "Access-Control-Allow-Headers": "Content-Type"}
        return headers | posts
    return headers


def _without_body(send: Send) -> Send:
    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return send_head


def render(hub: Hub, request: Request, fault: Exception) -> Response:
    """Return what goes wrong as ``application/problem+json`` (RFC 9457), or as the clients of ARD read it."""
    if isinstance(fault, HTTPException):
        fault = NotFound(f"Nothing is served under this path; {hub.settings.public_path}/openapi.json lists the paths.")
    elif not isinstance(fault, Problem):
        fault = InternalError("Something failed inside the hub; its log has the details.")
    headers = {**OPEN, "Cache-Control": "no-store", **fault.headers}
    if request.scope["path"].startswith(envelope.PREFIX):
        return Response(orjson.dumps(envelope.envelope(fault)), fault.answer_status, headers, "application/json")
    told = fault.as_json(hub.settings.public, quote(request.scope["path"]))
    # The page may fail for the same want as the answer that it is for; the JSON of it needs nothing more.
    with contextlib.suppress(OSError, MemoryError):
        if for_people(request):
            return problem_page(hub, request, told, fault.headers)
    if has_pages(request):
        headers["Vary"] = "Accept"
    body = orjson.dumps(told)
    return Response(body, fault.answer_status, headers, "application/problem+json")
