"""Two requests at the same time: what comes of them is what comes of one after the other, or one is refused (409, 412).

``make fuzz`` tries every pair in every delay; the checks some, the same in every run.
"""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from tests.announced import announcing
from tests.builders import WRITER, Hands, capability, index, refresh, register, served, tag, url_of

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from shared.settings import Settings

ALL = os.environ.get("HYPOTHESIS_PROFILE") == "fuzz"
PATH = "/v1/repos/state-hub"
REFUSED = {409, 412}
HELD = index(capability(8))
SEEN = "the ETag that the registration had before both"

BODY = {"repo": "state-hub", "url": url_of("state-hub"), "domain": "helix_forge"}
ACTIONS: dict[str, tuple[str, str, dict[str, Any] | None, str | None]] = {
    "accept": ("POST", f"{PATH}/accept", None, None),
    "refresh": ("POST", f"{PATH}/refresh", None, None),
    "compose": ("POST", "/v1/federated/compose?force=true", None, None),
    "move": ("PATCH", PATH, {"url": url_of("moved")}, None),
    "disable": ("PATCH", PATH, {"enabled": False}, SEEN),
    "describe": ("PATCH", PATH, {"description": "d"}, SEEN),
    "replace": ("PUT", PATH, {**BODY, "required": True}, "*"),
    "deregister": ("DELETE", PATH, None, SEEN),
    "register": ("POST", "/v1/repos", BODY, None),
    "take the URL": ("POST", "/v1/repos", {**BODY, "repo": "other"}, None),
    "nothing": ("GET", PATH, None, None),
}
PAIRS = list(product([name for name in ACTIONS if name != "nothing"], repeat=2))
CHOSEN = PAIRS if ALL else random.Random(11).sample(PAIRS, 8)  # noqa: S311 - the same in every run
DELAYS = (0, 1, 2, 3, 5, 8, 13, 21) if ALL else (0, 3)
Shown = tuple[Any, ...]


async def act(client: httpx.AsyncClient, name: str, seen: str, turns: int = 0) -> int:
    """Carry out one action after so many turns of the loop; return the status. *seen* is the ETag before both."""
    method, path, body, if_match = ACTIONS[name]
    for _ in range(turns):
        await asyncio.sleep(0)
    headers = WRITER if if_match is None else {**WRITER, "If-Match": if_match.replace(SEEN, seen)}
    return (await client.request(method, path, json=body, headers=headers)).status_code


async def shown(client: httpx.AsyncClient) -> Shown:
    """Return all that is shown but times, once the index shows the present."""
    await client.post("/v1/federated/compose", headers=WRITER)
    rows = (await client.get("/v1/repos")).json()["repos"]
    document = (await client.get("/v1/federated")).json()
    history = (await client.get(f"{PATH}/history")).json()["history"]
    named = [(row["repo"], row["url"], row["enabled"], row["required"], row["description"]) for row in rows]
    states = [(row["source"]["state"], row["source"]["digest"], row["source"]["held_digest"]) for row in rows]
    entries = [(row["source_repo"], row["id"]) for row in document["capabilities"]]
    return named, states, entries, sorted(line["action"] for line in history)


class Hubs:
    """Hubs that all have the same past: a source with four capabilities, of which less is held."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self._number = 0

    async def run(self, first: str, second: str, turns: int | None) -> tuple[list[int], Shown]:
        """Do two things, the second after so many turns of the loop or, for None, after the first one is answered."""
        self._number += 1
        settings = replace(self._settings, data_dir=self._folder / str(self._number))
        with announcing() as sources:
            source = sources.get(url_of("state-hub")).respond(content=index(*map(capability, range(4))))
            sources.get(url_of("moved")).respond(content=index(*map(capability, range(5))))
            async with served(settings, Hands()) as client:
                await register(client)
                await refresh(client)
                source.respond(content=HELD)
                await refresh(client)
                seen = await tag(client)
                if turns is None:
                    statuses = [await act(client, first, seen), await act(client, second, seen)]
                else:
                    statuses = [*await asyncio.gather(act(client, first, seen), act(client, second, seen, turns))]
                return statuses, await shown(client)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("first", "second"), CHOSEN, ids=[" and ".join(pair) for pair in CHOSEN])
async def test_two_requests_at_once_come_to_what_one_after_the_other_does(
    first: str, second: str, settings: Settings, tmp_path: Path
) -> None:
    hubs = Hubs(settings, tmp_path / "hubs")
    orders = [(first, second), (second, first)]
    both = [(await hubs.run(*order, None))[1] for order in orders]
    alone = [(await hubs.run(name, "nothing", None))[1] for name in (first, second)]
    for turns in DELAYS:
        statuses, state = await hubs.run(first, second, turns)
        assert max(statuses) < 500, statuses
        # Who is refused has changed nothing.
        possible = [done for done, other in zip(alone, reversed(statuses), strict=True) if other in REFUSED]
        assert state in both + possible, (turns, statuses)
