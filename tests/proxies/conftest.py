"""Each proxy in each way of leading to a hub, and the hubs behind them, for as long as their tests run."""

from __future__ import annotations

import contextlib
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.browser.site import publishing
from tests.processes import Server, running
from tests.proxies.proxies import HOST, KINDS, MODES, missing, proxying

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

_REPOS = ("sky", "shed", "fork")
_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of this folder on one worker: it starts each hub and each proxy once."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("proxies"))


class _There(httpx.AsyncHTTPTransport):
    """Sends what is meant for the public host to a port of loopback, from an address of its own."""

    def __init__(self, port: int, address: str) -> None:
        super().__init__(local_address=address)
        self._port = port

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; its Host stays that of the public URL."""
        there = request.url.copy_with(scheme="http", host="127.0.0.1", port=self._port)
        sent = httpx.Request(request.method, there, headers=request.headers, stream=request.stream)
        return await super().handle_async_request(sent)


@dataclass(frozen=True)
class Behind:
    """A hub behind a proxy: the kind of the proxy, the hub's public URL and the ports of both."""

    kind: str
    mode: str
    public: str
    port: int
    hub: Server

    def client(self, address: str = "127.0.0.1") -> httpx.AsyncClient:
        """Return a client of the proxy, whose paths are beneath the public URL, at an *address* of loopback."""
        return httpx.AsyncClient(transport=_There(self.port, address), base_url=self.public, timeout=60)


@contextlib.contextmanager
def hub_under(path: str, folder: Path) -> Iterator[Server]:
    """Run a hub whose public URL has *path*, with three sources that were read."""
    with publishing(folder) as publisher:
        settings = {
            "PUBLIC_URL": f"http://{HOST}{path}",
            "TRUSTED_PROXIES": "127.0.0.1/32",
            "ALLOW_NETWORKS": "127.0.0.0/8",
            "ALLOW_PORTS": publisher.rpartition(":")[2],
            "WRONG_TOKENS_PER_MINUTE": "2",
        }
        with running(folder / "data", **{f"REUSE_SURFACE_{name}": value for name, value in settings.items()}) as server:
            for number, repo in enumerate(_REPOS):
                entries = [{"id": f"capability.{one}.n", "name": f"{one} of {repo}"} for one in (f"n{number}", "both")]
                (folder / f"{repo}.yaml").write_text(json.dumps({"version": 1, "capabilities": entries}))
                body = {"repo": repo, "domain": "helix_forge", "url": f"{publisher}/{repo}.yaml"}
                assert server.ask("POST", "/v1/repos", body).status == 201
                assert server.ask("POST", f"/v1/repos/{repo}/refresh").json()["outcome"] == "changed"
            yield server


@pytest.fixture(scope="package")
def hubs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Server]]:
    """The hubs, by the path of their public URL."""
    with contextlib.ExitStack() as stack:
        yield {
            path: stack.enter_context(hub_under(path, tmp_path_factory.mktemp("hub")))
            for path in sorted(set(MODES.values()))
        }


@pytest.fixture(scope="package", params=[(kind, mode) for kind in KINDS for mode in MODES], ids="-".join)
def behind(
    request: pytest.FixtureRequest, hubs: dict[str, Server], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Behind]:
    """A hub behind each proxy in each way."""
    kind, mode = request.param
    if reason := missing(kind):
        pytest.skip(reason)
    hub, path = hubs[MODES[mode]], MODES[mode]
    with proxying(kind, mode, tmp_path_factory.mktemp(kind), hub.port) as port:
        yield Behind(kind, mode, f"http://{HOST}{path}", port, hub)


@pytest.fixture
async def client(behind: Behind, real_network: None) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the proxy."""
    assert real_network is None
    async with behind.client() as made:
        yield made


@pytest.fixture
def repo() -> str:
    """The name of a repo that no other test has."""
    return f"new-{next(_numbers)}"
