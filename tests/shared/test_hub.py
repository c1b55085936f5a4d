from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from shared.files import DataDirectory
from shared.hub import Hub, open_hub
from shared.problems import StartError
from shared.registration import wanted
from shared.store import Author
from tests.builders import Hands, registration

if TYPE_CHECKING:
    import respx

    from shared.settings import Settings


async def test_is_ready_while_it_runs_and_says_what_does_not(settings: Settings, hands: Hands) -> None:
    hub = open_hub(settings, hands.clock())
    assert hub.checks() == {"storage": "ok", "federation": "not running", "search": "not running", "refresher": "off"}

    async with hub.running():
        assert hub.checks() == {"storage": "ok", "federation": "ok", "search": "ok", "refresher": "off"}

    assert hub.checks()["federation"] == "not running"


async def test_the_refresher_counts_where_it_is_on(settings: Settings, hands: Hands) -> None:
    hub = open_hub(replace(settings, refresh=True), hands.clock())
    assert hub.checks()["refresher"] == "not running"

    async with hub.running():
        assert hub.checks()["refresher"] == "ok"
        hub.tasks["refresher"].cancel()
        await asyncio.wait([hub.tasks["refresher"]])
        assert hub.checks()["refresher"] == "not running"


async def test_its_end_finishes_every_write_and_frees_the_data_directory(settings: Settings, hands: Hands) -> None:
    hub = open_hub(settings, hands.clock())
    async with hub.running():
        write = asyncio.create_task(hub.store.add(wanted(registration(), hub.guard), Author("anna")))
        await asyncio.sleep(0)

    assert write.done()
    async with open_hub(settings, hands.clock()).running():
        pass


async def test_ends_though_a_source_never_answers(hub: Hub, upstream: respx.MockRouter) -> None:
    async def hang(_: object) -> None:
        await asyncio.Event().wait()

    upstream.get(registration()["url"]).mock(side_effect=hang)
    made = await hub.store.add(wanted(registration(), hub.guard), Author("anna"))
    hub.sources.watch(made)
    check = asyncio.create_task(hub.sources.refresh("state-hub"))
    await asyncio.sleep(0.01)

    await hub.sources.close()

    assert hub.sources.under_way() == []
    with pytest.raises(asyncio.CancelledError):
        await check


@pytest.mark.parametrize("name", ["registrations.json", "history.jsonl", "sources.json", "federated.json"])
def test_a_start_that_fails_lets_go_of_the_data_directory(settings: Settings, name: str) -> None:
    settings.data_dir.mkdir()
    (settings.data_dir / name).write_bytes(b"something else")

    with pytest.raises(StartError, match=name):
        open_hub(settings)

    DataDirectory(settings.data_dir).close()
    assert (settings.data_dir / name).read_bytes() == b"something else"


def test_opens_on_the_clock_of_the_machine_where_none_is_given(settings: Settings) -> None:
    hub = open_hub(settings)

    assert hub.checks()["storage"] == "ok"
    hub.directory.close()
