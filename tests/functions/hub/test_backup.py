from __future__ import annotations

import asyncio
import io
import json
import os
import tarfile
import threading
from typing import TYPE_CHECKING, Any

import pytest

from shared.problems import StorageUnavailable
from shared.storage.archive import FIRST
from shared.storage.files.snapshot import FilesSnapshot as Snapshot
from tests.builders import WRITER, problem, register, url_of

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from shared.hub import Hub
    from tests.builders import Hands


def names(content: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return tar.getnames()


async def test_streams_a_tar_of_all_that_is_kept(client: httpx.AsyncClient, hub: Hub, hands: Hands) -> None:
    await register(client)
    hands.advance(60)

    answer = await client.get("/v1/backup", headers=WRITER)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-tar"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-disposition"] == 'attachment; filename="reuse-surface-2026-11-23T100100Z.tar"'
    assert names(answer.content)[0] == FIRST
    assert "registrations.json" in names(answer.content)
    assert hub.tally.moments["backup"] - hub.tally.moments["start"] == 60


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer another-token-of-nobody"}], ids=["none", "wrong"])
async def test_is_for_those_with_a_token(client: httpx.AsyncClient, hub: Hub, headers: dict[str, str]) -> None:
    answer = await client.get("/v1/backup", headers=headers)

    problem(answer, "unauthorized")
    assert "backup" not in hub.tally.moments


@pytest.mark.parametrize(("change", "slug"), [({"params": {"x": "1"}}, "bad-query"), ({}, "not-acceptable")])
async def test_takes_no_parameters_and_offers_a_tar_only(
    client: httpx.AsyncClient, change: dict[str, Any], slug: str
) -> None:
    accept = "application/json" if slug == "not-acceptable" else "*/*"
    problem(await client.get("/v1/backup", headers=WRITER | {"Accept": accept}, **change), slug)


async def test_leaves_nothing_on_the_volume(client: httpx.AsyncClient, hub: Hub) -> None:
    def everything() -> list[Path]:
        return sorted(hub.settings.data_dir.rglob("*"))

    await client.get("/v1/backup", headers=WRITER)
    before = everything()

    await client.head("/v1/backup", headers=WRITER)
    await client.get("/v1/backup", headers=WRITER)

    assert everything() == before


async def test_to_ask_for_its_head_takes_none(
    client: httpx.AsyncClient, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = await client.get("/v1/backup", headers=WRITER)
    hub.tally.moments.pop("backup")
    monkeypatch.setattr(Snapshot, "__init__", lambda *_, **__: pytest.fail("a snapshot was taken"))

    answer = await client.head("/v1/backup", headers=WRITER)

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers.items() - whole.headers.items() <= {("x-request-id", answer.headers["x-request-id"])}
    assert "backup" not in hub.tally.moments


async def test_the_links_of_thousands_of_files_are_removed_beside_the_event_loop(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[threading.Thread] = []
    close = Snapshot.close

    def closing(snapshot: Snapshot) -> None:
        closed.append(threading.current_thread())
        close(snapshot)

    monkeypatch.setattr(Snapshot, "close", closing)

    assert (await client.get("/v1/backup", headers=WRITER)).status_code == 200
    assert [thread is threading.current_thread() for thread in closed] == [False]


@pytest.mark.parametrize("full", [False, True], ids=["taken", "refused"])
async def test_one_whose_client_went_away_while_it_was_taken_leaves_nothing(
    client: httpx.AsyncClient, hub: Hub, monkeypatch: pytest.MonkeyPatch, *, full: bool
) -> None:
    await register(client)
    begun, go_on, link = threading.Event(), threading.Event(), os.link

    def linking(*names: Path) -> None:
        begun.set()
        go_on.wait(10)
        if full:
            raise StorageUnavailable("Full.")
        link(*names)

    monkeypatch.setattr(os, "link", linking)
    asking = asyncio.create_task(client.get("/v1/backup", headers=WRITER))
    await asyncio.to_thread(begun.wait, 10)
    asking.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await asking

    assert list(hub.settings.data_dir.glob(".snapshot-*")) == []
    assert "backup" not in hub.tally.moments


async def test_is_consistent_under_writes(client: httpx.AsyncClient) -> None:
    async def write(number: int) -> None:
        await register(client, f"r{number}", url=url_of(f"r{number}"))

    for number in range(3):
        await write(number)
    writes = [asyncio.create_task(write(number)) for number in range(3, 23)]
    while not any(one.done() for one in writes[:1]):  # noqa: ASYNC110 - a batch that is written tells nobody
        await asyncio.sleep(0)
    more = [asyncio.create_task(write(number)) for number in range(23, 43)]
    answer = await client.get("/v1/backup", headers=WRITER)
    await asyncio.gather(*writes, *more)

    with tarfile.open(fileobj=io.BytesIO(answer.content)) as tar:
        found = {one.name: (tar.extractfile(one) or io.BytesIO()).read() for one in tar}
    about = json.loads(found[FIRST])
    rows = [repo for repo in json.loads(found["registrations.json"])["repos"] if repo.startswith("r")]
    lines = found["history.jsonl"].splitlines()[1:]
    assert 4 <= about["registrations"] == len(rows) == len(lines) <= 43
