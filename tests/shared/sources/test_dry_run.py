from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest

from shared.formats.capability_index import read_index
from shared.model.registration import RegistrationFields
from shared.problems import Overloaded
from shared.sources.dry_run import conflicts
from shared.sources.room import Size
from tests.builders import capability, index, registration
from tests.shared.sharing import EARLY, LATER, part

if TYPE_CHECKING:
    import respx

    from shared.hub import Hub

WANTED = RegistrationFields(**registration())


async def tried(hub: Hub, upstream: respx.MockRouter, answer: httpx.Response | Exception) -> dict[str, Any]:
    """Return what trying the registration comes to."""
    upstream.get(WANTED.url).side_effect = [answer]
    outcome: dict[str, Any] = orjson.loads(orjson.dumps(await hub.dry_run.run(WANTED, hub.sources.parts())))
    return outcome


async def test_tells_what_would_come(hub: Hub, upstream: respx.MockRouter) -> None:
    body = index(capability(2, tags=["x"]), capability(1))

    outcome = await tried(hub, upstream, httpx.Response(200, content=body))

    fetch = {"outcome": "fetched", "http_status": 200, "bytes": len(body), "duration_ms": 0, "error": None}
    assert (outcome["fetch"], outcome["errors"], outcome["conflicts"]) == (fetch, [], [])
    assert outcome["capability_count"] == 2
    assert outcome["capabilities"][1] == {**capability(2, tags=["x"]), "source_repo": "state-hub"}


@pytest.mark.parametrize(
    ("answer", "slug", "status"),
    [
        pytest.param(httpx.Response(404), "source-status", 404, id="404"),
        pytest.param(httpx.ConnectError("gone"), "source-unreachable", None, id="nobody"),
        pytest.param(httpx.Response(200, html="<p>"), "source-not-an-index", 200, id="a web page"),
    ],
)
async def test_tells_what_the_fetch_fails_with(
    hub: Hub, upstream: respx.MockRouter, answer: httpx.Response | Exception, slug: str, status: int | None
) -> None:
    outcome = await tried(hub, upstream, answer)

    assert (outcome["fetch"]["outcome"], outcome["fetch"]["http_status"]) == ("failed", status)
    assert outcome["fetch"]["error"]["type"] == slug
    assert (outcome["errors"], outcome["capabilities"], outcome["conflicts"]) == ([], [], [])


async def test_what_the_hubs_machine_lacks_is_not_told_of_the_source(hub: Hub, upstream: respx.MockRouter) -> None:
    with pytest.raises(Overloaded, match="no memory left"):
        await tried(hub, upstream, MemoryError())


async def test_tells_every_error_of_an_index(hub: Hub, upstream: respx.MockRouter) -> None:
    outcome = await tried(hub, upstream, httpx.Response(200, content=b"version: 2\ncapabilities: x\n"))

    assert outcome["fetch"]["error"]["type"] == "invalid-index"
    assert [(one["line"], one["pointer"]) for one in outcome["errors"]] == [(1, "/version"), (2, "/capabilities")]


async def test_tells_when_there_would_be_no_room(
    hub: Hub, upstream: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub.dry_run._room, "most", Size(1, 1))

    outcome = await tried(hub, upstream, httpx.Response(200, content=index(capability(1), capability(2))))

    assert (outcome["fetch"]["error"]["type"], outcome["fetch"]["http_status"]) == ("hub-full", 200)
    assert outcome["capability_count"] == 2


def test_a_conflict_is_with_the_repo_that_was_registered_first_and_never_with_itself() -> None:
    mine = read_index(index(capability(1), capability(2), capability(3)), "mine")
    parts = [
        part("late", capability(1), capability(2, name="Other"), at=LATER),
        part("early", capability(1, name="Other"), capability(9), at=EARLY),
        part("mine", capability(3), at=EARLY),
        part("empty", state="never"),
    ]

    assert conflicts("mine", mine, parts) == [
        {"id": "capability.example.n1", "repo": "early", "identical": False},
        {"id": "capability.example.n2", "repo": "late", "identical": False},
    ]
    assert conflicts("mine", mine, [part("late", capability(1))])[0]["identical"] is True
