"""``steps.py FOLDER SEED``: a hub that is killed before each of its operations on files, and started again.

Prints a line of JSON for each number of an operation that it reads from its input, 0 for none: what the hub showed
after each request that was answered, and what the next start shows. It forks for each, and has no thread itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.settings import Settings
from tests.announced import announcing
from tests.builders import TOKEN, WRITER, Hands, capability, index, served, url_of
from tests.chaos.faults.sitecustomize import PAGE, Page, replace_files, replace_writing

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    import httpx
    import respx

REPOS = ("first", "second")
WHOLE, LESS, MORE = ((1, 2, 3, 4), (8, 9), (1, 2, 3, 4, 5))
STARTING = 12
"""The start after a kill is killed too, before one of so many operations."""


def body(repo: str, **changes: object) -> dict[str, object]:
    """Return a registration."""
    return {"repo": repo, "url": url_of(repo), "domain": "helix_forge", **changes}


def publishing(routes: respx.MockRouter, repo: str, *numbers: int) -> None:
    """Let the source of *repo* answer with these capabilities from now on."""
    content = index(*map(capability, numbers))
    routes.get(url_of(repo)).respond(content=content, headers={"ETag": f'"{numbers}"'})


# Each is one request, with what the sources answer before it.
STEPS: list[tuple[str, str, dict[str, object] | None, dict[str, tuple[int, ...]]]] = [
    ("POST", "/v1/repos", body("first"), {"first": WHOLE, "second": LESS, "moved": MORE}),
    ("POST", "/v1/repos/first/refresh", None, {}),
    ("PUT", "/v1/repos/second", body("second", required=True), {}),
    ("POST", "/v1/federated/compose", None, {}),
    ("PATCH", "/v1/repos/first", {"description": "d"}, {}),
    ("POST", "/v1/repos/first/refresh", None, {"first": LESS}),
    ("POST", "/v1/repos/first/accept", None, {}),
    ("POST", "/v1/repos/first/refresh", None, {"first": WHOLE}),
    ("PATCH", "/v1/repos/first", {"url": url_of("moved")}, {}),
    ("POST", "/v1/repos/first/refresh", None, {}),
    ("DELETE", "/v1/repos/second", None, {}),
    ("POST", "/v1/repos", body("second"), {}),
    ("POST", "/v1/repos/second/refresh", None, {}),
    ("PATCH", "/v1/repos/second", {"enabled": False}, {}),
]


async def view(client: httpx.AsyncClient) -> dict[str, Any]:
    """Return what the hub shows, without what only says when."""
    rows = (await client.get("/v1/repos")).json()["repos"]
    answer = await client.get("/v1/federated")
    document = answer.json()
    histories = [(await client.get(f"/v1/repos/{repo}/history")).json().get("history", []) for repo in REPOS]
    named = ("repo", "url", "enabled", "required", "description", "revision", "sequence")
    told = ("state", "digest", "held_digest")
    return {
        "rows": [[row.get(name) for name in named] + [row["source"][name] for name in told] for row in rows],
        "entries": [[row["source_repo"], row["id"]] for row in document["capabilities"]],
        "history": [[[line["action"], line["revision"]] for line in lines] for lines in histories],
        "serial": document["serial"],
        "sha256": hashlib.sha256(answer.content).hexdigest(),
        "unexplained": [row["repo"] for row in rows if not explained(row["source"])],
    }


def explained(source: dict[str, Any]) -> bool:
    """Tell whether a source that failed says why, and only such a one."""
    return (source["state"] in {"stale", "failed"}) == (source["error"] is not None)


def settings(data: Path) -> Settings:
    """Return settings of a hub that fetches only when asked."""
    return Settings(data_dir=data, token=TOKEN, refresh=False, public_url="http://hub")


async def live(data: Path, tell: Callable[[object], None]) -> None:
    """Carry out every step, and *tell* after each what is shown."""
    hands = Hands()
    with announcing() as routes:
        async with served(settings(data), hands) as client:
            tell(await view(client))
            for method, path, content, published in STEPS:
                for repo, numbers in published.items():
                    publishing(routes, repo, *numbers)
                hands.advance(1)
                answer = await client.request(method, path, json=content, headers=WRITER)
                assert answer.status_code < 300, answer.text
                tell(await view(client))


async def start(data: Path, tell: Callable[[object], None]) -> None:
    """Start, and *tell* what is shown."""
    hands = Hands()
    hands.advance(100)
    async with served(settings(data), hands) as client:
        tell(await view(client))


def forked(run: Callable[[Path, Callable[[object], None]], Coroutine[Any, Any, None]], data: Path) -> list[Any]:
    """Run in a process of its own, to its end or until it is killed; return what it told."""
    reading, writing = os.pipe()

    def tell(what: object) -> None:
        os.write(writing, json.dumps(what).encode() + b"\n")

    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            asyncio.run(run(data, tell))
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        lines = [json.loads(line) for line in pipe]
    os.waitpid(child, 0)
    return lines


def main(folder: Path, seed: int) -> None:
    """Answer each line of the input."""
    page_file, data = folder / "page", folder / "data"
    page_file.write_bytes(b"\0" * 2 * PAGE)
    os.environ["CHAOS_DATA"] = str(data)
    page, chance = Page(str(page_file)), random.Random(seed)  # noqa: S311 - chooses where a start is killed
    replace_files(page)
    replace_writing(page)

    def command(kill: int) -> None:
        page_file.write_bytes(json.dumps({"kill": kill}).encode().ljust(PAGE, b"\0") + b"\0" * PAGE)

    for line in sys.stdin:
        shutil.rmtree(data, ignore_errors=True)
        command(int(line) or -1)
        told = forked(live, data)
        steps = page.counted("step")
        command(chance.randrange(1, STARTING))
        forked(start, data)
        command(-1)
        print(json.dumps({"told": told, "then": forked(start, data), "steps": steps}), flush=True)  # noqa: T201 - for whoever started it


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
