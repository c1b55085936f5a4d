"""A hub with a past, served with its publishers, for browser tests and screenshots: a process of its own.

``python -m tests.browser.site FOLDER SOURCES [PATH]`` fills FOLDER, serves both on loopback, prints one line of JSON:
where the hub is, under PATH if that is given, and the folder of the files that publishers serve, for tests to change.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import http.server
import json
import os
import random
import socket
import sys
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn

from router import ENDPOINTS, application
from shared.clock import Clock
from shared.hub import Hub, open_hub
from shared.model.author import Author
from shared.problems import SearchTimeout
from shared.registration_fields import merged, read_fields
from shared.settings import Settings
from tests.builders import TOKEN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.applications import Starlette

DAY = 86400.0
FOR_TROUBLE = 20
LOOK = 240.0
AWAY = (3.5 * DAY, 3.2 * DAY)
DOMAINS = ("helix_forge", "railiance", "coulomb", "state_works", "agents", "data_commons", "observability", "identity")
VERBS = ("read", "register", "compose", "validate", "publish", "resolve", "watch", "repair", "measure", "route")
THINGS = ("invoice", "ledger", "cluster", "schema", "pipeline", "secret", "metric", "model", "tenant", "snapshot")
STATUSES = ("stable", "stable", "beta", "planned")
TAGS = ("http", "cli", "python", "kubernetes", "batch", "events", "docs", "internal")
HOSTILE = "<script>window.hurt=1</script><img src=x onerror=\"window.hurt=2\"> \"'&amp; {{ 7*7 }}"
LONG = "a-repository-whose-name-was-chosen-by-someone-who-had-never-seen-a-narrow-screen-" + 19 * "x"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves the publishers' files without a line per request."""

    disable_nagle_algorithm = True

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def publishing(folder: Path) -> Iterator[str]:
    """Serve *folder* on loopback; yield the URL."""
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def entry(number: int, chance: random.Random) -> dict[str, Any]:
    """Return one entry of an index, the same for the same *chance*."""
    verb, thing = chance.choice(VERBS), chance.choice(THINGS)
    return {
        "id": f"capability.{thing}.{verb}.n{number}",
        "name": f"{verb.capitalize()} a {thing}",
        "summary": f"Lets a caller {verb} any {thing} that it may see, one at a time or in batches of a hundred.",
        "vector": " / ".join(f"{letter}{chance.randint(0, 5)}" for letter in "DACR"),
        "status": chance.choice(STATUSES),
        "owner": f"team-{chance.randint(1, 9)}",
        "tags": sorted(chance.sample(TAGS, 2)),
        "path": f"registry/capabilities/{thing}-{verb}-{number}.md",
        "consumption_modes": ["http"],
    }


@dataclass
class Past:
    """A clock that starts in the past and is brought to the present."""

    behind: timedelta = field(default_factory=lambda: timedelta(days=30))

    def clock(self) -> Clock:
        """Return the clock that shows it."""
        return Clock(lambda: datetime.now(UTC) - self.behind)

    def come_to(self, seconds_ago: float) -> None:
        """Let the time come that was *seconds_ago* before the real one."""
        self.behind = min(self.behind, timedelta(seconds=seconds_ago))


@dataclass
class Story:
    """Writes what publishers publish, and has the hub register and read it."""

    hub: Hub
    past: Past
    folder: Path
    base: str
    chance: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311 - made-up data
    entries: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    writes: int = 1_700_000_000
    disabled: set[str] = field(default_factory=set)

    def amount(self) -> int:
        """Return how many entries a repo has: few have many."""
        return max(1, round(self.chance.paretovariate(1.2) * 4)) % 120

    def publish(self, repo: str, entries: list[dict[str, Any]]) -> None:
        """Write the index of *repo*."""
        self.entries[repo] = entries
        index = {"version": 1, "base_url": f"https://git.example.org/{repo}/", "capabilities": entries}
        self.write(repo, json.dumps(index))

    def write(self, repo: str, text: str) -> None:
        """Write what *repo* publishes as its index, whatever it is."""
        path = self.folder / f"{repo}.yaml"
        path.write_text(text, encoding="utf-8")
        # The publisher's 304 goes by whole seconds of this time: each version has a second of its own.
        self.writes += 1
        os.utime(path, (self.writes, self.writes))

    async def register(self, repo: str, amount: int, *, read: bool = True, **more: Any) -> None:
        """Publish *amount* entries as *repo*, register it, and have it read."""
        start = sum(map(len, self.entries.values()))
        self.publish(repo, [entry(start + number, self.chance) for number in range(amount)])
        body = {"repo": repo, "url": f"{self.base}/{repo}.yaml", "domain": self.chance.choice(DOMAINS), **more}
        made = await self.hub.store.add(read_fields(body, self.hub.guard), Author("operator"))
        self.hub.sources.watch(made)
        if read:
            await self.read(repo)

    async def deregister(self, repo: str) -> None:
        """Have the hub no longer follow *repo*."""
        await self.hub.store.remove(repo, Author("operator"))
        self.hub.sources.forget(repo)

    async def come_to(self, seconds_ago: float) -> None:
        """Let time pass until so long ago; the hub looks at its sources meanwhile, but for a time when it was away."""
        while (behind := self.past.behind.total_seconds()) - seconds_ago > LOOK:
            self.past.come_to(behind - LOOK)
            if not AWAY[1] < behind < AWAY[0]:
                await self.hub.timeline.look()
        self.past.come_to(seconds_ago)
        await self.hub.timeline.look()

    async def read(self, repo: str) -> None:
        """Have the source checked now."""
        await self.hub.sources.refresh(repo)

    async def patch(self, repo: str, **changes: Any) -> None:
        """Change the registration."""
        edited = await self.hub.store.update(
            repo, lambda current: merged(current, changes, self.hub.guard), Author("operator")
        )
        self.hub.sources.watch(edited.after)


