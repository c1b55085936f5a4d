"""The Starlette application around the resources of a hub, and the answers to every failure inside it."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route, Router

from shared.problems import InternalError, NotFound, Problem
from shared.shortage import log_failure, shortage
from shared.web.answers import OPEN
from shared.web.dialect import PROBLEM
from shared.web.edge import Edge, PublicPath, RequestIds
from shared.web.prepared import Shortcut
from shared.web.traffic import METHODS, Traffic

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send

    from shared.hub import Hub
    from shared.web.dialect import Dialect
    from shared.web.resource import Resource

_log = logging.getLogger("hub.requests")


class Application(Starlette):
    """The hub as an ASGI application: Shortcut (cached answers) around Edge (request ids) around Starlette.

    Edge is outside Starlette, so that the answer to a crash has an id as well. Failures are answered in the dialect of
    their resource, those of a path without one in the dialect of the resources under the same first segment.
    """

    def __init__(self, hub: Hub, resources: Mapping[str, Resource], lifespan: Any = None) -> None:  # noqa: ANN401 - Starlette's own type is not public
        super().__init__()
        self._hub = hub
        self._ready = {path: resource.ready for path, resource in resources.items() if resource.ready is not None}
        self._dialects = {_segment(path): resource.dialect for path, resource in resources.items()}
        # A path has one spelling: with a slash too many, where Starlette would redirect, it is a 404.
        self.router = _Router([Route(path, resource) for path, resource in resources.items()], lifespan)
        self.add_middleware(Traffic, tally=hub.tally, clock=hub.clock, clients=hub.limits.clients)
        for kind in (Problem, HTTPException, Exception):
            self.add_exception_handler(kind, self._answer_failure)
        # What is read when it is first asked for, such as templates and schemas, may find no handle or memory then.
        for lack in (OSError, MemoryError):
            self.add_exception_handler(lack, self._answer_shortage)
        self.add_exception_handler(ClientDisconnect, _answer_nobody)

    def build_middleware_stack(self) -> ASGIApp:
        """Return the layers that a request passes, the outermost first: PublicPath, Shortcut, Edge, Starlette's own."""
        ids, settings = RequestIds(), self._hub.settings
        whole = Edge(super().build_middleware_stack(), ids)
        served = Shortcut(whole, self._ready, ids, self._hub.tally, self._hub.clock)
        return PublicPath(served, settings.public_path) if settings.public_path else served

    async def _answer_failure(self, request: Request, fault: Exception) -> Response:
        """Answer *fault* in the dialect of its path; one that is no Problem becomes a 500 without its text."""
        if isinstance(fault, HTTPException):
            paths = f"{self._hub.settings.public_path}/openapi.json"
            fault = NotFound(f"Nothing is served under this path; {paths} lists the paths.")
        elif not isinstance(fault, Problem):
            fault = InternalError("Something failed inside the hub; its log has the details.")
        return self._dialect(request.scope).failure(self._hub, request, fault)

    async def _answer_shortage(self, request: Request, fault: Exception) -> Response:
        problem = shortage(fault)
        if problem is None:
            raise fault
        log_failure(_log, f"{request.method} {request.scope['path']!r}", fault)
        return await self._answer_failure(request, problem)

    def _dialect(self, scope: Scope) -> Dialect:
        if "endpoint" in scope:
            resource: Resource = scope["endpoint"]
            return resource.dialect
        return self._dialects.get(_segment(scope["path"])) or self._dialects.get("", PROBLEM)


class _Router(Router):
    """Starlette's router, which looks for a path without parameters in a dictionary instead of trying each route."""

    def __init__(self, routes: Sequence[Route], lifespan: Any) -> None:  # noqa: ANN401 - Starlette's own type is not public
        super().__init__(routes, redirect_slashes=False, default=_answer_elsewhere, lifespan=lifespan)
        self._plain = {route.path: route for route in routes if not route.param_convertors}
        for route in routes:
            # Starlette's patterns end with ``$``, which admits a line feed after it: /metrics%0A would be /metrics, and
            # pass a proxy that keeps that from strangers.
            route.path_regex = re.compile(route.path_regex.pattern.removesuffix("$") + r"\Z")

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or run the lifespan."""
        path = scope["path"] if scope["type"] == "http" else ""
        route = self._plain.get(path)
        if route is None:
            await super().app(scope, receive, send)
            return
        scope.update(router=self, route=route, endpoint=route.endpoint, path_params={})
        await route.handle(scope, receive, send)


def _segment(path: str) -> str:
    """Return the first segment of *path* with both its slashes, such as ``/ard/``; empty where only one segment is."""
    return path[: path.find("/", 1) + 1]


async def _answer_elsewhere(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer OPTIONS of the whole server (RFC 9110 §9.3.7), as load balancers ask for it; all else is a 404."""
    if (scope["method"], scope["path"]) != ("OPTIONS", "*"):
        raise HTTPException(404)
    await Response(status_code=204, headers={**OPEN, "Allow": ", ".join(sorted(METHODS))})(scope, receive, send)


async def _answer_nobody(_request: Request, _fault: Exception) -> Response:
    """End the request of a client that went away amid its body: nobody reads the 400, and no crash is logged."""
    return Response(status_code=400)
