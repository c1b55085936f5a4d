"""What the event loop does for one request is bounded, however much was published and however much is asked for.

It is counted in bytes that are parsed, encoded or digested on its thread, of which no other thread runs meanwhile, and
in steps, one instruction of Python each. Both are counted for the first of equal requests as well, which may find
nothing prepared.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest

from router import ENDPOINTS, application
from shared.hub import open_hub
from shared.model.author import Author
from shared.model.registration import RegistrationFields
from shared.settings import Settings
from shared.web import answers
from tests.announced import announcing
from tests.builders import TOKEN, Hands, capability, index
from tests.test_loop_steps import PLACES, SELECTIONS, Steps, requested

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from starlette.applications import Starlette

    from shared.hub import Hub

MANY = 5000
MOST_BYTES = 128 * 1024
MOST_STEPS = 50_000
"""Some two milliseconds; a walk over 5,000 entries that does anything with them takes more."""

TEXT = "z" * 1000
LARGE = {f"note_{number}": [TEXT] * 50 for number in range(90)}
GIANT = capability(1, id="capability.giant.n1", **LARGE)
BOASTING = capability(1, id="capability.boasting.n1", served=False, **LARGE)
TINY = [capability(number, id=f"capability.tiny.n{number:04}") for number in range(MANY)]
TEXTS = [capability(number, id=f"capability.texts.n{number:02}", note=[TEXT] * 45) for number in range(95)]
FAULTY = [{"id": f"capability.faulty.n{number}"} for number in range(100)]
BEFORE = {
    "giant": index(GIANT),
    "boasting": index(BOASTING),
    "tiny": index(*TINY),
    "claiming": index(*TINY[: MANY // 2]),
    "texts": index(*TEXTS),
    "faulty": index(*FAULTY),
    "shrunk": index(*(capability(number, id=f"capability.shrunk.n{number:04}") for number in range(MANY))),
}
SHRUNK = index(capability(1, id="capability.shrunk.n0001"))
IDS = {"giant": "n1", "boasting": "n1", "tiny": "n0007", "claiming": "n0007", "texts": "n07", "shrunk": "n0007"}
OF_A_REPO = [path for method, path, *_ in ENDPOINTS if method == "GET" and "{repo}" in path]
LARGEST = [
    "/v1/repos?limit=1000",
    "/v1/repos?limit=1000&domain=d",
    "/v1/findings?limit=1000",
    "/v1/capabilities?limit=1000",
    "/v1/capabilities?repo=texts&limit=1000",
    "/v1/capabilities?repo=texts&limit=1000&fields=id,note_1",
    "/v1/capabilities?repo=giant",
    "/v1/federated/changes?since=1&limit=10000",
    "/v1/federated?format=yaml",
    "/capabilities?repo=texts",
    "/capabilities?repo=giant",
    "/ard/agents?pageSize=100",
    "/ard/agents?pageSize=100&filter=displayName%3D'Example'",
    "/ard/agents/urn:air:reuse-surface.invalid:catalog:tiny",
    "/ard/agents/urn:air:reuse-surface.invalid:catalog:texts",
    "/ard/agents/urn:air:reuse-surface.invalid:capability:giant:capability.giant.n1",
    "/?over=month",
]


def targets() -> list[str]:
    plain = [path.format_map(PLACES) for method, path, *_ in ENDPOINTS if method == "GET" and "{repo}" not in path]
    of_repos = [
        path.format_map({"repo": repo, "id": f"capability.{repo if repo != 'claiming' else 'tiny'}.{name}"})
        for path in OF_A_REPO
        for repo, name in [*IDS.items(), ("faulty", "n1")]
    ]
    return [*plain, *of_repos, *(one.replace("r-0001", "faulty") for one in SELECTIONS), *LARGEST]


class Sizes:
    """The largest number of bytes that one call on the thread of the test took in or gave back, and which it was."""

    def __init__(self) -> None:
        self.most = 0, ""

    def watch(self, patch: pytest.MonkeyPatch, module: Any, name: str, *, given: bool) -> None:
        """Watch the function *name* of *module*: the bytes that it is *given*, or those that it returns."""
        real: Callable[..., Any] = getattr(module, name)

        def call(*arguments: Any, **named: Any) -> Any:
            result = real(*arguments, **named)
            if threading.current_thread() is threading.main_thread():
                self.most = max(self.most, (len(arguments[0] if given else result), name))
            return result

        patch.setattr(module, name, call)


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> Sizes:
    """What is parsed, encoded and digested on the thread of the event loop."""
    watched = Sizes()
    watched.watch(monkeypatch, orjson, "loads", given=True)
    watched.watch(monkeypatch, orjson, "dumps", given=False)
    watched.watch(monkeypatch, json, "loads", given=True)
    watched.watch(monkeypatch, answers, "sha256", given=True)
    return watched


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    """A hub of the worst sources that may be published, and many small ones."""
    settings = Settings(data_dir=tmp_path / "data", token=TOKEN, refresh=False, public_url="http://hub")
    opened = open_hub(settings, Hands().clock())
    with announcing() as upstream:
        for repo, content in BEFORE.items():
            upstream.get(f"https://a.example/{repo}").respond(content=content)
        upstream.route().mock(side_effect=_small)
        async with opened.running():
            await _fill(opened)
            upstream.get("https://a.example/shrunk").respond(content=SHRUNK)
            assert (await opened.sources.refresh("shrunk")).outcome == "held"
            await opened.registry.shown("The sources were read.")
            yield opened


def _small(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, content=index(capability(1, id=f"capability.{request.url.path[1:]}.n1")))


async def _fill(hub: Hub) -> None:
    for repo in [*BEFORE, *(f"r-{number:04}" for number in range(400))]:
        url = f"https://a.example/{repo}"
        wanted = RegistrationFields(repo=repo, url=url, domain="d", required=True, description="d" * 200)
        hub.sources.watch(await hub.store.add(wanted, Author("operator")))
    outcomes = await hub.sources.refresh_all(BEFORE)
    assert [one.repo for one in outcomes if one.outcome != "changed"] == ["faulty"]
    await hub.sources.refresh_all(hub.sources.schedule.due())
    await hub.registry.shown("The sources were read.")


async def held_up(app: Starlette, target: str, sizes: Sizes, body: bytes = b"") -> dict[str, Any]:
    """Return what one read of *target*, or one write with a *body*, took of the event loop that is too much."""
    sizes.most, counted = (0, ""), Steps()
    with counted.counting():
        status = await requested(app, target, body)
    assert status < (300 if body or target in LARGEST else 500), (target, status)
    too_much = {"bytes": sizes.most} if sizes.most[0] > MOST_BYTES else {}
    return too_much | ({"steps": counted.number} if counted.number > MOST_STEPS else {})


async def test_no_read_holds_up_the_loop_by_what_is_published_or_asked_for(hub: Hub, sizes: Sizes) -> None:
    app = application(hub, ENDPOINTS)

    found = {}
    for target in targets():
        for time in ("first", "again"):
            if too_much := await held_up(app, target, sizes):
                found[target, time] = too_much

    assert found == {}


@pytest.mark.parametrize(
    ("target", "body"),
    [
        *(("/v1/repos?dry_run=true", {"repo": "new", "domain": "d", "url": f"https://a.example/{one}"}) for one in IDS),
        ("/v1/repos/shrunk/accept", {"digest": None}),
        ("/ard/search", {"query": {"text": "example"}, "pageSize": 100}),
        ("/ard/explore", {"resultType": {"facets": [{"field": "tags", "limit": 1000}]}}),
    ],
    ids=[*(f"trying {repo}" for repo in IDS), "accepting", "searching", "counting"],
)
async def test_no_write_holds_up_the_loop_by_what_is_published(
    hub: Hub, sizes: Sizes, target: str, body: dict[str, Any]
) -> None:
    if body.get("digest", "") is None:
        body = {"digest": hub.sources.held("shrunk")[1].content.digest}

    # Of steps a write takes many in many turns: checks, the disk, a composition.
    assert "bytes" not in await held_up(application(hub, ENDPOINTS), target, sizes, json.dumps(body).encode())
