"""What the event loop does for a read does not grow with how much is registered: it is counted in steps, not in time.

A step is one instruction of Python on the loop's own thread. What other threads do is not counted: there a walk over
all registrations delays nobody. Each read is asked for once before, so that what is kept until something changes lies
ready.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import TYPE_CHECKING, Any

from router import ENDPOINTS, application
from shared.hub import open_hub
from shared.model.author import Author
from shared.model.registration import RegistrationFields
from shared.settings import Settings
from tests import builders
from tests.announced import announcing
from tests.builders import TOKEN, Hands, capability, index

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path
    from types import FrameType

    from starlette.applications import Starlette

    from shared.hub import Hub

FEW, MANY = 150, 600
TIMES = 4
WRITES = [(b"authorization", f"Bearer {TOKEN}".encode()), (b"content-type", b"application/json")]
PLACES = builders.PLACES | {"repo": "r-0001", "domain": "d", "identifier": "urn:air:hub:r-0000:n1"}
READS = [path.format_map(PLACES) for method, path, *_ in ENDPOINTS if method == "GET"]
SELECTIONS = [
    "/v1/repos?domain=d",
    "/v1/repos?domain=none",
    "/v1/repos?state=failed&limit=1",
    "/v1/repos?enabled=true&limit=1",
    "/v1/sources?format=yaml",
    "/v1/findings?domain=none",
    "/v1/findings?severity=error&limit=1",
    "/v1/findings?kind=conflict",
    "/v1/findings?repo=r-0001",
    "/sources?q=x&sort=state&order=down",
    "/findings?domain=none",
    "/capabilities?q=example",
    "/v1/capabilities?q=example&limit=1",
    "/v1/capabilities?domain=d&limit=1",
    "/v1/federated/changes?since=0&limit=1",
    "/ard/agents?pageSize=1",
    "/ard/agents?pageSize=1&filter=type%3D'x'",
]


class Steps:
    """Counts the instructions that this thread executes within ``counting``."""

    def __init__(self) -> None:
        self.number = 0

    def _trace(self, frame: FrameType, event: str, _: object) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        self.number += event == "opcode"
        return self._trace

    @contextlib.contextmanager
    def counting(self) -> Iterator[None]:
        """Count; a measurement of coverage under way pauses meanwhile."""
        before = sys.gettrace()
        sys.settrace(self._trace)
        try:
            yield
        finally:
            sys.settrace(before)


async def requested(app: Starlette, target: str, body: bytes = b"") -> int:
    """Return the status of one GET of *target*, or of one POST of *body*, as JSON and with the token."""
    path, _, query = target.partition("?")
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        statuses.append(message.get("status", 0))

    scope = {
        "type": "http", "method": "POST" if body else "GET", "path": path, "raw_path": path.encode(),
        "query_string": query.encode(), "headers": WRITES if body else [], "client": ("::1", 50000),
        "server": ("hub", 80), "scheme": "http", "http_version": "1.1", "root_path": "",
    }  # fmt: skip
    await app(scope, receive, send)
    return statuses[0]


async def steps(app: Starlette, target: str) -> int:
    """Return the steps of the second of equal requests, or of a later one where that was less.

    Other tasks of the hub take a turn now and then while a request waits; hardly within each of several.
    """
    assert await requested(app, target) < 500
    numbers = []
    for _ in range(TIMES):
        counted = Steps()
        with counted.counting():
            await requested(app, target)
        numbers.append(counted.number)
    return min(numbers)


@contextlib.asynccontextmanager
async def filled(folder: Path, size: int) -> AsyncIterator[Starlette]:
    """Run a hub of *size* registrations: one publishes as many capabilities, the others can't be found."""
    settings = Settings(data_dir=folder, token=TOKEN, refresh=False, public_url="http://hub")
    hub = open_hub(settings, Hands().clock())
    with announcing() as upstream:
        upstream.get("https://a.example/0").respond(content=index(*map(capability, range(size))))
        upstream.route().respond(404)
        async with hub.running():
            await _register(hub, size)
            yield application(hub, ENDPOINTS)


async def _register(hub: Hub, size: int) -> None:
    wanted = [
        RegistrationFields(repo=f"r-{number:04}", url=f"https://a.example/{number}", domain="d")
        for number in range(size)
    ]
    for one in await asyncio.gather(*(hub.store.add(one, Author("operator")) for one in wanted)):
        hub.sources.watch(one)
    await hub.sources.refresh_all(hub.sources.schedule.due())
    await hub.registry.shown("The sources were read.")


async def counted(folder: Path, size: int) -> dict[str, int]:
    """Return the steps of each read at a hub of *size* registrations."""
    async with filled(folder, size) as app:
        return {target: await steps(app, target) for target in [*READS, *SELECTIONS]}


async def test_a_read_takes_no_step_for_each_registration_or_capability(tmp_path: Path) -> None:
    few, many = await counted(tmp_path / "few", FEW), await counted(tmp_path / "many", MANY)

    grown = {target: many[target] - few[target] for target in few}
    assert {target: steps for target, steps in grown.items() if steps >= MANY - FEW} == {}
