"""What the hub reads when it is first asked for, without a handle: it is refused, and there afterwards."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, NamedTuple

from router import ENDPOINTS
from tests.builders import PLACES, WRITER, registration
from tests.chaos.faulty import limit_files
from tests.processes import running

if TYPE_CHECKING:
    import http.client
    from pathlib import Path

QUERIES = {"/v1/federated/changes": "?since=0", "/v1/capabilities": "?q=a"}
READS = [(path, handle.__module__) for method, path, handle, _ in ENDPOINTS if method == "GET"]
PAGES = [*(path.format_map(PLACES) for path, home in READS if home.startswith("functions.pages.")), "/none"]
DATA = [path.format_map(PLACES) + QUERIES.get(path, "") for path, home in READS]
BODIES = {
    "/v1/validate": {"version": 1, "capabilities": []},
    "/ard/search": {"query": {"text": "a"}},
    "/ard/explore": {"query": {"text": "a"}, "resultType": {"facets": [{"field": "tags"}]}},
    "/v1/repos": registration(repo="another", url="https://tools.example/another.yaml"),
}


class Read(NamedTuple):
    """What is asked for, and what it said."""

    status: int
    body: bytes


def read(line: http.client.HTTPConnection, path: str, accept: str) -> Read:
    """Ask for *path*, with a body where it takes one."""
    body = json.dumps(BODIES[path]) if path in BODIES and accept == "*/*" else None
    sent = {**WRITER, "Accept": accept, "Content-Type": "application/json"}
    line.request("GET" if body is None else "POST", path, body, sent)
    answer = line.getresponse()
    return Read(answer.status, answer.read())


def test_whatever_is_first_asked_for_without_a_handle_is_refused_and_there_afterwards(tmp_path: Path) -> None:
    asked = [*((path, "*/*") for path in [*DATA, *BODIES]), *((path, "text/html") for path in PAGES)]
    with running(tmp_path) as server:
        assert server.ask("POST", "/v1/repos", registration()).status == 201
        with contextlib.closing(server.connect()) as line:
            assert read(line, "/health", "*/*").status == 200
            limit_files(server, 3)
            refused = {one: read(line, *one) for one in asked}
            limit_files(server, None)
            after = {one: read(line, *one).status for one in asked}
        log = server.said()

    lacking = {one: answer for one, answer in refused.items() if answer.status >= 500}
    assert {answer.status for answer in lacking.values()} == {503}
    assert ("/", "text/html") in lacking
    assert all(json.loads(answer.body) for answer in lacking.values())
    assert {one: status for one, status in after.items() if status >= 500} == {}
    assert "Traceback" not in log
    assert "GET '/cli.py': the machine has no open files left" in log
