"""Dialects: the format of failures of the router's rows, and the methods that scripts of any origin may send (CORS).

Each row names one. The rows of one path have the same, since a 405 belongs to the path, and so have the rows under one
first segment, since a 404 there belongs to no row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

import orjson
from starlette.responses import Response

from shared.web.answers import OPEN

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from shared.hub import Hub
    from shared.problems import Problem

    Failure = Callable[[Hub, Request, Problem], Response]

MAX_AGE = "86400"
"""For so many seconds, a day, browsers keep the answer to a preflight request."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What some rows have in common: *failure* makes the response to a problem.

    *reads* are the methods that change nothing: scripts of any origin may send them (CORS). Every other method is a
    write, and scripts of other origins are kept from it by the header that a write has to have.
    """

    name: str
    failure: Failure
    reads: tuple[str, ...] = ("GET", "HEAD")

    def preflight(self) -> dict[str, str]:
        """Return the headers that let scripts of other origins read (Fetch §4.8)."""
        headers = {"Access-Control-Allow-Methods": ", ".join(self.reads), "Access-Control-Max-Age": MAX_AGE}
        # A body of JSON is announced in a header that scripts may not set unless they are allowed to.
        return headers | ({"Access-Control-Allow-Headers": "Content-Type"} if "POST" in self.reads else {})


def failure_headers(problem: Problem) -> dict[str, str]:
    """Return the headers of a failure in any dialect: open to every origin, never stored, and those of *problem*."""
    return {**OPEN, "Cache-Control": "no-store", **problem.headers}


def problem_document(hub: Hub, request: Request, problem: Problem) -> dict[str, object]:
    """Return the members of RFC 9457 §3.1 for *problem*, with the path of *request* as its instance."""
    return problem.as_json(hub.settings.public, quote(request.scope["path"]))


def _as_problem(hub: Hub, request: Request, problem: Problem) -> Response:
    body = orjson.dumps(problem_document(hub, request, problem))
    return Response(body, problem.answer_status, failure_headers(problem), "application/problem+json")


PROBLEM = Dialect("problem", _as_problem)
"""The API of the hub: failures are ``application/problem+json`` (RFC 9457), for browsers too."""

_ARD_CODES = {401: "UNAUTHENTICATED", 404: "NOT_FOUND", 429: "RATE_LIMIT_EXCEEDED", 405: "NOT_IMPLEMENTED"}
# Of any other status only its class is said: 4xx is the client's fault, 5xx the hub's (RFC 9110 §15).
_FIRST_SERVER_ERROR = 500
_CLIENT_ERROR, _SERVER_ERROR = "INVALID_ARGUMENT", "INTERNAL_ERROR"
ARD_CODES = (_CLIENT_ERROR, *_ARD_CODES.values(), _SERVER_ERROR)
"""Every ``errorCode`` that the hub answers with."""


def envelope(problem: Problem) -> dict[str, str]:
    """Return ``{"errorCode", "message"}`` for *problem*: the error envelope of ARD (its specification, appendix B)."""
    other = _SERVER_ERROR if problem.answer_status >= _FIRST_SERVER_ERROR else _CLIENT_ERROR
    return {"errorCode": _ARD_CODES.get(problem.answer_status, other), "message": problem.detail}


def _as_envelope(_hub: Hub, _request: Request, problem: Problem) -> Response:
    body = orjson.dumps(envelope(problem))
    return Response(body, problem.answer_status, failure_headers(problem), "application/json")


ARD = Dialect("ard", _as_envelope, reads=("GET", "HEAD", "POST"))
"""Agentic Resource Discovery: failures are its envelope, and searches are sent by POST."""
