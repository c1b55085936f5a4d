"""A start on contents that fit no more: it serves what fits, first registered first, and says what does not."""

from __future__ import annotations

import contextlib
import http.server
import signal
import threading
from typing import TYPE_CHECKING, Any

from tests.builders import capability, index, registration
from tests.processes import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.processes import Server

SIZES = {"second": 3, "first": 3, "third": 2}
IN_ORDER = ("first", "second", "third")
LOOPBACK = {"REUSE_SURFACE_ALLOW_NETWORKS": "127.0.0.0/8"}


class Indexes(http.server.BaseHTTPRequestHandler):
    """Answers ``/<repo>`` with the index of that repo."""

    def do_GET(self) -> None:
        """Answer one request."""
        repo = self.path.strip("/")
        entries = (capability(number, id=f"capability.{repo}.n{number}") for number in range(SIZES[repo]))
        body = index(*entries)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def publisher() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Indexes) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def full(data: Path) -> None:
    """Leave in *data* what a hub leaves that serves three repos and was killed."""
    with publisher() as url, running(data, **LOOPBACK) as hub:
        for repo in IN_ORDER:
            body = registration(repo=repo, url=f"{url}/{repo}")
            assert hub.ask("POST", "/v1/repos", body).status == 201
            assert hub.ask("POST", f"/v1/repos/{repo}/refresh").json()["outcome"] == "changed"
        hub.end(signal.SIGKILL)


def served(hub: Server) -> dict[str, int]:
    """Return how many entries of each repo are served."""
    document = hub.ask("GET", "/v1/federated").json()
    counts = {source["repo"]: source["served_count"] for source in document["sources"]}
    assert sum(counts.values()) == len(document["capabilities"])
    return counts


def findings(hub: Server) -> list[dict[str, Any]]:
    """Return the findings about sources."""
    return [one for one in hub.ask("GET", "/v1/findings").json()["findings"] if one["repo"]]


def test_a_start_within_lowered_bounds_serves_what_fits_in_the_order_of_registration(tmp_path: Path) -> None:
    full(tmp_path)

    for _ in range(2):
        with running(tmp_path, REUSE_SURFACE_MAX_CAPABILITIES="5") as hub:
            assert served(hub) == {"first": 3, "second": 0, "third": 2}
            (finding,) = findings(hub)
            assert (finding["kind"], finding["repo"], finding["severity"]) == ("hub-full", "second", "error")
            assert "would hold 6 capabilities; it keeps at most 5 over all sources." in finding["detail"]
            assert "REUSE_SURFACE_MAX_CAPABILITIES" in finding["action"]
            assert "nothing of these sources is served (GET /v1/findings?kind=hub-full): second\n" in hub.said()
            assert hub.end(signal.SIGTERM) == 0


def test_a_start_with_room_again_serves_what_an_earlier_one_left_out_without_reading_it(tmp_path: Path) -> None:
    full(tmp_path)
    with running(tmp_path) as hub:
        before = hub.ask("GET", "/v1/federated").json()
        hub.end(signal.SIGTERM)
    with running(tmp_path, REUSE_SURFACE_MAX_CAPABILITIES="2") as hub:
        assert served(hub) == {"first": 0, "second": 0, "third": 2}
        hub.end(signal.SIGTERM)

    with running(tmp_path) as hub:
        after = hub.ask("GET", "/v1/federated").json()
        assert after["capabilities"] == before["capabilities"]
        assert [(one["state"], one["digest"]) for one in after["sources"]] == [
            (one["state"], one["digest"]) for one in before["sources"]
        ]
        assert findings(hub) == []
        assert "no room" not in hub.said()


def test_a_repo_that_was_left_out_is_read_again_once_there_is_room(tmp_path: Path) -> None:
    full(tmp_path)
    with publisher() as url, running(tmp_path, REUSE_SURFACE_MAX_CAPABILITIES="5", **LOOPBACK) as hub:
        assert hub.ask("PATCH", "/v1/repos/second", {"url": f"{url}/second"}).status == 200
        assert hub.ask("DELETE", "/v1/repos/first").status == 204

        hub.ask("POST", "/v1/repos/second/refresh")

        assert served(hub) == {"second": 3, "third": 2}
        assert findings(hub) == []
