"""nginx, Caddy and Traefik, each started on loopback with a block of docs/deploy/Proxies.md as it stands there."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "deploy" / "Proxies.md").read_text(encoding="utf-8")
TOOLS = f"{ROOT / '.tools'}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
HOST = "tools.example"
KINDS = ("nginx", "Caddy", "Traefik")
MODES = {"alone": "", "stripping": "/reuse", "keeping": "/reuse"}
"""How a proxy leads to the hub, with the path of the public URL: the blocks of each section stand in this order."""
START_SECONDS = 60


class Binary(NamedTuple):
    """The program of a proxy, and what installs it."""

    name: str
    installed_by: str

    @property
    def path(self) -> str | None:
        """Where it is, or None."""
        return shutil.which(self.name, path=TOOLS)


BINARIES = {
    "nginx": Binary("nginx", "scripts/install-proxies"),
    "Caddy": Binary("caddy", "scripts/install-proxies"),
    "Traefik": Binary("traefik", "requirements-dev.txt"),
}


def missing(kind: str) -> str:
    """Return why a test behind *kind* can't run here; empty where it can."""
    binary = BINARIES[kind]
    return "" if binary.path else f"{binary.name} is not here: {binary.installed_by} brings it"


def blocks(kind: str) -> list[str]:
    """Return the blocks of the document for *kind*, in their order."""
    section = re.split(r"^## ", DOCUMENT, flags=re.MULTILINE)
    (text,) = [one for one in section if one.startswith(f"{kind}\n")]
    return re.findall(r"^```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def block_of(kind: str, mode: str) -> str:
    """Return the block that leads to a hub in the way *mode*."""
    shared = 1 if kind == "nginx" else 0
    return blocks(kind)[shared + list(MODES).index(mode)]


def free_port() -> int:
    """Return a port of loopback that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _nginx(folder: Path, mode: str, port: int) -> tuple[list[str], dict[str, str]]:
    places = "".join(f"{name}_temp_path {folder};\n" for name in ("proxy", "client_body", "fastcgi", "uwsgi", "scgi"))
    config = (
        f"daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log {folder}/log warn;\n"
        f"events {{}}\nhttp {{\naccess_log off;\ngzip on;\ngzip_types application/json;\ngzip_proxied any;\n{places}"
        f"{blocks('nginx')[0]}"
        f"server {{\nlisten 127.0.0.1:{port};\nserver_name {HOST};\n{block_of('nginx', mode)}}}\n}}\n"
    )
    return ["-p", str(folder), "-e", f"{folder}/log", "-c", "config"], {"config": config}


def _caddy(_folder: Path, mode: str, port: int) -> tuple[list[str], dict[str, str]]:
    # Without these, Caddy would get a certificate from the internet for the host.
    head = "{\nadmin off\nauto_https off\ndefault_bind 127.0.0.1\n}\n"
    site = block_of("Caddy", mode).replace(f"{HOST} {{", f"http://{HOST}:{port} {{")
    return ["run", "--adapter", "caddyfile", "--config", "config"], {"config": head + site}


def _traefik(_folder: Path, mode: str, port: int) -> tuple[list[str], dict[str, str]]:
    config = (
        "global: {checkNewVersion: false, sendAnonymousUsage: false}\nlog: {level: ERROR}\n"
        f"entryPoints: {{websecure: {{address: '127.0.0.1:{port}'}}}}\n"
        "providers: {file: {filename: dynamic.yaml, watch: false}}\n"
    )
    return ["--configFile=config.yaml"], {"config.yaml": config, "dynamic.yaml": block_of("Traefik", mode)}


_SETUPS = {"nginx": _nginx, "Caddy": _caddy, "Traefik": _traefik}


@contextlib.contextmanager
def proxying(kind: str, mode: str, folder: Path, hub_port: int) -> Iterator[int]:
    """Run *kind* before the hub at *hub_port*, with its files in *folder*; yield the port of the proxy."""
    port = free_port()
    arguments, files = _SETUPS[kind](folder, mode, port)
    for name, text in files.items():
        (folder / name).write_text(text.replace("127.0.0.1:8080", f"127.0.0.1:{hub_port}"), encoding="utf-8")
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (
        (folder / "said").open("wb") as said,
        subprocess.Popen(
            [str(BINARIES[kind].path), *arguments], cwd=folder, env=home, stdout=said, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            _wait_until_up(process, mode, port, folder)
            yield port
        finally:
            process.kill()


def _wait_until_up(process: subprocess.Popen[bytes], mode: str, port: int, folder: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        # Traefik listens before it knows where to lead to.
        with contextlib.suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", f"{MODES[mode]}/health", headers={"Host": HOST, "Connection": "close"})
            if connection.getresponse().status == 200:
                return
        time.sleep(0.02)
    raise AssertionError(f"the proxy did not come up: {(folder / 'said').read_text('utf-8', 'replace')}")
