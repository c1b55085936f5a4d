from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

import orjson
import pytest

from shared.hub import open_hub
from shared.model.spans import Span
from shared.model.status import STATES
from shared.sources.timeline import Timeline
from tests.builders import START, client_of, index, refresh, register, url_of

if TYPE_CHECKING:
    import httpx
    import respx

    from shared.hub import Hub
    from shared.model.source import SourceView
    from shared.settings import Settings
    from tests.builders import Hands

BEGAN = int(START.timestamp())
NEVER, FRESH = (1, 0, 0, 0, 0, 0), (0, 1, 0, 0, 0, 0)


def spans(timeline: Timeline) -> list[Span]:
    """Return what is known, as seconds since the beginning of the test."""
    return [Span(one.since - BEGAN, one.until - BEGAN, one.counts) for one in timeline._spans]


def written(settings: Settings) -> list[list[object]]:
    """Return what the file says, as it says it."""
    rows: list[list[object]] = orjson.loads((settings.data_dir / "timeline.json").read_bytes())["spans"]
    return rows


async def later(hub: Hub, hands: Hands, *seconds: float) -> None:
    for pause in seconds:
        hands.advance(pause)
        await hub.timeline.look()


async def test_records_what_changes_and_writes_it_down(
    client: httpx.AsyncClient, hub: Hub, hands: Hands, upstream: respx.MockRouter
) -> None:
    upstream.get(url_of("state-hub")).respond(content=index())
    await later(hub, hands, 60)
    assert not (hub.settings.data_dir / "timeline.json").exists()

    await register(client)
    await later(hub, hands, 60, 60)
    await refresh(client, "state-hub")
    await later(hub, hands, 60, 60)

    assert spans(hub.timeline) == [Span(120, 240, NEVER), Span(240, 300, FRESH)]
    assert written(hub.settings)[-1] == [BEGAN + 240, BEGAN + 240, list(FRESH)]


async def test_writes_now_and_then_while_nothing_changes(client: httpx.AsyncClient, hub: Hub, hands: Hands) -> None:
    await register(client)
    await later(hub, hands, *[60] * 9)
    assert written(hub.settings) == [[BEGAN + 60, BEGAN + 60, list(NEVER)]]

    await later(hub, hands, 60, 60)

    assert written(hub.settings) == [[BEGAN + 60, BEGAN + 660, list(NEVER)]]


async def test_goes_on_after_a_restart_with_a_gap(settings: Settings, hands: Hands) -> None:
    hub = open_hub(settings, hands.clock())
    async with hub.running():
        await _registered(hub)
        await later(hub, hands, 60)
        hands.advance(30)
    hands.advance(3600)

    again = open_hub(settings, hands.clock())
    async with again.running():
        await later(again, hands, 10)

    assert spans(again.timeline) == [Span(60, 90, NEVER), Span(3700, 3700, NEVER)]
    assert [row[:2] for row in written(settings)] == [[BEGAN + 60, BEGAN + 90], [BEGAN + 3700, BEGAN + 3700]]


async def _registered(hub: Hub) -> None:
    async with client_of(hub) as client:
        await register(client)


BAD_FILES = {
    "torn": b'{"format":1,"states":["never","fr',
    "empty": b"",
    "foreign": b"[]",
    "newer": orjson.dumps({"format": 2}),
    "other states": orjson.dumps({"format": 1, "states": ["good"], "spans": [[1, 2, [3]]]}),
    "short rows": orjson.dumps({"format": 1, "states": STATES, "spans": [[1, 2, [3]]]}),
    "out of order": orjson.dumps({"format": 1, "states": STATES, "spans": [[9, 2, [0] * 6]]}),
    "less than none": orjson.dumps({"format": 1, "states": STATES, "spans": [[1, 2, [-1, 0, 0, 0, 0, 0]]]}),
    "no numbers": orjson.dumps({"format": 1, "states": STATES, "spans": [["a", None, 7]]}),
}


