"""Files are written one after the other: wherever a kill cuts in between, the next start tells what could be."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.builders import WRITER, capability, index, refresh, register, served, url_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    import respx

    from shared.settings import Settings
    from tests.builders import Hands

    Step = Callable[[httpx.AsyncClient], Awaitable[object]]

PATH = "/v1/repos/state-hub"
WHOLE, LESS, MORE = ((1, 2, 3, 4), (8, 9), (1, 2, 3, 4, 5))


def publishes(*numbers: int) -> httpx.Response:
    body = index(*(capability(number) for number in numbers))
    return httpx.Response(200, content=body, headers={"ETag": f'"{numbers}"'})


async def checked(client: httpx.AsyncClient) -> None:
    await refresh(client)


async def accepted(client: httpx.AsyncClient) -> None:
    await client.post(f"{PATH}/accept", headers=WRITER)


async def deregistered(client: httpx.AsyncClient) -> None:
    await client.delete(PATH, headers=WRITER)


async def registered(client: httpx.AsyncClient) -> None:
    await register(client)


def patched(**fields: Any) -> Step:
    async def patch(client: httpx.AsyncClient) -> None:
        await client.patch(PATH, json=fields, headers=WRITER)

    return patch


class Disk:
    """Copies the data directory before and after each change of it: what a kill between any two would leave."""

    def __init__(self, folder: Path, copies: Path) -> None:
        self._folder = folder
        self._copies = copies
        self._lock = threading.RLock()
        self.copies: list[Path] = []

    def copy(self) -> None:
        """Keep what is on the disk at this moment; drafts are swept away by every start."""
        place = self._copies / str(len(self.copies))
        shutil.copytree(self._folder, place, ignore=shutil.ignore_patterns("hub.lock", ".*"))
        self.copies.append(place)

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Copy around every rename and removal of a file, in whatever thread."""

        def around(act: Callable[..., None]) -> Callable[..., None]:
            def acting(*arguments: Any, **named: Any) -> None:
                with self._lock:
                    self.copy()
                    act(*arguments, **named)
                    self.copy()

            return acting

        with pytest.MonkeyPatch.context() as patch:
            for name in ("replace", "unlink"):
                patch.setattr(os, name, around(getattr(os, name)))
            yield


BEFORE: dict[str, list[Step]] = {
    "deregistered and registered again": [deregistered, registered],
    "the URL changed": [patched(url=url_of("moved")), checked],
    "the URL changed and back": [patched(url=url_of("moved")), patched(url=url_of("state-hub"))],
    "disabled and enabled": [patched(enabled=False), patched(enabled=True)],
    "held and accepted": [checked, accepted],
    "held and released by other content": [checked, checked],
    "failed": [checked],
}
ANSWERS = {
    "the URL changed": [publishes(*MORE)],
    "held and accepted": [publishes(*LESS)],
    "held and released by other content": [publishes(*LESS), publishes(*MORE)],
    "failed": [httpx.Response(500)],
}


@pytest.mark.parametrize("name", BEFORE)
async def test_a_start_after_a_kill_between_any_two_writes_tells_what_some_order_explains(
    name: str, settings: Settings, hands: Hands, upstream: respx.MockRouter, tmp_path: Path
) -> None:
    disk = Disk(settings.data_dir, tmp_path / "copies")
    routes = [upstream.get(url_of(repo)) for repo in ("state-hub", "moved")]
    for route in routes:
        route.side_effect = [publishes(*WHOLE)]
    async with served(settings, hands) as client:
        await register(client)
        await refresh(client)
        await client.post("/v1/federated/compose", headers=WRITER)
    for route in routes:
        route.side_effect = [*ANSWERS.get(name, [])]
    async with served(settings, hands) as client:
        with disk.watched():
            for step in BEFORE[name]:
                await step(client)

    assert len(disk.copies) > 3
    for copy in disk.copies:
        async with served(replace(settings, data_dir=copy), hands) as client:
            answer = await client.get(PATH)
            if answer.status_code == 200:
                await explained(client, answer.json(), copy)


