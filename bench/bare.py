"""A bare ASGI function on the hub's own server: the limit that reads are held against.

``bare.py PORT`` answers every request with 200 and nothing. ``bare.py PORT ANSWER`` reads status, headers and body from
a file that ``write_answer`` made. ``bare.py PORT --imports`` is a Starlette app that imports what the hub imports.
"""

from __future__ import annotations

import base64
import importlib
import json
import sys
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

PACKAGES = (
    "httpx", "tinydb", "cachetools", "yaml", "fastjsonschema", "orjson", "zstandard", "prometheus_client", "sqlite3",
)  # fmt: skip


def write_answer(path: Path, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
    """Write down an answer for a bare function to give."""
    path.write_text(json.dumps({"status": status, "headers": headers, "body": base64.b64encode(body).decode()}))


def function(status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> Any:  # noqa: ANN401 - an ASGI callable
    """Return an ASGI function that always gives the same answer."""
    start = {"type": "http.response.start", "status": status, "headers": headers}
    end = {"type": "http.response.body", "body": body}

    async def answer(_scope: Any, _receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        await send(start)
        await send(end)

    return answer


def app_for(arguments: list[str]) -> Any:  # noqa: ANN401 - an ASGI callable
    """Return the application that the command line asks for."""
    if not arguments:
        return function(200, [(b"content-length", b"0")], b"")
    if arguments == ["--imports"]:
        for name in PACKAGES:
            importlib.import_module(name)
        return Starlette(routes=[Route("/", lambda _: Response("ok"))])
    told = json.loads(Path(arguments[0]).read_text())
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in told["headers"]]
    return function(told["status"], headers, base64.b64decode(told["body"]))


if __name__ == "__main__":
    app, port = app_for(sys.argv[2:]), int(sys.argv[1])
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        http="httptools",
        loop="asyncio",
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        lifespan="off",
    )
