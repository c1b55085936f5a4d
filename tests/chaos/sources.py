"""Sources on loopback whose content moves on and which fail in every way now and then."""

from __future__ import annotations

import contextlib
import random
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from tests.builders import index

if TYPE_CHECKING:
    from collections.abc import Iterator

PATTERN = "capability.{repo}.v{version}"


def served_version(document: dict[str, Any], repo: str) -> int:
    """Return which version of the repo's index a federated index has; 0 where it has none."""
    ids = [entry["id"] for entry in document["capabilities"] if entry["source_repo"] == repo]
    return int(re.findall(r"\.v(\d+)$", ids[0])[0]) if ids else 0


class Sources:
    """One index for each repo, at the version that it has come to; *ill* is the share of requests that go wrong."""

    def __init__(self, ill: float = 0.0, wait: float = 0.0) -> None:
        self.versions: dict[str, int] = {}
        self.ill = ill
        self.wait = wait
        self.port = 0
        self._chance = random.Random(7)  # noqa: S311 - the same course in every run

    def url(self, repo: str) -> str:
        """Return where the index of *repo* lies."""
        return f"http://127.0.0.1:{self.port}/{repo}/capabilities.yaml"

    def advance(self, repo: str) -> None:
        """Publish the next version."""
        self.versions[repo] = self.versions.get(repo, 0) + 1

    def content(self, repo: str) -> bytes:
        """Return the index as it is now; what it says can be told from the id of its entry."""
        version = self.versions.get(repo, 0)
        return index({"id": PATTERN.format(repo=repo, version=version), "name": f"Version {version}"}, repo=repo)

    def fails(self) -> str | None:
        """Return how the next request goes wrong, if it does."""
        return self._chance.choice(["cut", "500", "garbage", "reset"]) if self._chance.random() < self.ill else None

    @contextlib.contextmanager
    def running(self) -> Iterator[Sources]:
        """Serve."""
        with _Server(("127.0.0.1", 0), _Handler) as server:
            server.sources = self
            self.port = server.server_port
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            yield self
            server.shutdown()


class _Server(ThreadingHTTPServer):
    sources: Sources
    request_queue_size = 512

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a hub that is killed leaves its sources talking to nobody."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        sources, repo = self.server.sources, self.path.split("/")[1]
        content, failure = sources.content(repo), sources.fails()
        time.sleep(sources.wait)
        if failure == "reset":
            self.connection.close()
            return
        self.send_response(500 if failure == "500" else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write({"cut": content[: len(content) // 2], "garbage": content[::-1]}.get(failure or "", content))
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