@pytest.mark.parametrize("content", BAD_FILES.values(), ids=BAD_FILES)
async def test_a_bad_file_begins_anew_and_is_kept_aside(
    settings: Settings, hands: Hands, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    settings.data_dir.mkdir()
    (settings.data_dir / "timeline.json").write_bytes(content)

    hub = open_hub(settings, hands.clock())
    async with hub.running():
        await _registered(hub)
        await later(hub, hands, 60)

    assert spans(hub.timeline) == [Span(60, 60, NEVER)]
    assert len(written(settings)) == 1
    assert (settings.data_dir / "timeline.json.prev").read_bytes() == content
    assert "timeline.json can't be understood: recorded anew from here on" in caplog.text


async def test_a_file_that_can_not_be_read_or_written_stops_nothing(
    settings: Settings, hands: Hands, caplog: pytest.LogCaptureFixture
) -> None:
    (settings.data_dir / "timeline.json").mkdir(parents=True)

    hub = open_hub(settings, hands.clock())
    async with hub.running():
        await _registered(hub)
        with caplog.at_level(logging.WARNING):
            await later(hub, hands, 60, 60)
        assert caplog.text.count("recording how fresh the sources are") == 1
        assert hub.checks()["storage"] == "ok"
        (settings.data_dir / "timeline.json").rmdir()
        await later(hub, hands, 60)
        assert written(settings) == [[BEGAN + 60, BEGAN + 180, list(NEVER)]]

    assert "timeline.json can't be read (Is a directory)" in caplog.text


async def test_shows_the_present_though_nobody_looked_yet(
    client: httpx.AsyncClient, hub: Hub, hands: Hands
) -> None:
    assert hub.timeline.spans(dict.fromkeys(STATES, 0)) == ()
    await register(client)
    await later(hub, hands, 60)
    hands.advance(20)

    shown = hub.timeline.spans(dict.fromkeys(STATES, 0) | {"fresh": 1})

    assert [one.counts for one in shown] == [NEVER, FRESH]
    assert shown[-1][:2] == (BEGAN + 80, BEGAN + 80)
    assert spans(hub.timeline) == [Span(60, 60, NEVER)]


async def test_a_backup_holds_it(client: httpx.AsyncClient, hub: Hub, hands: Hands) -> None:
    await register(client)
    await later(hub, hands, 60)

    snapshot = await hub.snapshot()
    with contextlib.closing(snapshot):
        assert b"timeline.json" in b"".join(snapshot.stream())


async def test_looks_by_itself(client: httpx.AsyncClient, hub: Hub, hands: Hands) -> None:
    timeline = Timeline(hub.engine.timeline, hub.sources, hands.clock(), look_seconds=0.001)
    hub.sources.signal.subscribe("a timeline in haste", timeline.on_source)
    following = asyncio.create_task(timeline.follow())
    await asyncio.sleep(0.01)
    before = spans(timeline)
    await register(client)

    async with asyncio.timeout(10):
        while not spans(timeline):  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.001)

    assert (before, spans(timeline)) == ([], [Span(0, 0, NEVER)])
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_looks_again_after_what_nobody_foresaw(
    client: httpx.AsyncClient,
    hub: Hub,
    hands: Hands,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    timeline = Timeline(hub.engine.timeline, hub.sources, hands.clock(), look_seconds=0.001)
    await register(client)
    faults = [RuntimeError("spilt")]

    def all_but_once() -> list[SourceView]:
        if faults:
            raise faults.pop()
        return views()

    views = hub.sources.views
    monkeypatch.setattr(hub.sources, "views", all_but_once)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(timeline.follow(), 0.1)

    assert "RuntimeError: spilt" in caplog.text
    assert spans(timeline) == [Span(0, 0, NEVER)]


async def test_counts_only_after_a_change(client: httpx.AsyncClient, hub: Hub, hands: Hands) -> None:
    await register(client)
    await later(hub, hands, 60)
    counted = hub.timeline._counted

    await later(hub, hands, 60)

    assert hub.timeline._counted is counted