async def tell(story: Story, sources: int) -> None:
    """Make a federation of *sources* sources, of every state and age."""
    names = [f"{story.chance.choice(THINGS)}-{story.chance.choice(VERBS)}-{number}" for number in range(sources)]
    names[:3] = ["reuse-surface", "state-hub", "railiance-apps"][:sources]
    parts = batches(names)
    for batch, repos in enumerate(parts):
        await story.come_to(30 * DAY - 25 * DAY * batch / len(parts))
        await asyncio.gather(*(story.register(repo, story.amount(), required=repo == names[1]) for repo in repos))
    await checked(story, names, 2 * DAY)
    if sources >= FOR_TROUBLE:
        await trouble(story, names[3:])
    await story.come_to(5 * 3600)
    for repo in names[::7]:
        story.publish(repo, [*story.entries[repo], entry(10**6 + len(story.entries[repo]), story.chance)])
    await checked(story, names, 3600)
    await story.come_to(0)


def batches(names: list[str]) -> list[list[str]]:
    """Return *names* in up to 25 batches."""
    size = max(1, len(names) // 25)
    return [names[start : start + size] for start in range(0, len(names), size)]


async def checked(story: Story, names: list[str], ago: float) -> None:
    """Check those of *names* that are switched on, spread over the time since *ago* seconds."""
    parts = batches(names)
    for batch, repos in enumerate(parts):
        await story.come_to(ago * (1 - batch / len(parts) / 2))
        await story.hub.sources.refresh_all(repo for repo in repos if repo not in story.disabled)


async def trouble(story: Story, names: list[str]) -> None:
    """Bring some of the sources *names* into each other state, and register those that no list of names holds."""
    share = max(1, len(names) // 40)
    stale, failed, held, disabled = (names[part * share : (part + 1) * share] for part in range(4))
    await story.come_to(0.8 * DAY)
    for repo in stale:
        story.write(repo, "version: 1\ncapabilities:\n- id: Not An Id\n  nmae: typing error\n- name: no id\n")
    for repo in held:
        story.publish(repo, story.entries[repo][:1])
    for repo in failed:
        await story.deregister(repo)
        await story.register(repo, 3, url=f"{story.base}/never-there/{repo}.yaml")
    for repo in disabled:
        await story.patch(repo, enabled=False)
        story.disabled.add(repo)
    for number in range(max(share, 2)):
        await story.register(f"just-registered-{number}", 3, read=False)
    domain = "a_domain_with_a_name_that_is_as_long_as_names_of_domains_may_be"
    await story.register(LONG, 2, domain=domain, description="Long. " * 150)
    await story.register("hostile", 1, description=HOSTILE)
    bad = {**dict.fromkeys(("name", "summary", "owner"), HOSTILE), "id": "capability.hostile.text", "tags": [HOSTILE]}
    link = {"id": "capability.bad.link", "name": "A bad link", "url": 'https://example.org/?"><b>'}
    story.publish("hostile", [bad, link])
    await story.read("hostile")


@contextlib.asynccontextmanager
async def hub_of(folder: Path, base: str, sources: int, url: str) -> AsyncIterator[tuple[Hub, Past]]:
    """Open a hub at the public URL *url* with the past of *sources* sources."""
    past = Past()
    (folder / "published").mkdir(parents=True)
    settings = Settings(
        data_dir=folder / "data", token=TOKEN, refresh=False, allow_networks=("127.0.0.0/8",),
        public_url=url,
    )  # fmt: skip
    hub = open_hub(settings, past.clock())
    async with hub.running():
        await tell(Story(hub, past, folder / "published", base), sources) if sources else past.come_to(0)
        await hub.federation.shown()
        while hub.search.version[0] < hub.federation.document.serial:
            with contextlib.suppress(SearchTimeout):
                await hub.search.caught_up()
        yield hub, past


def listening() -> socket.socket:
    """Return a socket that listens on a free port of loopback."""
    # Named, as a server's own are: asyncio sends at once (TCP_NODELAY) only on a socket that it knows to be TCP.
    made = socket.socket(proto=socket.IPPROTO_TCP)
    made.bind(("127.0.0.1", 0))
    made.listen(128)
    return made


async def serve(app: Starlette, sock: socket.socket) -> None:
    """Serve until the process is told to end."""
    config = uvicorn.Config(app, log_config=None, server_header=False, lifespan="off", timeout_graceful_shutdown=1)
    await uvicorn.Server(config).serve([sock])


async def main(folder: Path, sources: int, path: str = "") -> None:
    """Fill *folder*, serve it, and say where."""
    sock = listening()
    url = f"http://127.0.0.1:{sock.getsockname()[1]}{path}"
    with publishing(folder / "published") as base:
        async with hub_of(folder, base, sources, url) as (hub, _):
            said = {"url": url, "published": str(folder / "published"), "base": base}
            print(json.dumps(said), flush=True)  # noqa: T201 - that is how it is found
            await serve(application(hub, ENDPOINTS), sock)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]))
