"""A publisher for measurements: serves generated indexes over HTTP/1.1, fast enough not to be what is measured.

``GET /<name>/<generation>`` answers the index of *name* in that generation, with an ETag and 304; ``?`` is not read.
A name that begins with ``messy-`` is one with long summaries; every fifth of these fails from generation 2 on. One that
begins with ``full-`` is nearly as large as an index may be.
``POST /generation/<n>`` makes every plain ``GET /<name>`` answer generation *n* from then on, ``POST /<name>/<n>`` that
of one name.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable

ENTRIES = 10
FULL_ENTRIES = 7690
_WORDS = ("offer", "reuse", "prüfung", "größe", "каталог", "поиск", "能力", "検索", "source", "entry")
_REQUEST = re.compile(rb"(\w+) /([\w.-]+)(?:/(\d+))? ")
_CONDITION = re.compile(rb"\r\nif-none-match: *([^\r]*)", re.IGNORECASE)


def messy(name: str, generation: int) -> tuple[bytes, bytes]:
    """Return the index of a repo with 12 or 13 entries and long summaries, of which a tenth change each generation.

    Every fifth goes wrong from generation 2 on: half of them have faults in every entry, the others are no YAML.
    """
    number = int(name.rsplit("-", 1)[1])
    turn = (generation + number) // 10
    faulty = generation > 1 and number % 5 == 0
    lines = ["version: 1", f"repo: {name}", "domain: bench", "capabilities:"]
    for entry in range(12 + number % 2):
        parts = (f"word-{number * 7919 % 5003} of {name} in part {part} at turn {turn}," for part in range(10))
        lines += [
            f"- id: capability.{name}.n{entry}",
            f"  name: Capability {entry} of {name}",
            f"  summary: >-\n    {' '.join(parts)}",
            f"  vector: {'7' if faulty else 'D5 / A4 / C3 / R2'}",
            f"  status: stable\n  owner: team-{entry}\n  tags: [bench, {name}, tag-{number % 97}]",
            f"  path: registry/capabilities/n{entry}.md\n  consumption_modes: [http, cli]",
        ]
    if faulty and number % 2:
        lines.append("}: [")
    return ("\n".join(lines) + "\n").encode(), f'"{name}-{turn}-{faulty}"'.encode()


@lru_cache(maxsize=2)
def full(name: str, generation: int) -> tuple[bytes, bytes]:
    """Return an index of FULL_ENTRIES entries, 4.9 MB: short and long texts, half of them in letters beyond ASCII.

    Every tenth entry has an id that all such indexes claim, most of them with other words; a tenth change with each
    generation.
    """
    number = int(name.rsplit("-", 1)[1])
    chance = random.Random(number)  # noqa: S311 - texts
    entries = [_full_entry(name, place, (generation + place) // 10, chance) for place in range(FULL_ENTRIES)]
    body = json.dumps({"version": 1, "domain": "bench", "capabilities": entries}, ensure_ascii=False).encode()
    return body, f'"{name}-{generation}"'.encode()


def _full_entry(name: str, place: int, turn: int, chance: random.Random) -> dict[str, object]:
    owner = "shared" if place % 10 == 0 else name
    words = " ".join(f"{chance.choice(_WORDS)}{chance.randrange(100_000)}" for _ in range(chance.choice((2, 20, 56))))
    return {
        "id": f"capability.{owner}.n{place}",
        "name": f"Capability {place} of {owner}",
        "summary": f"What {name} offers in turn {turn}: {words}"[:1000],
        "vector": "D5 / A4 / C3 / R2",
        "status": "stable",
        "owner": f"team-{place % 97}",
        "tags": ["bench", f"tag-{place % 997}", chance.choice(_WORDS)],
        "path": f"registry/capabilities/n{place}.md",
        "consumption_modes": ["http", "cli"],
    }


@lru_cache(maxsize=20_000)
def index(name: str, generation: int) -> tuple[bytes, bytes]:
    """Return the index of *name* and its entity tag; a generation differs in one line of each entry."""
    lines = ["version: 1", f"repo: {name}", "domain: bench", "capabilities:"]
    for number in range(ENTRIES):
        lines += [
            f"- id: capability.{name}.n{number}",
            f"  name: Capability {number} of {name}",
            f"  summary: What {name} offers under number {number} for reuse by others, in generation {generation}.",
            "  vector: D5 / A4 / C3 / R2",
            "  status: stable",
            f"  owner: team-{number}",
            "  tags: [bench, generated, example]",
            f"  path: registry/capabilities/n{number}.md",
            "  consumption_modes: [http, cli]",
        ]
    body = ("\n".join(lines) + "\n").encode()
    return body, f'"{name}-{generation}"'.encode()


KINDS: dict[str, Callable[[str, int], tuple[bytes, bytes]]] = {"messy": messy, "full": full}


class Publisher(asyncio.Protocol):
    """One connection; requests are answered in the order they come."""

    generation = 1
    of_one: ClassVar[dict[bytes, int]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        """Answer every whole request that has arrived."""
        self._rest += data
        while b"\r\n\r\n" in self._rest:
            head, _, self._rest = self._rest.partition(b"\r\n\r\n")
            self._transport.write(self._answer(head))  # type: ignore[attr-defined]

    def _answer(self, head: bytes) -> bytes:
        found = _REQUEST.match(head)
        if found is None:
            return b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
        if found[1] == b"POST":
            self._turn(found[2], int(found[3]))
            return b"HTTP/1.1 204 No Content\r\n\r\n"
        name, generation = found[2].decode(), int(found[3] or self.of_one.get(found[2], Publisher.generation))
        body, tag = KINDS.get(name.partition("-")[0], index)(name, generation)
        condition = _CONDITION.search(head)
        if condition and condition[1] == tag:
            return b"HTTP/1.1 304 Not Modified\r\nETag: %s\r\n\r\n" % tag
        return b"HTTP/1.1 200 OK\r\nETag: %s\r\nContent-Type: application/yaml\r\nContent-Length: %d\r\n\r\n%s" % (
            tag,
            len(body),
            body,
        )

    @classmethod
    def _turn(cls, name: bytes, generation: int) -> None:
        if name == b"generation":
            cls.generation = generation
            cls.of_one.clear()
        else:
            cls.of_one[name] = generation


async def main(port: int) -> None:
    """Serve until the process is ended; say so on the first line of the output."""
    server = await asyncio.get_running_loop().create_server(Publisher, "127.0.0.1", port, backlog=1024)
    print("serving", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
