from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import httpx
import pytest

from router import ENDPOINTS, application
from shared.model.status import STATES
from shared.signals import EditionNotice, Signal, SourceNotice
from tests.builders import WRITER, capability, client_of, federated, index, refresh, register, url_of
from tests.shared.search.editions import edition

if TYPE_CHECKING:
    import respx

    from shared.hub import Hub
    from tests.builders import Hands

HERS, HIS = SourceNotice("hers", indexed=True), SourceNotice("his", indexed=False)


def test_every_listener_hears_each_change_in_the_order_of_changes_and_of_subscriptions() -> None:
    signal, heard = Signal[SourceNotice](), list[tuple[str, SourceNotice]]()
    signal.send(HERS)
    names = ("second", "first", "third")
    for name in names:
        signal.subscribe(name, partial(lambda name, change: heard.append((name, change)), name))

    signal.send(HERS)
    signal.send(HIS)

    assert heard == [*((name, HERS) for name in names), *((name, HIS) for name in names)]


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        pytest.param(ValueError("spilt"), "ValueError: spilt", id="what nobody foresaw"),
        pytest.param(MemoryError(), "failed: the machine has no memory left", id="no memory"),
    ],
)
def test_a_listener_that_raises_is_logged_and_harms_no_other(
    fault: Exception, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    signal, heard, faults = Signal[SourceNotice](), list[SourceNotice](), [fault]

    def fail_once(_: SourceNotice) -> None:
        if faults:
            raise faults.pop()
        heard.append(HIS)

    signal.subscribe("one", fail_once)
    signal.subscribe("another", heard.append)

    signal.send(HERS)
    signal.send(HERS)

    assert heard == [HERS, HIS, HERS]
    assert "telling one of a change of hers failed" in caplog.text
    assert says in caplog.text
    assert len(caplog.records) == 1


def test_a_notice_says_in_the_log_what_it_is_of() -> None:
    assert str(EditionNotice(edition(serial=7), None)) == "serial 7"
    assert str(HERS) == "a change of hers"


def listeners(hub: Hub) -> tuple[list[str], list[str]]:
    """Return the names of those who hear of sources and of those who hear of editions."""
    return [name for name, _ in hub.sources.signal._listeners], [name for name, _ in hub.federation.signal._listeners]


async def test_a_hub_subscribes_its_parts_once_however_many_applications_are_built_on_it(hub: Hub) -> None:
    for _ in range(2):
        application(hub, ENDPOINTS)

    assert listeners(hub) == (
        ["the federated index", "the findings", "the timeline"],
        ["the prepared answers", "the findings", "search"],
    )


async def test_two_applications_on_one_hub_serve_the_same_index(hub: Hub, upstream: respx.MockRouter) -> None:
    route = upstream.get(url_of("state-hub"))
    route.respond(content=index(capability(1, name="before")))
    async with client_of(hub) as one, client_of(hub) as other:
        await register(one)
        await refresh(one, "state-hub")
        before = [(await federated(client))["capabilities"][0]["name"] for client in (one, other, one, other)]
        route.respond(content=index(capability(1, name="after")))
        await refresh(other, "state-hub")
        after = [(await federated(client))["capabilities"][0]["name"] for client in (one, other, one, other)]

    assert (before, after) == (["before"] * 4, ["after"] * 4)


async def test_what_is_derived_follows_though_another_listener_always_fails(
    hub: Hub, client: httpx.AsyncClient, hands: Hands, upstream: respx.MockRouter, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: object) -> None:
        raise RuntimeError

    for signal in (hub.sources.signal, hub.federation.signal):
        signal._listeners.insert(0, ("a broken listener", fail))
    route = upstream.get(url_of("state-hub"))
    counted, kinds, shown = list[int](), list[list[str]](), list[int]()
    await register(client)

    for answer in (httpx.Response(200, content=index(capability(1))), httpx.Response(503)):
        route.return_value = answer
        await refresh(client, "state-hub")
        await hub.timeline.look()
        hands.advance(60)
        counted.append(hub.timeline._spans[-1].counts[STATES.index("fresh")])
        kinds.append([finding["kind"] for finding in (await client.get("/v1/findings")).json()["findings"]])
        serial = (await federated(client))["serial"]
        found = await client.get("/v1/capabilities")
        shown.append(serial - int(found.headers["Reuse-Surface-Serial"]))

    assert (counted, kinds, shown) == ([1, 0], [[], ["stale"]], [0, 0])
    assert "telling a broken listener of a change of state-hub failed: RuntimeError" in caplog.text
    assert f"telling a broken listener of serial {serial} failed: RuntimeError" in caplog.text


async def test_a_source_tells_of_each_change_and_whether_the_index_may_say_something_else(
    hub: Hub, client: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    heard = list[tuple[str, bool, bool]]()
    there = hub.sources.view
    hub.sources.signal.subscribe("test", lambda change: heard.append((*change, there(change.repo) is not None)))
    route = upstream.get(url_of("state-hub"))

    await register(client)
    assert heard.pop() == ("state-hub", True, True)
    for content in (index(capability(1)), index(capability(1)), index(capability(2))):
        route.respond(content=content)
        await refresh(client, "state-hub")
    assert heard == [("state-hub", True, True), ("state-hub", False, True), ("state-hub", True, True)]
    await client.delete("/v1/repos/state-hub", headers=WRITER)

    assert heard[3:] == [("state-hub", True, False)]
