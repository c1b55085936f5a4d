from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import httpx
import pytest

from router import application
from shared.pages import PAGE
from shared.problems import NotFound
from shared.web.dialect import ARD, PROBLEM, Dialect
from tests.builders import ard_error, problem

if TYPE_CHECKING:
    from starlette.requests import Request

    from shared.hub import Hub

HTML = {"Accept": "text/html"}


async def refuse(_hub: Hub, _request: Request) -> NoReturn:
    raise NotFound("There is none of that name.")


async def crash(_hub: Hub, _request: Request) -> NoReturn:
    raise RuntimeError


def client_of(hub: Hub, dialect: Dialect) -> httpx.AsyncClient:
    """Return a client of rows whose paths tell nothing of their dialect, which is *dialect*, beside a page."""
    rows = [("GET", "/odd/{name}", refuse, dialect), ("GET", "/odd/{name}/crash", crash, dialect)]
    transport = httpx.ASGITransport(application(hub, [*rows, ("GET", "/", refuse, PAGE)]), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://hub", headers=HTML)


TARGETS = [
    pytest.param("GET", "/odd/a", 404, id="refused"),
    pytest.param("GET", "/odd/a/crash", 500, id="crashed"),
    pytest.param("POST", "/odd/a", 405, id="another method"),
    pytest.param("GET", "/odd/a/b/c", 404, id="no row under the same first segment"),
]
every_failure = pytest.mark.parametrize(("method", "path", "status"), TARGETS)


@every_failure
async def test_failures_are_as_the_row_says_them(hub: Hub, method: str, path: str, status: int) -> None:
    async with client_of(hub, PROBLEM) as client:
        answer = await client.request(method, path)
    assert problem(answer, answer.json()["type"].rpartition("/")[2])["status"] == status
    assert "vary" not in answer.headers

    async with client_of(hub, ARD) as client:
        answer = await client.request(method, path)
    ard_error(answer, status, {404: "NOT_FOUND", 405: "NOT_IMPLEMENTED", 500: "INTERNAL_ERROR"}[status])

    async with client_of(hub, PAGE) as client:
        page = await client.request(method, path)
        data = await client.request(method, path, headers={"Accept": "*/*"})
    assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert (data.json()["status"], data.headers["vary"]) == (status, "Accept")


@pytest.mark.parametrize("path", ["/odd", "/elsewhere", "/elsewhere/a", "//odd/a"])
async def test_what_is_under_no_first_segment_of_a_row_fails_as_the_first_page_does(hub: Hub, path: str) -> None:
    async with client_of(hub, ARD) as client:
        answer = await client.get(f"http://hub{path}")

    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")


async def test_without_any_such_row_failures_are_problems(hub: Hub) -> None:
    transport = httpx.ASGITransport(application(hub, [("GET", "/odd/{name}", refuse, ARD)]))
    async with httpx.AsyncClient(transport=transport, base_url="http://hub", headers=HTML) as client:
        problem(await client.get("/elsewhere"), "not-found")


@pytest.mark.parametrize(
    ("dialect", "methods"), [(ARD, "GET, HEAD, POST"), (PROBLEM, "GET, HEAD")], ids=["reads by post", "writes by post"]
)
async def test_a_preflight_is_answered_as_the_row_says(hub: Hub, dialect: Dialect, methods: str) -> None:
    async with client_of(hub, dialect) as client:
        answer = await client.options("/odd/a")

    assert (answer.status_code, answer.headers["access-control-allow-methods"]) == (204, methods)
    assert ("access-control-allow-headers" in answer.headers) is ("POST" in methods)
