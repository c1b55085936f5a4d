"""What people type first: a hub that listens everywhere and says who asked, help that fits, remedies in a terminal."""

from __future__ import annotations

import http.client
import json
import signal
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import said, stand_in
from tests.cli.test_hostile import on_a_terminal
from tests.processes import running

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Shell

OF_A_HUB = ("--base-url", "--timeout", "--insecure-http")
REMEDY = "Agree with state-hub on one owner; the other takes the entry out, or gives it an id of its own."
FINDING = {
    "severity": "warning", "kind": "conflict", "repo": "railiance-apps", "since": "2026-07-27T10:00:00Z",
    "detail": "state-hub, registered earlier, publishes 1 id of this repo too; its entry is served: capability.status.",
    "action": REMEDY, "also": [],
}  # fmt: skip


def test_a_hub_at_every_address_answers_over_ipv4_and_ipv6_to_whoever_it_names(tmp_path: Path) -> None:
    with running(tmp_path / "data", options=["--host", "::"]) as server:
        answers = {}
        for address in ("127.0.0.1", "::1"):
            with closing(http.client.HTTPConnection(address, server.port, timeout=20)) as connection:
                connection.request("GET", "/", headers={"Accept": "text/html,*/*"})
                answer = connection.getresponse()
                answers[address] = (answer.status, answer.headers.get_content_type())
                answer.read()
        refused = server.ask("POST", "/v1/repos", {"repo": "x"}).status
        # A line is written after its answer; at the end all of them are there.
        server.end(signal.SIGTERM)
        log = server.said()

    assert answers == {"127.0.0.1": (200, "text/html"), "::1": (200, "text/html")}
    assert refused == 422
    assert log.count("GET / 200 in ") == 2
    assert " ms from ::/64\n" in log
    assert " ms from 127.0.0.1 with the token operator\n" in log


@pytest.mark.parametrize("command", ["serve", "token new", "version", "restore", "federation compose"])
def test_the_help_of_what_asks_no_hub_has_no_options_of_one(alone: Shell, command: str) -> None:
    alone_help = alone.good(*command.split(), "--help").out
    of_a_hub = alone.good("hub", "list", "--help").out

    assert not [option for option in OF_A_HUB if option in alone_help]
    assert all(option in of_a_hub for option in OF_A_HUB)


def test_a_terminal_shows_the_whole_of_what_to_do(tmp_path: Path) -> None:
    body = json.dumps({"findings": [FINDING], "total": 1, "next": None}).encode()

    with stand_in(lambda one: said(one, body)) as (url, _):
        shown = on_a_terminal(tmp_path, "hub", "findings", columns=100, REUSE_SURFACE_URL=url, NO_COLOR="1")

    words = " ".join(shown.split())
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= 100
    assert all(word in words for word in REMEDY.split())
    assert shown.count("own.") == 1
