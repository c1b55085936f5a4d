from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from shared.web.dialect import PROBLEM
from shared.web.resource import resources

if TYPE_CHECKING:
    from starlette.requests import Request

    from shared.hub import Hub
    from shared.web.resource import Row


async def _handle(_hub: Hub, _request: Request) -> Response:
    return Response(b"here")


async def test_rows_of_one_path_are_one_resource_that_names_their_methods(hub: Hub) -> None:
    methods = [("GET", "/a"), ("PUT", "/a"), ("PUT", "/b")]
    rows: list[Row] = [(method, path, _handle, PROBLEM) for method, path in methods]

    made = resources(hub, rows)

    assert {path: resource.allowed for path, resource in made.items()} == {
        "/a": "GET, HEAD, OPTIONS, PUT",
        "/b": "OPTIONS, PUT",
    }
    assert {resource.ready for resource in made.values()} == {None}
