"""make demo: a hub on local data, fed with this repository's own index and those of two example siblings.

Serves the index files over HTTP on loopback, starts the hub, registers the indexes with the client, showing each
command it types, and stays up until Ctrl-C. What it stores lies in .demo/, and the next run starts from it.
"""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent.parent
TOKEN = "demo-token-for-loopback-only"  # noqa: S105 - the demo's hub listens on loopback and is thrown away
LOG = HERE / ".demo" / "hub.log"
INDEX = "registry/indexes/capabilities.yaml"
SOURCES: list[dict[str, Any]] = [
    {"repo": "reuse-surface", "path": INDEX, "domain": "helix_forge", "required": True},
    {"repo": "state-hub", "path": f"examples/state-hub/{INDEX}", "domain": "helix_forge"},
    {"repo": "railiance-apps", "path": f"examples/railiance-apps/{INDEX}", "domain": "railiance"},
]


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files without a line per request."""

    disable_nagle_algorithm = True

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


def free_port(wanted: int) -> int:
    """Return *wanted*, or another port where something listens there already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def files() -> Iterator[str]:
    """Serve the repository's folder; yield the URL."""
    handler = functools.partial(Quiet, directory=str(HERE))
    with http.server.ThreadingHTTPServer(("127.0.0.1", free_port(8081)), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextlib.contextmanager
def hub() -> Iterator[str]:
    """Run the hub on .demo/data; yield its URL once it is ready."""
    port = free_port(8080)
    url = f"http://127.0.0.1:{port}"
    data = str(HERE / ".demo" / "data")
    command = [sys.executable, str(HERE / "cli.py"), "serve", "--port", str(port), "--data-dir", data]
    loopback = {"REUSE_SURFACE_TOKEN": TOKEN, "REUSE_SURFACE_ALLOW_NETWORKS": "127.0.0.0/8"}
    with LOG.open("w") as log:
        process = subprocess.Popen(command, env=os.environ | loopback, stderr=log)  # noqa: S603 - our own program
    try:
        wait_until_ready(process, url)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(15)


def wait_until_ready(process: subprocess.Popen[bytes], url: str) -> None:
    """Return once the hub answers /ready; end the demo when it stopped instead."""
    for _ in range(200):
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/ready", timeout=20):  # noqa: S310 - loopback
            return
        if process.poll() is not None:
            sys.exit(f"The hub did not start: {LOG.read_text()}")
        time.sleep(0.05)
    sys.exit("The hub did not become ready within 10 seconds.")


def typed(url: str, *words: str) -> None:
    """Show a command as one would type it, and run it."""
    shown = " ".join(word if re.fullmatch(r"[\w./:@=,-]+", word) else repr(word) for word in words)
    say(f"$ python3 cli.py {shown}")
    environ = os.environ | {"REUSE_SURFACE_URL": url, "REUSE_SURFACE_TOKEN": TOKEN}
    subprocess.run([sys.executable, str(HERE / "cli.py"), *words], env=environ, check=False)  # noqa: S603 - our own


def known(url: str) -> dict[str, str]:
    """Return the URLs of what the hub has stored, by repo."""
    with urllib.request.urlopen(f"{url}/v1/sources", timeout=20) as answer:  # noqa: S310 - loopback
        return {source["repo"]: source["url"] for source in json.load(answer)["sources"]}


def say(text: str = "") -> None:
    """Print a line at once."""
    print(text, flush=True)  # noqa: T201 - that is the demo


def register(url: str, base: str) -> None:
    """Register every source as a publisher would; of what was stored before, only what changed."""
    stored = known(url)
    for source in SOURCES:
        repo, place = source["repo"], f"{base}/{source['path']}"
        required = ["--required", "true"] if source.get("required") else []
        if repo not in stored:
            typed(url, "hub", "register", "--repo", repo, "--url", place, "--domain", source["domain"], *required)
        elif stored[repo] != place:
            typed(url, "hub", "update", "--repo", repo, "--url", place)
    if stored:
        typed(url, "hub", "refresh", "--all", "--force")


def show(url: str) -> None:
    """Look at the federation as a reader would, and tell where to go on."""
    typed(url, "hub", "status")
    typed(url, "hub", "list")
    typed(url, "hub", "search", "deploy", "--limit", "3")
    say(f"\nThe hub is up at {url}. In another terminal:")
    for line in (
        f"export REUSE_SURFACE_URL={url} REUSE_SURFACE_TOKEN={TOKEN}",
        "python3 cli.py --help",
        f"curl -s {url}/v1/federated",
        f"curl -s -H 'Accept: application/yaml' {url}/v1/federated",
    ):
        say(f"  {line}")
    say(f"Its log is {LOG.relative_to(HERE)}.")
    say("Ctrl-C stops it; the next make demo starts from what is stored in .demo/.")


def main() -> None:
    """Run the demo until Ctrl-C."""
    if "--fresh" in sys.argv:
        shutil.rmtree(HERE / ".demo", ignore_errors=True)
    LOG.parent.mkdir(exist_ok=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt), files() as base, hub() as url:
        say(f"A hub is up at {url}.")
        register(url, base)
        show(url)
        threading.Event().wait()


if __name__ == "__main__":
    main()