async def explained(client: httpx.AsyncClient, row: dict[str, Any], copy: Path) -> None:
    """Check that what is told of the source is of one piece, and that no file is left which does not count."""
    source, document = row["source"], (await client.get("/v1/federated")).json()
    count, state, error = source["capability_count"], source["state"], source["error"]
    serves = state in {"fresh", "stale", "held"}
    assert len(document["capabilities"]) == (count if serves else 0)
    assert (source["digest"] is None) == (count == 0)
    assert (state in {"stale", "failed"}) == (error is not None), source
    assert (copy / "content" / "state-hub.json").exists() == (source["digest"] is not None)
    assert (copy / "held" / "state-hub.json").exists() == (source["held_digest"] is not None)
    assert (state == "held") == (source["held_digest"] is not None and row["enabled"] and error is None)
    assert (count, row["url"]) != (4, url_of("moved")) or state in {"stale", "held"}, source
    if state == "never" or (error or {}).get("type") == "source-unchecked":
        assert source["next_check_at"] == "2026-11-23T10:00:00Z"
    if row["revision"] == 3:
        # Registered, or enabled, or moved again: due at once, whatever an older record says.
        assert source["next_check_at"] == "2026-11-23T10:00:00Z"


async def test_what_was_registered_again_is_never_read_and_due_though_its_record_and_content_lie_there(
    settings: Settings, hands: Hands, upstream: respx.MockRouter
) -> None:
    upstream.get(url_of("state-hub")).mock(publishes(*WHOLE))
    async with served(settings, hands) as client:
        await register(client)
        await refresh(client)
    older = {name: (settings.data_dir / name).read_bytes() for name in ("sources.json", "content/state-hub.json")}
    async with served(settings, hands) as client:
        await deregistered(client)
        hands.advance(1)
        await register(client)
    for name, content in older.items():
        (settings.data_dir / name).write_bytes(content)

    async with served(settings, hands) as client:
        source = (await client.get(PATH)).json()["source"]
        served_now = (await client.get("/v1/federated")).json()["capabilities"]

    assert (source["state"], source["error"], source["digest"], source["capability_count"]) == ("never", None, None, 0)
    assert (source["next_check_at"], served_now) == ("2026-11-23T10:00:01Z", [])
    assert not (settings.data_dir / "content" / "state-hub.json").exists()


async def test_a_record_of_content_that_is_not_there_is_not_believed(
    settings: Settings, hands: Hands, upstream: respx.MockRouter
) -> None:
    upstream.get(url_of("state-hub")).mock(publishes(*WHOLE))
    async with served(settings, hands) as client:
        await register(client)
        await refresh(client)
    (settings.data_dir / "content" / "state-hub.json").unlink()

    async with served(settings, hands) as client:
        source = (await client.get(PATH)).json()["source"]

    assert (source["state"], source["error"], source["digest"], source["capability_count"]) == ("never", None, None, 0)
    assert source["next_check_at"] == "2026-11-23T10:00:00Z"


async def test_what_a_version_before_kept_is_served_on(
    settings: Settings, hands: Hands, upstream: respx.MockRouter
) -> None:
    """Its record was a list of four with dates, and its content had neither registration nor digest of its own."""
    route = upstream.get(url_of("state-hub"))
    route.side_effect = [publishes(*WHOLE), publishes(*LESS), httpx.Response(500)]
    async with served(settings, hands) as client:
        await register(client)
        for _ in range(3):
            await refresh(client)
        before = (await client.get("/v1/federated")).json()
    for folder in ("content", "held"):
        path = settings.data_dir / folder / "state-hub.json"
        kept = json.loads(path.read_bytes())
        for name in ("registered_at", "past", "instead_of", "sha256"):
            del kept[name]
        path.write_text(json.dumps(kept))
    path = settings.data_dir / "sources.json"
    ((repo, url, _, _, status, memory, _),) = json.loads(path.read_bytes())["sources"]
    del status["held_digest"]
    row = [repo, url, status, [memory[0], memory[1], "2020-01-01T00:00:00Z"]]
    path.write_text(json.dumps({"format": 1, "sources": [row]}))

    route.side_effect = [publishes(*LESS)]
    async with served(settings, hands) as client:
        after = (await client.get("/v1/federated")).json()
        source = (await client.get(PATH)).json()["source"]
        outcome = await refresh(client)

    assert after == before
    assert (source["state"], source["capability_count"], source["held_digest"] is not None) == ("stale", 4, True)
    assert outcome["outcome"] == "held"
