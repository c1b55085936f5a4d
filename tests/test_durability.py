"""The promises that only a real process can break: what was answered is kept, and what can't be trusted is left alone.

DURABILITY_ROUNDS says how often the hub is killed (12 unless set).
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import os
import random
import signal
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders import index, registration, url_of
from tests.processes import Answer, Server, ask, refused, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROUNDS = int(os.environ.get("DURABILITY_ROUNDS", "12"))
WRITERS = 6


@dataclass
class Stream:
    """Threads that register one repo after the other until the hub is gone."""

    server: Server
    first: str
    answered: dict[str, dict[str, Any]] = field(default_factory=dict)
    tried: set[str] = field(default_factory=set)
    wrong: list[Answer] = field(default_factory=list)

    def run(self, seconds: float) -> None:
        """Register for *seconds* from the first answer on, then kill the hub."""
        threads = [threading.Thread(target=self._register, args=(number,)) for number in range(WRITERS)]
        for thread in threads:
            thread.start()
        while not self.answered and any(thread.is_alive() for thread in threads):
            time.sleep(0.001)
        time.sleep(seconds)
        self.server.end(signal.SIGKILL)
        for thread in threads:
            thread.join()

    def _register(self, writer: int) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(self.server.connect()) as line:
            for number in range(100_000):
                repo = f"{self.first}-{writer}-{number}"
                self.tried.add(repo)
                answer = ask(line, "POST", "/v1/repos", registration(repo=repo, url=url_of(repo)))
                if answer.status != 201:
                    self.wrong.append(answer)
                    return
                self.answered[repo] = answer.json()


def all_registered(server: Server) -> dict[str, dict[str, Any]]:
    """Return every registration without its source, of which each start knows something else."""
    rows = server.registrations()
    for row in rows.values():
        del row["source"]
    return rows


def test_what_was_answered_is_there_after_a_kill_at_any_moment(tmp_path: Path) -> None:
    chance = random.Random(20261123)  # noqa: S311 - moments that are the same in every run
    answered, tried = dict[str, dict[str, Any]](), set[str]()
    for number in range(ROUNDS + 1):
        with running(tmp_path) as server:
            found = all_registered(server)
            assert found | answered == found
            assert found.keys() <= tried
            if number == ROUNDS:
                break
            stream = Stream(server, f"r{number}")
            stream.run(chance.uniform(0, 0.25))
        assert stream.wrong == []
        answered |= stream.answered
        tried |= stream.tried
        rows = json.loads((tmp_path / "registrations.json").read_bytes())
        assert all(repo in json.dumps(rows) for repo in list(stream.answered)[-5:])

    assert len(answered) > ROUNDS * 5
    last = list(answered)[-1]
    with running(tmp_path) as server:
        history = server.ask("GET", f"/v1/repos/{last}/history").json()["history"]
    assert [(line["action"], line["revision"]) for line in history] == [("register", 1)]


def test_a_second_hub_on_the_same_data_stops_and_names_the_directory(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        said = refused(tmp_path)
        assert first.ask("POST", "/v1/repos", registration()).status == 201

    assert str(tmp_path) in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("registrations.json", b"", id="empty"),
        pytest.param("registrations.json", b'{"repos": [{"name": "x"}]}', id="foreign"),
        pytest.param("registrations.json", b'{"kind": "reuse-surface registrations", "format": 99}', id="newer"),
        pytest.param("registrations.json", b"\x00" * 512, id="zeros"),
        pytest.param("registrations.json", b'{"_default": {"1": {"repo": ', id="torn"),
        pytest.param("history.jsonl", b"a line of something else\n", id="a foreign history"),
        pytest.param("federated.json", b'{"serial": 7}', id="a foreign serial"),
        pytest.param("sources.json", b"[]", id="foreign states"),
    ],
)
def test_a_file_that_can_not_be_trusted_stops_the_start_and_is_left_as_it_is(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)

    said = refused(tmp_path)

    assert str(tmp_path / name) in said
    assert "left untouched" in said
    assert (tmp_path / name).read_bytes() == content


def test_sigterm_ends_it_cleanly(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        server.ask("POST", "/v1/repos", registration())
        assert server.end(signal.SIGTERM) == 0
        said = server.said()
    # Now, and not when the next one was killed: that may well be in the middle of a draft.
    drafts = [path for path in tmp_path.rglob("*") if path.name.startswith(".draft")]
    with running(tmp_path) as server:
        assert all_registered(server).keys() == {"state-hub"}

    assert "Traceback" not in said
    assert drafts == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PUBLIC_URL", "reuse.example.org"),
        ("PUBLIC_URL", "https://reuse.example.org/?x"),
        ("TOKEN", "short-secret"),
        ("REFRESH", "maybe"),
        ("ALLOW_PORTS", "0"),
        ("ALLOW_NETWORKS", "10.0.0.1/8"),
        ("MAX_STALE_SECONDS", "-1"),
        ("LOG", "xml"),
    ],
)
def test_a_bad_setting_stops_the_start_and_names_its_variable(tmp_path: Path, name: str, value: str) -> None:
    said = refused(tmp_path / "data", **{f"REUSE_SURFACE_{name}": value})

    assert f"REUSE_SURFACE_{name}" in said
    assert "short-secret" not in said
    assert not (tmp_path / "data").exists()


class OneIndex(http.server.BaseHTTPRequestHandler):
    """A source on loopback."""

    def do_GET(self) -> None:
        """Answer with a valid index."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(index())

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def source() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), OneIndex) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/capabilities.yaml"
        server.shutdown()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_a_restart_serves_the_same_federated_index_though_no_source_can_be_reached(
    tmp_path: Path, end: signal.Signals
) -> None:
    trusting = {"REUSE_SURFACE_ALLOW_NETWORKS": "127.0.0.0/8", "REUSE_SURFACE_PUBLIC_URL": "http://hub"}
    with source() as url, running(tmp_path, **trusting) as server:
        server.ask("POST", "/v1/repos", registration(url=url, required=True))
        refreshed = server.ask("POST", "/v1/repos/state-hub/refresh").json()
        before = server.ask("GET", "/v1/federated")
        server.end(end)

    with running(tmp_path, **trusting) as server:
        after = server.ask("GET", "/v1/federated")
        outcome = server.ask("POST", "/v1/repos/state-hub/refresh").json()
        still = server.ask("GET", "/v1/federated").json()

    assert refreshed["outcome"] == "changed"
    assert after == before
    assert len(after.json()["capabilities"]) == 1
    assert (outcome["outcome"], outcome["source"]["state"]) == ("failed", "stale")
    assert still["capabilities"] == after.json()["capabilities"]
    assert still["complete"] is True


def test_its_problems_point_to_the_address_that_is_served(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        problem = server.ask("GET", "/nothing").json()
        page = server.ask("GET", problem["type"].removeprefix(f"http://127.0.0.1:{server.port}"))

    assert page.status == 200
