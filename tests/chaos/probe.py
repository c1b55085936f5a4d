"""``probe.py PORT SECONDS``: asks for the health of a hub, and prints how many milliseconds each answer took as JSON.

It is a process of its own: in that of a test, its own threads would keep the answers waiting.
"""

from __future__ import annotations

import http.client
import json
import sys
import time


def main(port: int, seconds: float) -> None:
    """Ask on a new connection each time, as a kubelet does."""
    end, took = time.monotonic() + seconds, list[float]()
    while time.monotonic() < end:
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", "/health")
        answer = connection.getresponse()
        answer.read()
        connection.close()
        took.append(1000 * (time.monotonic() - began))
        if answer.status != http.client.OK:
            raise SystemExit(f"health: {answer.status}")
        time.sleep(0.02)
    print(json.dumps(took))  # noqa: T201 - for whoever started it


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
