"""The health check of the image: asks the hub of this machine for its health, wherever it listens.

``python3 -I probe.py`` ends with 0 if a hub answers ``/health`` with 200, else with 1 and a line that says why. Where
it listens is read from the command line of its process, which is the same whoever started it.
"""

from __future__ import annotations

import argparse
import http.client
import sys
from pathlib import Path

_SECONDS = 2
_LOOPBACK = {"": "127.0.0.1", "*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "127.0.0.1"}  # noqa: S104 - read only
_NAMES = {"cli.py", "reuse-surface"}


def listening(words: list[str]) -> tuple[str, int] | None:
    """Return host and port at which the process of the command line *words* can be asked; None if it is no hub."""
    names = [Path(word).name for word in words]
    if "serve" not in names or not _NAMES & {*names[: names.index("serve")]}:
        return None
    reader = argparse.ArgumentParser(add_help=False)
    reader.add_argument("--host", default="127.0.0.1")
    reader.add_argument("--port", type=int, default=8080)
    options, _ = reader.parse_known_args(words)
    return _LOOPBACK.get(options.host, options.host), options.port


def processes(proc: Path) -> list[list[str]]:
    """Return the command lines of all processes that *proc*, the folder of a procfs, has, in the order of their ids."""
    found = []
    for folder in sorted((one for one in proc.iterdir() if one.name.isdecimal()), key=lambda one: int(one.name)):
        try:
            content = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        found.append(content.decode("utf-8", "replace").rstrip("\0").split("\0"))
    return found


def check(proc: Path = Path("/proc")) -> str | None:
    """Return what is wrong with the hub of this machine, None where it is healthy."""
    places = [place for words in processes(proc) if (place := listening(words))]
    if not places:
        return "no process of this machine serves a hub"
    host, port = places[0]
    connection = http.client.HTTPConnection(host, port, timeout=_SECONDS)
    try:
        connection.request("GET", "/health")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as fault:
        return f"the hub at {host}, port {port}, does not answer: {fault}"
    finally:
        connection.close()
    return None if status == http.client.OK else f"the hub at {host}, port {port}, answers /health with {status}"


if __name__ == "__main__":
    sys.exit(check())
