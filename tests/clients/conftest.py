"""A running hub, a repository that publishes, and what two generators of clients make of the hub's /openapi.json."""

from __future__ import annotations

import http.server
import importlib
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders import TOKEN, capability, index
from tests.cli.conftest import answering
from tests.processes import running

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
TOOLS = HERE / "node_modules" / ".bin"


def published(name: str) -> dict[str, Any]:
    """Return the entry of the index that the publisher offers under */name*."""
    about: dict[str, Any] = {"vector": "D5 / A4 / C3 / R2", "tags": ["weather"], "owner": "sky", "seats": 3}
    return capability(id=f"capability.for.{name}", **about)


@dataclass(frozen=True)
class Place:
    """Where a hub listens, and where an index lies that it can register."""

    url: str
    index: str


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """An empty hub in a process of its own, and a publisher; they last as long as the tests."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(index(published(self.path.strip("/"))))

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    data = tmp_path_factory.mktemp("hub") / "data"
    with answering(Handler) as publisher, running(data, REUSE_SURFACE_ALLOW_NETWORKS="127.0.0.0/8") as server:
        yield Place(f"http://127.0.0.1:{server.port}", publisher)


@pytest.fixture(scope="session")
def contract(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that holds what the hub answers to GET /openapi.json."""
    file = tmp_path_factory.mktemp("contract") / "openapi.json"
    subprocess.run(["curl", "-sSf", "-o", str(file), f"{place.url}/openapi.json"], check=True, timeout=20)
    return file


@dataclass(frozen=True)
class Generated:
    """The Python client: what its generator said, and a way to call its operations by their operationIds."""

    said: str
    folder: Path
    url: str

    def call(self, operation: str, *, token: str = TOKEN, **arguments: Any) -> Any:
        """Return the generated client's answer: ``status_code``, ``parsed`` and ``headers``."""
        module = operation.replace(".", "_")
        [file] = (self.folder / "hub_client/api").rglob(f"{module}.py")
        asking = importlib.import_module(f"hub_client.api.{file.parent.name}.{module}")
        client = importlib.import_module("hub_client").AuthenticatedClient(self.url, token)
        with client:
            return asking.sync_detailed(client=client, **arguments)

    def model(self, name: str) -> Any:
        """Return the class that was generated for a component."""
        return getattr(importlib.import_module("hub_client.models"), name)


@pytest.fixture(scope="session")
def python_client(place: Place, contract: Path) -> Iterator[Generated]:
    """The client that openapi-python-client generates, importable while the tests run."""
    folder = contract.parent
    generator = [sys.executable, "-m", "openapi_python_client", "generate"]
    options = ["--meta", "none", "--config", str(HERE / "generator.yaml"), "--output-path", str(folder / "hub_client")]
    done = subprocess.run(
        [*generator, "--path", str(contract), *options], capture_output=True, text=True, timeout=90, check=True
    )
    sys.path.insert(0, str(folder))
    yield Generated(done.stdout + done.stderr, folder, place.url)
    sys.path.remove(str(folder))


@pytest.fixture(scope="session")
def typescript_client(place: Place, contract: Path) -> dict[str, Any]:
    """What the client that openapi-typescript generates printed, after it compiled and called the hub."""
    if not (TOOLS / "tsc").exists() or shutil.which("node") is None:
        pytest.skip("Node, or the generator of TypeScript, is missing: scripts/install-client-tools installs both")
    folder = contract.parent / "typescript"
    folder.mkdir()
    for name in ("package.json", "tsconfig.json", "use_hub.ts"):
        shutil.copy(HERE / name, folder)
    (folder / "node_modules").symlink_to(TOOLS.parent)
    made: str = ""
    for command in (
        [str(TOOLS / "openapi-typescript"), str(contract), "--output", "hub.d.ts"],
        [str(TOOLS / "tsc")],
        ["node", "made/use_hub.js", place.url, f"{place.index}/typescript", TOKEN],
    ):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=90, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        made = done.stdout
    printed: dict[str, Any] = json.loads(made)
    return printed
