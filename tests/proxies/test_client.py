"""The client of the command line, which asks a hub under a path of its host, by way of a proxy."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders import TOKEN
from tests.processes import CLI
from tests.proxies.proxies import missing, proxying

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.processes import Server

needs_nginx = pytest.mark.skipif(bool(missing("nginx")), reason=missing("nginx"))


@pytest.fixture(params=["stripping", "keeping"])
def url(request: pytest.FixtureRequest, hubs: dict[str, Server], tmp_path: Path) -> Iterator[str]:
    """The URL by which a client on this machine asks the hub behind nginx."""
    with proxying("nginx", request.param, tmp_path, hubs["/reuse"].port) as port:
        yield f"http://127.0.0.1:{port}/reuse"


def typed(url: str, folder: Path, *words: str) -> Any:
    """Run a command and return the JSON that it prints."""
    kept = {name: os.environ[name] for name in ("PATH",)}
    done = subprocess.run(
        [sys.executable, "-I", str(CLI), *words, "--json", "--base-url", url],
        cwd=folder, env={**kept, "REUSE_SURFACE_TOKEN": TOKEN}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@needs_nginx
def test_reads_writes_and_keeps_a_copy_under_a_path(url: str, tmp_path: Path, hubs: dict[str, Server]) -> None:
    listed = typed(url, tmp_path, "hub", "list")
    assert {one["repo"] for one in listed["repos"]} >= {"sky", "shed", "fork"}
    assert typed(url, tmp_path, "hub", "search", "sky")["total"] >= 1
    publisher = hubs["/reuse"].ask("GET", "/v1/repos/shed").json()["url"].rpartition("/")[0]
    body = ("--repo", "by-client", "--domain", "helix_forge", "--url", f"{publisher}/by-client.yaml")

    typed(url, tmp_path, "hub", "register", *body, "--enabled", "false")
    shown = typed(url, tmp_path, "hub", "show", "--repo", "by-client")
    typed(url, tmp_path, "hub", "deregister", "--repo", "by-client")
    for _ in range(2):
        typed(url, tmp_path, "hub", "federated", "--out", "copy.json")
    typed(url, tmp_path, "backup", "--out", "backup.tar.gz")

    assert shown["enabled"] is False
    assert (tmp_path / "copy.json").read_bytes() == hubs["/reuse"].ask("GET", "/v1/federated").body
    assert (tmp_path / "backup.tar.gz").stat().st_size > 0
    assert not any(re.search("by-client", one["repo"]) for one in typed(url, tmp_path, "hub", "list")["repos"])
