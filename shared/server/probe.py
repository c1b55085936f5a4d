"""The health check of the image: asks the hub of this machine for its health, wherever it listens.

``python3 -I probe.py`` ends with 0 if a hub answers ``/health`` with 200, else with 1 and a line that says why. Host
and port are read from the command line of the hub's process, so that no setting has to repeat them.
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
    """Return host and port of the hub whose process has the command line *words*; None where that is no hub."""
    names = [Path(word).name for word in words]
    if "serve" not in names or not _NAMES & {*names[: names.index("serve")]}:
        return None
    reader = argparse.ArgumentParser(add_help=False)
    reader.add_argument("--host", default="127.0.0.1")
    reader.add_argument("--port", type=int, default=8080)
    options, _ = reader.parse_known_args(words)
    return _LOOPBACK.get(options.host, options.host), options.port


def processes(proc: Path) -> list[list[str]]:
    """Return the command line of every process in *proc*, a folder like ``/proc``, in the order of their ids."""
    command_lines = []
    for process in sorted(int(folder.name) for folder in proc.iterdir() if folder.name.isdecimal()):
        try:
            content = (proc / str(process) / "cmdline").read_bytes()
        except OSError:
            # The process has ended since, or is hidden from this user.
            continue
        command_lines.append(content.decode("utf-8", "replace").rstrip("\0").split("\0"))
    return command_lines


def check(proc: Path = Path("/proc")) -> str | None:
    """Return a line on why the hub of this machine is not healthy, None where it is."""
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
